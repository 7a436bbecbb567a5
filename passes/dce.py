"""Dead-code elimination: nodes that no output needs are dropped; inputs stay.

    v0 = exp(x)          dropped: no output needs it
    v1 = negative(x)     v0 = negative(x)
    return v1            return v0

Branches and loops lose the results that nobody uses: see `prune`.

Checked nodes that nothing uses go too: an error in a value that nobody asked for is none.
What has an effect stays.
"""

from __future__ import annotations

from graphc.core.ir import Graph, effects, toposort
from graphc.passes.prune import prune


def dce(graph: Graph) -> Graph:
    """Drop every node that the outputs do not depend on.

    Returns:
        The graph with the nodes that are left, in their order; the graph itself when all are
        needed.
    """
    graph = prune(graph)
    needed = toposort((*graph.inputs, *effects(graph.nodes), *graph.outputs))
    if len(needed) == len(graph.nodes):
        return graph
    nodes = tuple(node for node in graph.nodes if node in needed)
    return Graph(graph.name, graph.inputs, nodes, graph.outputs, graph.aliases)

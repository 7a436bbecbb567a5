"""Graphs for networkx, which has the algorithms: paths, dominators, cuts, communities, GraphML.

    arrows = gc.to_networkx(program)
    networkx.shortest_path(arrows, "x", "v7")        # names as in the text form
    gc.viz.dump(program, "step.graphml")             # for yEd, Gephi, Cytoscape

For users, pictures and tests, where graphs are small or time is not short: passes walk graphs by
`core.walk`. networkx is imported when something here is called.
"""

from __future__ import annotations

from typing import Any

from graphc import text
from graphc.core.graphs import graph_of
from graphc.core.ir import Graph, bodies
from graphc.core.types import TupleType


def to_networkx(subject: object) -> Any:
    """A graph, or a program's final graph, as a `networkx.MultiDiGraph`.

    Args:
        subject: a `Graph`, a `Program`, a tensor of a graph, or a structure of tensors.

    Returns:
        Arrows from operands to users. Nodes are the names of the text form (`x`, `v0`); they have
        `op`, `kind`, `type`, `nbytes` (an int, or text where sizes are symbolic), `origin`, `scope`
        (the modules and functions around, with "/" between), `phase` ("forward", "backward" or
        "optimizer"),
        `body` (the names of nested graphs, "" for none), `is_output`, and `updates` (the parameter
        whose new value it is, or ""). Arrows have `operand`, the position among the operands.

    Raises:
        ArgumentError: the subject is none of these.

    Example:
        >>> import graphc as gc
        >>> import networkx
        >>> x = gc.input("x", (3,))
        >>> graph = gc.Graph.of("g", [x], [gc.sin(gc.exp(x)) + gc.cumsum(x, axis=0)])
        >>> arrows = gc.to_networkx(graph)
        >>> [(name, data["op"]) for name, data in arrows.nodes(data=True)]
        [('x', 'input'), ('v0', 'exp'), ('v1', 'sin'), ('v2', 'cumsum'), ('v3', 'add')]
        >>> networkx.shortest_path(arrows, "x", "v3")
        ['x', 'v2', 'v3']
    """
    import networkx

    graph = graph_of(subject, "to_networkx")
    names = text.names(graph)
    arrows = networkx.relabel_nodes(graph.to_networkx(), names)
    updated = {graph.outputs[k]: graph.inputs[place] for k, place in graph.aliases}
    outputs = set(graph.outputs)
    for node, name in names.items():
        items = node.type.items if isinstance(node.type, TupleType) else (node.type,)
        nbytes: Any = sum((item.nbytes for item in items[1:]), items[0].nbytes if items else 0)
        arrows.nodes[name].update(
            kind=str(node.op.kind),
            scope="/".join(node.origin.scope) if node.origin else "",
            phase=(node.origin.phase or "forward") if node.origin else "forward",
            nbytes=nbytes if isinstance(nbytes, int) else str(nbytes),
            body=" ".join(body.name for body in bodies(node).values()),
            is_output=node in outputs,
            updates=names[updated[node]] if node in updated else "",
        )
    return arrows


def communities(arrows: Any) -> dict[Any, int]:
    """Parts of a graph that hang together more than with the rest, found by Louvain's method.

    Args:
        arrows: any networkx graph.

    Returns:
        For each node the number of its part; parts are numbered in the order of their first nodes.
        The same in every process.
    """
    import networkx

    order = list(arrows)
    number = {node: k for k, node in enumerate(order)}
    plain = networkx.Graph()  # of ints: their order in sets is the same in every process
    plain.add_nodes_from(range(len(order)))
    plain.add_edges_from((number[a], number[b]) for a, b in arrows.edges())
    parts = networkx.community.louvain_communities(plain, seed=0)
    ordered = sorted(parts, key=min)
    return {order[k]: part for part, members in enumerate(ordered) for k in members}


def graphml(graph: Graph) -> str:
    """A graph in GraphML: `to_networkx`, and of each node the `community` that it is of."""
    import networkx

    arrows = to_networkx(graph)
    networkx.set_node_attributes(arrows, communities(arrows), "community")
    for _, data in arrows.nodes(data=True):
        data["nbytes"] = str(data["nbytes"])  # of one type in all nodes
        data |= {key: _plain(value) for key, value in data.items() if isinstance(value, str)}
    return "\n".join([*networkx.generate_graphml(arrows), ""])


def _plain(value: str) -> str:
    """A text without the control characters that XML cannot hold."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)


__all__ = ["communities", "graphml", "to_networkx"]

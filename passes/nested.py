"""Passes inside branches and loops: each pass is applied to the bodies first, then to the graph.

    def body(h: f32[4]):                 def body(h: f32[4]):
        v0 = negative(h)                     return h
        v1 = negative(v0)
        return v1

A body's inputs stay, and so do its results in number and type; which of them are needed is for
`prune`.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.core.ir import Graph, Kind, Node, bodies, rebuild
from graphc.passes.rewrite.engine import same_graph

Pass = Callable[[Graph], Graph]


def everywhere(each: Pass, graph: Graph) -> Graph:
    """Apply a pass to a graph and to all that are nested in it, innermost first."""
    if any(n.op.kind is Kind.CONTROL and bodies(n) for n in graph.nodes):
        graph = same_graph(graph, rebuild(graph, lambda node: _inside(each, node)))
    return each(graph)


def _inside(each: Pass, node: Node) -> Node:
    if node.op.kind is not Kind.CONTROL:
        return node
    old = bodies(node)
    new = {name: everywhere(each, body) for name, body in old.items()}
    return node if all(new[name] is old[name] for name in old) else with_attrs(node, **new)


def with_attrs(node: Node, **changed: object) -> Node:
    """The node with some attributes changed; its type must stay."""
    attrs = tuple((name, changed.get(name, value)) for name, value in node.attrs)
    return Node(node.op, node.inputs, attrs, node.type, node.origin)

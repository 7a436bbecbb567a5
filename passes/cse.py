"""Common-subexpression elimination: of equal pure nodes, the first stays.

    v0 = multiply(x, y)      v0 = multiply(x, y)
    v1 = multiply(y, x)      (multiply is commutative)
    v2 = add(v0, v1)         v1 = add(v0, v0)

Two nodes are equal when op, operands and attributes are; `1`, `1.0` and `True` differ, and so do
`0.0` and `-0.0`, while a nan equals the nan of the same bits. Nested graphs are equal when they
compute the same, and loops over the same operands become one: see `merge`.
"""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Graph, Node, rebuild
from graphc.passes.merge import frozen, merge
from graphc.passes.rewrite.engine import same_graph


def cse(graph: Graph) -> Graph:
    """Merge equal pure nodes.

    Returns:
        The graph in which users of a repeated node use the first; the graph itself when nothing
        repeats.
    """
    seen: dict[Any, Node] = {}

    def visit(node: Node) -> Node:
        return seen.setdefault(_key(node), node) if node.op.pure or node.op.effect else node

    return merge(same_graph(graph, rebuild(graph, visit)))


def _key(node: Node) -> Any:
    operands = [id(i) for i in node.inputs]
    if node.op.commutative:
        operands.sort()
    return node.op, tuple(operands), tuple((name, frozen(value)) for name, value in node.attrs)

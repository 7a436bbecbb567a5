"""Results of nodes, and which of them share memory: what passes decide and the runtime keeps to.

A value is a node's k-th result. `item` stands for one of its operand's results and has no memory.

    v0 = fused(x, y, body=..., inplace=((1, 0),))     result 1 lies over x
    v1 = item(v0, index=1)                            value_of(v1) is (v0, 1)
"""

from __future__ import annotations

from graphc.core.ir import Graph, Kind, Library, Node, is_item
from graphc.core.types import TensorType, TupleType

Value = tuple[Node, int]


def value_of(node: Node, index: int = 0) -> Value:
    """The value that a node, or one of its results, stands for."""
    while is_item(node):
        index, node = node.attr("index"), node.inputs[0]
    return node, index


def result_type(node: Node, index: int = 0) -> TensorType:
    """The type of a node's `index`-th result."""
    return node.type.items[index] if isinstance(node.type, TupleType) else node.type


def results(node: Node) -> range:
    """The positions of a node's results."""
    return range(len(node.type.items) if isinstance(node.type, TupleType) else 1)


def written_over(node: Node) -> tuple[tuple[int, int], ...]:
    """The (result, operand) pairs of a node that are one memory."""
    if node.op.kind is Kind.FUSED or is_updating(node):
        return dict(node.attrs).get("inplace", ())
    return ()


def is_updating(node: Node) -> bool:
    """Whether a node's result differs from an operand in some places only."""
    fact = node.op.lowering
    return isinstance(fact, Library) and fact.over is not None


def updated(node: Node) -> frozenset[Value]:
    """The values that a node changes in some places, its result taking their memory."""
    pairs = written_over(node) if is_updating(node) else ()
    return frozenset(value_of(node.inputs[operand]) for _, operand in pairs)


def shared_with(graph: Graph) -> dict[Value, Value]:
    """For each value written over an operand, the value that had the memory first."""
    roots: dict[Value, Value] = {}
    for node in graph.nodes:
        for output, operand in written_over(node):
            source = value_of(node.inputs[operand])
            roots[(node, output)] = roots.get(source, source)
    return roots


__all__ = [
    "Value", "is_updating", "result_type", "results", "shared_with", "updated", "value_of",
    "written_over",
]  # fmt: skip

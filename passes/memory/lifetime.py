"""Who reads which memory, and until when.

A value is a node's k-th result. `item` stands for one of its operand's results and has no memory.
Kernels may look through movement (a transposed operand of a matrix product is the operand's own
memory, read by columns), so a reader of a movement node counts as a reader of what it moves too,
whether that is copied first or not.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphc.core.ir import Graph, Kind, Node
from graphc.core.types import TensorType, TupleType

Value = tuple[Node, int]


def value_of(node: Node) -> Value:
    """The result that a node stands for."""
    if is_item(node):
        return node.inputs[0], node.attr("index")
    return node, 0


def is_item(node: Node) -> bool:
    """Whether a node only names a result of another."""
    return bool(node.inputs) and isinstance(node.inputs[0].type, TupleType)


def result_type(node: Node, index: int = 0) -> TensorType:
    """The type of a node's `index`-th result."""
    return node.type.items[index] if isinstance(node.type, TupleType) else node.type


def results(node: Node) -> range:
    """The positions of a node's results."""
    return range(len(node.type.items) if isinstance(node.type, TupleType) else 1)


def seen_through(graph: Graph) -> dict[Node, dict[Value, None]]:
    """For each node, the set of values whose memory a reader of it may read, in order, its own
    first. (Values are told apart by hash: `==` on nodes is an operation on tensors.)"""
    found: dict[Node, dict[Value, None]] = {}
    for node in graph.nodes:
        values: dict[Value, None] = {value_of(node): None}
        if node.op.kind is Kind.MOVEMENT:
            for operand in node.inputs:
                values.update(found[operand])
        found[node] = values
    return found


def readers(graph: Graph) -> dict[Value, list[Node]]:
    """For each value, the nodes that may read its memory, in order, once for each time."""
    seen = seen_through(graph)
    found: dict[Value, list[Node]] = {}
    for node in graph.nodes:
        if is_item(node):
            continue
        for operand in node.inputs:
            for value in seen[operand]:
                found.setdefault(value, []).append(node)
    return found


def shared_with(graph: Graph) -> dict[Value, Value]:
    """For each value written over an operand, the value that had the memory first."""
    roots: dict[Value, Value] = {}
    for node in graph.nodes:
        if node.op.kind is Kind.FUSED:
            for output, operand in dict(node.attrs).get("inplace", ()):
                source = value_of(node.inputs[operand])
                roots[(node, output)] = roots.get(source, source)
    return roots


def spans(graph: Graph, roots: Mapping[Value, Value]) -> dict[Value, tuple[int, int]]:
    """The first and last step of the memory of every value that is not written over another's.

    Args:
        graph: its nodes are the steps.
        roots: what `shared_with` found, or nothing.
    """
    found: dict[Value, tuple[int, int]] = {}
    seen = seen_through(graph)

    def extend(value: Value, step: int) -> None:
        root = roots.get(value, value)
        found[root] = (found[root][0] if root in found else step, step)

    for step, node in enumerate(graph.nodes):
        if is_item(node):
            continue
        for operand in node.inputs:
            for value in seen[operand]:
                extend(value, step)
        for index in results(node):
            extend((node, index), step)
    for output in graph.outputs:
        for value in seen[output]:
            extend(value, len(graph.nodes))
    return found

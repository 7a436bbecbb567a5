"""Who reads which memory, and until when.

Kernels may look through movement (a transposed operand of a matrix product is the operand's own
memory, read by columns), so a reader of a movement node counts as a reader of what it moves too,
whether that is copied first or not. Values are those of `core.results`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphc.core.ir import Graph, Kind, Node, is_item
from graphc.core.results import Value, is_updating, result_type, results, shared_with, value_of


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


def read_by(
    node: Node, operand: Node, seen: Mapping[Node, Mapping[Value, None]]
) -> Iterable[Value]:
    """The values whose memory a node may read for an operand; loop nests look through nothing."""
    return (value_of(operand),) if node.op.kind is Kind.LIBRARY else seen[operand]


def readers(graph: Graph) -> dict[Value, list[Node]]:
    """For each value, the nodes that may read its memory, in order, once for each time."""
    seen = seen_through(graph)
    found: dict[Value, list[Node]] = {}
    for node in graph.nodes:
        if is_item(node):
            continue
        for operand in node.inputs:
            for value in read_by(node, operand, seen):
                found.setdefault(value, []).append(node)
    return found


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
            for value in read_by(node, operand, seen):
                extend(value, step)
        for index in results(node):
            extend((node, index), step)
    for output in graph.outputs:
        for value in seen[output]:
            extend(value, len(graph.nodes))
    return found


__all__ = [
    "Value", "is_item", "is_updating", "read_by", "readers", "result_type", "results",
    "seen_through", "shared_with", "spans", "value_of",
]  # fmt: skip

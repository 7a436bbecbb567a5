"""The sizes and byte counts of a graph's values that only a call can decide."""

from __future__ import annotations

from graphc.core import dims
from graphc.core.ir import Graph, Node, all_nodes
from graphc.core.types import TupleType


def symbolic_bytes(graph: Graph) -> dict[dims.Dim, Node]:
    """The bytes of tensors that depend on sizes, each with the first node that has so many."""
    found: dict[dims.Dim, Node] = {}
    for node in all_nodes(graph):
        for type_ in node.type.items if isinstance(node.type, TupleType) else (node.type,):
            if isinstance(count := type_.nbytes, dims.Dim):
                found.setdefault(count, node)
    return found


def uncertain_sizes(graph: Graph) -> list[tuple[dims.Dim, Node]]:
    """Sizes that facts don't show to be 0 or more, each with the first node that has it."""
    found: dict[dims.Dim, Node] = {}
    for node in all_nodes(graph):
        for size in getattr(node.type, "shape", ()):
            if isinstance(size, dims.Dim) and size not in found and not dims.at_least(size, 0):
                found[size] = node
    return list(found.items())


__all__ = ["symbolic_bytes", "uncertain_sizes"]

"""Which dimension symbols a node speaks of: what a text or an exported program declares first."""

from __future__ import annotations

from typing import Any

from graphc.core import dims
from graphc.core.dims import Dim, Symbol
from graphc.core.ir import Graph, Node
from graphc.core.types import TensorType, TupleType


def symbols_of(node: Node) -> set[Symbol]:
    """The dimension symbols in a node's type and attributes, those of nested graphs too."""
    if isinstance(node.type, TensorType) and node.type.is_static and not node.attrs:
        return set()
    types = node.type.items if isinstance(node.type, TupleType) else (node.type,)
    values = [*(type_.shape for type_ in types), *(value for _, value in node.attrs)]
    return set().union(*map(_in_value, values))


def _in_value(value: Any) -> set[Symbol]:
    if isinstance(value, Dim):
        return dims.symbols(value)
    if isinstance(value, TensorType):
        return _in_value(value.shape)
    if isinstance(value, tuple):
        return set().union(*(_in_value(v) for v in value))
    if isinstance(value, Graph):
        return set().union(*(symbols_of(node) for node in value.nodes))
    return set()


__all__ = ["symbols_of"]

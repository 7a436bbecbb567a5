"""Which dimension symbols a node speaks of: what a text or an exported program declares first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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


def _in_value(value: object) -> set[Symbol]:
    if isinstance(value, Dim):
        return dims.symbols(value)
    if isinstance(value, TensorType):
        return _in_value(value.shape)
    if isinstance(value, tuple):
        return set().union(*(_in_value(v) for v in value))
    if isinstance(value, Graph):
        return set().union(*(symbols_of(node) for node in value.nodes))
    return set()


def values_of(nodes: Iterable[Node]) -> dict[str, Symbol]:
    """The symbols among those of nodes that are values of inputs, by name."""
    found = {s.name: s for node in nodes for s in symbols_of(node) if s.is_value}
    return dict(sorted(found.items()))


def valued(inputs: Sequence[Node], nodes: Iterable[Node]) -> list[tuple[int, Symbol]]:
    """The positions of inputs whose values are sizes of nodes, with the symbols."""
    if not any(getattr(n.type, "shape", None) == () and n.dtype.is_integer for n in inputs):
        return []
    symbols = values_of(nodes)
    return [
        (k, symbols[node.name])
        for k, node in enumerate(inputs)
        if node.op.name == "input" and node.name in symbols
    ]


__all__ = ["symbols_of", "valued", "values_of"]

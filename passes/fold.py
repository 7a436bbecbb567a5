"""Constant folding: a node of constants becomes the constant, computed by the reference.

    v0 = full(value=2.0, shape=(n,), dtype=f32)
    v1 = exp(v0)                                    full(value=7.389056, shape=(n,), dtype=f32)

Only results that are one number everywhere are folded, because arrays are never attributes:
elementwise ops of any size, symbolic ones too; other ops when small and of fixed sizes. Any nan
becomes the nan. A node whose reference raises (an overflowing cast) is left to raise when it runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core.interpret import run_node
from graphc.core.ir import Graph, Kind, Node, rebuild, tensor_type
from graphc.core.types import TensorType
from graphc.errors import GraphcError
from graphc.ops.source import FULL
from graphc.passes.rewrite.engine import same_graph

LIMIT = 4096  # elements of operands and result together, when the op is not elementwise


def fold(graph: Graph) -> Graph:
    """Replace nodes of constants by constants.

    Returns:
        The folded graph; the graph itself when there is nothing to fold.
    """
    return same_graph(graph, rebuild(graph, _fold_node))


def _fold_node(node: Node) -> Node:
    type_ = node.type
    if node.op is FULL or not node.op.pure or not isinstance(type_, TensorType):
        return node
    if any(i.op is not FULL for i in node.inputs):
        return node
    value = _elementwise(node) if node.op.kind is Kind.ELEMENTWISE else _small(node)
    if value is None:
        return node
    return FULL(value=value, shape=type_.shape, dtype=type_.dtype)


def _elementwise(node: Node) -> Any:
    """The value that an elementwise op of constants has everywhere, or None."""
    try:
        with np.errstate(all="ignore"):
            operands = [_array(i, (1,)) for i in node.inputs]
            result = np.asarray(node.op.numpy(*operands, **dict(node.attrs)))
    except GraphcError:
        return None
    return result.item() if result.shape == (1,) else None


def _small(node: Node) -> Any:
    """The value that a small node of constants has everywhere, or None."""
    types = [node.type, *(i.type for i in node.inputs)]
    if not all(isinstance(t, TensorType) and t.is_static for t in types):
        return None
    if sum(t.size for t in types) > LIMIT or node.type.size == 0:  # type: ignore[union-attr,misc]
        return None
    try:
        with np.errstate(all="ignore"):
            operands = [_array(i, tensor_type(i).shape) for i in node.inputs]
        result = np.ascontiguousarray(run_node(node, operands, {}))
    except (GraphcError, KeyError):  # KeyError: an attribute has a symbolic size
        return None
    first = result.reshape(-1)[:1]
    return first.item() if result.tobytes() == first.tobytes() * result.size else None


def _array(node: Node, shape: Any) -> np.ndarray:
    return np.full(shape, node.attr("value"), tensor_type(node).dtype.numpy)

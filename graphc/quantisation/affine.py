"""Numbers as small integers with a scale and a zero point: made, and recognised in graphs.

quantised(x, s, z)      cast(clip(rint(x / s) + z, low, high), int8)
dequantised(q, s, z)    (cast(q, f32) - z) * s
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.core import dims, dtypes
from graphc.core.ir import OPS, Node, tensor_type
from graphc.loops import views
from graphc.ops.contract.integers import BYTES
from graphc.ops.source import CONSTANT_OP, FULL, Bound


def quantised(x: Any, scale: Any, dtype: Any) -> Any:
    """The nearest small integers of x over a scale, with a zero point of 0; ties to even."""
    info = np.iinfo(dtype.numpy)
    return gc.cast(gc.clip(gc.rint(x / scale), float(info.min), float(info.max)), dtype, "wrap")


def dequantised(q: Any, scale: Any) -> Any:
    """What small integers stand for."""
    return gc.cast(q, dtypes.float32) * scale


@dataclass(frozen=True)
class Affine:
    """A tensor of float32 that is `(q - zero) * scale`, scale and zero in its own shape.

    Attributes:
        q: int8 or uint8.
        scale: float32.
        zero: float32, of numbers that q's dtype holds; None for 0.
    """

    q: Node
    scale: Node
    zero: Node | None


def affine(node: Node) -> Affine | None:
    """A node as small integers, a scale and a zero point behind views; None where it is not so."""
    chain = []
    while views.is_view(node) and len(node.inputs) == 1:
        chain.append(node)
        (node,) = node.inputs
    if node.op is not OPS["multiply"]:
        return None
    for numbers, scale in (node.inputs, node.inputs[::-1]):
        found = _integers(numbers)
        if found is not None:
            q, zero = found
            shift = None if zero is None else _behind(zero, chain)
            return Affine(_behind(q, chain), _behind(scale, chain), shift)
    return None


def _integers(node: Node) -> tuple[Node, Node | None] | None:
    zero = None
    if node.op is OPS["subtract"]:
        node, zero = node.inputs
        if not _is_zero_point(zero):
            return None
    is_cast = node.op is OPS["cast"] and tensor_type(node).dtype is dtypes.float32
    if not is_cast or tensor_type(node.inputs[0]).dtype not in BYTES:
        return None
    return node.inputs[0], zero


def _is_zero_point(node: Node) -> bool:
    """Whether all numbers of a node are those of bytes."""
    while views.is_view(node):
        node = node.inputs[0]
    if node.op is FULL:
        known = np.asarray(node.attr("value"))
    elif node.op is CONSTANT_OP and isinstance(node, Bound):
        known = node.value
    else:
        return node.op is OPS["cast"] and tensor_type(node.inputs[0]).dtype in BYTES
    return bool(((known == np.rint(known)) & (known >= -128) & (known <= 255)).all())


def _behind(node: Node, chain: list[Node]) -> Any:
    """A node of a chain's source seen through the views of the chain."""
    for view in reversed(chain):
        if node.op is FULL:
            shape = tensor_type(view).shape
            node = FULL(value=node.attr("value"), shape=shape, dtype=tensor_type(node).dtype)
        else:
            node = view.op(node, **dict(view.attrs))
    return node


def lines(node: Node, axes: tuple[int, ...]) -> Any:
    """A tensor that is the same along some axes, with size 1 there; None where it may differ."""
    shape = tensor_type(node).shape
    inside = {axis % len(shape) for axis in axes}
    kept = tuple(1 if axis in inside else size for axis, size in enumerate(shape))
    index = views.symbols_of(node, "line")
    base, where = views.follow(node, index, lambda n: n.op is FULL)
    if base.op is FULL:
        return FULL(value=base.attr("value"), shape=(), dtype=tensor_type(base).dtype)
    if tensor_type(base).size == 1:
        return gc.reshape(base, ())
    # The elements of what stands behind, in the same order.
    place = tuple(0 if axis in inside else at for axis, at in enumerate(index))
    is_row = views.offset(tensor_type(base).shape, where) == views.offset(kept, place)
    if is_row and tensor_type(base).size == dims.product(kept):
        return gc.reshape(base, kept)
    return None

"""Indices that are data: take and take_along_axis, which read where an index says.

An index is never clamped: it counts from the end when negative, and one outside its axis is an
error that names the value and the size, found while the program runs (`checked` ops). Reading
ops are index maps whose index is `read` from an operand: the lowering loads the integer, checks
it against the size of operand 0 along the node's `axis`, and wraps negatives. Writing ops are
loop nests that add, or overwrite, in the order of the index, so results do not depend on threads.
The attribute `trusted=True` promises an index in 0 .. size - 1, as argmax and argsort give it: the
op is then not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.dims import Size
from graphc.core.ir import OPS, IndexMap, Kind, Node, Op, Piece, Sample, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import TensorType
from graphc.core.typing import Values
from graphc.errors import DTypeError, IndexRangeError, ShapeError
from graphc.ops.arrays.movement import Index
from graphc.ops.arrays.shaping import broadcast_to, reshape
from graphc.ops.batch import behind, later, merged, moved
from graphc.ops.declare import declare


def wrapped(index: np.ndarray, size: int) -> np.ndarray:
    """Indices counted from the start.

    Raises:
        IndexRangeError: one is outside; names the first of them.
    """
    bad = (index < -size) | (index >= size) if index.dtype.kind == "i" else index >= size
    if bad.any():
        raise out_of_range(int(index[bad].flat[0] if index.ndim else index[()]), size)
    index = index.astype(np.int64)
    return np.where(index < 0, index + size, index)


def out_of_range(value: int, size: int) -> IndexRangeError:
    """The error for an index outside its axis; one that `from_start` made is shown as it was."""
    value = value - 2**64 if value >= 2**63 else value
    return IndexRangeError(f"index {value} is out of range for an axis of size {size}")


def from_start(index: Values) -> Any:
    """An index of which a negative one is an error, where others count from the end.

    As unsigned integers negative ones are beyond every axis, so the op's own check finds them.
    """
    return FUNCTIONS["cast"](index, dtypes.uint64, "wrap")


def check_index(name: str, index: TensorType) -> None:
    if not index.dtype.is_integer:
        raise DTypeError(
            f"{name}: an index must be of an integer dtype, not {index}",
            where=caller(),
            hint="cast it to int64",
        )


def indexed(
    x: tuple[int, ...], index: tuple[int, ...], *more: tuple[int, ...], **attrs: int
) -> Sample:
    """A sample with operands of these shapes, the index in range."""
    operands = [(x, "float32", "real"), (index, "int64", "index")]
    return Sample((*operands, *((s, "float32", "real") for s in more)), attrs)


def take_shape(x: tuple[Size, ...], index: tuple[Size, ...], axis: int) -> tuple[Size, ...]:
    return (*x[:axis], *index, *x[axis + 1 :])


def _take_infer(x: TensorType, index: TensorType, *, axis: int) -> TensorType:
    check_index("take", index)
    return x.with_shape(take_shape(x.shape, index.shape, axis))


def _take_pieces(node: Node, index: Index, read: Callable[..., Any]) -> Sequence[Piece]:
    axis = node.attr("axis")
    end = axis + len(node.inputs[1].type.shape)  # type: ignore[union-attr]
    place = read(1, index[axis:end])
    return [Piece(0, (*index[:axis], place, *index[end:]))]


def _take_vjp(node: Any, ct: Operators) -> tuple[Any, None]:
    x, index = node.inputs
    axis = node.attr("axis")
    count = index.type.size
    flat = reshape(ct, (*x.type.shape[:axis], count, *x.type.shape[axis + 1 :]))
    zeros = FUNCTIONS["full"](x.type.shape, 0, ct.type.dtype)
    return added(OPS["index_add"], zeros, reshape(index, (count,)), flat, axis), None


def _take_batch(node: Any, operands: Sequence[Any], batched: Sequence[bool]) -> Any:
    """Where each element has an index of its own: of the slices of all, one after the other."""
    x, index = operands
    axis = node.attr("axis")
    if not batched[1]:
        return TAKE(x, index, axis=axis + 1)
    if not batched[0]:
        return moved(TAKE(x, index, axis=axis), axis, 0)
    size = x.type.shape[axis + 1]
    place = checked_index(index, size) + own_start(index, size)
    rest = len(index.type.shape) - 1
    found = TAKE(merged(moved(x, axis + 1, 1)), place, axis=0)
    ends = range(1, rest + 1), range(axis + 1, axis + 1 + rest)
    return FUNCTIONS["moveaxis"](found, *map(tuple, ends)) if rest else found


def own_start(index: Any, size: Size) -> Any:
    """For each element of a batch of indices, where its own slices begin among those of all."""
    count, *rest = index.type.shape
    starts = FUNCTIONS["iota"]((count,)) * size
    return broadcast_to(reshape(starts, (count, *[1] * len(rest))), index.type.shape)


TAKE = declare(
    Op(
        "take", Kind.MOVEMENT, _take_infer,
        lambda x, index, *, axis: np.take(x, wrapped(index, x.shape[axis]), axis),
        _take_vjp,
        IndexMap(_take_pieces),
        batch=_take_batch,
        checked=True,
        samples=lambda: [
            indexed((5, 3), (4,), axis=0),
            indexed((2, 5), (2, 3), axis=1),
            indexed((4,), (), axis=0),
            indexed((4, 2), (0,), axis=0),
            indexed((1, 2), (3,), axis=0),
        ],
        doc="The slices of x along an axis that `index` names, in its shape.",
    )
)  # fmt: skip


def _along_infer(
    x: TensorType, index: TensorType, *, axis: int, trusted: bool = False
) -> TensorType:
    check_index("take_along_axis", index)
    check_beside("take_along_axis", x, index, axis)
    return x.with_shape(index.shape)


def check_beside(name: str, x: TensorType, index: TensorType, axis: int) -> None:
    """All sizes but the axis' must be equal."""
    beside = [t.shape[:axis] + t.shape[axis + 1 :] for t in (x, index)]
    if x.rank != index.rank or beside[0] != beside[1]:
        raise ShapeError(
            f"{name}: {x} and the index {index} differ beside axis {axis}", where=caller()
        )


def _along_pieces(node: Node, index: Index, read: Callable[..., Any]) -> Sequence[Piece]:
    axis = node.attr("axis")
    return [Piece(0, (*index[:axis], read(1, index), *index[axis + 1 :]))]


def _along_vjp(node: Any, ct: Operators) -> tuple[Any, None]:
    x, index = node.inputs
    axis = node.attr("axis")
    shape = x.type.shape
    trusted = is_trusted(node)
    zeros = FUNCTIONS["full"](shape, 0, ct.type.dtype)
    if index.type.shape[axis] != 1:
        return added(OPS["scatter_add"], zeros, index, ct, axis, trusted=trusted), None
    # One element a row: a comparison fuses where a scatter would not.
    place = index if trusted else checked_index(index, shape[axis])
    chosen = broadcast_to(FUNCTIONS["cast"](place, dtypes.int64), shape)
    here = FUNCTIONS["equal"](FUNCTIONS["iota"](shape, axis), chosen)
    return FUNCTIONS["where"](here, broadcast_to(ct, shape), zeros), None


def is_trusted(node: Node) -> bool:
    return dict(node.attrs).get("trusted", False)


def promises(span: int, trusted: bool) -> dict[str, Any]:
    """The attributes of an op that writes, those left out that say nothing."""
    return ({"span": span} if span != 1 else {}) | ({"trusted": True} if trusted else {})


def added(
    op: Op, zeros: Any, index: Any, ct: Any, axis: int, span: int = 1, trusted: bool = False
) -> Any:
    """Cotangents added up where they were taken; narrow floats in float32, rounded once."""
    dtype, cast = ct.type.dtype, FUNCTIONS["cast"]
    wide = [cast(t, dtype.compute) for t in (zeros, ct)]
    return cast(op(wide[0], index, wide[1], axis=axis, **promises(span, trusted)), dtype)


TAKE_ALONG_AXIS = declare(
    Op(
        "take_along_axis", Kind.MOVEMENT, _along_infer,
        lambda x, index, *, axis, trusted=False: np.take_along_axis(
            x, wrapped(index, x.shape[axis]), axis
        ),
        _along_vjp,
        IndexMap(_along_pieces),
        batch=behind(axis=later),
        checked=lambda node: not is_trusted(node),
        samples=lambda: [
            indexed((3, 5), (3, 1), axis=1),
            indexed((3, 5), (4, 5), axis=0),
            indexed((4,), (6,), axis=0),
            indexed((2, 3), (2, 0), axis=1),
        ],
        doc="Along an axis, the element of x that `index` names at each place.",
    )
)  # fmt: skip


def checked_index(index: object, size: Size) -> Any:
    """An index as int64 counted from the start, checked against an axis' size."""
    return TAKE(FUNCTIONS["iota"]((size,)), index, axis=0)

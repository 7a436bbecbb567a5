"""Indices that are data: take, take_along_axis, one_hot, scatter_add, index_add, index_update.

An index is never clamped: it counts from the end when negative, and one outside its axis is an
error that names the value and the size, found while the program runs (`checked` ops). Reading
ops are index maps whose index is `read` from an operand: the lowering loads the integer, checks
it against the size of operand 0 along the node's `axis`, and wraps negatives. Writing ops are
loop nests that add, or overwrite, in the order of the index, so results do not depend on threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import dtypes
from graphc.dims import Size
from graphc.errors import DTypeError, IndexRangeError, ShapeError
from graphc.ir import IndexMap, Kind, Library, Node, NoGradient, Op, Piece, Sample, caller
from graphc.operators import FUNCTIONS
from graphc.ops.declare import as_tensor, check_axis, declare, describe, public
from graphc.ops.movement import Index
from graphc.ops.shaping import broadcast_to, expand_dims, reshape
from graphc.types import TensorType


def wrapped(index: np.ndarray, size: int) -> np.ndarray:
    """Indices counted from the start.

    Raises:
        IndexRangeError: one is outside; names the first of them.
    """
    bad = (index < -size) | (index >= size) if index.dtype.kind == "i" else index >= size
    if bad.any():
        value = index[bad].flat[0] if index.ndim else index[()]
        raise IndexRangeError(f"index {value} is out of range for an axis of size {size}")
    index = index.astype(np.int64)
    return np.where(index < 0, index + size, index)


def _check_index(name: str, index: TensorType) -> None:
    if not index.dtype.is_integer:
        raise DTypeError(
            f"{name}: an index must be of an integer dtype, not {index}",
            where=caller(),
            hint="cast it to int64",
        )


def _indexed(
    x: tuple[int, ...], index: tuple[int, ...], *more: tuple[int, ...], axis: int
) -> Sample:
    """A sample with operands of these shapes, the index in range."""
    operands = [(x, "float32", "real"), (index, "int64", "index")]
    return Sample((*operands, *((s, "float32", "real") for s in more)), {"axis": axis})


def _take_shape(x: tuple[Size, ...], index: tuple[Size, ...], axis: int) -> tuple[Size, ...]:
    return (*x[:axis], *index, *x[axis + 1 :])


def _take_infer(x: TensorType, index: TensorType, *, axis: int) -> TensorType:
    _check_index("take", index)
    return x.with_shape(_take_shape(x.shape, index.shape, axis))


def _take_pieces(node: Node, index: Index, read: Any) -> Sequence[Piece]:
    axis = node.attr("axis")
    end = axis + len(node.inputs[1].type.shape)  # type: ignore[union-attr]
    place = read(1, index[axis:end])
    return [Piece(0, (*index[:axis], place, *index[end:]))]


def _take_vjp(node: Any, ct: Any) -> tuple[Any, None]:
    x, index = node.inputs
    axis = node.attr("axis")
    count = index.type.size
    flat = reshape(ct, (*x.type.shape[:axis], count, *x.type.shape[axis + 1 :]))
    zeros = FUNCTIONS["full"](x.type.shape, 0, ct.type.dtype)
    return INDEX_ADD(zeros, reshape(index, (count,)), flat, axis=axis), None


TAKE = declare(
    Op(
        "take", Kind.MOVEMENT, _take_infer,
        lambda x, index, *, axis: np.take(x, wrapped(index, x.shape[axis]), axis),
        _take_vjp,
        IndexMap(_take_pieces),
        checked=True,
        samples=lambda: [
            _indexed((5, 3), (4,), axis=0),
            _indexed((2, 5), (2, 3), axis=1),
            _indexed((4,), (), axis=0),
            _indexed((4, 2), (0,), axis=0),
            _indexed((1, 2), (3,), axis=0),
        ],
        doc="The slices of x along an axis that `index` names, in its shape.",
    )
)  # fmt: skip


def _along_infer(x: TensorType, index: TensorType, *, axis: int) -> TensorType:
    _check_index("take_along_axis", index)
    _check_beside("take_along_axis", x, index, axis)
    return x.with_shape(index.shape)


def _check_beside(name: str, x: TensorType, index: TensorType, axis: int) -> None:
    """All sizes but the axis' must be equal."""
    beside = [t.shape[:axis] + t.shape[axis + 1 :] for t in (x, index)]
    if x.rank != index.rank or beside[0] != beside[1]:
        raise ShapeError(
            f"{name}: {x} and the index {index} differ beside axis {axis}", where=caller()
        )


def _along_pieces(node: Node, index: Index, read: Any) -> Sequence[Piece]:
    axis = node.attr("axis")
    return [Piece(0, (*index[:axis], read(1, index), *index[axis + 1 :]))]


def _along_vjp(node: Any, ct: Any) -> tuple[Any, None]:
    x, index = node.inputs
    axis = node.attr("axis")
    shape = x.type.shape
    zeros = FUNCTIONS["full"](shape, 0, ct.type.dtype)
    if index.type.shape[axis] != 1:
        return SCATTER_ADD(zeros, index, ct, axis=axis), None
    # One element a row: a comparison fuses where a scatter would not.
    chosen = broadcast_to(checked_index(index, shape[axis]), shape)
    here = FUNCTIONS["equal"](FUNCTIONS["iota"](shape, axis), chosen)
    return FUNCTIONS["where"](here, broadcast_to(ct, shape), zeros), None


TAKE_ALONG_AXIS = declare(
    Op(
        "take_along_axis", Kind.MOVEMENT, _along_infer,
        lambda x, index, *, axis: np.take_along_axis(x, wrapped(index, x.shape[axis]), axis),
        _along_vjp,
        IndexMap(_along_pieces),
        checked=True,
        samples=lambda: [
            _indexed((3, 5), (3, 1), axis=1),
            _indexed((3, 5), (4, 5), axis=0),
            _indexed((4,), (6,), axis=0),
            _indexed((2, 3), (2, 0), axis=1),
        ],
        doc="Along an axis, the element of x that `index` names at each place.",
    )
)  # fmt: skip


def _adder(name: str, along: bool) -> Callable[..., np.ndarray]:
    def run(x: np.ndarray, index: np.ndarray, updates: np.ndarray, *, axis: int) -> np.ndarray:
        wide = np.float32 if x.dtype == np.float16 else x.dtype
        result = x.astype(wide, copy=True)
        place = wrapped(index, x.shape[axis])
        if along:
            places: list[Any] = list(np.ogrid[tuple(slice(0, n) for n in index.shape)])
            places[axis] = place
        else:
            places = [slice(None)] * axis + [place]
        np.add.at(result, tuple(places), updates.astype(wide))
        return result.astype(x.dtype)

    run.__name__ = name
    return run


def _scatter_infer(
    x: TensorType, index: TensorType, updates: TensorType, *, axis: int
) -> TensorType:
    _check_index("scatter_add", index)
    _check_beside("scatter_add", x, index, axis)
    _check_updates("scatter_add", x, updates, index.shape)
    return x


def _check_updates(name: str, x: TensorType, updates: TensorType, shape: Any) -> None:
    if updates.dtype is not x.dtype or updates.shape != tuple(shape):
        wanted = TensorType(x.dtype, tuple(shape))
        raise ShapeError(f"{name}: the updates must be {wanted}, not {updates}", where=caller())


SCATTER_ADD = declare(
    Op(
        "scatter_add", Kind.LIBRARY, _scatter_infer, _adder("scatter_add", along=True),
        lambda n, ct: (ct, None, TAKE_ALONG_AXIS(ct, n.inputs[1], axis=n.attr("axis"))),
        Library("scatter_add"),
        checked=True,
        samples=lambda: [
            _indexed((3, 5), (3, 2), (3, 2), axis=1),
            _indexed((2, 3), (4, 3), (4, 3), axis=0),
            _indexed((4,), (6,), (6,), axis=0),
            _indexed((2, 3), (2, 0), (2, 0), axis=1),
        ],
        doc="x with `updates` added, in order, at the places along an axis that `index` names.",
    )
)  # fmt: skip


def _rows_infer(x: TensorType, index: TensorType, updates: TensorType, *, axis: int) -> TensorType:
    _check_index("index_add", index)
    _check_updates("index_add", x, updates, _take_shape(x.shape, index.shape, axis))
    if index.rank != 1:
        raise ShapeError(f"index_add: the index must have one axis, not {index}", where=caller())
    return x


def _row_samples() -> list[Sample]:
    return [
        _indexed((5, 3), (4,), (4, 3), axis=0),
        _indexed((2, 5), (7,), (2, 7), axis=1),
        _indexed((4,), (1,), (1,), axis=0),
        _indexed((4, 2), (0,), (0, 2), axis=0),
    ]


INDEX_ADD = declare(
    Op(
        "index_add", Kind.LIBRARY, _rows_infer, _adder("index_add", along=False),
        lambda n, ct: (ct, None, TAKE(ct, n.inputs[1], axis=n.attr("axis"))),
        Library("index_add"),
        checked=True,
        samples=_row_samples,
        doc="x with slices of `updates` added, in order, to the slices that a 1-d `index` names.",
    )
)  # fmt: skip


def _update_numpy(x: np.ndarray, index: np.ndarray, values: np.ndarray, *, axis: int) -> np.ndarray:
    result = x.copy()
    into, source = np.moveaxis(result, axis, 0), np.moveaxis(values, axis, 0)
    for position, place in enumerate(wrapped(index, x.shape[axis])):
        into[place] = source[position]
    return result


def _update_vjp(node: Any, ct: Any) -> tuple[Any, None, Any]:
    x, index, values = node.inputs
    axis = node.attr("axis")
    dtype = ct.type.dtype
    zeros = FUNCTIONS["full"](values.type.shape, 0, dtype)
    ct_x = INDEX_UPDATE(ct, index, zeros, axis=axis)
    # Where an index comes twice only its last value is in the result.
    order = FUNCTIONS["iota"](index.type.shape)
    nobody = FUNCTIONS["full"]((x.type.shape[axis],), -1, dtypes.int64)
    last = TAKE(INDEX_UPDATE(nobody, index, order, axis=0), index, axis=0)
    beside = [1] * len(x.type.shape)
    beside[axis] = index.type.shape[0]
    stays = broadcast_to(reshape(FUNCTIONS["equal"](last, order), beside), values.type.shape)
    return ct_x, None, FUNCTIONS["where"](stays, TAKE(ct, index, axis=axis), zeros)


INDEX_UPDATE = declare(
    Op(
        "index_update", Kind.LIBRARY, _rows_infer, _update_numpy, _update_vjp,
        Library("index_update"),
        checked=True,
        samples=_row_samples,
        doc="x with the slices that a 1-d `index` names replaced by `values`; the last one wins.",
    )
)  # fmt: skip


def checked_index(index: Any, size: Size) -> Any:
    """An index as int64 counted from the start, checked against an axis' size."""
    return TAKE(FUNCTIONS["iota"]((size,)), index, axis=0)


def _operands(name: str, x: Any, index: Any, axis: int) -> tuple[Any, Any, int]:
    x, index = as_tensor(x, name), as_tensor(index, name)
    _check_index(name, index.type)
    if not x.type.shape:
        raise ShapeError(f"{name}: {x.type} has no axis", [describe(x)], where=caller())
    return x, index, check_axis(name, axis, len(x.type.shape))


@public
def take(x: Any, index: Any, axis: Any = None) -> Any:
    """The slices of x along an axis that `index` names, in its shape.

    Args:
        x: a tensor.
        index: integers of any shape; negative ones count from the end.
        axis: the axis; None takes from the flattened tensor.

    Raises:
        IndexRangeError: when the program runs, for an index outside the axis.
    """
    x = as_tensor(x, "take")
    if axis is None:
        x, axis = FUNCTIONS["flatten"](x), 0
    x, index, axis = _operands("take", x, index, axis)
    return TAKE(x, index, axis=axis)


@public
def take_along_axis(x: Any, index: Any, axis: int = -1) -> Any:
    """Along an axis, the element of x that `index` names at each place.

    Args:
        x: a tensor.
        index: integers of x's rank; sizes beside the axis broadcast.
        axis: the axis.

    Raises:
        IndexRangeError: when the program runs, for an index outside the axis.
    """
    x, index, axis = _operands("take_along_axis", x, index, axis)
    x, index = _beside("take_along_axis", x, index, axis)
    return TAKE_ALONG_AXIS(x, index, axis=axis)


def _beside(name: str, x: Any, index: Any, axis: int) -> tuple[Any, Any]:
    """Both operands with the sizes beside the axis broadcast."""
    if len(x.type.shape) != len(index.type.shape):
        raise ShapeError(
            f"{name}: {x.type} and the index {index.type} have different numbers of axes",
            [describe(x), describe(index)],
            where=caller(),
        )
    sizes = []
    for a, (size, other) in enumerate(zip(x.type.shape, index.type.shape)):
        if a != axis and size != other and 1 not in (size, other):
            raise ShapeError(
                f"{name}: axis {a} of x has size {size}, of the index {other}",
                [describe(x), describe(index)],
                where=caller(),
            )
        sizes.append(other if size == 1 else size)
    shapes = [
        [d if a != axis else t.type.shape[a] for a, d in enumerate(sizes)] for t in (x, index)
    ]
    return broadcast_to(x, shapes[0]), broadcast_to(index, shapes[1])


@public
def gather(x: Any, dim: int, index: Any) -> Any:
    """`take_along_axis` with PyTorch's name and argument order."""
    return take_along_axis(x, index, dim)


@public
def one_hot(index: Any, num_classes: Any, dtype: Any = dtypes.float32) -> Any:
    """A new last axis of size `num_classes` that is 1 where `index` points and 0 elsewhere.

    Args:
        index: integers of any shape.
        num_classes: the size of the new axis.
        dtype: float32 unless given.

    Raises:
        IndexRangeError: when the program runs, for an index outside the new axis.
    """
    index = as_tensor(index, "one_hot")
    _check_index("one_hot", index.type)
    shape = (*index.type.shape, num_classes)
    place = expand_dims(checked_index(index, num_classes), -1)
    hot = FUNCTIONS["equal"](FUNCTIONS["iota"](shape, len(shape) - 1), broadcast_to(place, shape))
    return FUNCTIONS["cast"](hot, dtypes.as_dtype(dtype))


def _as_updates(name: str, x: Any, updates: Any, shape: Any) -> Any:
    updates = updates if hasattr(updates, "type") else as_tensor(updates, name)
    if updates.type.dtype is not x.type.dtype:
        if dtypes.promote(updates.type.dtype, x.type.dtype) is not x.type.dtype:
            raise DTypeError(
                f"{name}: updates of {updates.type.dtype.name} into {x.type.dtype.name}",
                [describe(x), describe(updates)],
                where=caller(),
                hint="cast the updates first",
            )
        updates = FUNCTIONS["cast"](updates, x.type.dtype)
    return broadcast_to(updates, shape)


@public
def scatter_add(x: Any, index: Any, updates: Any, axis: int = -1) -> Any:
    """x with `updates` added at the places along an axis that `index` names.

    Args:
        x: a tensor.
        index: integers of x's rank, equal in size beside the axis.
        updates: broadcast to the index' shape.
        axis: the axis.

    Raises:
        IndexRangeError: when the program runs, for an index outside the axis.
    """
    x, index, axis = _operands("scatter_add", x, index, axis)
    updates = _as_updates("scatter_add", x, updates, index.type.shape)
    return SCATTER_ADD(x, index, updates, axis=axis)


def _by_rows(name: str, op: Op, x: Any, index: Any, updates: Any, axis: int) -> Any:
    x, index, axis = _operands(name, x, index, axis)
    shape = _take_shape(x.type.shape, index.type.shape, axis)
    updates = _as_updates(name, x, updates, shape)
    count = index.type.size
    index = reshape(index, (count,))
    return op(x, index, reshape(updates, _take_shape(x.type.shape, (count,), axis)), axis=axis)


@public
def index_add(x: Any, index: Any, updates: Any, axis: int = 0) -> Any:
    """x with slices of `updates` added to the slices along an axis that `index` names.

    Args:
        x: a tensor.
        index: integers of any shape.
        updates: broadcast to the shape of `take(x, index, axis)`.
        axis: the axis.

    Raises:
        IndexRangeError: when the program runs, for an index outside the axis.
    """
    return _by_rows("index_add", INDEX_ADD, x, index, updates, axis)


@public
def index_update(x: Any, index: Any, values: Any, axis: int = 0) -> Any:
    """x with the slices along an axis that `index` names replaced by `values`.

    Where an index comes more than once the last value wins, and only it has a gradient.

    Args:
        x: a tensor.
        index: integers of any shape.
        values: broadcast to the shape of `take(x, index, axis)`.
        axis: the axis.

    Raises:
        IndexRangeError: when the program runs, for an index outside the axis.
    """
    return _by_rows("index_update", INDEX_UPDATE, x, index, values, axis)


__all__ = ["NoGradient", "checked_index", "take", "take_along_axis", "wrapped"]

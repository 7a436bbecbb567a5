"""Indices that are data: take, take_along_axis, one_hot, scatter_add, index_add, index_update.

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
from graphc.core.ir import IndexMap, Kind, Library, Node, Op, Piece, Sample, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import TensorType
from graphc.core.typing import ShapeLike, Values
from graphc.errors import DTypeError, IndexRangeError, ShapeError
from graphc.ops.arrays.movement import Index
from graphc.ops.arrays.shaping import broadcast_to, reshape
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


def _indexed(
    x: tuple[int, ...], index: tuple[int, ...], *more: tuple[int, ...], axis: int
) -> Sample:
    """A sample with operands of these shapes, the index in range."""
    operands = [(x, "float32", "real"), (index, "int64", "index")]
    return Sample((*operands, *((s, "float32", "real") for s in more)), {"axis": axis})


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
    return added(INDEX_ADD, zeros, reshape(index, (count,)), flat, axis), None


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


def _along_infer(
    x: TensorType, index: TensorType, *, axis: int, trusted: bool = False
) -> TensorType:
    check_index("take_along_axis", index)
    _check_beside("take_along_axis", x, index, axis)
    return x.with_shape(index.shape)


def _check_beside(name: str, x: TensorType, index: TensorType, axis: int) -> None:
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
    trusted = _is_trusted(node)
    zeros = FUNCTIONS["full"](shape, 0, ct.type.dtype)
    if index.type.shape[axis] != 1:
        return added(SCATTER_ADD, zeros, index, ct, axis, trusted), None
    # One element a row: a comparison fuses where a scatter would not.
    place = index if trusted else checked_index(index, shape[axis])
    chosen = broadcast_to(FUNCTIONS["cast"](place, dtypes.int64), shape)
    here = FUNCTIONS["equal"](FUNCTIONS["iota"](shape, axis), chosen)
    return FUNCTIONS["where"](here, broadcast_to(ct, shape), zeros), None


def _is_trusted(node: Node) -> bool:
    return dict(node.attrs).get("trusted", False)


def added(op: Op, zeros: Any, index: Values, ct: Any, axis: int, trusted: bool = False) -> Any:
    """Cotangents added up where they were taken; narrow floats in float32, rounded once."""
    promise = {"trusted": True} if trusted else {}
    dtype, cast = ct.type.dtype, FUNCTIONS["cast"]
    wide = [cast(t, dtype.compute) for t in (zeros, ct)]
    return cast(op(wide[0], index, wide[1], axis=axis, **promise), dtype)


TAKE_ALONG_AXIS = declare(
    Op(
        "take_along_axis", Kind.MOVEMENT, _along_infer,
        lambda x, index, *, axis, trusted=False: np.take_along_axis(
            x, wrapped(index, x.shape[axis]), axis
        ),
        _along_vjp,
        IndexMap(_along_pieces),
        checked=lambda node: not _is_trusted(node),
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
    def run(
        x: np.ndarray, index: np.ndarray, updates: np.ndarray, *, axis: int, trusted: bool = False
    ) -> np.ndarray:
        result = x.copy()
        place = wrapped(index, x.shape[axis])
        if along:
            places: list[Any] = list(np.ogrid[tuple(slice(0, n) for n in index.shape)])
            places[axis] = place
        else:
            places = [slice(None)] * axis + [place]
        np.add.at(result, tuple(places), updates)
        return result

    run.__name__ = name
    return run


def _scatter_infer(
    x: TensorType,
    index: TensorType,
    updates: TensorType,
    *,
    axis: int,
    trusted: bool = False,
) -> TensorType:
    check_index("scatter_add", index)
    _check_beside("scatter_add", x, index, axis)
    _check_updates("scatter_add", x, updates, index.shape)
    return x


def _check_updates(name: str, x: TensorType, updates: TensorType, shape: ShapeLike) -> None:
    if updates.dtype is not x.dtype or updates.shape != tuple(shape):
        wanted = TensorType(x.dtype, tuple(shape))
        raise ShapeError(f"{name}: the updates must be {wanted}, not {updates}", where=caller())


def _scatter_vjp(node: Node, ct: Node) -> tuple[Any, None, Any]:
    return ct, None, TAKE_ALONG_AXIS(ct, node.inputs[1], **dict(node.attrs))


SCATTER_ADD = declare(
    Op(
        "scatter_add", Kind.LIBRARY, _scatter_infer, _adder("scatter_add", along=True),
        _scatter_vjp,
        Library("scatter_add"),
        checked=lambda node: not _is_trusted(node),
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
    check_index("index_add", index)
    _check_updates("index_add", x, updates, take_shape(x.shape, index.shape, axis))
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


def _update_vjp(node: Any, ct: Operators) -> tuple[Any, None, Any]:
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


def checked_index(index: Values, size: Size) -> Any:
    """An index as int64 counted from the start, checked against an axis' size."""
    return TAKE(FUNCTIONS["iota"]((size,)), index, axis=0)

"""Ops that write where an index says: scatter_add, index_add, index_update, and their like.

They are loop nests that add, or overwrite, in the order of the index, so results do not depend on
threads. Of an index `x` has as many axes as `span` says, counted as one. What the in-place pass may
ask for stands in attributes: `inplace` where the result takes x's memory, so that nothing but what
the index names is touched; `trusted` where the index was checked before.

Not here: ops that read (`indexing`), what an index of several parts writes (`at`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.dims import Size
from graphc.core.ir import Kind, Library, Node, Op, Sample, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.errors import ShapeError
from graphc.ops.arrays.indexing import (
    TAKE,
    TAKE_ALONG_AXIS,
    check_beside,
    check_index,
    checked_index,
    indexed,
    is_trusted,
    own_start,
    promises,
    wrapped,
)
from graphc.ops.arrays.shaping import broadcast_to, reshape
from graphc.ops.batch import all_of, behind, later, merged, moved, parted
from graphc.ops.declare import declare

Pairs = tuple[tuple[int, int], ...]


def _check_updates(name: str, x: TensorType, updates: TensorType, shape: Any) -> None:
    if updates.dtype is not x.dtype or updates.shape != tuple(shape):
        wanted = TensorType(x.dtype, tuple(shape))
        raise ShapeError(f"{name}: the updates must be {wanted}, not {updates}", where=caller())


def checked_apart(node: Node) -> Node:
    """A node that writes, its index counted from the start and checked by a node before it."""
    x, index, updates = node.inputs
    axis, attrs = node.attr("axis"), dict(node.attrs)
    place = checked_index(index, dims.product(x.type.shape[axis : axis + attrs.get("span", 1)]))  # type: ignore[union-attr]
    return node.op(x, place, updates, **(attrs | {"trusted": True}))


def _lowering(name: str) -> Library:
    return Library(name, over=0, checked_apart=checked_apart)


def _scatter_infer(
    x: TensorType,
    index: TensorType,
    updates: TensorType,
    *,
    axis: int,
    trusted: bool = False,
    inplace: Pairs = (),
) -> TensorType:
    check_index("scatter_add", index)
    check_beside("scatter_add", x, index, axis)
    _check_updates("scatter_add", x, updates, index.shape)
    return x


def _scatter_numpy(
    x: np.ndarray, index: np.ndarray, updates: np.ndarray, *, axis: int, **promises: Any
) -> np.ndarray:
    result = x.copy()
    places: list[Any] = list(np.ogrid[tuple(slice(0, n) for n in index.shape)])
    places[axis] = wrapped(index, x.shape[axis])
    np.add.at(result, tuple(places), updates)
    return result


def _scatter_vjp(node: Node, ct: Node) -> tuple[Any, None, Any]:
    return ct, None, TAKE_ALONG_AXIS(ct, node.inputs[1], **dict(node.attrs))


SCATTER_ADD = declare(
    Op(
        "scatter_add", Kind.LIBRARY, _scatter_infer, _scatter_numpy, _scatter_vjp,
        _lowering("scatter_add"),
        batch=behind(axis=later),
        checked=lambda node: not is_trusted(node),
        samples=lambda: [
            indexed((3, 5), (3, 2), (3, 2), axis=1),
            indexed((2, 3), (4, 3), (4, 3), axis=0),
            indexed((4,), (6,), (6,), axis=0),
            indexed((2, 3), (2, 0), (2, 0), axis=1),
        ],
        doc="x with `updates` added, in order, at the places along an axis that `index` names.",
    )
)  # fmt: skip


def _rows_infer(
    x: TensorType,
    index: TensorType,
    updates: TensorType,
    *,
    axis: int,
    span: int = 1,
    trusted: bool = False,
    inplace: Pairs = (),
) -> TensorType:
    check_index("index_add", index)
    shape = (*x.shape[:axis], *index.shape, *x.shape[axis + span :])
    _check_updates("index_add", x, updates, shape)
    if index.rank != 1:
        raise ShapeError(f"index_add: the index must have one axis, not {index}", where=caller())
    return x


def _row_samples() -> list[Sample]:
    return [
        indexed((5, 3), (4,), (4, 3), axis=0),
        indexed((2, 5), (7,), (2, 7), axis=1),
        indexed((4,), (1,), (1,), axis=0),
        indexed((4, 2), (0,), (0, 2), axis=0),
        indexed((2, 3, 2, 2), (5,), (2, 5, 2), axis=1, span=2),
    ]


def _rows_numpy(write: Callable[[np.ndarray, np.ndarray, np.ndarray], None]) -> Any:
    """The definition of an op that writes slices: `write(into, places, values)`, axis first."""

    def run(
        x: np.ndarray,
        index: np.ndarray,
        updates: np.ndarray,
        *,
        axis: int,
        span: int = 1,
        **promises: Any,
    ) -> np.ndarray:
        result = x.copy()
        count = int(np.prod(x.shape[axis : axis + span]))
        rows = result.reshape(*x.shape[:axis], count, *x.shape[axis + span :])
        write(np.moveaxis(rows, axis, 0), wrapped(index, count), np.moveaxis(updates, axis, 0))
        return result

    return run


def _add(into: np.ndarray, places: np.ndarray, values: np.ndarray) -> None:
    np.add.at(into, places, values)


def _set(into: np.ndarray, places: np.ndarray, values: np.ndarray) -> None:
    for position, place in enumerate(places):
        into[place] = values[position]


def rows_of(node: Any, x: Any) -> tuple[Any, int]:
    """A tensor of x's shape with the axes that a node's index names as one, and that axis."""
    axis, span = node.attr("axis"), dict(node.attrs).get("span", 1)
    return reshape(x, _rows_shape(x.type.shape, axis, span)), axis


def _rows_shape(shape: tuple[Size, ...], axis: int, span: int) -> tuple[Size, ...]:
    return (*shape[:axis], dims.product(shape[axis : axis + span]), *shape[axis + span :])


def _add_vjp(node: Any, ct: Any) -> tuple[Any, None, Any]:
    rows, axis = rows_of(node, ct)
    return ct, None, TAKE(rows, node.inputs[1], axis=axis)


def _rows_batch(node: Any, operands: Sequence[Any], batched: Sequence[bool]) -> Any:
    """Where each element has an index of its own: into the slices of all, one after the other."""
    if not batched[1]:
        axis = node.attr("axis") + 1
        x, _, values = all_of(operands, batched)
        return node.op(x, operands[1], values, **(dict(node.attrs) | {"axis": axis}))
    x, index, values = all_of(operands, batched)
    axis, attrs = node.attr("axis"), dict(node.attrs)
    size, shape = index.type.shape[0], x.type.shape
    rows = reshape(x, (size, *_rows_shape(shape[1:], axis, attrs.pop("span", 1))))
    count = rows.type.shape[axis + 1]
    place = index if is_trusted(node) else checked_index(index, count)
    place = merged(FUNCTIONS["cast"](place, dtypes.int64) + own_start(index, count))
    rows, values = (merged(moved(t, axis + 1, 1)) for t in (rows, values))
    found = node.op(rows, place, values, **(attrs | {"axis": 0}))
    return reshape(moved(parted(found, 0, size, count), 1, axis + 1), shape)


def _rows_op(name: str, write: Any, vjp: Any, doc: str) -> Op:
    """An op that writes slices: `write(into, places, values)` is NumPy's way, axis first."""
    return declare(
        Op(
            name, Kind.LIBRARY, _rows_infer, _rows_numpy(write), vjp, _lowering(name),
            checked=lambda node: not is_trusted(node), samples=_row_samples, doc=doc,
            batch=_rows_batch,
        )
    )  # fmt: skip


INDEX_ADD = _rows_op(
    "index_add", _add, _add_vjp,
    "x with slices of `updates` added, in order, to the slices that a 1-d `index` names.",
)  # fmt: skip


def _update_vjp(node: Any, ct: Any) -> tuple[Any, None, Any]:
    _, index, values = node.inputs
    zeros = FUNCTIONS["full"](values.type.shape, 0, ct.type.dtype)
    ct_x = node.op(ct, index, zeros, **dict(node.attrs))
    rows, axis = rows_of(node, ct)
    # Where an index comes twice only its last value is in the result.
    order = FUNCTIONS["iota"](index.type.shape)
    nobody = FUNCTIONS["full"]((rows.type.shape[axis],), -1, dtypes.int64)
    last = TAKE(INDEX_UPDATE(nobody, index, order, axis=0), index, axis=0)
    beside = [1] * len(rows.type.shape)
    beside[axis] = index.type.shape[0]
    stays = broadcast_to(reshape(FUNCTIONS["equal"](last, order), beside), values.type.shape)
    return ct_x, None, FUNCTIONS["where"](stays, TAKE(rows, index, axis=axis), zeros)


INDEX_UPDATE = _rows_op(
    "index_update", _set, _update_vjp,
    "x with the slices that a 1-d `index` names replaced by `values`; the last one wins.",
)  # fmt: skip


def _multiply(into: np.ndarray, places: np.ndarray, values: np.ndarray) -> None:
    np.multiply.at(into, places, values)


def _maximum(into: np.ndarray, places: np.ndarray, values: np.ndarray) -> None:
    np.maximum.at(into, places, values)


def _minimum(into: np.ndarray, places: np.ndarray, values: np.ndarray) -> None:
    np.minimum.at(into, places, values)


def _over_slices(node: Any, value: Any, like: Any, op: Op) -> Any:
    """What `op` makes, in a tensor like `like`, of a value for each slice that a node's index
    names."""
    return op(like, node.inputs[1], value, **dict(node.attrs))


def _multiply_vjp(node: Any, ct: Any) -> tuple[Any, None, Any]:
    """Each factor's cotangent has the product of all others, be some of them zero."""
    x, index, updates = node.inputs
    full, where = FUNCTIONS["full"], FUNCTIONS["where"]
    ones, zeros = (full(x.type.shape, value, ct.type.dtype) for value in (1, 0))
    product = _over_slices(node, updates, ones, INDEX_MULTIPLY)
    is_zero = FUNCTIONS["equal"](updates, 0)
    others = _over_slices(node, where(is_zero, 1, updates), ones, INDEX_MULTIPLY)
    flags = FUNCTIONS["cast"](is_zero, ct.type.dtype)
    count = _over_slices(node, flags, zeros, INDEX_ADD)
    whole, axis = rows_of(node, ct * x * others)
    taken = TAKE(whole, index, axis=axis) / where(is_zero, 1, updates)
    left = TAKE(rows_of(node, count)[0], index, axis=axis) - flags
    return ct * product, None, where(FUNCTIONS["equal"](left, 0), taken, 0)


def _extreme_vjp(node: Any, ct: Any) -> tuple[Any, None, Any]:
    """Those that are the extreme share its cotangent (as PyTorch's scatter_reduce)."""
    x, index, updates = node.inputs
    cast, equal = FUNCTIONS["cast"], FUNCTIONS["equal"]
    rows, axis = rows_of(node, node)
    is_x = cast(equal(x, node), ct.type.dtype)
    is_update = cast(equal(updates, TAKE(rows, index, axis=axis)), ct.type.dtype)
    share = ct / _over_slices(node, is_update, is_x, INDEX_ADD)
    return is_x * share, None, is_update * TAKE(rows_of(node, share)[0], index, axis=axis)


_REDUCED = "x with slices that a 1-d `index` names made their {} with `updates`."
INDEX_MULTIPLY = _rows_op("index_multiply", _multiply, _multiply_vjp, _REDUCED.format("product"))
INDEX_MAXIMUM = _rows_op("index_maximum", _maximum, _extreme_vjp, _REDUCED.format("maximum"))
INDEX_MINIMUM = _rows_op("index_minimum", _minimum, _extreme_vjp, _REDUCED.format("minimum"))


def written(
    op: Op,
    x: object,
    index: object,
    updates: object,
    axis: int,
    span: int = 1,
    trusted: bool = False,
) -> Any:
    """Slices of x written that a 1-d index names among its axes from `axis` on, `span` of them."""
    return op(x, index, updates, axis=axis, **promises(span, trusted))


__all__ = [
    "INDEX_ADD", "INDEX_MAXIMUM", "INDEX_MINIMUM", "INDEX_MULTIPLY", "INDEX_UPDATE", "SCATTER_ADD",
    "checked_apart", "rows_of", "written",
]  # fmt: skip

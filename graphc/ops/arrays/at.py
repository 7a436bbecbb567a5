"""Parts of a tensor written: `index_update`, `index_add` and `x.at[index].set(values)`.

    index_update(A, (t, u), v)        A.at[t, u].set(v)
    index_add(A, t, v)                A.at[t].add(v)

What an index names is what `x[index]` reads. Index arrays on the leading axes, all others whole,
write slices of x; any other index writes the elements that it finds in a tensor of their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core import dims, dtypes
from graphc.core.dims import Size
from graphc.core.ir import Op, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Index, Operand, Values
from graphc.errors import DTypeError, ShapeError
from graphc.ops.arrays import joint
from graphc.ops.arrays.getitem import getitem, spelled_out
from graphc.ops.arrays.indexing import INDEX_ADD, INDEX_UPDATE, added, take_shape
from graphc.ops.arrays.shaping import broadcast_to, reshape
from graphc.ops.declare import (
    as_symbolic,
    as_tensor,
    bring,
    check_axis,
    describe,
    is_scalar,
    is_tensor,
    public,
)


def as_updates(name: str, x: Any, updates: Any, shape: Sequence[Size]) -> Any:
    """Values to write into a tensor: in its dtype, broadcast to the shape of what they replace.

    Raises:
        DTypeError: the tensor's dtype cannot hold them.
        ShapeError: they do not broadcast to the shape.
    """
    updates = (
        as_tensor(updates, name) if not is_scalar(updates) else bring(updates, x.type.dtype, ())
    )
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


def _written(name: str, op: Op, x: Operand, index: Any, values: Any, axis: int) -> Any:
    x, index = as_tensor(x, name), as_symbolic(index)
    if isinstance(index, list) and any(is_tensor(item) for item in index):
        index = tuple(index)  # eager calls hand tuples of tensors on as lists
    if isinstance(index, tuple | slice) or index is ...:
        items = index if isinstance(index, tuple) else (index,)
        if axis != 0:
            raise ShapeError(f"{name}: an axis, {axis}, beside an index of all", where=caller())
    else:
        if not x.type.shape:
            raise ShapeError(f"{name}: {x.type} has no axis", [describe(x)], where=caller())
        axis = check_axis(name, axis, len(x.type.shape))
        items = (*(slice(None),) * axis, index)
    if len(items) == 1 and _is_mask(items[0]):
        return _where(name, op, x, items[0], values)
    found, _ = spelled_out(x, items)
    if axes := _neighbours(found):
        return _slices(name, op, x, axes, [found[k] for k in axes], values)
    numbers = reshape(FUNCTIONS["iota"]((x.type.size,), 0, dtypes.int64), x.type.shape)
    places = getitem(numbers, items)
    values = as_updates(name, x, values, places.type.shape)
    count = (places.type.size,)
    flat = reshape(x, (x.type.size,))
    return reshape(
        _applied(op, flat, reshape(places, count), reshape(values, count), 0), x.type.shape
    )


def _neighbours(items: Sequence[Any]) -> list[int]:
    """The axes that tensors index, if these stand side by side and all others are whole."""
    axes = [k for k, item in enumerate(items) if is_tensor(item)]
    others = [item for item in items if not is_tensor(item)]
    beside = bool(axes) and axes[-1] - axes[0] + 1 == len(axes)
    whole = all(isinstance(i, slice) and i == slice(None) for i in others)
    return axes if beside and whole else []


def _slices(
    name: str, op: Op, x: Operators, axes: Sequence[int], indices: Sequence[Any], values: Values
) -> Any:
    """Slices written that arrays on neighbouring axes name together."""
    first, end = axes[0], axes[-1] + 1
    shape = joint.broadcast(indices)
    sizes = x.type.shape[first:end]
    place = joint.linear(indices, sizes, shape)
    values = as_updates(name, x, values, (*x.type.shape[:first], *shape, *x.type.shape[end:]))
    count = dims.product(shape)
    rows = reshape(x, (*x.type.shape[:first], dims.product(sizes), *x.type.shape[end:]))
    values = reshape(values, take_shape(rows.type.shape, (count,), first))
    return reshape(_applied(op, rows, reshape(place, (count,)), values, first), x.type.shape)


def _applied(op: Op, x: Operators, index: Operators, values: Values, axis: int) -> Any:
    if op is INDEX_ADD:
        return added(op, x, index, values, axis)
    return op(x, index, values, axis=axis)


def _is_mask(item: Any) -> bool:
    return is_tensor(item) and item.type.dtype.kind == "bool" and bool(item.type.shape)


def _where(name: str, op: Op, x: Any, mask: Any, values: Any) -> Any:
    """Elements written where a mask is true: with values that do not depend on how many."""
    rest = x.type.shape[len(mask.type.shape) :]
    if tuple(mask.type.shape) != x.type.shape[: len(mask.type.shape)]:
        raise ShapeError(
            f"{name}: a mask {mask.type} for {x.type}", [describe(x), describe(mask)],
            where=caller(),
        )  # fmt: skip
    values = as_updates(name, x, values, (*(1,) * len(mask.type.shape), *rest))
    mask = broadcast_to(reshape(mask, (*mask.type.shape, *(1,) * len(rest))), x.type.shape)
    values = broadcast_to(values, x.type.shape)
    return FUNCTIONS["where"](mask, x + values if op is INDEX_ADD else values, x)


@public
def index_add(x: Operand, index: Index, updates: Operand, axis: int = 0) -> Any:
    """x with `updates` added to what `index` names; where it names a place twice, both are added.

    Args:
        x: a tensor.
        index: integers of any shape, which name slices along the axis; or a tuple, as it would
            stand in brackets: `index_add(x, (t, u), v)` adds to the elements of `x[t, u]`.
        updates: broadcast to the shape of `take(x, index, axis)`, or of `x[index]`.
        axis: the axis.

    Raises:
        IndexRangeError: when the program runs, for an index outside its axis.
    """
    return _written("index_add", INDEX_ADD, x, index, updates, axis)


@public
def index_update(x: Operand, index: Index, values: Values, axis: int = 0) -> Any:
    """x with what `index` names replaced by `values`.

    Where an index comes more than once the last value wins, and only it has a gradient.

    Args:
        x: a tensor.
        index: integers of any shape, which name slices along the axis; or a tuple, as it would
            stand in brackets: `index_update(x, (t, u), v)` replaces the elements of `x[t, u]`.
            A mask replaces where it is true.
        values: broadcast to the shape of `take(x, index, axis)`, or of `x[index]`.
        axis: the axis.

    Raises:
        IndexRangeError: when the program runs, for an index outside its axis.

    Example:
        >>> import graphc as gc
        >>> gc.index_update(gc.zeros(3), gc.tensor([1]), gc.tensor([5.0]))
        tensor([0., 5., 0.])
    """
    return _written("index_update", INDEX_UPDATE, x, index, values, axis)

"""Parts of a tensor written: `index_update`, `index_add` and `x.at[index].set(values)`.

    index_update(A, (t, u), v)        A.at[t, u].set(v)
    index_add(A, t, v)                A.at[t].add(v)

What an index names is what `x[index]` reads. The axes from the first that is not read whole to the
last are counted as one, and slices of x are written at the places that the index finds in a tensor
of their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.core import dims, dtypes
from graphc.core.dims import Size
from graphc.core.ir import Op, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.typing import Index, Operand, Values
from graphc.errors import ArgumentError, AttributeValueError, DTypeError, ShapeError
from graphc.ops.arrays import joint
from graphc.ops.arrays.getitem import getitem, spelled_out
from graphc.ops.arrays.indexing import added
from graphc.ops.arrays.shaping import broadcast_to, reshape
from graphc.ops.arrays.writing import (
    INDEX_ADD,
    INDEX_MAXIMUM,
    INDEX_MINIMUM,
    INDEX_MULTIPLY,
    INDEX_UPDATE,
    written,
)
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

# What an op that writes does to each element.
OF_ELEMENTS = {
    INDEX_UPDATE: None,
    INDEX_ADD: "add",
    INDEX_MULTIPLY: "multiply",
    INDEX_MAXIMUM: "maximum",
    INDEX_MINIMUM: "minimum",
}


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


def _written(name: str, op: Op, x: Operand, index: object, values: object, axis: int) -> Any:
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
    part = _part(x, items)
    shape, first, end = x.type.shape, part.first, part.end
    values = as_updates(name, x, values, (*shape[:first], *part.places.type.shape, *shape[end:]))
    count = (part.places.type.size,)
    values = reshape(values, (*shape[:first], *count, *shape[end:]))
    place = reshape(part.places, count)
    write = added if op in (INDEX_ADD, INDEX_MULTIPLY) else written
    return write(op, x, place, values, first, end - first, part.is_inside)


@dataclass(frozen=True, slots=True)
class _Part:
    """What an index names: `places` among the axes from `first` to `end`, counted as one.

    `is_inside`: the places are sure to be there, counted from the start.
    """

    places: Any
    first: int
    end: int
    is_inside: bool


def _part(x: Any, items: Sequence[Any]) -> _Part:
    """The fewest axes, side by side, among which an index names whole slices."""
    found, apart = spelled_out(x, items)
    if apart or any(item is None for item in found):
        return _Part(getitem(_numbers(x.type.shape), tuple(items)), 0, len(x.type.shape), True)
    chosen = [k for k, item in enumerate(found) if not _is_whole(item)]
    first, end = (chosen[0], chosen[-1] + 1) if chosen else (0, 0)
    if end - first == 1 and is_tensor(found[first]):
        return _Part(found[first], first, end, False)
    places = getitem(_numbers(x.type.shape[first:end]), tuple(found[first:end]))
    return _Part(places, first, end, True)


def _numbers(shape: Sequence[Size]) -> Any:
    """A tensor of a shape that holds the row-major place of each element."""
    return reshape(FUNCTIONS["iota"]((dims.product(shape),), 0, dtypes.int64), shape)


def _is_whole(item: object) -> bool:
    return isinstance(item, slice) and item == slice(None)


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
    how = OF_ELEMENTS[op]
    return FUNCTIONS["where"](mask, values if how is None else FUNCTIONS[how](x, values), x)


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


def _reducing(name: str, op: Op) -> Callable[..., Any]:
    def run(x: Any, index: Any, values: Any, axis: int = 0) -> Any:
        return _written(name, op, x, index, values, axis)

    return run


# For `x.at[...]` and the eager functions: no public names of their own.
FUNCTIONS.update(
    {f"_{op.name}": _reducing(op.name, op) for op in (INDEX_MULTIPLY, INDEX_MAXIMUM, INDEX_MINIMUM)}
)


def outside(x: Any, index: Any, mode: str, fill_value: Any) -> Any:
    """`x[index]` where places may be outside: see `x.at[index].get(mode=...)`."""
    if mode not in ("clip", "wrap", "fill"):
        raise AttributeValueError(
            f"get: mode={mode!r}", where=caller(), hint='None, "clip", "wrap" or "fill"'
        )
    items, apart = spelled_out(x, index)
    room, axis, places = [0] * len(x.type.shape), 0, []
    for item in items:
        if is_tensor(item) or isinstance(item, int):
            room[axis] = 1
            item = _inside(item, x.type.shape[axis], mode)
        places.append(item)
        axis += item is not None
    if joint.apart(places) != apart:
        raise ArgumentError("get: a ... that stands for no axis", where=caller(), hint="omit it")
    if mode == "fill":
        if fill_value is None:
            fill_value = float("nan") if x.type.dtype.is_float else 0
        x = FUNCTIONS["pad"](x, [(0, n) for n in room], fill_value)
    return getitem(x, tuple(places))


FUNCTIONS["_outside"] = outside


def _inside(place: Any, size: Size, mode: str) -> Any:
    """A place that is one of an axis, or of mode "fill" the one behind it."""
    cast, where = FUNCTIONS["cast"], FUNCTIONS["where"]
    if isinstance(place, int):
        place = FUNCTIONS["full"]((), place, dtypes.int64)
    place = cast(place, dtypes.int64, "wrap")
    if mode == "wrap":
        return FUNCTIONS["remainder"](place, size)
    place = where(place < 0, place + size, place)
    if mode == "clip":
        return FUNCTIONS["clip"](place, 0, size - 1)
    return where((place >= 0) & (place < size), place, size)

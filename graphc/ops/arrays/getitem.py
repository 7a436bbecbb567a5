"""Indexing with brackets: ints, slices, None, `...`, and integers as data, by NumPy's rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.dims import Dim, Size
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Index, Operand, Values
from graphc.errors import ArgumentError, IndexRangeError, ShapeError
from graphc.ops.arrays import joint, places
from graphc.ops.arrays.movement import SLICE
from graphc.ops.arrays.shaping import reshape
from graphc.ops.declare import as_symbolic, as_tensor, describe, is_tensor, public
from graphc.ops.source import CONSTANT_OP, Bound


@public
def getitem(x: Operand, index: Index) -> Any:
    """`x[index]`: ints, slices with steps, None, `...`, integer arrays and tensors, masks.

    Args:
        x: a tensor.
        index: what stands in the brackets. Slices clip as Python's do; with a symbolic size n,
            `x[:-1]` has size max(n - 1, 0). An integer array or tensor takes along its axis and
            is checked when the program runs; negative indices count from the end. Several of them
            broadcast together, and their axes stand where NumPy puts them. An array or tensor of
            bools means the places where it is true, which are counted before a program runs. A
            slice's bounds may be 0-d integer tensors; in a loop its size is fixed: `x[t : t + 2]`.

    Raises:
        IndexRangeError: an int is out of range; there are too many indices.
        ArgumentError: a mask of a loop's values, or something that is no index.

    Example:
        >>> x[1:, ::2, None]
    """
    x = as_tensor(x, "getitem")
    items, apart = spelled_out(x, index)
    if any(map(joint.is_array, items)):
        cut, found = joint.split(items)
        return joint.jointly(_cut(x, cut), found, first=apart)
    return _cut(x, items)


def _cut(x: Operators, items: Sequence[Any]) -> Any:
    """What ints, 0-d tensors, slices and None make of a tensor."""
    starts: list[Size] = []
    sizes: list[Size] = []
    steps: list[int] = []
    shape: list[Size] = []
    lookups: list[tuple[int, Any]] = []
    axis = 0
    for item in items:
        if item is None:
            shape.append(1)
            continue
        size = x.type.shape[axis]
        axis += 1
        if isinstance(item, slice):
            start, count, step = _slice_bounds(item, size)
            shape.append(count)
        elif isinstance(item, places.Window):
            start, count, step = 0, size, 1
            lookups.append((len(shape), places.within(item, size)))
            shape.append(size)
        elif (place := _known_place(x, item, axis - 1, size)) is not None:
            start, count, step = place, 1, 1
        else:
            start, count, step = 0, size, 1
            lookups.append((len(shape), item))
            shape.append(size)
        starts.append(start)
        sizes.append(count)
        steps.append(step)
    if any(s != 0 or k != 1 for s, k in zip(starts, steps)) or tuple(sizes) != x.type.shape:
        x = SLICE(x, starts=tuple(starts), sizes=tuple(sizes), steps=tuple(steps))
    x = reshape(x, shape)
    for place, item in reversed(lookups):
        item = FUNCTIONS["size"](item) if isinstance(item, Dim) else item
        x = FUNCTIONS["take"](x, item, place)
    return x


def spelled_out(x: Any, index: Index) -> tuple[list[Any], bool]:
    """An index with `...` and what is left out replaced by full slices, masks by their places.

    Returns:
        The items, and whether something stands between those that select, be it a `...` of none.
    """
    given = index if isinstance(index, tuple) else (index,)
    items = _places_of_masks(x, [_data(item) for item in given])
    used = sum(item is not None and item is not ... for item in items)
    rank = len(x.type.shape)
    if used > rank:
        raise IndexRangeError(
            f"{used} indices for {x.type} with {rank} axes", [describe(x)], where=caller()
        )
    dots = [k for k, item in enumerate(items) if item is ...]
    if len(dots) > 1:
        raise IndexRangeError("an index can hold only one ...", where=caller())
    at = dots[0] if dots else len(items)
    whole = [slice(None)] * (rank - used)
    return [*items[:at], *whole, *items[at + 1 :]], joint.apart(items)


def _places_of_masks(x: Any, items: Sequence[Any]) -> list[Any]:
    """The index with each array of bools replaced by the places where it is true, an axis each."""
    rank = len(x.type.shape)
    axis, used = 0, sum(map(_axes_of, items))
    found: list[Any] = []
    for item in items:
        found += _places(x, axis, item) if _is_bool(item) else [item]
        axis += rank - used if item is ... else _axes_of(item)
    return found


def _is_bool(item: Any) -> bool:
    return is_tensor(item) and item.type.dtype.kind == "bool"


def _axes_of(item: Any) -> int:
    """How many axes an item of an index stands for."""
    return len(item.type.shape) if _is_bool(item) else item is not None and item is not ...


def _places(x: Any, axis: int, mask: Any) -> list[Any]:
    """Where a mask over the axes from one on is true, an index for each of its axes."""
    shape = mask.type.shape
    if not shape:
        raise _mask(mask.type)
    wanted = x.type.shape[axis : axis + len(shape)]
    if shape != tuple(wanted):
        raise IndexRangeError(
            f"a mask of shape {shape} for axes of shape {tuple(wanted)}",
            [describe(x)],
            where=caller(),
        )
    if isinstance(mask, Bound) and mask.op is CONSTANT_OP:
        return [as_tensor(found, "getitem") for found in np.nonzero(mask.state.latest())]
    return places.nonzero(mask)


def _data(item: Any) -> Any:
    """Lists and arrays as tensors, NumPy integers as ints; refuse what is no index."""
    item = as_symbolic(item)
    if isinstance(item, slice):
        return places.bounded(item)
    if item is None or item is ... or isinstance(item, Dim | places.Window):
        return item
    if isinstance(item, bool | np.bool_):
        raise _mask(item)
    if isinstance(item, int | np.integer):
        return int(item)
    if isinstance(item, list) and not item:
        item = np.zeros(0, np.int64)
    if isinstance(item, np.ndarray | list):
        item = as_tensor(item, "getitem")
    if not is_tensor(item):
        raise ArgumentError(
            f"{type(item).__name__} {item!r:.40} is no index",
            where=caller(),
            hint="use ints, slices, None, ... and integer arrays",
        )
    if not (item.type.dtype.is_integer or item.type.dtype.kind == "bool"):
        raise ArgumentError(
            f"an index must be of an integer dtype, not {item.type}", where=caller()
        )
    return item


def _mask(what: object) -> ArgumentError:
    return ArgumentError(
        f"a boolean mask ({what}) as an index would give a shape that depends on values",
        where=caller(),
        hint="use gc.where(mask, x, other), or sum over gc.where(mask, x, 0)",
    )


def _known_place(x: Operand, item: Any, axis: int, size: Size) -> Size | None:
    """The place that an int index names, when it is certain to be inside; else None."""
    if is_tensor(item):
        return None
    if isinstance(item, int) and isinstance(size, int) and not -size <= item < size:
        raise IndexRangeError(
            f"index {item} is out of range for axis {axis} of size {size}",
            [describe(x)],
            where=caller(),
        )
    place = size + item if isinstance(item, int) and item < 0 else item
    inside = dims.at_least(place, 0) and dims.at_least(size - place, 1)
    return place if inside else None


def _slice_bounds(item: slice, size: Size) -> tuple[Size, Size, int]:
    """Start, count and step of a slice, clipped as Python's slices are."""
    step = 1 if item.step is None else item.step
    if isinstance(step, bool) or not isinstance(step, int | np.integer) or step == 0:
        raise ArgumentError(
            f"a slice's step must be an int other than 0, not {step!r}", where=caller()
        )
    step = int(step)
    if isinstance(size, int) and not isinstance(item.start, Dim) and not isinstance(item.stop, Dim):
        places = range(*item.indices(size))
        return (places[0] if places else 0), len(places), step
    start, stop = _bound(item.start, size), _bound(item.stop, size)
    if step > 0:
        return _forward(item.start, start, stop, size, step)
    first = size - 1 if start is None else dims.minimum(size - 1, start)
    last = -1 if stop is None else dims.maximum(stop, -1)
    return first, dims.maximum((first - last - step - 1) // -step, 0), step


def _forward(
    given: Operators, start: Size | None, stop: Size | None, size: Size, step: int
) -> tuple[Size, Size, int]:
    """A slice with a positive step; where its count is 0, its start does not matter."""
    last = size if stop is None else dims.minimum(size, stop)
    if stop is None and isinstance(given, int) and given < 0:
        count = dims.minimum(size, -given)
        first: Size = size - count
    else:
        first = 0 if start is None else dims.maximum(start, 0)
        span = last - first + step - 1
        if dims.at_least(span, 0):
            return first, span // step, step
        count = dims.maximum(last - first, 0)
    return first, (count + step - 1) // step, step


def _bound(value: Values, size: Size) -> Size | None:
    """A slice's bound counted from the start: below 0 or beyond the size it is not clipped."""
    if value is None:
        return None
    if isinstance(value, Dim):
        if dims.at_least(value, 0):
            return value
        if dims.at_least(-value, 0):
            return (size + value) * dims.minimum(-value, 1)  # x[-0:] is all of x
        raise ShapeError(
            f"a slice bound {value} that may be negative or not", where=caller(),
            hint="declare the dimension with min=..., or use gc.maximum(bound, 0)",
        )  # fmt: skip
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentError(
            f"a slice bound must be an int or a size, not {value!r}", where=caller()
        )
    return size + int(value) if value < 0 else int(value)

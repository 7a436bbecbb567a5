"""Indexing and assignment: `x[...]` with ints, slices, None, masks and integer tensors.

Ints, slices, None and `...` give a view of the same memory. Masks and integer tensors copy, by
PyTorch's rules: ints and 0-d tensors select first; the others broadcast together, and their axes
stand where the first of them stood, or first when something stands between them. True and False
stand for a new axis of one element, or of none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Index, Operand
from graphc.eager.engine.composite import read_only, store
from graphc.eager.engine.drawn import BY_VALUES, lose
from graphc.eager.engine.hot import AS_PLACES, hot, made, tracing
from graphc.eager.engine.invoke import invoke, viewed
from graphc.eager.engine.mode import state
from graphc.eager.engine.registry import EAGER, as_eager, call, named
from graphc.eager.engine.template import ONE
from graphc.eager.engine.tensor import Tensor, TensorLike, wrap
from graphc.eager.functions.inplace import check_leaf_view, take_history
from graphc.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from graphc.ops.arrays.joint import jointly
from graphc.ops.declare import is_tensor


def _slice_spec(item: Any) -> Any:
    """One index in a form that can be a key."""
    if isinstance(item, slice):
        parts = (item.start, item.stop, item.step)
        return ("s", *(p.item() if isinstance(p, Tensor) and p._node is None else p
                       for p in parts))  # fmt: skip
    return item


def _from_spec(item: Index) -> Any:
    return slice(*item[1:]) if isinstance(item, tuple) and item and item[0] == "s" else item


@named("SliceBackward0")
def _basic(x: Operators, *, index: tuple[Any, ...]) -> Any:
    return FUNCTIONS["getitem"](x, tuple(_from_spec(i) for i in index))


@named("SelectBackward0")
def _selected(x: Operators, *, index: tuple[Any, ...]) -> Any:
    return FUNCTIONS["getitem"](x, tuple(_from_spec(i) for i in index))


@named("IndexBackward0")
def _advanced(x: Operators, *indices: Any, index: tuple[Any, ...]) -> Any:
    return picked(x, indices, index)


@named("IndexPutBackward0")
def _put(
    x: Operators, value: Operators, *indices: Any, index: tuple[Any, ...], accumulate: bool
) -> Any:
    shape = x.type.shape
    places = FUNCTIONS["reshape"](FUNCTIONS["iota"]((x.type.size,), 0, dtypes.int64), shape)
    places = picked(places, indices, index)
    value = _without_leading(FUNCTIONS["cast"](value, x.type.dtype, "wrap"), places)
    value = FUNCTIONS["broadcast_to"](value, places.type.shape)
    flat = FUNCTIONS["flatten"]
    how = FUNCTIONS["index_add" if accumulate else "index_update"]
    return FUNCTIONS["reshape"](how(flat(x), flat(places), flat(value)), shape)


def _without_leading(value: Operators, places: Any) -> Any:
    """A value without leading axes of size 1 that the places to write do not have."""
    shape, rank = value.type.shape, len(places.type.shape)
    extra = len(shape) - rank
    if extra <= 0 or any(s != 1 for s in shape[:extra]):
        return value
    return FUNCTIONS["reshape"](value, shape[extra:])


def picked(x: Operand, indices: Sequence[Any], index: Index) -> Any:
    """`x[index]` of a symbolic tensor, whose index tensors the marks of `index` name.

    As in PyTorch the ints and the 0-d tensors, `("i", k)`, select first; what is left is indexed
    by the tensors `("t", k)`, and by `("b", k)`, which stands on a new axis of size 1.
    """
    cut, found, chosen = _taken_apart(index)
    x = FUNCTIONS["getitem"](x, tuple(cut))
    for axis, k in reversed(chosen):
        x = FUNCTIONS["take"](x, indices[k], axis)
    given = [(axis - sum(a < axis for a, _ in chosen), indices[k]) for axis, k in found]
    if not given:
        return x
    axes = [a for a, _ in given]
    apart = axes != list(range(axes[0], axes[0] + len(axes)))
    return jointly(x, given, first=apart)


def _taken_apart(index: Any) -> tuple[list[Any], list[tuple[int, int]], list[tuple[int, int]]]:
    """The part of an index that cuts a view; the axes of the view, and which tensors index them.

    The second list has the tensors with axes, the third the 0-d ones.
    """
    cut: list[Any] = []
    found, chosen = [], []
    axis = 0
    for item in index:
        mark = item[0] if isinstance(item, tuple) else None
        if mark in ("t", "b"):
            found.append((axis, item[1]))
        elif mark == "i":
            chosen.append((axis, item[1]))
        cut.append(None if mark == "b" else slice(None) if mark in ("t", "i") else _from_spec(item))
        axis += not isinstance(item, int)
    return cut, found, chosen


def is_basic(item: Index) -> bool:
    """Whether an index gives a view."""
    return (
        item is None
        or item is ...
        or isinstance(item, slice)
        or (isinstance(item, int | np.integer) and not isinstance(item, bool))
    )


def getitem(self: Tensor, index: Any) -> Any:
    """`x[index]`: a view for ints, slices, None and `...`; a copy for masks and tensors.

    Raises:
        IndexRangeError: an index is outside its axis, or there are too many.
        ArgumentError: something is no index.
    """
    items = index if isinstance(index, tuple) else (index,)
    for item in items:
        if not is_basic(item):
            return _get_advanced(self, items)
    if not hot.slow:
        try:
            array = self._array[index]
        except (IndexError, TypeError, ValueError) as error:
            raise _refused(self, index, error) from None
        if array.__class__ is not np.ndarray:
            array = self._array[(*items, ...)]
        spec = tuple([_slice_spec(int(i) if isinstance(i, np.integer) else i) for i in items])
        step = _selected if isinstance(items[0] if items else None, int) else _basic
        return viewed(self, array, step, (("index", spec),))
    spec = tuple([_slice_spec(int(i) if isinstance(i, np.integer) else i) for i in items])
    step = _selected if isinstance(items[0] if items else None, int) else _basic
    if any(isinstance(i, slice) and isinstance(i.step, int) and i.step < 0 for i in items):
        raise _backwards()
    return invoke(step, ONE, (("index", spec),), [self], view=True)


def _backwards() -> ArgumentError:
    return ArgumentError(
        "a slice with a negative step", where=caller(), hint="use gc.flip(x, dims)"
    )


def _refused(self: Tensor, index: Index, error: Exception) -> Exception:
    if isinstance(error, IndexError):
        return IndexRangeError(
            f"{error} (a tensor of shape {tuple(self.shape)}, index {index!r})", where=caller()
        )
    return ArgumentError(
        f"{index!r} is no index: {error}",
        where=caller(),
        hint="use ints, slices, None, ..., masks and integer tensors",
    )


def _prepared(self: Tensor, items: Sequence[Any]) -> tuple[list[Tensor], tuple[Any, ...]]:
    """An index's tensors, and its items with marks in their places and no `...`."""
    items = [_as_mask(item) for item in items]
    used = sum(_axes_of(item) for item in items)
    if used > self.ndim:
        raise IndexRangeError(
            f"{used} indices for a tensor of shape {tuple(self.shape)}", where=caller()
        )
    tensors: list[Tensor] = []
    spec: list[Any] = []
    axis = 0
    for item in items:
        if item is ...:
            spec += [slice(None)] * (self.ndim - used)
            axis += self.ndim - used
            continue
        for mark, part in _marked(self, item, axis):
            spec.append(part if mark is None else (mark, len(tensors)))
            if mark is not None:
                tensors.append(part)
        axis += _axes_of(item)
    if sum(item is ... for item in items) > 1:
        raise IndexRangeError("an index can hold only one ...", where=caller())
    if not any(item is ... for item in items):
        spec += [slice(None)] * (self.ndim - used)
    return tensors, tuple(_slice_spec(i) for i in spec)


def _as_mask(item: Index) -> Any:
    """Bytes, which PyTorch once had for bools, as the mask they are."""
    if isinstance(item, Tensor) and item.dtype is dtypes.uint8:
        return item.bool()
    return item


def _marked(self: Tensor, item: Any, axis: int) -> list[tuple[str | None, Any]]:
    """One item of an index in the parts that `picked` knows, each with its mark."""
    if is_basic(item):
        return [(None, int(item) if isinstance(item, np.integer) else item)]
    if isinstance(item, Tensor) and item.ndim == 0 and item._node is None:
        item = bool(item) if item.dtype is dtypes.bool_ else item
    if isinstance(item, bool | np.bool_):
        return [("b", made(wrap(np.zeros(int(item), np.int64))))]
    if isinstance(item, np.ndarray | np.generic) and item.ndim == 0 and item.dtype.kind in "iu":
        return [(None, int(item))]
    parts = _index_tensors(self, item, axis)
    return [("t" if part.ndim else "i", part) for part in parts]


def _axes_of(item: Index) -> int:
    if item is None or item is ... or isinstance(item, bool | np.bool_):
        return 0
    if isinstance(item, Tensor) and item.dtype is dtypes.bool_:
        return item.ndim
    if isinstance(item, np.ndarray) and item.dtype == np.bool_:
        return item.ndim
    if isinstance(item, list) and np.asarray(_raw(item)).dtype == np.bool_:
        return np.asarray(_raw(item)).ndim
    return 1


def _raw(item: Index) -> Any:
    if isinstance(item, list | tuple):
        return [_raw(i) for i in item]
    return item.numpy() if isinstance(item, Tensor) else item


def _index_tensors(self: Tensor, item: Index, axis: int) -> list[Tensor]:
    """One index as integer tensors: a mask as the places where it is true, an axis each."""
    if isinstance(item, Tensor) and item.dtype.is_integer:
        return [item]
    array = None
    if isinstance(item, Tensor):
        array = item._array if item._node is None else tracing.trace.value_of(item, AS_PLACES)
    try:
        array = np.asarray(_raw(item)) if array is None else array
    except (ValueError, TypeError):
        array = np.asarray(None)
    if array.dtype == np.bool_:
        wanted = tuple(self.shape)[axis : axis + array.ndim]
        if array.shape != wanted:
            raise IndexRangeError(
                f"a mask of shape {array.shape} for axes of shape {wanted}", where=caller()
            )
        return lose([made(wrap(p)) for p in np.nonzero(array)], [item], BY_VALUES)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise ArgumentError(
            f"{type(item).__name__} {item!r:.40} is no index",
            where=caller(),
            hint="use ints, slices, None, ..., masks and integer tensors",
        )
    return [made(wrap(array))]


def _get_advanced(self: Tensor, items: Sequence[Any]) -> Any:
    if any(is_tensor(item) for item in items):
        return FUNCTIONS["getitem"](self.as_node(), tuple(items))
    tensors, spec = _prepared(self, items)
    return call(_advanced, self, *tensors, index=spec)


def setitem(self: Tensor, index: Index, value: TensorLike) -> None:
    """`x[index] = value`, in place, with the history of both.

    Raises:
        ShapeError: the value does not broadcast to the part.
        GradientError: the tensor is a leaf that requires a gradient.
    """
    items = index if isinstance(index, tuple) else (index,)
    if all(is_basic(i) for i in items):
        part = getitem(self, index)
        part.copy_(_without_ones(value, part.ndim))
        return
    value = as_eager(value, self)
    if isinstance(value, Tensor) and value.dtype.is_float and value.ndim and self.dtype.is_integer:
        raise DTypeError(
            f"x[index] = value: elements of {value.dtype.name} do not fit a tensor of "
            f"{self.dtype.name}",
            where=caller(),
            hint="convert the value: value.to(x.dtype)",
        )
    masks = sum(map(_is_unknown_mask, items))
    others = all(is_basic(i) or _is_unknown_mask(i) for i in items)
    if masks == 1 and others and _set_masked(self, items, value):
        return
    tensors, spec = _prepared(self, items)
    index_put_(self, tensors, spec, value, False)


def _is_unknown_mask(item: Any) -> bool:
    return isinstance(item, Tensor) and item._node is not None and item.dtype is dtypes.bool_


def _set_masked(self: Tensor, items: Sequence[Any], value: Tensor) -> bool:
    """`x[mask] = value` where only a call of the graph knows the mask: chosen element by element.

    Returns:
        False, and nothing is done, where the value has an element for each true place.
    """
    place = next(k for k, item in enumerate(items) if _is_unknown_mask(item))
    mask = items[place]
    before, after = items[:place], items[place + 1 :]
    part = getitem(self, (*before, *[slice(None)] * mask.ndim, *after))
    rest = sum(i is None or isinstance(i, slice) for i in after)
    if ... not in before:
        rest += (
            self.ndim - mask.ndim - sum(i is not None and i is not ... for i in (*before, *after))
        )
    mask = mask.reshape(tuple(mask.shape) + (1,) * rest)
    if value.ndim > rest:
        sizes = tuple(value.shape)
        if sizes[value.ndim - rest - 1] != 1:
            return False
        middle = value.ndim - rest - 1
        value = value.reshape(sizes[:middle] + (1,) * (mask.ndim - rest) + sizes[middle + 1 :])
    part.copy_(EAGER["where"](mask, value.to(self.dtype), part))
    return True


def _without_ones(value: Any, rank: int) -> Any:
    """A value to assign without leading axes of size 1 that the part does not have."""
    if not isinstance(value, Tensor) or value.ndim <= rank:
        return value
    extra = value.ndim - rank
    sizes = tuple(value.shape)
    return value.reshape(sizes[extra:]) if all(s == 1 for s in sizes[:extra]) else value


def index_put_(
    self: Tensor, tensors: Sequence[Tensor], spec: Any, value: Tensor, accumulate: bool
) -> Tensor:
    """Write elements at places that integer tensors name."""
    check_leaf_view(self)
    recorded = state.enabled and (self._edge is not None or value._edge is not None)
    is_drawn = any(t._drawn is not None for t in (self, value, *tensors))
    if recorded or is_drawn or hot.slow:
        changed = call(_put, self, value, *tensors, index=spec, accumulate=accumulate)
        store(self, changed)
        if state.enabled and tracing.trace is None:
            take_history(self, changed)
        return self
    if not self._array.flags.writeable:
        raise read_only()
    try:
        part, where = _part_of(self._array, tensors, spec)
        if accumulate:
            np.add.at(part, where, value._array)
        else:
            part[where] = value._array
    except ValueError as error:
        raise ShapeError(f"x[index] = value: {error}", where=caller()) from None
    except IndexError as error:
        raise IndexRangeError(str(error), where=caller()) from None
    self.version().count += 1
    return self


def _part_of(array: np.ndarray, tensors: Sequence[Tensor], spec: Any) -> tuple[Any, Any]:
    """The view that what selects cuts from an array, and the rest of the index, into the view."""
    cut, found, chosen = _taken_apart(spec)
    view = array[tuple(cut)]
    for axis, k in reversed(chosen):
        view = view[(slice(None),) * axis + (int(tensors[k]._array), ...)]
    where: list[Any] = [slice(None)] * view.ndim
    for axis, k in found:
        where[axis - sum(a < axis for a, _ in chosen)] = tensors[k]._array
    return view, tuple(where)


__all__ = ["getitem", "index_put_", "setitem"]

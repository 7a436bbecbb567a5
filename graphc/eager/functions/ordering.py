"""Order by PyTorch's names: sort, topk, medians, distinct elements and their counts."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Values
from graphc.eager.engine.building import is_building
from graphc.eager.engine.drawn import BY_VALUES, lose
from graphc.eager.engine.registry import EAGER, as_axis, as_eager, as_flag, call, eager
from graphc.eager.engine.tensor import AnyTensor, Tensor, wrap
from graphc.eager.functions.shapes import size_of
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.arrays.places import distinct
from graphc.ops.control import GRADIENT_AS
from graphc.ops.declare import check_axis

SortPair = namedtuple("sort", ["values", "indices"])  # type: ignore[name-match]
TopkPair = namedtuple("topk", ["values", "indices"])  # type: ignore[name-match]
MedianPair = namedtuple("median", ["values", "indices"])  # type: ignore[name-match]
KthPair = namedtuple("kthvalue", ["values", "indices"])  # type: ignore[name-match]


def _alone(x: Operators) -> tuple[Any, Any]:
    """The one element of a 0-d tensor, and its place."""
    return FUNCTIONS["reshape"](x, ()), FUNCTIONS["full"]((), 0, dtypes.int64)


def _sorted(x: Operators, *, axis: int, descending: bool) -> Any:
    if not x.type.shape:
        check_axis("dim", axis, 1)
        return _alone(x)
    index = FUNCTIONS["argsort"](x, axis, descending)
    return FUNCTIONS["take_along_axis"](x, index, axis), index


_sorted.__name__ = "sort"


@eager("sort")
def sort(
    input: Any, dim: int = -1, descending: bool = False, stable: bool = True, *, axis: Any = None
) -> Any:
    """The elements in order along an axis, and where they stood: (values, indices).

    Equal elements keep their order.

    Example:
        >>> import graphc as gc
        >>> gc.sort(gc.tensor([3.0, 1.0, 2.0])).indices
        tensor([1, 2, 0])
    """
    axis = as_axis(dim if axis is None else axis)
    return SortPair(*call(_sorted, input, axis=axis, descending=as_flag(descending, "descending")))


def _argsorted(x: Operators, *, axis: int, descending: bool) -> Any:
    if not x.type.shape:
        check_axis("dim", axis, 1)
        return _alone(x)[1]
    return FUNCTIONS["argsort"](x, axis, descending)


@eager("argsort")
def argsort(
    input: Any, dim: int = -1, descending: bool = False, stable: bool = True, *, axis: Any = None
) -> Any:
    """Where the elements in order along an axis stand.

    Example:
        >>> import graphc as gc
        >>> gc.argsort(gc.tensor([3.0, 1.0, 2.0]))
        tensor([1, 2, 0])
    """
    axis = as_axis(dim if axis is None else axis)
    return call(_argsorted, input, axis=axis, descending=as_flag(descending, "descending"))


def _topk(x: Operators, *, k: int, axis: int, largest: bool) -> Any:
    if not x.type.shape:
        check_axis("topk", axis, 1)
        if k not in (0, 1):
            raise ShapeError(f"topk: k={k} of one element", where=caller())
        return _alone(x)
    return FUNCTIONS["topk"](x, k, axis, largest)


@eager("topk")
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k greatest (least) elements along an axis, in order: (values, indices).

    Example:
        >>> import graphc as gc
        >>> gc.topk(gc.tensor([3.0, 1.0, 2.0]), 2).values
        tensor([3., 2.])
    """
    axis, largest = as_axis(dim), as_flag(largest, "largest")
    return TopkPair(*call(_topk, input, k=as_axis(k), axis=axis, largest=largest))


def _nth(x: Operators, *, place: int, axis: int, keepdims: bool, any_nan: bool = False) -> Any:
    if not x.type.shape:
        check_axis("dim", axis, 1)
        return _alone(x)
    rank = len(x.type.shape)
    axis = check_axis("dim", axis, rank)
    cut = tuple(slice(place, place + 1) if a == axis else slice(None) for a in range(rank))
    index = FUNCTIONS["argsort"](x, axis)[cut]
    if any_nan and x.type.dtype.is_float:
        nan = FUNCTIONS["isnan"](x)
        some = FUNCTIONS["any"](nan, axis, True)
        index = FUNCTIONS["where"](some, FUNCTIONS["argmax"](nan, axis, True), index)
    values = FUNCTIONS["take_along_axis"](x, index, axis)
    if keepdims:
        return values, index
    return FUNCTIONS["squeeze"](values, axis), FUNCTIONS["squeeze"](index, axis)


@eager()
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th least element along an axis, counted from 1: (values, indices).

    Of equal elements the index names the one that a stable sort puts there; PyTorch's own choice
    among them depends on how it searches.

    Example:
        >>> import graphc as gc
        >>> values, indices = gc.kthvalue(gc.tensor([4, 1, 3]), 2)
        >>> values, indices
        (tensor(3), tensor(2))
    """
    axis, keep = as_axis(dim), as_flag(keepdim, "keepdim")
    size = input.shape[check_axis("kthvalue", axis, input.ndim or 1)] if input.ndim else 1
    if isinstance(size, int) and not 1 <= k <= size:
        raise ShapeError(f"kthvalue: k={k} of {size} elements, counted from 1", where=caller())
    return KthPair(*call(_nth, input, place=as_axis(k) - 1, axis=axis, keepdims=keep))


def _middle(x: Operators, *, place: int) -> Any:
    """The lower median of a vector; elements equal to it share the gradient, as in PyTorch."""
    value, _ = _nth(x, place=place, axis=0, keepdims=False, any_nan=True)
    if not x.type.dtype.is_float:
        return value
    where, total = FUNCTIONS["where"], FUNCTIONS["sum"]
    same = where(FUNCTIONS["isnan"](value), FUNCTIONS["isnan"](x), x == value)
    same = FUNCTIONS["stop_gradient"](FUNCTIONS["cast"](same, x.type.dtype))
    return GRADIENT_AS(value, total(where(same > 0, x, 0)) / total(same))


@eager()
def median(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The lower median of all elements; along `dim`, the pair (values, indices).

    Example:
        >>> import graphc as gc
        >>> gc.median(gc.tensor([3.0, 1.0, 2.0]))
        tensor(2.)
    """
    if dim is None:
        flat = input.flatten()
        return call(_middle, flat, place=(flat.shape[0] - 1) // 2)
    axis, keep = as_axis(dim), as_flag(keepdim, "keepdim")
    place = (input.shape[axis] - 1) // 2 if input.ndim else 0
    return MedianPair(*call(_nth, input, place=place, axis=axis, keepdims=keep, any_nan=True))


def _unique_parts(
    input: Tensor, sorted: bool, return_inverse: bool, return_counts: bool, dim: Any
) -> Any:
    array = input.numpy()
    # NumPy orders no nan of bfloat16; each nan is an element of its own, as in PyTorch.
    found = np.unique(
        dtypes.widened(array), return_inverse=True, return_counts=True, axis=dim, equal_nan=False
    )
    found = (found[0].astype(array.dtype), *found[1:])
    made = [wrap(np.ascontiguousarray(f)) for f in found]
    values, inverse, counts = lose(made, [input], BY_VALUES)
    shape = input.shape if dim is None else (input.shape[dim],)
    parts = [values]
    parts += [inverse.reshape(*shape)] if return_inverse else []
    parts += [counts] if return_counts else []
    return parts[0] if len(parts) == 1 else tuple(parts)


def _distinct(
    x: Operators, *, inverse: bool, counts: bool, size: Values | None, fill_value: Values | None
) -> Any:
    values, place, number = distinct(FUNCTIONS["ravel"](x), size, fill_value)
    parts = [FUNCTIONS["stop_gradient"](values)]
    parts += [FUNCTIONS["reshape"](place, x.type.shape)] if inverse else []
    parts += [number] if counts else []
    return parts[0] if len(parts) == 1 else tuple(parts)


@eager()
def unique(
    input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: Any = None, *, size: Values | None = None, fill_value: Values | None = None,
) -> Any:  # fmt: skip
    """The distinct elements in order; their places and numbers on demand. Has no gradient.

    Args:
        input: a tensor.
        sorted: they always are.
        return_inverse: give the place of each element among them, too.
        return_counts: give the number of each, too.
        dim: the distinct slices along an axis; not of symbolic tensors.
        size: how many, as JAX has it: the first ones, filled up where there are fewer. In a graph
            they are counted before the program runs, unless it is given.
        fill_value: what they are filled up with; the least element unless given.

    Example:
        >>> import graphc as gc
        >>> gc.unique(gc.tensor([2, 1, 2]))
        tensor([1, 2])
    """
    if size is None and not is_building(input):
        return _unique_parts(input, sorted, return_inverse, return_counts, dim)
    if dim is not None:
        raise ArgumentError(
            f"unique: dim={dim} of a symbolic tensor, or beside size",
            where=caller(),
            hint="leave dim away: the distinct elements of the whole tensor",
        )
    size = None if size is None else size_of(size)
    how = {"inverse": return_inverse, "counts": return_counts}
    return call(_distinct, input, size=size, fill_value=fill_value, **how)


def _bincount(x: Operators, *weights: Any, size: int) -> Any:
    dtype = weights[0].type.dtype if weights else dtypes.int64
    zeros = FUNCTIONS["full"]((size,), 0, dtype)
    ones = FUNCTIONS["full"](x.type.shape, 1, dtype)
    if x.type.dtype.kind == "int":
        x = FUNCTIONS["cast"](x, dtypes.int64)
        x = FUNCTIONS["where"](x < 0, size, x)  # out of bounds, where -1 were the last
    return FUNCTIONS["index_add"](zeros, x, weights[0] if weights else ones)


@eager()
def bincount(input: Any, weights: Any = None, minlength: Any = 0) -> Any:
    """How often each of 0, 1, ... occurs (its size depends on the greatest value).

    Of a symbolic tensor `minlength` is the size: a value beyond it is an error when a program runs.

    Example:
        >>> import graphc as gc
        >>> gc.bincount(gc.tensor([0, 2, 2, 5]))
        tensor([1, 0, 2, 0, 0, 1])
    """
    minlength = size_of(minlength)
    is_known = isinstance(minlength, int)
    if input.ndim != 1 or not input.dtype.is_integer or (is_known and minlength < 0):
        raise ArgumentError(
            f"bincount: a tensor {input.type} and minlength={minlength}",
            where=caller(),
            hint="pass a vector of integers, and a minlength of 0 or more",
        )
    size = minlength
    if is_known and not (minlength and is_building(input)):
        array = input.numpy()
        if array.size and array.min() < 0:
            raise ArgumentError(f"bincount: {array.min()} is below 0", where=caller())
        most = int(array.max()) + 1 if array.size else 0
        size = most if most > minlength else minlength
    given: tuple[Any, ...] = ()
    if weights is not None:
        if tuple(weights.shape) != tuple(input.shape):
            raise ShapeError(
                f"bincount: {tuple(weights.shape)} weights for {tuple(input.shape)}",
                where=caller(),
            )
        given = (weights if weights.dtype is dtypes.float32 else weights.double(),)
    return lose(call(_bincount, input, *given, size=size), [input], BY_VALUES)


def _places(x: Operators, values: Sequence[Tensor], *, right: bool) -> Any:
    return FUNCTIONS["searchsorted"](x, values, "right" if right else "left")


@eager("searchsorted")
def searchsorted(
    sorted_sequence: Any, input: AnyTensor, *, out_int32: bool = False, right: bool = False,
    side: str | None = None, sorter: Any = None,
) -> Any:  # fmt: skip
    """Where values would be inserted into a sorted sequence to keep it sorted.

    Args:
        sorted_sequence: ascending along the last axis; a vector, or of input's leading sizes.
        input: the values, a tensor or a number.
        out_int32: give int32 instead of int64.
        right: behind equal elements instead of before them.
        side: "left" or "right", the other way to say so.
        sorter: indices that sort the sequence.

    Example:
        >>> import graphc as gc
        >>> gc.searchsorted(gc.tensor([1.0, 3.0, 5.0]), gc.tensor([3.0, 4.0]))
        tensor([1, 2])
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise ArgumentError(
            f"searchsorted: side={side!r} with right={right!r}",
            where=caller(),
            hint='side is "left" or "right", and right=True goes with "right" alone',
        )
    x = sorted_sequence
    if sorter is not None:
        x = EAGER["gather"](x, -1, sorter)
    values = input if isinstance(input, Tensor) else as_eager(input, x)
    found = call(_places, x, values, right=bool(right) or side == "right")
    return found.to(dtypes.int32) if out_int32 else found

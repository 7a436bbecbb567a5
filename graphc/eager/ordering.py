"""Order by PyTorch's names: sort, topk, medians, distinct elements and their counts."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from graphc import dtypes
from graphc.eager.registry import call, eager
from graphc.eager.tensor import Tensor, wrap
from graphc.operators import FUNCTIONS

SortPair = namedtuple("sort", ["values", "indices"])  # type: ignore[name-match]
TopkPair = namedtuple("topk", ["values", "indices"])  # type: ignore[name-match]
MedianPair = namedtuple("median", ["values", "indices"])  # type: ignore[name-match]
KthPair = namedtuple("kthvalue", ["values", "indices"])  # type: ignore[name-match]


def _sorted(x: Any, *, axis: int, descending: bool) -> Any:
    if not x.type.shape:
        return FUNCTIONS["positive"](x), FUNCTIONS["full"]((), 0, dtypes.int64)
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
    axis = dim if axis is None else axis
    return SortPair(*call(_sorted, input, axis=int(axis), descending=bool(descending)))


def _argsorted(x: Any, *, axis: int, descending: bool) -> Any:
    if not x.type.shape:
        return FUNCTIONS["full"]((), 0, dtypes.int64)
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
    axis = dim if axis is None else axis
    return call(_argsorted, input, axis=int(axis), descending=bool(descending))


def _topk(x: Any, *, k: int, axis: int, largest: bool) -> Any:
    return FUNCTIONS["topk"](x, k, axis, largest)


@eager("topk")
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k greatest (least) elements along an axis, in order: (values, indices).

    Example:
        >>> import graphc as gc
        >>> gc.topk(gc.tensor([3.0, 1.0, 2.0]), 2).values
        tensor([3., 2.])
    """
    return TopkPair(*call(_topk, input, k=int(k), axis=int(dim), largest=bool(largest)))


def _nth(x: Any, *, place: int, axis: int, keepdims: bool) -> Any:
    if not x.type.shape:
        return FUNCTIONS["positive"](x), FUNCTIONS["full"]((), 0, dtypes.int64)
    rank = len(x.type.shape)
    cut = tuple(slice(place, place + 1) if a == axis % rank else slice(None) for a in range(rank))
    index = FUNCTIONS["argsort"](x, axis)[cut]
    values = FUNCTIONS["take_along_axis"](x, index, axis)
    if keepdims:
        return values, index
    return FUNCTIONS["squeeze"](values, axis), FUNCTIONS["squeeze"](index, axis)


@eager()
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th least element along an axis, counted from 1: (values, indices)."""
    return KthPair(*call(_nth, input, place=k - 1, axis=int(dim), keepdims=keepdim))


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
        return call(_nth, flat, place=(flat.shape[0] - 1) // 2, axis=0, keepdims=False)[0]
    place = (input.shape[dim] - 1) // 2 if input.ndim else 0
    return MedianPair(*call(_nth, input, place=place, axis=int(dim), keepdims=keepdim))


def _unique_parts(
    input: Tensor, sorted: bool, return_inverse: bool, return_counts: bool, dim: Any
) -> Any:
    found = np.unique(
        input.numpy(),
        return_inverse=True,
        return_counts=True,
        axis=dim,
    )
    values, inverse, counts = (wrap(np.ascontiguousarray(f)) for f in found)
    shape = input.shape if dim is None else (input.shape[dim],)
    parts = [values]
    parts += [inverse.reshape(*shape)] if return_inverse else []
    parts += [counts] if return_counts else []
    return parts[0] if len(parts) == 1 else tuple(parts)


@eager()
def unique(
    input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: Any = None,
) -> Any:  # fmt: skip
    """The distinct elements in order; their places and numbers on demand. Has no gradient.

    Example:
        >>> import graphc as gc
        >>> gc.unique(gc.tensor([2, 1, 2]))
        tensor([1, 2])
    """
    return _unique_parts(input, sorted, return_inverse, return_counts, dim)


def _bincount(x: Any, *weights: Any, size: int) -> Any:
    dtype = weights[0].type.dtype if weights else dtypes.int64
    zeros = FUNCTIONS["full"]((size,), 0, dtype)
    ones = FUNCTIONS["full"](x.type.shape, 1, dtype)
    return FUNCTIONS["index_add"](zeros, x, weights[0] if weights else ones)


@eager()
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each of 0, 1, ... occurs (its size depends on the greatest value)."""
    most = int(input.numpy().max()) + 1 if input.numel() else 0
    size = most if most > minlength else minlength
    given = () if weights is None else (weights,)
    return call(_bincount, input, *given, size=size)

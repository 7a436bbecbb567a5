"""Distances, and membership, by PyTorch's names: cdist, pdist, dist, renorm, isin, bucketize."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine.registry import EAGER, as_axis, as_eager, as_flag, call, eager
from graphc.eager.engine.tensor import AnyTensor, Tensor
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ops.arrays.norms import vector_norm
from graphc.ops.declare import check_axis

_F = FUNCTIONS


def _all_distances(x: Operators, y: Operators, *, p: float) -> Any:
    return vector_norm(_F["expand_dims"](x, -2) - _F["expand_dims"](y, -3), p, -1)


@eager("cdist")
def cdist(x1: AnyTensor, x2: AnyTensor, p: float = 2.0, compute_mode: str | None = None) -> Any:
    """The p-norm of the difference of every row of one matrix and every row of another.

    Args:
        x1: (..., P, M) of floats.
        x2: (..., R, M); batches broadcast.
        p: 0 or more, or inf.
        compute_mode: taken as PyTorch's; the differences are always computed themselves.

    Returns:
        (..., P, R).

    Example:
        >>> import graphc as gc
        >>> gc.cdist(gc.tensor([[0.0, 0.0]]), gc.tensor([[3.0, 4.0], [0.0, 1.0]]))
        tensor([[5., 1.]])
    """
    _check_rows("cdist", p, x1, x2)
    if x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(
            f"cdist: rows of {x1.shape[-1]} and of {x2.shape[-1]} elements", where=caller()
        )
    return call(_all_distances, x1, x2, p=float(p))


def _check_rows(name: str, p: float, *tensors: AnyTensor) -> None:
    for x in tensors:
        if x.ndim < 2 or not x.dtype.is_float:
            raise ShapeError(f"{name}: {x.type} is no matrix of floats", where=caller())
    if p < 0:
        raise ArgumentError(f"{name}: p={p} is below 0", where=caller())


def _row_distances(x: Operators, rows: Operators, others: Operators, *, p: float) -> Any:
    take = _F["take"]
    return vector_norm(take(x, rows, 0) - take(x, others, 0), p, -1)


@eager("pdist")
def pdist(input: AnyTensor, p: float = 2.0) -> Any:
    """The p-norm of the difference of every two rows of a matrix, each pair once.

    Example:
        >>> import graphc as gc
        >>> gc.pdist(gc.tensor([[0.0], [1.0], [3.0]]))
        tensor([1., 3., 2.])
    """
    _check_rows("pdist", p, input)
    if input.ndim != 2:
        raise ShapeError(f"pdist: {input.type} is no matrix", where=caller())
    pairs = [EAGER["from_numpy"](side) for side in np.triu_indices(int(input.shape[0]), 1)]
    return call(_row_distances, input, *pairs, p=float(p))


@eager("dist")
def dist(input: AnyTensor, other: AnyTensor, p: float = 2) -> Any:
    """The p-norm of the difference of two tensors that broadcast.

    Example:
        >>> import graphc as gc
        >>> gc.dist(gc.tensor([3.0, 4.0]), gc.zeros(2))
        tensor(5.)
    """
    for x in (input, other):
        if not isinstance(x, Tensor) or x.dtype is dtypes.bool_:
            raise ArgumentError(f"dist: {x!r:.40} is no tensor of numbers", where=caller())
    apart = input - other
    if not apart.dtype.is_float:
        raise DTypeError("dist: neither tensor is of floats", where=caller())
    return EAGER["norm"](apart, p)


def _renormed(x: Operators, *, p: float, axis: int, most: float) -> Any:
    others = tuple(a for a in range(len(x.type.shape)) if a != axis)
    norm = vector_norm(x, p, others, True)
    return x * _F["where"](norm > most, most / (norm + 1e-7), 1)


@eager("renorm")
def renorm(input: AnyTensor, p: float, dim: int, maxnorm: float) -> Any:
    """The slices along an axis, those scaled down whose p-norm is above `maxnorm`.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([[3.0, 4.0], [0.3, 0.4]])
        >>> gc.renorm(x, 2, 0, 1.0)
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
    """
    if input.ndim < 2 or p <= 0 or maxnorm < 0 or not input.dtype.is_float:
        raise ArgumentError(
            f"renorm: {input.type} with p={p} and maxnorm={maxnorm}",
            where=caller(),
            hint="floats with two axes or more, p above 0, maxnorm from 0 on",
        )
    axis = check_axis("renorm", as_axis(dim), input.ndim)
    return call(_renormed, input, p=float(p), axis=axis, most=float(maxnorm))


def _among(x: Operators, ordered: Operators) -> Any:
    place = _F["searchsorted"](ordered, x, "left")
    last = ordered.type.shape[0] - 1
    return _F["take"](ordered, _F["minimum"](place, last), 0) == x


@eager("isin")
def isin(
    elements: AnyTensor, test_elements: AnyTensor, *, assume_unique: bool = False,
    invert: bool = False,
) -> Any:  # fmt: skip
    """Whether each element is among others; nan is among none.

    Args:
        elements: a tensor or a number.
        test_elements: the others, a tensor or a number.
        assume_unique: taken as PyTorch's; the result is the same.
        invert: whether it is not.

    Example:
        >>> import graphc as gc
        >>> gc.isin(gc.tensor([1, 2, 3]), gc.tensor([3, 1]))
        tensor([ True, False,  True])
    """
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise ArgumentError("isin: neither elements nor test_elements is a tensor", where=caller())
    x, others = as_eager(elements), as_eager(test_elements).reshape(-1)
    common = EAGER["result_type"](elements, test_elements)
    if dtypes.bool_ in (x.dtype, others.dtype):
        raise DTypeError("isin: bools are not looked for", where=caller())
    x, others = x.to(common), others.to(common)
    if others.shape[0] == 0:
        found = EAGER["zeros_like"](x, dtype=dtypes.bool_)
    else:
        found = call(_among, x, EAGER["sort"](others).values)
    return ~found if as_flag(invert, "invert") else found


@eager("bucketize")
def bucketize(
    input: AnyTensor, boundaries: AnyTensor, *, out_int32: bool = False, right: bool = False
) -> Any:
    """The number of the bucket that each value is in, by the boundaries between them.

    Args:
        input: a tensor or a number.
        boundaries: a vector, ascending.
        out_int32: give int32 instead of int64.
        right: whether a boundary belongs to the bucket behind it.

    Example:
        >>> import graphc as gc
        >>> gc.bucketize(gc.tensor([0.5, 2.0]), gc.tensor([1.0, 2.0]))
        tensor([0, 1])
    """
    if boundaries.ndim != 1:
        raise ShapeError(f"bucketize: boundaries are {boundaries.type}, no vector", where=caller())
    if input is True or input is False:
        raise DTypeError("bucketize: input is a bool", where=caller())
    return EAGER["searchsorted"](boundaries, input, out_int32=out_int32, right=right)


__all__ = ["bucketize", "cdist", "dist", "isin", "pdist", "renorm"]

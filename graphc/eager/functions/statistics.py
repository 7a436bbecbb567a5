"""Statistics by PyTorch's names: quantiles, modes, what leaves nan out, covariance, histograms."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Axes, DTypeLike
from graphc.eager.engine.building import is_building
from graphc.eager.engine.promotion import get_default_dtype
from graphc.eager.engine.registry import EAGER, as_axis, as_flag, call, eager
from graphc.eager.engine.tensor import AnyTensor, Tensor
from graphc.eager.functions.running import axis_within
from graphc.errors import ArgumentError, AttributeValueError, DTypeError, ShapeError

_F = FUNCTIONS
ModePair = namedtuple("mode", ["values", "indices"])  # type: ignore[name-match]
NanmedianPair = namedtuple("nanmedian", ["values", "indices"])  # type: ignore[name-match]
HistogramPair = namedtuple("histogram", ["hist", "bin_edges"])  # type: ignore[name-match]
_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(x: Operators, q: Operators, *, interpolation: str, leave_nan: bool) -> Any:
    """Of the last axis; the quantiles stand along it in its place."""
    ordered, nan = _F["sort"](x, -1), _F["isnan"](x)
    last = x.type.shape[-1] - 1
    if leave_nan:
        count = _F["sum"](_F["cast"](~nan, x.type.dtype), -1, True)
        ranks = q * _F["maximum"](count - 1, 0)
    else:
        some = _F["any"](nan, -1, True)  # the last of the order is nan where one is
        ranks = _F["where"](some, last, q * last)
    if interpolation == "nearest":
        ranks = _F["round"](ranks)
    below = _F["floor"](ranks)
    if interpolation in ("lower", "nearest"):
        return _at(ordered, below)
    if interpolation == "higher":
        return _at(ordered, _F["ceil"](ranks))
    low, high = _at(ordered, below), _at(ordered, _F["ceil"](ranks))
    weight = ranks - below if interpolation == "linear" else 0.5
    return _F["where"](low == high, low, low + (high - low) * weight)


def _at(ordered: Any, ranks: Any) -> Any:
    return _F["take_along_axis"](ordered, _F["cast"](ranks, dtypes.int64), -1)


def _quantiles(
    name: str, input: Any, q: Any, dim: int | None, keepdim: bool, interpolation: str
) -> Any:
    if interpolation not in _INTERPOLATIONS:
        raise AttributeValueError(
            f"{name}: interpolation={interpolation!r}", where=caller(),
            hint=f"one of {', '.join(_INTERPOLATIONS)}",
        )  # fmt: skip
    if input.dtype.name not in ("float32", "float64"):
        raise DTypeError(f"{name}: a tensor of {input.dtype.name}, not of float32 or float64",
                         where=caller())  # fmt: skip
    numbers = None if isinstance(q, Tensor) else np.asarray(q, input.dtype.numpy)
    if not isinstance(q, Tensor):
        q = EAGER["tensor"](q, dtype=input.dtype)
    elif not is_building(q) and q._node is None:
        numbers = q.numpy()
    if q.ndim > 1 or q.dtype is not input.dtype:
        raise ArgumentError(
            f"{name}: q is {q.type}; it is a number, or a vector of {input.dtype.name}",
            where=caller(),
        )
    if numbers is not None and not ((numbers >= 0) & (numbers <= 1)).all():
        given = f"{numbers.tolist()!r:.60}"
        raise ArgumentError(f"{name}: q={given} is not between 0 and 1", where=caller())
    rank = input.ndim
    axis = 0 if dim is None else axis_within(name, dim, input)
    x = input.reshape(-1) if dim is None or not rank else input.movedim(axis, -1)
    if 0 in x.shape:
        raise ShapeError(f"{name}: the tensor has no element", where=caller())
    at = q.reshape(-1)
    found = call(
        _quantile, x, at, interpolation=interpolation, leave_nan=name == "nanquantile"
    ).movedim(-1, 0)
    if as_flag(keepdim, "keepdim") and rank:
        sizes = [1] * rank if dim is None else None
        found = found.reshape(-1, *sizes) if sizes is not None else found.unsqueeze(axis + 1)
    return found if q.ndim else found[0]


@eager("quantile")
def quantile(
    input: AnyTensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Any:  # fmt: skip
    """The elements below which a share q of all elements is, over all or along an axis.

    Args:
        input: a tensor of float32 or float64; nan among the elements gives nan.
        q: a number from 0 to 1, or a vector of some, which are the first axis of the result.
        dim: the axis; all elements unless given.
        keepdim: keep the axis, with size 1.
        interpolation: between two elements "linear", "lower", "higher", "midpoint" or "nearest".

    Example:
        >>> import graphc as gc
        >>> gc.quantile(gc.tensor([0.0, 1.0, 2.0, 3.0]), gc.tensor([0.5, 1.0]))
        tensor([1.5000, 3.0000])
    """
    return _quantiles("quantile", input, q, dim, keepdim, interpolation)


@eager("nanquantile")
def nanquantile(
    input: AnyTensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Any:  # fmt: skip
    """`quantile` of the elements that are not nan.

    Example:
        >>> import graphc as gc
        >>> gc.nanquantile(gc.tensor([float("nan"), 1.0, 2.0]), 0.5)
        tensor(1.5000)
    """
    return _quantiles("nanquantile", input, q, dim, keepdim, interpolation)


def _nanmedian(x: Operators, *, axis: int) -> Any:
    order = _F["argsort"](x, axis)
    count = _F["sum"](_F["cast"](~_F["isnan"](x), dtypes.int64), axis, True)
    place = _F["maximum"](count - 1, 0) // 2
    index = _F["take_along_axis"](order, place, axis)
    found = _F["take_along_axis"](x, index, axis)
    return found, index


@eager("nanmedian")
def nanmedian(input: AnyTensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower median of the elements that are not nan; along `dim`, (values, indices).

    Example:
        >>> import graphc as gc
        >>> gc.nanmedian(gc.tensor([float("nan"), 3.0, 1.0]))
        tensor(1.)
    """
    if not input.dtype.is_float:
        found = EAGER["median"](input, dim, keepdim)
        return found if dim is None else NanmedianPair(*found)
    if dim is None and not input.numel():
        return EAGER["full_like"](input.sum(), np.nan)
    if dim is None:
        return call(_nanmedian, input.reshape(-1), axis=0)[0].reshape(())
    axis, keep = axis_within("nanmedian", dim, input), as_flag(keepdim, "keepdim")
    if not input.ndim:
        return NanmedianPair(input.clone(), EAGER["tensor"](0))
    pair = call(_nanmedian, input, axis=axis)
    return NanmedianPair(*(pair if keep else [part.squeeze(axis) for part in pair]))


@eager("nansum")
def nansum(
    input: AnyTensor, dim: Axes | None = None, keepdim: bool = False, *,
    dtype: DTypeLike | None = None,
) -> Any:  # fmt: skip
    """The sum, in which nan counts as 0.

    Example:
        >>> import graphc as gc
        >>> gc.nansum(gc.tensor([1.0, float("nan")]))
        tensor(1.)
    """
    x = EAGER["where"](input.isnan(), 0, input) if input.dtype.is_float else input
    return x.sum(dim, keepdim, dtype=dtype)


@eager("nanmean")
def nanmean(
    input: AnyTensor, dim: Axes | None = None, keepdim: bool = False, *,
    dtype: DTypeLike | None = None,
) -> Any:  # fmt: skip
    """The mean of the elements that are not nan.

    Example:
        >>> import graphc as gc
        >>> gc.nanmean(gc.tensor([1.0, 3.0, float("nan")]))
        tensor(2.)
    """
    _check_floats("nanmean", input)
    return nansum(input, dim, keepdim, dtype=dtype) / (~input.isnan()).sum(dim, keepdim)


def _mode(x: Operators, *, axis: int) -> Any:
    """The least of the most frequent elements, and the last place of it; of the last axis."""
    order = _F["argsort"](x, -1)
    ordered = _F["take_along_axis"](x, order, -1)
    still = _F["stop_gradient"](ordered)
    first, behind = (_F["searchsorted"](still, still, side) for side in ("left", "right"))
    top = _F["argmax"](behind - first, -1, True)
    last = _F["take_along_axis"](behind, top, -1) - 1
    index = _F["take_along_axis"](order, last, -1)
    return _F["take_along_axis"](x, index, -1), index


@eager("mode")
def mode(input: AnyTensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent element along an axis, of several the least: (values, indices).

    Example:
        >>> import graphc as gc
        >>> gc.mode(gc.tensor([2, 1, 2]))
        mode(values=tensor(2), indices=tensor(2))
    """
    axis, keep = axis_within("mode", dim, input), as_flag(keepdim, "keepdim")
    if not input.ndim:
        return ModePair(input.clone(), EAGER["tensor"](0))
    if input.shape[axis] == 0:
        raise ShapeError(f"mode: no element along axis {axis}", where=caller())
    pair = [part.movedim(-1, axis) for part in call(_mode, input.movedim(axis, -1), axis=-1)]
    return ModePair(*(pair if keep else [part.squeeze(axis) for part in pair]))


@eager("msort")
def msort(input: AnyTensor) -> Any:
    """The elements in order along the first axis.

    Example:
        >>> import graphc as gc
        >>> gc.msort(gc.tensor([3, 1, 2]))
        tensor([1, 2, 3])
    """
    return EAGER["sort"](input, 0).values


def _covariance(x: Operators, *weights: Any, correction: float, has_f: bool, has_a: bool) -> Any:
    flat = _F["reshape"](x, (1, -1)) if len(x.type.shape) < 2 else x
    count, given = flat.type.shape[1], [_F["cast"](w, x.type.dtype) for w in weights]
    if given:
        both = given[0] * given[1] if len(given) == 2 else given[0]
        total = _F["sum"](both)
        mean = _F["sum"](flat * both, 1, True) / total
        lost = _F["sum"](both * given[-1]) / total * correction if has_a else correction
        norm: Any = _F["maximum"](total - lost, 0)
    else:
        both, mean = 1, _F["mean"](flat, 1, True)
        norm = _F["maximum"](_F["cast"](_F["constant"](0), x.type.dtype) + count - correction, 0)
    off = flat - mean
    found = _F["matmul"](off * both, _F["swapaxes"](off, 0, 1)) / norm
    return _F["reshape"](found, ()) if len(x.type.shape) < 2 else found


@eager("cov")
def cov(
    input: AnyTensor, *, correction: float = 1, fweights: AnyTensor | None = None,
    aweights: AnyTensor | None = None,
) -> Any:  # fmt: skip
    """The covariances of variables, each a row of observations.

    Args:
        input: (variables, observations), or the observations of one.
        correction: what the divisor is less than the number of observations.
        fweights: how often each observation was made, integers.
        aweights: how much each counts, floats.

    Example:
        >>> import graphc as gc
        >>> gc.cov(gc.tensor([1.0, 2.0, 3.0]))
        tensor(1.)
    """
    if input.ndim > 2:
        raise ShapeError(f"cov: a tensor of {input.ndim} axes, not of two", where=caller())
    if fweights is not None and not fweights.dtype.is_integer:
        raise DTypeError(f"cov: fweights of {fweights.dtype.name}, not integers", where=caller())
    for name, own in (("fweights", fweights), ("aweights", aweights)):
        observed = input.shape[-1] if input.ndim else 1
        if own is not None and (own.ndim > 1 or own.numel() != observed):
            raise ShapeError(f"cov: {name} of shape {tuple(own.shape)} for {observed} "
                             "observations", where=caller())  # fmt: skip
    if input.dtype is dtypes.bool_:
        raise DTypeError("cov: a tensor of bools", where=caller())
    x = input if input.dtype.is_float else input.to(get_default_dtype())
    given = [w for w in (fweights, aweights) if w is not None]
    settings: dict[str, Any] = {"has_f": fweights is not None, "has_a": aweights is not None}
    return call(_covariance, x, *given, correction=float(correction), **settings)


def _to_correlation(c: Operators) -> Any:
    if not c.type.shape:
        return c / c
    scale = _F["sqrt"](_F["diagonal"](c))
    one, other = _F["expand_dims"](scale, 1), _F["expand_dims"](scale, 0)
    return _F["clip"](c / one / other, -1, 1)


@eager("corrcoef")
def corrcoef(input: AnyTensor) -> Any:
    """The correlation coefficients of variables, each a row of observations.

    Example:
        >>> import graphc as gc
        >>> gc.corrcoef(gc.tensor([[1.0, 2.0], [4.0, 3.0]]))
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    if input.ndim > 2:
        raise ShapeError(f"corrcoef: a tensor of {input.ndim} axes, not of two", where=caller())
    return call(_to_correlation, cov(input))


def _counted(x: Operators, low: Operators, high: Operators, *weights: Any, bins: int) -> Any:
    """How many elements are in each of equal bins between two bounds."""
    place = _F["floor"]((x - low) * (bins / (high - low)))
    return _into(_F["where"](x == high, bins - 1, place), (x >= low) & (x <= high), weights, bins)


def _between(x: Operators, edges: Operators, *weights: Any, bins: int) -> Any:
    """How many elements are between neighbouring edges."""
    place = _F["searchsorted"](edges, x, "right") - 1
    place = _F["where"](x == edges[bins], bins - 1, place)
    return _into(place, (x >= edges[0]) & (x <= edges[bins]), weights, bins)


def _into(place: Any, inside: Any, weights: Any, bins: int) -> Any:
    dtype = weights[0].type.dtype
    index = _F["cast"](_F["where"](inside, place, 0), dtypes.int64)
    return _F["index_add"](_F["full"]((bins,), 0, dtype), index, _F["where"](inside, weights[0], 0))


def _bounds(x: Any, low: float, high: float, apart: float) -> tuple[Any, Any]:
    """The bounds given, or where they are equal those of the elements, set apart if equal too."""
    if low != high:
        return x.new_tensor(low), x.new_tensor(high)
    least, most = (x.min(), x.max()) if x.numel() else (x.new_tensor(low + apart),) * 2
    same = (least == most).to(x.dtype) * apart
    return least - same, most + same


def _check_floats(name: str, *tensors: AnyTensor) -> None:
    for x in tensors:
        if not x.dtype.is_float:
            raise DTypeError(f"{name}: a tensor of {x.dtype.name}, not of floats", where=caller())


@eager("histc")
def histc(input: AnyTensor, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """How many elements are in each of equal bins; those outside are left out.

    Args:
        input: a tensor.
        bins: how many.
        min, max: the outer bounds; those of the elements where both are 0.

    Example:
        >>> import graphc as gc
        >>> gc.histc(gc.tensor([1.0, 2.0, 1.0]), bins=2, min=0, max=2)
        tensor([0., 3.])
    """
    count = as_axis(bins)
    if count < 1 or not np.isfinite([min, max]).all() or min > max:
        raise ArgumentError(f"histc: {bins} bins from {min} to {max}", where=caller())
    _check_floats("histc", input)
    x = input.detach().reshape(-1)
    return call(_counted, x, *_bounds(x, min, max, 1), EAGER["ones_like"](x), bins=count)


@eager("histogram")
def histogram(
    input: AnyTensor, bins: Any = 100, *, range: tuple[float, float] | None = None,
    weight: AnyTensor | None = None, density: bool = False,
) -> Any:  # fmt: skip
    """How many elements are in each bin, and the bins' edges: (hist, bin_edges).

    Args:
        input: floats.
        bins: how many equal ones, or a vector of edges, ascending.
        range: the outer bounds; those of the elements unless given.
        weight: what each element counts, of input's shape.
        density: divide so that the area is 1.

    Example:
        >>> import graphc as gc
        >>> gc.histogram(gc.tensor([1.0, 2.0, 1.0]), 2, range=(0.0, 2.0)).hist
        tensor([0., 3.])
    """
    x = input.detach().reshape(-1)
    if weight is not None and tuple(weight.shape) != tuple(input.shape):
        raise ShapeError(f"histogram: weight of {tuple(weight.shape)} for {tuple(input.shape)}",
                         where=caller())  # fmt: skip
    own = EAGER["ones_like"](x) if weight is None else weight.reshape(-1).to(x.dtype)
    _check_floats("histogram", input)
    if isinstance(bins, Tensor):
        edges = bins
        if edges.dtype is not x.dtype:
            raise DTypeError(
                f"histogram: input of {x.dtype.name}, bins of {edges.dtype.name}", where=caller()
            )
    elif as_axis(bins) < 1:
        raise ArgumentError(f"histogram: {bins} bins", where=caller())
    else:
        least, most = (0.0, 0.0) if range is None else range
        low, high = _bounds(x, least, most, 0.5)
        steps = EAGER["arange"](as_axis(bins) + 1, dtype=x.dtype) / bins
        edges = low + (high - low) * steps
        edges[-1] = high
    hist = call(_between, x, edges, own, bins=edges.shape[0] - 1)
    if as_flag(density, "density"):
        hist = hist / hist.sum() / EAGER["diff"](edges)
    return HistogramPair(hist, edges)


__all__ = ["corrcoef", "cov", "histc", "histogram", "mode", "nanmedian", "nansum", "quantile"]

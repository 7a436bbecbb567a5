"""Reductions, sorting and scans by PyTorch's names, with `dim` and `keepdim`."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from graphc.core import dtypes
from graphc.core.dtypes import as_dtype
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Axes, DTypeLike
from graphc.eager.engine.registry import (
    EAGER,
    as_axis,
    as_dims,
    as_flag,
    as_summed,
    axes_of,
    call,
    eager,
    named,
    step,
)
from graphc.eager.engine.tensor import Tensor, TensorLike
from graphc.errors import AttributeValueError, DTypeError
from graphc.ops.arrays.norms import vector_norm
from graphc.ops.linalg.values import matrix_norm

MaxPair = namedtuple("max", ["values", "indices"])  # type: ignore[name-match]
MinPair = namedtuple("min", ["values", "indices"])  # type: ignore[name-match]
AminmaxPair = namedtuple("aminmax", ["min", "max"])  # type: ignore[name-match]


def _settings(
    x: Any, dim: Axes | None, keepdim: bool, axis: Axes | None, keepdims: bool | None
) -> dict[str, Any]:
    return {
        "axis": axes_of(x, dim if axis is None else axis),
        # One element has no axis that could be kept.
        "keepdims": as_flag(keepdim if keepdims is None else keepdims, "keepdim") and x.ndim > 0,
    }


def _one(name: str) -> Any:
    """Both steps of a reduction: over all axes, over some."""
    return step(name, f"{name.title()}Backward0"), step(name, f"{name.title()}Backward1")


_SUM, _MEAN, _PROD = _one("sum"), _one("mean"), _one("prod")
_ANY, _ALL = _one("any"), _one("all")


def _reduce(
    pair: Any, x: Tensor, dim: Axes | None, keepdim: bool, axis: Axes | None, keepdims: bool | None
) -> Tensor:
    settings = _settings(x, dim, keepdim, axis, keepdims)
    if settings["axis"] is None and not settings["keepdims"]:
        return call(pair[0], x)
    return call(pair[1], x, **settings)


def _reduced_truth(
    pair: Any, x: Tensor, dim: Axes | None, keepdim: bool, axis: Axes | None, keepdims: bool | None
) -> Tensor:
    """`any` and `all`: over an empty list of axes each element for itself, as in PyTorch."""
    if isinstance(dim, list | tuple) and not dim:
        return x.bool()
    found = _reduce(pair, x, dim, keepdim, axis, keepdims)
    # PyTorch keeps uint8, which it once used for bools.
    return found.to(dtypes.uint8) if x.dtype is dtypes.uint8 else found


def _converted(x: Tensor, dtype: DTypeLike | None) -> Tensor:
    return x if dtype is None else x.to(as_dtype(dtype))


@eager("sum")
def sum(
    input: Any, dim: Any = None, keepdim: bool = False, *, dtype: DTypeLike | None = None,
    axis: Any = None, keepdims: Any = None,
) -> Any:  # fmt: skip
    """The sum of all elements, or over axes.

    Args:
        input: a tensor; bools and integers are summed as int64.
        dim: an axis, several, or None for all.
        keepdim: keep the axes, with size 1.
        dtype: convert to it first.
        axis: NumPy's name of dim.
        keepdims: NumPy's name of keepdim.

    Example:
        >>> import graphc as gc
        >>> gc.sum(gc.ones(2, 3), dim=1)
        tensor([3., 3.])
    """
    found = _reduce(_SUM, _converted(input, dtype), dim, keepdim, axis, keepdims)
    return as_summed(found, input, dtype)


@eager("mean")
def mean(
    input: Any, dim: Axes | None = None, keepdim: bool = False, *, dtype: DTypeLike | None = None,
    axis: Axes | None = None, keepdims: bool | None = None,
) -> Any:  # fmt: skip
    """The mean of all elements, or over axes; arguments as for `sum`.

    Raises:
        DTypeError: the tensor is not of a float dtype.

    Example:
        >>> import graphc as gc
        >>> gc.mean(gc.tensor([1.0, 2.0]))
        tensor(1.5000)
    """
    x = _converted(input, dtype)
    if not x.dtype.is_float:
        raise DTypeError(
            f"mean: a tensor of {x.dtype.name} has no mean of its dtype",
            where=caller(),
            hint="convert it: x.float().mean()",
        )
    return _reduce(_MEAN, x, dim, keepdim, axis, keepdims)


@eager("prod")
def prod(
    input: Any, dim: Axes | None = None, keepdim: bool = False, *, dtype: DTypeLike | None = None,
    axis: Axes | None = None, keepdims: bool | None = None,
) -> Any:  # fmt: skip
    """The product of all elements, or over axes; arguments as for `sum`.

    Example:
        >>> import graphc as gc
        >>> gc.prod(gc.tensor([2.0, 3.0]))
        tensor(6.)
    """
    x = _converted(input, dtype)
    found = _reduce(_PROD, x, dim, keepdim, axis, keepdims)
    return as_summed(found, x, dtype)


@eager("any")
def any_(
    input: Any, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: Any = None
) -> Any:
    """Whether any element is true (not 0); arguments as for `sum`.

    Example:
        >>> import graphc as gc
        >>> gc.any(gc.tensor([False, True]))
        tensor(True)
    """
    return _reduced_truth(_ANY, input, dim, keepdim, axis, keepdims)


@eager("all")
def all_(
    input: Any, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: Any = None
) -> Any:
    """Whether all elements are true (not 0); arguments as for `sum`.

    Example:
        >>> import graphc as gc
        >>> gc.all(gc.tensor([False, True]))
        tensor(False)
    """
    return _reduced_truth(_ALL, input, dim, keepdim, axis, keepdims)


_VAR, _STD = step("var", "VarBackward0"), step("std", "StdBackward0")


def _variance(
    run: Any, x: Any, dim: Axes | None, unbiased: bool | None, keepdim: bool, correction: Any,
    axis: Axes | None, keepdims: bool | None, ddof: float | None,
) -> Any:  # fmt: skip
    if isinstance(dim, bool):  # x.var(False): PyTorch's older order of arguments
        dim, unbiased = None, dim
    if ddof is not None:
        correction = ddof
    if unbiased is not None:
        correction = int(unbiased)
    if isinstance(correction, float) and correction.is_integer():
        correction = int(correction)
    settings = _settings(x, dim, keepdim, axis, keepdims)
    return call(run, x, correction=1 if correction is None else correction, **settings)


@eager("var")
def var(
    input: TensorLike, dim: Axes | None = None, unbiased: bool | None = None, keepdim: bool = False,
    *, correction: float | None = None, axis: Axes | None = None, keepdims: bool | None = None,
    ddof: float | None = None,
) -> Any:  # fmt: skip
    """The variance of all elements, or over axes, of a sample unless told otherwise.

    Args:
        input: a float tensor.
        dim: an axis, several, or None for all.
        unbiased: True for correction=1, False for 0.
        keepdim: keep the axes, with size 1.
        correction: taken off the number of elements; 1 unless given.
        axis: NumPy's name of dim.
        keepdims: NumPy's name of keepdim.
        ddof: NumPy's name of correction.

    Example:
        >>> import graphc as gc
        >>> gc.var(gc.tensor([1.0, 3.0]))
        tensor(2.)
    """
    return _variance(_VAR, input, dim, unbiased, keepdim, correction, axis, keepdims, ddof)


@eager("std")
def std(
    input: TensorLike, dim: Axes | None = None, unbiased: bool | None = None, keepdim: bool = False,
    *, correction: float | None = None, axis: Axes | None = None, keepdims: bool | None = None,
    ddof: float | None = None,
) -> Any:  # fmt: skip
    """The square root of `var`, with its arguments.

    Example:
        >>> import graphc as gc
        >>> gc.std(gc.tensor([1.0, 3.0]), correction=0)
        tensor(1.)
    """
    return _variance(_STD, input, dim, unbiased, keepdim, correction, axis, keepdims, ddof)


@eager()
def var_mean(
    input: TensorLike, dim: Axes | None = None, unbiased: bool | None = None, keepdim: bool = False,
    *, correction: float | None = None, axis: Axes | None = None, keepdims: bool | None = None,
) -> Any:  # fmt: skip
    """The pair (variance, mean) over axes; arguments as for `var`.

    Example:
        >>> import graphc as gc
        >>> gc.var_mean(gc.tensor([1.0, 3.0]))
        (tensor(2.), tensor(2.))
    """
    return _with_mean(var, input, dim, unbiased, keepdim, correction, axis, keepdims)


@eager()
def std_mean(
    input: TensorLike, dim: Axes | None = None, unbiased: bool | None = None, keepdim: bool = False,
    *, correction: float | None = None, axis: Axes | None = None, keepdims: bool | None = None,
) -> Any:  # fmt: skip
    """The pair (standard deviation, mean) over axes; arguments as for `var`.

    Example:
        >>> import graphc as gc
        >>> gc.std_mean(gc.tensor([1.0, 2.0, 3.0]))
        (tensor(1.), tensor(2.))
    """
    return _with_mean(std, input, dim, unbiased, keepdim, correction, axis, keepdims)


def _with_mean(
    spread: Any, x: Any, dim: Axes | None, unbiased: bool | None, keepdim: bool,
    correction: float | None, axis: Axes | None, keepdims: bool | None,
) -> Any:  # fmt: skip
    if isinstance(dim, bool):  # x.var_mean(False): PyTorch's older order of arguments
        dim, unbiased = None, dim
    first = spread(
        x, dim, unbiased, keepdim, correction=correction, axis=axis, keepdims=keepdims
    )  # fmt: skip
    return first, mean(x, dim, keepdim, axis=axis, keepdims=keepdims)


def _extreme(name: str) -> Any:
    """The greatest (least) element over all axes, over some, and with its index."""
    position = FUNCTIONS[f"arg{name}"]

    @named(f"{name.title()}Backward0")
    def pair(x: Any, *, axis: int, keepdims: bool) -> Any:
        if not x.type.shape:
            return FUNCTIONS["reshape"](x, ()), FUNCTIONS["full"]((), 0, dtypes.int64)
        index = position(x, axis, True)
        values = FUNCTIONS["take_along_axis"](x, index, axis)
        if keepdims:
            return values, index
        return FUNCTIONS["squeeze"](values, axis), FUNCTIONS["squeeze"](index, axis)

    pair.__name__ = name
    return step(name, f"{name.title()}Backward1"), step(name, f"A{name}Backward0"), pair


_MAX, _MIN = _extreme("max"), _extreme("min")


def _extremes(
    steps: Any, result: Any, other: str, x: Any, dim: Any, keepdim: bool, axis: Any, keepdims: Any
) -> Any:
    if isinstance(dim, Tensor):
        return EAGER[other](x, dim)
    dim, keepdim = dim if axis is None else axis, keepdim if keepdims is None else keepdims
    if dim is None:
        return call(steps[0], x) if not keepdim else call(steps[1], x, axis=None, keepdims=True)
    return result(*call(steps[2], x, axis=as_axis(dim), keepdims=as_flag(keepdim, "keepdim")))


@eager("max")
def max(
    input: TensorLike, dim: Any = None, keepdim: bool = False, *, axis: Axes | None = None,
    keepdims: bool | None = None,
) -> Any:  # fmt: skip
    """The greatest element; along `dim`, the pair (values, indices); of two tensors, the greater.

    `axis` and `keepdims` are NumPy's names of dim and keepdim.

    Example:
        >>> import graphc as gc
        >>> gc.max(gc.tensor([[1.0, 3.0], [2.0, 0.0]]), 1).indices
        tensor([1, 0])
    """
    return _extremes(_MAX, MaxPair, "maximum", input, dim, keepdim, axis, keepdims)


@eager("min")
def min(
    input: TensorLike, dim: Any = None, keepdim: bool = False, *, axis: Axes | None = None,
    keepdims: bool | None = None,
) -> Any:  # fmt: skip
    """The least element; along `dim`, the pair (values, indices); of two tensors, the lesser.

    `axis` and `keepdims` are NumPy's names of dim and keepdim.

    Example:
        >>> import graphc as gc
        >>> gc.min(gc.tensor([[1.0, 3.0], [2.0, 0.0]]), 1).values
        tensor([1., 0.])
    """
    return _extremes(_MIN, MinPair, "minimum", input, dim, keepdim, axis, keepdims)


@eager()
def amax(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The greatest elements over axes; ties share the gradient evenly.

    Example:
        >>> import graphc as gc
        >>> gc.amax(gc.tensor([[1, 5], [3, 2]]), dim=0)
        tensor([3, 5])
    """
    return call(_MAX[1], input, **_settings(input, dim, keepdim, None, None))


@eager()
def amin(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The least elements over axes; ties share the gradient evenly.

    Example:
        >>> import graphc as gc
        >>> gc.amin(gc.tensor([[1, 5], [3, 2]]), dim=1)
        tensor([1, 2])
    """
    return call(_MIN[1], input, **_settings(input, dim, keepdim, None, None))


@eager()
def aminmax(input: TensorLike, *, dim: Axes | None = None, keepdim: bool = False) -> Any:
    """The pair (min, max) over an axis or all.

    Example:
        >>> import graphc as gc
        >>> low, high = gc.aminmax(gc.tensor([3, 1, 2]))
        >>> low, high
        (tensor(1), tensor(3))
    """
    return AminmaxPair(amin(input, dim, keepdim), amax(input, dim, keepdim))


@named("LinalgVectorNormBackward0")
def _norm(x: Operators, *, p: float, axis: Axes | None, keepdims: bool) -> Any:
    return vector_norm(x, p, axis, keepdims)


@eager()
def norm(
    input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False,
    dtype: DTypeLike | None = None,
) -> Any:  # fmt: skip
    """The p-norm of all elements, or over axes; 2 ("fro") unless given, "nuc" for matrices.

    Example:
        >>> import graphc as gc
        >>> gc.norm(gc.tensor([3.0, 4.0]))
        tensor(5.)
    """
    input = _converted(input, dtype)
    p = 2 if p in (None, "fro") else p
    if p == "nuc":
        axes = as_dims(dim) if dim is not None else (0, 1)
        if not isinstance(axes, tuple) or len(axes) != 2 or input.ndim < 2:
            raise AttributeValueError(
                "norm: the nuclear norm is of matrices", where=caller(), hint="give two axes as dim"
            )
        keep = as_flag(keepdim, "keepdim")
        return call(matrix_norm, input, p=p, axes=axes, keepdims=keep, title="norm")
    if isinstance(p, str):
        raise AttributeValueError(
            f"norm: p={p!r} is none of its norms",
            where=caller(),
            hint='p is a number, inf, -inf, "fro" or "nuc"',
        )
    return call(_norm, input, p=float(p), **_settings(input, dim, keepdim, None, None))


_logsumexp = step("logsumexp", "LogsumexpBackward0")


@eager("logsumexp")
def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Any:
    """log(sum(exp(x))) over axes, without overflow.

    Example:
        >>> import graphc as gc
        >>> gc.logsumexp(gc.tensor([1000.0, 1000.0]), dim=0)
        tensor(1000.6932)
    """
    return call(_logsumexp, input, **_settings(input, dim, keepdim, None, None))

"""Reductions as users call them: with `axis` and `keepdims`, NumPy's dtypes, and compositions.

sum prod max min any all argmax argmin mean var std logsumexp count_nonzero; amax and amin.
"""

from __future__ import annotations

from typing import Any

from graphc.core import dims, dtypes
from graphc.core.ir import Op, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Axes, Operand
from graphc.errors import DTypeError, ShapeError
from graphc.ops.arrays.nonempty import nonempty
from graphc.ops.arrays.norms import root
from graphc.ops.arrays.reduce import ALL_OP, ANY_OP, ARGMAX, ARGMIN, MAX, MIN, PROD, SUM
from graphc.ops.declare import (
    as_tensor,
    check_axes,
    check_axis,
    conform,
    describe,
    public,
    rounded_once,
)


def _reduced(op: Op, x: Any, axes: tuple[int, ...], keepdims: bool, filled: bool = False) -> Any:
    """The reduction; with `filled` one that stops at an axis that turns out to be empty."""
    if not axes:
        return x
    y = op(x, axes=axes)
    if filled:
        y = nonempty(y, op.name, {a: x.type.shape[a] for a in axes})
    return kept(y, x, axes) if keepdims else y


def kept(y: Operand, x: Any, axes: tuple[int, ...]) -> Any:
    """A reduction of x over axes with these axes again, of size 1."""
    shape = [1 if a in axes else d for a, d in enumerate(x.type.shape)]
    return FUNCTIONS["reshape"](y, shape)


def _accumulating(name: str, x: Operand) -> Any:
    """An operand in the dtype in which NumPy sums it: small integers in 64 bits."""
    x = as_tensor(x, name)
    kind = x.type.dtype.kind
    if kind == "float":
        return x
    return FUNCTIONS["cast"](x, dtypes.uint64 if kind == "uint" else dtypes.int64)


@public
def sum(x: Any, axis: Axes | None = None, keepdims: bool = False) -> Any:
    """The sum over axes.

    Args:
        x: a tensor; bools and signed integers are summed as int64, unsigned ones as uint64,
            float16 and bfloat16 in float32 with one rounding at the end.
        axis: an axis, several, or None for all.
        keepdims: keep the axes, with size 1.
    """
    x = _accumulating("sum", x)
    return _reduced(SUM, x, check_axes("sum", axis, len(x.type.shape)), keepdims)


@public
def prod(x: Any, axis: Axes | None = None, keepdims: bool = False) -> Any:
    """The product over axes; its gradient is exact where elements are 0.

    Args:
        x: a tensor; dtypes as for `sum`.
        axis: an axis, several, or None for all.
        keepdims: keep the axes, with size 1.
    """
    x = _accumulating("prod", x)
    return _reduced(PROD, x, check_axes("prod", axis, len(x.type.shape)), keepdims)


def _check_filled(name: str, x: Operators, axes: tuple[int, ...]) -> None:
    empty = [a for a in axes if x.type.shape[a] == 0]
    if empty:
        raise ShapeError(
            f"{name}: axis {empty[0]} of {x.type} is empty", [describe(x)], where=caller()
        )


def _extreme(op: Op, x: Operand, axis: Any, keepdims: bool) -> Any:
    x = as_tensor(x, op.name)
    axes = check_axes(op.name, axis, len(x.type.shape))
    _check_filled(op.name, x, axes)
    return _reduced(op, x, axes, keepdims, filled=True)


@public
def max(x: Operand, axis: Axes | None = None, keepdims: bool = False) -> Any:
    """The greatest element over axes; nan if one is nan.

    Elements that tie share the gradient evenly, as in PyTorch's `amax`.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: keep the axes, with size 1.

    Raises:
        ShapeError: an axis has size 0; when the program runs, if a symbolic size is.
    """
    return _extreme(MAX, x, axis, keepdims)


@public
def min(x: Operand, axis: Axes | None = None, keepdims: bool = False) -> Any:
    """The least element over axes; nan if one is nan.

    Elements that tie share the gradient evenly, as in PyTorch's `amin`.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: keep the axes, with size 1.

    Raises:
        ShapeError: an axis has size 0; when the program runs, if a symbolic size is.
    """
    return _extreme(MIN, x, axis, keepdims)


public(max, "amax")
public(min, "amin")


def _truth(op: Op, x: Any, axis: Any, keepdims: bool) -> Any:
    x = FUNCTIONS["cast"](as_tensor(x, op.name), dtypes.bool_)
    return _reduced(op, x, check_axes(op.name, axis, len(x.type.shape)), keepdims)


@public
def any(x: Operand, axis: Axes | None = None, keepdims: bool = False) -> Any:
    """Whether some element over axes is true (not 0); False of none.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: keep the axes, with size 1.
    """
    return _truth(ANY_OP, x, axis, keepdims)


@public
def all(x: Operand, axis: Axes | None = None, keepdims: bool = False) -> Any:
    """Whether all elements over axes are true (not 0); True of none.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: keep the axes, with size 1.
    """
    return _truth(ALL_OP, x, axis, keepdims)


def _position(op: Op, x: Operand, axis: Axes | None, keepdims: bool) -> Any:
    x = as_tensor(x, op.name)
    rank = len(x.type.shape)
    if axis is None:
        flat = FUNCTIONS["reshape"](x, (x.type.size,))
        _check_filled(op.name, flat, (0,))
        y = _reduced(op, flat, (0,), False, filled=True)
        return FUNCTIONS["reshape"](y, (1,) * rank) if keepdims else y
    axes = (check_axis(op.name, axis, rank),)
    _check_filled(op.name, x, axes)
    return _reduced(op, x, axes, keepdims, filled=True)


@public
def argmax(x: Operand, axis: Axes | None = None, keepdims: bool = False) -> Any:
    """The index of the first greatest element, or of the first nan; int64.

    Args:
        x: a tensor.
        axis: the axis; None takes the flattened tensor.
        keepdims: keep the axis, with size 1.

    Raises:
        ShapeError: the axis has size 0; when the program runs, if a symbolic size is.
    """
    return _position(ARGMAX, x, axis, keepdims)


@public
def argmin(x: Operand, axis: Axes | None = None, keepdims: bool = False) -> Any:
    """The index of the first least element, or of the first nan; int64.

    Args:
        x: a tensor.
        axis: the axis; None takes the flattened tensor.
        keepdims: keep the axis, with size 1.

    Raises:
        ShapeError: the axis has size 0; when the program runs, if a symbolic size is.
    """
    return _position(ARGMIN, x, axis, keepdims)


@public
def count_nonzero(x: Operand, axis: Axes | None = None, keepdims: bool = False) -> Any:
    """How many elements over axes are not 0; int64.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: keep the axes, with size 1.
    """
    return sum(FUNCTIONS["cast"](as_tensor(x, "count_nonzero"), dtypes.bool_), axis, keepdims)


def _averaged(name: str, x: Operand) -> tuple[Any, dtypes.DType]:
    """An operand as floats to average, narrow ones as float32, and the result's dtype."""
    x = as_tensor(x, name)
    if not x.type.dtype.is_float:
        return FUNCTIONS["cast"](x, dtypes.float64), dtypes.float64
    return FUNCTIONS["cast"](x, x.type.dtype.compute), x.type.dtype


def _number(x: Any, axes: tuple[int, ...], correction: float = 0) -> Any:
    """How many elements of x axes hold, less `correction`."""
    count = dims.product(x.type.shape[a] for a in axes)
    if isinstance(correction, float):
        size = count if isinstance(count, int) else FUNCTIONS["size"](count, x.type.dtype)
        return FUNCTIONS["maximum"](FUNCTIONS["cast"](size, x.type.dtype) - correction, 0)
    count = dims.maximum(count - correction, 0)
    return count if isinstance(count, int) else FUNCTIONS["size"](count, x.type.dtype)


def _mean(x: Operand, axes: tuple[int, ...]) -> Any:
    """The mean over axes, which stay with size 1."""
    return _reduced(SUM, x, axes, True) / _number(x, axes)


def variance(distance: Any, axes: tuple[int, ...], correction: float = 0) -> Any:
    """The mean square of distances from a mean, over axes that stay with size 1.

    The mean of large numbers is rounded, so distances from it have a mean of their own, whose
    square is taken off. It is no function of them (exact distances have none), hence no gradient.

    Args:
        distance: floats, less their mean over the axes.
        axes: positive ones.
        correction: taken off the number of elements.
    """
    total = _reduced(SUM, distance * distance, axes, True)
    rest = _reduced(SUM, distance, axes, True) * _mean(distance, axes)
    total = total - FUNCTIONS["stop_gradient"](FUNCTIONS["minimum"](rest, total))
    return total / _number(distance, axes, correction)


def _finish(y: Operators, axes: tuple[int, ...], keepdims: bool, dtype: dtypes.DType) -> Any:
    if axes and not keepdims:
        y = FUNCTIONS["reshape"](y, [d for a, d in enumerate(y.type.shape) if a not in axes])
    return FUNCTIONS["cast"](y, dtype)


@public
def mean(x: Any, axis: Axes | None = None, keepdims: bool = False) -> Any:
    """The mean over axes; nan of none.

    Args:
        x: a tensor; bools and integers give float64.
        axis: an axis, several, or None for all.
        keepdims: keep the axes, with size 1.
    """
    x, dtype = _averaged("mean", x)
    axes = check_axes("mean", axis, len(x.type.shape))
    return _finish(_mean(x, axes), axes, keepdims, dtype)


@public
def var(x: Any, axis: Axes | None = None, *, keepdims: bool = False, correction: float = 1) -> Any:
    """The mean over axes of the squared distance from the mean, of a sample unless told otherwise.

    Args:
        x: a tensor; bools and integers give float64.
        axis: an axis, several, or None for all.
        keepdims: keep the axes, with size 1.
        correction: taken off the number of elements (NumPy's ddof). With 1, as in PyTorch, it is
            an estimate of the variance of what was sampled; NumPy has 0.
    """
    x, dtype = _averaged("var", x)
    axes = check_axes("var", axis, len(x.type.shape))
    if isinstance(correction, bool) or not isinstance(correction, int | float):
        raise DTypeError(f"var: correction must be a number, not {correction!r}", where=caller())
    distance = x - _mean(x, axes)
    return _finish(variance(distance, axes, correction), axes, keepdims, dtype)


@public
def std(
    x: Operand, axis: Axes | None = None, *, keepdims: bool = False, correction: float = 1
) -> Any:
    """The square root of `var`, with its arguments; its gradient is 0 where it is 0."""
    return root(var(x, axis, keepdims=keepdims, correction=correction))


@public
@rounded_once
def logsumexp(x: Operand, axis: Axes | None = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over axes, without overflow; -inf of all -inf, and of none.

    Args:
        x: a tensor; integers become floats as for `exp`.
        axis: an axis, several, or None for all.
        keepdims: keep the axes, with size 1.
    """
    (x,) = conform("logsumexp", [x], "float")
    axes = check_axes("logsumexp", axis, len(x.type.shape))
    if not axes:
        return x
    top = FUNCTIONS["stop_gradient"](_reduced(MAX, x, axes, True))
    top = FUNCTIONS["where"](FUNCTIONS["isfinite"](top), top, 0)
    total = _reduced(SUM, FUNCTIONS["exp"](x - top), axes, True)
    return _finish(FUNCTIONS["log"](total) + top, axes, keepdims, x.type.dtype)

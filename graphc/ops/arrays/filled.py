"""Tensors from a rule: zeros, ones, their likes, arange, eye, linspace."""

from __future__ import annotations

from typing import Any

from graphc.core import dims, dtypes
from graphc.core.dims import Size
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS
from graphc.core.typing import DTypeLike, Operand, ShapeLike, Values
from graphc.errors import ArgumentError
from graphc.ops.declare import as_symbolic, as_tensor, bring, public
from graphc.ops.sizes import as_size
from graphc.ops.source import as_shape


@public
def zeros(shape: ShapeLike, dtype: DTypeLike = dtypes.float32) -> Any:
    """A tensor of zeros; float32 unless told."""
    return FUNCTIONS["full"](shape, 0, dtype)


@public
def ones(shape: ShapeLike, dtype: DTypeLike = dtypes.float32) -> Any:
    """A tensor of ones; float32 unless told."""
    return FUNCTIONS["full"](shape, 1, dtype)


@public
def full_like(x: Operand, value: Values, dtype: DTypeLike | None = None) -> Any:
    """A tensor of x's shape, and dtype unless told, filled with one number."""
    x = as_tensor(x, "full_like")
    return FUNCTIONS["full"](x.type.shape, value, x.type.dtype if dtype is None else dtype)


@public
def zeros_like(x: Operand, dtype: DTypeLike | None = None) -> Any:
    """A tensor of zeros of x's shape, and dtype unless told."""
    return full_like(x, 0, dtype)


@public
def ones_like(x: Operand, dtype: DTypeLike | None = None) -> Any:
    """A tensor of ones of x's shape, and dtype unless told."""
    return full_like(x, 1, dtype)


@public
def arange(start: Any, stop: Any = None, step: int = 1, dtype: DTypeLike = dtypes.int64) -> Any:
    """The numbers from start (0 unless both are given) to before stop, by step.

    Args:
        start: an int, a symbolic dimension or a 0-d integer tensor; the stop when it is alone.
        stop: such a number.
        step: an int other than 0.
        dtype: int64 unless given.
    """
    start, stop = (0, start) if stop is None else (start, stop)
    start, stop = as_size("arange", start), as_size("arange", stop)
    if any(isinstance(v, bool) or not isinstance(v, int | dims.Dim) for v in (start, stop, step)):
        raise ArgumentError(
            f"arange: {start!r}, {stop!r}, {step!r} are not all sizes or ints", where=caller()
        )
    if not isinstance(step, int) or step == 0:
        raise ArgumentError(f"arange: step {step!r}", where=caller())
    up = step if step > 0 else -step
    span = stop - start if step > 0 else start - stop
    kind = dtypes.as_dtype(dtype)
    numbers = FUNCTIONS["iota"]((dims.maximum((span + up - 1) // up, 0),), 0, kind)
    numbers = numbers if step == 1 else numbers * step
    return numbers if start == 0 else numbers + FUNCTIONS["size"](start, kind)


@public
def eye(n: Size, m: Any = None, k: int = 0, dtype: DTypeLike = dtypes.float32) -> Any:
    """A matrix of zeros with ones on diagonal k.

    Args:
        n: the number of rows.
        m: the number of columns; n unless given.
        k: the diagonal, above the main one when positive.
        dtype: float32 unless given.
    """
    shape = as_shape("eye", (n, n if m is None else m))
    rows, columns = FUNCTIONS["iota"](shape, 0), FUNCTIONS["iota"](shape, 1)
    return FUNCTIONS["cast"](FUNCTIONS["equal"](columns, rows + k), dtypes.as_dtype(dtype))


@public
def linspace(start: Operand, end: Operand, steps: Any, *, dtype: DTypeLike | None = None) -> Any:
    """Numbers from start to end, both included, at equal distances; computed in float64.

    Args:
        start: a number or a 0-d tensor.
        end: a number or a 0-d tensor.
        steps: how many: an int or a symbolic dimension.
        dtype: float32 unless given.
    """
    kind = dtypes.float32 if dtype is None else dtypes.as_dtype(dtype)
    wide, size = dtypes.float64, FUNCTIONS["size"]
    (count,) = as_shape("linspace", (steps,))
    first, last = (bring(as_symbolic(v), wide, ()) for v in (start, end))
    number = FUNCTIONS["iota"]((count,), 0, wide)
    step = (last - first) / size(dims.maximum(count - 1, 1), wide)
    # Of one step it is the start.
    is_last = number == size(dims.maximum(count - 1, 1), wide)
    return FUNCTIONS["cast"](FUNCTIONS["where"](is_last, last, first + number * step), kind)

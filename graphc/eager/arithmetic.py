"""Arithmetic by PyTorch's names: alpha, rounding modes, the fused products and sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.eager.registry import EAGER, as_eager, call, eager, eager_form, named
from graphc.eager.tensor import Tensor
from graphc.errors import AttributeValueError
from graphc.ir import caller
from graphc.operators import FUNCTIONS

_F = FUNCTIONS
NAMES = {
    "add": "AddBackward0", "subtract": "SubBackward0", "multiply": "MulBackward0",
    "divide": "DivBackward0", "negative": "NegBackward0", "absolute": "AbsBackward0",
    "power": "PowBackward1", "remainder": "RemainderBackward0", "arctan2": "Atan2Backward0",
    "exp2": "Exp2Backward0", "arcsin": "AsinBackward0", "arccos": "AcosBackward0",
    "arctan": "AtanBackward0", "arcsinh": "AsinhBackward0", "arccosh": "AcoshBackward0",
    "arctanh": "AtanhBackward0", "cast": "ToCopyBackward0",
    "logaddexp": "LogaddexpBackward0", "expm1": "Expm1Backward0", "log1p": "Log1PBackward0",
    "matmul": "MmBackward0", "concat": "CatBackward0", "clip": "ClampBackward0",
    "stop_gradient": "DetachBackward0", "take": "IndexSelectBackward0",
}  # fmt: skip
for _name, _backward in NAMES.items():
    FUNCTIONS[_name].backward_name = _backward  # type: ignore[attr-defined]

ADD, SUB, MUL = (eager_form(n, _F[n]) for n in ("add", "subtract", "multiply"))
DIV, REMAINDER = eager_form("divide", _F["divide"]), eager_form("remainder", _F["remainder"])
FLOOR_DIVIDE = eager_form("floor_divide", _F["floor_divide"])
TRUNC, FLOOR = eager_form("trunc", _F["trunc"]), eager_form("floor", _F["floor"])


@eager("add")
def add(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """input + alpha * other, elementwise, broadcast.

    Example:
        >>> import graphc as gc
        >>> gc.add(gc.ones(2), gc.ones(2), alpha=3)
        tensor([4., 4.])
    """
    return ADD(input, other if alpha == 1 else MUL(other, alpha))


@eager("sub", "subtract")
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """input - alpha * other, elementwise, broadcast.

    Example:
        >>> import graphc as gc
        >>> gc.sub(gc.ones(2), 3)
        tensor([-2., -2.])
    """
    return SUB(input, other if alpha == 1 else MUL(other, alpha))


@eager("rsub")
def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """other - alpha * input, elementwise.

    Example:
        >>> import graphc as gc
        >>> gc.rsub(gc.ones(2), 3)
        tensor([2., 2.])
    """
    return SUB(other, input if alpha == 1 else MUL(input, alpha))


@eager("mul", "multiply")
def mul(input: Any, other: Any) -> Any:
    """input * other, elementwise, broadcast.

    Example:
        >>> import graphc as gc
        >>> gc.mul(gc.ones(2), 3)
        tensor([3., 3.])
    """
    return MUL(input, other)


@eager("div", "divide", "true_divide")
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """input / other, elementwise, broadcast.

    Args:
        input: tensor or number.
        other: tensor or number.
        rounding_mode: None for the quotient itself, "floor" or "trunc" to round it.

    Example:
        >>> import graphc as gc
        >>> gc.div(gc.tensor([7.0, -7.0]), 2, rounding_mode="floor")
        tensor([ 3., -4.])
    """
    if rounding_mode is None:
        return DIV(input, other)
    if rounding_mode == "floor":
        return FLOOR_DIVIDE(input, other)
    if rounding_mode != "trunc":
        raise AttributeValueError(
            f"div: rounding_mode={rounding_mode!r}",
            where=caller(),
            hint='one of None, "floor" and "trunc"',
        )
    if isinstance(input, Tensor) and input.dtype.is_integer and not _is_float(other):
        quotient = FLOOR_DIVIDE(input, other)
        return ADD(quotient, _wants_one_more(input, other, quotient))
    return TRUNC(DIV(input, other))


def _is_float(value: Any) -> bool:
    return value.dtype.is_float if isinstance(value, Tensor) else isinstance(value, float)


def _wants_one_more(input: Any, other: Any, quotient: Any) -> Any:
    """1 where the rounded-down quotient of integers is below 0 and not exact."""
    inexact = EAGER["ne"](MUL(quotient, other), input)
    return EAGER["logical_and"](inexact, EAGER["lt"](quotient, 0)).to(quotient.dtype)


@named("PowBackward0")
def _power(x: Any, *, exponent: Any) -> Any:
    return FUNCTIONS["power"](x, exponent)


_POWER = eager_form("power", _F["power"])


@eager("pow", "power")
def pow(input: Any, exponent: Any) -> Any:
    """input to the power exponent, elementwise, broadcast.

    Example:
        >>> import graphc as gc
        >>> gc.pow(gc.tensor([1.0, 2.0, 3.0]), 2)
        tensor([1., 4., 9.])
    """
    if isinstance(input, Tensor) and isinstance(exponent, bool | int | float):
        return call(_power, input, exponent=exponent)
    return _POWER(input, exponent)


@named("RoundBackward0")
def _rounded(x: Any, *, decimals: int) -> Any:
    return FUNCTIONS["round"](x, decimals)


@eager("round")
def round(input: Any, *, decimals: int = 0) -> Any:
    """input rounded to `decimals` places, halves to even.

    Example:
        >>> import graphc as gc
        >>> gc.round(gc.tensor([0.5, 1.5, 2.7]))
        tensor([0., 2., 3.])
    """
    return call(_rounded, input, decimals=decimals)


@named("ClampBackward1")
def _clamped(x: Any, *bounds: Any, low: bool, high: bool) -> Any:
    given = iter(bounds)
    return FUNCTIONS["clip"](x, next(given) if low else None, next(given) if high else None)


@eager("clamp", "clip")
def clamp(input: Any, min: Any = None, max: Any = None) -> Any:
    """input where it lies in [min, max], elsewhere the nearer bound.

    Example:
        >>> import graphc as gc
        >>> gc.clamp(gc.tensor([-2.0, 0.5, 2.0]), -1, 1)
        tensor([-1.0000,  0.5000,  1.0000])
    """
    given = [as_eager(b, input) for b in (min, max) if b is not None]
    return call(_clamped, input, *given, low=min is not None, high=max is not None)


@eager("clamp_min")
def clamp_min(input: Any, min: Any) -> Any:
    """`clamp` with a lower bound alone."""
    return clamp(input, min=min)


@eager("clamp_max")
def clamp_max(input: Any, max: Any) -> Any:
    """`clamp` with an upper bound alone."""
    return clamp(input, max=max)


@named("LerpBackward0")
def _lerp(start: Any, end: Any, weight: Any) -> Any:
    return start + weight * (end - start)


@eager()
def lerp(input: Any, end: Any, weight: Any) -> Any:
    """input + weight * (end - input), elementwise.

    Example:
        >>> import graphc as gc
        >>> gc.lerp(gc.zeros(2), gc.ones(2), 0.25)
        tensor([0.2500, 0.2500])
    """
    return call(_lerp, input, as_eager(end, input), as_eager(weight, input))


@named("AddcmulBackward0")
def _addcmul(x: Any, a: Any, b: Any, value: Any) -> Any:
    return x + value * (a * b)


@named("AddcdivBackward0")
def _addcdiv(x: Any, a: Any, b: Any, value: Any) -> Any:
    return x + value * (a / b)


@eager()
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value * tensor1 * tensor2, elementwise.

    Example:
        >>> import graphc as gc
        >>> gc.addcmul(gc.ones(2), gc.ones(2), gc.ones(2), value=2)
        tensor([3., 3.])
    """
    return call(_addcmul, input, tensor1, tensor2, as_eager(value, input))


@eager()
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value * tensor1 / tensor2, elementwise.

    Example:
        >>> import graphc as gc
        >>> gc.addcdiv(gc.ones(2), gc.ones(2), gc.ones(2), value=2)
        tensor([3., 3.])
    """
    return call(_addcdiv, input, tensor1, tensor2, as_eager(value, input))


@named("FracBackward0")
def _frac(x: Any) -> Any:
    return x - FUNCTIONS["trunc"](x)


@eager()
def frac(input: Any) -> Any:
    """The part of input after the point, with its sign.

    Example:
        >>> import graphc as gc
        >>> gc.frac(gc.tensor([1.5, -2.25]))
        tensor([ 0.5000, -0.2500])
    """
    return call(_frac, input)


@named("LogitBackward0")
def _logit(x: Any, *, eps: float | None) -> Any:
    x = x if eps is None else FUNCTIONS["clip"](x, eps, 1 - eps)
    return FUNCTIONS["log"](x / (1 - x))


@eager()
def logit(input: Any, eps: float | None = None) -> Any:
    """log(x / (1 - x)), the inverse of the sigmoid.

    Example:
        >>> import graphc as gc
        >>> gc.logit(gc.tensor([0.5]))
        tensor([0.])
    """
    return call(_logit, input, eps=eps)


@named("NanToNumBackward0")
def _nan_to_num(x: Any, *, nan: float, posinf: float, neginf: float) -> Any:
    where = FUNCTIONS["where"]
    x = where(FUNCTIONS["isnan"](x), nan, x)
    x = where(x == float("inf"), posinf, x)
    return where(x == float("-inf"), neginf, x)


@eager()
def nan_to_num(
    input: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """input with nan and the infinities replaced (by 0 and the dtype's extremes unless given).

    Example:
        >>> import graphc as gc
        >>> gc.nan_to_num(gc.tensor([float("nan"), 1.0]))
        tensor([0., 1.])
    """
    if not input.dtype.is_float:
        return input.clone()
    most = float(_greatest(input.dtype))
    return call(
        _nan_to_num, input, nan=nan, posinf=most if posinf is None else posinf,
        neginf=-most if neginf is None else neginf,
    )  # fmt: skip


def _greatest(dtype: Any) -> float:
    return float(np.finfo(dtype.numpy).max)


for _torch, _own in {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
    "ge": "greater_equal", "not_equal": "not_equal", "less": "less", "less_equal": "less_equal",
    "greater": "greater", "greater_equal": "greater_equal", "neg": "negative",
    "logical_and": "logical_and", "sgn": "sign", "concatenate": "concat", "fix": "trunc",
    "special_erf": "erf",
}.items():  # fmt: skip
    EAGER.setdefault(_torch, eager_form(_own, FUNCTIONS[_own]))

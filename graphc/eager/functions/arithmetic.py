"""Arithmetic by PyTorch's names: alpha, rounding modes, the fused products and sums."""

from __future__ import annotations

from typing import Any

from graphc.core.dtypes import bool_
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine import promotion
from graphc.eager.engine.dispatch import eager_form
from graphc.eager.engine.registry import EAGER, as_eager, call, eager, named, step
from graphc.eager.engine.tensor import Tensor, TensorLike
from graphc.errors import ArgumentError, AttributeValueError, DivisionError
from graphc.ops.elementwise.division import by_zero

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
DIV = eager_form("divide", _F["divide"])
TRUNC, FLOOR = eager_form("trunc", _F["trunc"]), eager_form("floor", _F["floor"])


def _times(value: Any, alpha: float, beside: Any) -> Any:
    """A term of a sum by its factor, which may not make floats of integers."""
    if isinstance(alpha, int | float) and alpha == 1:
        return value
    if isinstance(alpha, float) and not (_is_float(value) or _is_float(beside)):
        raise ArgumentError(
            f"alpha={alpha!r} is a float, and both terms are of integers",
            where=caller(),
            hint="convert one of them: x.float()",
        )
    scaled = value * alpha if _is_number(value) and _is_number(alpha) else MUL(value, alpha)
    if not all(isinstance(v, bool) or getattr(v, "dtype", None) is bool_ for v in (value, beside)):
        return scaled
    return scaled.bool() if isinstance(scaled, Tensor) else bool(scaled)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


@eager("add")
def add(input: TensorLike, other: TensorLike, *, alpha: float = 1) -> Any:
    """input + alpha * other, elementwise, broadcast.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2)
        >>> gc.add(x, gc.ones(2), alpha=3)
        tensor([4., 4.])
    """
    return ADD(input, _times(other, alpha, input))


@eager("sub", "subtract")
def sub(input: TensorLike, other: TensorLike, *, alpha: float = 1) -> Any:
    """input - alpha * other, elementwise, broadcast.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2)
        >>> gc.sub(x, 3)
        tensor([-2., -2.])
    """
    return SUB(input, _times(other, alpha, input))


@eager("rsub")
def rsub(input: TensorLike, other: TensorLike, *, alpha: float = 1) -> Any:
    """other - alpha * input, elementwise.

    Example:
        >>> import graphc as gc
        >>> gc.rsub(gc.ones(2), 3)
        tensor([2., 2.])
    """
    return SUB(other, _times(input, alpha, other))


def _by_integers(name: str, *others: str) -> Any:
    """A quotient that integers do not have by 0; of floats it is inf or nan."""
    form = eager_form(name, _F[name])

    def apply(input: TensorLike, other: TensorLike) -> Any:
        _check_divisor(name, input, other)
        return form(input, other)

    apply.__doc__ = _F[name].__doc__
    return eager(name, *others)(apply)


def _check_divisor(name: str, input: TensorLike, other: TensorLike) -> None:
    """Refuse whole numbers divided by 0, where the numbers are known."""
    if _is_float(input) or _is_float(other):
        return
    if isinstance(other, Tensor):
        zero = other._node is None and not other._array.all()
    else:
        zero = isinstance(other, int) and other == 0
    if zero and not (isinstance(input, Tensor) and 0 in input.type.shape):
        error = by_zero(name)
        raise DivisionError(error.what, where=caller(), hint=error.hint)


FLOOR_DIVIDE = _by_integers("floor_divide")
_by_integers("remainder", "mod")
_by_integers("fmod")


@eager("mul", "multiply")
def mul(input: TensorLike, other: TensorLike) -> Any:
    """input * other, elementwise, broadcast.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2)
        >>> gc.mul(x, 3)
        tensor([3., 3.])
    """
    return MUL(input, other)


@eager("div", "divide", "true_divide")
def div(input: TensorLike, other: TensorLike, *, rounding_mode: str | None = None) -> Any:
    """input / other, elementwise, broadcast.

    Args:
        input: tensor or number.
        other: tensor or number.
        rounding_mode: None for the quotient itself, "floor" or "trunc" to round it.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([7.0, -7.0])
        >>> gc.div(x, 2, rounding_mode="floor")
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
    if not _is_float(input) and not _is_float(other):
        _check_divisor("div", input, other)
        quotient = FLOOR_DIVIDE(input, other)
        return ADD(quotient, _wants_one_more(input, other, quotient))
    return TRUNC(DIV(input, other))


def _is_float(value: Any) -> bool:
    return value.dtype.is_float if isinstance(value, Tensor) else isinstance(value, float)


def _wants_one_more(input: TensorLike, other: TensorLike, quotient: Any) -> Any:
    """1 where the rounded-down quotient of integers is below 0 and not exact."""
    inexact = EAGER["ne"](MUL(quotient, other), input)
    return EAGER["logical_and"](inexact, EAGER["lt"](quotient, 0)).to(quotient.dtype)


@named("PowBackward0")
def _power(x: Operators, *, exponent: Operators) -> Any:
    return FUNCTIONS["power"](x, exponent)


_POWER = eager_form("power", _F["power"])


@eager("pow", "power")
def pow(input: TensorLike, exponent: TensorLike) -> Any:
    """input to the power exponent, elementwise, broadcast.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([1.0, 2.0, 3.0])
        >>> gc.pow(x, 2)
        tensor([1., 4., 9.])
    """
    if isinstance(input, Tensor) and isinstance(exponent, bool | int | float):
        if input.dtype is bool_ and not isinstance(exponent, bool | float):
            input = input.long()
        return call(_power, input, exponent=exponent)
    if isinstance(exponent, Tensor) and exponent.dtype is bool_ and isinstance(input, int):
        exponent = exponent if isinstance(input, bool) else exponent.long()
    if isinstance(exponent, Tensor) and exponent.dtype.kind == "int" and not _is_float(input):
        return call(_integer_power, as_eager(input, exponent), exponent)
    return _POWER(input, exponent)


def _integer_power(x: Operators, exponent: Operators) -> Any:
    """Integers to powers that may be negative, where only 1 and -1 leave integers other than 0."""
    where, equal = _F["where"], _F["equal"]
    negative = _F["less"](exponent, 0)
    whole = _F["power"](x, where(negative, 0, exponent))
    odd = equal(_F["remainder"](exponent, 2), 1)
    minus = where(equal(x, -1), where(odd, -1, 1), 0) if x.type.dtype.kind == "int" else 0
    inverse = where(equal(x, 1), 1, minus)
    return where(negative, _F["cast"](inverse, whole.type.dtype), whole)


_rounded = step("round", "RoundBackward0")


@eager("round")
def round(input: Any, *, decimals: int = 0) -> Any:
    """input rounded to `decimals` places, halves to even.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([0.5, 1.5, 2.7])
        >>> gc.round(x)
        tensor([0., 2., 3.])
    """
    return call(_rounded, input, decimals=decimals)


@named("ClampBackward1")
def _clamped(x: Operators, *bounds: Any, low: bool, high: bool) -> Any:
    given = iter(bounds)
    return FUNCTIONS["clip"](x, next(given) if low else None, next(given) if high else None)


@eager("clamp", "clip")
def clamp(input: Any, min: Any = None, max: Any = None) -> Any:
    """input where it lies in [min, max], elsewhere the nearer bound.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([-2.0, 0.5, 2.0])
        >>> gc.clamp(x, -1, 1)
        tensor([-1.0000,  0.5000,  1.0000])
    """
    if isinstance(input, bool | int | float):
        raise ArgumentError(f"clamp: {input!r} is not a tensor", where=caller())
    given = [as_eager(b, input) for b in (min, max) if b is not None]
    if not given:
        raise ArgumentError("clamp: neither min nor max is given", where=caller())
    return call(_clamped, input, *given, low=min is not None, high=max is not None)


@eager("clamp_min")
def clamp_min(input: TensorLike, min: TensorLike) -> Any:
    """`clamp` with a lower bound alone.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([-1.0, 0.5])
        >>> gc.clamp_min(x, 0.0)
        tensor([0.0000, 0.5000])
    """
    return clamp(input, min=min)


@eager("clamp_max")
def clamp_max(input: TensorLike, max: TensorLike) -> Any:
    """`clamp` with an upper bound alone.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([0.5, 7.0])
        >>> gc.clamp_max(x, 6.0)
        tensor([0.5000, 6.0000])
    """
    return clamp(input, max=max)


@named("LerpBackward0")
def _lerp(start: Operators, end: Operators, weight: Operators) -> Any:
    return start + weight * (end - start)


@eager()
def lerp(input: Any, end: Any, weight: Any) -> Any:
    """input + weight * (end - input), elementwise.

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(2)
        >>> gc.lerp(x, gc.ones(2), 0.25)
        tensor([0.2500, 0.2500])
    """
    return call(_lerp, input, as_eager(end, input), as_eager(weight, input))


@named("AddcmulBackward0")
def _addcmul(x: Operators, a: Operators, b: Operators, value: Operators) -> Any:
    a, b = _in_one_dtype(x, a, b)
    return x + value * (a * b)


def _in_one_dtype(x: Operators, *others: Any) -> Any:
    """Others in the dtype that x has beside them: small integers would overflow in their own."""
    kind = promotion.result_type(x, *others)
    return [_F["cast"](other, kind) for other in others]


@named("AddcdivBackward0")
def _addcdiv(x: Operators, a: Operators, b: Operators, value: Operators) -> Any:
    a, b = _in_one_dtype(x, a, b)
    return x + value * (a / b)


@eager()
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value * tensor1 * tensor2, elementwise.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2)
        >>> gc.addcmul(x, gc.ones(2), gc.ones(2), value=2)
        tensor([3., 3.])
    """
    if isinstance(value, float) and not any(map(_is_float, (input, tensor1, tensor2))):
        value = int(value)  # PyTorch takes the whole part
    return call(_addcmul, input, tensor1, tensor2, as_eager(value, input))


@eager()
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value * tensor1 / tensor2, elementwise.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2)
        >>> gc.addcdiv(x, gc.ones(2), gc.ones(2), value=2)
        tensor([3., 3.])
    """
    return call(_addcdiv, input, tensor1, tensor2, as_eager(value, input))


for _torch, _own in {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
    "ge": "greater_equal", "not_equal": "not_equal", "less": "less", "less_equal": "less_equal",
    "greater": "greater", "greater_equal": "greater_equal", "neg": "negative",
    "logical_and": "logical_and", "concatenate": "concat", "fix": "trunc",
    "special_erf": "erf",
}.items():  # fmt: skip
    EAGER.setdefault(_torch, eager_form(_own, FUNCTIONS[_own]))

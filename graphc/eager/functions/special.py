"""Elementwise functions whose dtypes or bounds are PyTorch's own: logit, sign, heaviside, frac."""

from __future__ import annotations

from typing import Any

from graphc.core.dtypes import DType, bool_
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine.dispatch import eager_form
from graphc.eager.engine.promotion import get_default_dtype
from graphc.eager.engine.registry import call, eager, named
from graphc.eager.engine.tensor import AnyTensor, TensorLike
from graphc.eager.functions.arithmetic import MUL, pow
from graphc.errors import ArgumentError, DTypeError
from graphc.ops.control import GRADIENT_AS

_F = FUNCTIONS


@eager("ldexp")
def ldexp(input: AnyTensor, other: TensorLike) -> Any:
    """input * 2 ** other, elementwise, broadcast.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([1.5])
        >>> gc.ldexp(x, gc.tensor([2]))
        tensor([6.])
    """
    return MUL(input, pow(2.0, other))


def _as_floats(name: str) -> None:
    form = eager_form(name, _F[name])

    def apply(input: AnyTensor) -> Any:
        x = input if input.dtype.is_float else input.to(get_default_dtype())
        return form(x)

    apply.__doc__ = _F[name].__doc__
    eager(name)(apply)


_as_floats("reciprocal")
_SQUARE = eager_form("square", _F["square"])


@eager("square")
def square(input: AnyTensor) -> Any:
    """input * input, elementwise; bools as int64.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([3.0])
        >>> gc.square(x)
        tensor([9.])
    """
    return _SQUARE(input if input.dtype is not bool_ else input.long())


@named("SignBackward0")
def _sign(x: Operators) -> Any:
    found = _F["sign"](x)
    return _F["where"](_F["isnan"](x), 0, found) if x.type.dtype.is_float else found


@eager("sign", "sgn")
def sign(input: Any) -> Any:
    """-1, 0 or 1 by the sign of input, elementwise; 0 for nan, and bools stay as they are.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([-2.0, 0.0, float("nan")])
        >>> gc.sign(x)
        tensor([-1.,  0.,  0.])
    """
    return call(_sign, input) if input.dtype is not bool_ else input.clone()


@named("HeavisideBackward0")
def _heaviside(x: Any, values: Any) -> Any:
    own = _F["where"](_F["greater"](x, 0), 1, 0)
    step = _F["cast"](own, values.type.dtype)
    found = _F["where"](_F["equal"](x, 0), values, step)
    return _F["where"](_F["isnan"](x), _F["cast"](0, values.type.dtype), found)


@eager("heaviside")
def heaviside(input: Any, values: Any) -> Any:
    """0 where input is below 0, 1 where it is above, values where it is 0.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([-1.0, 0.0, 2.0])
        >>> gc.heaviside(x, gc.tensor([0.5]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    for given in (input, values):
        if isinstance(given, bool | int | float):
            raise ArgumentError(f"heaviside: {given!r} is not a tensor", where=caller())
    if input.dtype is not values.dtype:
        raise DTypeError(
            f"heaviside: input of {input.dtype.name} and values of {values.dtype.name}",
            where=caller(),
            hint="convert one of them: values.to(input.dtype)",
        )
    return call(_heaviside, input, values)


@named("FracBackward0")
def _frac(x: Operators) -> Any:
    return x - FUNCTIONS["trunc"](x)


@eager()
def frac(input: Any) -> Any:
    """The part of input after the point, with its sign.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([1.5, -2.25])
        >>> gc.frac(x)
        tensor([ 0.5000, -0.2500])
    """
    return call(_frac, input)


@named("LogitBackward0")
def _logit(x: Operators, *, eps: float | None) -> Any:
    if eps is not None:
        # In this order, also where eps is above 1/2, as PyTorch does.
        high = FUNCTIONS["where"](x > 1 - eps, 1 - eps, x)
        x = FUNCTIONS["where"](x < eps, eps, high)
    log = FUNCTIONS["log"]
    # The derivative of the difference is 1 / x + 1 / (1 - x), which holds at 0 and 1 as well.
    # Outside, where there is no value, there is no slope either.
    inside = FUNCTIONS["where"]((x < 0) | (x > 1), float("nan"), FUNCTIONS["ones_like"](x))
    return GRADIENT_AS(log(x / (1 - x)), (log(x) - log(1 - x)) * inside)


@eager()
def logit(input: Any, eps: float | None = None) -> Any:
    """log(x / (1 - x)), the inverse of the sigmoid.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([0.5])
        >>> gc.logit(x)
        tensor([0.])
    """
    x = input if input.dtype.is_float else input.to(get_default_dtype())
    return call(_logit, x, eps=None if eps is None else float(eps))


@named("NanToNumBackward0")
def _nan_to_num(x: Operators, *, nan: float, posinf: float, neginf: float) -> Any:
    where = FUNCTIONS["where"]
    x = where(FUNCTIONS["isnan"](x), nan, x)
    x = where(x == float("inf"), posinf, x)
    return where(x == float("-inf"), neginf, x)


@eager()
def nan_to_num(
    input: Any, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """input with nan and the infinities replaced (by 0 and the dtype's extremes unless given).

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([float("nan"), 1.0])
        >>> gc.nan_to_num(x)
        tensor([0., 1.])
    """
    if not input.dtype.is_float:
        return input.clone()
    most = float(_greatest(input.dtype))
    return call(
        _nan_to_num, input, nan=0.0 if nan is None else nan,
        posinf=most if posinf is None else posinf,
        neginf=-most if neginf is None else neginf,
    )  # fmt: skip


def _greatest(dtype: DType) -> float:
    return float(dtype.finfo.max)

"""Rounding and neighbouring floats: floor ceil trunc rint round modf nextafter heaviside.

Integers and bools are whole: floor, ceil, trunc and round leave them alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.ir import NoGradient, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.core.typing import Operand
from graphc.errors import DTypeError
from graphc.ops.declare import (
    FLOAT,
    as_tensor,
    binary,
    conform,
    elementwise_op,
    is_pattern,
    is_tensor,
    pieces,
    public,
    unary,
)
from graphc.ops.documented import documented


def _rounding(name: str, words: str, example: str) -> Callable[..., Any]:
    op = elementwise_op(
        name,
        numpy=getattr(np, name),
        scalar=f"{name}({{0}})",
        vjp=pieces,
        kinds=FLOAT,
        doc=f"x rounded {words}, elementwise; its gradient is zero.",
        example=example,
    )

    def function(x: Any) -> Any:
        if is_pattern(x):
            return op(x)
        if is_tensor(x) and not x.type.dtype.is_float:
            return x
        return op(*conform(name, [x], "float"))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = documented(op)
    return public(function, name)


floor = _rounding("floor", "down", example="[1.2, -1.2] -> [ 1., -2.]")
ceil = _rounding("ceil", "up", example="[1.2, -1.2] -> [ 2., -1.]")
trunc = _rounding("trunc", "toward 0", example="[1.7, -1.7] -> [ 1., -1.]")
rint = unary(
    "rint",
    promote="float",
    numpy=np.rint,
    scalar="rint({0})",
    vjp=pieces,
    kinds=FLOAT,
    doc="x rounded to the nearest whole number, halves to the even one, elementwise; a float. Its "
    "gradient is zero.",
    example="[0.5, 1.5, 2.3] -> [0., 2., 2.]",
)


@public
def round(x: Operand, decimals: int = 0) -> Any:
    """x rounded to a number of decimals, halves to the even digit, elementwise.

    As in NumPy this is `rint(x * 10**decimals) / 10**decimals`. The gradient is zero.

    Args:
        x: a tensor; integers stay as they are.
        decimals: 0 or more; for floats also negative.
    """
    x = as_tensor(x, "round")
    if not x.type.dtype.is_float:
        if decimals < 0:
            raise DTypeError(
                f"round: decimals={decimals} of {x.type}",
                where=caller(),
                hint="cast to a float first",
            )
        return x
    if decimals == 0:
        return rint(x)
    scale = 10.0 ** abs(decimals)
    return rint(x * scale) / scale if decimals > 0 else rint(x / scale) * scale


def _not_narrow(x: TensorType, y: TensorType) -> TensorType:
    if x.dtype.wide is not None:
        raise DTypeError(
            f"nextafter: {x.dtype.name} is not supported", where=caller(), hint="cast to float32"
        )
    return x


nextafter = binary(
    "nextafter",
    promote="float",
    numpy=np.nextafter,
    scalar="nextafter({0}, {1})",
    vjp=NoGradient("it steps to a neighbouring float, which is not a smooth function"),
    kinds=FLOAT,
    result=_not_narrow,
    doc="The next float after x toward y, elementwise; float32 and float64.",
    example="[0.0], [1.0] -> [1.4013e-45]",
)


@public
def heaviside(x: Operand, y: Operand) -> Any:
    """0 where x is negative, y where it is 0, 1 where it is positive, nan where it is nan."""
    x, y = conform("heaviside", [x, y], "float")
    where = FUNCTIONS["where"]
    return where(x < 0, 0, where(x == 0, y, where(FUNCTIONS["isnan"](x), x, 1)))


@public
def modf(x: Operand) -> tuple[Any, Any]:
    """The fraction and the whole part of x, elementwise, both with the sign of x.

    Example:
        >>> import graphc as gc
        >>> gc.modf(gc.tensor([1.5, -2.25]))
        (tensor([ 0.5000, -0.2500]), tensor([ 1., -2.]))
    """
    (x,) = conform("modf", [x], "float")
    whole = trunc(x)
    none = FUNCTIONS["copysign"](0.0, x)
    return FUNCTIONS["where"](FUNCTIONS["isinf"](x), none, FUNCTIONS["fmod"](x, 1)), whole

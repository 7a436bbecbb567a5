"""Numbers as a mantissa and a power of two: ldexp, frexp, spacing; compositions, exact."""

from __future__ import annotations

import math
from typing import Any

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Operand
from graphc.errors import DTypeError
from graphc.ops.declare import as_tensor, conform, describe, public

# Beyond these, every float64 (float32) has become zero or infinite.
LARGEST = {"float64": 2200, "float32": 300}


def _scaled(x: Operators, k: object) -> Any:
    """x * 2**k in three factors: each is a normal number, and only the last product rounds."""
    if x.type.dtype.wide is not None:
        wide = _scaled(FUNCTIONS["cast"](x, x.type.dtype.wide), k)
        return FUNCTIONS["cast"](wide, x.type.dtype)
    most = LARGEST[x.type.dtype.name]
    k = FUNCTIONS["clip"](FUNCTIONS["cast"](k, dtypes.int64), -most, most)
    third = FUNCTIONS["floor_divide"](k, 3)
    for part in (third, third, k - 2 * third):
        power = FUNCTIONS["exp2"](FUNCTIONS["cast"](part, dtypes.float64))
        x = x * FUNCTIONS["cast"](power, x.type.dtype)
    return x


@public
def ldexp(x: Operand, exponent: Any) -> Any:
    """x times 2 to the power of an integer exponent, elementwise.

    Args:
        x: floats (integers become floats, as NumPy has it).
        exponent: integers, of a shape that broadcasts with x.

    Raises:
        DTypeError: the exponent is of floats, or uint64.
    """
    (x,) = conform("ldexp", [x], "float")
    exponent = as_tensor(exponent, "ldexp")
    if exponent.type.dtype.is_float or exponent.type.dtype is dtypes.uint64:
        raise DTypeError(
            f"ldexp: the exponent must be of integers that int64 holds, not {exponent.type}",
            [describe(exponent)],
            where=caller(),
        )
    return _scaled(x, exponent)


@public
def frexp(x: Operand) -> tuple[Any, Any]:
    """A mantissa in [0.5, 1) with the sign of x, and an exponent: x = mantissa * 2**exponent.

    Returns:
        The mantissa, of x's dtype, and the exponent, int32; x itself and 0 where x is 0, infinite
        or nan.

    Example:
        >>> import graphc as gc
        >>> gc.frexp(gc.tensor([8.0, -3.0]))
        (tensor([ 0.5000, -0.7500]), tensor([4, 2], dtype=torch.int32))
    """
    (x,) = conform("frexp", [x], "float")
    where, absolute = FUNCTIONS["where"], FUNCTIONS["absolute"]
    size = absolute(x)
    plain = FUNCTIONS["logical_and"](FUNCTIONS["isfinite"](x), size > 0)
    # The logarithm may be off by one next to a power of two: the mantissa tells.
    log2 = FUNCTIONS["log2"](FUNCTIONS["cast"](where(plain, size, 1.0), dtypes.float64))
    guess = FUNCTIONS["cast"](FUNCTIONS["floor"](log2), dtypes.int64) + 1
    guess = where(plain, guess, 0)
    mantissa = absolute(_scaled(x, -guess))
    low = FUNCTIONS["logical_and"](plain, mantissa < 0.5)
    high = FUNCTIONS["logical_and"](plain, mantissa >= 1.0)
    exponent = guess + where(high, 1, 0) - where(low, 1, 0)
    return _scaled(x, -exponent), FUNCTIONS["cast"](exponent, dtypes.int32)


@public
def spacing(x: Operand) -> Any:
    """The distance from x to the next number away from zero, with the sign of x (positive for
    -0.0, as NumPy has it).

    Example:
        >>> import graphc as gc
        >>> gc.spacing(gc.tensor([1.0]))
        tensor([1.1921e-07])
    """
    (x,) = conform("spacing", [x], "float")
    where, dtype = FUNCTIONS["where"], x.type.dtype
    digits = dtype.digits
    # The power of two that is the least number above zero.
    least = round(math.log2(float(dtype.finfo.smallest_subnormal)))
    exponent = where(FUNCTIONS["equal"](x, 0), least, frexp(x)[1] - digits)
    exponent = FUNCTIONS["cast"](FUNCTIONS["maximum"](exponent, least), dtypes.float64)
    step = FUNCTIONS["cast"](FUNCTIONS["exp2"](exponent), dtype)
    signed = where(x < 0, -step, step)
    return where(FUNCTIONS["isfinite"](x), signed, float("nan"))

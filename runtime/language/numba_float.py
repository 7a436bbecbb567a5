"""Float functions of the kernel language, by name and type; what is the same for both types.

The formulas of exp, log, sin ... are in `numba_formulas`, `numba_float32`, `numba_rounded` and
`numba_float64`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numba import types

from graphc.runtime.language import (
    numba_float32,
    numba_float64,
    numba_rounded,
    numba_special,
)
from graphc.runtime.language.numba_terms import Term

Formula = Callable[..., Term]


def sign(x: Term) -> Term:
    """-1, 0 or 1; nan for nan. The sign of -0.0 is 0.0, as in NumPy."""
    return x.equals(0.0).where(0.0, x.is_nan().where(x, x.constant(1.0).sign_of(x)))


def fmax(x: Term, y: Term) -> Term:
    """The larger; the number where the other is nan."""
    return x.is_nan().where(y, y.is_nan().where(x, x.call("maximum", y)))


def fmin(x: Term, y: Term) -> Term:
    """The smaller; the number where the other is nan."""
    return x.is_nan().where(y, y.is_nan().where(x, x.call("minimum", y)))


def c_mod(x: Term, y: Term) -> Term:
    """What division rounded toward 0 leaves, exactly, with the sign of x."""
    return x.make(x.builder.frem(x.value, y.value))


def floor_mod(x: Term, y: Term) -> Term:
    """What floor division leaves, with the sign of y; nan for y = 0."""
    rest = c_mod(x, y)
    moved = ((rest < 0.0) ^ (y < 0.0)).where(rest + y, rest)
    return rest.equals(0.0).where(rest.abs().sign_of(y), moved)


def floor_divide(x: Term, y: Term) -> Term:
    """The quotient rounded down, by NumPy's steps; x / y for y = 0."""
    rest = c_mod(x, y)
    ratio = x / y
    whole = (x - rest) / y
    other = rest.differs(0.0) & ((rest < 0.0) ^ (y < 0.0))
    whole = other.where(whole - 1.0, whole)
    low = whole.call("floor")
    # `whole` may be off its integer by a rounding; the nearest one is meant.
    low = (whole - low > 0.5).where(low + 1.0, low)
    result = whole.equals(0.0).where(whole.abs().sign_of(ratio), low)
    return y.equals(0.0).where(ratio, result)


def nextafter(x: Term, y: Term) -> Term:
    """The next float after x toward y."""
    least = x.bits().constant(1).as_float().sign_of(y)
    bits = x.bits()
    away = ((x < y) ^ (x > 0.0)).where(bits - 1, bits + 1).as_float()
    moved = x.equals(0.0).where(least, away)
    result = x.equals(y).where(y, moved)
    return (x.is_nan() | y.is_nan()).where(x + y, result)


UNARY: dict[str, Formula] = {
    "sqrt": lambda x: x.call("sqrt"),
    "rsqrt": lambda x: 1.0 / x.call("sqrt"),
    "reciprocal": lambda x: 1.0 / x,
    "floor": lambda x: x.call("floor"),
    "ceil": lambda x: x.call("ceil"),
    "trunc": lambda x: x.call("trunc"),
    "rint": lambda x: x.call("rint"),
    "absolute": lambda x: x.abs(),
    "sign": sign,
}
# maximum and minimum give nan when an operand is nan, and take -0.0 for less than 0.0.
BINARY: dict[str, Formula] = {
    "maximum": lambda x, y: x.call("maximum", y),
    "minimum": lambda x, y: x.call("minimum", y),
    "fmax": fmax,
    "fmin": fmin,
    "fmod": c_mod,
    "c_mod": c_mod,
    "floor_mod": floor_mod,
    "floor_divide": floor_divide,
    "copysign": lambda x, y: x.sign_of(y),
    "nextafter": nextafter,
}
TESTS: dict[str, Formula] = {
    "isnan": lambda x: x.is_nan(),
    "isinf": lambda x: x.abs().equals(math.inf),
    "isfinite": lambda x: x.abs() < math.inf,
    "signbit": lambda x: x.bits() < 0,
}
SINGLE = {**numba_float32.UNARY, **numba_float32.BINARY, **numba_rounded.UNARY,
          **numba_rounded.BINARY}  # fmt: skip
DOUBLE = {**numba_float64.UNARY, **numba_float64.BINARY, **numba_special.UNARY,
          **numba_special.BINARY}  # fmt: skip
UNARY_NAMES = sorted({*UNARY, *numba_float64.UNARY, *numba_special.UNARY})
BINARY_NAMES = sorted({*BINARY, *numba_float64.BINARY, *numba_special.BINARY})


def formulas(name: str) -> dict[Any, Formula]:
    """The formulas of a function by Numba type; empty when it has none for floats."""
    both = UNARY.get(name) or BINARY.get(name)
    if both:
        return {types.float32: both, types.float64: both}
    if name not in DOUBLE:
        return {}
    return {types.float32: SINGLE[name], types.float64: DOUBLE[name]}

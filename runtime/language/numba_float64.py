"""float64 functions of the kernel language as formulas, within 2 units in the last place.

exp, log and what is built of them are straight-line code that vectorises; the others are the C
library's. The methods are the classical ones: Muller, "Elementary Functions", chapters 10 and 11.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.runtime.language.numba_coefficients import EXP_64, LOG_64, TANH_64
from graphc.runtime.language.numba_terms import I32, Term, polynomial

LOG2_E = 1.4426950408889634
# log(2) as a sum: the first part has 21 zero bits at its end, so its small multiples are exact.
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
# A float whose last bit is worth 1: adding it rounds to an integer, which its low bits then hold.
ROUNDER = 6755399441055744.0
ROUNDER_BITS = 0x4338000000000000
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
ONE_BITS = 0x3FF0000000000000


def nearest(x: Term, scale: float) -> tuple[Term, Term]:
    """The integer nearest to x * scale, as a float and as int64; it is below 2**51."""
    rounded = x.fma(scale, ROUNDER)
    return rounded - ROUNDER, rounded.bits() - ROUNDER_BITS


def _exp_reduced(x: Term) -> tuple[Term, Term]:
    """exp(x) as (1 + tail) * 2**n: the tail and n."""
    n, whole = nearest(x, LOG2_E)
    r = n.fma(-LN2_LOW, n.fma(-LN2_HIGH, x))
    return polynomial(r, EXP_64).fma(r * r, r), whole


def _scaled(x: Term, n: Term) -> Term:
    """x * 2**n in two exact steps, so that denormals round once."""
    half = n >> 1
    first, second = (((k + 1023) << 52).as_float() for k in (half, n - half))
    return x * first * second


def exp(x: Term) -> Term:
    """e to the power x."""
    tail, n = _exp_reduced(x.at_most(710.0).at_least(-746.0))
    return _scaled(tail + 1.0, n)


def _exp_normal(x: Term) -> Term:
    """exp(x) where the result is finite and not denormal."""
    tail, n = _exp_reduced(x)
    return (tail + 1.0) * ((n + 1023) << 52).as_float()


def exp2(x: Term) -> Term:
    """2 to the power x."""
    bounded = x.at_most(1025.0).at_least(-1080.0)
    n, whole = nearest(bounded, 1.0)
    r = (bounded - n) * math.log(2.0)
    return _scaled(polynomial(r, EXP_64).fma(r * r, r) + 1.0, whole)


def expm1(x: Term) -> Term:
    """exp(x) - 1."""
    tail, n = _exp_reduced(x.at_most(710.0).at_least(-40.0))
    # Half of the power of two, which itself may overflow.
    half = ((n + 1022) << 52).as_float()
    large = half.fma(tail, half - 0.5) * 2.0
    return n.equals(0).where(tail, large).sign_of(x)


def _log_reduced(f: Term, e: Term) -> Term:
    """log(1 + f) + e * log(2), with sqrt(1/2) <= 1 + f < sqrt(2)."""
    s = f / (f + 2.0)
    z = s * s
    half = f * f * 0.5
    rest = s * (polynomial(z, LOG_64).fma(z, half))
    return e.fma(LN2_HIGH, f - (half - e.fma(LN2_LOW, rest)))


def _split(x: Term) -> tuple[Term, Term]:
    """The exponent e and the bits of m in x = m * 2**e, with sqrt(1/2) <= m < sqrt(2)."""
    shifted = x.bits() + (ONE_BITS - SQRT_HALF_BITS)
    e = (shifted >> 52) - 1023
    return e, (shifted & 0x000FFFFFFFFFFFFF) + SQRT_HALF_BITS


def log(x: Term) -> Term:
    """The natural logarithm; -inf at 0, nan below."""
    small = x < 2.2250738585072014e-308
    e, mantissa = _split(small.where(x * 2.0**54, x))
    e = small.where(e - 54, e).resize(I32).to_float(x.type)
    y = _log_reduced(mantissa.as_float() - 1.0, e)
    edge = x.equals(0.0).where(x.constant(-math.inf), math.nan)
    return (x > 0.0).where(x.equals(math.inf).where(x, y), edge)


def log1p(x: Term) -> Term:
    """log(1 + x)."""
    u = x + 1.0
    e, _ = _split(u)
    # f = (1 + x) * 2**-e - 1 from x itself, four times the power since 2**-e may be denormal.
    scale = ((1025 - e) << 52).as_float()
    f = (x * 0.25).fma(scale, scale * 0.25 - 1.0)
    y = _log_reduced(f, e.resize(I32).to_float(x.type))
    y = u.equals(1.0).where(x, x.equals(math.inf).where(x, y))
    edge = x.equals(-1.0).where(x.constant(-math.inf), math.nan)
    return (x > -1.0).where(y, edge)


def tanh(x: Term) -> Term:
    """The hyperbolic tangent: a polynomial, or 1 - 2 / (exp(2 a) + 1)."""
    a = x.abs()
    bounded = a.at_most(20.0)
    z = x * x
    small = (polynomial(z, TANH_64) * z).fma(a, a)
    large = 1.0 - 2.0 / (_exp_normal(bounded + bounded) + 1.0)
    return (a < 0.625).where(small, large).sign_of(x)


def sigmoid(x: Term) -> Term:
    """1 / (1 + exp(-x)), as e / (1 + e) or 1 less that, where e = exp(-|x|).

    The roundings of e and 1 + e, which sum up, are found exactly and taken out to first order.
    """
    tail, n = _exp_reduced((-x.abs()).at_least(-746.0))
    power = tail + 1.0
    e = _scaled(power, n)
    total = e + 1.0
    ratio = e / total
    lost = (tail - (power - 1.0)) - (e - (total - 1.0))
    ratio = (ratio * lost).fma(1.0 - ratio, ratio)
    return (x < 0.0).where(ratio, 1.0 - ratio)


def softplus(x: Term) -> Term:
    """log(1 + exp(x))."""
    return x.call("maximum", 0.0) + log1p(exp(-x.abs()))


def logaddexp(x: Term, y: Term) -> Term:
    """log(exp(x) + exp(y))."""
    gap = log1p(exp(-(x - y).abs()))
    return x.equals(y).where(x + math.log(2.0), x.call("maximum", y) + gap)


def cbrt(x: Term) -> Term:
    """The cube root: by exp and log, then one step of Newton's method with an exact residual."""
    a = x.abs()
    small = a < 2.0**-900
    cube = small.where(a * 2.0**162, a)
    y = exp(log(cube) * (1.0 / 3.0))
    square = y * y
    residual = y.fma(square, -cube) + y * y.fma(y, -square)
    y = y - residual / (square * 3.0)
    y = small.where(y * 2.0**-54, y).sign_of(x)
    return (x.equals(0.0) | a.equals(math.inf)).where(x, y)


def _of_library(name: str) -> Callable[..., Term]:
    return lambda x, *others: x.libm(name, *others)


LIBM = {
    "log2": "log2", "log10": "log10", "sin": "sin", "cos": "cos", "tan": "tan",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "sinh": "sinh", "cosh": "cosh",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "erf": "erf", "erfc": "erfc",
}  # fmt: skip
UNARY: dict[str, Callable[..., Term]] = {
    **{name: _of_library(c) for name, c in LIBM.items()},
    "exp": exp,
    "exp2": exp2,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "cbrt": cbrt,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
}
BINARY: dict[str, Callable[..., Term]] = {
    "arctan2": _of_library("atan2"),
    "hypot": _of_library("hypot"),
    "power": _of_library("pow"),
    "logaddexp": logaddexp,
}

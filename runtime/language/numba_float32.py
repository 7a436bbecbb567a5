"""float32 functions of the kernel language as formulas, within 2 units in the last place.

These are computed in float32; those that are used less are computed in float64 and rounded, in
`numba_rounded`. Everything is straight-line code that vectorises.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.runtime.language.numba_coefficients import (
    COS_32,
    ERF_32,
    ERFC_LOG_32,
    EXP_32,
    LOG_32,
    SIN_32,
    TANH_32,
)
from graphc.runtime.language.numba_reduction import quarter_turns
from graphc.runtime.language.numba_terms import F32, Term, polynomial

LOG2_E = 1.4426950408889634
# log(2) as a sum: the first part has 9 significant bits, so its small multiples are exact.
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440054690583e-4
# A float whose last bit is worth 1: adding it rounds to an integer, which its low bits then hold.
ROUNDER = 12582912.0
ROUNDER_BITS = 0x4B400000
SQRT_HALF_BITS = 0x3F3504F3
ONE_BITS = 0x3F800000


def _nearest(x: Term, scale: float) -> tuple[Term, Term]:
    """The integer nearest to x * scale, as a float and as int32; it is below 2**22."""
    rounded = x.fma(scale, ROUNDER)
    return rounded - ROUNDER, rounded.bits() - ROUNDER_BITS


def _exp_reduced(x: Term) -> tuple[Term, Term]:
    """exp(x) as (1 + tail) * 2**n: the tail and n."""
    n, whole = _nearest(x, LOG2_E)
    r = n.fma(-LN2_LOW, n.fma(-LN2_HIGH, x))
    return polynomial(r, EXP_32).fma(r * r, r), whole


def _scaled(x: Term, n: Term) -> Term:
    """x * 2**n in two exact steps, so that denormals round once."""
    half = n >> 1
    first, second = (((k + 127) << 23).as_float() for k in (half, n - half))
    return x * first * second


def exp(x: Term) -> Term:
    """e to the power x."""
    tail, n = _exp_reduced(x.at_most(89.0).at_least(-104.0))
    return _scaled(tail + 1.0, n)


def _exp_normal(x: Term) -> Term:
    """exp(x) where the result is finite and not denormal."""
    tail, n = _exp_reduced(x)
    return (tail + 1.0) * ((n + 127) << 23).as_float()


def exp2(x: Term) -> Term:
    """2 to the power x."""
    bounded = x.at_most(129.0).at_least(-151.0)
    n, whole = _nearest(bounded, 1.0)
    r = (bounded - n) * math.log(2.0)
    return _scaled(polynomial(r, EXP_32).fma(r * r, r) + 1.0, whole)


def expm1(x: Term) -> Term:
    """exp(x) - 1."""
    tail, n = _exp_reduced(x.at_most(89.0).at_least(-20.0))
    # Half of the power of two, which itself may overflow.
    half = ((n + 126) << 23).as_float()
    large = half.fma(tail, half - 0.5) * 2.0
    return n.equals(0).where(tail, large).sign_of(x)


def _log_reduced(f: Term, e: Term) -> Term:
    """log(1 + f) + e * log(2), with sqrt(1/2) <= 1 + f < sqrt(2)."""
    z = f * f
    p = e.fma(LN2_LOW, polynomial(f, LOG_32) * f * z)
    return e.fma(LN2_HIGH, f + z.fma(-0.5, p))


def _split(x: Term) -> tuple[Term, Term]:
    """The exponent e and the bits of m in x = m * 2**e, with sqrt(1/2) <= m < sqrt(2)."""
    shifted = x.bits() + (ONE_BITS - SQRT_HALF_BITS)
    return (shifted >> 23) - 127, (shifted & 0x007FFFFF) + SQRT_HALF_BITS


def log(x: Term) -> Term:
    """The natural logarithm; -inf at 0, nan below."""
    small = x < 1.1754943508222875e-38
    e, mantissa = _split(small.where(x * 2.0**25, x))
    e = small.where(e - 25, e).to_float(F32)
    y = _log_reduced(mantissa.as_float() - 1.0, e)
    edge = x.equals(0.0).where(x.constant(-math.inf), math.nan)
    return (x > 0.0).where(x.equals(math.inf).where(x, y), edge)


def log1p(x: Term) -> Term:
    """log(1 + x)."""
    u = x + 1.0
    e, _ = _split(u)
    # f = (1 + x) * 2**-e - 1 from x itself, four times the power since 2**-e may be denormal.
    scale = ((129 - e) << 23).as_float()
    f = (x * 0.25).fma(scale, scale * 0.25 - 1.0)
    y = _log_reduced(f, e.to_float(F32))
    y = u.equals(1.0).where(x, x.equals(math.inf).where(x, y))
    edge = x.equals(-1.0).where(x.constant(-math.inf), math.nan)
    return (x > -1.0).where(y, edge)


def tanh(x: Term) -> Term:
    """The hyperbolic tangent: a polynomial, or 1 - 2 / (exp(2 a) + 1)."""
    a = x.abs()
    bounded = a.at_most(9.02)
    z = x * x
    small = (polynomial(z, TANH_32) * z).fma(a, a)
    large = 1.0 - 2.0 / (_exp_normal(bounded + bounded) + 1.0)
    return (a < 0.625).where(small, large).sign_of(x)


def erf(x: Term) -> Term:
    """The error function: a polynomial, or 1 - exp(of another)."""
    a = x.abs()
    small = polynomial(x * x, ERF_32).fma(a, a)
    large = 1.0 - _exp_normal(-polynomial(a.at_most(3.95), ERFC_LOG_32))
    return (a < 1.0).where(small, large).sign_of(x)


def sigmoid(x: Term) -> Term:
    """1 / (1 + exp(-x)), as e / (1 + e) or 1 less that, where e = exp(-|x|).

    The roundings of e and 1 + e, which sum up, are found exactly and taken out to first order.
    """
    tail, n = _exp_reduced((-x.abs()).at_least(-104.0))
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


def _circular(x: Term, ahead: int) -> Term:
    """The sine, `ahead` quarter turns further."""
    wide, turns = quarter_turns(x)
    r = wide.cast(F32)
    z = r * r
    sine = (polynomial(z, SIN_32) * z).fma(r, r).sign_of(r)
    cosine = polynomial(z, COS_32).fma(z * z, z.fma(-0.5, 1.0))
    turns = turns + ahead
    value = (turns & 1).equals(0).where(sine, cosine)
    return (value.bits() ^ ((turns & 2) << 30)).as_float()


UNARY: dict[str, Callable[..., Term]] = {
    "exp": exp,
    "exp2": exp2,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "tanh": tanh,
    "erf": erf,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "sin": lambda x: _circular(x, 0),
    "cos": lambda x: _circular(x, 1),
}
BINARY: dict[str, Callable[..., Term]] = {"logaddexp": logaddexp}

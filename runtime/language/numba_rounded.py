"""float32 functions that are computed in float64 and rounded: the less common ones.

The formulas take doubles that hold float32 values, so nothing overflows or cancels that would in
float32. Each is straight-line code that vectorises.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.runtime.language import numba_special
from graphc.runtime.language.numba_coefficients import ARCSIN_48, ARCTAN_48, COS_48, ERFC_48, SIN_48
from graphc.runtime.language.numba_float64 import FLOAT64
from graphc.runtime.language.numba_reduction import quarter_turns
from graphc.runtime.language.numba_terms import F32, F64, Term, polynomial

HALF_PI = 0.5 * math.pi
exp, expm1, log, log1p = FLOAT64.exp, FLOAT64.expm1, FLOAT64.log, FLOAT64.log1p


def log2(x: Term) -> Term:
    """The logarithm to the base 2."""
    return log(x) * (1.0 / math.log(2.0))


def log10(x: Term) -> Term:
    """The logarithm to the base 10."""
    return log(x) * (1.0 / math.log(10.0))


def cbrt(x: Term) -> Term:
    """The cube root."""
    return exp(log(x.abs()) * (1.0 / 3.0)).sign_of(x)


def sinh(x: Term) -> Term:
    """The hyperbolic sine."""
    e = expm1(x.abs().at_most(100.0))
    return ((e + e / (e + 1.0)) * 0.5).sign_of(x)


def cosh(x: Term) -> Term:
    """The hyperbolic cosine."""
    e = exp(x.abs().at_most(100.0))
    return (e + 1.0 / e) * 0.5


def arcsinh(x: Term) -> Term:
    """The inverse hyperbolic sine."""
    a = x.abs()
    square = a * a
    # The second form is for infinity, where the first is nan.
    more = square / ((square + 1.0).call("sqrt") + 1.0)
    return log1p(a + (a < 1e30).where(more, a)).sign_of(x)


def arccosh(x: Term) -> Term:
    """The inverse hyperbolic cosine; nan below 1."""
    t = x - 1.0
    return (x < 1.0).where(math.nan, log1p(t + (t.fma(t, t + t)).call("sqrt")))


def arctanh(x: Term) -> Term:
    """The inverse hyperbolic tangent; nan beyond -1 and 1."""
    a = x.abs()
    return (log1p((a + a) / (1.0 - a)) * 0.5).sign_of(x)


def _arctan_unit(x: Term) -> Term:
    """The inverse tangent of 0 <= x <= 1."""
    z = x * x
    return (polynomial(z, ARCTAN_48) * z).fma(x, x)


def arctan(x: Term) -> Term:
    """The inverse tangent."""
    a = x.abs()
    large = a > 1.0
    angle = _arctan_unit(large.where(1.0 / a, a))
    return large.where(HALF_PI - angle, angle).sign_of(x)


def arctan2(y: Term, x: Term) -> Term:
    """The angle of the point (x, y)."""
    a, b = x.abs(), y.abs()
    steep = b > a
    low, high = steep.where(a, b), steep.where(b, a)
    ratio = low / high
    # 0 / 0 and infinity / infinity stand for 0 and 1.
    ratio = high.equals(0.0).where(0.0, low.equals(math.inf).where(1.0, ratio))
    angle = _arctan_unit(ratio)
    angle = steep.where(HALF_PI - angle, angle)
    angle = (x.bits() < 0).where(math.pi - angle, angle).sign_of(y)
    return (x.is_nan() | y.is_nan()).where(math.nan, angle)


def arcsin(x: Term) -> Term:
    """The inverse sine; nan beyond -1 and 1."""
    a = x.abs()
    large = a > 0.5
    s = large.where(((1.0 - a) * 0.5).call("sqrt"), a)
    z = s * s
    angle = (polynomial(z, ARCSIN_48) * z).fma(s, s)
    return large.where(HALF_PI - (angle + angle), angle).sign_of(x)


def arccos(x: Term) -> Term:
    """The inverse cosine; nan beyond -1 and 1."""
    return HALF_PI - arcsin(x)


def tan(x: Term) -> Term:
    """The tangent: sine over cosine, or minus cosine over sine in odd quarter turns."""
    r, turns = quarter_turns(x.cast(F32))
    z = r * r
    sine = (polynomial(z, SIN_48) * z).fma(r, r).sign_of(r)
    cosine = polynomial(z, COS_48).fma(z * z, z.fma(-0.5, 1.0))
    even = (turns & 1).equals(0)
    return even.where(sine, -cosine) / even.where(cosine, sine)


def erfc(x: Term) -> Term:
    """1 - erf(x): exp(-x**2) times a polynomial in (a - 2) / (a + 2), over 1 + 2 a.

    The form: Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x) exp(x**2) erfc(x)",
    1981.
    """
    a = x.abs().at_most(11.0)
    scaled = polynomial((a - 2.0) / (a + 2.0), ERFC_48) / (a + a + 1.0)
    tail = exp(-(a * a)) * scaled
    return (x < 0.0).where(2.0 - tail, tail)


def power(x: Term, y: Term) -> Term:
    """x to the power y, with all of C's special cases."""
    magnitude = exp(log(x.abs()) * y)
    half = y * 0.5
    whole = y.call("trunc").equals(y)
    odd = whole & half.call("trunc").differs(half)
    signed = odd.where(magnitude.sign_of(x), magnitude)
    # A negative finite number has real powers only of whole exponents; infinities are whole.
    invalid = (x < 0.0) & (x > -math.inf) & ~whole
    result = invalid.where(math.nan, signed)
    one = y.equals(0.0) | x.equals(1.0) | (x.equals(-1.0) & y.abs().equals(math.inf))
    return one.where(1.0, result)


def _rounded(formula: Callable[..., Term]) -> Callable[..., Term]:
    return lambda *operands: formula(*(x.cast(F64) for x in operands)).cast(F32)


UNARY: dict[str, Callable[..., Term]] = {
    f.__name__: _rounded(f)
    for f in (
        log2, log10, cbrt, sinh, cosh, arcsinh, arccosh, arctanh, arctan, arcsin, arccos, tan, erfc,
    )
} | {name: _rounded(f) for name, f in numba_special.UNARY.items()}  # fmt: skip
BINARY: dict[str, Callable[..., Term]] = {
    f.__name__: _rounded(f) for f in (arctan2, power, *numba_special.BINARY.values())
}

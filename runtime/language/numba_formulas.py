"""exp, log and what is built of them, for any float format, within 2 units in the last place.

    FLOAT64 = Formulas(bits=52, ...)       what a format brings: sizes, constants, polynomials
    FLOAT64.exp(x)                         x a Term of that format

Everything is straight-line code that vectorises. The methods are the classical ones: Muller,
"Elementary Functions", chapters 10 and 11.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphc.runtime.base import target
from graphc.runtime.language.numba_terms import I32, Term, polynomial

LOG2_E = 1.4426950408889634


@dataclass(frozen=True)
class Formulas:
    """The functions of one float format.

    Attributes:
        bits: of the mantissa.
        bias: of the exponent.
        ln2_high, ln2_low: log(2) as a sum; the first part has zero bits at its end, so that its
            small multiples are exact.
        exp_range: arguments of exp beyond which it is 0 and infinite.
        exp2_range: those of exp2.
        expm1_least: an argument below which exp(x) - 1 is -1.
        tanh_most: an argument above which tanh is 1.
        log_reduced: log(1 + f) + e * log(2) of the format, f and e, for sqrt(1/2) <= 1 + f <
            sqrt(2).
        exp_terms: (exp(r) - 1 - r) / r**2 by powers of r.
        tanh_terms: (tanh(x) / x - 1) / z by powers of z = x**2.
    """

    bits: int
    bias: int
    ln2_high: float
    ln2_low: float
    exp_range: tuple[float, float]
    exp2_range: tuple[float, float]
    expm1_least: float
    tanh_most: float
    log_reduced: Callable[[Formulas, Term, Term], Term]
    exp_terms: Sequence[float]
    tanh_terms: Sequence[float]

    def nearest(self, x: Term, scale: float) -> tuple[Term, Term]:
        """The integer nearest to x * scale, as a float and as an int; it is below 2**(bits - 1)."""
        # A float whose last bit is worth 1: adding it rounds to an integer, which its low bits
        # then hold.
        rounder = 1.5 * 2.0**self.bits
        rounded = x.fma(scale, rounder)
        pattern = (self.bias + self.bits << self.bits) + (1 << self.bits - 1)
        return rounded - rounder, rounded.bits() - pattern

    def power_of_two(self, n: Term) -> Term:
        """2**n as a float, by its bits; n is the integer plus the bias."""
        return (n << self.bits).as_float()

    def exp_reduced(self, x: Term) -> tuple[Term, Term]:
        """exp(x) as (1 + tail) * 2**n: the tail and n."""
        n, whole = self.nearest(x, LOG2_E)
        r = n.fma(-self.ln2_low, n.fma(-self.ln2_high, x))
        return polynomial(r, self.exp_terms).fma(r * r, r), whole

    def scaled(self, x: Term, n: Term) -> Term:
        """x * 2**n; denormals round once: by an instruction, or in two steps, the first exact."""
        if target.has_scale():
            return x.times_power_of_two(n.resize(I32))
        half = n >> 1
        first, second = (self.power_of_two(k + self.bias) for k in (half, n - half))
        return x * first * second

    def exp(self, x: Term) -> Term:
        """e to the power x."""
        least, most = self.exp_range
        tail, n = self.exp_reduced(x.at_most(most).at_least(least))
        return self.scaled(tail + 1.0, n)

    def exp_normal(self, x: Term) -> Term:
        """exp(x) where the result is finite and not denormal."""
        tail, n = self.exp_reduced(x)
        return (tail + 1.0) * self.power_of_two(n + self.bias)

    def exp2(self, x: Term) -> Term:
        """2 to the power x."""
        least, most = self.exp2_range
        bounded = x.at_most(most).at_least(least)
        n, whole = self.nearest(bounded, 1.0)
        r = (bounded - n) * math.log(2.0)
        return self.scaled(polynomial(r, self.exp_terms).fma(r * r, r) + 1.0, whole)

    def expm1(self, x: Term) -> Term:
        """exp(x) - 1."""
        tail, n = self.exp_reduced(x.at_most(self.exp_range[1]).at_least(self.expm1_least))
        # Half of the power of two, which itself may overflow.
        half = self.power_of_two(n + (self.bias - 1))
        large = half.fma(tail, half - 0.5) * 2.0
        return n.equals(0).where(tail, large).sign_of(x)

    def split(self, x: Term) -> tuple[Term, Term]:
        """The exponent e and the bits of m in x = m * 2**e, with sqrt(1/2) <= m < sqrt(2)."""
        one = self.bias << self.bits
        # sqrt(2) has the mantissa of sqrt(1/2), whose bits are rounded to the format's.
        root = one - (1 << self.bits) + round((math.sqrt(2.0) - 1.0) * 2.0**self.bits)
        shifted = x.bits() + (one - root)
        return (shifted >> self.bits) - self.bias, (shifted & (1 << self.bits) - 1) + root

    def log(self, x: Term) -> Term:
        """The natural logarithm; -inf at 0, nan below."""
        small = x < 2.0 ** (1 - self.bias)
        up = self.bits + 2
        e, mantissa = self.split(small.where(x * 2.0**up, x))
        e = small.where(e - up, e).resize(I32).to_float(x.element)
        y = self.log_reduced(self, mantissa.as_float() - 1.0, e)
        edge = x.equals(0.0).where(x.constant(-math.inf), math.nan)
        return (x > 0.0).where(x.equals(math.inf).where(x, y), edge)

    def log1p(self, x: Term) -> Term:
        """log(1 + x)."""
        u = x + 1.0
        e, _ = self.split(u)
        # f = (1 + x) * 2**-e - 1 from x itself, four times the power since 2**-e may be denormal.
        scale = self.power_of_two(self.bias + 2 - e)
        f = (x * 0.25).fma(scale, scale * 0.25 - 1.0)
        y = self.log_reduced(self, f, e.resize(I32).to_float(x.element))
        y = u.equals(1.0).where(x, x.equals(math.inf).where(x, y))
        edge = x.equals(-1.0).where(x.constant(-math.inf), math.nan)
        return (x > -1.0).where(y, edge)

    def tanh(self, x: Term) -> Term:
        """The hyperbolic tangent: a polynomial, or 1 - 2 / (exp(2 a) + 1)."""
        a = x.abs()
        bounded = a.at_most(self.tanh_most)
        z = x * x
        small = (polynomial(z, self.tanh_terms) * z).fma(a, a)
        large = 1.0 - 2.0 / (self.exp_normal(bounded + bounded) + 1.0)
        return (a < 0.625).where(small, large).sign_of(x)

    def sigmoid(self, x: Term) -> Term:
        """1 / (1 + exp(-x)), as 2**-k / (2**-k + exp(-x) * 2**-k), k at least 0: nothing overflows.

        With exp(-x) = (1 + tail) * 2**n and k = max(n, 0), the divisor is 1 + (2**-|n| + tail *
        2**min(n, 0)) for both signs: its largest term is added last, and no sign is asked for.
        """
        least = self.exp_range[0]
        tail, n = self.exp_reduced((-x).at_least(least).at_most(-least))
        below = (n < 0).where(n, 0)
        up = n - below
        # Powers below 2**-(2 * bits) vanish beside 1, and those of n reach beyond a float's.
        small = self.power_of_two((below - up).at_least(-2 * self.bits) + self.bias)
        part = self.power_of_two(below.at_least(-2 * self.bits) + self.bias)
        return self.scaled(1.0 / (tail.fma(part, small) + 1.0), -up)

    def softplus(self, x: Term) -> Term:
        """log(1 + exp(x))."""
        return x.call("maximum", 0.0) + self.log1p(self.exp(-x.abs()))

    def logaddexp(self, x: Term, y: Term) -> Term:
        """log(exp(x) + exp(y))."""
        gap = self.log1p(self.exp(-(x - y).abs()))
        return x.equals(y).where(x + math.log(2.0), x.call("maximum", y) + gap)

    def hypot(self, x: Term, y: Term) -> Term:
        """The length of (x, y); inf when either is, even beside nan.

        Both are scaled by a power of two where a square would overflow or vanish.
        """
        a, b = x.abs(), y.abs()
        steep, limit, turn = b > a, self.bias // 2 - 3, self.bias - self.bits - 4
        high, low = steep.where(b, a), steep.where(a, b)
        big, small = high > 2.0**limit, high < 2.0**-limit
        down, up = high.constant(2.0**-turn), high.constant(2.0**turn)
        scale, back = big.where(down, small.where(up, 1.0)), big.where(up, small.where(down, 1.0))
        high, low = high * scale, low * scale
        length = high.fma(high, low * low).call("sqrt") * back
        return (a.equals(math.inf) | b.equals(math.inf)).where(math.inf, length)

    def binary(self) -> dict[str, Callable[..., Term]]:
        """The functions of two operands, by name."""
        return {"hypot": self.hypot, "logaddexp": self.logaddexp}

    def unary(self) -> dict[str, Callable[..., Term]]:
        """The functions of one operand, by name."""
        names = ("exp", "exp2", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus")
        return {name: getattr(self, name) for name in names}

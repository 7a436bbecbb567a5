"""Angles less their quarter turns: what the sine, cosine and tangent of float32 begin with."""

from __future__ import annotations

import math

from graphc.runtime.language.numba_float64 import FLOAT64
from graphc.runtime.language.numba_terms import F64, I32, I64, Term

# pi / 2 as a sum of two doubles.
HALF_PI, HALF_PI_REST = 1.5707963267948966, 6.123233995736766e-17
# The first 256 bits of 2 / pi after the point.
TWO_OVER_PI = (0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041, 0xFE5163ABDEBBC561)
# Above it, the reduction in float64 would need more of pi.
LARGE = 2.0**30


def quarter_turns(x: Term) -> tuple[Term, Term]:
    """A float32 angle as r + k * pi / 2.

    Returns:
        r, a double with |r| <= pi / 4 (a little more at the ends), relatively exact to 2**-27 or
        better for every x, nan for infinities; and k modulo 4, of int32.
    """
    wide = x.cast(F64)
    n, turns = FLOAT64.nearest(wide, 2.0 / math.pi)
    near = n.fma(-HALF_PI_REST, n.fma(-HALF_PI, wide))
    far, far_turns = _far(x)
    large = x.abs() >= LARGE
    r = (x.abs() < math.inf).where(large.where(far, near), math.nan)
    return r, large.where(far_turns, turns.resize(I32))


def _far(x: Term) -> tuple[Term, Term]:
    """The same for 2**30 <= |x| < inf, in fixed point: Payne and Hanek's reduction.

    |x| = m * 2**e with a whole m below 2**24. Of 2 / pi * 2**e only what is left modulo 4 counts:
    `high` has it with 62 bits after the point, `low` the 64 bits that follow.
    """
    bits = x.bits()
    m = ((bits & 0x007FFFFF) | 0x00800000).resize(I64)
    # e - 2, at most 102, and 105 for infinities.
    offset = ((bits.logical_shift(23) & 0xFF) - 152).resize(I64)
    second = (offset & 64).differs(0)
    words = [offset.constant(w) for w in TWO_OVER_PI]
    a, b, c = (second.where(words[k + 1], words[k]) for k in range(3))
    high, low = a.call("fshl", b, offset), b.call("fshl", c, offset)
    turns = m * high + (m * low.logical_shift(32)).logical_shift(32)
    fraction = (turns << 2).to_float(F64) * (HALF_PI * 2.0**-64)
    whole = (turns + (1 << 61)).logical_shift(62).resize(I32)
    negative = bits < 0
    return negative.where(-fraction, fraction), negative.where(-whole, whole)

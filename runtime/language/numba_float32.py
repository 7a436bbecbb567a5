"""float32 functions of the kernel language as formulas, within 2 units in the last place.

These are computed in float32; those that are used less are computed in float64 and rounded, in
`numba_rounded`. Everything is straight-line code that vectorises.
"""

from __future__ import annotations

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
from graphc.runtime.language.numba_formulas import Formulas
from graphc.runtime.language.numba_reduction import quarter_turns
from graphc.runtime.language.numba_terms import F32, Term, polynomial


def _log_reduced(own: Formulas, f: Term, e: Term) -> Term:
    """log(1 + f) + e * log(2), with sqrt(1/2) <= 1 + f < sqrt(2)."""
    z = f * f
    p = e.fma(own.ln2_low, polynomial(f, LOG_32) * f * z)
    return e.fma(own.ln2_high, f + z.fma(-0.5, p))


FLOAT32 = Formulas(
    bits=23,
    bias=127,
    ln2_high=0.693359375,  # 9 significant bits
    ln2_low=-2.12194440054690583e-4,
    exp_range=(-104.0, 89.0),
    exp2_range=(-151.0, 129.0),
    expm1_least=-20.0,
    tanh_most=9.02,
    log_reduced=_log_reduced,
    exp_terms=EXP_32,
    tanh_terms=TANH_32,
)


def erf(x: Term) -> Term:
    """The error function: a polynomial, or 1 - exp(of another)."""
    a = x.abs()
    small = polynomial(x * x, ERF_32).fma(a, a)
    large = 1.0 - FLOAT32.exp_normal(-polynomial(a.at_most(3.95), ERFC_LOG_32))
    return (a < 1.0).where(small, large).sign_of(x)


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
    **FLOAT32.unary(),
    "erf": erf,
    "sin": lambda x: _circular(x, 0),
    "cos": lambda x: _circular(x, 1),
}
BINARY: dict[str, Callable[..., Term]] = FLOAT32.binary()

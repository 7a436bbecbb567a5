"""float64 functions of the kernel language as formulas, within 2 units in the last place.

exp, log and what is built of them are straight-line code that vectorises; the others are the C
library's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.runtime.language.numba_coefficients import EXP_64, LOG_64, TANH_64
from graphc.runtime.language.numba_formulas import Formulas
from graphc.runtime.language.numba_terms import Term, polynomial


def _log_reduced(own: Formulas, f: Term, e: Term) -> Term:
    """log(1 + f) + e * log(2), with sqrt(1/2) <= 1 + f < sqrt(2)."""
    s = f / (f + 2.0)
    z = s * s
    half = f * f * 0.5
    rest = s * (polynomial(z, LOG_64).fma(z, half))
    return e.fma(own.ln2_high, f - (half - e.fma(own.ln2_low, rest)))


FLOAT64 = Formulas(
    bits=52,
    bias=1023,
    ln2_high=0.6931471803691238,  # 21 zero bits at its end
    ln2_low=1.9082149292705877e-10,
    exp_range=(-746.0, 710.0),
    exp2_range=(-1080.0, 1025.0),
    expm1_least=-40.0,
    tanh_most=20.0,
    log_reduced=_log_reduced,
    exp_terms=EXP_64,
    tanh_terms=TANH_64,
)


def cbrt(x: Term) -> Term:
    """The cube root: by exp and log, then one step of Newton's method with an exact residual."""
    a = x.abs()
    small = a < 2.0**-900
    cube = small.where(a * 2.0**162, a)
    y = FLOAT64.exp(FLOAT64.log(cube) * (1.0 / 3.0))
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
    **FLOAT64.unary(),
    "cbrt": cbrt,
}
BINARY: dict[str, Callable[..., Term]] = {
    **FLOAT64.binary(),
    "arctan2": _of_library("atan2"),
    "power": _of_library("pow"),
}

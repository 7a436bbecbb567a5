"""Elementwise functions and their true values, written for any width of float.

A true value comes from float64 for float16 and float32, from long doubles for float64; where the
libraries are no wider, or no truer, from mpmath with 40 digits.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special

from graphc.core.operators import FUNCTIONS


@dataclass(frozen=True)
class Function:
    """An elementwise function.

    Attributes:
        name: in the table.
        true: its values on wide arrays.
        arity: of operands.
        call: it as graphc has it; the one called `name` unless given.
        digits: its value by mpmath, where `true` is no wider than float64.
        always: `digits` is the truth for every dtype.
        scale: of operands and true values: the magnitude whose last place errors are counted in,
            where a result cancels or vanishes; the result's own unless given.
    """

    name: str
    true: Callable[..., Any] | None
    arity: int = 1
    call: Callable[..., Any] | None = None
    digits: Callable[..., Any] | None = None
    always: bool = False
    scale: Callable[..., Any] | None = None

    def build(self, *operands: Any) -> Any:
        """The function of nodes."""
        return (self.call or FUNCTIONS[self.name])(*operands)

    def exact(self, *operands: np.ndarray) -> np.ndarray:
        """The true values, in a wider dtype than the operands'."""
        double = operands[0].dtype == np.float64
        if self.digits is not None and (self.always or double):
            return _by_digits(self.digits, *operands)
        assert self.true is not None
        wide = np.longdouble if double else np.float64
        with np.errstate(all="ignore"):
            return np.asarray(self.true(*(x.astype(wide) for x in operands)))


def _by_digits(function: Any, *operands: np.ndarray) -> np.ndarray:
    import mpmath

    with mpmath.workdps(40):
        found = []
        for values in zip(*(x.tolist() for x in operands)):
            if any(v != v for v in values):
                found.append(np.longdouble("nan"))
                continue
            value = function(mpmath, *map(mpmath.mpf, values))
            with warnings.catch_warnings(action="ignore"):  # beyond a long double
                found.append(np.longdouble(mpmath.nstr(value, 24)))
    return np.array(found)


def _sigmoid(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, 1) / (1 + small)


def _softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _root(x: Any) -> Any:
    return 1 / np.sqrt(x)


def _silu(x: Any) -> Any:
    return np.where(x == -np.inf, np.nan, x * _sigmoid(x))


def _gelu(x: Any) -> Any:
    return np.where(x == -np.inf, np.nan, x / 2 * scipy.special.erfc(-x / np.sqrt(2.0)))


def _gelu_digits(m: Any, x: Any) -> Any:
    if x == -m.inf:
        return m.nan
    return x if x > 100 else x / 2 * _erfc_digits(m, -x / m.sqrt(2))


def _erfc_digits(m: Any, x: Any) -> Any:
    return m.mpf(0 if x > 0 else 2) if abs(x) > 1e3 else m.erfc(x)


def _mish(x: Any) -> Any:
    return np.where(x == -np.inf, np.nan, x * np.tanh(_softplus(x)))


def _log_sigmoid(x: Any) -> Any:
    return -_softplus(-x)


def _sinc_digits(m: Any, x: Any) -> Any:
    return m.nan if m.isinf(x) else m.sincpi(x)


def _largest(*values: Any) -> Any:
    """Sums of logarithms cancel: their errors are those of the larger operand."""
    return np.max([np.abs(v) for v in values], axis=0)


def _factor(x: Any, true: Any) -> Any:
    """x times a share that turns denormal where x is far below 0."""
    tiny = np.finfo(x.dtype).tiny
    with np.errstate(invalid="ignore"):
        return np.maximum(np.abs(true), np.abs(x) * tiny)


def _log1mexp(x: Any) -> Any:
    return np.where(x > -0.7, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def _lgamma_digits(m: Any, x: Any) -> Any:
    if m.isinf(x) or (x <= 0 and x == m.floor(x)):
        return m.inf
    return m.re(m.loggamma(x)) if x > 0 else m.log(m.pi / abs(m.sinpi(x))) - m.loggamma(1 - x)


def _digamma_digits(m: Any, x: Any) -> Any:
    if x == 0:
        return m.mpf(1)  # mpmath's 0 has no sign, by which the pole goes: `_digamma` leaves it out
    whole = x < 0 and (m.isinf(x) or x == m.floor(x))
    return m.nan if whole else x if m.isinf(x) else m.digamma(x)


def _normal_quantile(m: Any, tail: Any) -> Any:
    """-x of a lesser probability of `tail`, by Newton's steps on its logarithm."""
    if tail == 0:
        return m.inf
    x = m.sqrt(-2 * m.log(tail)) * m.mpf("0.9") if tail < 0.4 else (m.mpf("0.5") - tail) * 2.5
    for _ in range(60):
        below = m.erfc(x / m.sqrt(2)) / 2
        step = m.log(below / tail) * below / (m.exp(-x * x / 2) / m.sqrt(2 * m.pi))
        x += step
        if abs(step) < abs(x) * m.mpf(10) ** -30 or step == 0:
            break
    return x


def _ndtri_digits(m: Any, p: Any) -> Any:
    if not 0 <= p <= 1:
        return m.nan
    return -_normal_quantile(m, p) if p < 0.5 else _normal_quantile(m, 1 - p)


def _erfinv_digits(m: Any, x: Any) -> Any:
    if abs(x) > 1:
        return m.nan
    if abs(x) < 1e-9:
        return (x + m.pi / 12 * x**3) * m.sqrt(m.pi) / 2
    return m.sign(x) * _normal_quantile(m, (1 - abs(x)) / 2) / m.sqrt(2)


def _erfcinv_digits(m: Any, x: Any) -> Any:
    if not 0 <= x <= 2:
        return m.nan
    return _normal_quantile(m, x / 2) / m.sqrt(2) if x < 0.5 else _erfinv_digits(m, 1 - x)


def _erfcx_digits(m: Any, x: Any) -> Any:
    if x > 100:
        w = 1 / (2 * x * x)
        return (1 - w + 3 * w * w - 15 * w**3 + 105 * w**4) / (x * m.sqrt(m.pi))
    return m.inf if x < -30 else m.exp(x * x) * m.erfc(x)


def _bessel_digits(order: int, is_scaled: bool) -> Callable[..., Any]:
    def digits(m: Any, x: Any) -> Any:
        a = abs(x)
        if a > 800 and not is_scaled:
            return m.inf if order == 0 else m.sign(x) * m.inf
        if a > 800:
            if m.isinf(a):
                return m.mpf(0)
            first = (4 * order * order - 1) / (8 * a)
            second = first * (4 * order * order - 9) / (16 * a)
            third = second * (4 * order * order - 25) / (24 * a)
            fourth = third * (4 * order * order - 49) / (32 * a)
            fifth = fourth * (4 * order * order - 81) / (40 * a)
            value = (1 - first + second - third + fourth - fifth) / m.sqrt(2 * m.pi * a)
            return value if order == 0 else m.sign(x) * value
        return m.besseli(order, x) * (m.exp(-a) if is_scaled else 1)

    return digits


def _reflected(x: Any, true: Any) -> Any:
    """Below 0 a function repeats poles, of places that are rounded: errors are those of x."""
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(true), 1)
        around = np.minimum(size * np.maximum(np.abs(x) * size, 1), np.finfo(x.dtype).max / 4)
        return np.where(x < 0, around, np.abs(true))


def _digamma(x: Any) -> Any:
    return FUNCTIONS["where"](x == 0, 1, FUNCTIONS["digamma"](x))


SPECIAL = [
    Function("digamma", None, call=_digamma, digits=_digamma_digits, always=True,
             scale=_reflected),
    *(Function(name, None, digits=digits, always=True, scale=scale)
    for name, digits, scale in (
        ("lgamma", _lgamma_digits, _reflected),
        ("ndtri", _ndtri_digits, None),
        ("erfinv", _erfinv_digits, None),
        ("erfcinv", _erfcinv_digits, None),
        ("erfcx", _erfcx_digits, None),
        ("i0", _bessel_digits(0, False), None),
        ("i0e", _bessel_digits(0, True), None),
        ("i1", _bessel_digits(1, False), None),
        ("i1e", _bessel_digits(1, True), None),
    )),
]  # fmt: skip
ROUNDED = [
    *(Function(name, getattr(np, name)) for name in (
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "sin", "cos",
        "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh",
        "arctanh", "reciprocal", "square", "deg2rad", "rad2deg")),
    *(Function(name, getattr(np, name), 2) for name in (
        "add", "subtract", "multiply", "divide", "power", "arctan2", "hypot")),
    *(Function(name, getattr(np, name), 2, scale=_largest) for name in (
        "logaddexp", "logaddexp2")),
    Function("rsqrt", _root),
    Function("sigmoid", _sigmoid),
    Function("softplus", _softplus),
    Function("log_sigmoid", _log_sigmoid),
    Function("silu", _silu, scale=_factor),
    Function("mish", _mish, scale=_factor),
    Function("elu", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    Function("erf", scipy.special.erf, digits=lambda m, x: m.erf(x)),
    Function("erfc", scipy.special.erfc, digits=_erfc_digits),
    Function("log1mexp", _log1mexp),
    *SPECIAL,
    # 1 + erf cancels far below 0, as in PyTorch: the error is small beside x.
    Function("gelu", _gelu, digits=_gelu_digits, scale=lambda x, true: np.abs(x)),
    Function("sinc", None, digits=_sinc_digits, always=True),
]  # fmt: skip
# Results that are numbers of the dtype themselves: nothing may be lost.
EXACT = [
    *(Function(name, getattr(np, name)) for name in (
        "absolute", "negative", "sign", "floor", "ceil", "trunc", "rint")),
    *(Function(name, getattr(np, name), 2) for name in (
        "maximum", "minimum", "fmax", "fmin", "fmod", "copysign")),
    Function("clip", lambda x: np.clip(x, -1, 2), call=lambda x: FUNCTIONS["clip"](x, -1, 2)),
    Function("where", lambda x, y: np.where(x > y, x, y), 2,
             call=lambda x, y: FUNCTIONS["where"](x > y, x, y)),
    Function("relu", lambda x: np.maximum(x, 0)),
]  # fmt: skip
ALL = [*ROUNDED, *EXACT]

"""float64 functions of the kernel language as formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.runtime.numba_terms import Term

LIBM = {
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2",
    "log10": "log10", "log1p": "log1p", "cbrt": "cbrt", "sin": "sin", "cos": "cos", "tan": "tan",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "sinh": "sinh", "cosh": "cosh",
    "tanh": "tanh", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "erf": "erf",
    "erfc": "erfc",
}  # fmt: skip
LIBM_BINARY = {"arctan2": "atan2", "hypot": "hypot", "power": "pow"}


def _of_library(name: str) -> Callable[..., Term]:
    return lambda x, *others: x.libm(name, *others)


def sigmoid(x: Term) -> Term:
    small = (-x.abs()).libm("exp")
    return (x < 0.0).where(small, 1.0) / (small + 1.0)


def softplus(x: Term) -> Term:
    return x.call("maximum", 0.0) + (-x.abs()).libm("exp").libm("log1p")


def logaddexp(x: Term, y: Term) -> Term:
    gap = (-(x - y).abs()).libm("exp").libm("log1p")
    return x.equals(y).where(x + math.log(2.0), x.call("maximum", y) + gap)


UNARY: dict[str, Callable[..., Term]] = {
    **{name: _of_library(c) for name, c in LIBM.items()},
    "sigmoid": sigmoid,
    "softplus": softplus,
}
BINARY: dict[str, Callable[..., Term]] = {
    **{name: _of_library(c) for name, c in LIBM_BINARY.items()},
    "logaddexp": logaddexp,
}

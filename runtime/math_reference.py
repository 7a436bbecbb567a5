"""Mathematical functions of the kernel language, run as plain Python on NumPy scalars.

Results have the operands' dtype; float16 arrives as float32. What NumPy does not do as the
kernels do (shift counts, integer powers, range tests) is written out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Scalar = Any


def _quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*operands: Scalar) -> Scalar:
        with np.errstate(all="ignore"):
            first = np.asarray(operands[0])
            result = function(*operands)
            if np.asarray(result).dtype.kind == "b":
                return np.bool_(result)
            return np.asarray(result).astype(first.dtype)[()]

    return run


def _special(name: str) -> Callable[..., Any]:
    def run(x: Scalar) -> Scalar:
        import scipy.special

        return getattr(scipy.special, name)(np.float64(x))

    return run


def _wide(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *operands: function(*(np.float64(x) for x in operands))


def _bit_count(x: Scalar) -> Scalar:
    return np.uint8(int(abs(int(x))).bit_count())


def _out_of_range(name: str) -> Callable[[Scalar], Any]:
    info = np.iinfo(name)

    def test(value: Scalar) -> Any:
        if np.isnan(value) or np.isinf(value):
            return np.bool_(True)
        return np.bool_(not info.min <= int(value) <= info.max)

    return test


WIDE = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "cbrt", "sin", "cos", "tan", "arcsin",
    "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "arctan2",
    "logaddexp", "hypot",
)  # fmt: skip
SAME = (
    "sqrt", "fmod", "copysign", "nextafter", "floor", "ceil", "trunc", "rint", "sign", "absolute",
    "signbit", "isnan", "isinf", "isfinite", "reciprocal", "maximum", "minimum", "fmax", "fmin",
    "floor_divide", "gcd", "lcm", "invert",
)  # fmt: skip

NAMES: dict[str, Any] = {
    **{name: _quiet(_wide(getattr(np, name))) for name in WIDE},
    **{name: _quiet(getattr(np, name)) for name in SAME},
    # np.power may take the root for 0.5, which errs at -inf.
    "power": _quiet(_wide(np.float_power)),
    "rsqrt": _quiet(_wide(lambda x: 1 / np.sqrt(x))),
    "sigmoid": _quiet(_special("expit")),
    "softplus": _quiet(_wide(lambda x: np.logaddexp(x, 0.0))),
    "erf": _quiet(_special("erf")),
    "erfc": _quiet(_special("erfc")),
    "floor_mod": _quiet(np.remainder),
    "c_mod": _quiet(np.fmod),
    "power_int": _quiet(np.power),
    "shift_left": _quiet(np.left_shift),
    "shift_right": _quiet(np.right_shift),
    "bit_count": _bit_count,
    **{f"out_of_range_{k}{n}": _out_of_range(f"{'u' if k == 'u' else ''}int{n}")
       for k in "iu" for n in (8, 16, 32, 64)},
}  # fmt: skip

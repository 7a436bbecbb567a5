"""Mathematical functions of the kernel language, run as plain Python on NumPy scalars.

A result has the first operand's dtype (tests give a bool, `bit_count` uint8, `philox_word`
uint32); narrower floats arrive as float32. Where a float32 result comes from float64, it is the
nearest float32 to the true value in nearly every case; kernels may be 2 units in the last place
off.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.ir import OPS
from graphc.ops.arrays.philox import philox_words

Scalar = Any


def _quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without NumPy's warnings, its result in the first operand's dtype."""

    def run(*operands: Scalar) -> Scalar:
        with np.errstate(all="ignore"):
            result = np.asarray(function(*operands))
            if result.dtype.kind == "b":
                return result[()]
            return result.astype(np.asarray(operands[0]).dtype)[()]

    return run


def _wide(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function computed in float64."""
    return lambda *operands: function(*(np.float64(x) for x in operands))


def _sigmoid(x: Scalar) -> Scalar:
    small = np.exp(-np.abs(x))
    return (1 if x >= 0 else small) / (1 + small)


def _power(x: Scalar, y: Scalar) -> Scalar:
    # Two elements, since NumPy takes a power that is one number 0.5 for the square root, which
    # differs from it at -inf and -0.0.
    return np.power(np.array([x, x]), np.array([y, y]))[0]


def _maximum(x: Scalar, y: Scalar) -> Scalar:
    # Of zeros, -0.0 is the smaller, whatever their order.
    return x + y if x == y == 0 and isinstance(x, np.floating) else np.maximum(x, y)


def _minimum(x: Scalar, y: Scalar) -> Scalar:
    return -(-x + -y) if x == y == 0 and isinstance(x, np.floating) else np.minimum(x, y)


def _fmax(x: Scalar, y: Scalar) -> Scalar:
    return _maximum(x, y) if x == y else np.fmax(x, y)


def _fmin(x: Scalar, y: Scalar) -> Scalar:
    return _minimum(x, y) if x == y else np.fmin(x, y)


def _bits(x: Scalar) -> int:
    return 8 * np.asarray(x).dtype.itemsize


def _wrapped(number: int, like: Scalar) -> Scalar:
    """An int's low bits as a scalar of the dtype of `like`."""
    dtype = np.asarray(like).dtype
    low = (number & (1 << _bits(like)) - 1).to_bytes(dtype.itemsize, "little")
    return np.frombuffer(low, dtype.newbyteorder("<"))[0].astype(dtype)


def _power_int(x: Scalar, y: Scalar) -> Scalar:
    modulus = 1 << _bits(x)
    return _wrapped(pow(int(x), int(y) % modulus, modulus), x)


def _shift_left(x: Scalar, y: Scalar) -> Scalar:
    return _wrapped(int(x) << int(y) if 0 <= y < _bits(x) else 0, x)


def _shift_right(x: Scalar, y: Scalar) -> Scalar:
    return _wrapped(int(x) >> (int(y) if 0 <= y < _bits(x) else _bits(x)), x)


def _out_of_range(name: str) -> Callable[[Scalar], Any]:
    info = np.iinfo(name)

    def test(value: Scalar) -> Any:
        if not np.isfinite(value):
            return np.bool_(True)
        return np.bool_(not info.min <= int(value) <= info.max)

    return test


def _philox_word(key: Scalar, counter: Scalar, lane: int) -> Scalar:
    return philox_words(np.uint64(key), np.array([counter], np.uint64))[0, lane]


def _special(name: str) -> Callable[..., Any]:
    """The definition of a special function's op, of one number."""
    return lambda *operands: OPS[name.removeprefix("bessel_")].numpy(*map(np.asarray, operands))


WIDE = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "cbrt", "sin", "cos", "tan", "arcsin",
    "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "arctan2",
    "logaddexp", "hypot",
)  # fmt: skip
SPECIAL = (
    "lgamma", "digamma", "zeta", "ndtri", "erfinv", "erfcinv", "erfcx", "bessel_i0", "bessel_i0e",
    "bessel_i1", "bessel_i1e",
)  # fmt: skip
SAME = (
    "sqrt", "fmod", "copysign", "nextafter", "floor", "ceil", "trunc", "rint", "sign", "absolute",
    "signbit", "isnan", "isinf", "isfinite", "floor_divide", "gcd", "lcm", "invert",
)  # fmt: skip

NAMES: dict[str, Any] = {
    **{name: _quiet(_wide(getattr(np, name))) for name in WIDE},
    **{name: _quiet(getattr(np, name)) for name in SAME},
    **{name: _quiet(_wide(_special(name))) for name in SPECIAL},
    "maximum": _quiet(_maximum),
    "minimum": _quiet(_minimum),
    "fmax": _quiet(_fmax),
    "fmin": _quiet(_fmin),
    "reciprocal": _quiet(_wide(lambda x: 1 / x)),
    "rsqrt": _quiet(_wide(lambda x: 1 / np.sqrt(x))),
    "power": _quiet(_wide(_power)),
    "sigmoid": _quiet(_wide(_sigmoid)),
    "softplus": _quiet(_wide(lambda x: np.logaddexp(x, 0.0))),
    "erf": _quiet(_wide(math.erf)),
    "erfc": _quiet(_wide(math.erfc)),
    "floor_mod": _quiet(np.remainder),
    "c_mod": _quiet(np.fmod),
    "power_int": _power_int,
    "shift_left": _shift_left,
    "shift_right": _shift_right,
    "bit_count": np.bitwise_count,
    "philox_word": _philox_word,
    **{f"out_of_range_{k}{n}": _out_of_range(f"{'u' if k == 'u' else ''}int{n}")
       for k in "iu" for n in (8, 16, 32, 64)},
}  # fmt: skip

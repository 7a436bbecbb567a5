"""ldexp, frexp and spacing give NumPy's values, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc

VALUES = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.5,
    0.75,
    3.9999998,
    1e-40,
    2.0**-126,
    1e30,
    np.inf,
    -np.inf,
    np.nan,
]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_mantissas_and_powers_are_numpys(dtype: str) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([VALUES, rng.standard_normal(50) * 10.0 ** rng.integers(-30, 30, 50)])
    with np.errstate(over="ignore"):
        values = values.astype(dtype)
    x = gc.input("x", (len(values),), getattr(gc, dtype))
    k = gc.input("k", (len(values),), gc.int32)
    powers = rng.integers(-150, 150, len(values)).astype(np.int32)
    program = gc.compile([x, k], [gc.ldexp(x, k), *gc.frexp(x), gc.spacing(x)])
    with np.errstate(all="ignore"):
        wanted = [np.ldexp(values, powers), *np.frexp(values), np.spacing(values)]
    if dtype == "float16":
        # NumPy's float16 loop drops the sign that its others give.
        wanted[-1] = np.where(values < 0, -np.abs(wanted[-1]), np.abs(wanted[-1]))
    for ours, theirs in zip(program(values, powers), wanted, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_a_mantissa_and_its_exponent_make_the_number() -> None:
    x = gc.input("x", (3,), gc.float64)
    values = np.array([3.0, -0.1, 1e-310])
    (again,) = gc.compile([x], [gc.ldexp(*gc.frexp(x))])(values)
    np.testing.assert_array_equal(again, values)


def test_an_exponent_of_floats_is_refused() -> None:
    with pytest.raises(
        gc.errors.DTypeError, match="the exponent must be of integers that int64 holds"
    ):
        gc.ldexp(gc.input("x", (3,)), gc.input("k", (3,)))

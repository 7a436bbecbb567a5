"""The table of errors in `tests/numerics/CONTRACT.md` holds, and every op that rounds has a row."""

from __future__ import annotations

import numpy as np
import pytest
from numerics import contract
from numerics.collected import COLLECTED, Collected
from numerics.functions import ALL, Function

import graphc as gc
from graphc.core.ir import OPS, Kind

BOUNDS = contract.read()
# What rounds nothing; casts round once, by the hardware.
EXACT = {
    "absolute", "all", "any", "argmax", "argmin", "bitwise_and", "bitwise_count", "bitwise_or",
    "bitwise_xor", "cast", "ceil", "check", "copysign", "equal", "floor", "floor_divide", "fmax",
    "fmin", "fmod", "full", "gcd", "greater", "greater_equal", "invert", "isfinite", "isinf",
    "isnan", "lcm", "left_shift", "less", "less_equal", "logical_and", "logical_not", "logical_or",
    "logical_xor", "matmul_integer", "maximum", "minimum", "negative", "nextafter", "nonempty",
    "not_equal", "philox", "positive", "remainder", "right_shift", "rint", "sign", "signbit",
    "trunc", "where",
}  # fmt: skip


def check(name: str, dtype: str, found: contract.Row) -> None:
    """Measured errors are within the written bounds."""
    wanted = BOUNDS[name, dtype]
    assert found.compiled <= wanted.compiled, f"{name} of {dtype}, compiled"
    assert found.interpreted <= wanted.interpreted, f"{name} of {dtype}, interpreted"


@pytest.mark.parametrize("dtype", contract.DTYPES)
@pytest.mark.parametrize("function", ALL, ids=lambda f: f.name)
def test_elementwise_errors_are_within_their_bounds(function: Function, dtype: str) -> None:
    check(function.name, dtype, contract.measure(function, dtype))


@pytest.mark.parametrize("dtype", contract.DTYPES)
@pytest.mark.parametrize("collected", COLLECTED, ids=lambda c: c.name)
def test_errors_of_many_operands_are_within_their_bounds(collected: Collected, dtype: str) -> None:
    check(collected.name, dtype, contract.measure_collected(collected, dtype, few=True))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", contract.DTYPES)
@pytest.mark.parametrize("function", ALL, ids=lambda f: f.name)
def test_elementwise_errors_hold_at_many_points(function: Function, dtype: str) -> None:
    check(function.name, dtype, contract.measure(function, dtype, few=False))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", contract.DTYPES)
@pytest.mark.parametrize("collected", COLLECTED, ids=lambda c: c.name)
def test_errors_hold_at_every_size(collected: Collected, dtype: str) -> None:
    check(collected.name, dtype, contract.measure_collected(collected, dtype, few=False))


def test_every_op_that_rounds_floats_has_a_row() -> None:
    named = {name for name, _ in BOUNDS}
    rounding = {
        op.name.rstrip("_")
        for op in OPS.values()
        if op.kind in (Kind.ELEMENTWISE, Kind.REDUCE, Kind.CONTRACT)
    }
    print(sorted(rounding - named - EXACT))
    # Those of two operands that are SciPy's: `test_special` and `test_ops` compare them.
    assert rounding - named - EXACT == {"polygamma", "zeta"}


def test_an_error_beyond_a_bound_is_seen() -> None:
    rough = Function("rough", np.expm1, call=lambda x: (gc.exp(x) * 2 - 2) / 2)
    found = contract.measure(rough, "float32")
    assert found.compiled > 100
    with pytest.raises(AssertionError, match="expm1 of float32, compiled"):
        check("expm1", "float32", found)

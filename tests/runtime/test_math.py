"""Functions of floats in kernels: accuracy, edges, and that they vectorise."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import fit_coefficients
import numpy as np
import pytest
import scipy.special
from mathematics import float_edges, kernel, pairs, run, run_plain, units, worst

from graphc.runtime.base import symbols as object_symbols
from graphc.runtime.base import target
from graphc.runtime.language import math_reference, numba_coefficients, numba_math
from graphc.runtime.objects import compiler
from graphc.runtime.objects.compiler import CompileError

Function = Callable[..., Any]


def _sigmoid(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, 1) / (1 + small)


TRUE: dict[str, Function] = {
    **{name: getattr(np, name) for name in (
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "sin", "cos",
        "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh",
        "arctanh", "reciprocal")},
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": _sigmoid,
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
}  # fmt: skip
TRUE_OF_TWO: dict[str, Function] = {
    name: getattr(np, name) for name in ("power", "arctan2", "hypot", "logaddexp")
}
# SciPy's erf and erfc are no wider than float64: they are tested on their own.
OF_DOUBLES = [name for name in TRUE if name not in ("erf", "erfc")]
EXACT = ("floor", "ceil", "trunc", "rint", "absolute", "sign")
EXACT_OF_TWO = ("fmod", "copysign", "nextafter", "floor_divide")
TESTS = ("isnan", "isinf", "isfinite", "signbit")
# Where long double is no wider, the reference has errors of its own.
LIMIT_64 = 2.0 if np.finfo(np.longdouble).nmant > 52 else 3.0


def _operands(dtype: type) -> np.ndarray:
    """Floats of every size, more of them where functions bend, and the edges."""
    random = np.random.default_rng(7)
    if dtype is np.float32:
        every = np.arange(0, 2**32, 9973, dtype=np.uint64).astype(np.uint32).view(np.float32)
    else:
        every = random.integers(0, 2**64, 100_000, np.uint64).view(np.float64)
    middle = [random.uniform(-high, high, 100_000) for high in (0.7, 5, 30)]
    return np.concatenate([every, *(m.astype(dtype) for m in middle), float_edges(dtype)]).astype(
        dtype
    )


@functools.cache
def _compiled(dtype: type, names: tuple[str, ...]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    with np.errstate(all="ignore"):
        x = _operands(dtype)
    return x, dict(zip(names, run([f"{name}(x[i])" for name in names], x)))


@pytest.mark.parametrize("name", TRUE)
def test_float32_is_within_two_units_in_the_last_place(name: str) -> None:
    x, found = _compiled(np.float32, tuple(TRUE))
    with np.errstate(all="ignore"):
        exact = TRUE[name](x.astype(np.float64))
    error, where = worst(found[name], exact, x)
    assert error <= 2.0, where


@pytest.mark.parametrize("name", OF_DOUBLES)
def test_float64_is_within_two_units_in_the_last_place(name: str) -> None:
    x, found = _compiled(np.float64, tuple(OF_DOUBLES))
    with np.errstate(all="ignore"):
        exact = TRUE[name](x.astype(np.longdouble))
    error, where = worst(found[name], exact, x)
    assert error <= LIMIT_64, where


def test_error_functions_of_float64() -> None:
    x = np.linspace(-6, 6, 10_001)
    found = run(["erf(x[i])", "erfc(x[i])"], x)
    for values, true in zip(found, (scipy.special.erf, scipy.special.erfc)):
        np.testing.assert_allclose(values, true(x), rtol=2e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_zeros_infinities_and_nan_are_numpys(dtype: type) -> None:
    x = np.array(float_edges(dtype)).astype(dtype)  # type: ignore[var-annotated]
    for name, values in zip(TRUE, run([f"{name}(x[i])" for name in TRUE], x)):
        with np.errstate(all="ignore"):
            wanted = TRUE[name](x.astype(np.float64)).astype(dtype)
        special = ~np.isfinite(wanted) | (wanted == 0)
        np.testing.assert_array_equal(values[special], wanted[special], name)
        zero = wanted == 0
        np.testing.assert_array_equal(np.signbit(values[zero]), np.signbit(wanted[zero]), name)
        assert np.isfinite(values[~special]).all(), name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TRUE_OF_TWO)
def test_functions_of_two_floats_are_within_two_units(name: str, dtype: type) -> None:
    random = np.random.default_rng(5)
    x, y = pairs(float_edges(dtype), dtype)
    x = np.concatenate([x, np.exp(random.normal(0, 3, 50_000))]).astype(dtype)
    y = np.concatenate([y, random.normal(0, 6, 50_000)]).astype(dtype)
    (found,) = run([f"{name}(x[i], y[i])"], x, y)
    wider = np.float64 if dtype is np.float32 else np.longdouble
    with np.errstate(all="ignore"):
        exact = TRUE_OF_TWO[name](x.astype(wider), y.astype(wider))
        # At infinities the C library's long double power is less reliable than its double one.
        edge = ~np.isfinite(x) | ~np.isfinite(y)
        exact[edge] = TRUE_OF_TWO[name](x[edge], y[edge])
    if name == "logaddexp":
        # Where the sum is near 1 its logarithm cancels: the error is one of the larger operand.
        larger = np.maximum(np.abs(x), np.abs(y)).astype(wider)
        with np.errstate(all="ignore"):
            close = np.abs(found - exact) <= 2 * np.spacing(larger.astype(dtype))
        assert (close | (units(found, exact) <= 2)).all()
        return
    error, where = worst(found, exact, x, y)
    assert error <= 2.0, where


def test_sine_of_the_hardest_float32() -> None:
    # The float32 nearest to a multiple of pi / 2, relative to its size.
    x = np.array([16367173 * 2.0**72, -16367173 * 2.0**72, 2.0**127, 3e38, 33554432.0], np.float32)
    found = run(["sin(x[i])", "cos(x[i])", "tan(x[i])"], x)
    for values, true in zip(found, (np.sin, np.cos, np.tan)):
        assert worst(values, true(x.astype(np.float64)), x)[0] <= 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_and_remainders_are_exactly_numpys(dtype: type) -> None:
    random = np.random.default_rng(3)
    x, y = pairs(float_edges(dtype), dtype)
    x = np.concatenate([x, random.normal(0, 20, 3000)]).astype(dtype)
    y = np.concatenate([y, random.normal(0, 3, 3000)]).astype(dtype)
    calls = [f"{name}(x[i])" for name in EXACT]
    calls += [f"{name}(x[i], y[i])" for name in (*EXACT_OF_TWO, "floor_mod", "c_mod")]
    found = run(calls, x, y)
    with np.errstate(all="ignore"):
        wanted = [getattr(np, name)(x) for name in EXACT]
        wanted += [getattr(np, name)(x, y) for name in (*EXACT_OF_TWO, "remainder", "fmod")]
    for call, values, exact in zip(calls, found, wanted):
        np.testing.assert_array_equal(values, exact, call)
        zero = exact == 0
        np.testing.assert_array_equal(np.signbit(values[zero]), np.signbit(exact[zero]), call)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tests_of_floats_are_numpys(dtype: type) -> None:
    with np.errstate(all="ignore"):
        x = np.array(float_edges(dtype)).astype(dtype)  # type: ignore[var-annotated]
    found = run([f"{name}(x[i])" for name in TESTS], x, results=["b1"] * len(TESTS))
    for name, values in zip(TESTS, found):
        np.testing.assert_array_equal(values, getattr(np, name)(x), name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extremes_propagate_or_ignore_nan_and_order_zeros(dtype: type) -> None:
    x, y = pairs(float_edges(dtype), dtype)
    names = ("maximum", "minimum", "fmax", "fmin")
    for name, values in zip(names, run([f"{name}(x[i], y[i])" for name in names], x, y)):
        np.testing.assert_array_equal(values, getattr(np, name)(x, y), name)
        zeros = (x == 0) & (y == 0)
        either, both = np.signbit(x) | np.signbit(y), np.signbit(x) & np.signbit(y)
        wanted = both if name in ("maximum", "fmax") else either
        np.testing.assert_array_equal(np.signbit(values[zeros]), wanted[zeros], name)


class _Recorder:
    """A target machine that keeps the optimised code it is given."""

    def __init__(self, machine: Any) -> None:
        self.machine, self.text = machine, ""
        self.target_data = machine.target_data

    def emit_object(self, module: Any) -> bytes:
        self.text = str(module)
        return self.machine.emit_object(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.machine, name)


ALL_32 = [f"{name}(x[i])" for name in (*TRUE, *EXACT)] + [
    f"{name}(x[i], y[i])" for name in (*TRUE_OF_TWO, "maximum", "minimum", "fmax", "copysign")
]


def test_float32_functions_call_no_library() -> None:
    assert object_symbols.undefined(compiler.compile_object(kernel(ALL_32, "f32"))) == []


@pytest.mark.parametrize("call", ["exp(x[i])", "erf(x[i])", "sin(x[i])", "maximum(x[i], y[i])"])
def test_float32_functions_vectorise(call: str) -> None:
    assert re.search(r"<\d+ x float>", _optimised(kernel([call], "f32").source))


def test_a_maximum_over_a_loop_vectorises() -> None:
    text = _optimised(
        "def apply(args, lo, hi):\n"
        "    x = buffer(args, 0, f32)\n"
        "    top = x[lo]\n"
        "    for i in range(lo, hi):\n"
        "        top = maximum(top, x[i])\n"
        "    x[lo] = top\n"
    )
    assert re.search(r"<\d+ x float>", text)


def _optimised(source: str) -> str:
    """The LLVM code of a kernel as it is written to an object."""
    recorder = _Recorder(compiler.target.machine())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler.target, "machine", lambda: recorder)
        compiler.compile_object(compiler.Kernel("apply", source))
    return recorder.text


def test_without_hardware_for_it_fma_is_still_accurate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "has_fma", lambda: False)
    x = np.linspace(-20, 20, 20_001).astype(np.float32)
    names = ("exp", "log1p", "tanh", "erf", "sin", "cos", "sigmoid")
    found = run([f"{name}(x[i])" for name in names], x, note="no fused multiply-add")
    for name, values in zip(names, found):
        with np.errstate(all="ignore"):
            error, where = worst(values, TRUE[name](x.astype(np.float64)), x)
        assert error <= 2, f"{name}: {where}"


def test_the_language_has_the_same_functions_compiled_and_plain() -> None:
    assert math_reference.NAMES.keys() == numba_math.NAMES.keys()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_plain_and_compiled_functions_agree(dtype: type) -> None:
    x, y = pairs(float_edges(dtype)[::2], dtype)
    calls = [f"{name}(x[i])" for name in (*TRUE, *EXACT)]
    calls += [f"{name}(x[i], y[i])" for name in (*TRUE_OF_TWO, *EXACT_OF_TWO, "floor_mod", "fmin")]
    for call, plain, compiled in zip(calls, run_plain(calls, x, y), run(calls, x, y)):
        error, where = worst(compiled, plain.astype(np.longdouble), x, y)
        assert error <= 3, f"{call}: {where}"


@pytest.mark.parametrize("call", ["maximum(x[i], 1.0)", "exp(i)", "maximum(i8(1), i64(2))"])
def test_operands_are_not_converted_silently(call: str) -> None:
    with pytest.raises(CompileError):
        compiler.compile_object(kernel([call], "f32"))


# What the coefficients' own dtype, rounded, may add to the error of the fit.
ALLOWED = {"32": 4e-8, "48": 1e-9, "64": 2e-17}


@pytest.mark.parametrize("fit", fit_coefficients.FITS, ids=lambda fit: fit.name)
def test_coefficients_approximate_their_functions(fit: fit_coefficients.Fit) -> None:
    coefficients = [fit_coefficients.D(c) for c in getattr(numba_coefficients, fit.name)]
    for z in fit_coefficients.points(fit, 37):
        error = fit_coefficients.horner(coefficients, z) - fit.target(z)
        assert abs(error * fit.weight(z)) <= ALLOWED[fit.name[-2:]]

"""A symbolic size stands wherever a number can: values beside NumPy's, compiled and interpreted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphcError, GraphError

X = np.array([1.0, 2.0, 6.0], np.float32)
# What is computed of x, of size n, and n; NumPy's of the same, given n as a Python int. A size
# takes the dtype of what it meets; alone with numbers it is a float32, as a Python float is.
CASES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "product": lambda f, x, n: x * n,
    "difference": lambda f, x, n: n - x,
    "mean": lambda f, x, n: f.sum(x) / n,
    "remainder": lambda f, x, n: x % n,
    "power": lambda f, x, n: x**n,
    "comparison": lambda f, x, n: x > n,
    "choice": lambda f, x, n: f.where(x > 2, n, x),
    "clip": lambda f, x, n: f.clip(x, 0, n),
    "least": lambda f, x, n: f.minimum(x, n),
    "polynomial": lambda f, x, n: x * (n // 2 + 1) + (n * n - 1),
    "fraction": lambda f, x, n: x * (1.0 / n),
    "half": lambda f, x, n: x * (n / 2),
    "float": lambda f, x, n: x - (0.5 * n - 1.5),
    "full": lambda f, x, n: x + f.full((n,), 2.5, x.dtype),
    "full_of_size": lambda f, x, n: x + f.full((n,), n, x.dtype),
    "zeros": lambda f, x, n: f.zeros((n, 2)),
    "arange": lambda f, x, n: f.arange(n),
    "linspace": lambda f, x, n: f.linspace(0, 1, n, dtype=x.dtype),
    "linspace_of_sizes": lambda f, x, n: f.linspace(-n, n / 2, 2 * n + 1, dtype=x.dtype),
    "identity": lambda f, x, n: f.eye(n),
    "array_times_size": lambda f, x, n: x * (np.ones(1, np.float32) * n),
    "bool_times_size": lambda f, x, n: (x > 1) * n,
    "integers": lambda f, x, n: f.arange(n) * n,
}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_a_fraction_of_sizes_takes_the_dtype_that_it_meets(dtype: str) -> None:
    n = gc.dim("n")
    x = gc.input("x", (n,), dtype)
    for scaled in (x * (0.15 / n), (n / 2) - x, gc.where(x > 0, 1.0 / n, x), gc.maximum(x, n / 3)):
        assert scaled.dtype is x.dtype
    assert (gc.arange(n) * (1 / n)).dtype is gc.float64
    assert (0.5 * n - 1.5).dtype is gc.float32


@pytest.mark.parametrize("level", ["O0", "O2"])
@pytest.mark.parametrize("name", CASES)
def test_a_size_is_the_number_it_stands_for(name: str, level: str) -> None:
    n = gc.dim("n")
    x = gc.input("x", (n,))
    result = CASES[name](gc, x, n)
    wanted = np.asarray(CASES[name](np, X, 3))
    program = gc.compile([x], result, level=level)
    found = program(X)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    if result.dtype.is_float and wanted.dtype != np.float64:
        assert result.dtype is gc.float32
    (again,) = gc.interpret(program, X)
    np.testing.assert_array_equal(again, found)


# Arithmetic of a size and numbers, as Python has it in float64.
NUMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "chain": lambda f, n: 0.5 * n * np.log(2 * np.pi), "log": lambda f, n: f.log(n) / 3,
    "inverse root": lambda f, n: n**-0.5, "reciprocal root": lambda f, n: 1 / f.sqrt(n),
    "tenths": lambda f, n: 0.1 * n + 0.2, "power": lambda f, n: 1.1**n - n**2 / 7,
    "choice": lambda f, n: f.exp(-n / 3.0) * abs(2 - n),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_of_sizes_has_all_the_digits_of_the_dtype_that_it_meets(name: str) -> None:
    n = gc.dim("n")
    wide, narrow = gc.input("x", (n,), gc.float64), gc.input("y", (n,), gc.float16)
    number, wanted = NUMBERS[name](gc, n), NUMBERS[name](np, 7)
    assert (narrow * number).dtype is gc.float16
    assert number.dtype is gc.float32
    found = gc.compile([wide], [wide * number, number])(np.ones(7))
    np.testing.assert_allclose(found[0], np.full(7, wanted), rtol=1e-15)
    np.testing.assert_allclose(found[1], np.float32(wanted), rtol=1e-7)


def test_powers_of_sizes_are_sizes() -> None:
    n = gc.dim("n")
    assert n**2 == n * n
    assert n**0 == 1
    assert abs(n) == n


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_linspace_of_a_symbolic_count_is_numpys(count: int) -> None:
    n = gc.dim("n")
    x = gc.input("x", (n,), gc.float64)
    found = gc.compile([x], gc.linspace(-1.0, 3.5, n, dtype=gc.float64))(np.zeros(count))
    np.testing.assert_allclose(found, np.linspace(-1.0, 3.5, count), rtol=1e-15, atol=1e-15)


def test_a_size_is_an_output_and_an_update_and_the_input_that_has_it_is_used() -> None:
    n = gc.dim("n")
    x, total = gc.input("x", (n, 2)), gc.parameter("total", np.array(0.0, np.float32))
    count = gc.compile([x], n, updates={total: total + n})
    assert count(np.zeros((5, 2), np.float32)) == 5
    assert count(np.zeros((7, 2), np.float32)) == 7
    assert total.value == 12


def test_sizes_decide_by_cond_and_have_gradients_of_what_they_scale() -> None:
    n = gc.dim("n")
    x = gc.input("x", (n,))
    chosen = gc.cond(n > 2, lambda: x, lambda: -x)
    scaled = gc.compile([x], [chosen, gc.grad(gc.sum(x * x) / n, [x])[0]])
    up, slope = scaled(X)
    np.testing.assert_array_equal(up, X)
    np.testing.assert_allclose(slope, 2 * X / 3, rtol=1e-6)
    np.testing.assert_array_equal(scaled(X[:2])[0], -X[:2])


def test_a_size_that_no_input_has_is_an_error() -> None:
    x, m = gc.input("x", (3,)), gc.dim("m")
    with pytest.raises(GraphError, match="size m is not the size of any input"):
        gc.compile([x], x * m)


@pytest.mark.parametrize("wrong", [lambda n: n * "a", lambda n: n < None, lambda n: [1] / n])
def test_a_size_meets_no_other_things(wrong: Any) -> None:
    with pytest.raises((TypeError, GraphcError)):
        wrong(gc.dim("n"))


def test_updates_are_numbers_and_arrays_and_outputs_may_be_none() -> None:
    w = gc.parameter("w", np.ones(3, np.float32))
    x = gc.input("x", (3,))
    reset = gc.compile([], None, updates={w: 0.5})
    assert reset() is None
    np.testing.assert_array_equal(w.value, np.full(3, 0.5, np.float32))
    shift = gc.compile([x], None, updates={w: x, gc.parameter("s", np.zeros(2)): np.arange(2)})
    assert shift([0, 1, 2]) is None
    np.testing.assert_array_equal(w.value, np.arange(3))


def test_a_program_of_updates_alone_is_saved_and_loaded(tmp_path: Path) -> None:
    w, x = gc.parameter("w", np.ones(3, np.float32)), gc.input("x", (3,))
    program = gc.compile([x], None, updates={w: w + x})
    gc.jit.save(program, tmp_path / "step.gcz")
    loaded = gc.jit.load(tmp_path / "step.gcz")
    assert loaded([0, 1, 2]) is None
    np.testing.assert_array_equal(loaded.state()["w"], [1, 2, 3])


def test_an_input_that_gives_neither_values_nor_sizes_is_an_error() -> None:
    w, x = gc.parameter("w", np.ones(3, np.float32)), gc.input("x", (3,))
    with pytest.raises(GraphError, match="input 'x' is not used"):
        gc.compile([x], None, updates={w: 1})

"""The target "cuda" where no device is: what is compiled, shown, emulated and refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

import graphc as gc
from graphc.runtime.cuda.compile import VERSIONS, entry_name

TARGET = gc.cuda.Target(arch="sm_90")


def _softmax() -> tuple[gc.Program, np.ndarray]:
    n = gc.dim("n")
    x = gc.input("x", (n, 53))
    e = gc.exp(x - gc.max(x, axis=1, keepdims=True))
    y = e / gc.sum(e, axis=1, keepdims=True)
    program = gc.compile([x], [y, gc.sum(y, axis=0), gc.sum(y)], target=TARGET)
    return program, np.random.default_rng(0).standard_normal((37, 53)).astype(np.float32)


def test_a_program_runs_in_emulation_as_it_is_defined() -> None:
    program, x = _softmax()
    e = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    wanted = e / e.sum(axis=1, keepdims=True)
    for size in (37, 1, 0):
        found = program.emulate(x[:size])
        np.testing.assert_allclose(found[0], wanted[:size], rtol=1e-5)
        np.testing.assert_allclose(found[1], wanted[:size].sum(axis=0), rtol=1e-5)
        np.testing.assert_allclose(found[2], size, rtol=1e-5)


@pytest.mark.parametrize("arch", VERSIONS)
def test_every_kernel_is_ptx_of_the_architecture(arch: str) -> None:
    x = gc.input("x", (33,))
    program = gc.compile([x], gc.tanh(x), target=gc.cuda.Target(arch=arch))
    (text,) = program.ptx().values()
    assert re.search(rf"^\.target {arch}$", text, re.MULTILINE)
    (kernel,) = program._executable.loaded
    assert f".visible .entry {entry_name(kernel)}(" in text


def test_kernels_of_float32_compute_in_float32() -> None:
    program, _ = _softmax()
    for name, text in program.ptx().items():
        assert ".f64" not in text, name


def test_what_is_compiled_for_a_device_is_not_run_without_one() -> None:
    x = gc.input("x", (3,))
    program = gc.compile([x], gc.tanh(x), target=TARGET)
    with pytest.raises(gc.errors.UnsupportedError, match="no device"):
        program(np.zeros(3, np.float32))
    with pytest.raises(gc.errors.UnsupportedError, match="no device"):
        program.profile(np.zeros(3, np.float32))
    with pytest.raises(gc.errors.UnsupportedError, match="not compiled for CUDA"):
        gc.compile([x], gc.tanh(x)).ptx()
    with pytest.raises(gc.errors.AttributeValueError, match="sm_10"):
        gc.cuda.Target(arch="sm_10")


def test_an_index_outside_is_an_error_as_on_the_cpu() -> None:
    x, at = gc.input("x", (5, 3)), gc.input("at", (4,), dtype="int64")
    program = gc.compile([x, at], gc.take(x, at, axis=0), target=TARGET)
    with pytest.raises(gc.errors.IndexRangeError, match="7"):
        program.emulate(np.zeros((5, 3), np.float32), np.array([0, 7, 1, 2]))


def test_state_is_written_in_emulation() -> None:
    w = gc.parameter("w", np.ones(300, np.float32))
    x = gc.input("x", (300,))
    program = gc.compile([x], gc.sum(w * x), updates={w: w - 0.5 * x}, target=TARGET)
    given = np.linspace(0, 1, 300, dtype=np.float32)
    program.emulate(given)
    np.testing.assert_allclose(w.value, 1 - 0.5 * given, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_products_in_tiles_have_tails_and_batches(dtype: str) -> None:
    m = gc.dim("m")
    x, y = gc.input("x", (3, m, 19), dtype), gc.input("y", (21, 19), dtype)
    program = gc.compile([x, y], x @ y.T, target=TARGET)
    rng = np.random.default_rng(0)
    right = rng.integers(-4, 5, (21, 19)).astype(y.dtype.numpy)
    for rows in (1, 16, 33):
        left = rng.integers(-4, 5, (3, rows, 19)).astype(x.dtype.numpy)
        wanted = left.astype(np.float64) @ right.astype(np.float64).T
        found = program.emulate(left, right).astype(np.float64)
        # Whole numbers up to 304: exact but for bfloat16, which has 8 bits.
        np.testing.assert_allclose(found, wanted, rtol=2**-8 if dtype == "bfloat16" else 0)
    assert all(".f64" not in text for text in program.ptx().values())


@pytest.mark.parametrize("length", [33, 47, 64, 100, 129, 300])
@pytest.mark.parametrize("rows", [1, 2, 40])
def test_all_threads_of_a_block_have_what_a_row_adds_up_to(rows: int, length: int) -> None:
    x = gc.input("x", (rows, 3, length))
    centred = [x - gc.mean(x, axis=axes, keepdims=True) for axes in ((0, 2), (2,), (0, 1, 2))]
    largest = x - gc.max(x, axis=(0, 2), keepdims=True)
    program = gc.compile([x], [*centred, largest], target=gc.cuda.Target())
    given = np.random.default_rng(0).normal(size=(rows, 3, length)).astype(np.float32)
    wide = given.astype(np.float64)
    found = program.emulate(given)
    for axes, value in zip(((0, 2), (2,), (0, 1, 2)), found):
        np.testing.assert_allclose(value, wide - wide.mean(axes, keepdims=True), atol=2e-6)
    np.testing.assert_array_equal(found[3], given - given.max((0, 2), keepdims=True))

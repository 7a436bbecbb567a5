"""The matrix product's kernels against NumPy, compiled and un-jitted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plans import run_plan

from graphc.core import dims
from graphc.runtime.contract.matmul_kernel import MatmulSpec, lower_matmul, tiled_kernel

FLOATS = {"f32": np.float32, "f64": np.float64}
DTYPES = {
    **FLOATS, "f16": np.float16, "b1": np.bool_, "i8": np.int8, "i16": np.int16, "i32": np.int32,
    "i64": np.int64, "u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "u64": np.uint64,
}  # fmt: skip


def _random(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    if dtype in ("f16", *FLOATS):
        return rng.standard_normal(shape).astype(DTYPES[dtype])
    return rng.integers(0, 2 if dtype == "b1" else 200, shape).astype(DTYPES[dtype])


def _strides(x: np.ndarray) -> tuple[int, ...]:
    return tuple(s // x.itemsize for s in x.strides)


def _product(x: np.ndarray, y: np.ndarray, dtype: str, **how: Any) -> np.ndarray:
    """`x @ y` by the kernels; x and y may be any views without negative strides."""
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x = np.broadcast_to(x, (*batch, *x.shape[-2:]))
    y = np.broadcast_to(y, (*batch, *y.shape[-2:]))
    (m, k), n = x.shape[-2:], y.shape[-1]
    out = np.full((*batch, m, n), 77, DTYPES[dtype])
    spec = MatmulSpec(dtype, batch, m, n, k, _strides(x), _strides(y))
    run_plan(lower_matmul(spec), {"x": _flat(x), "y": _flat(y), "out": out}, **how)
    return out


def _flat(x: np.ndarray) -> np.ndarray:
    """The memory from a view's first element on."""
    base = x
    while isinstance(base.base, np.ndarray):
        base = base.base
    begin = (x.ctypes.data - base.ctypes.data) // x.itemsize
    return base.reshape(-1)[begin:]


def _check(x: np.ndarray, y: np.ndarray, dtype: str = "f32", **how: Any) -> None:
    expected = np.matmul(x.astype(np.float64), y.astype(np.float64))
    size = np.matmul(abs(x).astype(np.float64), abs(y).astype(np.float64))
    error = abs(_product(x, y, dtype, **how) - expected)
    # Each of k roundings is at most half a unit of the sum of magnitudes.
    bound = (x.shape[-1] + 1) * np.finfo(DTYPES[dtype]).eps * size
    assert (error <= bound).all()


SIZES = [
    (1, 1, 1), (2, 3, 5), (10, 5, 8), (3, 7, 1), (1, 130, 49), (7, 31, 47), (8, 16, 48),
    (9, 17, 97), (13, 300, 33), (131, 19, 53), (130, 513, 20), (5, 1, 64), (17, 257, 16),
    (1, 300, 700), (515, 9, 1), (7, 80, 1), (2, 2049, 1),
]  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_product_of_any_size_and_transposition(dtype: str, size: tuple[int, int, int]) -> None:
    m, k, n = size
    rng = np.random.default_rng(m * k + n)
    x, xt = (_random(rng, dtype, s) for s in ((m, k), (k, m)))
    y, yt = (_random(rng, dtype, s) for s in ((k, n), (n, k)))
    for left in (x, xt.T):
        for right in (y, yt.T):
            _check(left, right, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_long_sum_is_cut_into_chunks(dtype: str) -> None:
    rng = np.random.default_rng(1)
    x, y = _random(rng, dtype, (5, 9001)), _random(rng, dtype, (9001, 3))
    plan = lower_matmul(MatmulSpec(dtype, (), 5, 3, 9001))
    assert len(plan.calls) == 2
    _check(x, y, dtype)
    _check(x, np.ascontiguousarray(y.T).T, dtype)


@pytest.mark.parametrize("size", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)], ids=str)
@pytest.mark.parametrize("dtype", ["f32", "i32", "b1", "f16"])
def test_empty_products(dtype: str, size: tuple[int, int, int]) -> None:
    m, k, n = size
    out = _product(np.zeros((m, k), DTYPES[dtype]), np.zeros((k, n), DTYPES[dtype]), dtype)
    np.testing.assert_array_equal(out, np.zeros((m, n), DTYPES[dtype]))


def test_batches_broadcast_by_strides() -> None:
    rng = np.random.default_rng(2)
    x, y = _random(rng, "f32", (2, 3, 4, 11, 7)), _random(rng, "f32", (2, 1, 4, 7, 18))
    _check(x, y)
    _check(x, y[:, :, :1])
    _check(x[:1], y)
    _check(x, y[0, 0, 0])
    _check(x[0, 0, 0], y)
    _check(x.swapaxes(0, 2), y.swapaxes(0, 2))
    _check(np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2), y)


def test_any_strides() -> None:
    rng = np.random.default_rng(3)
    x, y = _random(rng, "f32", (40, 60)), _random(rng, "f32", (90, 120))
    _check(x[::2, ::3], y[:80:4, ::2])
    _check(x[3:, 5:15], y[1:11, 7:80])
    _check(np.broadcast_to(x[:, :1], (40, 20)), np.broadcast_to(y[:1], (20, 120)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_and_inf_stay_in_their_rows_and_columns(dtype: str) -> None:
    rng = np.random.default_rng(4)
    x, y = _random(rng, dtype, (19, 23)), _random(rng, dtype, (23, 51))
    x[2, 3], x[18, 22], y[4, 50], y[0, 7] = np.nan, np.inf, -np.inf, np.nan
    with np.errstate(invalid="ignore"):
        expected = np.matmul(x, y)
    got = _product(x, y, dtype)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_allclose(got, expected, rtol=1e-3)


@pytest.mark.parametrize("dtype", ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "b1"])
def test_integers_wrap_as_in_numpy(dtype: str) -> None:
    rng = np.random.default_rng(5)
    x, y = _random(rng, dtype, (2, 7, 9)), _random(rng, dtype, (2, 5, 9)).swapaxes(1, 2)
    np.testing.assert_array_equal(_product(x, y, dtype), np.matmul(x, y))
    np.testing.assert_array_equal(_product(x, y[0], dtype, slices=3), np.matmul(x, y[0]))


def test_halves_are_summed_in_single_and_rounded_once() -> None:
    rng = np.random.default_rng(6)
    x, y = _random(rng, "f16", (5, 300)), _random(rng, "f16", (300, 130))
    exact = np.matmul(x.astype(np.float64), y.astype(np.float64))
    got = _product(x, y, "f16").astype(np.float64)
    assert (abs(got - exact) <= abs(exact) * 2.0**-11 + 1e-3).all()


@pytest.mark.parametrize("slices", [2, 3, 7])
@pytest.mark.parametrize("size", [(300, 40, 100), (5, 9001, 3)], ids=str)
def test_any_split_of_the_range_gives_the_same_bits(size: Any, slices: int) -> None:
    m, k, n = size
    rng = np.random.default_rng(7)
    x, y = _random(rng, "f32", (m, k)), _random(rng, "f32", (k, n))
    whole = _product(x, y, "f32")
    np.testing.assert_array_equal(_product(x, y, "f32", slices=slices), whole)


def test_one_kernel_serves_every_size_of_a_symbolic_batch() -> None:
    b, m, k = (dims.dim(name) for name in "bmk")
    plan = lower_matmul(MatmulSpec("f32", (b,), m, 20, k))
    assert plan.calls[0].kernel is tiled_kernel("f32")
    rng = np.random.default_rng(8)
    for values in ((3, 5, 7), (1, 200, 300), (1, 2, 9000), (0, 5, 5)):
        sizes = dict(zip("bmk", values))
        x = _random(rng, "f32", (sizes["b"], sizes["m"], sizes["k"]))
        y = _random(rng, "f32", (sizes["b"], sizes["k"], 20))
        out = np.full((sizes["b"], sizes["m"], 20), np.nan, np.float32)
        run_plan(plan, {"x": x, "y": y, "out": out}, sizes)
        np.testing.assert_allclose(out, np.matmul(x, y), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", ["f32", "f64", "f16", "i8", "b1"])
@pytest.mark.parametrize("size", [(10, 5, 8), (9, 20, 50), (2, 3, 49)], ids=str)
def test_un_jitted_source_gives_the_same(dtype: str, size: tuple[int, int, int]) -> None:
    m, k, n = size
    rng = np.random.default_rng(9)
    x, yt = _random(rng, dtype, (2, m, k)), _random(rng, dtype, (n, k))
    for y in (yt.T, np.ascontiguousarray(yt.T)):
        got = _product(x, y, dtype, jit=False)
        close = 1e-2 if dtype == "f16" else 1e-5
        np.testing.assert_allclose(got, _product(x, y, dtype), rtol=close, atol=close)

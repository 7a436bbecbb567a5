"""The convolution kernels against a direct definition and SciPy, compiled and un-jitted."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from plans import run_plan
from scipy import signal

from graphc.core import dims
from graphc.runtime.contract.conv_kernel import ConvSpec, lower_conv

DTYPES = {
    "f32": np.float32, "f64": np.float64, "f16": np.float16, "i8": np.int8, "i32": np.int32,
    "u16": np.uint16,
}  # fmt: skip
KINDS = ("conv", "conv_input", "conv_weight")

# n, channels, outputs, image, kernel, stride, padding, dilation, groups
CASES = [
    (2, 3, 4, (9,), (3,), (1,), (1,), (1,), 1),
    (1, 4, 6, (23,), (4,), (3,), (2,), (2,), 2),
    (2, 1, 16, (12, 13), (5, 5), (1, 1), (2, 2), (1, 1), 1),
    (3, 5, 9, (14, 14), (5, 5), (1, 1), (2, 2), (1, 1), 1),
    (2, 4, 6, (7, 9), (3, 2), (2, 1), (1, 0), (1, 2), 2),
    (2, 6, 6, (8, 8), (3, 3), (1, 1), (1, 1), (1, 1), 6),
    (2, 3, 8, (17, 40), (3, 3), (2, 2), (1, 1), (1, 1), 1),
    (1, 2, 3, (5, 6), (2, 2), (1, 1), (3, 4), (1, 1), 1),
    (2, 8, 10, (6, 7), (1, 1), (1, 1), (0, 0), (1, 1), 2),
    (2, 3, 5, (6, 7), (1, 1), (2, 3), (1, 0), (1, 1), 1),
    (2, 2, 3, (4, 5, 6), (3, 2, 3), (1, 2, 1), (1, 0, 2), (1, 1, 2), 1),
    (1, 1, 1, (1, 1), (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (1, 40, 3, (10, 30), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (5, 2, 7, (20, 20), (3, 3), (1, 1), (0, 0), (3, 3), 1),
]  # fmt: skip


def _out(case: Any) -> tuple[int, ...]:
    _, _, _, image, kernel, stride, padding, dilation, _ = case
    return tuple(
        (i + 2 * p - d * (k - 1) - 1) // s + 1
        for i, k, s, p, d in zip(image, kernel, stride, padding, dilation)
    )


def _terms(case: Any) -> Any:
    """Every (output pixel, kernel element, image pixel) that a convolution multiplies."""
    _, _, _, image, kernel, stride, padding, dilation, _ = case
    for o in itertools.product(*map(range, _out(case))):
        for k in itertools.product(*map(range, kernel)):
            at = [a * s + b * d - p for a, b, s, d, p in zip(o, k, stride, dilation, padding)]
            if all(0 <= a < size for a, size in zip(at, image)):
                yield (..., *o), (..., *k), (..., *at)


def _define(kind: str, case: Any, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The contraction by its definition, in float64 or wrapping int64."""
    n, c, o, image, kernel, *_, groups = case
    wide: Any = np.float64 if left.dtype.kind == "f" else np.int64
    left, right = left.astype(wide), right.astype(wide)
    x_shape, w_shape, y_shape = _grouped_shapes(case)
    if kind == "conv":
        x, w, y = left.reshape(x_shape), right.reshape(w_shape), np.zeros(y_shape, wide)
        for at_y, at_w, at_x in _terms(case):
            y[at_y] += np.einsum("ngc,goc->ngo", x[at_x], w[at_w])
        return y.reshape(n, o, *_out(case))
    if kind == "conv_input":
        y, w, x = left.reshape(y_shape), right.reshape(w_shape), np.zeros(x_shape, wide)
        for at_y, at_w, at_x in _terms(case):
            x[at_x] += np.einsum("ngo,goc->ngc", y[at_y], w[at_w])
        return x.reshape(n, c, *image)
    x, y, w = left.reshape(x_shape), right.reshape(y_shape), np.zeros(w_shape, wide)
    for at_y, at_w, at_x in _terms(case):
        w[at_w] += np.einsum("ngo,ngc->goc", y[at_y], x[at_x])
    return w.reshape(o, c // groups, *kernel)


def _grouped_shapes(case: Any) -> tuple[tuple[int, ...], ...]:
    n, c, o, image, kernel, *_, g = case
    return (n, g, c // g, *image), (g, o // g, c // g, *kernel), (n, g, o // g, *_out(case))


def _operands(kind: str, case: Any, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    x, w, y = (_random(rng, dtype, s) for s in _grouped_shapes(case))
    return {"conv": (x, w), "conv_input": (y, w), "conv_weight": (x, y)}[kind]


def _random(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    if dtype.startswith("f"):
        return rng.standard_normal(shape).astype(DTYPES[dtype])
    return rng.integers(0, 100, shape).astype(DTYPES[dtype])


def _run(
    kind: str, case: Any, dtype: str, left: np.ndarray, right: np.ndarray, **how: Any
) -> np.ndarray:
    n, c, o, image, kernel, *_, groups = case
    shape = {"conv": (n, o, *_out(case)), "conv_input": (n, c, *image),
             "conv_weight": (o, c // groups, *kernel)}[kind]  # fmt: skip
    out = np.full(shape, 77, DTYPES[dtype])
    plan = lower_conv(ConvSpec(kind, dtype, *case))
    run_plan(plan, {"x": left, "y": right, "out": out}, **how)
    return out


def _check(kind: str, case: Any, dtype: str, **how: Any) -> None:
    left, right = _operands(kind, case, dtype)
    expected = _define(kind, case, left, right)
    got = _run(kind, case, dtype, left, right, **how)
    if dtype.startswith("f"):
        terms = _define(kind, case, abs(left), abs(right))
        length = left[0].size + right[0].size + left.size
        if dtype == "f16":
            np.testing.assert_allclose(got, expected, rtol=2e-3, atol=1e-2)
        else:
            assert (abs(got - expected) <= length * np.finfo(DTYPES[dtype]).eps * terms).all()  # type: ignore[type-var]
    else:
        np.testing.assert_array_equal(got, expected.astype(DTYPES[dtype]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_kind_agrees_with_its_definition(case: Any, dtype: str, kind: str) -> None:
    _check(kind, case, dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["f16", "i8", "i32", "u16"])
def test_integers_wrap_and_halves_are_rounded_once(dtype: str, kind: str) -> None:
    for case in CASES[:5:2]:
        _check(kind, case, dtype, slices=2)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv_is_scipys_correlation(rank: int) -> None:
    rng = np.random.default_rng(12)
    x, w = rng.standard_normal((12, 11, 10)[:rank]), rng.standard_normal((3, 4, 2)[:rank])
    ones, zeros = (1,) * rank, (0,) * rank
    case = (1, 1, 1, x.shape, w.shape, ones, zeros, ones, 1)
    got = _run("conv", case, "f64", x, w)[0, 0]
    np.testing.assert_allclose(got, signal.correlate(x, w, "valid"), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", [CASES[2], CASES[4]], ids=str)
def test_any_split_of_the_range_gives_the_same_bits(case: Any, kind: str) -> None:
    left, right = _operands(kind, case, "f32")
    whole = _run(kind, case, "f32", left, right)
    for slices in (2, 5):
        again = _run(kind, case, "f32", left, right, slices=slices)
        np.testing.assert_array_equal(again, whole)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", [CASES[1], CASES[4], CASES[8]], ids=str)
def test_un_jitted_source_gives_the_same(case: Any, kind: str) -> None:
    for dtype in ("f32", "i8"):
        left, right = _operands(kind, case, dtype)
        compiled = _run(kind, case, dtype, left, right)
        got = _run(kind, case, dtype, left, right, jit=False)
        np.testing.assert_allclose(got, compiled, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_symbolic_batch_and_image(kind: str) -> None:
    n, h, w = (dims.dim(name) for name in "nhw")
    how = ((3, 3), (1, 1), (1, 1), (1, 1), 1)
    plan = lower_conv(ConvSpec(kind, "f32", n, 2, 5, (h, w), *how))
    for values in ((1, 4, 4), (40, 9, 20), (0, 4, 4)):
        sizes = dict(zip("nhw", values))
        case = (values[0], 2, 5, values[1:], *how)
        left, right = _operands(kind, case, "f32")
        expected = _define(kind, case, left, right)
        out = np.full(expected.shape, np.nan, np.float32)
        run_plan(plan, {"x": left, "y": right, "out": out}, sizes)
        np.testing.assert_allclose(out, expected, rtol=1e-3, atol=1e-3)


def test_nan_reaches_only_the_pixels_that_see_it() -> None:
    case = CASES[2]
    x, w = _operands("conv", case, "f32")
    x[0, 0, 0, 3, 3] = np.nan
    got = _run("conv", case, "f32", x, w)
    expected = np.zeros(got.shape, bool)
    expected[0, :, 1:6, 1:6] = True
    np.testing.assert_array_equal(np.isnan(got), expected)

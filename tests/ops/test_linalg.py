"""Products and convolutions: NumPy's and SciPy's values, exact gradients, refusals."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from reference import check_gradient, evaluate
from scipy import signal

import graphc.ops  # noqa: F401
from graphc.core import dims
from graphc.core.operators import FUNCTIONS
from graphc.errors import AttributeValueError, ShapeError
from graphc.ops.source import input as placeholder
from graphc.passes.grad import vjp

RNG = np.random.default_rng(11)


def gc(name: str) -> Any:
    return FUNCTIONS[name]


def close(function: Any, reference: Any, *arrays: np.ndarray) -> None:
    wanted = np.asarray(reference(*arrays))
    for symbolic in (False, True):
        found = evaluate(function, *arrays, symbolic=symbolic)
        assert isinstance(found, np.ndarray)
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


MATMUL = [
    ((3, 4), (4, 5)), ((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)), ((2, 3, 4), (4, 5)),
    ((2, 3, 4), (2, 4, 5)), ((6, 1, 3, 4), (2, 4, 5)), ((3, 4), (2, 4, 5)), ((2, 3, 4), (4,)),
    ((4,), (2, 4, 5)), ((1, 1), (1, 1)), ((2, 0), (0, 3)), ((0, 3), (3, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b"), MATMUL)
def test_matmul_is_numpys(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    close(gc("matmul"), np.matmul, RNG.normal(size=a), RNG.normal(size=b))


@pytest.mark.parametrize(("a", "b"), MATMUL[:8])
def test_matmul_has_exact_gradients(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    check_gradient(gc("matmul"), RNG.normal(size=a), RNG.normal(size=b))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "bool"])
def test_matmul_of_integers_wraps_and_of_bools_is_any(dtype: str) -> None:
    a, b = (
        RNG.integers(0, 2 if dtype == "bool" else 100, s).astype(dtype) for s in ((3, 4), (4, 5))
    )
    close(gc("matmul"), np.matmul, a, b)


def test_inner_sizes_are_named() -> None:
    x, w = placeholder("x", (32, 784)), placeholder("w", (10, 784))
    with pytest.raises(ShapeError) as caught:
        gc("matmul")(x, w)
    text = str(caught.value)
    assert "matmul: inner sizes differ, 784 and 10" in text and "hint: transpose y: x @ y.T" in text
    assert "x: f32[32, 784], made at test_linalg.py" in text


@pytest.mark.parametrize(("a", "b"), [((3, 4), (4, 5)), ((4,), (4,)), ((3, 4), (4,)), ((), (4,)),
                                      ((3, 4), (2, 4, 5))])  # fmt: skip
def test_dot_is_numpys(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    close(gc("dot"), np.dot, RNG.normal(size=a), RNG.normal(size=b))


def test_vdot_inner_and_outer_are_numpys() -> None:
    a, b = RNG.normal(size=(3, 4)), RNG.normal(size=(5, 4))
    close(gc("inner"), np.inner, a, b)
    close(gc("outer"), np.outer, a, b)
    close(gc("vdot"), np.vdot, a, b[:3])


@pytest.mark.parametrize("axes", [0, 1, 2, ((0,), (1,)), ((1, 0), (0, 1)), (1, 0)])
def test_tensordot_is_numpys(axes: Any) -> None:
    a, b = RNG.normal(size=(4, 4)), RNG.normal(size=(4, 4, 4))
    found = evaluate(lambda x, y: gc("tensordot")(x, y, axes), a, b)
    np.testing.assert_allclose(found, np.tensordot(a, b, axes), rtol=1e-12)


EINSUM = [
    ("ij,jk->ik", (3, 4), (4, 5)), ("ij,jk", (3, 4), (4, 5)), ("ij->ji", (3, 4)),
    ("ii->i", (3, 3)), ("ii", (3, 3)), ("ij->", (3, 4)), ("ij->j", (3, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("i,j->ij", (3,), (4,)), ("i,i->i", (3,), (3,)), ("i,i", (3,), (3,)),
    ("...ij->...ji", (2, 3, 4)),
    ("...ij,...jk->...ik", (2, 3, 4), (1, 4, 5)), ("ij,kj->ik", (3, 4), (5, 4)),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)), ("iij,jk->ik", (3, 3, 4), (4, 5)),
    ("ij,jk,kl->il", (3, 4), (4, 5), (5, 2)), ("ab,bc,cd,da->", (2, 3), (3, 4), (4, 5), (5, 2)),
    ("ijk,ijk->", (2, 3, 4), (2, 3, 4)), ("ij,ik->ijk", (3, 4), (3, 5)), ("iii->i", (3, 3, 3)),
    ("i...,i...->...", (3, 4), (3, 4)), ("ji", (3, 4)),
    ("ij,->ij", (3, 4), ()), ("iji->j", (3, 4, 3)),
]  # fmt: skip


@pytest.mark.parametrize("case", EINSUM, ids=lambda c: c[0])
def test_einsum_is_numpys(case: tuple[Any, ...]) -> None:
    text, *shapes = case
    arrays = [RNG.normal(size=s) for s in shapes]
    if "1" in str(shapes[-1]):
        found = evaluate(lambda *xs: gc("einsum")(text, *xs), *arrays)
        np.testing.assert_allclose(found, np.einsum(text, *arrays), rtol=1e-12)
        return
    close(lambda *xs: gc("einsum")(text, *xs), lambda *xs: np.einsum(text, *xs), *arrays)


@pytest.mark.parametrize("case", EINSUM[:18:3], ids=lambda c: c[0])
def test_einsum_has_exact_gradients(case: tuple[Any, ...]) -> None:
    text, *shapes = case
    check_gradient(lambda *xs: gc("einsum")(text, *xs), *(RNG.normal(size=s) for s in shapes))


def test_einsum_keeps_small_integers() -> None:
    a = RNG.integers(0, 100, (3, 4)).astype(np.int8)
    for text in ("ij->i", "ij,ij->i"):
        arrays = [a] * (1 + text.count(","))
        close(lambda *xs: gc("einsum")(text, *xs), lambda *xs: np.einsum(text, *xs), *arrays)  # noqa: B023


def naive_conv(x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> np.ndarray:
    """Convolution by its definition, one output element at a time."""
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    out = [(n - d * (k - 1) - 1) // s + 1
           for n, k, s, d in zip(x.shape[2:], w.shape[2:], stride, dilation)]  # fmt: skip
    y = np.zeros((x.shape[0], w.shape[0], *out))
    per = w.shape[0] // groups
    for n, o, *at in itertools.product(*map(range, y.shape)):
        first = o // per * w.shape[1]
        for c, *k in itertools.product(*map(range, w.shape[1:])):
            place = [a * s + b * d for a, s, b, d in zip(at, stride, k, dilation)]
            y[(n, o, *at)] += x[(n, first + c, *place)] * w[(o, c, *k)]
    return y


CONV = [
    ((2, 3, 7), (4, 3, 3), (1,), (1,), (1,), 1),
    ((2, 4, 6, 5), (6, 2, 3, 2), (2, 1), (1, 0), (1, 2), 2),
    ((1, 3, 5, 5), (3, 1, 3, 3), (2, 2), (1, 1), (1, 1), 3),
    ((1, 2, 4, 3, 3), (2, 2, 2, 1, 3), (1, 1, 2), (1, 0, 1), (2, 1, 1), 1),
    ((1, 1, 1), (1, 1, 1), (3,), (0,), (1,), 1),
]


@pytest.mark.parametrize("case", CONV, ids=str)
def test_conv_is_its_definition_and_its_gradients_are_exact(case: tuple[Any, ...]) -> None:
    xs, ws, stride, padding, dilation, groups = case
    x, w, b = RNG.normal(size=xs), RNG.normal(size=ws), RNG.normal(size=ws[0])

    def ours(x: Any, w: Any, b: Any) -> Any:
        return gc("conv")(x, w, b, stride, padding, dilation, groups)

    wanted = naive_conv(x, w, stride, padding, dilation, groups)
    wanted += b.reshape(-1, *[1] * (len(xs) - 2))
    np.testing.assert_allclose(evaluate(ours, x, w, b), wanted, rtol=1e-12, atol=1e-12)
    check_gradient(ours, x, w, b)


def test_conv_is_scipys_correlation() -> None:
    x, w = RNG.normal(size=(9, 8)), RNG.normal(size=(3, 4))
    found = evaluate(lambda a, b: gc("conv")(a[None, None], b[None, None])[0, 0], x, w)
    np.testing.assert_allclose(found, signal.correlate2d(x, w, "valid"), rtol=1e-12)
    found = evaluate(
        lambda a, b: gc("conv")(a[None, None], b[None, None], padding="same")[0, 0], x, w
    )
    full = signal.correlate2d(x, w, "full")
    np.testing.assert_allclose(found, full[1:10, 2:10], rtol=1e-12)


TRANSPOSE = [
    ((2, 4, 5), (4, 3, 3), 2, 1, 1, 1, 1),
    ((1, 4, 3, 4), (4, 2, 2, 3), (2, 3), (0, 1), (1, 2), 2, (1, 2)),
    ((2, 2, 3), (2, 1, 1), 1, 0, 0, 2, 1),
]


@pytest.mark.parametrize("case", TRANSPOSE, ids=str)
def test_conv_transpose_is_the_adjoint_of_conv(case: tuple[Any, ...]) -> None:
    xs, ws, stride, padding, extra, groups, dilation = case
    x, w = RNG.normal(size=xs), RNG.normal(size=ws)

    def ours(x: Any, w: Any) -> Any:
        return gc("conv_transpose")(x, w, None, stride, padding, extra, groups, dilation)

    y = evaluate(ours, x, w)
    assert isinstance(y, np.ndarray)
    rank = len(xs) - 2
    whole = [v if isinstance(v, tuple) else (v,) * rank for v in (stride, padding, dilation)]
    v = RNG.normal(size=y.shape)
    forward = naive_conv(v, w, *whole, groups)  # type: ignore[arg-type, call-arg]
    assert forward.shape == xs
    np.testing.assert_allclose((y * v).sum(), (x * forward).sum(), rtol=1e-10)
    check_gradient(ours, x, w)


def test_conv_of_symbolic_images_keeps_its_sizes() -> None:
    n, h = dims.dim("n"), dims.dim("h", min=1)
    x = placeholder("x", (n, 3, h, h))
    w = placeholder("w", (8, 3, 3, 3))
    assert gc("conv")(x, w, padding=1).shape == (n, 8, h, h)
    y = gc("conv_transpose")(
        placeholder("y", (n, 8, h, h)), w, stride=2, padding=1, output_padding=1
    )
    assert y.shape == (n, 3, 2 * h, 2 * h)


@pytest.mark.parametrize(
    "build",
    [
        lambda x, w: gc("conv")(x, w, groups=2),
        lambda x, w: gc("conv")(x, w[:, :2]),
        lambda x, w: gc("conv")(x, w[..., 0]),
        lambda x, w: gc("conv")(x[..., :2], w),
        lambda x, w: gc("conv")(x, w, w),
        lambda x, w: gc("max_pool")(x[..., :1], 2),
    ],
)
def test_images_and_weights_that_do_not_fit_are_refused_where_written(build: Any) -> None:
    with pytest.raises(ShapeError, match=r"test_linalg\.py"):
        build(placeholder("x", (1, 3, 5, 5)), placeholder("w", (4, 3, 3, 3)))


def test_geometry_out_of_range_is_refused() -> None:
    x, w = placeholder("x", (1, 3, 5, 5)), placeholder("w", (4, 3, 3, 3))
    for how in ({"stride": 0}, {"padding": -1}, {"dilation": (1, 2, 3)}, {"groups": 0}):
        with pytest.raises(AttributeValueError):
            gc("conv")(x, w, **how)
    with pytest.raises(AttributeValueError, match="half the kernel"):
        gc("max_pool")(x, 2, padding=2)


def naive_pool(x: np.ndarray, kernel: Any, stride: Any, padding: Any, reduce: Any) -> np.ndarray:
    out = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip(x.shape[2:], kernel, stride, padding)]
    y = np.zeros((*x.shape[:2], *out))
    for n, c, *at in itertools.product(*map(range, y.shape)):
        part = [slice(max(a * s - p, 0), a * s - p + k)
                for a, s, p, k in zip(at, stride, padding, kernel)]  # fmt: skip
        y[(n, c, *at)] = reduce(x[(n, c, *part)])  # type: ignore[arg-type]
    return y


POOL = [
    ((2, 3, 7), (3,), (2,), (1,)), ((2, 2, 6, 5), (2, 2), (2, 2), (0, 0)),
    ((1, 2, 6, 5), (3, 2), (1, 2), (1, 1)), ((1, 1, 4, 4, 4), (2, 2, 2), (2, 1, 2), (0, 1, 0)),
]  # fmt: skip


@pytest.mark.parametrize("case", POOL, ids=str)
def test_pools_are_their_definition_with_exact_gradients(case: tuple[Any, ...]) -> None:
    shape, kernel, stride, padding = case
    x = RNG.normal(size=shape)
    volume = int(np.prod(kernel))
    for ours, reduce in (
        (lambda t: gc("max_pool")(t, kernel, stride, padding), np.max),
        (lambda t: gc("avg_pool")(t, kernel, stride, padding), lambda p: p.sum() / volume),
        (lambda t: gc("avg_pool")(t, kernel, stride, padding, False), np.mean),
    ):
        wanted = naive_pool(x, kernel, stride, padding, reduce)
        np.testing.assert_allclose(evaluate(ours, x), wanted, rtol=1e-12)
        check_gradient(ours, x)


def test_max_pool_gives_the_gradient_to_the_first_of_equal_elements() -> None:
    def slope(x: Any) -> Any:
        y = gc("max_pool")(x, 2)
        return vjp([y], [gc("full")(y.shape, 1.0, y.dtype)], [x])[0]

    found = evaluate(slope, np.zeros((1, 1, 2, 4)))
    np.testing.assert_array_equal(found, [[[[1, 0, 1, 0], [0, 0, 0, 0]]]])


def test_max_pool_of_nan_is_nan() -> None:
    x = np.array([[[1.0, np.nan, 3.0, 2.0]]])
    np.testing.assert_array_equal(evaluate(lambda t: gc("max_pool")(t, 2), x), [[[np.nan, 3.0]]])

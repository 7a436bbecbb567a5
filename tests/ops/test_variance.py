"""Variances of numbers far from 0: compiled, interpreted, eager, with gradients and statistics.

The mean of large float32 numbers is rounded by more than some of these data spread. The reference
is NumPy's two passes in long doubles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.nn import functional as F

SPREADS = ((1e4, 0.05), (1e6, 1.0), (1e8, 100.0), (-3e7, 8.0), (0.0, 1.0))
FORMS = (((3001,), 0), ((2, 3001), 1), ((3001, 2), 0), ((7, 3, 500), (0, 2)))


def _data(mean: float, spread: float, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    return (mean + spread * np.random.default_rng(5).normal(size=shape)).astype(dtype)


def _exact(x: np.ndarray, axis: Any, correction: int = 0) -> Any:
    return x.astype(np.longdouble).var(axis, ddof=correction)


@pytest.mark.parametrize(("shape", "axis"), FORMS, ids=str)
@pytest.mark.parametrize(("mean", "spread"), SPREADS)
def test_variances_of_data_with_a_large_mean(
    mean: float, spread: float, shape: tuple[int, ...], axis: Any
) -> None:
    x = _data(mean, spread, shape)
    node = gc.input("x", [gc.dim(f"n{k}") for k in range(len(shape))], gc.float32)
    both = [gc.var(node, axis, correction=0), gc.std(node, axis)]
    for found, other in (
        gc.compile([node], both)(x),
        gc.interpret(gc.Graph.of("var", [node], both), x),
        [gc.tensor(x).var(axis, correction=0).numpy(), gc.tensor(x).std(axis).numpy()],
    ):
        np.testing.assert_allclose(found, _exact(x, axis).astype(float), rtol=5e-7)
        wanted = np.sqrt(_exact(x, axis, 1)).astype(float)
        np.testing.assert_allclose(other, wanted, rtol=5e-7)


@pytest.mark.parametrize("value", [0.1, 16777217.0, 1e-30, 0.0])
def test_variances_of_constants_are_never_negative(value: float) -> None:
    x = np.full((3, 1000), value, np.float32)
    node = gc.input("x", x.shape, gc.float32)
    for axis in (0, 1, None):
        found = gc.compile([node], gc.std(node, axis))(x)
        assert (found <= abs(value) * 1e-7).all() and (found >= 0).all()


@pytest.mark.parametrize(("mean", "spread"), SPREADS[:3])
def test_gradients_of_variances(mean: float, spread: float) -> None:
    x = _data(mean, spread, (2, 1000))
    wide = x.astype(np.longdouble)
    node = gc.input("x", x.shape, gc.float32)
    (graph,) = gc.grad(gc.sum(gc.var(node, 1, correction=0)), [node])
    leaf = gc.tensor(x, requires_grad=True)
    leaf.var(1, correction=0).sum().backward()
    wanted = (2 / 1000 * (wide - wide.mean(1, keepdims=True))).astype(float)
    # The rounded mean moves every element's distance alike.
    slack = 2 / 1000 * abs(mean) * np.finfo(np.float32).eps
    for found in (gc.compile([node], graph)(x), leaf.grad.numpy()):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=slack)  # type: ignore[call-overload]


@pytest.mark.parametrize(("mean", "spread"), SPREADS[:3])
@pytest.mark.parametrize("traced", [False, True])
def test_running_statistics(mean: float, spread: float, traced: bool) -> None:
    x = _data(mean, spread, (40, 3, 25))
    middle, variance = gc.zeros(3), gc.zeros(3)

    def run(t: Any) -> Any:
        return F.batch_norm(t, middle, variance, training=True, momentum=1.0)

    y = (gc.jit.compile(run) if traced else run)(gc.tensor(x))
    np.testing.assert_allclose(variance.numpy(), _exact(x, (0, 2), 1).astype(float), rtol=5e-7)
    np.testing.assert_allclose(middle.numpy(), x.astype(float).mean((0, 2)), rtol=2e-7)
    wide = x.astype(np.longdouble)
    centred = wide - wide.mean((0, 2), keepdims=True)
    wanted = (centred / np.sqrt((centred**2).mean((0, 2), keepdims=True) + 1e-5)).astype(float)
    slack = abs(mean) * np.finfo(np.float32).eps / spread
    np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-3, atol=slack)  # type: ignore[call-overload]


def test_norms_of_float16_whose_squares_overflow() -> None:
    x = (np.random.default_rng(0).normal(size=(4, 8)) * 3000).astype(np.float16)
    wide = x.astype(float)
    centred = wide - wide.mean(1, keepdims=True)
    found = F.layer_norm(gc.tensor(x), (8,)).numpy()
    wanted = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=2e-3)
    found = F.rms_norm(gc.tensor(x), (8,)).numpy()
    wanted = wide / np.sqrt((wide**2).mean(1, keepdims=True))
    np.testing.assert_allclose(found, wanted, rtol=2e-3)

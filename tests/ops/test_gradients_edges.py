"""Gradients where a formula has a corner: at zeros, ties and equal elements, and once more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
import graphc.nn.functional as F

BIG = [1e13] * 7 + [0.0, 0.0]


def _gradients(f: Callable[[Any], Any], values: Any, dtype: Any = None) -> tuple[Any, Any]:
    """f's gradient, and the derivative of the gradient's sum weighted by 1, 2, 3 ..."""
    x = gc.tensor(values, dtype=dtype or gc.float64, requires_grad=True)
    (g,) = gc.autograd.grad(f(x).sum(), x, create_graph=True)
    weights = gc.tensor(np.arange(1.0, g.numel() + 1), dtype=g.dtype)
    (h,) = gc.autograd.grad((g * weights).sum(), x)
    return g.detach().numpy(), h.numpy()


def test_a_product_of_large_numbers_and_zeros_has_the_gradient_0() -> None:
    for dtype in (gc.float32, gc.float64):
        assert not _gradients(lambda x: x.prod(), BIG, dtype)[0].any()
    wide = [0.0, 1e200, 1e200, 0.0, 1e200, 1e200]
    assert not _gradients(lambda x: x.prod(), wide)[0].any()


@pytest.mark.parametrize("values", [[2.0, 3.0, 4.0], [0.0, 3.0, 4.0], [0.0, 0.0, 4.0]])
def test_the_second_derivative_of_a_product_is_exact_with_zeros(values: list[float]) -> None:
    a, b, c = values
    first, second = _gradients(lambda x: x.prod(), values)
    np.testing.assert_allclose(first, [b * c, a * c, a * b])
    np.testing.assert_allclose(second, [2 * c + 3 * b, c + 3 * a, b + 2 * a])


@pytest.mark.parametrize("base", ["logaddexp", "logaddexp2"])
@pytest.mark.parametrize("x", [0.4, 0.7])
def test_logaddexp_is_smooth_where_its_operands_are_equal(base: str, x: float) -> None:
    scale = np.log(2) if base == "logaddexp2" else 1.0
    y = gc.tensor(0.4, dtype=gc.float64)
    first, second = _gradients(lambda t: getattr(gc, base)(t, y), x)
    share = 1 / (1 + np.exp(scale * (0.4 - x)))
    np.testing.assert_allclose(first, share)
    np.testing.assert_allclose(second, scale * share * (1 - share))


def test_deviations_and_norms_that_are_0_have_the_gradient_0() -> None:
    x = gc.tensor([2.0, 2.0, 2.0], requires_grad=True)
    assert gc.autograd.grad(gc.std(x), x)[0].tolist() == [0, 0, 0]
    zeros = gc.tensor([0.0, 0.0, 0.0], requires_grad=True)
    for p in (1, 2, 3, 1.5, 0.5, -1):
        assert gc.autograd.grad(gc.norm(zeros, p), zeros)[0].tolist() == [0, 0, 0], p


def test_a_median_is_nan_with_a_nan_and_ties_share_its_gradient() -> None:
    nan = gc.tensor([float("nan"), 1.0, 2.0])
    assert np.isnan(gc.median(nan).item())
    assert np.isnan(gc.median(nan, 0).values.item()) and gc.median(nan, 0).indices.item() == 0
    x = gc.tensor([2.0, 2.0, 0.0], requires_grad=True)
    assert gc.autograd.grad(gc.median(x), x)[0].tolist() == [0.5, 0.5, 0.0]


def test_a_hinge_at_its_corner_lets_the_gradient_through() -> None:
    x = gc.tensor([1.0, 1.0], requires_grad=True)
    loss = F.hinge_embedding_loss(x, gc.tensor([-1.0, -1.0]))
    assert gc.autograd.grad(loss, x)[0].tolist() == [-0.5, -0.5]


def test_the_gradient_of_logit_is_infinite_at_its_ends() -> None:
    x = gc.tensor([0.0, 0.5, 1.0], requires_grad=True)
    assert gc.autograd.grad(gc.logit(x).sum(), x)[0].tolist() == [np.inf, 4.0, np.inf]


@pytest.mark.parametrize("compiled", [False, True])
def test_an_empty_batch_leaves_running_statistics_alone(compiled: bool) -> None:
    module = gc.nn.BatchNorm1d(3)
    run = gc.jit.compile(lambda x: module(x)) if compiled else module
    run(gc.zeros(0, 3, 2))
    assert module.running_mean.tolist() == [0, 0, 0] and module.running_var.tolist() == [1, 1, 1]

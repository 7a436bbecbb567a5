"""Dtypes of layers and losses that are given several: results in the dtype that PyTorch gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
import graphc.nn.functional as F
from graphc import nn

R = np.random.default_rng(11)
HALF = R.standard_normal((3, 4, 6)).astype(np.float16)
NORMS: dict[str, Callable[[], nn.Module]] = {
    "batch": lambda: nn.BatchNorm1d(4), "instance": lambda: nn.InstanceNorm1d(4, affine=True),
    "tracked": lambda: nn.InstanceNorm1d(4, track_running_stats=True),
    "layer": lambda: nn.LayerNorm(6), "rms": lambda: nn.RMSNorm(6),
    "group": lambda: nn.GroupNorm(2, 4),
}  # fmt: skip
AXES = {"batch": (0, 2), "instance": (2,), "tracked": (2,), "layer": (2,), "rms": None}


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("compiled", [False, True])
def test_float16_stays_float16_beside_weights_of_float32(name: str, compiled: bool) -> None:
    module = NORMS[name]()
    run: Any = gc.jit.compile(lambda x: module(x)) if compiled else module
    x = gc.tensor(HALF, requires_grad=True)
    y = run(x)
    wide = HALF.astype(float)
    if name == "rms":
        want = wide / np.sqrt((wide**2).mean(-1, keepdims=True) + np.finfo(np.float16).eps)
    else:
        rows = wide.reshape(3, 2, 12) if name == "group" else wide
        axes = (2,) if name == "group" else AXES[name]
        spread = rows.var(axes, keepdims=True)
        want = ((rows - rows.mean(axes, keepdims=True)) / np.sqrt(spread + 1e-5)).reshape(3, 4, 6)
    assert y.dtype is gc.float16
    np.testing.assert_allclose(y.detach().numpy(), want, rtol=2e-3, atol=1e-3)
    assert all(b.dtype in (gc.float32, gc.int64) for b in module.buffers())
    y.sum().backward()
    assert x.grad.dtype is gc.float16
    assert all(p.grad.dtype is gc.float32 for p in module.parameters())
    module.eval()
    assert module(x).dtype is gc.float16


def test_a_number_in_a_tensor_counts_as_any_other_tensor_where_a_loss_broadcasts() -> None:
    x, wide = gc.ones(3, 4), gc.tensor(2.0, dtype=gc.float64)
    for loss in (F.l1_loss, F.mse_loss, F.smooth_l1_loss, F.huber_loss):
        with pytest.warns(gc.errors.GraphcWarning, match="seldom meant"):
            assert loss(x, wide).dtype is gc.float64
        assert loss(x[0, 0], wide).dtype is gc.float64


def test_losses_of_logits_are_in_the_targets_dtype() -> None:
    x, target = gc.zeros(3), gc.ones(3, dtype=gc.float64)
    for a, b in ((x, target), (target * 0, target.float())):
        loss = F.binary_cross_entropy_with_logits(a, b)
        assert loss.dtype is b.dtype
        np.testing.assert_allclose(loss.item(), np.log(2), rtol=1e-6)


def test_products_are_taken_in_the_common_dtype() -> None:
    small = gc.tensor([20, 200], dtype=gc.uint8)
    found = gc.addcmul(gc.zeros(2), small, small, value=0.5)
    assert found.tolist() == [200.0, 20000.0]
    assert gc.addcdiv(gc.zeros(2), small, gc.tensor([8, 8])).tolist() == [2.5, 25.0]

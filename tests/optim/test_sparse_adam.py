"""`SparseAdam`: rows that have a gradient, as the formula says; in programs these alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim

START = np.random.default_rng(0).standard_normal((50, 3))
BATCHES = np.array([[3, 49, 3, 0], [7, 0, 1, 2], [3, 3, 3, 49], [8, 9, 0, 7]])


def _by_the_formula(lr: float, beta1: float, beta2: float, sign: float) -> Iterator[np.ndarray]:
    """Rows of the loss's gradient alone, one at a time, in float64."""
    w, m, v = START.copy(), np.zeros_like(START), np.zeros_like(START)
    for t, batch in enumerate(BATCHES, 1):
        gradient = np.zeros_like(w)
        np.add.at(gradient, batch, 2 * w[batch])
        for row in np.unique(batch):
            g = sign * gradient[row]
            m[row] = beta1 * m[row] + (1 - beta1) * g
            v[row] = beta2 * v[row] + (1 - beta2) * g * g
            size = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t)
            w[row] -= size * m[row] / (np.sqrt(v[row]) + 1e-8)
        yield w


def _table(dtype: Any, rows: int = 50, columns: int = 3) -> tuple[Any, Any]:
    table = nn.Embedding(rows, columns).to(dtype)
    if rows == 50:
        with gc.no_grad():
            table.weight.copy_(gc.tensor(START).to(dtype))
    return table, gc.input("index", (gc.dim("n"),), gc.int64)


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("level", ["eager", "O0", "O2"])
def test_rows_change_as_the_formula_says_and_others_stay(level: str, maximize: bool) -> None:
    table, index = _table(gc.float64)
    optimizer = optim.SparseAdam(table.parameters(), lr=0.05, betas=(0.8, 0.95), maximize=maximize)
    step = None
    if level != "eager":
        updates = optimizer.updates((table(index) ** 2).sum())
        step = gc.compile([index], None, updates=updates, level=level)
    wanted = _by_the_formula(0.05, 0.8, 0.95, -1 if maximize else 1)
    for batch, want in zip(BATCHES, wanted):
        if step is not None:
            step(batch)
        else:
            optimizer.zero_grad()
            (table(gc.tensor(batch)) ** 2).sum().backward()
            optimizer.step()
        np.testing.assert_allclose(table.weight.detach().numpy(), want, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(table.weight.detach().numpy()[10:49], START[10:49])


def test_a_vector_has_elements_for_rows() -> None:
    w = gc.zeros(4, requires_grad=True)
    optimizer = optim.SparseAdam([w], lr=0.1)
    (w * gc.tensor([0.0, 1.0, 0.0, -2.0])).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(w.tolist(), [0, -0.1, 0, 0.1], rtol=1e-5)


def test_no_kernel_goes_over_more_than_the_rows_that_have_a_gradient() -> None:
    table, index = _table(gc.float32, 400_000, 64)
    optimizer = optim.SparseAdam(table.parameters())
    step = gc.compile([index], None, updates=optimizer.updates((table(index) ** 2).sum()))
    batch = np.random.default_rng(0).integers(0, 400_000, 32)
    step(batch)
    assert step.memory(n=32)[0] < 1_000_000
    _, final = step.history[-1]
    whole = {n.op.name for n in final.nodes if str(n.type).startswith("f32[400000")}
    assert whole == {"parameter", "index_update"}  # in place, as the memory says

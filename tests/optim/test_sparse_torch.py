"""Training of tables as PyTorch users write it, `sparse=True` too: PyTorch's values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

START = np.random.default_rng(0).standard_normal((1000, 6)).astype(np.float32)
BATCHES = [np.array(b) for b in ([[3, 999, 3], [0, 3, 7]], [[1, 2, 3], [4, 5, 999]])]
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1}, "Adagrad": {"lr": 0.1, "lr_decay": 0.01}, "SparseAdam": {"lr": 0.1},
}  # fmt: skip


def _stepping(lib: Any, layer: str, name: str, settings: dict[str, Any], sparse: bool) -> Any:
    """A step of training, and the table."""
    more = {"mode": "sum"} if layer == "EmbeddingBag" else {}
    table = getattr(lib.nn, layer)(1000, 6, sparse=sparse, **more)
    with lib.no_grad():
        table.weight.copy_(lib.tensor(START))
    optimizer = getattr(lib.optim, name)(table.parameters(), **settings)

    def step(index: Any) -> Any:
        optimizer.zero_grad()
        loss = (table(index) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    return step, table.weight


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("layer", ["Embedding", "EmbeddingBag"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_on_tables_are_torchs(name: str, layer: str, sparse: bool, compiled: bool) -> None:
    ours, weight = _stepping(gc, layer, name, OPTIMIZERS[name], sparse)
    only_sparse = name == "SparseAdam"  # PyTorch's
    theirs, wanted = _stepping(torch, layer, name, OPTIMIZERS[name], sparse or only_sparse)
    ours = gc.jit.compile(ours) if compiled else ours
    for index in BATCHES * 2:
        left, right = ours(gc.tensor(index)), theirs(torch.tensor(index))
        np.testing.assert_allclose(left.item(), right.item(), rtol=1e-5)
    np.testing.assert_allclose(
        weight.detach().numpy(), wanted.detach().numpy(), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_traced_step_makes_nothing_as_large_as_the_table(name: str) -> None:
    step, weight = _stepping(gc, "Embedding", name, OPTIMIZERS[name], True)
    step = gc.jit.compile(step)
    index = gc.tensor(BATCHES[0])
    for _ in range(2):
        step(index)
    assert step.program.memory()[0] < weight.numel()

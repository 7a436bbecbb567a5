"""Modules called with symbolic tensors: their code means what it means eagerly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn

X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


def _no_history(x: Any) -> Any:
    with gc.no_grad():
        mask = gc.zeros_like(x)
        mask[:, 1] = 1
        mask.add_(x > 0)
    return x * mask


def _no_gradient_of_one_factor(x: Any) -> Any:
    with gc.no_grad():
        y = x * 2
    return y * x


def _parts_of_one(x: Any) -> Any:
    y = x * 1
    first = y[0]
    y.mul_(2)
    return first * x


def _sums(x: Any) -> Any:
    y = x.clone()
    a, b = y.chunk(2, 1)
    a += b
    return y


def _written(statements: str) -> Callable[[Any], Any]:
    def forward(x: Any) -> Any:
        scope = {"y": x * 1, "x": x, "gc": gc}
        exec(statements, scope)
        return scope["y"]

    return forward


BODIES = {
    "a sample's deviation": lambda x: (x - x.mean(0)) / x.std(0) + x.var(),
    "pairs": lambda x: x.max(1).values[:, None] + x.sort(1).values - x.min(0)[0],
    "no history": _no_history, "one factor": _no_gradient_of_one_factor, "parts": _parts_of_one,
    "chunks": _sums, "data": lambda x: x.data * x, "detached": lambda x: x.detach() * x,
    **{text: _written(text) for text in (
        "y[:, 0] = 1", "y[:, 0] *= 2; y[1:].add_(3); y[:, 1:3] = y[:, 0:2]", "y[y < 0] = 0",
        "z = y[:, 1]; z.mul_(3)", "z = y.t(); z[0] = 5; y.view(-1)[3] = 7", "y.relu_()",
        "v = y.max(1)[0]; y += v[:, None]", "y = gc.zeros(x.shape[0], 5); y[:, :4] = x",
        "y = y.split(2, dim=1)[1].repeat(1, 2)",
    )},
}  # fmt: skip


class Body(nn.Module):
    def __init__(self, body: Callable[[Any], Any]) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Any, scale: Any = 1) -> Any:
        return self.body(x * scale)


@pytest.mark.parametrize("name", BODIES)
def test_a_modules_values_and_gradients_are_those_of_eager_calls(name: str) -> None:
    model = Body(BODIES[name])
    x = gc.input("x", (gc.dim("n", min=1), 4))
    result = model(x)
    assert isinstance(result, gc.Node)
    program = gc.compile([x], [result, gc.grad(gc.sum(result**2), x)])
    eager = gc.tensor(X, requires_grad=True)
    wanted = model(eager)
    (wanted**2).sum().backward()
    value, gradient = program(X)
    np.testing.assert_allclose(value, wanted.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, eager.grad.numpy(), rtol=1e-4, atol=1e-5)


def test_nodes_are_found_in_keywords_and_lists_and_submodules_get_tensors() -> None:
    class Pair(nn.Module):
        def forward(self, pair: Any, scale: Any) -> Any:
            assert all(isinstance(v, gc.Tensor) for v in (*pair, scale))
            return Body(lambda x: x.std(0))(pair[0] + pair[1], scale=scale)

    x, k = gc.input("x", (6, 4)), gc.input("k", ())
    program = gc.compile([x, k], Pair()([x, X], scale=k))
    np.testing.assert_allclose(program(X, np.float32(3)), (2 * X * 3).std(0, ddof=1), rtol=1e-5)


@pytest.mark.parametrize("statements", [
    "y.detach().zero_()", "y.data.mul_(2)", "with gc.no_grad(): y.mul_(2)",
])  # fmt: skip
def test_a_write_that_keeps_an_old_gradient_is_refused(statements: str) -> None:
    with pytest.raises(gc.errors.GraphcError, match="written in place without its gradient"):
        Body(_written(statements))(gc.input("x", (6, 4)))

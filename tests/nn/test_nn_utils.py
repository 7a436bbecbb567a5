"""Clipping gradients, parameters as a vector."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from module_errors import lines, raised

import graphc as gc
from graphc import nn
from graphc.errors import GraphcWarning

utils = nn.utils
SHAPES = ((3, 4), (5,), (), (2, 2, 2))


def params(seed: int = 0, dtype: str = "float32") -> list[Any]:
    """Parameters with gradients, and one without."""
    rng = np.random.default_rng(seed)
    made = []
    for shape in SHAPES:
        param = nn.Parameter(gc.tensor(np.zeros(shape, dtype)))
        param.grad = gc.tensor(np.asarray(3 * rng.standard_normal(shape)).astype(dtype))
        made.append(param)
    return [*made, nn.Parameter(gc.zeros(7))]


def vector(of: list[Any]) -> np.ndarray:
    return np.concatenate([p.grad.numpy().ravel() for p in of if p.grad is not None])


@pytest.mark.parametrize("p", [1, 2, 2.5, 0.5, math.inf, -math.inf, 0])
@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clip_grad_norm(p: float, max_norm: float) -> None:
    given = params()
    before = vector(given)
    grads = [param.grad for param in given]
    wanted = float(np.linalg.norm([np.linalg.norm(vector([q]), p) for q in given[:-1]], p))
    total = utils.clip_grad_norm_(given, max_norm, norm_type=p)
    assert total.shape == () and total.item() == pytest.approx(wanted, rel=1e-5)
    factor = min(max_norm / (wanted + 1e-6), 1.0)
    assert np.allclose(vector(given), before * factor, rtol=1e-5)
    assert all(a is b.grad for a, b in zip(grads, given))
    if factor == 1:
        assert np.array_equal(vector(given), before)


def test_one_tensor_a_generator_and_none() -> None:
    one = params()[0]
    norm = float(np.linalg.norm(vector([one])))
    assert utils.clip_grad_norm_(one, 1.0).item() == pytest.approx(norm, rel=1e-6)
    assert np.linalg.norm(vector([one])) == pytest.approx(1, rel=1e-4)
    assert utils.clip_grad_norm_((p for p in params()), 1.0).item() > 1
    assert utils.clip_grad_norm_([], 1.0).item() == 0
    assert utils.clip_grad_norm_([nn.Parameter(gc.ones(1))], 1.0).item() == 0
    with pytest.warns(GraphcWarning, match="the generator of parameters gave none"):
        utils.clip_grad_norm_((p for p in ()), 1.0)  # type: ignore[var-annotated]


def test_values_that_are_not_finite() -> None:
    given = params()
    given[1].grad[2] = float("nan")
    assert raised(
        ArithmeticError, lambda: utils.clip_grad_norm_(given, 1.0, error_if_nonfinite=True)
    ) == lines(
        "the norm of order 2 of 4 gradients is nan, so they cannot be clipped",
        "at HERE",
        "hint: look for nan with gc.isnan, or pass error_if_nonfinite=False",
    )
    assert math.isnan(utils.clip_grad_norm_(given, 1.0).item())
    assert np.isnan(vector(given)).all()


def test_the_two_halves_of_clipping() -> None:
    a, b = params(), params()
    total = utils.get_total_norm([p.grad for p in a if p.grad is not None])
    utils.clip_grads_with_norm_(a, 2.0, total)
    utils.clip_grad_norm_(b, 2.0)
    assert np.array_equal(vector(a), vector(b))


def test_dtypes_stay() -> None:
    given = [*params(), *params(1, "float64"), *params(2, "float16")]
    total = utils.clip_grad_norm_(given, 1.0)
    assert total.dtype is gc.float64
    assert [p.grad.dtype.name for p in given if p.grad is not None] == (
        ["float32"] * 4 + ["float64"] * 4 + ["float16"] * 4
    )


def test_clip_grad_value() -> None:
    given = params()
    before = vector(given)
    utils.clip_grad_value_(given, 0.7)
    assert np.array_equal(vector(given), np.clip(before, np.float32(-0.7), np.float32(0.7)))
    assert raised(ValueError, lambda: utils.clip_grad_value_(given, -1)) == lines(
        "clip_grad_value_: clip_value=-1 is negative", "at HERE"
    )


def test_parameters_as_a_vector_and_back() -> None:
    given = [nn.Parameter(gc.randn(*shape)) for shape in SHAPES]
    flat = utils.parameters_to_vector(given)
    assert flat.shape == (26,) and flat.requires_grad
    (flat * flat).sum().backward()
    assert np.allclose(given[0].grad.numpy(), 2 * given[0].detach().numpy())
    wanted = gc.arange(26).float()
    utils.vector_to_parameters(wanted, given)
    assert np.array_equal(utils.parameters_to_vector(given).detach().numpy(), wanted.numpy())
    assert all(p.is_leaf and p.requires_grad for p in given) and given[3].shape == (2, 2, 2)
    assert raised(ValueError, lambda: utils.vector_to_parameters(gc.zeros(3), given)) == lines(
        "vector_to_parameters: the parameters have 26 elements, and vec has shape (3,)", "at HERE"
    )
    assert raised(TypeError, lambda: utils.vector_to_parameters([1.0], given)) == lines(  # type: ignore[arg-type]
        "vector_to_parameters: vec is a list, not a tensor", "at HERE"
    )
    assert raised(TypeError, lambda: utils.parameters_to_vector([])) == lines(
        "parameters_to_vector: there are no parameters", "at HERE"
    )


@pytest.mark.parity
@pytest.mark.parametrize("p", [1, 2, 3, math.inf, -math.inf, 0])
@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_beside_pytorch(p: float, max_norm: float) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    ours = params()
    theirs = []
    for param in ours:
        twin = torch.nn.Parameter(torch.zeros(tuple(param.shape)))
        if param.grad is not None:
            twin.grad = torch.tensor(param.grad.numpy().copy())
        theirs.append(twin)
    a = utils.clip_grad_norm_(ours, max_norm, p)
    b = torch.nn.utils.clip_grad_norm_(theirs, max_norm, p)
    assert a.item() == pytest.approx(b.item(), rel=1e-6)
    utils.clip_grad_value_(ours, 0.3)
    torch.nn.utils.clip_grad_value_(theirs, 0.3)
    for x, y in zip(ours, theirs):
        if y.grad is not None:
            assert np.allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-6)


def test_a_traced_step_clips_as_the_eager_one() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(gc.ones(3))
            self.register_buffer("calls", gc.zeros(1))

        def forward(self, x: Any) -> Any:
            self.calls.add_(1)
            return x * self.weight

    def train(compiled: bool) -> list[Any]:
        net = Net()
        net.register_full_backward_pre_hook(lambda module, grads: (grads[0] * 2,))
        net.register_forward_hook(lambda module, args, out: out + 1)
        optimizer = gc.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

        def step(x: Any) -> Any:
            optimizer.zero_grad()
            loss = (net(x) ** 2).sum()
            loss.backward()
            norm = utils.clip_grad_norm_(net.parameters(), 0.5)
            utils.clip_grad_value_(net.parameters(), 0.3)
            optimizer.step()
            return loss, norm

        run = gc.jit.compile(step) if compiled else step
        found = [[t.item() for t in run(gc.tensor([1.0, 2.0, 3.0]) + k)] for k in range(4)]
        return [found, net.weight.tolist(), net.calls.tolist()]

    eager, traced = train(False), train(True)
    assert np.allclose(eager[0], traced[0], rtol=1e-6)
    assert np.allclose(eager[1], traced[1], rtol=1e-6) and traced[2] == [4.0]

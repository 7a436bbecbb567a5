"""Optimizers take the papers' steps, written out in NumPy, and PyTorch's where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from optimizers import CASES, NAMES, SHAPES, STEPS, gradient, start, written_out

import graphc as gc
from graphc.optim import together
from graphc.optim.adam import adam_update

TOLERANCE = {"float32": 2e-5, "float64": 1e-6}


def make(name: str, params: list[Any], given: dict[str, Any]) -> Any:
    return getattr(gc.optim, name)(params, **given)


def parameters(dtype: Any) -> list[Any]:
    return [gc.tensor(value, requires_grad=True) for value in start(dtype)]


def run(optimizer: Any, params: list[Any], steps: range, **options: Any) -> None:
    for step in steps:
        for position, param in enumerate(params):
            value = param.detach().numpy()
            param.grad = gc.tensor(gradient(step, position, value))
        optimizer.step(**options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, given", CASES, ids=NAMES)
def test_the_papers_steps(name: str, given: dict[str, Any], dtype: str) -> None:
    params = parameters(dtype)
    optimizer = make(name, params, given)
    rules = [written_out(name, value, given) for value in start(dtype)]
    expected = [next(rule) for rule in rules]
    for step in range(STEPS):
        grads = [gradient(step, k, p.detach().numpy()) for k, p in enumerate(params)]
        for param, grad in zip(params, grads):
            param.grad = gc.tensor(grad)
        optimizer.step()
        expected = [rule.send(grad.astype(np.float64)) for rule, grad in zip(rules, grads)]  # type: ignore[attr-defined]
        for param, value in zip(params, expected):
            close(param.detach().numpy(), value, TOLERANCE[dtype])
    for param, shape in zip(params, SHAPES):
        assert tuple(param.shape) == shape and param.dtype.name == dtype


def close(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parity
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, given", CASES, ids=NAMES)
def test_the_steps_of_pytorch(name: str, given: dict[str, Any], dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    params = parameters(dtype)
    theirs = [torch.tensor(value, requires_grad=True) for value in start(dtype)]
    optimizer = make(name, params, given)
    their_optimizer = getattr(torch.optim, name)(theirs, **given)
    # Values differ by roundings, which small second moments magnify.
    tolerance = 2e-6 if dtype == "float32" else 1e-12
    for step in range(STEPS):
        for position, (param, their) in enumerate(zip(params, theirs)):
            grad = gradient(step, position, their.detach().numpy())
            param.grad, their.grad = gc.tensor(grad), torch.tensor(grad)
        optimizer.step()
        their_optimizer.step()
        for param, their in zip(params, theirs):
            close(param.detach().numpy(), their.detach().numpy(), tolerance)
    ours, others = optimizer.state_dict(), their_optimizer.state_dict()
    assert ours["param_groups"] == others["param_groups"]
    assert repr(optimizer) == repr(their_optimizer)
    assert list(ours["state"]) == list(others["state"])
    for key, state in others["state"].items():
        assert set(ours["state"][key]) == set(state)
        for entry, value in state.items():
            found = ours["state"][key][entry]
            assert str(found.dtype.name) == str(value.dtype).removeprefix("torch.")
            close(found.numpy(), value.numpy(), tolerance * 10)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad"])
def test_training_by_autograd(name: str) -> None:
    random = np.random.default_rng(1)
    x, y = random.normal(size=(16, 3)), random.normal(size=(16, 1))
    w = gc.tensor(np.zeros((3, 1)), requires_grad=True)
    optimizer = make(name, [w], {"lr": 0.1})
    value = np.zeros((3, 1))
    rule = written_out(name, value, {"lr": 0.1})
    next(rule)
    for _ in range(20):
        optimizer.zero_grad()
        error = gc.tensor(x) @ w - gc.tensor(y)
        (error * error).mean().backward()
        optimizer.step()
        value = rule.send(2 * x.T @ (x @ value - y) / 16)  # type: ignore[attr-defined]
    close(w.detach().numpy(), value, 1e-6)


def test_float16_is_computed_in_float32() -> None:
    w = gc.tensor(np.full(3, 1.0, np.float16), requires_grad=True)
    optimizer = gc.optim.Adam([w], lr=1e-2, betas=(0.9, 0.9999))
    for _ in range(5):
        w.grad = gc.tensor(np.full(3, 4.0, np.float16))  # 1 - 0.9999 is 0 in float16
        optimizer.step()
    assert w.dtype is gc.float16
    np.testing.assert_allclose(w.detach().numpy().astype(float), 0.95, atol=2e-3)


@pytest.mark.parametrize("name, given", CASES, ids=NAMES)
def test_a_run_resumed_equals_one_that_was_not(name: str, given: dict[str, Any]) -> None:
    whole = parameters("float32")
    run(make(name, whole, given), whole, range(20))
    first = parameters("float32")
    optimizer = make(name, first, given)
    run(optimizer, first, range(10))
    saved = optimizer.state_dict()
    second = [gc.tensor(p.detach().numpy().copy(), requires_grad=True) for p in first]
    resumed = make(name, second, {})
    resumed.load_state_dict(saved)
    run(optimizer, first, range(10, 13))  # what was loaded is a copy
    run(resumed, second, range(10, 20))
    for param, value in zip(second, whole):
        np.testing.assert_array_equal(param.detach().numpy(), value.detach().numpy())


def test_a_learning_rate_that_changes() -> None:
    params = parameters("float64")
    optimizer = gc.optim.Adam(params, lr=0.1)
    rules = [written_out("Adam", value, {"lr": 1.0}) for value in start("float64")]
    values = [next(rule) for rule in rules]
    for step in range(10):
        lr = optimizer.param_groups[0]["lr"] = 0.1 / (1 + step)
        grads = [gradient(step, k, p.detach().numpy()) for k, p in enumerate(params)]
        for param, grad in zip(params, grads):
            param.grad = gc.tensor(grad)
        optimizer.step()
        # The written-out rule has a fixed rate of one: scale its step.
        for k, (rule, grad) in enumerate(zip(rules, grads)):
            before = rule.gi_frame.f_locals["p"]  # type: ignore[attr-defined]
            values[k] = values[k] + lr * (rule.send(grad) - before)  # type: ignore[attr-defined]
    for param, value in zip(params, values):
        close(param.detach().numpy(), value, 1e-6)


def test_a_learning_rate_in_a_tensor() -> None:
    w = gc.tensor([1.0], requires_grad=True)
    rate = gc.tensor([0.5])
    optimizer = gc.optim.SGD([w], lr=rate)
    w.grad = gc.ones(1)
    optimizer.step()
    assert w.tolist() == [0.5]
    rate.fill_(0.25)
    optimizer.step()
    assert w.tolist() == [0.25]


def test_parameters_without_a_gradient_stay() -> None:
    w, v = (gc.tensor([1.0], requires_grad=True) for _ in range(2))
    optimizer = gc.optim.Adam([w, v], lr=0.1)
    w.grad = gc.ones(1)
    optimizer.step()
    assert w.item() != 1.0 and v.item() == 1.0
    assert list(optimizer.state_dict()["state"]) == [0]


def test_parameters_change_in_place() -> None:
    w = gc.tensor([1.0], requires_grad=True)
    held = w.detach()
    w.grad = gc.ones(1)
    gc.optim.SGD([w], lr=0.5).step()
    assert held.tolist() == [0.5]
    assert w.is_leaf and w.requires_grad


@pytest.mark.parametrize("name, given", CASES, ids=NAMES)
def test_large_parameters(name: str, given: dict[str, Any]) -> None:
    # Beside one that is a transposed view, so is updated another way, and one that is empty.
    random = np.random.default_rng(0)
    value, slope = random.normal(size=(2, 300, 70)).astype(np.float32)
    found = [gc.tensor(value, requires_grad=True), gc.tensor(value.T.copy()).T]
    found[1] = found[1].requires_grad_()
    empty = gc.zeros(0, 3, requires_grad=True)
    optimizer = make(name, [*found, empty], given)
    rule = written_out(name, value, given)
    expected = next(rule)
    for _ in range(5):
        for param in found:
            param.grad = gc.tensor(slope)
        empty.grad = gc.zeros(0, 3)
        optimizer.step()
        expected = rule.send(slope.astype(np.float64))  # type: ignore[attr-defined]
    for param in found:
        close(param.detach().numpy(), expected, 2e-5)
    assert tuple(empty.shape) == (0, 3)


def test_a_gradient_of_another_layout() -> None:
    w = gc.tensor(np.zeros((2, 3), np.float32), requires_grad=True)
    w.grad = gc.tensor(np.arange(6, dtype=np.float32).reshape(3, 2)).T
    gc.optim.SGD([w], lr=1.0).step()
    assert w.tolist() == [[0.0, -2.0, -4.0], [-1.0, -3.0, -5.0]]


@pytest.mark.parametrize("name, given", CASES, ids=NAMES)
def test_a_traced_step_takes_the_same_way(
    name: str, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast, slow = parameters("float32"), parameters("float32")
    run(make(name, fast, given), fast, range(5))
    # A trace records the composites; without one they run by NumPy.
    monkeypatch.setattr(together, "_run", lambda *_: False)
    run(make(name, slow, given), slow, range(5))
    for param, other in zip(fast, slow):
        close(param.detach().numpy(), other.detach().numpy(), 2e-6)


@pytest.mark.parametrize("name, given", CASES, ids=NAMES)
def test_one_kernel_writes_the_parameter_and_its_moments(name: str, given: dict[str, Any]) -> None:
    together._PROGRAMS.clear()
    params = [gc.tensor(np.ones(40, np.float32), requires_grad=True)]
    optimizer = make(name, params, given)
    run(optimizer, params, range(1))
    (program,) = together._PROGRAMS.values()
    (state,) = optimizer.state.values() or [{}]
    counters = [value.ndim == 0 for value in state.values()]
    assert program.beside == [False, *counters]  # type: ignore[union-attr]


def test_another_learning_rate_compiles_nothing() -> None:
    params = parameters("float32")
    optimizer = gc.optim.Adam(params, lr=0.1)
    run(optimizer, params, range(1))
    before = len(together._PROGRAMS)
    for step in range(1, 100):
        group = optimizer.param_groups[0]
        group.update(lr=0.1 / step, betas=(1 - 1 / (step + 1), 0.9), eps=1e-6 * step)
        run(optimizer, params, range(step, step + 1))
    assert len(together._PROGRAMS) == before


def test_the_same_arithmetic_in_a_static_program() -> None:
    value, slope = start("float64")[0], gradient(0, 0, start("float64")[0])
    w, g = gc.parameter("w", value), gc.input("g", value.shape, gc.float64)
    step, m, v = (
        gc.parameter(name, np.zeros(shape, dtype))
        for name, shape, dtype in (("step", (), "f4"), ("m", (3, 4), "f8"), ("v", (3, 4), "f8"))
    )
    new = adam_update(
        w, g, step, m, v, None, 0.1, 0.9, 0.999, 1e-8, 0.0,
        decays=False, decoupled=False, maximize=False,
    )  # fmt: skip
    program = gc.compile([g], [], updates=dict(zip((w, step, m, v), new)))
    rule = written_out("Adam", value, {"lr": 0.1})
    next(rule)
    for _ in range(3):
        program(slope)
        close(w.value, rule.send(slope), 1e-12)  # type: ignore[attr-defined]

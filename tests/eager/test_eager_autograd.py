"""Recording and the backward pass: modes, hooks, graphs, custom functions, checks."""

from __future__ import annotations

import gc as garbage
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GradientError


def _leaf(*values: float) -> Any:
    return gc.tensor(values, dtype=gc.float64, requires_grad=True)


FUNCTIONS = {
    "product": lambda x: x * x.exp(),
    "quotient": lambda x: x / (1 + x * x),
    "power": lambda x: x**3 + 2.0**x,
    "softmax": lambda x: gc.softmax(x, 0),
    "logsumexp": lambda x: gc.logsumexp(x, 0),
    "norm": lambda x: x.norm(),
    "matmul": lambda x: gc.outer(x, x) @ x,
    "max": lambda x: x.max(0).values * x,
    "sort": lambda x: x.sort().values * gc.arange(3),
    "where": lambda x: gc.where(x > 0, x.sin(), x * x),
    "index": lambda x: x[gc.tensor([0, 2, 0])] ** 2,
    "cat": lambda x: gc.cat([x, x * 2]).cumsum(0),
    "prod": lambda x: x.prod(),
    "var": lambda x: x.var(),
    "gelu": lambda x: gc.gelu(x),
    "layer_norm": lambda x: gc.nn.functional.layer_norm(x, (3,)),
    "in place": lambda x: (x * 1).mul_(x).add_(1)[1:].exp(),
    "slice written": lambda x: _written(x * 1, x),
}


def _written(y: Any, x: Any) -> Any:
    y[0] = x[1] * x[2]
    return y * y


@pytest.mark.parametrize("name", FUNCTIONS)
def test_first_and_second_gradients_are_those_of_differences(name: str) -> None:
    x = _leaf(0.7, -0.4, 1.3)
    assert gc.autograd.gradcheck(FUNCTIONS[name], x)
    assert gc.autograd.gradgradcheck(FUNCTIONS[name], x)


def test_gradcheck_finds_a_wrong_rule() -> None:
    class Wrong(gc.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 3

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * 2

    with pytest.raises(GradientError, match="backward gives 2, differences 3"):
        gc.autograd.gradcheck(Wrong.apply, _leaf(1.0))
    assert not gc.autograd.gradcheck(Wrong.apply, _leaf(1.0), raise_exception=False)


def test_gradients_add_up_until_they_are_cleared() -> None:
    x = _leaf(1.0, 2.0)
    for k in range(1, 4):
        (x * x).sum().backward()
        assert x.grad.tolist() == [2 * k, 4 * k]
    x.grad = None
    x.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_gradients_of_two_leaves_share_no_memory() -> None:
    a, b = _leaf(1.0), _leaf(2.0)
    (a + b).sum().backward()
    a.grad.zero_()
    assert b.grad.tolist() == [1]
    ct = gc.ones(1, dtype=gc.float64)
    (a * 1).backward(ct)
    a.grad.zero_()
    assert ct.tolist() == [1]


def test_a_graph_may_be_kept_for_another_pass() -> None:
    x = _leaf(3.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [12]
    with pytest.raises(GradientError, match="freed the values"):
        y.backward()


def test_the_graph_goes_when_its_result_does() -> None:
    x = _leaf(*range(100))
    y = x.exp()
    ref = weakref.ref(y.grad_fn)
    garbage.disable()
    try:
        del y
        assert ref() is None
    finally:
        garbage.enable()


def test_derivatives_of_derivatives() -> None:
    x = _leaf(2.0)
    (first,) = gc.autograd.grad((x**4).sum(), x, create_graph=True)
    (second,) = gc.autograd.grad(first.sum(), x, create_graph=True)
    (third,) = gc.autograd.grad(second.sum(), x)
    assert [first.item(), second.item(), third.item()] == [32, 48, 48]
    y = _leaf(1.5)
    (y**3).sum().backward(create_graph=True)
    assert y.grad.requires_grad


def test_grad_of_intermediate_and_unused_tensors() -> None:
    x, other = _leaf(1.0, 2.0), _leaf(1.0)
    y = x * 3
    z = (y * y).sum()
    (dy,) = gc.autograd.grad(z, y, retain_graph=True)
    assert dy.tolist() == [6, 12] and x.grad is None
    with pytest.raises(GradientError, match="no output depends on input 1"):
        gc.autograd.grad(z, (x, other), retain_graph=True)
    assert gc.autograd.grad(z, (x, other), retain_graph=True, allow_unused=True)[1] is None
    assert gc.autograd.grad(z, (x, other), materialize_grads=True)[1].tolist() == [0]


def test_backward_may_be_limited_to_some_leaves() -> None:
    x, w = _leaf(2.0), _leaf(3.0)
    (x * w).sum().backward(inputs=[w])
    assert x.grad is None and w.grad.tolist() == [2]


@pytest.mark.parametrize("mode", [gc.no_grad, gc.inference_mode])
def test_modes_stop_recording_as_contexts_and_decorators(mode: Any) -> None:
    x = _leaf(1.0)
    with mode():
        assert not (x * 2).requires_grad and not gc.is_grad_enabled()
        with gc.enable_grad():
            assert (x * 2).requires_grad
    assert (x * 2).requires_grad

    @mode()
    def run() -> Any:
        return x * 2

    assert not run().requires_grad
    with gc.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert gc.is_grad_enabled()


def test_modes_are_each_threads_own() -> None:
    x, found = _leaf(1.0), []
    with gc.no_grad():
        thread = threading.Thread(target=lambda: found.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert found == [True]


def test_hooks_see_and_replace_gradients() -> None:
    x = _leaf(1.0, 2.0)
    y = x * 2
    seen: list[Any] = []
    handle = y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    (y * y).sum().backward()
    assert seen == [[4, 8]] and x.grad.tolist() == [81, 161]
    handle.remove()
    y = x * 2
    y.retain_grad()
    after: list[Any] = []
    x.register_post_accumulate_grad_hook(lambda t: after.append(t.grad is not None))
    x.grad = None
    y.sum().backward()
    assert y.grad.tolist() == [1, 1] and after == [True] and len(seen) == 1


def test_a_custom_function_saves_and_differentiates_twice() -> None:
    class Cube(gc.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, factor: float) -> Any:
            ctx.save_for_backward(x)
            ctx.factor = factor
            assert ctx.needs_input_grad == (True, False)
            return x**3 * factor

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            (x,) = ctx.saved_tensors
            return 3 * ctx.factor * x**2 * grad, None

    x = _leaf(2.0, -1.0)
    assert gc.autograd.gradcheck(lambda t: Cube.apply(t, 0.5), x)
    assert gc.autograd.gradgradcheck(lambda t: Cube.apply(t, 0.5), x)
    y = Cube.apply(x, 2.0)
    assert "CubeBackward" in repr(y)
    y.sum().backward()
    with pytest.raises(GradientError, match="already freed"):
        y.sum().backward()


def test_ten_thousand_steps_need_no_recursion() -> None:
    x = _leaf(1.0)
    y = x
    for _ in range(10_000):
        y = y + 1
    y.sum().backward()
    assert x.grad.tolist() == [1]


def test_detached_tensors_share_memory_and_no_history() -> None:
    x = _leaf(1.0, 2.0)
    y = (x * 2).detach()
    assert not y.requires_grad and y.is_leaf
    base = x * 3
    base.detach().mul_(2)
    assert base.tolist() == [6, 12]


def test_threads_run_passes_of_their_own() -> None:
    results: list[Any] = []

    def run(k: int) -> None:
        x = _leaf(float(k))
        for _ in range(50):
            x.grad = None
            (x * x * x).sum().backward()
        results.append((k, x.grad.item()))

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [(k, 3.0 * k * k) for k in range(4)]


def test_large_and_small_tensors_have_the_same_gradients() -> None:
    """NumPy code below, kernels above: one rule."""
    drawn = np.random.RandomState(0).randn(400, 500)
    for function in (gc.tanh, lambda x: gc.softmax(x, 1), lambda x: (x * x).mean(0)):
        large = gc.tensor(drawn, dtype=gc.float64, requires_grad=True)
        small = gc.tensor(drawn[:, :3].copy(), dtype=gc.float64, requires_grad=True)
        weight = gc.tensor(np.random.RandomState(1).randn(*function(large).shape))
        (function(large) * weight).sum().backward()
        numeric = _difference(function, drawn, weight.numpy())
        np.testing.assert_allclose(large.grad.numpy()[0, :4], numeric, rtol=1e-4, atol=1e-7)
        function(small).sum().backward()


def _difference(function: Any, values: np.ndarray, weight: np.ndarray) -> list[float]:
    found = []
    for k in range(4):
        ends = []
        for step in (1e-5, -1e-5):
            moved = values.copy()
            moved[0, k] += step
            ends.append(float((function(gc.tensor(moved)).numpy() * weight).sum()))
        found.append((ends[0] - ends[1]) / 2e-5)
    return found


def test_functional_derivatives() -> None:
    x = gc.tensor([1.0, 2.0], dtype=gc.float64)
    jacobian = gc.autograd.functional.jacobian(lambda v: gc.outer(v, v), x)
    assert jacobian.shape == (2, 2, 2)
    np.testing.assert_allclose(jacobian[0, 1].numpy(), [2, 1])
    hessian = gc.autograd.functional.hessian(lambda v: v[0] ** 2 * v[1], x)
    np.testing.assert_allclose(hessian.numpy(), [[4, 2], [2, 0]])

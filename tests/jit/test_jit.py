"""Compiled training steps beside the eager ones: the same numbers, one program, any batch size."""

from __future__ import annotations

import cProfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
import graphc.nn as nn
import graphc.optim as optim
from graphc.errors import GraphcWarning, TraceError
from graphc.nn import functional as F


def _mlp() -> Any:
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))


class ConvNet(nn.Module):
    """Convolution, batch norm, pooling, dropout: state of every kind."""

    def __init__(self) -> None:
        super().__init__()
        # No bias: batch norm takes it off again, and Adam makes steps of its gradient's noise.
        self.conv = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.25)
        self.out = nn.Linear(4 * 4 * 4, 3)

    def forward(self, x: Any) -> Any:
        x = F.max_pool2d(F.relu(self.norm(self.conv(x.view(-1, 1, 8, 8)))), 2)
        return self.out(self.drop(x.flatten(1)))


MODELS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "mlp": (_mlp, (6,)),
    "conv": (ConvNet, (64,)),
}
OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3),
    "adam": lambda p: optim.Adam(p, lr=1e-2),
    "adamw": lambda p: optim.AdamW(p, lr=1e-2),
    "rmsprop": lambda p: optim.RMSprop(p, lr=1e-2, momentum=0.5),
}


def _training(model: str, optimizer: str) -> tuple[Any, Any, Any, Any]:
    gc.manual_seed(0)
    make, shape = MODELS[model]
    net = make()
    chosen = OPTIMIZERS[optimizer](net.parameters())

    def step(x: Any, y: Any) -> Any:
        chosen.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        chosen.step()
        return loss

    return net, chosen, step, shape


def _batches(shape: tuple[int, ...], sizes: Any) -> list[tuple[Any, Any]]:
    drawn = np.random.RandomState(1)
    return [
        (gc.tensor(drawn.randn(n, *shape).astype(np.float32)), gc.tensor(drawn.randint(0, 3, n)))
        for n in sizes
    ]


@pytest.mark.parametrize("model", list(MODELS))
@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_a_compiled_training_step_ends_where_the_eager_one_does(model: str, optimizer: str) -> None:
    sizes = [8, 8, 8, 5, 8, 12, 8, 3]
    net, _, step, shape = _training(model, optimizer)
    gc.manual_seed(7)
    eager = [float(step(x, y)) for x, y in _batches(shape, sizes)]
    after = {k: v.clone() for k, v in net.state_dict().items()}
    drawn = gc.rand(3)
    net, _, step, shape = _training(model, optimizer)
    run = gc.jit.compile(step)
    gc.manual_seed(7)
    compiled = [float(run(x, y)) for x, y in _batches(shape, sizes)]
    np.testing.assert_allclose(compiled, eager, rtol=1e-5)
    for name, value in net.state_dict().items():
        np.testing.assert_allclose(value.numpy(), after[name].numpy(), rtol=2e-4, atol=1e-5)
    assert len(run.variants) == 1
    # The generator moved on by as many draws.
    assert gc.equal(gc.rand(3), drawn)


def test_a_hundred_batch_sizes_and_a_schedule_compile_once() -> None:
    net, chosen, step, shape = _training("mlp", "adam")
    schedule = optim.lr_scheduler.CosineAnnealingLR(chosen, T_max=100)
    run = gc.jit.compile(step)
    rates = set()
    for x, y in _batches(shape, range(2, 102)):
        run(x, y)
        schedule.step()
        rates.add(chosen.param_groups[0]["lr"])
    assert len(rates) == 100 and len(run.variants) == 1


SIZED = {
    "full": lambda x: (x.mean(1) - gc.full((x.size(0),), 1.5)).sum(),
    "new_full": lambda x: x.mean(1) - x.new_full((x.size(0),), 2),
    "full of integers": lambda x: gc.full((x.size(0), 2), 7) * (x[:, :2] > 0.5),
    "arange": lambda x: (x[:, 0] * gc.arange(x.size(0))).sum(),
    "arange of floats": lambda x: gc.arange(0, 2 * x.size(0), dtype=gc.float32) / 4 + x[0, 0],
    "arange of few": lambda x: gc.arange(x.size(0) - 1) * (x[1:, 0] > 0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZED)
def test_what_is_made_of_a_batch_size_compiles_once(name: str) -> None:
    run = gc.jit.compile(SIZED[name])
    for size in (5, 4, 7, 6, 3):
        x = gc.rand(size, 4)
        found, wanted = run(x), SIZED[name](x)
        assert found.dtype is wanted.dtype
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-6)
    assert len(run.variants) == 1


def test_a_changed_learning_rate_is_used() -> None:
    w = gc.ones(3, requires_grad=True)
    chosen = optim.SGD([w], lr=0.5)

    @gc.jit.compile
    def step(x: Any) -> Any:
        chosen.zero_grad()
        loss = (w * x).sum()
        loss.backward()
        chosen.step()
        return loss

    step(gc.ones(3))
    assert w.tolist() == [0.5] * 3
    chosen.param_groups[0]["lr"] = 0.25
    step(gc.ones(3))
    assert w.tolist() == [0.25] * 3
    assert len(step.variants) == 1


def test_evaluation_after_training_is_another_program_with_the_same_state() -> None:
    net, _, step, shape = _training("conv", "sgd")
    run = gc.jit.compile(step)
    for x, y in _batches(shape, [8] * 3):
        run(x, y)
    predict = gc.jit.compile(lambda x: net(x))
    x = _batches(shape, [6])[0][0]
    net.eval()
    with gc.no_grad():
        np.testing.assert_allclose(predict(x).numpy(), net(x).numpy(), rtol=1e-4, atol=1e-5)
    assert any("training" in line for line in predict.assumes())
    net.train()
    assert "training" in predict.would_recompile(x) or "recording" in predict.would_recompile(x)


def test_results_of_a_compiled_module_are_differentiated_from_outside() -> None:
    gc.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    run = gc.jit.compile(net)
    x = gc.randn(5, 4, requires_grad=True)
    (run(x) ** 2).sum().backward()
    own = [x.grad.clone(), *(p.grad.clone() for p in net.parameters())]
    x.grad = None
    net.zero_grad()
    (net(x) ** 2).sum().backward()
    for mine, wanted in zip(own, [x.grad, *(p.grad for p in net.parameters())]):
        np.testing.assert_allclose(mine.numpy(), wanted.numpy(), rtol=1e-4, atol=1e-6)


def test_gradients_add_up_over_calls_that_do_not_clear_them() -> None:
    w = gc.ones(2, requires_grad=True)

    @gc.jit.compile
    def add(x: Any) -> None:
        (w * x).sum().backward()

    for k in range(1, 5):
        add(gc.ones(2))
        assert w.grad.tolist() == [k] * 2


def test_a_gradient_that_stayed_inside_hinders_nothing_that_does_not_read_it() -> None:
    # The parameter leaves the optimizer's group, and is converted.
    found = []
    for wrap in (lambda f: f, gc.jit.compile):
        gc.manual_seed(0)
        net = nn.Linear(3, 2)
        sgd = optim.SGD(net.parameters(), lr=0.1)

        def step(x: Any, net: Any = net, sgd: Any = sgd) -> Any:
            sgd.zero_grad()
            loss = net(x).pow(2).sum()
            loss.backward()
            sgd.step()
            return loss.detach()

        run = wrap(step)
        losses = [run(gc.ones(2, 3))]
        del sgd.param_groups[0]["params"][0]
        losses += [run(gc.ones(2, 3)), run(gc.ones(2, 3))]
        net.to(gc.float64)
        losses.append(run(gc.ones(2, 3, dtype=gc.float64)))
        found.append([*losses, *net.parameters()])
    for wanted, got in zip(*found):
        assert got.dtype is wanted.dtype
        np.testing.assert_allclose(got.detach().numpy(), wanted.detach().numpy(), rtol=1e-5)


def test_gradients_that_stay_inside_say_so_and_are_kept_on_demand() -> None:
    for keep in (False, True):
        net, chosen, step, shape = _training("mlp", "sgd")
        run = gc.jit.compile(step, keep_grads=keep)
        run(*_batches(shape, [4])[0])
        weight = next(net.parameters())
        if keep:
            assert weight.grad.shape == weight.shape
        else:
            with pytest.raises(TraceError, match="compile with keep_grads=True"):
                weight.grad.sum()


def test_state_replaced_from_outside_is_noticed() -> None:
    net, _, _, shape = _training("mlp", "sgd")
    net.eval()
    run = gc.jit.compile(lambda x: net(x))
    x = _batches(shape, [4])[0][0]
    with gc.no_grad():
        run(x)
        net.double().float()
        net[0].weight.mul_(2)
        np.testing.assert_allclose(run(x).numpy(), net(x).numpy(), rtol=1e-5)


def test_clipping_of_gradients_is_part_of_the_step() -> None:
    def losses(compiled: bool) -> list[float]:
        net, chosen, _, shape = _training("mlp", "sgd")

        def step(x: Any, y: Any) -> Any:
            chosen.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.1)
            chosen.step()
            return loss

        run = gc.jit.compile(step) if compiled else step
        gc.manual_seed(3)
        return [float(run(x, y)) for x, y in _batches(shape, [8] * 6)]

    np.testing.assert_allclose(losses(True), losses(False), rtol=1e-5)


def test_a_number_that_varies_is_an_input_of_the_program() -> None:
    run = gc.jit.compile(lambda x, k: x * k)
    for k in range(20):
        assert run(gc.ones(2), float(k)).tolist() == [k, k]
    assert len(run.variants) == 2  # of the first number, and of any


def test_programs_beyond_the_limit_replace_the_oldest_with_one_warning_or_are_an_error() -> None:
    run = gc.jit.compile(lambda x, k: x.reshape(1, -1).sum(0)[:k], limit=3)
    with pytest.warns(GraphcWarning, match="3 programs were compiled, the least recently used"):
        for k in range(1, 9):
            assert run(gc.ones(9), k).tolist() == [1.0] * k
    assert len(run.variants) == 3
    strict = gc.jit.compile(lambda x, k: x[:k] * 1, limit=3, at_limit="error")
    for k in range(1, 4):
        strict(gc.ones(9), k)
    with pytest.raises(TraceError, match="3 programs were compiled, and none fits this call"):
        strict(gc.ones(9), 8)
    eager = gc.jit.compile(lambda x, k: x[:k] * 1, limit=3, at_limit="eager")
    for k in range(1, 9):
        assert eager(gc.ones(9), k).tolist() == [1.0] * k


def test_a_trace_has_a_certificate_and_refuses_what_does_not_fit() -> None:
    factor = 3.0
    run = gc.jit.trace(lambda x: (x * factor).sum(1), gc.ones(2, 3), dynamic_axes={0: [0]}, check=3)
    assert run(gc.ones(7, 3)).tolist() == [9.0] * 7
    assert any("closure factor = 3.0" in line for line in run.certificate["baked"])
    assert len(run.certificate["checks"]) == 3
    assert "def traced" in run.code and run.graph.inputs
    with pytest.raises(TraceError, match="axis 1 of input 0 has size 4, not 3"):
        run(gc.ones(7, 4))
    factor = 4.0
    with pytest.raises(TraceError, match="closure factor changed from 3.0"):
        run(gc.ones(7, 3))


CONTROL: list[tuple[str, Callable[[Any], Any]]] = [
    ("cond", lambda x: gc.cond(x.sum() > 0, lambda v: v * 2, lambda v: v.exp(), x)),
    ("while", lambda x: gc.while_loop(lambda v: v.norm() < 100, lambda v: v * 1.5, x + 1)),
    ("scan", lambda x: gc.scan(lambda c, v: (c + v.tanh(), c * 2), x[0] * 0, x)[1]),
    ("map", lambda x: gc.map(lambda row: row.sum() * row, x)),
]


@pytest.mark.parametrize(("name", "function"), CONTROL)
def test_control_flow_is_the_same_eagerly_and_compiled(name: str, function: Any) -> None:
    run = gc.jit.compile(function)
    for sign in (1.0, -1.0):
        x = gc.tensor(np.random.RandomState(0).rand(4, 3).astype(np.float32)) * sign
        np.testing.assert_allclose(run(x).numpy(), function(x).numpy(), rtol=1e-5)


@pytest.mark.parametrize(("name", "function"), [c for c in CONTROL if c[0] != "while"])
def test_control_flow_is_differentiated_in_a_step(name: str, function: Any) -> None:
    def slope(x: Any) -> Any:
        w = x * 1
        w.requires_grad_()
        (g,) = gc.autograd.grad((function(w) ** 2).sum(), w)
        return g

    for sign in (1.0, -1.0):
        x = gc.tensor(np.random.RandomState(0).rand(4, 3).astype(np.float32)) * sign
        np.testing.assert_allclose(
            gc.jit.compile(slope)(x).numpy(), slope(x).numpy(), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("count", [256, 257, 1000])
@pytest.mark.parametrize("kind", ["list", "dict"])
def test_items_of_long_containers_are_assumptions_too(count: int, kind: str) -> None:
    settings: Any = [float(k) for k in range(count)]
    settings = dict(enumerate(settings)) if kind == "dict" else settings

    @gc.jit.compile
    def f(x: Any) -> Any:
        return x * settings[3]

    assert f(gc.ones(1)).item() == 3
    assert f(gc.ones(1)).item() == 3 and len(f.variants) == 1
    settings[3] = 7.0
    assert f(gc.ones(1)).item() == 7


def test_a_profiler_goes_on_after_a_trace() -> None:
    def after(x: Any) -> Any:
        return x

    @gc.jit.compile
    def step(x: Any) -> Any:
        return x * 2.0

    profile = cProfile.Profile()
    profile.enable()
    try:
        found = step(gc.ones(3))
        after(found)
    finally:
        profile.disable()
    np.testing.assert_array_equal(found.numpy(), [2, 2, 2])
    called = {code.co_name for entry in profile.getstats() if (code := entry.code) and
              not isinstance(code, str)}  # fmt: skip
    assert "after" in called


@pytest.mark.parametrize(
    "make", [gc.randn, gc.rand, gc.zeros, lambda *s: gc.randn(*s)[:2], lambda *s: gc.ones(*s) * 2]
)
def test_calls_are_guarded_wherever_their_arguments_come_from(make: Any) -> None:
    compiled = gc.jit.compile(lambda x: x * 2)
    x = make(2, 3)
    for _ in range(2):
        np.testing.assert_array_equal(compiled(x).numpy(), 2 * x.numpy())
        assert compiled.tier(x) == "guarded"

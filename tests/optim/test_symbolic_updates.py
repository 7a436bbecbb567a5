"""`optimizer.updates(loss)`: one model trained by a program of a graph as it is trained eagerly."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as gc
import graphc.nn.functional as F
from graphc import nn, optim

RNG = np.random.default_rng(0)
BATCHES = [
    (RNG.standard_normal((k, 5)).astype(np.float32), RNG.integers(0, 3, k)) for k in (6, 9, 7, 8)
]
MAKERS: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.01),
    "Nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, maximize=True),
    "Adam": lambda p: optim.Adam(p, lr=0.01, betas=(0.8, 0.95)),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01, amsgrad=True),
    "Adamax": lambda p: optim.Adamax(p, lr=0.01), "NAdam": lambda p: optim.NAdam(p, lr=0.01),
    "RAdam": lambda p: optim.RAdam(p, lr=0.01), "Adagrad": lambda p: optim.Adagrad(p, lr=0.05),
    "Adadelta": lambda p: optim.Adadelta(p, lr=0.5),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "tensor": lambda p: optim.SGD(p, lr=gc.tensor(0.1)),
    "groups": lambda p: optim.Adam(
        [{"params": [q], "lr": 0.01 * (k + 1)} for k, q in enumerate(p)], weight_decay=0.1
    ),
}  # fmt: skip


def _model() -> nn.Sequential:
    gc.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.BatchNorm1d(8), nn.Linear(8, 3))


def _program(model: Any, loss_of: Callable[..., Any], optimizer: Any) -> Any:
    n = gc.dim("n", min=1)
    x, t = gc.input("x", (n, 5)), gc.input("t", (n,), gc.int64)
    loss = loss_of(model(x), t)
    return gc.compile([x, t], loss, updates=optimizer.updates(loss))


def _eagerly(model: Any, optimizer: Any, x: Any, t: Any) -> float:
    optimizer.zero_grad()
    loss = F.cross_entropy(model(gc.tensor(x)), gc.tensor(t))
    loss.backward()
    optimizer.step()
    return loss.item()


def _tensors(state: Any) -> Iterator[tuple[str, np.ndarray]]:
    for key, value in state.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{k}", v) for k, v in _tensors(value))
        elif isinstance(value, gc.Tensor):
            yield str(key), value.detach().numpy()


def _same(own: Any, wanted: Any) -> None:
    pairs = list(zip(_tensors(own.state_dict()), _tensors(wanted.state_dict()), strict=True))
    for (name, a), (other, b) in pairs:
        assert name == other
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("name", MAKERS)
def test_a_program_trains_as_eager_code_does(name: str) -> None:
    own, other = _model(), _model()
    optimizer, wanted = MAKERS[name](own.parameters()), MAKERS[name](other.parameters())
    program = _program(own, F.cross_entropy, optimizer)
    for k, (x, t) in enumerate(BATCHES):
        np.testing.assert_allclose(program(x, t), _eagerly(other, wanted, x, t), rtol=1e-5)
        if k == 1:
            for each in (optimizer, wanted):
                each.param_groups[0]["lr"] *= 0.5
    _same(own, other)
    _same(optimizer, wanted)


def test_eager_steps_programs_and_schedules_take_turns() -> None:
    own, other = _model(), _model()
    optimizer, wanted = (MAKERS["Adam"](m.parameters()) for m in (own, other))
    schedules = [optim.lr_scheduler.StepLR(o, 1, 0.5) for o in (optimizer, wanted)]
    program = _program(own, F.cross_entropy, optimizer)
    for k, (x, t) in enumerate(BATCHES):
        if k % 2:
            _eagerly(own, optimizer, x, t)
        else:
            program(x, t)
        _eagerly(other, wanted, x, t)
        for schedule in schedules:
            schedule.step()
    _same(own, other)
    _same(optimizer, wanted)


def test_programs_compiled_before_see_the_trained_values_and_running_statistics() -> None:
    model = _model()
    x = gc.input("x", (gc.dim("n"), 5))
    predict = gc.compile([x], model.eval()(x))
    program = _program(model.train(), F.cross_entropy, MAKERS["Adam"](model.parameters()))
    for batch in BATCHES:
        program(*batch)
    data = BATCHES[0][0]
    wanted = model.eval()(gc.tensor(data)).detach().numpy()
    np.testing.assert_allclose(predict(data), wanted, rtol=1e-5, atol=1e-6)


def test_a_module_in_training_updates_its_statistics_at_each_call_and_once_for_each_use() -> None:
    own, other = (nn.BatchNorm1d(5, momentum=None) for _ in range(2))
    x = gc.input("x", (gc.dim("n", min=2), 5))
    program = gc.compile([x], own(own(x) * 2 + 1))
    for data, _ in BATCHES:
        wanted = other(other(gc.tensor(data)) * 2 + 1).detach().numpy()
        np.testing.assert_allclose(program(data), wanted, rtol=1e-4, atol=1e-5)
    _same(own, other)
    assert own.num_batches_tracked.item() == 2 * len(BATCHES)
    given = gc.compile([x], own(x), updates={own.running_mean: own.running_mean.as_node() * 0})
    given(BATCHES[0][0])
    assert own.running_mean.tolist() == [0] * 5


def test_frozen_parameters_and_those_that_the_loss_lacks_stay() -> None:
    model = _model()
    model[0].weight.requires_grad_(False)
    apart = nn.Parameter(gc.ones(2))
    before = model[0].weight.numpy().copy()
    program = _program(model, F.cross_entropy, optim.SGD([*model.parameters(), apart], lr=0.1))
    program(*BATCHES[0])
    assert np.array_equal(model[0].weight.numpy(), before) and apart.tolist() == [1, 1]


def test_gradients_may_be_given_clipped() -> None:
    model = nn.Linear(5, 3)
    x = gc.input("x", (gc.dim("n"), 5))
    loss = gc.sum(model(x) * 100)
    slopes = gc.grad(loss, [model.weight, model.bias])
    clipped = {p: gc.clip(g, -1, 1) for p, g in zip(model.parameters(), slopes)}
    before = model.bias.tolist()
    step = gc.compile([x], loss, updates=optim.SGD([model.bias], lr=0.5).updates(loss, clipped))
    step(BATCHES[0][0])
    np.testing.assert_allclose(model.bias.tolist(), np.array(before) - 0.5, rtol=1e-6)


def test_what_a_program_cannot_follow_is_an_error() -> None:
    model = nn.Linear(5, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    program = _program(model, F.cross_entropy, optimizer)
    program(*BATCHES[0])
    model.weight.data = gc.zeros(3, 5)
    with pytest.raises(gc.errors.ArgumentError, match="other memory since"):
        program(*BATCHES[0])
    loss = gc.sum(nn.Linear(2, 2)(gc.input("x", (2, 2))))
    lbfgs = optim.LBFGS(model.parameters())
    with pytest.raises(gc.errors.ArgumentError, match=re.escape("compile it with gc.jit.compile")):
        lbfgs.updates(loss)
    optimizer.register_step_post_hook(lambda *given: None)
    with pytest.raises(gc.errors.ArgumentError, match="step hooks"):
        optimizer.updates(loss)


def test_a_setting_that_asks_for_another_update_is_an_error() -> None:
    model = nn.Linear(5, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    program = _program(model, F.cross_entropy, optimizer)
    program(*BATCHES[0])
    optimizer.param_groups[0]["weight_decay"] = 0.1
    with pytest.raises(gc.errors.ArgumentError, match="decays: was False, is True"):
        program(*BATCHES[0])
    _program(model, F.cross_entropy, optimizer)(*BATCHES[0])


@pytest.mark.parametrize("lr", [0.1, gc.tensor(0.1)], ids=["number", "tensor"])
def test_a_setting_is_looked_at_whatever_the_rate_is(lr: Any) -> None:
    model = nn.Linear(3, 2)
    optimizer = optim.SGD(model.parameters(), lr=lr)
    x = gc.input("x", (4, 3))
    step = gc.compile([x], None, updates=optimizer.updates((model(x) ** 2).mean()))
    step(np.ones((4, 3), np.float32))
    optimizer.param_groups[0]["weight_decay"] = 0.1
    with pytest.raises(gc.errors.ArgumentError, match="ask for another update"):
        step(np.ones((4, 3), np.float32))


def test_an_eager_step_of_a_symbolic_loss_is_an_error() -> None:
    model = nn.Linear(3, 2)
    optimizer = optim.Adam(model.parameters())
    optimizer.step()  # nothing has a gradient, and there is no graph
    loss = model(gc.input("x", (4, 3))).mean()
    with pytest.raises(gc.errors.ArgumentError, match=r"updates=optimizer.updates\(loss\)"):
        optimizer.step()
    assert isinstance(loss, gc.Node)
    model(gc.ones(4, 3)).mean().backward()
    optimizer.step()


def test_integers_take_the_dtype_of_a_layers_weight() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    x = gc.input("x", (4, 3), gc.int64)
    values = np.arange(12).reshape(4, 3)
    got = gc.compile([x], model(x))(values)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, model(gc.tensor(values)).detach().numpy(), rtol=1e-6)


def test_a_backward_pass_is_told_that_a_program_changed_its_weights() -> None:
    model = nn.Linear(5, 3)
    program = _program(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1))
    x = gc.ones(1, 5, requires_grad=True)
    loss = model(x).sum()
    program(*BATCHES[0])
    with pytest.raises(gc.errors.GradientError, match="changed in place after it was used"):
        loss.backward()


def test_what_has_no_gradient_eagerly_does_not_decay() -> None:
    first, second = nn.Linear(5, 5), nn.Linear(5, 3)
    before = first.weight.detach().numpy().copy()
    optimizer = optim.SGD([*first.parameters(), *second.parameters()], 0.1, weight_decay=0.5)
    _program(lambda x: second(first(x).detach()), F.cross_entropy, optimizer)(*BATCHES[0])
    assert np.array_equal(first.weight.detach().numpy(), before)


def test_names_of_a_programs_state_do_not_depend_on_what_was_built_before() -> None:
    for _ in range(2):
        first, second = nn.Linear(5, 5), nn.Linear(5, 3)
        optimizer = optim.SGD([*first.parameters(), *second.parameters()], lr=0.1)
        x = gc.input("x", (2, 5))
        loss = gc.sum(second(first(x)))
        state = gc.compile([x], loss, optimizer.updates(loss), target="reference").state()
        assert set(state) == {
            "Linear_weight", "Linear_bias", "Linear_weight_2", "Linear_bias_2", "lr"
        }  # fmt: skip


def test_an_embedding_of_bounded_rows_trains_as_eagerly() -> None:
    tables = [nn.Embedding(6, 3, max_norm=0.5) for _ in range(2)]
    tables[1].load_state_dict(tables[0].state_dict())
    own, other = (optim.SGD(t.parameters(), lr=0.3, momentum=0.5) for t in tables)
    i = gc.input("i", (4,), gc.int64)
    loss = gc.sum(tables[0](i) ** 2)
    program = gc.compile([i], loss, updates=own.updates(loss))
    for picked in ([0, 1, 1, 2], [3, 0, 5, 5]):
        other.zero_grad()
        wanted = (tables[1](gc.tensor(picked)) ** 2).sum()
        wanted.backward()
        other.step()
        np.testing.assert_allclose(program(np.array(picked)), wanted.item(), rtol=1e-5)
        mine, theirs = (t.weight.detach().numpy() for t in tables)
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_a_constant_whose_gradient_would_be_lost_is_an_error() -> None:
    w = gc.ones(5, requires_grad=True)
    x = gc.input("x", (5,))
    with pytest.raises(gc.errors.GradientError, match=re.escape("w.as_node()")):
        x * (w * 2)
    twice = w * 2
    for constant in (twice.detach(), gc.constant(twice)):
        assert gc.compile([x], x * constant)(np.ones(5, "f")).tolist() == [2] * 5
    assert gc.compile([], gc.grad(gc.sum(w.as_node() * 2), w))().tolist() == [2] * 5


@pytest.mark.parametrize("name", ["momentum", "Adam", "groups"])
def test_parameters_of_a_graph_are_trained_as_tensors_are(name: str) -> None:
    start = [RNG.standard_normal((5, 3)).astype(np.float32), np.zeros(3, np.float32)]
    w, b = (gc.parameter(n, a) for n, a in zip("wb", start, strict=True))
    p, q = (gc.tensor(a, requires_grad=True) for a in start)
    eager, optimizer = MAKERS[name]([p, q]), MAKERS[name]([w, b])
    x, t = gc.input("x", (gc.dim("n"), 5)), gc.input("t", (gc.dim("n"),), gc.int64)
    loss = gc.cross_entropy(x @ w + b, t)
    step = gc.compile([x, t], loss, updates=optimizer.updates(loss))
    for rows, labels in BATCHES:
        eager.zero_grad()
        wanted = F.cross_entropy(gc.tensor(rows) @ p + q, gc.tensor(labels))
        wanted.backward()
        eager.step()
        np.testing.assert_allclose(step(rows, labels), wanted.item(), rtol=1e-5)
    np.testing.assert_allclose(w.value, p.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(b.value, q.detach().numpy(), rtol=1e-5, atol=1e-6)
    saved = optimizer.state_dict()["state"]
    assert saved.keys() == eager.state_dict()["state"].keys()

"""Small programs whose compiled form once differed from the function, each with what was wrong.

Most are run twice, eagerly and compiled, and note the same; what has a value of its own is compared
with that.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import os
import pickle
import random
import secrets
import uuid
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from observed import Body, Note, Wrap, difference
from sampling import some

import graphc as gc
import graphc.nn as nn
import graphc.nn.functional as F
import graphc.optim as optim
from graphc.errors import TraceError

PROGRAMS: list[Body] = []


def program(body: Body) -> Body:
    PROGRAMS.append(body)
    return body


class Reverse(gc.autograd.Function):
    """The gradient of another function than forward has."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * 1

    @staticmethod
    def backward(ctx: Any, ct: Any) -> Any:
        (x,) = ctx.saved_tensors
        return -ct * x


# --- backward from outside


@program
def what_a_backward_pass_goes_by(wrap: Wrap, note: Note) -> None:
    w = nn.Parameter(gc.tensor([1.0, 3.0]))

    def loss(x: Any) -> Any:
        with gc.no_grad():
            y = x * w
        return (x * x.detach()).sum() + Reverse.apply(x).sum() + (y * x).sum()

    f = wrap(loss)
    for _ in range(2):
        x = gc.tensor([1.0, 2.0], requires_grad=True)
        f(x).backward()
        note(x.grad, w.grad)


@program
def masks_of_the_forward_pass(wrap: Wrap, note: Note) -> None:
    f, x = wrap(lambda x: F.dropout(x, 0.5)), gc.ones(12, requires_grad=True)
    y = f(x)
    y.sum().backward()
    note(y, x.grad, bool((y == x.grad).all()))


@program
def gradients_of_a_second_round(wrap: Wrap, note: Note) -> None:
    w = nn.Parameter(gc.zeros(1))
    optimizer = optim.SGD([w], lr=1.0)
    f = wrap(lambda x: (w * x).sum().backward(), keep_grads=True)
    for k in range(6):
        f(gc.tensor([float(k + 1)]))
        note(w.grad)
        if k % 2:
            optimizer.step()
            optimizer.zero_grad()
            note(w)


@program
def calls_that_add_up_in_one_pass(wrap: Wrap, note: Note) -> None:
    a, b, x = nn.Parameter(gc.zeros(3)), nn.Parameter(gc.zeros(3)), gc.ones(4, 3)
    f = wrap(lambda x: x.sin() + a + b)
    (f(x).sum() + f(x * 2).sum() + f(x * 3).sum()).backward()
    note(a.grad, b.grad)


@program
def gradients_of_a_scan_inside(wrap: Wrap, note: Note) -> None:
    w, table = nn.Parameter(gc.eye(3)), gc.ones(5, 3, requires_grad=True)

    def last(xs: Any) -> Any:
        h, _ = gc.scan(lambda h, x: ((h @ w + x).tanh(), None), gc.zeros(2, 3), xs)
        return gc.autograd.grad(h.sum(), w)[0]

    def rows(table: Any) -> Any:
        return gc.scan(lambda c, i: (c + table[i], None), gc.zeros(3), gc.arange(5))[0].sum()

    note(wrap(last)(gc.ones(4, 2, 3)))
    wrap(rows)(table).backward()
    note(table.grad)


@program
def gradients_of_arguments(wrap: Wrap, note: Note) -> None:
    f = wrap(lambda x: (x * x).sum().backward(), keep_grads=True)
    x = gc.ones(2, requires_grad=True)
    f(x)
    note(x.grad)
    g = wrap(lambda x: (x * x).sum())
    note(g(gc.ones(2)).requires_grad, g(x).requires_grad)
    frozen = nn.Linear(2, 1).requires_grad_(False)
    h = wrap(frozen)
    note(h(gc.ones(1, 2)).requires_grad, h(gc.ones(1, 2, requires_grad=True)).requires_grad)


# --- modules, optimizers, Python's values


@program
def parts_that_are_replaced(wrap: Wrap, note: Note) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(2, 2), nn.Linear(2, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.body(x))

    gc.manual_seed(0)
    net, x = Net(), gc.ones(1, 2)
    f = wrap(net)
    note(f(x))
    net.head = nn.Linear(2, 5)
    note(f(x))
    net.body.weight = nn.Parameter(gc.ones(2, 2) * 9)
    note(f(x))
    net.head.register_forward_hook(lambda module, args, result: result * 0 + 3)
    note(f(x))


@program
def an_optimizer_that_is_replaced(wrap: Wrap, note: Note) -> None:
    own: dict[str, Any] = {"w": nn.Parameter(gc.ones(1))}
    own["o"] = optim.SGD([own["w"]], lr=0.1)

    def step() -> None:
        own["o"].zero_grad()
        own["w"].sum().backward()
        own["o"].step()

    f = wrap(step, keep_grads=True)
    f()
    own["o"] = optim.SGD([own["w"]], lr=100.0)
    f()
    note(own["w"])


@program
def options_and_flags_of_parameters(wrap: Wrap, note: Note) -> None:
    for key, value in (("weight_decay", 1.0), ("momentum", 0.9), ("maximize", True), ("", 0)):
        w, v = nn.Parameter(gc.ones(1)), nn.Parameter(gc.ones(1))
        optimizer: Any = optim.SGD([w], lr=0.1, weight_decay=0.0)
        optimizer.add_param_group({"params": [v]})

        def step(x: Any, w: Any = w, v: Any = v, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            ((w + v) * x).sum().backward()
            optimizer.step()

        f = wrap(step)
        f(gc.ones(1))
        if key:
            optimizer.param_groups[0][key] = value
        else:
            w.requires_grad_(False)
        f(gc.ones(1))
        f(gc.ones(1))
        note(w.detach(), v.detach())


class Config:
    scale = 2.0
    inner: Any = None


CONFIG, ARRAY, NAMES, LIST = Config(), np.ones(1, np.float32), {1}, [1.0] * 300
TABLE: Any = {"a": {"b": {"c": {"d": 1.0}}}}


def _scaled(x: Any, *, s: float = 2.0) -> Any:
    return x * s


CHANGES: dict[str, tuple[Callable[[Any], Any], Callable[[], Any], Callable[[], Any]]] = {
    "attribute": (
        lambda x: x * CONFIG.scale, lambda: setattr(CONFIG, "scale", 9.0),
        lambda: delattr(CONFIG, "scale"),
    ),
    "class attribute": (
        lambda x: x * Config.scale, lambda: setattr(Config, "scale", 9.0),
        lambda: setattr(Config, "scale", 2.0),
    ),
    "array": (
        lambda x: x * float(ARRAY[0]), lambda: ARRAY.__setitem__(0, 5), lambda: ARRAY.fill(1),
    ),
    "set": (lambda x: x * len(NAMES), lambda: NAMES.add(2), lambda: NAMES.discard(2)),
    "long list": (
        lambda x: x * LIST[5], lambda: LIST.__setitem__(5, 9.0), lambda: LIST.__setitem__(5, 1.0),
    ),
    "dicts in dicts": (
        lambda x: x * TABLE["a"]["b"]["c"]["d"], lambda: TABLE["a"]["b"]["c"].update(d=5.0),
        lambda: TABLE["a"]["b"]["c"].update(d=1.0),
    ),
    "keyword default": (
        _scaled, lambda: _scaled.__kwdefaults__.update(s=9.0),  # type: ignore[union-attr]
        lambda: _scaled.__kwdefaults__.update(s=2.0),  # type: ignore[union-attr]
    ),
    "environment": (
        lambda x: x * float(os.environ.get("SCALE_OF_A_TEST", "2")),
        lambda: os.environ.update(SCALE_OF_A_TEST="9"),
        lambda: os.environ.pop("SCALE_OF_A_TEST"),
    ),
    "grad mode": (
        lambda x: x * (2 if gc.is_grad_enabled() else 3), lambda: gc.set_grad_enabled(False),
        lambda: gc.set_grad_enabled(True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_python_reads_may_change(name: str) -> None:
    function, change, restore = CHANGES[name]

    def body(wrap: Wrap, note: Note) -> None:
        f = wrap(function)
        note(f(gc.ones(1)))
        try:
            change()
            note(f(gc.ones(1)))
        finally:
            restore()
        note(f(gc.ones(1)))

    assert difference(body) is None


@program
def attributes_of_a_module(wrap: Wrap, note: Note) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config, self.act, self.names, self.child = Config(), gc.relu, {1}, nn.ReLU()

        def forward(self, x: Any) -> Any:
            last = 1 if self.child.training else 7
            return self.act(x) * self.config.scale * len(self.names) * last

    net, x = Net(), gc.tensor([1.0, -1.0])
    f = wrap(net)
    for change in (lambda: setattr(net.config, "scale", 3.0), lambda: setattr(net, "act", gc.neg),
                   lambda: net.names.add(2), lambda: net.child.eval()):  # fmt: skip
        note(f(x))
        change()
    note(f(x))


# --- structure, identity, memory


@program
def structures_of_arguments(wrap: Wrap, note: Note) -> None:
    Named = collections.namedtuple("Named", "q")
    a, b = gc.ones(1), gc.ones(1) * 10

    @dataclasses.dataclass
    class Batch:
        x: Any
        y: Any

    f = wrap(lambda d: sum(v * (i + 1) for i, v in enumerate(d.values())))
    note(f({"y": b, "x": a}), f({"x": a, "y": b}))
    f = wrap(lambda **k: sum(v * (i + 1) for i, v in enumerate(k.values())))
    note(f(b=b, a=a), f(a=a, b=b))
    note(list(wrap(lambda x: {"b": x, "a": x * 2})(a)))
    f = wrap(lambda p: p[0] * (2 if hasattr(p, "q") else 3))
    note(f((a,)), f(Named(a)))
    f = wrap(lambda p: p["a"] * (2 if isinstance(p, collections.OrderedDict) else 3))
    note(f({"a": a}), f(collections.OrderedDict(a=a)))
    f = wrap(lambda batch: batch.x * batch.y)
    for k in range(4):
        note(f(Batch(gc.ones(2) * k, gc.ones(2) * 2)))


@program
def results_are_ones_own(wrap: Wrap, note: Note) -> None:
    f = wrap(lambda x: (gc.zeros(2), x))
    f(gc.ones(1))[0].add_(5)
    note(f(gc.ones(1)))
    first, second = wrap(lambda x: (lambda y: (y, y.clone()))(x * 2))(gc.ones(1))
    first.add_(100)
    x = gc.ones(1)
    same = wrap(lambda x: x)(x)
    same.add_(1)
    note(second, x, same is x)


@program
def memory_that_is_reached_twice(wrap: Wrap, note: Note) -> None:
    def added(a: Any, b: Any) -> Any:
        a.add_(1)
        return b * 2

    f, z = wrap(added), gc.ones(1)
    note(f(gc.ones(1), gc.ones(1)), f(z, z), z)
    base = gc.arange(4.0)
    part = base[1:]
    note(wrap(lambda x: (part.mul_(x), base.sum())[1])(gc.tensor(2.0)), base)


@program
def what_a_call_writes_in_python(wrap: Wrap, note: Note) -> None:
    class Running(nn.Module):
        h: Any

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("h", gc.zeros(1))

        def forward(self, x: Any) -> Any:
            self.h = 0.5 * self.h + x
            return self.h * 1

    def cached(cache: Any, x: Any) -> Any:
        cache[0] = cache[0] + x
        cache.append(x)
        return cache[0] * 1

    def seeded(x: Any) -> Any:
        gc.manual_seed(0)
        return gc.rand(2) * x

    running, cache = Running(), [gc.zeros(1)]
    f, g, h = wrap(running), wrap(cached), wrap(seeded)
    for _ in range(3):
        note(f(gc.ones(1)), running.h, g(cache, gc.ones(1)), cache, h(gc.ones(1)))


@program
def flags_of_arguments(wrap: Wrap, note: Note) -> None:
    f = wrap(
        lambda x: (
            x * (2 if x.requires_grad else 3), x * (2 if x.is_contiguous() else 3),
            x * (2 if x.is_leaf else 3), x * (2 if isinstance(x, nn.Parameter) else 3),
        )
    )  # fmt: skip
    x = gc.ones(2, 2, requires_grad=True)
    for each in (gc.ones(2, 2), x, gc.ones(2, 2).t(), x * 1, nn.Parameter(gc.ones(2, 2))):
        note(f(each))


@program
def what_ended_in_errors_of_ours(wrap: Wrap, note: Note) -> None:
    w, v = gc.ones(3), gc.ones(4, requires_grad=True)
    note(wrap(lambda x: (w.add_(x), w.view(3, 1))[1])(gc.ones(3)))
    note(wrap(lambda y: y.mul_(2).sum())(v * 3))
    note(wrap(lambda x: x * x.numel())(gc.ones(2, 2)))
    note(wrap(lambda x: x * {4: 2.0}.get(x.shape[0], 1.0))(gc.ones(4)))
    note(wrap(lambda x: x * divmod(x.shape[0], 3)[1])(gc.ones(4)))
    note(wrap(lambda x: x * x.stride(0))(gc.ones(2, 2)))
    note([type(s).__name__ for s in wrap(lambda x: x.shape)(gc.ones(4))])
    x = gc.ones(2, requires_grad=True)
    note(wrap(lambda x: Reverse.apply(x))(x))


@program
def branches_on_draws(wrap: Wrap, note: Note) -> None:
    def drawn(x: Any) -> Any:
        y = F.dropout(x, 0.5)
        return (y, True) if y.sum() > 5 else (y, False)

    f = wrap(drawn, on_branch="specialise")
    for _ in range(12):
        y, above = f(gc.ones(6))
        note(y, above, (y.sum().item() > 5) == above)


DRAWN: dict[str, Callable[[], float]] = {
    "random": random.random, "uniform": lambda: random.uniform(0, 1),
    "randint": lambda: float(random.randint(0, 10**6)), "gauss": lambda: random.gauss(0, 1),
    "choice": lambda: float(random.choice(range(10**6))),
    "uuid4": lambda: float(uuid.uuid4().int % 10**6),
    "secrets": lambda: float(secrets.randbelow(10**6)),
    "default_rng": lambda: float(np.random.default_rng().random()),
    "RandomState": lambda: float(np.random.RandomState().rand()),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_numbers_that_python_draws_are_drawn_at_every_call(name: str) -> None:
    f = gc.jit.compile(lambda x: x * DRAWN[name]())
    assert len({f(gc.ones(1)).item() for _ in range(3)}) > 1


# --- what has a value of its own


@pytest.mark.parametrize("tier", some(["auto", "checked"], 2))
@pytest.mark.parametrize("body", PROGRAMS, ids=lambda body: body.__name__)
def test_the_compiled_program_notes_what_the_program_notes(body: Body, tier: str) -> None:
    assert difference(body, tier=tier) is None


def test_biases_of_a_cell_that_is_used_twice_have_the_sum_of_both_gradients() -> None:
    gc.manual_seed(0)
    cell, x, step = nn.RNNCell(1, 1), gc.ones(2, 1), 1e-3

    def loss() -> Any:
        return cell(x, cell(x, gc.zeros(2, 1))).sum()

    loss().backward()
    values = []
    for change in (step, -2 * step):
        with gc.no_grad():
            cell.bias_ih += change
        values.append(loss().item())
    assert cell.bias_ih.grad.item() == pytest.approx((values[0] - values[1]) / 2 / step, rel=1e-2)


def test_labels_that_are_made_inside_are_read() -> None:
    x = np.arange(12.0, dtype=np.float32).reshape(4, 3)
    log = x - np.log(np.exp(x).sum(1, keepdims=True))
    f = gc.jit.compile(lambda x: F.cross_entropy(x, gc.zeros(x.shape[0], dtype=gc.int64)))
    assert f(gc.tensor(x)).item() == pytest.approx(-log[:, 0].mean(), rel=1e-5)

    def by_hand(x: Any) -> Any:
        taken = x.log_softmax(1).gather(1, gc.zeros(x.shape[0], 1, dtype=gc.int64))
        return -taken.squeeze(1).sum() / gc.ones(x.shape[0]).sum()

    assert gc.jit.compile(by_hand)(gc.tensor(x)).item() == pytest.approx(-log[:, 0].mean(), 1e-5)


def test_a_trace_takes_the_arguments_that_it_was_made_with() -> None:
    scaled = gc.jit.trace(lambda x, s, flag: x * s if flag else x - s, gc.ones(1), 2.0, True)
    assert scaled(gc.ones(1), 2.0, True).item() == 2
    for other in ((5.0, True), (2.0, False)):
        with pytest.raises(TraceError):
            scaled(gc.ones(1), *other)
    named = gc.jit.trace(lambda d: d["a"] * 2, {"a": gc.ones(1)})
    with pytest.raises(TraceError):
        named({"zzz": gc.ones(1)})


def test_no_except_of_the_traced_code_hides_that_a_value_is_not_known() -> None:
    def hiding(x: Any) -> Any:
        try:
            k = 2.0 if x.sum() > 0 else 3.0
        except Exception:
            k = 100.0
        return x * k

    with pytest.raises(TraceError, match=r"if x.sum\(\) > 0"):
        gc.jit.compile(hiding)(gc.ones(1))


def test_compiled_modules_are_copied_and_asked_as_modules() -> None:
    f = gc.jit.compile(nn.Linear(2, 2))
    f(gc.ones(1, 2))
    for other in (copy.deepcopy(f), pickle.loads(pickle.dumps(f))):
        np.testing.assert_array_equal(other(gc.ones(1, 2)).detach(), f(gc.ones(1, 2)).detach())
    assert list(f.eval().state_dict()) == ["weight", "bias"]


@pytest.mark.parametrize("what", ["number", "length"])
def test_the_seventeenth_value_is_no_error(what: str) -> None:
    scaled, summed = gc.jit.compile(lambda x, s: x * s), gc.jit.compile(lambda x: x.sum(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k in range(40):
            if what == "number":
                assert scaled(gc.ones(2), float(k)).tolist() == [k, k]
            else:
                assert summed(gc.ones(2, k + 1)).tolist() == [k + 1, k + 1]
    assert len((scaled if what == "number" else summed).variants) <= 4

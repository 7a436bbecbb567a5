"""Compiled functions give what the functions give: values, flags, gradients, state, side effects.

Each program is run twice, once with its function compiled; what it notes must be the same. It
says what a user changes between calls: attributes, globals, containers, parameters, hooks, sizes.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from observed import Note, Wrap, difference, observed
from sampling import some

import graphc as gc
import graphc.nn as nn
import graphc.optim as optim
from graphc.jit.observation import first_difference
from graphc.nn import functional as F

PROGRAMS: list[Callable[[Wrap, Note], None]] = []


def program(function: Callable[[Wrap, Note], None]) -> Callable[[Wrap, Note], None]:
    """Enter a program: it gets what compiles a function, and what notes observations."""
    PROGRAMS.append(function)
    return function


class Settings:
    """An object of the user's."""

    factor: Any = 2.0
    inner: Any
    table: Any
    which: Any
    count: Any
    last: Any

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


SETTINGS = Settings(inner=Settings(factor=2.0), table=[1.0, {"a": 2.0}])
NAMES = {"a", "b"}


def _model() -> Any:
    gc.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def _step(model: Any, optimizer: Any) -> Callable[[Any, Any], Any]:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def _batch(seed: int = 0, count: int = 5) -> tuple[Any, Any]:
    drawn = np.random.RandomState(seed)
    x = gc.tensor(drawn.randn(count, 3).astype(np.float32))
    return x, gc.tensor(drawn.randint(0, 2, count))


# --- what Python reads


@program
def masked_scatter_counts_places_in_the_graph(wrap: Wrap, note: Note) -> None:
    scattered = wrap(lambda x, source: gc.masked_scatter(x, x > 0, source))
    for rows in (5, 2):
        x = gc.randn(rows, 3, generator=gc.Generator().manual_seed(rows)).requires_grad_(True)
        source = gc.arange(1.0, 3 * rows + 1).requires_grad_(True)
        y = scattered(x, source)
        (y * gc.arange(3 * rows).reshape(rows, 3)).sum().backward()
        note("value", y, x.grad, source.grad)


@program
def nested_attributes_and_class_attributes(wrap: Wrap, note: Note) -> None:
    f = wrap(lambda x: x * SETTINGS.inner.factor + SETTINGS.factor)
    note(f(gc.ones(2)))
    SETTINGS.inner.factor = 5.0
    note(f(gc.ones(2)))
    Settings.factor = 3.0
    note(f(gc.ones(2)))
    Settings.factor, SETTINGS.inner = 2.0, Settings(factor=2.0)
    note(f(gc.ones(2)))


@program
def containers_of_containers(wrap: Wrap, note: Note) -> None:
    f = wrap(lambda x: x * SETTINGS.table[1]["a"] + len(NAMES))
    note(f(gc.ones(2)))
    SETTINGS.table[1]["a"] = 7.0
    NAMES.add("c")
    note(f(gc.ones(2)))
    SETTINGS.table[1]["a"] = 2.0
    NAMES.discard("c")
    note(f(gc.ones(2)))


@program
def getattr_by_a_computed_name(wrap: Wrap, note: Note) -> None:
    own = Settings(a1=2.0, a2=3.0, which=1)
    f = wrap(lambda x: x * getattr(own, f"a{own.which}"))
    note(f(gc.ones(2)))
    own.which = 2
    note(f(gc.ones(2)))


@program
def slots_and_properties(wrap: Wrap, note: Note) -> None:
    class Slotted:
        __slots__ = ("k",)
        k: Any

        @property
        def twice(self) -> Any:
            return 2 * self.k

    own = Slotted()
    own.k = 1.0
    f = wrap(lambda x: x * own.k + own.twice)
    note(f(gc.ones(2)))
    own.k = 4.0
    note(f(gc.ones(2)))


@program
def methods_replaced(wrap: Wrap, note: Note) -> None:
    class Doubling(nn.Module):
        def forward(self, x: Any) -> Any:
            return self.scaled(x)

        def scaled(self, x: Any) -> Any:
            return x * 2

    module = Doubling()
    f = wrap(module)
    note(f(gc.ones(2)))
    Doubling.scaled = lambda self, x: x * 3  # type: ignore[method-assign]
    note(f(gc.ones(2)))
    module.forward = lambda x: x * 4  # type: ignore[method-assign]
    note(f(gc.ones(2)))


@program
def numpy_arrays_and_scalars_of_globals(wrap: Wrap, note: Note) -> None:
    table = np.array([1.0, 2.0], np.float32)
    f = wrap(lambda x: x * table + float(table[1]))
    note(f(gc.ones(2)))
    table[:] = [7.0, 8.0]
    note(f(gc.ones(2)))


@program
def zeros_of_both_signs_and_equal_numbers_of_other_types(wrap: Wrap, note: Note) -> None:
    f = wrap(lambda x, k: x / k)
    note(f(gc.ones(2), 0.0), f(gc.ones(2), -0.0))
    g = wrap(lambda x, k: x * k)
    for k in (1, 1.0, True, 2):
        note(g(gc.ones(2, dtype=gc.int64), k))


@program
def defaults_of_keyword_arguments(wrap: Wrap, note: Note) -> None:
    def scaled(x: Any, *, k: Any = 2.0) -> Any:
        return x * k

    f = wrap(scaled)
    note(f(gc.ones(2)))
    scaled.__kwdefaults__["k"] = 3.0  # type: ignore[index]
    note(f(gc.ones(2)))


@program
def ids_of_temporaries_are_not_told_apart_by_address(wrap: Wrap, note: Note) -> None:
    @dataclasses.dataclass
    class Batch:
        x: Any
        k: float

    f = wrap(lambda batch: batch.x * batch.k)
    for k in range(4):
        note(f(Batch(gc.full((2,), float(k)), k + 1.0)))


# --- randomness, clocks, side effects


@program
def pythons_and_numpys_random_numbers(wrap: Wrap, note: Note) -> None:
    drawn = np.random.default_rng(3)
    f = wrap(lambda x: x * random.random() + float(drawn.random()) + np.random.rand())
    for _ in range(4):
        note(f(gc.ones(2)))


@program
def seeds_and_generators_made_inside(wrap: Wrap, note: Note) -> None:
    def seeded(x: Any) -> Any:
        gc.manual_seed(5)
        own = gc.Generator().manual_seed(6)
        return gc.rand(2) * x, gc.rand(2, generator=own)

    f = wrap(seeded)
    note(f(gc.ones(2)), f(gc.ones(2)), gc.rand(1))


@program
def counters_lists_and_attributes_written(wrap: Wrap, note: Note) -> None:
    own, seen = Settings(count=0, last=None), []

    def counting(x: Any) -> Any:
        own.count += 1
        y = x * own.count
        own.last = y
        seen.append(y.sum())
        return y + 1

    f = wrap(counting)
    for k in range(3):
        note(f(gc.full((2,), k + 1.0)), own.count, own.last, list(seen))


@program
def containers_of_the_caller_changed(wrap: Wrap, note: Note) -> None:
    def fill(x: Any, items: Any, table: Any) -> Any:
        items.append(x * 2)
        table["y"] = x + 1
        return len(items)

    f = wrap(fill)
    items, table = [gc.zeros(2)], {"x": gc.zeros(2)}
    for _ in range(3):
        note(f(gc.ones(2), items, table), items, table)


@program
def state_before_an_exception_is_kept(wrap: Wrap, note: Note) -> None:
    w = gc.zeros(2)

    def failing(x: Any, fails: bool) -> Any:
        w.add_(x)
        if fails:
            raise KeyError("wanted")
        return w * 1

    f = wrap(failing)
    for fails in (False, True, False):
        try:
            note(f(gc.ones(2), fails))
        except KeyError as error:
            note(str(error))
        note(w)


@program
def generators_of_ones_own_beside_the_default_one(wrap: Wrap, note: Note) -> None:
    a, b = gc.Generator().manual_seed(1), gc.Generator().manual_seed(2)

    def drawn(x: Any, first: Any, second: Any) -> Any:
        return gc.rand(2, generator=first) * x, gc.randn(2, generator=second), gc.rand(2)

    f = wrap(drawn)
    fixed = wrap(lambda x: drawn(x, a, b))
    for _ in range(2):
        note(f(gc.ones(2), a, b), f(gc.ones(2), b, a), f(gc.ones(2), a, a), fixed(gc.ones(2)))
    a.manual_seed(1)
    note(fixed(gc.ones(2)), gc.rand(1), gc.rand(1, generator=b))


# --- aliasing


@program
def results_that_are_arguments_parameters_or_views(wrap: Wrap, note: Note) -> None:
    w = gc.ones(3)
    f = wrap(lambda x: (x, x.view(3, 1), x[1:], w, w[:2], x.detach()))
    x = gc.ones(3)
    found = f(x)
    note(found[0] is x, found[3] is w)
    x.mul_(2)
    w.mul_(3)
    note(*found)
    found[2].fill_(9)
    note(x, w)


@program
def constants_are_fresh_and_results_do_not_share(wrap: Wrap, note: Note) -> None:
    def constant(x: Any) -> Any:
        y = x * 2
        return gc.zeros(2), gc.arange(2), y, y + 0

    f = wrap(constant)
    for _ in range(2):
        found = f(gc.ones(2))
        for each in found:
            each.add_(5)
        note(*found)


@program
def one_tensor_as_two_arguments_and_as_a_captured_one(wrap: Wrap, note: Note) -> None:
    w = gc.ones(3)

    def change(x: Any, y: Any) -> Any:
        x.add_(1)
        return y * 2 + w

    f = wrap(change)
    note(f(w, gc.ones(3)), w)
    note(f(w, w), w)
    x = gc.ones(3)
    note(f(x, x), x)
    note(f(gc.ones(3), x), x)


@program
def overlapping_views_as_arguments(wrap: Wrap, note: Note) -> None:
    def change(x: Any, y: Any) -> Any:
        x.mul_(2)
        y.add_(1)
        return x.sum(), y.sum()

    f = wrap(change)
    base = gc.arange(4.0)
    note(f(base[:3], base[1:]), base)
    note(f(gc.ones(3), gc.ones(3)))


@program
def writes_through_captured_views(wrap: Wrap, note: Note) -> None:
    base = gc.zeros(4)
    part = base[1:3]

    def change(x: Any) -> Any:
        part.add_(x)
        return base * 1

    f = wrap(change)
    note(f(gc.ones(2)), f(gc.ones(2)), base, part)


@program
def memory_of_numpy_that_is_in_no_order(wrap: Wrap, note: Note) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    w = gc.from_numpy(array)

    def change(x: Any) -> Any:
        w.add_(x)
        return w.sum()

    f = wrap(change)
    note(f(gc.ones(())), f(gc.ones(())), gc.tensor(array.copy()))


@program
def layouts_flags_and_types_of_arguments(wrap: Wrap, note: Note) -> None:
    f = wrap(lambda x: x * 2 if x.is_contiguous() else x * x.stride(1))
    note(f(gc.ones(2, 3)), f(gc.ones(3, 2).t()))
    g = wrap(lambda x: x * (2 if x.requires_grad else 3) + (1 if x.is_leaf else 0))
    x = gc.ones(2, requires_grad=True)
    note(g(gc.ones(2)), g(x), g(x * 1))
    h = wrap(lambda x: x * 2 if isinstance(x, nn.Parameter) else x * 3)
    note(h(gc.ones(2)), h(nn.Parameter(gc.ones(2))))


# --- gradients


@program
def gradients_from_outside(wrap: Wrap, note: Note) -> None:
    class Passed(gc.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x.round()

        @staticmethod
        def backward(ctx: Any, ct: Any) -> Any:
            (x,) = ctx.saved_tensors
            return ct * (x.abs() < 2)

    w = nn.Parameter(gc.tensor([0.4, 1.6, 2.7]))

    def quantized(x: Any) -> Any:
        y = Passed.apply(x * w)
        with gc.no_grad():
            z = x * w
        return y.sum() + (x * w.detach()).sum(), z, F.dropout(x * w, 0.5).sum()

    f = wrap(quantized)
    for _ in range(3):
        w.grad = None
        x = gc.ones(3, requires_grad=True)
        loss, z, dropped = f(x)
        (loss + dropped).backward()
        note(loss, z, dropped, w.grad, x.grad)


@program
def gradients_added_up_over_calls(wrap: Wrap, note: Note) -> None:
    model = _model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def micro(x: Any, y: Any, last: bool) -> Any:
        loss = F.cross_entropy(model(x), y) / 2
        loss.backward()
        if last:
            optimizer.step()
            optimizer.zero_grad()
        return loss

    f = wrap(micro)
    for k in range(5):
        note(f(*_batch(k), last=k % 2 == 1), model.state_dict())


@program
def grad_of_an_argument(wrap: Wrap, note: Note) -> None:
    def backward(x: Any) -> Any:
        (x * x).sum().backward()
        return x.grad * 1

    f = wrap(backward)
    x = gc.ones(3, requires_grad=True)
    for _ in range(3):
        note(f(x), x.grad)


@program
def leaves_made_inside_with_sizes_of_arguments(wrap: Wrap, note: Note) -> None:
    def moved(x: Any) -> Any:
        found = []
        for d in (
            gc.zeros_like(x, requires_grad=True),
            gc.full_like(x, 2.0, requires_grad=True),
            gc.ones(x.shape, requires_grad=True),
        ):
            ((x + d) ** 3).sum().backward()
            found.append((d.grad, d.requires_grad, d.is_leaf))
        return found

    f = wrap(moved, keep_grads=True)
    for rows in (2, 4, 3):
        note(f(gc.ones(rows, 2)))


@program
def a_second_derivative_from_outside(wrap: Wrap, note: Note) -> None:
    f = wrap(lambda x: (x**3).sum())
    x = gc.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(2):
        (first,) = gc.autograd.grad(f(x), x, create_graph=True)
        (second,) = gc.autograd.grad(first.sum(), x)
        note(first, second)


# --- modules and optimizers


@program
def parts_of_a_model_replaced(wrap: Wrap, note: Note) -> None:
    model = _model()
    f = wrap(lambda x: model(x))
    x, _ = _batch()
    note(f(x))
    model[0].weight = nn.Parameter(gc.ones(4, 3))
    note(f(x))
    model[2] = nn.Linear(4, 2)
    note(f(x))
    model.load_state_dict({k: v * 2 for k, v in model.state_dict().items()}, assign=True)
    note(f(x))
    model[1].register_forward_hook(lambda module, args, result: result + 1)
    note(f(x))


@program
def memory_replaced_that_is_used_as_data(wrap: Wrap, note: Note) -> None:
    w, v = nn.Parameter(gc.ones(3)), gc.ones(3)

    def halved(x: Any) -> Any:
        w.data.mul_(0.5)
        return x * w + v.data

    f = wrap(halved)
    note(f(gc.ones(3)), w)
    w.data = gc.ones(3) * 8
    note(f(gc.ones(3)), f(gc.ones(3)), w)
    v.data = gc.zeros(3)
    note(f(gc.ones(3)), w)


@program
def parameters_frozen_and_freed(wrap: Wrap, note: Note) -> None:
    model = _model()
    f = wrap(_step(model, optim.Adam(model.parameters(), lr=0.05)), keep_grads=True)
    for frozen in (False, True, True, False):
        model[0].requires_grad_(not frozen)
        note(f(*_batch()), model.state_dict())


@program
def options_of_an_optimizer_changed(wrap: Wrap, note: Note) -> None:
    model = _model()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    f = wrap(_step(model, optimizer))
    group: Any = optimizer.param_groups[0]
    for key, value in (("lr", 0.5), ("weight_decay", 0.1), ("momentum", 0.0), ("nesterov", False)):
        note(f(*_batch()), model.state_dict())
        group[key] = value
    note(f(*_batch()), model.state_dict())
    optimizer.state.clear()
    note(f(*_batch()), model.state_dict())


@program
def learning_rates_set_inside_a_step(wrap: Wrap, note: Note) -> None:
    w = nn.Parameter(gc.ones(3))
    optimizer = optim.SGD([w], lr=0.5)
    group: Any = optimizer.param_groups[0]

    def twice(x: Any) -> None:
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        group["lr"] = 0.01
        optimizer.step()
        group["lr"] = 0.25

    f = wrap(twice)
    for _ in range(3):
        f(gc.ones(3))
        note(w.detach(), group["lr"])


@program
def a_schedule_inside_a_step(wrap: Wrap, note: Note) -> None:
    model = _model()
    optimizer = optim.AdamW(model.parameters(), lr=0.05)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
    step = _step(model, optimizer)

    def whole(x: Any, y: Any) -> Any:
        loss = step(x, y)
        schedule.step()
        return loss.detach(), schedule.get_last_lr()[0]

    f = wrap(whole, keep_grads=True)
    for k in range(5):
        note(f(*_batch(k)), model.state_dict(), schedule.last_epoch)


@program
def an_optimizer_replaced(wrap: Wrap, note: Note) -> None:
    class Trainer:
        def __init__(self) -> None:
            self.model = _model()
            self.optimizer: Any = optim.SGD(self.model.parameters(), lr=0.1)

        def step(self, x: Any, y: Any) -> Any:
            return _step(self.model, self.optimizer)(x, y)

    trainer = Trainer()
    f = wrap(trainer.step)
    note(f(*_batch()), trainer.model.state_dict())
    trainer.optimizer = optim.Adam(trainer.model.parameters(), lr=0.2)
    note(f(*_batch()), f(*_batch()), trainer.model.state_dict())


@program
def two_steps_that_share_a_model(wrap: Wrap, note: Note) -> None:
    model, other = _model(), nn.Linear(2, 3)
    own, others = optim.Adam(model.parameters()), optim.Adam(other.parameters())

    def first(z: Any) -> Any:
        own.zero_grad()
        loss = model(other(z).detach()).pow(2).mean()
        loss.backward()
        own.step()
        return loss.detach()

    def second(z: Any) -> Any:
        others.zero_grad()
        loss = model(other(z)).mean()
        loss.backward()
        others.step()
        return loss.detach()

    f, g = wrap(first, keep_grads=True), wrap(second, keep_grads=True)
    for k in range(4):
        z = gc.full((3, 2), k + 0.5)
        note(f(z), g(z), model[0].weight.grad, other.weight.grad)


@program
def training_and_evaluation(wrap: Wrap, note: Note) -> None:
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4), nn.Dropout(0.5))
    f = wrap(model)
    x, _ = _batch()
    for mode in (True, False, True):
        model.train(mode)
        note(f(x), model.state_dict())


# --- structure and sizes


@program
def structures_of_arguments_and_results(wrap: Wrap, note: Note) -> None:
    Pair = collections.namedtuple("Pair", "a b")
    f = wrap(lambda d, k: {"z": Pair(d["a"] * k, [d["b"], None]), "n": len(d), "s": "text"})
    for d in ({"a": gc.ones(2), "b": gc.zeros(2)}, {"b": gc.ones(2), "a": gc.zeros(2)}):
        found = f(d, 2.0)
        note(list(found), found["z"], type(found["z"]).__name__, found["n"], found["s"])
    note(f({"a": gc.ones(2), "b": gc.ones(2), "c": gc.ones(2)}, 3.0))
    g = wrap(lambda d: collections.OrderedDict(d))
    note(type(g({"a": gc.ones(2)})).__name__)


@program
def sizes_that_vary_on_any_axis(wrap: Wrap, note: Note) -> None:
    def f(x: Any) -> Any:
        rows, columns = x.shape
        if rows > columns:
            return x.sum(0) / rows
        return x.reshape(-1)[: rows * 2] * len(x) + gc.zeros(rows * 2)[0] + rows % 3

    run = wrap(f)
    for shape in ((4, 3), (5, 3), (4, 7), (2, 2), (1, 4), (3, 3), (4, 4)):
        note(run(gc.ones(*shape)))


@program
def sizes_in_python(wrap: Wrap, note: Note) -> None:
    cache: dict[Any, Any] = {}

    def f(x: Any) -> Any:
        n = x.shape[0]
        cache.setdefault(n, n * 10)
        halves = x.chunk(2)
        return (
            halves[0].sum() * divmod(n, 2)[1], gc.full((n,), n), f"{n}", n, x.numel(),
            gc.tensor([n, 1]), cache[n],
        )  # fmt: skip

    run = wrap(f)
    for n in (4, 5, 4, 6):
        note(run(gc.ones(n)))


@program
def branches_on_values_by_both_policies(wrap: Wrap, note: Note) -> None:
    w = nn.Parameter(gc.ones(3))
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        y = x * w
        loss = (y * 2).sum() if y.sum() > 0 else (y * y).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    for policy in ("specialise", "fork"):
        f = wrap(step, on_branch=policy, keep_grads=True)
        for k in (1, -1, 2, -3):
            note(f(gc.ones(3) * k), w)


@program
def copies_of_compiled_things(wrap: Wrap, note: Note) -> None:
    model = _model()
    f = wrap(model)
    x, _ = _batch()
    note(f(x))
    other = copy.deepcopy(f)
    with gc.no_grad():
        model[0].weight.mul_(2)
    note(f(x), other(x), [name for name, _ in f.named_parameters()])


# --- how they are compared


@pytest.mark.parametrize("tier", some(["auto", "checked"], 2))
@pytest.mark.parametrize("body", PROGRAMS, ids=lambda body: body.__name__)
def test_a_compiled_function_does_what_the_function_does(
    body: Callable[[Wrap, Note], None], tier: str
) -> None:
    assert difference(body, tier=tier) is None


@pytest.mark.parametrize("body", PROGRAMS, ids=lambda body: body.__name__)
def test_an_audit_finds_no_difference_and_changes_none(body: Callable[[Wrap, Note], None]) -> None:
    wanted = observed(body, lambda function, **settings: function)
    made: list[Any] = []

    def compiled(function: Any, **settings: Any) -> Any:
        made.append(gc.jit.compile(function, audit=5, **settings))
        return made[-1]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own = observed(body, compiled)
    assert all(first_difference(a, b) is None for a, b in zip(wanted, own))
    assert sum(f.compared for f in made) > 0

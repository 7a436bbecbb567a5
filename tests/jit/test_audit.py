"""The audit of compiled functions: what it finds, what it leaves alone, and what it says."""

from __future__ import annotations

import functools
import itertools
import os
import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.eager.engine.hot import tracing
from graphc.errors import AuditError, ConfigError, GraphcWarning
from graphc.jit.audit import check
from graphc.nn import functional as F


class Held:
    """An object of the user's, and a class attribute."""

    count = 0
    last: Any = None


W = gc.ones(3)
HELD = Held()
STREAM = gc.Generator().manual_seed(3)


def _traced() -> bool:
    return tracing.trace is not None


def _accumulated(x: Any, w: Any) -> None:
    w.grad = None
    (w * x * (2 if _traced() else 1)).sum().backward()


def _done(value: Any) -> None:
    """What was computed is no result."""


def _raises(x: Any) -> Any:
    if _traced():
        return x
    raise KeyError("wanted")


def _lies(x: Any, w: Any) -> Any:
    """A gradient that is another one, of the same value."""
    y = x * w
    return y if _traced() else y * 2 - y.detach()


# What an object does otherwise while it is traced: the kind that is found, and its place.
LIES: dict[str, tuple[Callable[[Any, Any], Any], str, str]] = {
    "value": (lambda x, w: x * 2 + int(_traced()), "value", "result"),
    "deep": (lambda x, w: {"a": [x, x * (2 + _traced())]}, "value", "result['a'][1]"),
    "number": (lambda x, w: (x * 1, 3.0 + _traced()), "value", "result[1]"),
    "dtype": (lambda x, w: (x * 2).to(gc.float64 if _traced() else gc.float32), "dtype", "result"),
    "shape": (lambda x, w: x * 2 if _traced() else (x * 2)[:2], "shape", "result"),
    "flag": (lambda x, w: x * w if _traced() else (x * w).detach(), "requires_grad", "result"),
    "gradient": (_lies, "gradient", "gradient[0]"),
    "a copy": (lambda x, w: x * 1 if _traced() else x, "aliasing", "result"),
    "a view": (lambda x, w: (W[1:] * 1 if _traced() else W[1:]), "aliasing", "result"),
    "one twice": (
        lambda x, w: (lambda y: (y, y * 1 if _traced() else y))(x * 2), "aliasing", "result[1]"
    ),
    "written": (lambda x, w: _done(W.add_(x * (2 if _traced() else 1))), "state", "W"),
    "argument": (lambda x, w: _done(x.add_(1 + _traced())), "value", "argument 0"),
    ".grad": (_accumulated, "gradient", "argument 1.grad"),
    "attribute": (lambda x, w: setattr(HELD, "last", int(_traced())), "state", "HELD.last"),
    "class": (lambda x, w: setattr(Held, "count", int(_traced())), "state", "Held.count"),
    "draws": (
        lambda x, w: _done([gc.rand(1) for _ in range(1 + _traced())]),
        "random stream", "random stream",
    ),
    "own draws": (
        lambda x, w: None if _traced() else _done(gc.rand(2, generator=STREAM)),
        "random stream", "STREAM",
    ),
    "random": (lambda x, w: None if _traced() else _done(random.random()),
               "random stream", "random stream of random"),
    "exception": (lambda x, w: _raises(x), "exception", "exception"),
    "printed": (lambda x, w: print("a" if _traced() else "b"), "printed", "what is printed"),
    "structure": (lambda x, w: [x * 2] * (1 + _traced()), "structure", "result"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_what_differs_is_raised_with_its_kind_and_place(name: str) -> None:
    function, kind, place = LIES[name]
    compiled = gc.jit.compile(function, audit=True, keep_grads=True)
    with pytest.raises(AuditError) as caught:
        compiled(gc.ones(3), gc.ones(3, requires_grad=True))
    lines = str(caught.value).splitlines()
    assert len(lines) <= 12
    assert lines[0].endswith(f"differ in {place}")
    assert f"  kind: {kind}" in lines
    assert re.search(r"at test_audit.py:\d+", str(caught.value))


def test_the_line_is_the_one_that_computed_it() -> None:
    def lying(x: Any) -> Any:
        y = x + 1
        z = y * (3 if _traced() else 2)  # this one
        w = z.sum()
        return z, w

    with pytest.raises(AuditError) as caught:
        gc.jit.compile(lying, audit=True)(gc.ones(3))
    line = lying.__code__.co_firstlineno + 2
    assert caught.value.where == f"test_audit.py:{line} in lying"


def _training(norm: bool = True) -> tuple[Any, Any, Any]:
    gc.manual_seed(0)
    parts = [nn.Linear(3, 4), *([nn.BatchNorm1d(4)] if norm else []), nn.ReLU(), nn.Dropout(0.5)]
    model = nn.Sequential(*parts, nn.Linear(4, 2))
    optimizer = gc.optim.Adam(model.parameters(), lr=0.05)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


def test_an_audited_training_is_the_plain_one_roundings_blown_up_by_adam_included() -> None:
    """A bias before a batch norm has a gradient that is zero but for roundings: Adam divides it by
    its own size. Eager runs from numbers shaken in their last place show as much."""
    found = []
    for audit in (0, 100):
        model, _, step = _training()
        compiled = gc.jit.compile(step, audit=audit, keep_grads=True)
        drawn = np.random.RandomState(0)
        losses = [
            compiled(gc.tensor(drawn.randn(5, 3).astype(np.float32)), gc.arange(5) % 2).item()
            for _ in range(8)
        ]
        grads = [p.grad.numpy() for p in model.parameters()]
        state = [v.detach().numpy().copy() for v in model.state_dict().values()]
        found.append((losses, *grads, *state, int(gc.get_rng_state().item())))
        assert audit == 0 or compiled.compared == 8
    for a, b in zip(*found):
        assert np.array_equal(a, b)


def test_the_first_calls_of_each_program_are_compared_and_few_later() -> None:
    compiled = gc.jit.compile(lambda x: x * 2, audit=2)
    for _ in range(40):
        compiled(gc.ones(3))
    before = compiled.compared
    assert 2 <= before <= 8
    for _ in range(2):
        compiled(gc.ones(3, dtype=gc.float64))
    assert compiled.compared == before + 2


def test_what_is_printed_and_counted_comes_once(capsys: Any) -> None:
    calls: list[int] = []

    def told(x: Any) -> Any:
        calls.append(len(calls))
        print("called", len(calls))
        return x * len(calls)

    compiled = gc.jit.compile(told, audit=True)
    assert [compiled(gc.ones(1)).item() for _ in range(3)] == [1.0, 2.0, 3.0]
    assert capsys.readouterr().out == "called 1\ncalled 2\ncalled 3\n"
    assert calls == [0, 1, 2] and compiled.compared == 3


@pytest.mark.parametrize("name", ["entropy", "iterator"])
def test_what_cannot_be_repeated_is_said_once(name: str) -> None:
    numbers = itertools.count()
    entropy = lambda: float(int.from_bytes(os.urandom(4)))  # noqa: E731
    read: Any = {"entropy": entropy, "iterator": lambda: float(next(numbers))}[name]
    compiled = gc.jit.compile(lambda x: x * read(), audit=5)
    with pytest.warns(GraphcWarning, match="cannot be audited") as told:
        for _ in range(3):
            compiled(gc.ones(2))
    assert len(told) == 1


@pytest.mark.parametrize(
    "kind", [iter, lambda items: (x for x in items), lambda items: map(abs, items)]
)
def test_an_iterator_that_a_call_used_up_is_not_held_against_it(kind: Any) -> None:
    compiled = gc.jit.compile(lambda items: sum(x * 2 for x in items), audit=5)
    with pytest.warns(GraphcWarning, match="has gone on"):
        found = compiled(kind([gc.ones(2), gc.ones(2)]))
    assert found.tolist() == [4.0, 4.0]


def test_an_exception_is_the_compiled_calls_own_with_its_state() -> None:
    w = gc.zeros(2)

    def failing(x: Any) -> Any:
        w.add_(x)
        raise KeyError("wanted")

    compiled = gc.jit.compile(failing, audit=True)
    for k in (1.0, 2.0):
        with pytest.raises(KeyError, match="wanted"):
            compiled(gc.ones(2))
        assert w.tolist() == [k, k]


def test_compiled_functions_called_by_audited_ones_run_eagerly_in_the_eager_call() -> None:
    inner = gc.jit.compile(lambda x: x * (3 if _traced() else 2), audit=1)
    outer = gc.jit.compile(lambda x: inner(x) + 1, audit=1)
    with pytest.raises(AuditError, match="differ in result"):
        outer(gc.ones(2))


def test_the_setting_audits_all_that_is_compiled(monkeypatch: Any) -> None:
    monkeypatch.setenv("GRAPHC_JIT", "audit")
    compiled = gc.jit.compile(nn.Linear(2, 2))
    assert isinstance(compiled, nn.Linear)
    compiled(gc.ones(1, 2))
    assert compiled.compared == 1
    monkeypatch.setenv("GRAPHC_JIT", "eager")
    with pytest.raises(ConfigError, match="use audit"):
        gc.jit.compile(nn.Linear(2, 2))


def test_small_elements_beside_large_ones_are_not_taken_for_roundings() -> None:
    x = gc.tensor([1e6, 1.0])
    found = check(lambda x: x * 1, lambda x: x * gc.tensor([1.0, 1.001]), (x,))
    assert found.apart is not None and found.apart.kind == "value"


def test_sums_in_another_order_are_roundings() -> None:
    drawn = np.random.RandomState(1).randn(4000).astype(np.float32)
    x = gc.tensor(np.concatenate([drawn * 1e4, -drawn[::-1] * 1e4]))
    found = check(lambda x: x.sum(), lambda x: x.reshape(80, 100).sum(0).sum(), (x,))
    assert found.apart is None


def test_a_function_that_remembers_cannot_be_audited_while_it_learns() -> None:
    counts = [0]

    @functools.lru_cache
    def table(size: int) -> float:
        counts[0] += 1
        return size * 1.5 + counts[0]

    compiled = gc.jit.compile(lambda x: x * table(x.shape[1]), audit=9)
    with pytest.warns(GraphcWarning, match="table remembers its results"):
        assert compiled(gc.ones(2, 3)).tolist() == [[5.5] * 3] * 2
    assert counts == [1]
    assert compiled(gc.ones(2, 3)).tolist() == [[5.5] * 3] * 2 and counts == [1]


def test_state_behind_cached_properties_and_partial_methods_is_put_back() -> None:
    counts = [0, 0]

    class Scale:
        @functools.cached_property
        def factor(self) -> float:
            counts[0] += 1
            return 2.0 * counts[0]

        def shifted(self, x: Any, by: float) -> Any:
            counts[1] += 1
            return x + by * counts[1]

        plus = functools.partialmethod(shifted, by=1.0)

    scale = Scale()
    compiled = gc.jit.compile(lambda x: scale.plus(x) * scale.factor, audit=9)
    assert compiled(gc.ones(2)).tolist() == [4.0] * 2 and counts == [1, 1]
    del scale.factor
    assert compiled(gc.ones(2)).tolist() == [12.0] * 2 and counts == [2, 2]

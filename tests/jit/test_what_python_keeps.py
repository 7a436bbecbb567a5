"""What a call keeps beyond it: sizes are numbers, and containers are the caller's own."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from observed import Body, Note, Wrap, difference
from sampling import some

import graphc as gc
import graphc.nn as nn

PROGRAMS: list[Body] = []


def program(body: Body) -> Body:
    PROGRAMS.append(body)
    return body


def _x(seed: int = 0, rows: int = 5) -> Any:
    return gc.tensor(np.random.RandomState(seed).randn(rows, 3).astype(np.float32))


class Average:
    """A running average, as training loops keep them."""

    def __init__(self) -> None:
        self.total: Any = 0.0
        self.count = 0

    def update(self, value: Any, count: int) -> None:
        self.total = self.total + value * count
        self.count += count


class Slotted:
    """A size in a slot."""

    __slots__ = ("rows",)
    rows: int


@program
def averages_over_batches_of_other_sizes(wrap: Wrap, note: Note) -> None:
    average = Average()

    def run(x: Any) -> Any:
        average.update(x.mean(), x.shape[0])
        return average.total / average.count

    f = wrap(run)
    for k, rows in enumerate((4, 5, 5, 6, 4)):
        note(f(_x(k, rows)), average.total / average.count, average.count, type(average.count))


@program
def sizes_in_containers_closures_and_slots(wrap: Wrap, note: Note) -> None:
    kept: Any = {"sum": 0, "list": [], "keys": {}, "set": set()}
    slotted, count = Slotted(), 0

    def run(x: Any) -> Any:
        nonlocal count
        kept["sum"] += x.shape[0]
        kept["list"].append(x.shape[0] * 2)
        kept["keys"][x.shape[0]] = x.size(0)
        kept["set"].add(x.shape[0] + 1)
        kept["shape"] = x.shape
        slotted.rows, count = x.size(0) + 1, len(x) + x.numel()
        return x * 2

    f = wrap(run)
    for k in (4, 5, 5, 6):
        x = _x(0, k)
        kinds = [type(v) for v in (kept["sum"], *kept["list"], *kept["keys"], *kept["set"])]
        note(f(x), kept, slotted.rows, count, kinds, x * kept["sum"] / slotted.rows if k > 4 else 0)


@program
def tuples_of_several_tensors_and_sizes(wrap: Wrap, note: Note) -> None:
    seen: list[Any] = []

    def run(x: Any, y: Any) -> Any:
        seen.append((x, (y, x), x.shape[0], (len(y), y.shape[1] + 1)))
        return x + y

    f = wrap(run)
    for rows in (2, 3, 3):
        x, y = _x(0, rows), _x(1, rows)
        note(f(x, y))
        first, (second, again), *sizes = seen[-1]
        note(first is x, second is y, again is x, sizes, [type(n) for n in (sizes[0], *sizes[1])])


@program
def containers_of_the_arguments(wrap: Wrap, note: Note) -> None:
    seen: list[Any] = []
    last: dict[str, Any] = {}

    def run(batch: Any, rows: Any) -> Any:
        seen.append(batch)
        last["inner"], last["rows"] = batch["inner"], rows
        batch["new"] = [batch["x"], batch["x"] * 2]
        rows.append(batch["x"])
        return {"batch": batch, "pair": (rows, batch["inner"])}

    f = wrap(run)
    for k in range(3):
        batch, rows = {"x": _x(k), "inner": {"z": _x(k + 1)}}, [_x(7)]
        found = f(batch, rows)
        note(
            seen[-1] is batch, last["inner"] is batch["inner"], last["rows"] is rows, batch, rows,
            found["batch"] is batch, found["pair"][0] is rows, batch["new"][0] is batch["x"],
            rows[-1] is batch["x"], found["pair"][1] is batch["inner"],
        )  # fmt: skip


@program
def tensors_of_the_arguments(wrap: Wrap, note: Note) -> None:
    class Seen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            gc.manual_seed(0)
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Any) -> Any:
            self.x, self.pair = x, (x, [x])
            history.append(x)
            self.h = self.layer(x)
            self.h.retain_grad()
            return self.h.tanh().sum()

    history: list[Any] = []
    module = Seen()
    f = wrap(module)
    for k in range(4):
        x = _x(k).requires_grad_()
        f(x).backward()
        note(module.x is x, module.x.grad, module.h.grad, history[-1] is x, module.pair[1][0] is x)


@program
def a_partial_whose_keywords_change(wrap: Wrap, note: Note) -> None:
    weight = gc.ones(3)

    def scaled(w: Any, x: Any, k: float, b: float = 0.0) -> Any:
        return x * w * k + b

    inner = functools.partial(scaled, weight, k=2.0)
    outer = functools.partial(inner, b=1.0)
    f, g = wrap(inner), wrap(outer)
    note(f(_x()), g(_x()))
    inner.keywords["k"], outer.keywords["b"] = 5.0, 3.0
    note(f(_x()), g(_x()))
    weight.requires_grad_()
    note(f(_x()).requires_grad, g(_x()).requires_grad)


@program
def a_dict_whose_items_are_attributes(wrap: Wrap, note: Note) -> None:
    class Config(dict[str, Any]):
        __getattr__ = dict.__getitem__

    config: Any = Config(a=2.0, inner=Config(b=3.0))
    f = wrap(lambda x: x * config.a + config.inner.b + len(config))
    note(f(_x()))
    config["a"], config.inner["b"], config["c"] = 5.0, 0.0, 1
    note(f(_x()))


@pytest.mark.parametrize("settings", some([{}, {"tier": "checked"}, {"audit": 9}], 3), ids=str)
@pytest.mark.parametrize("body", PROGRAMS, ids=lambda body: body.__name__)
def test_it_is_what_the_function_keeps_eagerly(body: Body, settings: dict[str, Any]) -> None:
    assert difference(body, **settings) is None

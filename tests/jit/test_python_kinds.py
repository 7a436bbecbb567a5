"""What Python can do between and within calls, besides tensors: compiled functions follow it.

Kinds of reads that no attribute shows: classes replaced, descriptors, iterators and generators
with state, finalizers, arrays changed in place, context variables, hooks, operators of a user's.
"""

from __future__ import annotations

import collections
import contextlib
import contextvars
import copy
import functools
import itertools
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from observed import Body, Note, Wrap, difference

import graphc as gc
import graphc.nn as nn
from graphc.errors import TraceError

PROGRAMS: list[Body] = []


def program(body: Body) -> Body:
    PROGRAMS.append(body)
    return body


def _x(seed: int = 0) -> Any:
    return gc.tensor(np.random.RandomState(seed).randn(5, 3).astype(np.float32))


class Box:
    """An object of the user's."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class Plus(nn.Module):
    def forward(self, x: Any) -> Any:
        return x + 1


class Minus(Plus):
    def forward(self, x: Any) -> Any:
        return x - 1


@program
def classes_of_objects_and_modules_replaced(wrap: Wrap, note: Note) -> None:
    class A:
        def __call__(self, x: Any) -> Any:
            return x * 2

    class B(A):
        def __call__(self, x: Any) -> Any:
            return x * 3

    one, module, held = A(), Plus(), [A()]
    runs = [
        wrap(lambda x: one(x)), wrap(module), wrap(lambda x: module(x)),
        wrap(lambda x: held[0](x)), wrap(lambda x: x * 5 if isinstance(one, B) else x),
        wrap(lambda x: x * 7 if type(one) is B else x),
    ]  # fmt: skip
    note([f(_x()) for f in runs])
    one.__class__ = held[0].__class__ = B
    module.__class__ = Minus
    note([f(_x()) for f in runs])


@program
def bases_and_functions_of_classes_replaced(wrap: Wrap, note: Note) -> None:
    class One:
        def of(self, x: Any) -> Any:
            return x * 2

    class Other:
        def of(self, x: Any) -> Any:
            return x * 3

    class A(One):
        pass

    a: Any = A()
    f = wrap(lambda x: a.of(x))
    note(f(_x()))
    A.__bases__ = (Other,)
    note(f(_x()))
    A.of = lambda self, x: x * 4  # type: ignore[method-assign]
    note(f(_x()))
    a.of = lambda x: x * 5
    note(f(_x()))


@program
def attributes_that_run_code(wrap: Wrap, note: Note) -> None:
    class Counting:
        def __init__(self) -> None:
            self.reads = 0
            self.log: list[str] = []

        def __getattribute__(self, name: str) -> Any:
            fields = object.__getattribute__(self, "__dict__")
            if name == "k":
                fields["reads"] += 1
                return fields["reads"] * 2.0
            return object.__getattribute__(self, name)

        def __setattr__(self, name: str, value: Any) -> None:
            self.__dict__.setdefault("log", []).append(name)
            self.__dict__[name] = value

    one: Any = Counting()

    def run(x: Any) -> Any:
        one.last = x.sum()
        return x * one.k + len(one.log)

    f = wrap(run)
    for k in range(3):
        note(f(_x(k)), one.reads, one.log, one.last)


@program
def iterators_and_generators_go_on(wrap: Wrap, note: Note) -> None:
    def doubling() -> Any:
        k = 1.0
        while True:
            k = k * 2 + ((yield k) or 0)

    made, counted, cycled = doubling(), itertools.count(1), itertools.cycle([1.0, 2.0, 3.0])
    pairs = zip([1.0, 2.0], [3.0, 4.0])
    next(made)

    def run(x: Any) -> Any:
        return x * made.send(1.0) + next(counted) * next(cycled) + next(pairs, (0.0, 9.0))[1]

    f = wrap(run)
    for k in range(4):
        note(f(_x(k)))
    note(next(made), next(counted), next(cycled))


@program
def objects_that_go(wrap: Wrap, note: Note) -> None:
    log: list[int] = []

    class Last:
        def __del__(self) -> None:
            log.append(len(log))

    def run(x: Any) -> Any:
        one = Last()
        y = x * 2
        del one
        return y * (1 + len(log))

    kept: Any = Box(k=2.0)
    seen, table = weakref.ref(kept), weakref.WeakValueDictionary({"a": kept})
    f, g = wrap(run), wrap(lambda x: x * (3 if seen() is None else 4) + len(table))
    for k in range(3):
        note(f(_x(k)), list(log), g(_x(k)))
        kept = None if k else kept


@program
def arrays_and_containers_changed_in_place(wrap: Wrap, note: Note) -> None:
    array, whole = np.ones(3, np.float32), np.arange(6, dtype=np.float32).reshape(2, 3)
    row, queue = whole[0], collections.deque([1.0, 2.0], maxlen=3)
    counts = collections.Counter("aab")
    default: Any = collections.defaultdict(lambda: 7.0)

    def run(x: Any) -> Any:
        queue.append(queue[-1] + 1)
        counts["a"] += 1
        array[0] += 1
        return x * array + row + sum(queue) + counts["a"] + default["new"]

    f = wrap(run)
    note(f(_x()), array, list(queue))
    whole[0, 1] = 9
    default["new"] = 1.0
    note(f(_x()), array, list(queue))
    queue.rotate(1)
    array *= 2
    note(f(_x()), array, list(queue), dict(counts))


@program
def mappings_of_ones_own(wrap: Wrap, note: Note) -> None:
    class Filling(dict):
        def __missing__(self, key: str) -> float:
            self[key] = len(self) + 1.0
            return self[key]

    filling, chained = Filling(), collections.ChainMap({"z": 1.0}, {"z": 2.0, "y": 3.0})
    f = wrap(lambda x: x * filling["k"] + chained["z"] + chained["y"])
    note(f(_x()), dict(filling))
    filling["k"] = 5.0
    note(f(_x()))
    del chained.maps[0]["z"]
    note(f(_x()))


@program
def functions_replaced_and_given_other_arguments(wrap: Wrap, note: Note) -> None:
    settings = {"k": 2.0}

    def scaled(x: Any, settings: Any, k: float = 1.0, *, j: float = 1.0) -> Any:
        return x * settings["k"] * k + j

    part: Any = functools.partial(scaled, settings=settings)
    runs = [wrap(lambda x: part(x)), wrap(part), wrap(lambda x: scaled(x, settings))]
    note([f(_x()) for f in runs])
    settings["k"] = 5.0
    note([f(_x()) for f in runs])
    scaled.__defaults__ = (3.0,)
    scaled.__kwdefaults__ = {"j": 4.0}
    note([f(_x()) for f in runs])
    part.keywords["k"] = 7.0
    note([f(_x()) for f in runs])


@program
def context_variables_threads_and_locks(wrap: Wrap, note: Note) -> None:
    variable, local = contextvars.ContextVar("variable", default=1.0), threading.local()
    lock, done = threading.Lock(), []
    local.k = 2.0

    def run(x: Any) -> Any:
        worker = threading.Thread(target=lambda: done.append(len(done)))
        worker.start()
        worker.join()
        with lock:
            return x * variable.get() + local.k * len(done)

    f = wrap(run)
    note(f(_x()))
    token = variable.set(5.0)
    note(f(_x()))
    variable.reset(token)
    local.k = 3.0
    note(f(_x()), lock.locked(), done)


@program
def exceptions_that_carry_values(wrap: Wrap, note: Note) -> None:
    class Carrying(Exception):
        def __init__(self, value: Any) -> None:
            self.value = value

    log: list[Any] = []

    def run(x: Any, k: int) -> Any:
        try:
            if k % 2:
                raise Carrying(x * 2)
        except Carrying as error:
            return error.value + 1
        finally:
            log.append(k)
        if k == 4:
            raise Carrying(x * 3)
        return x

    f = wrap(run)
    for k in (1, 2, 3, 4, 1):
        try:
            note(f(_x(k), k), log)
        except Carrying as error:
            note(error.value, log)


@program
def settings_for_a_while(wrap: Wrap, note: Note) -> None:
    settings = {"k": 1.0}

    @contextlib.contextmanager
    def other(value: float) -> Any:
        before, settings["k"] = settings["k"], value
        try:
            yield
        finally:
            settings["k"] = before

    f = wrap(lambda x: x * settings["k"])

    def run(x: Any) -> Any:
        with other(float(x.shape[0])):
            y = f(x)
        return y + f(x)

    g = wrap(run)
    note(f(_x()), g(_x()))
    with other(7.0):
        note(f(_x()), g(_x()))
    note(f(_x()), settings)


@program
def operators_of_ones_own(wrap: Wrap, note: Note) -> None:
    class Noting:
        def __init__(self, value: Any, log: list[str]) -> None:
            self.value, self.log = value, log

        def __mul__(self, other: Any) -> Any:
            self.log.append("mul")
            return Noting(self.value * getattr(other, "value", other), self.log)

        def __eq__(self, other: object) -> bool:
            return len(self.log) > 3

        def __bool__(self) -> bool:
            return len(self.log) % 2 == 0

        def __iter__(self) -> Any:
            return iter([self.value, self.value * 2])

    log: list[str] = []

    def run(x: Any) -> Any:
        one = Noting(x, log)
        found = (one * 2 * one).value if one == 1 else (one * 3).value
        first, second = one
        return found + first - second + (1 if one else 2)

    f = wrap(run)
    for k in range(4):
        note(f(_x(k)), log)


@program
def hooks_and_copies_made_within(wrap: Wrap, note: Note) -> None:
    gc.manual_seed(0)
    model, count = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), [0]

    def counting(*_: Any) -> None:
        count[0] += 1

    def run(x: Any) -> Any:
        handle = model[0].register_forward_hook(counting)
        own = copy.deepcopy(model)
        with gc.no_grad():
            own[0].weight.mul_(2)
        y = model(x)
        handle.remove()
        return own(x) - y * count[0]

    f = wrap(run)
    for k in range(3):
        note(f(_x(k)), count, len(model[0]._forward_hooks))


@program
def compiled_functions_within_others_keep_their_state(wrap: Wrap, note: Note) -> None:
    weight, calls = nn.Parameter(gc.ones(3)), [0]

    class Trainer:
        def __init__(self) -> None:
            self.k, self.history = 1.0, [gc.zeros(())]

        def step(self, x: Any) -> Any:
            self.k *= 2
            self.history.append(x.mean())
            return inner(x) * self.k + sum(self.history)

    def count(x: Any) -> Any:
        calls[0] += 1
        return x * weight * calls[0]

    inner = wrap(count)
    one, other = Trainer(), Trainer()
    f, g = wrap(one.step), wrap(other.step)
    for k in range(3):
        note(f(_x(k)), g(_x(k + 1)), one.k, other.k, one.history, calls)
    f(_x()).sum().backward()
    note(weight.grad, calls)


@program
def what_a_result_was_is_kept_and_changed(wrap: Wrap, note: Note) -> None:
    last: list[Any] = [None]

    def run(x: Any) -> Any:
        last[0] = x * 2 + (0 if last[0] is None else last[0])
        return last[0]

    f = wrap(run)
    result = f(_x())
    result.add_(100)
    note(f(_x()), last[0] is result)
    last[0].zero_()
    note(f(_x()))


@pytest.mark.parametrize("tier", ["auto", "checked"])
@pytest.mark.parametrize("body", PROGRAMS, ids=lambda body: body.__name__)
def test_a_compiled_function_follows_what_python_does(body: Body, tier: str) -> None:
    assert difference(body, tier=tier) is None


@pytest.mark.parametrize("tier", ["auto", "checked"])
def test_the_identity_of_an_argument_is_refused(tier: str) -> None:
    known = gc.ones(3)
    table: dict[Any, Any] = {}
    for run in (
        functools.lru_cache(lambda x: x * 2), lambda x: table.setdefault(x, x * 2),
        lambda x: x * 2 if x is known else x, lambda x: any(x is k for k in [known]) or x,
    ):  # fmt: skip
        with pytest.raises(TraceError, match="identit"):
            gc.jit.compile(run, tier=tier)(gc.ones(3))
    same = gc.jit.compile(lambda x, y: x * 2 if x is y else x * 3, tier=tier)
    assert same(known, known).tolist() == [2.0] * 3
    assert same(known, gc.ones(3)).tolist() == [3.0] * 3


@pytest.mark.parametrize("tier", ["auto", "checked"])
def test_an_array_of_numpys_that_is_changed_after_its_use_is_refused(tier: str) -> None:
    array = np.ones(3, np.float32)

    def of_global(x: Any) -> Any:
        y = x * array
        array[1] += 1
        return y

    def of_argument(x: Any) -> Any:
        y = x * 2
        x.numpy()[0] = 5
        return y

    for run in (of_global, of_argument):
        with pytest.raises(TraceError, match="changed a NumPy array after"):
            gc.jit.compile(run, tier=tier)(gc.ones(3))

"""Programs made at random, and what happens between their calls: compiled is eager.

A program reads through random paths of a small world (objects, dataclasses, named tuples, modules,
containers, arrays, tensors, closures, defaults), writes some of it, and draws; between calls parts
of the world are changed, replaced, aliased or removed. Its text is made, and run twice.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import linecache
import random
from typing import Any

import numpy as np
import pytest
from observed import Note, Wrap, difference
from sampling import some

import graphc as gc
import graphc.nn as nn

Pair = collections.namedtuple("Pair", "left right")


class Plain:
    """An object of the user's."""

    shared = 1.5

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    @property
    def doubled(self) -> Any:
        return self.k * 2  # type: ignore[attr-defined]

    def __call__(self, x: Any) -> Any:
        return x + self.k  # type: ignore[attr-defined]


class Other(Plain):
    """What it may become."""

    def __call__(self, x: Any) -> Any:
        return x - self.k  # type: ignore[attr-defined]


@dataclasses.dataclass
class Data:
    """A dataclass with a default of its own."""

    k: Any
    items: list[Any] = dataclasses.field(default_factory=lambda: [2.0])


def scaled(x: Any, k: Any = 2.0) -> Any:
    return x * k


def shifted(x: Any, k: Any = 3.0) -> Any:
    return x + k


def world() -> dict[str, Any]:
    """What programs read: values by name, the same each time it is made."""
    gc.manual_seed(7)
    weight = gc.tensor([0.5, -1.0, 2.0])
    plain = Plain(k=1.25, inner=Plain(k=0.5, table={"a": 3.0}))
    return {
        "plain": plain, "data": Data(1.5), "pair": Pair(2.0, weight),
        "table": {"k": 1.0, "deep": {"a": [1.0, 2.0], "w": weight}, "plain": plain},
        "items": [1.0, weight, Plain(k=4.0), (3.0, 5.0)], "weight": weight,
        "array": np.array([1.0, 2.0, 3.0], np.float32), "flags": [True, False],
        "layer": nn.Linear(3, 3), "stack": nn.Sequential(nn.Linear(3, 3), nn.Tanh()),
        "norm": nn.BatchNorm1d(3), "function": scaled, "count": [0],
        "generator": random.Random(3), "leaf": nn.Parameter(gc.ones(3)),
    }  # fmt: skip


# What a line of a program may read: numbers, tensors, arrays.
READS = (
    "w['plain'].k", "w['plain'].inner.k", "w['plain'].inner.table['a']", "w['plain'].doubled",
    "w['plain'].shared", "getattr(w['plain'], 'gone', 0.75)", "w['data'].k", "sum(w['data'].items)",
    "w['pair'].left", "w['pair'].right", "w['table']['k']", "w['table']['deep']['a'][-1]",
    "w['table']['deep']['w']", "w['table']['plain'].k", "w['items'][0]", "w['items'][1]",
    "w['items'][2].k", "sum(w['items'][3])", "w['weight']", "w['weight'][1]", "w['array']",
    "float(w['array'].sum())", "len(w['items'])", "(2.0 if any(w['flags']) else 3.0)",
    "(1.0 if w['flags'][0] else w['leaf'])", "w['leaf']", "w['layer'].weight[0]",
    "float(w['layer'].training)", "w['count'][0]", "x.shape[0]", "free", "default",
    "(w.get('new') or 1.0)", "max(w['table']['deep']['a'])", "len(w['table'])",
    "[v for v in w['items'] if isinstance(v, float)][-1]", "w['norm'].momentum",
)  # fmt: skip
USES = (
    "y = y * {}", "y = y + {}", "y = y - gc.tanh(y * {})", "y = gc.where(y > 0, y, y * {})",
    "y, z = y + z, y * {}", "z = z + y.sum(0) * {}",
)  # fmt: skip
CALLS = (
    "y = w['layer'](y)", "y = w['stack'](y)", "y = w['norm'](y * y)", "y = w['plain'](y)",
    "y = w['function'](y)", "y = w['items'][2](y)", "y = y * gc.rand(3)", "y = y + random.random()",
    "y = y + w['generator'].gauss(0, 1)", "y = gc.dropout(y, 0.5, training=w['flags'][0])",
    "for k in w['table']['deep']['a']: y = y + k", "y = y.clone(); y[0] = z",
    "for v in w['plain'].inner.table.values(): y = y * v", "z = z.mul_(0.5)",
)  # fmt: skip
WRITES = (
    "w['count'][0] += 1", "w['plain'].last = y", "w['table']['deep']['a'].append(1.0)",
    "w['weight'].mul_(0.9)", "w['plain'].k = w['plain'].k + 0.5", "w['seen'] = z",
    "w['items'][1] = y.mean(0)", "w['array'] = w['array'] + 1",
    "w['data'].items.append(y.shape[0])", "w['table'].setdefault('first', z)",
    "w['flags'].reverse()",
)  # fmt: skip
CHANGES = (
    "w['plain'].k = 2.5", "w['plain'].inner = Plain(k=9.0, table={'a': 1.0, 'b': 2.0})",
    "w['plain'].inner.table['a'] = -1.0", "w['plain'].inner.table.clear()",
    "w['plain'].__class__ = Other", "w['plain'].gone = 0.25", "w['items'][2].__class__ = Other",
    "w['data'] = Data(0.5, [1.0, 1.0])", "w['data'].items.append(3.0)",
    "w['pair'] = w['pair']._replace(left=-2.0)", "w['pair'] = Pair(w['weight'], 4.0)",
    "w['table']['deep'] = {'a': [4.0], 'w': w['leaf']}", "w['table']['k'] = gc.ones(3)",
    "w['table']['plain'] = Plain(k=7.0)", "w['items'].insert(0, 6.0)", "w['items'].reverse()",
    "w['items'][0] = 1", "w['weight'].fill_(2.0)", "w['weight'] = gc.zeros(3)",
    "w['weight'][1] = 5.0", "w['array'][0] = 8.0", "w['array'] = w['array'] * 2",
    "w['flags'][0] = not w['flags'][0]", "w['layer'].eval(); w['norm'].eval()",
    "w['layer'] = nn.Linear(3, 3)", "w['layer'].weight.requires_grad_(False)",
    "w['stack'].append(nn.ReLU())", "w['stack'][0] = w['layer']", "w['norm'].momentum = 0.5",
    "w['layer'].register_forward_hook(lambda m, a, o: o * 2)", "w['function'] = shifted",
    "w['new'] = 3.0", "w['count'][0] = 10", "w['leaf'].data.mul_(3)", "w['generator'].seed(1)",
    "w['leaf'].requires_grad_(False)", "w['weight'] = w['leaf'].detach()",
    "w['array'] = w['weight'].numpy()", "Plain.shared = 2.5", "scaled.__defaults__ = (4.0,)",
    "cell(f, 6.0)", "w['layer'].weight = w['stack'][0].weight",
)  # fmt: skip
ARGUMENTS = ("x(4)", "x(4)", "x(6)", "x(4).requires_grad_()", "w['kept']", "x(1)")


def text(rng: random.Random) -> str:
    """A program's function, and the function that makes it."""
    lines = ["y, z = x * 1.0, gc.zeros(3)"]
    for _ in range(rng.randint(3, 8)):
        kind = rng.random()
        if kind < 0.6:
            lines.append(rng.choice(USES).format(rng.choice(READS)))
        else:
            lines.append(rng.choice(CALLS if kind < 0.85 else WRITES))
    lines.append(rng.choice(("return y, z", "return y.sum() + z.sum()", "return {'y': y}, z")))
    body = "\n".join(f"        {line}" for line in lines)
    return f"def make(w, free):\n    def run(x, default=0.5):\n{body}\n    return run\n"


def cell(f: Any, value: Any) -> None:
    """Set the closure's variable `free`."""
    function = getattr(f, "_function", f)
    names = function.__code__.co_freevars
    if "free" in names:
        function.__closure__[names.index("free")].cell_contents = value


def ran(seed: int, wrap: Wrap, note: Note) -> None:
    """Make a program, call it, and change its world between calls."""
    rng = random.Random(seed)
    source, file = text(rng), f"<random program {seed}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    drawn = np.random.default_rng(seed)

    def x(count: int) -> Any:
        return gc.tensor(drawn.standard_normal((count, 3)).astype(np.float32))

    w = world()
    w["kept"] = x(4)
    names = {**globals(), "w": w, "x": x}
    exec(compile(source, file, "exec"), names)
    f = names["f"] = wrap(names["make"](w, 1.75))
    for _ in range(rng.randint(4, 7)):
        argument = eval(rng.choice(ARGUMENTS), names)
        try:
            result = f(argument)
        except (ValueError, TypeError, LookupError, AttributeError, gc.errors.GraphcError) as error:
            assert "graphc.jit" not in str(error)
            result = type(error).__name__
        note(result, argument, {k: v for k, v in w.items() if k not in ("generator", "kept")})
        # Gradients through a normalisation are sums of about 0: all digits are roundings.
        is_seen = isinstance(result, gc.Tensor) and result.requires_grad
        if is_seen and "w['norm'](" not in source:
            result.backward()
            note(argument.grad, w["leaf"].grad, w["layer"].weight.grad)
        for _ in range(rng.randint(0, 2)):
            with contextlib.suppress(TypeError):  # the class of what is a tensor by now
                exec(rng.choice(CHANGES), names)


@pytest.fixture(autouse=True)
def _as_they_were() -> Any:
    yield
    Plain.shared, scaled.__defaults__ = 1.5, (2.0,)


@pytest.mark.parametrize("seed", some(range(40), 4))
def test_programs_made_at_random_do_compiled_what_they_do_eagerly(seed: int) -> None:
    def body(wrap: Wrap, note: Note) -> None:
        Plain.shared, scaled.__defaults__ = 1.5, (2.0,)
        ran(seed, wrap, note)

    assert difference(body) is None, text(random.Random(seed))

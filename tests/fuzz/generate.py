"""Random recipes by seed: typed, aware of shapes, and of values (nothing overflows or is nan).

A recipe grows line by line. Each candidate line is read with graphc and with NumPy at once: one
that either refuses, whose values are beyond what its dtype holds with some accuracy, or that is too
large is dropped and another tried. A line on which the two disagree about the shape, or at which
graphc stops with something else than a user's error, ends the recipe: `compare` will say so.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import graphc as gc
from graphc.core import dims
from graphc.core.dtypes import as_dtype, is_float
from graphc.core.ir import toposort
from graphc.core.types import TensorType
from graphc.errors import GraphcError, InternalError

from . import recipe as recipes
from .meaning import FLOATS, INTEGERS, Meaning
from .recipe import Input, Recipe

NARROW = {"bfloat16": 60.0, "float16": 60.0}
LARGEST = {**NARROW, "float32": 3e3, "float64": 3e3}
LARGE_LARGEST = {**NARROW, "float32": 1e6, "float64": 1e6}
ELEMENTS = 600
# Sizes about which kernels change: blocks of sums, lanes, tiles, slices of threads.
EDGES = (63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 1000, 1023, 1024, 1025, 2049, 4097)
LARGE_ELEMENTS = 60_000
MANY = (1, 7, 255, 257, 1000, 1025, 4097, 16_385, 32_769, 70_001)
SIZES = (1, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 16, 17, 33)
OTHER_SIZES = (1, 2, 3, 5, 7, 16, 19, 35)


class Growing:
    """A recipe while it grows: `names` are its values in order, each with a node and arrays."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.draw = np.random.default_rng(seed)
        self.inputs: dict[str, Input] = {}
        self.lines: list[tuple[str, str]] = []
        self.nodes: dict[str, Any] = {}
        self.arrays: list[dict[str, Any]] = []
        self.broken = False
        self.dtype = rng.choices(["float16", "float32", "float64", "int"], [10, 60, 15, 15])[0]
        if self.dtype == "int":
            self.dtype = rng.choice([*INTEGERS, "bool"])
        if self.dtype == "float16":
            self.dtype = rng.choice(("bfloat16", "float16"))
        self.wild = (
            self.dtype in FLOATS and rng.random() < 0.06
        )  # nan, infinities, zeros of both signs
        self.extents = [rng.choice(SIZES) for _ in range(rng.choice((1, 2, 2, 3)))]
        self.large = rng.random() < 0.05
        self.most = LARGE_ELEMENTS if self.large else ELEMENTS
        if rng.random() < 0.04:
            self.extents.append(0)
        self.sizes: list[dict[str, int]] = [{}]
        self._choose_sizes()
        self.arrays = [{} for _ in self.sizes]

    def _choose_sizes(self) -> None:
        """What symbolic sizes there are, and what they are bound to in each run."""
        rng = self.rng
        if self.large and rng.random() < 0.5:
            self.extents = [rng.choice(EDGES), *self.extents[:2]]
        elif self.large or (rng.random() < 0.25 and self.extents[0]):
            others = MANY if self.large else OTHER_SIZES
            self.extents[0] = self.extents[0] or 2
            self.sizes = [{"n": self.extents[0]}]
            self.sizes += [{"n": rng.choice(others)} for _ in range(rng.choice((1, 1, 2)))]
            if self.large:
                self.sizes[-1]["n"] = rng.choice(MANY[2:])
            elif len(self.extents) > 1 and rng.random() < 0.4:
                for k, sizes in enumerate(self.sizes):
                    sizes["m"] = rng.choice((0, *OTHER_SIZES)) if k else self.extents[1]

    # Values

    def named(self, stem: str) -> str:
        """A fresh name."""
        return f"{stem}{sum(k[0] == stem for k in self.nodes)}"

    def shape(self, least: int = 0, most: int = 4) -> tuple[int | str, ...]:
        """A shape of the recipe's sizes."""
        rank = self.rng.choice([r for r in (0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4) if least <= r <= most])
        found: list[int | str] = [
            self.rng.choice([*self.extents, 1] if self.rng.random() < 0.3 else self.extents)
            for _ in range(rank)
        ]
        while self.elements(found) > self.most // (8 if self.large else 1):
            found[self.rng.randrange(rank)] = self.rng.choice((1, 2, 3))
        for symbol, size in self.sizes[0].items():
            found = [symbol if d == size and self.rng.random() < 0.7 else d for d in found]
        if self.large and "n" in found:
            rest = 2 * LARGE_ELEMENTS // max(sizes["n"] for sizes in self.sizes)
            found = ["n", *(min(int(d), max(rest, 1)) if d != "n" else 1 for d in found[1:2])]
        return tuple(found)

    @staticmethod
    def elements(shape: Sequence[Any]) -> int:
        """How many elements, a symbolic size taken for 40."""
        return int(np.prod([40 if isinstance(d, str) else d for d in shape]))

    def add_input(
        self,
        shape: Sequence[int | str],
        dtype: str | None = None,
        state: bool = False,
        low: int = -9,
        high: int = 10,
    ) -> str:
        """A new input with random values; integers in low..high - 1."""
        dtype = dtype or self.dtype
        name = self.named("x")
        if state:  # has the same value in every run
            shape = [self.sizes[0].get(d, d) if isinstance(d, str) else d for d in shape]
        values: list[np.ndarray] = []
        for sizes in self.sizes:
            concrete = tuple(sizes.get(d, d) if isinstance(d, str) else d for d in shape)
            again = state and values
            values.append(values[0] if again else self._values(concrete, dtype, low, high))  # type: ignore[arg-type]
        given = Input(dtype, tuple(shape), values[0], state, tuple(values[1:]))
        self.inputs[name] = given
        self.nodes[name] = recipes.placeholder(name, given)
        for arrays, value in zip(self.arrays, values):
            arrays[name] = value.astype(np.float64) if is_float(value.dtype) else value
        return name

    def _values(self, shape: tuple[int, ...], dtype: str, low: int, high: int) -> np.ndarray:
        own = as_dtype(dtype)
        if own.kind == "bool":
            return self.draw.integers(0, 2, shape).astype(bool)
        if own.is_float:
            values = np.asarray(self.draw.standard_normal(shape))
            if self.wild:
                odd = self.draw.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], values.shape)
                values = np.where(self.draw.random(values.shape) < 0.25, odd, values)
            return values.astype(own.numpy)
        low = max(low, 0) if own.kind == "uint" else low
        return np.asarray(self.draw.integers(low, high, shape)).astype(dtype)

    def kind(self, name: str) -> str:
        """Of a value's dtype: b, i, u or f."""
        dtype = self.nodes[name].dtype
        return "f" if dtype.is_float else np.dtype(dtype.numpy).kind

    def names(self, test: Callable[[str], bool] = lambda name: True) -> list[str]:
        """The values that pass a test."""
        return [k for k in self.nodes if test(k)]

    def pick(self, kinds: str = "biuf", least: int = 0, most: int = 9, like: str = "") -> str:
        """A value of some kinds and ranks (of `like`'s dtype); late ones more often.

        Raises:
            LookupError: there is none.
        """
        found = [
            k for k in self.nodes
            if self.kind(k) in kinds and least <= self.nodes[k].ndim <= most
            and (not like or self.nodes[k].dtype is self.nodes[like].dtype)
        ]  # fmt: skip
        if not found:
            raise LookupError
        if self.rng.random() < 0.5:
            found = found[-3:]
        return self.rng.choice(found)

    def axis(self, name: str) -> int:
        """An axis of a value."""
        rank = self.nodes[name].ndim
        if not rank:
            raise LookupError
        return self.rng.randrange(-rank, rank)

    def span(self, name: str, axis: int) -> int:
        """A size, the least of all runs."""
        return min(a[name].shape[axis] for a in self.arrays)

    def within(self, name: str, low: float, high: float) -> bool:
        """Whether all elements of a value lie in a range."""
        return all(np.all((a[name] >= low) & (a[name] <= high)) for a in self.arrays)

    # Growth

    def add(self, text: str, name: str = "") -> str | None:
        """Try a line; its name if it is kept."""
        name = name or self.named("v")
        try:
            node = recipes.evaluate(text, self.nodes, gc)
        except InternalError:
            node = None
        except (GraphcError, OverflowError, TypeError, IndexError, ValueError):
            return None  # what only one of the two refuses is for the tests of errors
        except Exception:
            node = None
        if self.large and node is not None and self._is_huge(node):
            return None
        with np.errstate(all="ignore"):
            try:
                means = [recipes.evaluate(text, a, Meaning) for a in self.arrays]
            except (ArithmeticError, IndexError, KeyError, TypeError, ValueError):
                means = None
        if means is None:
            return None
        if node is None:
            self.broken = True
            self.lines.append((name, text))
            return None
        return self._keep(name, text, node, means)

    def _is_huge(self, made: Any) -> bool:
        """Whether a line's result, or what it is made from, has too many elements in some run."""
        types = [n.type for n in toposort(made if isinstance(made, (list, tuple)) else (made,))]
        shapes = [t.shape for t in types if isinstance(t, TensorType)]
        return any(
            np.prod([float(dims.evaluate(d, sizes)) for d in shape]) > 16 * self.most
            for shape in shapes for sizes in self.sizes
        )  # fmt: skip

    def _keep(self, name: str, text: str, node: Any, means: list[Any]) -> str | None:
        several = "," in name
        nodes = list(node) if several else [node]
        rows = [list(m) if several else [m] for m in means]
        if not all(self._fits(n, v) for row in rows for n, v in zip(nodes, row)):
            return None
        self.lines.append((name, text))
        for k, each in enumerate(recipes.split(name)):
            self.nodes[each] = nodes[k]
            for arrays, row in zip(self.arrays, rows):
                arrays[each] = np.asarray(row[k])
        return name

    def _fits(self, node: Any, value: Any) -> bool:
        value = np.asarray(value)
        if value.size > 4 * self.most:
            return False
        if value.dtype.kind != "f" or not node.dtype.is_float:
            return True  # where the kinds differ, `compare` finds it
        most = LARGE_LARGEST if self.large else LARGEST
        fits = np.abs(value) <= most[node.dtype.name]
        return bool(np.all(fits | ~np.isfinite(value) if self.wild else fits))

    # The whole

    def finish(self) -> Recipe:
        """Choose outputs, updates, a level and how it runs."""
        rng = self.rng
        made = [n for name, _ in self.lines for n in recipes.split(name)]
        if self.broken:
            made = made or list(self.nodes)
        outputs = [made[-1]] if made else [next(iter(self.nodes))]
        for _ in range(rng.choice((0, 1, 1, 2, 3))):
            outputs.append(rng.choice(made[-6:] or outputs))
        if rng.random() < 0.05:
            outputs.append(rng.choice(list(self.nodes)))  # an input, say
        if len(made) > 50 and rng.random() < 0.5:
            outputs = made[-100:]
        if rng.random() < 0.95:
            outputs = list(dict.fromkeys(outputs))
        updates = {}
        for name, given in self.inputs.items():
            if given.state:
                fitting = self.names(
                    lambda k, type_=self.nodes[name].type: self.nodes[k].type == type_  # type: ignore[misc]
                )
                updates[name] = rng.choice([k for k in fitting if k != name] or fitting)
        found = Recipe(
            self.inputs, tuple(self.lines), tuple(outputs), updates,
            tuple(self.sizes), rng.choice(("O0", "O1", "O2", "O2", "O2", "O3")),
            rng.choice((1, 1, 2, 3)), rng.random() < 0.5,
            rng.choice(("", "", "", "", "columns", "backwards", "stepped", "fixed")),
        )  # fmt: skip
        found = recipes.used(found)
        if len(self.sizes) > 1 and not self.broken:
            built = recipes.build(found)
            bound = {d for k in built.names for d in found.inputs[k].shape}
            named = {d for i in found.inputs.values() for d in i.shape if isinstance(d, str)}
            if not bound.issuperset(named) or not named:
                return recipes.fixed(found)  # no input that is needed says what it is
        return found


def generate(seed: int) -> Recipe:
    """The recipe of a seed."""
    from .table import CONTRACTING, MAKERS, PLENTY, REDUCING, ROUND, WILD

    growing = Growing(seed)
    rng = growing.rng
    _add_inputs(growing)
    focus = rng.choice((MAKERS, MAKERS, MAKERS, REDUCING, CONTRACTING, ROUND))
    target = rng.choice((1, 2, 3, 4, 6, 8, 10, 12, 15, 20))
    if rng.random() < 0.006:
        focus, target = PLENTY, rng.choice((60, 100, 300))
    _grow(growing, WILD if growing.wild else focus, target)
    while growing.dtype in FLOATS and not growing.broken and not growing.wild:
        if rng.random() > 0.4:
            break
        add_gradient(growing)  # and perhaps the gradient of that
        if rng.random() < 0.3:  # what is done with gradients
            _grow(growing, focus, len(growing.lines) + rng.choice((1, 2, 4)))
    return growing.finish()


def _add_inputs(growing: Growing) -> None:
    rng = growing.rng
    if rng.random() < 0.08:  # parameters alike, so that new values may be each other's
        shape = growing.shape(1)
        for _ in range(rng.choice((1, 2, 3))):
            growing.add_input(shape, state=True)
    for _ in range(rng.choice((1, 2, 2, 3))):
        growing.add_input(growing.shape(1), state=rng.random() < 0.1)
    if rng.random() < 0.3:
        growing.add_input(
            growing.shape(), dtype=rng.choice(("int64", "uint8", "bool", "bool", "float32"))
        )


def _grow(
    growing: Growing, focus: Sequence[tuple[Callable[[Growing], Any], int]], target: int
) -> None:
    """Add lines until there are so many, or many tries were made."""
    makers, weights = zip(*focus)
    tries = max(60, 3 * target)
    while len(growing.lines) < target and tries and not growing.broken:
        tries -= 1
        try:
            growing.rng.choices(makers, weights)[0](growing)
        except LookupError:
            continue


def add_gradient(growing: Growing) -> None:
    """A loss of up to three terms, and its gradients."""
    rng = growing.rng
    terms = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = growing.pick("f")
        term = rng.choice((
            "gc.sum({0})", "gc.mean(gc.square({0}))", "gc.sum({0} * {0})", "gc.max({0})",
            "gc.mean(gc.absolute({0}))", "gc.sum(gc.sin({0}))", "gc.logsumexp({0})",
        ))  # fmt: skip
        terms.append(term.format(name))
    loss = growing.add(" + ".join(terms))
    if loss is None or growing.nodes[loss].ndim or growing.kind(loss) != "f":
        return
    order = toposort((growing.nodes[loss],))
    reached = [k for k in growing.nodes if growing.nodes[k] in order and growing.kind(k) == "f"]
    wanted = [k for k in reached if k != loss and (k in growing.inputs or rng.random() < 0.1)]
    if not wanted:
        return
    text = f"gc.grad({loss}, [{', '.join(wanted)}])"
    try:
        nodes = recipes.evaluate(text, growing.nodes, gc)  # a list, however many
    except InternalError:
        growing.broken = True
        nodes = None
    except GraphcError:
        return
    first = sum(k[0] == "g" for k in growing.nodes)
    name = ", ".join(f"g{first + k}" for k in range(len(wanted)))
    if len(wanted) == 1:
        text += "[0]"
    growing.lines.append((name, text))
    if nodes is not None:
        made = recipes.Recipe(growing.inputs, tuple(growing.lines), (), {}, tuple(growing.sizes))
        built = recipes.Built(growing.nodes, [], [], {}, None, [])  # type: ignore[arg-type]
        for run, arrays in enumerate(growing.arrays):
            for k, value in enumerate(recipes.slopes(made, built, nodes, run)):
                arrays[f"g{first + k}"] = value
        growing.nodes.update({f"g{first + k}": n for k, n in enumerate(nodes)})

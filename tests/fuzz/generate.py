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
from graphc.core.ir import toposort
from graphc.errors import GraphcError, InternalError

from . import recipe as recipes
from .meaning import FLOATS, INTEGERS, Meaning
from .recipe import Input, Recipe

LARGEST = {"float16": 60.0, "float32": 3e3, "float64": 3e3}
ELEMENTS = 600
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
        self.dtype = rng.choices([*FLOATS, "int"], [10, 60, 15, 15])[0]
        if self.dtype == "int":
            self.dtype = rng.choice([*INTEGERS, "bool"])
        self.wild = (
            self.dtype in FLOATS and rng.random() < 0.06
        )  # nan, infinities, zeros of both signs
        self.extents = [rng.choice(SIZES) for _ in range(rng.choice((1, 2, 2, 3)))]
        if rng.random() < 0.04:
            self.extents.append(0)
        self.sizes: list[dict[str, int]] = [{}]
        if rng.random() < 0.25 and self.extents[0]:
            self.sizes = [{"n": self.extents[0]}, {"n": rng.choice(OTHER_SIZES)}]
        self.arrays = [{} for _ in self.sizes]

    # Values

    def named(self, stem: str) -> str:
        """A fresh name."""
        return f"{stem}{sum(k[0] == stem for k in self.nodes)}"

    def shape(self, least: int = 0, most: int = 3) -> tuple[int | str, ...]:
        """A shape of the recipe's sizes."""
        rank = self.rng.choice([r for r in (0, 1, 1, 2, 2, 2, 3) if least <= r <= most])
        found: list[int | str] = [
            self.rng.choice([*self.extents, 1] if self.rng.random() < 0.3 else self.extents)
            for _ in range(rank)
        ]
        while self.elements(found) > ELEMENTS:
            found[self.rng.randrange(rank)] = self.rng.choice((1, 2, 3))
        if len(self.sizes) > 1:
            found = ["n" if d == self.sizes[0]["n"] and self.rng.random() < 0.7 else d
                     for d in found]  # fmt: skip
        return tuple(found)

    @staticmethod
    def elements(shape: Sequence[Any]) -> int:
        """How many elements, a symbolic size taken for 40."""
        return int(np.prod([40 if isinstance(d, str) else d for d in shape]))

    def add_input(
        self, shape: Sequence[int | str], dtype: str | None = None, state: bool = False
    ) -> str:
        """A new input with random values."""
        dtype = dtype or self.dtype
        name = self.named("x")
        values = []
        for sizes in self.sizes:
            concrete = tuple(sizes.get(d, d) if isinstance(d, str) else d for d in shape)
            values.append(self._values(concrete, dtype))
        given = Input(dtype, tuple(shape), values[0], state, tuple(values[1:]))
        self.inputs[name] = given
        self.nodes[name] = recipes.placeholder(name, given)
        for arrays, value in zip(self.arrays, values):
            arrays[name] = value.astype(np.float64) if value.dtype.kind == "f" else value
        return name

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        kind = np.dtype(dtype).kind
        if kind == "b":
            return self.draw.integers(0, 2, shape).astype(bool)
        if kind == "f":
            values = np.asarray(self.draw.standard_normal(shape))
            if self.wild:
                odd = self.draw.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], values.shape)
                values = np.where(self.draw.random(values.shape) < 0.25, odd, values)
            return values.astype(dtype)
        low = 0 if kind == "u" else -9
        return np.asarray(self.draw.integers(low, 10, shape)).astype(dtype)

    def kind(self, name: str) -> str:
        """Of a value's dtype: b, i, u or f."""
        return np.dtype(self.nodes[name].dtype.numpy).kind

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
        with np.errstate(all="ignore"):
            try:
                means = [recipes.evaluate(text, a, Meaning) for a in self.arrays]
            except (ValueError, IndexError, TypeError, ZeroDivisionError, KeyError):
                means = None
        try:
            node = recipes.evaluate(text, self.nodes, gc)
        except InternalError:
            node = None
        except (GraphcError, OverflowError, TypeError, IndexError, ValueError):
            return None  # what only one of the two refuses is for the tests of errors
        except Exception:
            node = None
        if means is None:
            return None
        if node is None:
            self.broken = True
            self.lines.append((name, text))
            return None
        return self._keep(name, text, node, means)

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
        if value.size > 4 * ELEMENTS:
            return False
        if value.dtype.kind != "f" or not node.dtype.is_float:
            return True  # where the kinds differ, `compare` finds it
        fits = np.abs(value) <= LARGEST[node.dtype.name]
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
        if rng.random() < 0.03:
            outputs.append(rng.choice(list(self.nodes)))
        updates = {}
        for name, given in self.inputs.items():
            if given.state:
                fitting = self.names(
                    lambda k, type_=self.nodes[name].type: self.nodes[k].type == type_
                )
                updates[name] = rng.choice([k for k in fitting if k != name] or fitting)
        found = Recipe(
            self.inputs, tuple(self.lines), tuple(dict.fromkeys(outputs)), updates,
            tuple(self.sizes), rng.choice(("O0", "O1", "O2", "O2", "O2", "O3")),
            rng.choice((1, 1, 2, 3)), rng.random() < 0.5,
        )  # fmt: skip
        found = recipes.used(found)
        if len(self.sizes) > 1 and not self.broken:
            built = recipes.build(found)
            if not any("n" in found.inputs[k].shape for k in built.names):
                return recipes.fixed(found)  # no input that is needed says what n is
        return found


def generate(seed: int) -> Recipe:
    """The recipe of a seed."""
    from .table import CONTRACTING, MAKERS, REDUCING, WILD

    growing = Growing(seed)
    rng = growing.rng
    for _ in range(rng.choice((1, 2, 2, 3))):
        state = len(growing.sizes) == 1 and rng.random() < 0.12
        growing.add_input(growing.shape(1), state=state)
    if rng.random() < 0.3:
        growing.add_input(
            growing.shape(), dtype=rng.choice(("int64", "uint8", "bool", "bool", "float32"))
        )
    focus = rng.choice((MAKERS, MAKERS, MAKERS, REDUCING, CONTRACTING))
    makers, weights = zip(*(WILD if growing.wild else focus))
    target, tries = rng.choice((1, 2, 3, 4, 6, 8, 10, 12, 15, 20)), 0
    while len(growing.lines) < target and tries < 60 and not growing.broken:
        tries += 1
        maker = rng.choices(makers, weights)[0]
        try:
            maker(growing)
        except LookupError:
            continue
    while growing.dtype in FLOATS and not growing.broken and not growing.wild:
        if rng.random() > 0.4:
            break
        add_gradient(growing)  # and perhaps the gradient of that
    return growing.finish()


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

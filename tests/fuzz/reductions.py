"""All pairs of reductions over all axes of a small tensor, and what becomes of them.

outputs      both are results
scalars      one sum of both
joined       both joined to the elements again
chained      the second reduces what the first was joined to
apart        each of an operand of its own
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from .recipe import Input, Recipe, used

NAMES = ("sum", "mean", "max", "min", "prod", "logsumexp", "var", "argmax")
AXES = ("0", "1", "None")
WAYS = ("outputs", "scalars", "joined", "chained", "apart")
SHAPE = (4, 3)


def _reduced(name: str, axis: str, x: str, keep: bool) -> str:
    more = ", keepdims=True" * keep + ", correction=0" * (name == "var")
    text = f"gc.{name}({x}, axis={axis}{more})"
    if name != "argmax":
        return text
    return f"gc.cast({text}, gc.float32)"


def pairs() -> Iterator[tuple[str, str, str, str, str]]:
    """Every case: two reductions with their axes, and the way they meet."""
    each = [(n, a) for n in NAMES for a in AXES if not (n == "argmax" and a == "None")]
    for way in WAYS:
        ordered = way in ("chained", "apart")
        both = itertools.product(each, each) if ordered else (
            itertools.combinations_with_replacement(each, 2))  # fmt: skip
        for first, second in both:
            yield (*first, *second, way)


def reduced(case: tuple[str, str, str, str, str], level: str = "O2") -> Recipe:
    """The recipe of a case."""
    first, axis, second, other, way = case
    rng = np.random.default_rng(0)
    inputs = {
        f"x{k}": Input("float32", SHAPE, rng.standard_normal(SHAPE).astype(np.float32))
        for k in range(2)
    }
    keep = way in ("joined", "chained")
    read = {"chained": "v1", "apart": "x1"}.get(way, "x0")
    lines = [("v0", _reduced(first, axis, "x0", keep)), ("v1", "x0 - v0"),
             ("v2", _reduced(second, other, read, keep))]  # fmt: skip
    outputs: tuple[str, ...] = ("v0", "v2")
    if way in ("scalars", "apart"):
        lines.append(("v3", "gc.sum(v0) + gc.sum(v2)"))
        outputs = ("v3",)
    elif way == "joined":
        lines.append(("v3", "x0 * v0 + v2"))
        outputs = ("v3",)
    elif way == "chained":
        outputs = ("v2",)
    return used(Recipe(inputs, tuple(lines), outputs, level=level))

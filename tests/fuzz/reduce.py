"""From a failing recipe to a small one that fails in the same way.

Greedy: outputs, updates and sizes are dropped, lines replaced by an operand of their type or by an
input of their value, operators thinned, as long as `fails` holds; until nothing smaller does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from . import recipe as recipes
from .recipe import WORD, Input, Recipe

Fails = Callable[[Recipe], bool]


def reduce(recipe: Recipe, fails: Fails, budget: int = 400, seconds: float = 300.0) -> Recipe:
    """The smallest recipe found in so many trials, or so much time: one may be of a hang."""
    best, end = recipes.used(recipe), time.monotonic() + seconds
    progress = True
    while progress:
        progress = False
        for candidate in _smaller(best):
            if budget <= 0 or time.monotonic() > end:
                return best
            budget -= 1
            if fails(candidate):
                best, progress = candidate, True
                break
    return best


def _smaller(recipe: Recipe) -> Iterator[Recipe]:
    yield from _settings(recipe)
    for k in range(len(recipe.outputs)):
        if len(recipe.outputs) > 1:
            kept = recipe.outputs[:k] + recipe.outputs[k + 1 :]
            yield recipes.used(recipe.with_(outputs=kept))
    for name, _ in recipe.lines[:-1]:
        for each in recipes.split(name):
            if (each,) != recipe.outputs and len(recipe.outputs) == 1:
                yield recipes.used(recipe.with_(outputs=(each,)))
    for name in recipe.updates:
        rest = {k: v for k, v in recipe.updates.items() if k != name}
        inputs = dict(recipe.inputs)
        given = inputs[name]
        inputs[name] = Input(given.dtype, given.shape, given.value, False, given.others)
        if recipe.outputs:
            yield recipes.used(recipe.with_(updates=rest, inputs=inputs))
    yield from _cut(recipe)
    yield from _plainer(recipe)


def _settings(recipe: Recipe) -> Iterator[Recipe]:
    if recipe.threads > 1:
        yield recipe.with_(threads=1)
    if recipe.layout:
        yield recipe.with_(layout="")
    if recipe.into:
        yield recipe.with_(into=False)
    if len(recipe.sizes) > 1:
        for run in range(len(recipe.sizes)):
            yield recipes.fixed(recipe, run)
    for level in ("O0", "O1", "O2"):
        if level < recipe.level:
            yield recipe.with_(level=level)


def _cut(recipe: Recipe) -> Iterator[Recipe]:
    """Lines replaced: the last first, so that much goes at once."""
    try:
        built = recipes.build(recipe)
        means = [recipes.mean(recipe, run, built) for run in range(len(recipe.sizes))]
    except Exception:
        yield from _dropped(recipe)
        return
    names = list(built.values)
    for place, (name, text) in enumerate(recipe.lines):
        for each in recipes.split(name):
            node = built.values[each]
            fitting = [k for k in names[: names.index(each)] if built.values[k].type == node.type]
            near = [k for k in fitting if k in WORD.findall(text)]
            for other in [*near, *fitting[:1]]:
                yield _renamed(recipe, place, each, other)
            if all(isinstance(d, int) or str(d) in recipe.sizes[0] for d in node.shape):
                yield _given(recipe, each, node, means)


def _dropped(recipe: Recipe) -> Iterator[Recipe]:
    """Shorter beginnings, where the whole is not even built."""
    for count in range(1, len(recipe.lines)):
        outputs = (recipes.split(recipe.lines[count - 1][0])[0],)
        yield recipes.used(recipe.with_(lines=recipe.lines[:count], outputs=outputs, updates={}))


def _renamed(recipe: Recipe, place: int, name: str, other: str) -> Recipe:
    """Uses of `name` after its line become uses of `other`."""
    swap = lambda text: WORD.sub(lambda m: other if m[0] == name else m[0], text)  # noqa: E731
    lines = [(k, swap(text) if at > place else text) for at, (k, text) in enumerate(recipe.lines)]
    outputs = tuple(dict.fromkeys(other if o == name else o for o in recipe.outputs))
    updates = {p: other if v == name else v for p, v in recipe.updates.items()}
    return recipes.used(recipe.with_(lines=tuple(lines), outputs=outputs, updates=updates))


def _given(recipe: Recipe, name: str, node: object, means: list[dict]) -> Recipe:
    """A line replaced by an input that has its value."""
    dtype = node.dtype.numpy  # type: ignore[attr-defined]
    values = [np.asarray(m[name]).astype(dtype) for m in means]
    shape = tuple(d if isinstance(d, int) else str(d) for d in node.shape)  # type: ignore[attr-defined]
    fresh = f"x{1 + max([-1, *(int(k[1:]) for k in recipe.inputs)])}"
    inputs = {**recipe.inputs, fresh: Input(np.dtype(dtype).name, shape, values[0], False,
                                            tuple(values[1:]))}  # fmt: skip
    return _renamed(recipe.with_(inputs=inputs), -1, name, fresh)


def _plainer(recipe: Recipe) -> Iterator[Recipe]:
    """Terms of sums and wrapping functions removed from lines."""
    for place, (name, text) in enumerate(recipe.lines):
        parts = text.split(" + ")
        variants = [" + ".join(parts[:k] + parts[k + 1 :]) for k in range(len(parts))]
        if len(parts) == 1:
            variants = []
        for variant in variants:
            lines = list(recipe.lines)
            lines[place] = (name, variant)
            try:
                recipes.code(variant)
            except SyntaxError:
                continue
            yield recipes.used(recipe.with_(lines=tuple(lines)))

"""All pairs of operations, one on the result of the other, with gradients, sizes fixed or not.

x: f32[4, 6] or f32[n, 6]    v0 = first(x)    v1 = second(v0)    g0 = grad(sum(v1 * v1), x)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

import graphc as gc
from graphc.errors import GraphcError

from .recipe import Input, Recipe, build, mean, used


def _reduced(change: str, how: str) -> str:
    """A rule that reduces two rows, changed, into the first."""
    rows = "gc.take({0}, gc.constant(np.array([0, 1])), axis=0)"
    return f"gc.index_reduce({{0}}, 0, gc.constant(np.array([0, 0])), {rows} {change}, '{how}')"


RULES = {
    # Of elements
    "tanh": "gc.tanh({0})", "relu": "gc.relu({0})", "scaled": "{0} * 0.5 + 1.0",
    "clipped": "gc.clip({0}, -0.5, 0.75)", "chosen": "gc.where({0} > 0.1, {0}, -{0})",
    "half": "gc.cast({0}, gc.float16)", "double": "gc.cast({0}, gc.float64)",
    "whole": "gc.cast(gc.rint({0} * 3), gc.int32)", "truth": "{0} > 0.0",
    "twice": "{0} + {0} * {0}", "divided": "{0} / (1.5 + gc.cos({0}))",
    # Views
    "transposed": "gc.transpose({0})", "flipped": "gc.flip({0}, axis=-1)", "back": "{0}[::-1]",
    "cut": "{0}[1:]", "cut_columns": "{0}[..., 1:-1]", "stepped": "{0}[..., ::2]",
    "first": "{0}[0]", "last": "{0}[..., -1]", "new": "{0}[:, None]",
    "flat": "gc.reshape({0}, (-1,))", "thirds": "gc.reshape({0}, (-1, 3))",
    "wide": "gc.broadcast_to({0}, (2, *{0}.shape))",
    "spread": "gc.broadcast_to({0}[..., :1], {0}.shape)",
    "padded": "gc.pad({0}, [(1, 2)] * {0}.ndim)",
    "ones": "gc.pad({0}, [(0, 1)] * {0}.ndim, value=1)",
    "mirrored": 'gc.pad({0}, [(1, 1)] * {0}.ndim, mode="reflect")',
    "joined": "gc.concat([{0}, {0} * 2], axis=-1)", "joined_rows": "gc.concat([{0}[1:], {0}[:1]])",
    "stacked": "gc.stack([{0}, -{0}], axis=-1)", "parted": "gc.split({0}, [2], axis=-1)[1]",
    "rolled": "gc.roll({0}, 1, axis=0)", "tiled": "gc.tile({0}, (2,) * {0}.ndim)",
    "repeated": "gc.repeat({0}, 2, axis=-1)", "lower": "gc.tril({0})",
    "diagonal": "gc.diagonal({0})",
    # Reductions
    "sum": "gc.sum({0})", "sum_rows": "gc.sum({0}, axis=0)", "sum_columns": "gc.sum({0}, axis=-1)",
    "kept": "gc.sum({0}, axis=-1, keepdims=True)", "mean": "gc.mean({0}, axis=0)",
    "max": "gc.max({0}, axis=-1)", "min_rows": "gc.min({0}, axis=0, keepdims=True)",
    "prod": "gc.prod({0}, axis=-1)", "var": "gc.var({0}, axis=0, correction=0)",
    "argmax": "gc.argmax({0}, axis=-1)", "any": "gc.any({0} > 0.5, axis=0)",
    "logsumexp": "gc.logsumexp({0}, axis=-1)", "softmax": "gc.softmax({0}, axis=-1)",
    "softmax_rows": "gc.softmax({0}, axis=0)",
    "centred": "{0} - gc.mean({0}, axis=-1, keepdims=True)",
    "centred_rows": "{0} - gc.mean({0}, axis=0)",
    "normed": "{0} / gc.sqrt(0.1 + gc.sum({0} * {0}, axis=-1, keepdims=True))",
    # Products
    "gram": "{0} @ gc.transpose({0})", "gram_columns": "gc.transpose({0}) @ {0}",
    "outer": 'gc.einsum("...i,...j->...ij", {0}, {0})', "vector": "{0} @ gc.sum({0}, axis=0)",
    "pool": "gc.max_pool(gc.reshape({0}, (1, 1, -1)), 2, 3)",
    "conv": "gc.conv(gc.reshape({0}, (1, 1, -1)), gc.reshape({0}[:1], (-1, 1, 3)), stride=2, "
    "padding=1)",
    # Order and indices
    "cumsum": "gc.cumsum({0}, axis=-1)", "cumsum_rows": "gc.cumsum({0}, axis=0, reverse=True)",
    "cumprod": "gc.cumprod({0}, axis=-1)", "sorted": "gc.sort({0}, axis=-1)",
    "argmin": "gc.argmin({0}, axis=0)", "ordered": "gc.argsort({0}, axis=0)",
    "taken": "gc.take({0}, gc.constant(np.array([1, 0, 1, -1])), axis=-1)",
    "added": "gc.index_add({0}, gc.constant(np.array([0, 0])), {0}[:2] * 2)",
    "raised": _reduced("+ 1", "amax"),
    "lowered": _reduced("- 1", "amin"),
    "multiplied": _reduced("+ 1", "prod"),
    "updated": "gc.index_update({0}, gc.constant(np.array([1])), {0}[:1] * 2)",
    "along": "gc.take_along_axis({0}, gc.argsort({0}, axis=-1), axis=-1)",
    "scattered": "gc.scatter_add({0}, gc.argmax({0}, axis=-1, keepdims=True), {0}[..., :1], "
    "axis=-1)",
    "recurrence": "gc.recurrence(gc.tanh({0}), {0}, axis=0)",
    # Control flow
    "scan": "gc.scan(lambda c, s: (gc.tanh(c + s), c * s), {0}[0], {0})[1]",
    "carried": "gc.scan(lambda c, s: (c * 0.5 + gc.sum(s), s), {0}[0] * 0.0, {0}, reverse=True)[0]",
    "branch": "gc.cond(gc.sum({0}) > 0.0, lambda: {0} * 2.0, lambda: gc.flip({0}, axis=0))",
    "loop": "gc.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, gc.sin(s[1])), (0, {0}), "
    "max_steps=4)[1]",
    "stop": "gc.stop_gradient({0})", "random": '{0} * FN["uniform"]((6,), key=gc.random_key(1))',
}  # fmt: skip
SIZES = ({"n": 4}, {"n": 7})
Case = tuple[str, str, bool]


def pairs() -> Iterator[Case]:
    """The first operation, the second, whether rows are symbolic."""
    for first, second in itertools.product(RULES, repeat=2):
        yield first, second, False
        yield first, second, True


def paired(case: Case, level: str = "O2") -> Recipe:
    """The recipe of a case; the second operation is left out where it does not fit."""
    first, second, symbolic = case
    rng = np.random.default_rng(0)
    sizes: tuple[dict[str, int], ...] = SIZES if symbolic else ({},)
    values = [rng.standard_normal((s.get("n", 4), 6)).astype(np.float32) for s in sizes]
    x0 = Input("float32", ("n" if symbolic else 4, 6), values[0], others=tuple(values[1:]))
    lines: tuple[tuple[str, str], ...] = ()
    for name, rule in (("v0", RULES[first].format("x0")), ("v1", RULES[second].format("v0"))):
        longer = (*lines, (name, rule))
        if _fits(Recipe({"x0": x0}, longer, (name,), sizes=sizes)):
            lines = longer
        else:
            break
    if not lines:
        lines = (("v0", "x0 * 1.5"),)
    last = lines[-1][0]
    found = Recipe({"x0": x0}, lines, (last,), sizes=sizes, level=level, threads=2)
    if build(found).outputs[0].dtype is not gc.float32:
        return used(found)
    both = (("v8", f"gc.sum({last} * {last})"), ("g0", "gc.grad(v8, [x0])[0]"))
    sloped = found.with_(lines=(*lines, *both), outputs=(last, "g0"))
    return sloped if _fits(sloped) else found


def _fits(recipe: Recipe) -> bool:
    """Whether both readers take it, and agree on what kind of number it gives."""
    try:
        built = build(recipe)
        means = mean(recipe, 0, built)
    except (GraphcError, IndexError, OverflowError, TypeError, ValueError):
        return False
    kinds = [np.dtype(built.values[o].dtype.numpy).kind for o in recipe.outputs]
    return kinds == [np.asarray(means[o]).dtype.kind for o in recipe.outputs]

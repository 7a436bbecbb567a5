"""All sums of up to three loss terms out of thirty, with their gradients, as recipes.

x: f32[4, 3]   w: f32[3, 5]   b: f32[5]   y: f32[4, 5]   t: i64[4]   h = x @ w + b
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np

from .recipe import Input, Recipe, used

SHAPES = {"x": (4, 3), "w": (3, 5), "b": (5,), "y": (4, 5)}
NAMES = {"x": "x0", "w": "x1", "b": "x2", "y": "x3", "t": "x4", "h": "v0"}

TERMS = {
    "mse": "gc.mean(gc.square(h - y))",
    "cross_entropy": "gc.cross_entropy(h, t)",
    "softmax_entropy": "gc.sum(gc.softmax(h, axis=1) * gc.log_softmax(h, axis=1))",
    "logsumexp_rows": "gc.sum(gc.logsumexp(h, axis=1))",
    "logsumexp_columns": "gc.mean(gc.logsumexp(h, axis=0))",
    "logsumexp_bias": "gc.sum(gc.logsumexp(x[:, :1] + b, axis=1))",
    "centred_rows": "gc.sum(gc.square(x - gc.mean(x, axis=1, keepdims=True)))",
    "centred_columns": "gc.sum(gc.square(h - gc.mean(h, axis=0)))",
    "variance": "gc.var(h, correction=0)",
    "row_variance": "gc.sum(gc.var(x, axis=1, correction=0))",
    "column_variance": "gc.mean(gc.var(h, axis=0, correction=0))",
    "l1_weight": "gc.sum(gc.absolute(w))",
    "l2_weight": "0.5 * gc.sum(gc.square(w))",
    "l2_bias": "gc.sum(b * b)",
    "sum_bias": "gc.sum(b)",
    "first_row": "gc.sum(x[0])",
    "last_column": "gc.mean(h[:, -1])",
    "total_variation": "gc.sum(gc.absolute(h[1:] - h[:-1]))",
    "row_variation": "gc.mean(gc.square(x[:, 1:] - x[:, :-1]))",
    "quotient": "gc.sum(gc.exp(x)) / gc.sum(1.0 + gc.square(x))",
    "row_quotient": "gc.sum(gc.sum(h * y, axis=1) / gc.sum(1.0 + h * h, axis=1))",
    "kl": "gc.sum(gc.softmax(y, axis=1) * (gc.log_softmax(y, axis=1) - gc.log_softmax(h, axis=1)))",
    "huber": "gc.sum(gc.sqrt(1.0 + gc.square(h - y)) - 1.0)",
    "cosine": "gc.mean(gc.sum(h * y, axis=1)"
    " / gc.sqrt(gc.sum(h * h, axis=1) * gc.sum(y * y, axis=1)))",
    "row_norms": "gc.sum(gc.sqrt(1e-3 + gc.sum(h * h, axis=1)))",
    "column_norms": "gc.sum(gc.sqrt(1e-3 + gc.sum(w * w, axis=0)))",
    "largest": "gc.max(h)",
    "row_maxima": "gc.sum(gc.max(h, axis=1))",
    "distances": "gc.mean(gc.square(x[:, None, :] - x[None, :, :]))",
    "hinge": "gc.mean(gc.maximum(1.0 - h * y, 0.0))",
}
ALL = tuple(TERMS)


def combinations(counts: Sequence[int] = (1, 2, 3)) -> list[tuple[str, ...]]:
    """All sums of so many different terms."""
    return [c for count in counts for c in itertools.combinations(ALL, count)]


def loss(terms: Sequence[str], level: str = "O2") -> Recipe:
    """The sum of some terms, and its gradient in every operand that it uses."""
    rng = np.random.default_rng(0)
    inputs = {
        NAMES[k]: Input("float32", shape, rng.standard_normal(shape).astype(np.float32))
        for k, shape in SHAPES.items()
    }
    inputs["x4"] = Input("int64", (4,), rng.integers(0, 5, 4))
    texts = [re.sub(r"\b[xwbyth]\b", lambda m: NAMES[m[0]], TERMS[name]) for name in terms]
    lines = [("v0", "x0 @ x1 + x2"), ("v1", " + ".join(texts))]
    recipe = used(Recipe(inputs, tuple(lines), ("v1",), level=level))
    wanted = [k for k in recipe.inputs if k != "x4"]
    names = ", ".join(f"g{k}" for k in range(len(wanted)))
    text = f"gc.grad(v1, [{', '.join(wanted)}])" + "[0]" * (len(wanted) == 1)
    return recipe.with_(lines=(*recipe.lines, (names, text)), outputs=("v1", *names.split(", ")))

"""All chains of up to three views in front of each contraction, and of its gradients."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from .recipe import Input, Recipe, build, used

VIEWS = {
    "transposed": "gc.swapaxes({0}, -1, -2)",
    "flipped": "gc.flip({0}, axis=-1)",
    "backwards": "{0}[..., ::-1, :]",
    "cut": "{0}[..., 1:, :]",
    "stepped": "{0}[..., ::2]",
    "broadcast": "gc.broadcast_to({0}[..., :1], {0}.shape)",
    "reshaped": "gc.reshape({0}, (*{0}.shape[:-2], {0}.shape[-1], {0}.shape[-2]))",
    "padded": "gc.pad({0}, [*[(0, 0)] * ({0}.ndim - 1), (1, 0)])",
    "doubled": "gc.concat([{0}, {0}], axis=-2)",
    "rolled": "gc.roll({0}, 1, axis=-1)",
    "scaled": "{0} * 0.5",
    "literal": "gc.full_like({0}, 0.5)",
}
# What is viewed, the operand beside it (its size -1 fits what is viewed), the product.
CONTRACTIONS = {
    "left": ((4, 6), lambda s: (s[1], 3), "{0} @ {1}"),
    "right": ((4, 6), lambda s: (3, s[0]), "{1} @ {0}"),
    "vector": ((4, 6), lambda s: (s[1],), "{0} @ {1}"),
    "batched": ((2, 4, 6), lambda s: (2, s[2], 3), "{0} @ {1}"),
    "einsum": ((4, 6), lambda s: (3, s[0]), 'gc.einsum("ij,ki->jk", {0}, {1})'),
    "outer": ((4, 6), lambda s: (3, s[1]), 'gc.einsum("ij,kj->ik", {0}, {1})'),
    "conv1d": ((2, 4, 6), lambda s: (3, s[1], 2), "gc.conv({0}, {1}, padding=1)"),
    "weight1d": ((2, 4, 6), lambda s: (2, s[1], s[2] + 2), "gc.conv({1}, {0})"),
    "conv2d": ((1, 2, 4, 6), lambda s: (3, 2, 2, 2), "gc.conv({0}, {1}, stride=2, padding=1)"),
}


def chains(most: int = 3) -> Iterator[tuple[str, ...]]:
    """The contraction and the views in front of it, first applied first."""
    for name in CONTRACTIONS:
        for count in range(1, most + 1):
            for views in itertools.product(VIEWS, repeat=count):
                if "literal" not in views[1:]:
                    yield (name, *views)


def viewed(case: tuple[str, ...], level: str = "O2") -> Recipe:
    """The recipe of a case: the product, and the gradients of its squares' sum."""
    shape, beside, product = CONTRACTIONS[case[0]]
    rng = np.random.default_rng(0)
    x0 = Input("float32", shape, rng.standard_normal(shape).astype(np.float32))
    lines: list[tuple[str, str]] = []
    last = "x0"
    for k, name in enumerate(case[1:]):
        lines.append((f"v{k}", VIEWS[name].format(last)))
        last = f"v{k}"
    half = Recipe({"x0": x0}, tuple(lines), (last,), level=level)
    other = beside(build(half).outputs[0].shape)
    x1 = Input("float32", other, rng.standard_normal(other).astype(np.float32))
    lines += [("v8", product.format(last, "x1")), ("v9", "gc.sum(v8 * v8)")]
    if "literal" in case:
        outputs, lines = ("v8", "g0"), [*lines, ("g0", "gc.grad(v9, [x1])[0]")]
    else:
        outputs, lines = ("v8", "g0", "g1"), [*lines, ("g0, g1", "gc.grad(v9, [x0, x1])")]  # type: ignore[assignment]
    return used(Recipe({"x0": x0, "x1": x1}, tuple(lines), outputs, level=level))

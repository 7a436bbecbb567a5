"""One recipe for each function of linear algebra, on a symbolic batch, with its gradient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .recipe import Input, Recipe

# Of what is any basis the squares, which signs do not change.
LINES = (
    "gc.linalg.inv(x0)", "gc.linalg.solve(x0, x0[:, :, :2] * 0.5)", "gc.linalg.det(x0 * 0.25)",
    "gc.linalg.cholesky(x0 @ gc.swapaxes(x0, -1, -2))", "gc.linalg.qr(x0)[0]",
    "gc.linalg.lu(x0)[1]", "gc.linalg.lu(x0)[2]", "gc.linalg.svdvals(x0[:, :3])",
    "gc.square(gc.linalg.svd(x0[:, :, :3])[0][:, :, 3:])", "gc.linalg.pinv(x0[:, :, :3])",
    "gc.square(gc.linalg.eigh(x0 + gc.swapaxes(x0, -1, -2))[1])",
    "gc.linalg.matrix_exp(x0 * 0.125)", "gc.linalg.solve_triangular(x0, x0[:, :, :2], upper=True)",
)  # fmt: skip
WITHOUT = (
    "gc.linalg.lu(x0)[0]", 'gc.square(gc.linalg.qr(x0[:, :, :3], "complete")[0][:, :, 3:])',
    "gc.matmul_integer(gc.cast(x0 * 14.0, gc.int8), gc.cast(gc.abs(x0) * 28.0, gc.uint8), 3, 7)",
)  # fmt: skip


def matrices() -> Iterator[Recipe]:
    """The recipes; their matrices have distinct singular values, none of them near 0."""
    rng = np.random.default_rng(3)
    sizes = ({"n": 3}, {"n": 1})
    steps = np.diag([3.0, 4.5, 6.0, 8.0])
    values = [(rng.uniform(-1, 1, (s["n"], 4, 4)) + steps).astype(np.float32) for s in sizes]
    inputs = {"x0": Input("float32", ("n", 4, 4), values[0], others=(values[1],))}
    for text in (*LINES, *WITHOUT):
        lines, outputs = [("v0", text), ("v1", "gc.sum(v0, axis=0)")], ["v0", "v1"]
        if text in LINES:
            lines += [("v2", "gc.sum(gc.sin(v0))"), ("g0", "gc.grad(v2, [x0])[0]")]
            outputs.append("g0")
        yield Recipe(inputs, tuple(lines), tuple(outputs), sizes=sizes, threads=2)

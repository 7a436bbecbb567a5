"""Results over different axes in one program: each is written whole, whatever shares its loops."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.ir import Node, toposort

LEVELS = ("O0", "O1", "O2", "O3")
RNG = np.random.default_rng(5)
X, W, B = (RNG.standard_normal(s).astype("f") for s in ((6, 5), (5, 4), (5,)))
x, w, b = gc.input("x", (6, 5)), gc.input("w", (5, 4)), gc.input("b", (5,))


def _logsumexp(a: np.ndarray) -> np.ndarray:
    top = a.max(1)
    return top + np.log(np.exp(a - top[:, None]).sum(1))


PROGRAMS: dict[str, tuple[Any, Any]] = {
    "a centred loss and a row": (
        lambda: gc.sum((x - gc.mean(x, 1, keepdims=True)) ** 2) + gc.sum(x[0]),
        lambda x, w, b: ((x - x.mean(1, keepdims=True)) ** 2).sum() + x[0].sum(),
    ),
    "a centred loss and the squares of weights": (
        lambda: gc.sum((x - gc.mean(x, 1, keepdims=True)) ** 2) + gc.sum(w * w),
        lambda x, w, b: ((x - x.mean(1, keepdims=True)) ** 2).sum() + (w * w).sum(),
    ),
    "a softmax loss and total variation": (
        lambda: gc.sum(gc.softmax(x, 1) * x) + gc.sum(gc.abs(x[1:] - x[:-1])),
        lambda x, w, b: (
            (np.exp(x - _logsumexp(x)[:, None]) * x).sum() + np.abs(x[1:] - x[:-1]).sum()
        ),
    ),
    "logsumexp with a bias and the bias": (
        lambda: gc.sum(gc.logsumexp(x + b, axis=1)) + gc.sum(b),
        lambda x, w, b: _logsumexp(x + b).sum() + b.sum(),
    ),
    "a column's variance plus the column": (
        lambda: gc.var(x, 0, correction=0) + x[:, 0].sum() + b,
        lambda x, w, b: x.var(0) + x[:, 0].sum() + b,
    ),
    "a quotient of sums": (
        lambda: gc.sum(gc.logsumexp(x, axis=1)) / gc.sum(gc.exp(b)),
        lambda x, w, b: _logsumexp(x).sum() / np.exp(b).sum(),
    ),
    "one number that all rows need": (
        lambda: gc.max(x * gc.sum(w * w), 1) + gc.sum(b),
        lambda x, w, b: (x * (w * w).sum()).max(1) + b.sum(),
    ),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_sums_over_unlike_axes_are_those_of_numpy(name: str, level: str) -> None:
    build, reference = PROGRAMS[name]
    output = build()
    used = [i for i in (x, w, b) if i in toposort((output,))]
    values = [dict(zip((x, w, b), (X, W, B)))[i] for i in used]
    program = gc.compile(used, output, level=level)
    wanted = reference(*(a.astype("d") for a in (X, W, B)))
    for _ in range(3):
        np.testing.assert_allclose(program(*values), wanted, rtol=2e-5)


AXES = [a for n in range(1, 4) for a in itertools.combinations(range(3), n)]


@pytest.mark.parametrize("first", AXES)
@pytest.mark.parametrize("second", AXES)
def test_any_two_reductions_of_one_tensor_share_a_program(
    first: tuple[int, ...], second: tuple[int, ...]
) -> None:
    data = RNG.standard_normal((2, 3, 4)).astype("f")
    y = gc.input("y", data.shape)
    program = gc.compile([y], [gc.sum(y * y, first), gc.max(y, second)], level="O2")
    found = program(data)
    np.testing.assert_allclose(found[0], (data * data).sum(first), rtol=1e-6)
    np.testing.assert_array_equal(found[1], data.max(second))


def test_what_follows_from_rows_may_collect_over_rows_of_its_own() -> None:
    """The second sum has 5 elements, few enough to share the first one's kernel."""
    n = gc.dim("n")
    rows = gc.input("rows", (n, 5))
    output = gc.sum(gc.logsumexp(rows, axis=1)) + gc.sum(gc.exp(b))
    program = gc.compile([rows, b], output)
    wanted = _logsumexp(X.astype("d")).sum() + np.exp(B.astype("d")).sum()
    np.testing.assert_allclose(program(X, B), wanted, rtol=1e-6)
    np.testing.assert_allclose(program(X[:0], B), np.exp(B).sum(), rtol=1e-6)


def test_gradients_of_a_bias_and_a_table_come_in_either_order() -> None:
    data = RNG.standard_normal((4, 5, 6)).astype("f")
    y = gc.input("y", data.shape)
    table, bias = gc.input("table", (5, 6)), gc.input("bias", (6,))
    hidden = gc.tanh(y + table + bias)
    values = [data, np.zeros((5, 6), "f"), np.zeros(6, "f")]
    slope = 2 * np.tanh(data) * (1 - np.tanh(data) ** 2)
    wanted: dict[Node, np.ndarray] = {table: slope.sum(0), bias: slope.sum((0, 1))}
    for order in ([table, bias], [bias, table]):
        program = gc.compile([y, table, bias], list(gc.grad(gc.sum(hidden * hidden), order)))
        for node, found in zip(order, program(*values)):
            np.testing.assert_allclose(found, wanted[node], rtol=1e-4, atol=1e-5)


def test_a_sum_that_every_row_needs_is_not_computed_row_by_row() -> None:
    """A large one is a kernel of its own; `explain` says so."""
    rows, other = gc.input("rows", (64, 32)), gc.input("other", (100, 100))
    output = gc.sum(gc.logsumexp(rows, axis=1)) + gc.sum(other * other)
    program = gc.compile([rows, other], output)
    assert "several rows would compute a reduction of 10000 elements again" in program.explain()

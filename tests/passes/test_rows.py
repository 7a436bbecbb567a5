"""Updates of parameters whose gradient names rows: the rows alone, and the same to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.nn import functional as F

ROWS, COLUMNS = 5000, 8
INDEX = np.array([[7, 4999, 7], [0, 7, 12]])


def _sgd(w: Any, s: Any, g: Any, lr: Any) -> dict[Any, Any]:
    return {w: w - lr * g}


def _adagrad(w: Any, s: Any, g: Any, lr: Any) -> dict[Any, Any]:
    total = s + g * g
    return {w: w - lr * g / (gc.sqrt(total) + 1e-6), s: total}


LOSSES: dict[str, Callable[..., Any]] = {
    "embedding": lambda w, i, x: gc.sum((F.embedding(i, w) - x) ** 2.0),
    "brackets": lambda w, i, x: gc.sum((w[i] - x) ** 2.0),
    "padding": lambda w, i, x: gc.sum((F.embedding(i, w, padding_idx=7) - x) ** 2.0),
    "by frequency": lambda w, i, x: gc.sum(
        (F.embedding(i, w, scale_grad_by_freq=True) - x) ** 2.0),
    "two lookups": lambda w, i, x: gc.sum((w[i] - x) ** 2.0) + gc.sum(gc.sin(w[i[0]]) * x[1]),
    "bags": lambda w, i, x: gc.sum(F.embedding_bag(i, w) ** 2.0 * x[:, 0]),
}  # fmt: skip
# Those of rows alone, and those that change all.
UPDATES: dict[str, Callable[..., Any]] = {
    "sgd": _sgd,
    "ascent": lambda w, s, g, lr: {w: w + g},
    "by a literal": lambda w, s, g, lr: {w: w - 0.25 * g},
    "clipped": lambda w, s, g, lr: {w: w - g / 4.0 * lr},
    "adagrad": _adagrad,
}
WHOLE: dict[str, Callable[..., Any]] = {
    "weight decay": lambda w, s, g, lr: {w: w - lr * (g + 0.1 * w)},
    "momentum": lambda w, s, g, lr: {w: w - lr * (0.9 * s + g), s: 0.9 * s + g},
    "scaled by its norm": lambda w, s, g, lr: {w: w - lr * g / (1.0 + gc.sum(g * g))},
    "a factor of each row": lambda w, s, g, lr: {w: w - s * g},
    "no eps": lambda w, s, g, lr: {w: w - g / gc.sqrt(s + g * g)},
    "an infinite factor": lambda w, s, g, lr: {w: w - float("inf") * g},
    "a number added": lambda w, s, g, lr: {w: w - (lr * g + 0.5)},
    "exp": lambda w, s, g, lr: {w: w - gc.exp(g)},
}


def _step(loss: str, update: Callable[..., Any], level: str, dtype: Any) -> Any:
    rng = np.random.default_rng(0)
    values = (np.abs(rng.standard_normal((ROWS, COLUMNS))).astype(dtype) for _ in range(2))
    w, s = (gc.parameter(n, v) for n, v in zip("ws", values))
    i, x = gc.input("i", (2, 3), gc.int64), gc.input("x", (2, 3, COLUMNS), w.dtype)
    lr = gc.input("lr", (), w.dtype)
    g = gc.grad(LOSSES[loss](w, i, x), w)
    outputs = [gc.sum(x) * lr]
    program = gc.compile([i, x, lr], outputs, updates=update(w, s, g, lr), level=level)
    return program, w, s


def _run(program: Any, dtype: Any) -> None:
    rng = np.random.default_rng(1)
    for _ in range(3):
        program(INDEX, rng.standard_normal((2, 3, COLUMNS)).astype(dtype), np.asarray(0.1, dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("loss", LOSSES)
def test_rows_are_updated_as_the_whole_would_be(loss: str, update: str, dtype: Any) -> None:
    programs = [_step(loss, UPDATES[update], level, dtype) for level in ("O1", "O2")]
    for program, *_ in programs:
        _run(program, dtype)
    (whole, w1, s1), (rows, w2, s2) = programs
    np.testing.assert_array_equal(w1.value, w2.value)
    np.testing.assert_array_equal(s1.value, s2.value)
    assert rows.memory()[0] < w1.value.nbytes < whole.memory()[0]


@pytest.mark.parametrize("update", WHOLE)
def test_updates_that_change_every_row_change_every_row(update: str) -> None:
    programs = [_step("embedding", WHOLE[update], level, np.float32) for level in ("O1", "O2")]
    for program, *_ in programs:
        _run(program, np.float32)
    (_, w1, s1), (_, w2, s2) = programs
    np.testing.assert_allclose(w1.value, w2.value, rtol=1e-6)
    np.testing.assert_allclose(s1.value, s2.value, rtol=1e-6)


def test_a_step_of_sgd_and_of_adagrad_is_numpys() -> None:
    rng = np.random.default_rng(2)
    table, total = rng.standard_normal((ROWS, COLUMNS)), np.full((ROWS, COLUMNS), 0.5)
    x = rng.standard_normal((2, 3, COLUMNS))
    grad = np.zeros_like(table)
    np.add.at(grad, INDEX, 2 * (table[INDEX] - x))
    for update, wanted in (
        (_sgd, table - 0.1 * grad),
        (_adagrad, table - 0.1 * grad / (np.sqrt(total + grad**2) + 1e-6)),
    ):
        w, s = gc.parameter("w", table), gc.parameter("s", total)
        i, t = gc.input("i", (2, 3), gc.int64), gc.input("t", (2, 3, COLUMNS), gc.float64)
        g = gc.grad(LOSSES["embedding"](w, i, t), w)
        gc.compile([i, t], None, updates=update(w, s, g, 0.1))(INDEX, x)
        np.testing.assert_allclose(w.value, wanted, rtol=1e-12)


def test_symbolic_numbers_of_indices_down_to_none() -> None:
    n = gc.dim("n")
    table = np.random.default_rng(3).standard_normal((ROWS, COLUMNS))
    w = gc.parameter("w", table)
    i, x = gc.input("i", (n,), gc.int64), gc.input("x", (n, COLUMNS), gc.float64)
    g = gc.grad(gc.sum(w[i] * x), w)
    step = gc.compile([i, x], None, updates={w: w - 0.5 * g})
    for count in (4, 0, 1, 300):
        rng = np.random.default_rng(count)
        places, values = rng.integers(-9, 9, count), rng.standard_normal((count, COLUMNS))
        step(places, values)
        grad = np.zeros_like(table)
        np.add.at(grad, places, values)
        table = table - 0.5 * grad
        np.testing.assert_allclose(w.value, table, rtol=1e-12)


def test_a_gradient_that_is_shown_is_computed_once() -> None:
    w = gc.parameter("w", np.ones((ROWS, COLUMNS), np.float32))
    i = gc.input("i", (4,), gc.int64)
    g = gc.grad(gc.sum(w[i] ** 2.0), w)
    program = gc.compile([i], g, updates={w: w - 0.5 * g})
    assert [n.op.name for n in program.graph.nodes].count("index_add") == 1
    shown = program([1, 1, 2, 3])
    np.testing.assert_array_equal(shown[:5, 0], [0, 4, 2, 2, 0])
    np.testing.assert_array_equal(w.value, 1 - 0.5 * shown)

"""Views and literals in front of contractions: products read what somebody wrote."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lowering import run_lowered

import graphc as gc
from graphc.core.interpret import run
from graphc.core.ir import Graph, Node
from graphc.core.operators import FUNCTIONS
from graphc.passes.pipeline import optimize

LEVELS = ("O0", "O1", "O2", "O3")
RNG = np.random.default_rng(3)

# Each gives (4, 4) from (4, 4), with what it means in NumPy.
VIEWS: dict[str, tuple[Callable[[Any], Any], Callable[[np.ndarray], np.ndarray]]] = {
    "transpose": (lambda a: a.T, lambda a: a.T),
    "flip": (lambda a: gc.flip(a, 0), lambda a: a[::-1]),
    "cut": (lambda a: gc.concat([a, a], 1)[:, 2:6], lambda a: np.concatenate([a, a], 1)[:, 2:6]),
    "every other": (lambda a: gc.concat([a, a], 0)[::2], lambda a: np.concatenate([a, a])[::2]),
    "halves swapped": (
        lambda a: gc.concat([a[2:], a[:2]], 0),
        lambda a: np.concatenate([a[2:], a[:2]]),
    ),
    "reshape": (
        lambda a: gc.reshape(gc.reshape(a, (2, 8)).T, (4, 4)),
        lambda a: a.reshape(2, 8).T.reshape(4, 4),
    ),
    "a row for all": (
        lambda a: gc.broadcast_to(a[1:2], (4, 4)),
        lambda a: np.broadcast_to(a[1:2], (4, 4)),
    ),
    "a column for all": (
        lambda a: gc.broadcast_to(a[:, :1], (4, 4)),
        lambda a: np.broadcast_to(a[:, :1], (4, 4)),
    ),
    "sums": (
        lambda a: gc.broadcast_to(gc.sum(a, 0, keepdims=True), (4, 4)),
        lambda a: np.broadcast_to(a.sum(0, keepdims=True), (4, 4)),
    ),
}
LITERALS: dict[str, tuple[Callable[[], Node], np.ndarray]] = {
    "full": (lambda: FUNCTIONS["full"]((4, 4), 0.5, gc.float32), np.full((4, 4), 0.5)),
    "iota": (
        lambda: gc.cast(FUNCTIONS["iota"]((4, 4), 1, gc.int32), gc.float32),
        np.broadcast_to(np.arange(4.0), (4, 4)),
    ),
    "a number computed from numbers": (
        lambda: gc.broadcast_to(gc.exp(FUNCTIONS["full"]((), 1.0, gc.float32)) + 1.0, (4, 4)),
        np.full((4, 4), np.e + 1),
    ),
}


def check(inputs: list[Node], output: Node, arrays: list[np.ndarray], wanted: np.ndarray) -> None:
    """A program of every level, its kernels run as Python over memory nobody wrote."""
    graph = Graph.of("g", inputs, [output])
    np.testing.assert_allclose(run(graph, arrays)[0], wanted, rtol=1e-5, atol=1e-5)
    for level in LEVELS:
        final, _ = optimize(graph, level)
        (found,), _ = run_lowered(final, arrays)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5, err_msg=level)


@pytest.mark.parametrize("chain", list(itertools.product(VIEWS, VIEWS)), ids="-".join)
@pytest.mark.parametrize("side", ("left", "right"))
def test_a_product_of_any_view_is_that_of_numpy(chain: tuple[str, str], side: str) -> None:
    data, other = (RNG.standard_normal((4, 4)).astype("f") for _ in range(2))
    x, y = gc.input("x", (4, 4)), gc.input("y", (4, 4))
    view, wanted = x, data.astype("d")
    for name in chain:
        view, wanted = VIEWS[name][0](view), VIEWS[name][1](wanted)
    output = view @ y if side == "left" else y @ view
    check([x, y], output, [data, other], wanted @ other if side == "left" else other @ wanted)


@pytest.mark.parametrize("view", ("none", *VIEWS))
@pytest.mark.parametrize("literal", LITERALS)
def test_a_product_with_a_literal_behind_a_view_is_that_of_numpy(literal: str, view: str) -> None:
    data = RNG.standard_normal((4, 4)).astype("f")
    x = gc.input("x", (4, 4))
    build, value = LITERALS[literal]
    right, wanted = build(), value
    if view != "none":
        right, wanted = VIEWS[view][0](right), VIEWS[view][1](wanted)
    check([x], x @ right, [data], data @ wanted)
    check([x], (x @ right).T, [data], (data @ wanted).T)


def test_the_gradient_of_a_sum_of_a_linear_layer_reads_only_what_was_written() -> None:
    data = RNG.standard_normal((5, 4)).astype("f")
    x, w = gc.input("x", (5, 4)), gc.input("w", (3, 4))
    (slope,) = gc.grad(gc.sum(x @ w.T), [w])
    check([x], slope, [data], np.tile(data.astype("d").sum(0), (3, 1)))

"""Places of extremes along long rows are found in lanes: `passes.positions`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.ir import Graph
from graphc.passes.positions import positions

DTYPES = ("float32", "float64", "float16", "int32", "uint8", "int64", "bool")


def _rows(dtype: str, what: str) -> np.ndarray:
    """Rows with ties, and of floats nan, infinities or zeros of both signs."""
    rng = np.random.default_rng(len(what))
    whole = rng.integers(0, 9, (5, 70))
    if what == "nan":
        return np.where(rng.random((5, 70)) < 0.02, np.nan, whole).astype(dtype)
    if what == "infinite":
        return np.where(np.arange(5)[:, None] < 3, -np.inf, whole).astype(dtype)
    if what == "zeros":
        return np.where(rng.random((5, 70)) < 0.5, 0.0, -0.0).astype(dtype)
    return whole.astype(dtype)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_places_are_numpys(name: str, dtype: str) -> None:
    x = gc.input("x", (gc.dim("n"), 70), dtype)
    program = gc.compile([x], getattr(gc, name)(x, 1))
    kinds = ("ties", "nan", "infinite", "zeros") if "float" in dtype else ("ties",)
    for rows in [*(_rows(dtype, what) for what in kinds), np.zeros((0, 70), dtype)]:
        found = program(rows)
        np.testing.assert_array_equal(found, getattr(rows, name)(1))
        assert found.dtype == np.int64


def test_only_long_rows_are_looked_through_twice() -> None:
    x, short = gc.input("x", (3, 70)), gc.input("short", (70, 63))
    graph = Graph.of("g", [x], [gc.argmax(x, 1)])
    assert not any(node.op.name == "argmax" for node in positions(graph).nodes)
    assert _stay(gc.argmax(x, 0), gc.argmax(short, 1))


def test_rows_that_loops_would_compute_anew_with_other_roundings_are_not() -> None:
    """Sums add in any order, narrow floats are rounded where they are stored: what is equal the
    first time need not be the second."""
    x, narrow = gc.input("x", (3, 70, 5)), gc.input("narrow", (3, 70), "float16")
    sums, rounded = gc.sum(x * x, 2), gc.exp(narrow)
    assert _stay(gc.argmin(sums, 1), gc.argmax(sums + 1, 1), gc.argmax(rounded, 1))
    assert _stay(gc.argmax(gc.cast(rounded, gc.float32) * 2, 1))
    graph = Graph.of("g", [narrow], [gc.argmax(narrow, 1)])
    assert positions(graph) is not graph


def _stay(*outputs: Any) -> bool:
    graph = Graph.of("g", [], outputs)
    return positions(graph) is graph

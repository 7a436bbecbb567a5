"""Casts of casts: what simplification makes of them is what two casts by NumPy give."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lowering import run_lowered

import graphc as gc
from graphc.core import dtypes
from graphc.core.dtypes import DType
from graphc.core.interpret import run
from graphc.core.ir import OPS, Graph, Node
from graphc.passes import pipeline

WHOLE = sorted({s * (2**k) + d for k in range(65) for s in (-1, 1) for d in (-1, 0, 1)})
# 1 + 2**-11 is a tie between two float16; float32 hides what lies beside it.
TIES = [1 + 2**-11 + 2**-30, 1 + 2**-11 - 2**-30, 1 + 2**-11, 1 + 3 * 2**-11, 2049.0000001]
FLOATS = [0.0, -0.0, 1.0, -1.5, 0.1, 2.9, -2.9, 1e-5, 65504.0, 65520.0, np.inf, -np.inf, np.nan]


def _edges(dtype: DType) -> np.ndarray:
    if dtype.kind == "bool":
        return np.array([False, True])
    if dtype.is_float:
        info = dtype.finfo
        ends = [float(info.max), float(info.tiny), float(info.smallest_subnormal)]
        with np.errstate(over="ignore"):
            return np.array([*FLOATS, *TIES, *ends, *map(float, WHOLE)]).astype(dtype.numpy)
    limits = np.iinfo(dtype.numpy)
    return np.array([v for v in WHOLE if limits.min <= v <= limits.max], dtype.numpy)


def _cast(x: np.ndarray, dtype: DType) -> np.ndarray:
    """NumPy's cast, of floats to integers by Python's own numbers."""
    with np.errstate(all="ignore"):
        if not dtypes.is_float(x.dtype) or not dtype.is_integer:
            return x.astype(dtype.numpy)
    whole = [_whole(float(v), dtype) % 2 ** (8 * dtype.itemsize) for v in x]
    return np.array(whole, np.uint64).astype(dtype.numpy)


def _whole(value: float, dtype: DType) -> int:
    """A float cut; what neither int64 nor the dtype holds is int64's least."""
    last = 2**64 if dtype is dtypes.uint64 else 2**63
    found = int(value) if math.isfinite(value) else -(2**63)
    return found if -(2**63) <= found < last else -(2**63)


def _fits(x: np.ndarray, dtype: DType) -> np.ndarray:
    """Where an integer dtype holds the whole part of a float."""
    if not dtypes.is_float(x.dtype) or not dtype.is_integer:
        return np.ones(x.shape, bool)
    limits, whole = np.iinfo(dtype.numpy), np.trunc(x.astype(np.float64))
    return (whole >= float(limits.min)) & (whole < float(int(limits.max) + 1))


def _casts(x: Any, *path: DType) -> Any:
    for dtype in path:
        x = OPS["cast"](x, dtype=dtype, overflow="wrap")
    return x


def _check(x: np.ndarray, path: tuple[DType, ...], found: np.ndarray) -> None:
    wanted = x
    for dtype in path:
        wanted = _cast(wanted, dtype)
    assert found.dtype == wanted.dtype
    found, wanted = (dtypes.widened(a) for a in (found, wanted))
    np.testing.assert_array_equal(found, wanted, str((x.dtype, path)))
    if dtypes.is_float(wanted.dtype):
        number = ~np.isnan(wanted)
        np.testing.assert_array_equal(np.signbit(found[number]), np.signbit(wanted[number]))


def _graph(source: DType, paths: list[tuple[DType, ...]]) -> tuple[Node, list[Node]]:
    x = gc.input("x", (gc.dim("n"),), source)
    return x, [_casts(x, *path) for path in paths]


@pytest.mark.parametrize("source", dtypes.ALL, ids=str)
def test_no_cast_between_two_is_dropped_that_changes_a_value(source: DType) -> None:
    values = _edges(source)
    for path in itertools.product(dtypes.ALL, repeat=2):
        x, outputs = _graph(source, [path])
        final, _ = pipeline.optimize(Graph.of("casts", [x], outputs), "O1", observers=())
        with np.errstate(all="ignore"):
            _check(values, path, run(final, [values])[0])


WIDE = tuple(
    map(dtypes.as_dtype, ("int64", "uint64", "int8", "bfloat16", "float16", "float32", "float64"))
)


@pytest.mark.parametrize("source", ["int64", "uint64", "bfloat16", "float16", "float32", "float64"])
def test_compiled_casts_round_as_often_as_they_say(source: str) -> None:
    dtype = dtypes.as_dtype(source)
    paths = list(itertools.product(WIDE, repeat=2))
    x, outputs = _graph(dtype, paths)
    values = _edges(dtype)
    for path, found in zip(paths, gc.compile([x], outputs)(values), strict=True):
        _check(values, path, found)


INTEGERS = [dtype for dtype in dtypes.ALL if dtype.is_integer]
# What LLVM could draw conclusions from if it took a cast for one that fits.
ASKED: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "itself": (lambda v: v, lambda v: v),
    "bits": (gc.bitwise_count, np.bitwise_count),
    "negative": (lambda v: v < 0, lambda v: v < 0),
    "float": (lambda v: gc.cast(v, gc.float64), lambda v: v.astype(np.float64)),
    "even": (lambda v: v % 2, lambda v: v % 2),
    "int64": (lambda v: gc.cast(v, gc.int64, "wrap"), lambda v: v.astype(np.int64)),
}


def _asked(x: Any) -> list[Any]:
    whole = [gc.cast(x, dtype, overflow="wrap") for dtype in INTEGERS]
    return [ask(v) for ask, _ in ASKED.values() for v in whole]


@pytest.mark.parametrize("source", ["bfloat16", "float16", "float32", "float64"])
def test_casts_of_floats_are_the_same_in_every_way(source: str) -> None:
    values = _edges(dtypes.as_dtype(source))
    wanted = [means(_cast(values, dtype)) for _, means in ASKED.values() for dtype in INTEGERS]
    x = gc.input("x", (gc.dim("n"),), source)
    outputs = _asked(x)
    graph = Graph.of("casts", [x], outputs)
    sizes = {"n": len(values)}
    ways = {
        "interpreted": run(graph, [values]),
        "simulated": run_lowered(graph, [values], sizes)[0],
        "O0": gc.compile([x], outputs, level="O0")(values),
        "O2": gc.compile([x], outputs, level="O2")(values),
        "eager": [t.numpy() for t in _asked(gc.tensor(values))],
        "jit": [t.numpy() for t in gc.jit.compile(_asked)(gc.tensor(values))],
    }
    for way, found in ways.items():
        for k, (own, exact) in enumerate(zip(found, wanted, strict=True)):
            case = way, list(ASKED)[k // len(INTEGERS)], INTEGERS[k % len(INTEGERS)]
            np.testing.assert_array_equal(own, exact, str(case))
    # Beside each other the casts share what LLVM finds out; alone they are another kernel.
    for k, dtype in enumerate(INTEGERS):
        alone = gc.compile([x], gc.bitwise_count(gc.cast(x, dtype, overflow="wrap")))
        np.testing.assert_array_equal(alone(values), wanted[len(INTEGERS) + k], str(dtype))


@pytest.mark.parametrize("source", dtypes.ALL, ids=str)
def test_a_dtype_holds_another_where_all_edges_come_back(source: DType) -> None:
    values = _edges(source)
    for dtype in dtypes.ALL:
        there = _cast(values, dtype)
        back = _cast(there, source)
        fits, also = _fits(values, dtype), _fits(there, source)
        same = (back == values) | (np.isnan(values) if source.is_float else False)
        if source.is_float and not dtype.is_float:
            same = np.zeros(values.shape, bool)
        # A wrapped integer comes back, but is another number on its way.
        with np.errstate(all="ignore"):
            same = same & fits & also & ((there < 0) == (values < 0))
        assert dtypes.holds(dtype, source) == bool(same.all()), (source, dtype)

"""Casts of casts: what simplification makes of them is what two casts by NumPy give."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

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


def _cast(x: np.ndarray, dtype: DType) -> tuple[np.ndarray, np.ndarray]:
    """NumPy's cast, and where it is defined: not of a float that the integer cannot hold."""
    defined = np.ones(x.shape, bool)
    if dtypes.is_float(x.dtype) and dtype.is_integer:
        limits, whole = np.iinfo(dtype.numpy), np.trunc(x.astype(np.float64))
        defined = (whole >= float(limits.min)) & (whole < float(int(limits.max) + 1))
    with np.errstate(all="ignore"):
        return x.astype(dtype.numpy), defined


def _casts(x: Any, *path: DType) -> Any:
    for dtype in path:
        x = OPS["cast"](x, dtype=dtype, overflow="wrap")
    return x


def _check(x: np.ndarray, path: tuple[DType, ...], found: np.ndarray) -> None:
    wanted, defined = x, np.ones(x.shape, bool)
    for dtype in path:
        wanted, fits = _cast(wanted, dtype)
        defined = defined & fits
    assert found.dtype == wanted.dtype
    found, wanted = (dtypes.widened(a[defined]) for a in (found, wanted))
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


@pytest.mark.parametrize("source", dtypes.ALL, ids=str)
def test_a_dtype_holds_another_where_all_edges_come_back(source: DType) -> None:
    values = _edges(source)
    for dtype in dtypes.ALL:
        there, fits = _cast(values, dtype)
        back, also = _cast(there, source)
        same = (back == values) | (np.isnan(values) if source.is_float else False)
        if source.is_float and not dtype.is_float:
            same = np.zeros(values.shape, bool)
        # A wrapped integer comes back, but is another number on its way.
        with np.errstate(all="ignore"):
            same = same & fits & also & ((there < 0) == (values < 0))
        assert dtypes.holds(dtype, source) == bool(same.all()), (source, dtype)

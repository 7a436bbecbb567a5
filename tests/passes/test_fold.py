"""Constant folding: by the reference, of single numbers, and never of what would raise."""

from __future__ import annotations

import math

import numpy as np
import pytest

import graphc as gc
from graphc.core.interpret import run
from graphc.core.ir import OPS, Graph, Node
from graphc.passes.fold import LIMIT, fold


def _folded(node: Node) -> object:
    """The number that a node of constants is folded to, or None."""
    after = fold(Graph.of("g", [], [node])).outputs[0]
    assert after.type == node.type
    return after.attr("value") if after.op is OPS["full"] else None


def _full(value: object, dtype: object = gc.float64, shape: tuple = (2, 3)) -> Node:
    return OPS["full"](value=value, shape=shape, dtype=dtype)


def test_elementwise_ops_of_constants_are_constants() -> None:
    assert _folded(gc.exp(_full(1.0))) == math.e
    assert _folded(_full(2, gc.int32) + _full(5, gc.int32)) == 7
    assert _folded(_full(1.0) < _full(2.0)) is True
    assert math.isnan(_folded(_full(0.0) / _full(0.0)))  # type: ignore[arg-type]
    assert math.copysign(1, _folded(-_full(0.0))) == -1  # type: ignore[arg-type]


def test_results_have_the_bits_of_their_dtype() -> None:
    third = _folded(_full(1.0, gc.float32) / _full(3.0, gc.float32))
    assert third == float(np.float32(1) / np.float32(3))
    assert _folded(_full(127, gc.int8) + _full(1, gc.int8)) == -128


def test_symbolic_shapes_fold_elementwise_only() -> None:
    n = gc.dim("n")
    assert _folded(_full(2.0, shape=(n,)) * _full(3.0, shape=(n,))) == 6.0
    assert _folded(OPS["sum"](_full(2.0, shape=(n,)), axes=(0,))) is None


def test_small_reductions_movement_and_products_fold() -> None:
    assert _folded(OPS["sum"](_full(2.0), axes=(0, 1))) == 12.0
    assert _folded(OPS["transpose"](_full(2.0), axes=(1, 0))) == 2.0
    assert _folded(OPS["matmul"](_full(2.0), _full(1.0, shape=(3, 4)))) == 6.0
    assert _folded(OPS["iota"](shape=(1,), axis=0, dtype=gc.int64)) == 0


def test_what_is_not_one_number_stays() -> None:
    assert _folded(OPS["iota"](shape=(2,), axis=0, dtype=gc.int64)) is None
    padding = {"low": (1, 1), "high": (0, 0), "interior": (0, 0)}
    assert _folded(OPS["pad"](_full(2.0), value=0.0, **padding)) is None
    assert _folded(OPS["transpose"](_full(2.0, shape=(0, 3)), axes=(1, 0))) is None


def test_large_nodes_stay() -> None:
    assert _folded(OPS["sum"](_full(1.0, shape=(LIMIT,)), axes=(0,))) is None


def test_an_overflow_is_left_to_the_run() -> None:
    node = gc.cast(_full(300.0), "uint8")
    graph = Graph.of("g", [], [node])
    assert fold(graph) is graph
    with pytest.raises(OverflowError):
        run(graph, [])


def test_sizes_are_numbers_of_the_call() -> None:
    n = gc.dim("n")
    graph = Graph.of("g", [gc.input("x", (n,))], [gc.size(n) * 2])
    assert fold(graph) is graph

"""Common subexpressions: equal nodes merge, and only those."""

from __future__ import annotations

import dataclasses

import graphc as gc
from graphc.core.ir import OPS, Graph, Node
from graphc.passes.cse import cse
from graphc.passes.dce import dce
from graphc.text import parse, show


def _merged(*outputs: Node) -> bool:
    """Whether two outputs become one node."""
    inputs = [n for n in Graph.of("g", [], outputs).nodes if n.op.name == "input"]
    after = cse(Graph.of("g", inputs, outputs))
    return after.outputs[0] is after.outputs[1]


def _full(value: object, dtype: object = gc.float64) -> Node:
    return OPS["full"](value=value, shape=(2,), dtype=dtype)


def test_repeated_work_is_done_once() -> None:
    before = """\
def g(x: f32[3], y: f32[3]):
    v0: f32[3] = multiply(x, y)
    v1: f32[3] = multiply(y, x)
    v2: f32[3] = exp(v0)
    v3: f32[3] = exp(v1)
    v4: f32[3] = add(v2, v3)
    return v4
"""
    after = """\
def g(x: f32[3], y: f32[3]):
    v0: f32[3] = multiply(x, y)
    v1: f32[3] = exp(v0)
    v2: f32[3] = add(v1, v1)
    return v2
"""
    assert show(dce(cse(parse(before)))) == after


def test_operands_of_ops_that_do_not_commute_keep_their_order() -> None:
    x, y = gc.input("x", (3,)), gc.input("y", (3,))
    assert _merged(x + y, y + x)
    assert not _merged(x - y, y - x)


def test_attributes_are_told_apart_by_type_and_bits() -> None:
    nan = float("nan")
    assert _merged(_full(1.0), _full(1.0)) and _merged(_full(nan), _full(nan))
    assert not _merged(_full(0.0), _full(-0.0))
    assert not _merged(_full(1, gc.int64), _full(1, gc.int32))
    plain = _full(1)
    odd = dataclasses.replace(
        plain, attrs=tuple((k, True if k == "value" else v) for k, v in plain.attrs)
    )
    assert not _merged(plain, odd)


def test_axes_and_sizes_are_compared() -> None:
    n = gc.dim("n")
    x = gc.input("x", (n, n))
    assert _merged(gc.sum(x, axis=0), gc.sum(x, axis=0))
    assert not _merged(gc.sum(x, axis=0), gc.sum(x, axis=1))
    assert _merged(x[: n // 2], x[: n // 2])


def test_placeholders_of_one_name_stay_apart() -> None:
    x, y = gc.input("x", (3,)), gc.input("x", (3,))
    graph = Graph.of("g", [x, y], [x + y])
    assert cse(graph) is graph

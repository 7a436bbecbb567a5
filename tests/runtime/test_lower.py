"""The lowering: every op's kernel, un-jitted and compiled, against the op's definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from golden_files import compare
from lowering import run_lowered
from samples import TABLE, Case, cases, is_plain

import graphc as gc
from graphc.core.interpret import run, run_node
from graphc.core.ir import Graph, Kind, Op
from graphc.passes.cse import cse
from graphc.passes.fusion.fuse import fuse
from graphc.passes.simplify import simplify
from graphc.runtime.lower import Native, lower

KINDS = (Kind.ELEMENTWISE, Kind.REDUCE, Kind.MOVEMENT, Kind.SOURCE)
GENERATED = [op for op in TABLE if op.kind in KINDS]
ULPS = 4


def same(found: np.ndarray, wanted: np.ndarray, units: float = ULPS) -> None:
    """Equal, or for floats within some units in the last place of the largest element."""
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted)
        return
    eps = float(np.finfo(wanted.dtype).eps)
    with np.errstate(all="ignore"):
        finite = wanted[np.isfinite(wanted)]
        scale = float(np.max(np.abs(finite), initial=0.0)) if finite.size < 1000 else 0.0
        np.testing.assert_allclose(found, wanted, rtol=units * eps, atol=eps * scale)


def _case(case: Case, symbolic: bool, compiled: bool) -> None:
    nodes, sizes = case.nodes(symbolic)
    try:
        node = case.op(*nodes, **case.attrs)
    except Exception:
        if symbolic:
            return
        raise
    graph = Graph.of("case", nodes, [node])
    before = [a.copy() for a in case.arrays]
    (found,), status = run_lowered(graph, case.arrays, sizes, compiled=compiled)
    assert not status.any()
    for array, kept in zip(case.arrays, before):
        np.testing.assert_array_equal(array, kept)
    same(found, np.asarray(run_node(node, case.arrays, sizes)))


@pytest.mark.parametrize("op", GENERATED, ids=lambda op: op.name)
def test_every_op_lowers_to_its_definition_un_jitted(op: Op) -> None:
    for case in cases(op):
        _case(case, symbolic=False, compiled=False)
    for case in cases(op, ((0, 3), (2, 5))):
        if is_plain(op):
            _case(case, symbolic=True, compiled=False)


SOURCES = {
    "softmax": lambda x, y: [gc.softmax(x, -1)],
    "column_sums_beside_elements": lambda x, y: [z := x * y, gc.sum(z, 0), gc.mean(z)],
    "pad": lambda x, y: [gc.pad(x, 1)],
}


@pytest.mark.parametrize("name", SOURCES)
def test_kernel_source_reads_as_before(name: str) -> None:
    n = gc.dim("n", min=1)
    x, y = gc.input("x", (n, 24)), gc.input("y", (n, 24))
    graph = Graph.of("g", [x, y], SOURCES[name](x, y))
    steps = lower(fuse(cse(simplify(graph))))
    compare(f"kernel_{name}.txt", "\n".join(step.kernel.source for step in steps))


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_slices_of_the_range_give_the_whole(parts: int) -> None:
    n = gc.dim("n", min=1)
    x, y = gc.input("x", (n, 24)), gc.input("y", (n, 24))
    z = gc.softmax(x * y, -1)
    graph = fuse(Graph.of("g", [x, y], [z, gc.sum(z, 0), gc.max(x), gc.transpose(y)]))
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((900, 24)).astype(np.float32) for _ in range(2)]
    whole, _ = run_lowered(graph, arrays, {"n": 900}, compiled=True)
    found, _ = run_lowered(graph, arrays, {"n": 900}, compiled=True, parts=parts)
    for ours, reference, wanted in zip(found, whole, run(graph, arrays)):
        np.testing.assert_array_equal(ours, reference)
        same(ours, np.asarray(wanted), units=64)


class _Counted(Native):
    """A lowering that counts the bodies that it is asked for."""

    def __init__(self) -> None:
        self.bodies = 0

    def body(self, *args: Any, **kwargs: Any) -> Any:
        self.bodies += 1
        return Native.body(*args, **kwargs)


def _layers(count: int) -> Graph:
    x = h = gc.input("x", (4, 8))
    inputs = [x]
    for k in range(count):
        inputs += [gc.input(f"w{k}", (8, 8)), gc.input(f"b{k}", (8,))]
        h = h + gc.tanh(h @ inputs[-2] + inputs[-1])
    return fuse(cse(simplify(Graph.of("g", inputs, [h, gc.sum(h, 0)]))))


def test_layers_alike_are_lowered_once_however_many() -> None:
    asked = []
    for count in (5, 40):
        counted = _Counted()
        lower(_layers(count), counted)
        asked.append(counted.bodies)
    assert asked[0] == asked[1] <= 4


def test_bodies_that_differ_in_the_sign_of_a_zero_or_the_kind_of_a_number_are_two() -> None:
    x, y = gc.input("x", (6,)), gc.input("y", (6,), "int32")
    outputs = [gc.copysign(gc.sin(x), value) for value in (0.0, -0.0)]
    outputs += [gc.cumsum(gc.exp(x) + value, 0) for value in (1.0, 2.0, -2.0)]
    outputs += [gc.cumsum(y + value, 0) for value in (1, 2)]
    graph = fuse(Graph.of("g", [x, y], outputs))
    arrays = [np.linspace(-1, 1, 6).astype(np.float32), np.arange(6, dtype=np.int32)]
    found, _ = run_lowered(graph, arrays, {}, compiled=False)
    for ours, wanted in zip(found, run(graph, arrays), strict=True):
        np.testing.assert_array_equal(np.signbit(ours), np.signbit(wanted))
        same(ours, np.asarray(wanted), units=16)

"""Every op of the table, compiled at every level and run un-jitted, against its definition.

One program holds all cases of an op. Elementwise ops run on a symbolic size: one program serves
no, one and many elements, edge values and combinations of them among these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from kernels import run_steps
from samples import (
    TABLE,
    Case,
    accepted,
    arity,
    array,
    cases,
    domains,
    edge_cases,
    is_plain,
    seed_of,
)

import graphc as gc
from graphc.core import dtypes
from graphc.core.interpret import run_node
from graphc.core.ir import Graph, Kind, Node, Op
from graphc.runtime.lower import lower
from graphc.runtime.nests.lapack import LAPACK

LEVELS = ("O0", "O1", "O2", "O3")
COMPUTED = [
    op
    for op in TABLE
    if op.kind not in (Kind.FUSED, Kind.CONTROL) and (is_plain(op) or op.samples is not None)
]
# Units in the last place of the largest magnitude: one scalar function, or a sum of products.
UNITS = {Kind.ELEMENTWISE: 4, Kind.MOVEMENT: 0, Kind.SOURCE: 0}
each_op = pytest.mark.parametrize("op", COMPUTED, ids=lambda op: op.name)


def _close(op: Op, found: np.ndarray, wanted: np.ndarray) -> None:
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    if not dtypes.is_float(wanted.dtype):
        np.testing.assert_array_equal(found, wanted)
        return
    info = dtypes.as_dtype(wanted.dtype).finfo
    found, wanted = map(dtypes.widened, (found, wanted))
    units = UNITS.get(op.kind, 32)
    finite = np.abs(wanted[np.isfinite(wanted)]).astype(np.float64)
    scale = 0.0 if op.kind is Kind.ELEMENTWISE else float(finite.max(initial=0))
    atol = units * (float(info.smallest_subnormal) + scale * float(info.eps))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(found, wanted, rtol=units * float(info.eps), atol=atol)


def _scalars(op: Op) -> list[Case]:
    """One 0-d case."""
    count = arity(op)
    dtype = accepted(op, count)[-1].name
    arrays = [array((), dtype, d, seed_of(op.name) + k) for k, d in enumerate(domains(op, count))]
    return [Case(op, tuple(arrays), {})]


def _edges(op: Op) -> list[Case]:
    """For each dtype, edge values and ordinary ones in a row, as long for all dtypes."""
    found = []
    for edge in edge_cases(op):
        usual = next(c for c in cases(op, ((40,),)) if c.arrays[0].dtype == edge.arrays[0].dtype)
        rows = [np.concatenate(pair) for pair in zip(edge.arrays, usual.arrays)]
        found.append(Case(op, tuple(rows), {}))
    longest = max(case.arrays[0].size for case in found)
    return [Case(op, tuple(np.resize(a, longest) for a in c.arrays), {}) for c in found]


def _program(groups: Sequence[Case], symbolic: bool) -> tuple[list[Node], list[Node]]:
    """Inputs and outputs of the graph that computes all cases."""
    inputs: list[Node] = []
    outputs = []
    for k, case in enumerate(groups):
        shapes = [(gc.dim("n"),) if symbolic else a.shape for a in case.arrays]
        nodes = [
            gc.input(f"x{k}_{i}", shape, a.dtype)
            for i, (shape, a) in enumerate(zip(shapes, case.arrays))
        ]
        inputs += nodes
        outputs.append(case.op(*nodes, **case.attrs))
    return inputs, outputs


def _wanted(case: Case) -> np.ndarray:
    node = case.op(*case.nodes()[0], **case.attrs)
    return np.array(run_node(node, case.arrays, {}))


def _cut(case: Case, size: int | None) -> Case:
    return Case(case.op, tuple(a[:size] for a in case.arrays), case.attrs)


def _check(op: Op, groups: Sequence[Case], level: str, symbolic: bool, sizes: Sequence) -> None:
    inputs, outputs = _program(groups, symbolic)
    program = gc.compile(inputs, outputs, level=level)
    for size in sizes:
        some = [_cut(case, size) for case in groups] if symbolic else list(groups)
        arrays = [a for case in some for a in case.arrays]
        before = [a.copy() for a in arrays]
        for case, found in zip(some, program(*arrays), strict=True):
            _close(op, found, _wanted(case))
        for array_, kept in zip(arrays, before):
            assert array_.tobytes() == kept.tobytes()


@pytest.mark.parametrize("level", LEVELS)
@each_op
def test_compiled_is_the_definition(op: Op, level: str) -> None:
    if is_plain(op):
        _check(op, _edges(op), level, True, (None, 0, 1, 7))
        _check(op, _scalars(op), level, False, (None,))
    else:
        _check(op, list(cases(op)), level, False, (None,))


# What has an effect, or calls LAPACK, leaves its kernel by addresses: plain Python has none.
INSIDE = [op for op in COMPUTED if op.effect is None and op.name not in LAPACK]


@pytest.mark.parametrize("op", INSIDE, ids=lambda op: op.name)
def test_plain_python_source_is_the_definition(op: Op) -> None:
    groups = list(cases(op, ((), (2, 5)))) if is_plain(op) else list(cases(op))
    inputs, outputs = _program(groups, symbolic=False)
    graph = Graph.of("plain", inputs, outputs)
    values = dict(zip(inputs, (np.ascontiguousarray(a) for c in groups for a in c.arrays)))
    wanted = [_wanted(case) for case in groups]
    for node, array_ in zip(outputs, wanted):
        values[node] = np.full(array_.shape, 77, array_.dtype)
    status = run_steps(lower(graph), values, compiled=False)
    assert status[0] == 0
    for node, array_ in zip(outputs, wanted):
        _close(op, values[node], array_)


@pytest.mark.parametrize("level", LEVELS)
def test_compiled_checks_raise_what_the_definition_raises(level: str) -> None:
    i = gc.input("i", (gc.dim("n"),), "int64")
    f = gc.input("f", (gc.dim("n"),), "float32")
    cases_ = [
        ([i], gc.cast(i, "int8"), [[1, 2, -129, 300]], "cast: -129 is not a value of int8"),
        ([i], gc.cast(i + 1, "uint32"), [[0, -2]], "cast: -1 is not a value of uint32"),
        ([f], gc.cast(f, "uint8") + 1, [[0.5, 256.5]], "cast: 256"),
        ([f], gc.cast(f, "int64"), [[0.5, np.nan]], "cast: .*nan"),
        ([i], 2**i, [[3, -4]], "power: the exponent -4 of an integer is negative"),
    ]
    for inputs, output, values, message in cases_:
        arrays = [np.array(v, x.dtype.numpy) for v, x in zip(values, inputs)]  # type: ignore[call-overload]
        for target in ("cpu", "reference"):
            program = gc.compile(inputs, output, level=level, target=target)
            with pytest.raises(gc.errors.GraphcError, match=message):
                program(*arrays)
            # What fails leaves nothing behind: a call with good values works.
            assert program(*[np.ones_like(a) for a in arrays]).shape == arrays[0].shape

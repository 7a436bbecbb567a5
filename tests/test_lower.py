"""The lowering: every op's kernel, un-jitted and compiled, against the op's definition."""

from __future__ import annotations

import numpy as np
import pytest
from lowering import run_lowered
from samples import TABLE, Case, cases, is_plain

from graphc.interpret import run_node
from graphc.ir import Graph, Kind, Op

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

"""Forward-mode derivatives: every rule of the table against central differences in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from samples import TABLE, cases

import graphc as gc
from graphc.core.interpret import run
from graphc.core.ir import Graph, Kind, Node, NoGradient, Op, toposort
from graphc.ops.source import Bound
from graphc.ops.source import input as placeholder

STEP = 1e-6
F64 = gc.float64
RULES = [
    op for op in TABLE
    if not isinstance(op.vjp, NoGradient) and op.kind is not Kind.CONTROL
    and op.name not in ("stop_gradient", "gradient_as")  # not the derivative, by intent
]  # fmt: skip


def _values(outputs: Sequence[Node], nodes: list[Node], arrays: Sequence[np.ndarray]) -> Any:
    bound = [n for n in toposort(outputs) if isinstance(n, Bound)]
    graph = Graph.of("test", [*nodes, *bound], outputs)
    with np.errstate(all="ignore"):
        return run(graph, [*arrays, *(b.state.array for b in bound)])


@pytest.mark.parametrize("op", RULES, ids=lambda op: op.name)
def test_tangents_agree_with_differences(op: Op, capsys: Any) -> None:
    tried = 0
    for case in cases(op, ((2, 3), ())):
        arrays = [
            a.astype(np.float64) if a.dtype == np.float32 else a for a in case.arrays
        ]  # the samples of narrow floats are of the same shapes
        moving = [k for k, a in enumerate(arrays) if a.dtype == np.float64]
        nodes = [placeholder(f"x{k}", a.shape, a.dtype) for k, a in enumerate(arrays)]
        if not moving or any(a.dtype.itemsize == 2 for a in arrays):
            continue
        output = op(*nodes, **case.attrs)
        value = _values([output], nodes, arrays)[0]
        if output.type.dtype is not F64 or not np.isfinite(value).all():
            continue
        rng = np.random.default_rng(1)
        ways = {k: rng.normal(size=arrays[k].shape) for k in moving}
        pushed = gc.jvp(output, [nodes[k] for k in moving], [gc.constant(w) for w in ways.values()])
        found = _values([pushed], nodes, arrays)[0]
        ahead, behind = (
            _values(
                [output], nodes, [a + s * ways[k] if k in ways else a for k, a in enumerate(arrays)]
            )[0]
            for s in (STEP, -STEP)
        )
        wanted = (ahead - behind) / (2 * STEP)
        np.testing.assert_allclose(
            found, wanted, rtol=1e-5, atol=1e-5 * max(1, abs(wanted).max(initial=0))
        )
        tried += 1
    assert tried

"""Batching: every op of the table along a new axis, against a loop over its definition."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from samples import TABLE, cases

from graphc.core.interpret import run
from graphc.core.ir import Graph, Kind, Node, Op
from graphc.ops.source import input as placeholder
from graphc.passes.batch import batched

SIZE = 3
OPS = [op for op in TABLE if op.kind not in (Kind.SOURCE, Kind.CONTROL, Kind.FUSED)]


def _varied(x: np.ndarray, seed: int) -> np.ndarray:
    """The array in other orders of its elements, which keeps its domain."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(x.ravel()).reshape(x.shape) for _ in range(SIZE)])


def _batch(outputs: Sequence[Node], inputs: Sequence[Node], which: Sequence[bool]) -> Graph:
    wide = [
        placeholder(f"b{k}", (SIZE, *i.type.shape), i.type.dtype) if has else i  # type: ignore[union-attr]
        for k, (i, has) in enumerate(zip(inputs, which))
    ]
    found = batched(outputs, {i: w for i, w, has in zip(inputs, wide, which) if has})
    return Graph.of("batch", wide, [f for f in found if f is not None])


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_an_op_of_a_batch_is_the_op_of_each_element(op: Op, capsys: Any) -> None:
    for case in cases(op, ((2, 3), ())):
        nodes, _ = case.nodes()
        output = op(*nodes, **case.attrs)
        count = len(nodes)
        several = [w for w in itertools.product((True, False), repeat=min(count, 3)) if any(w)]
        for which in several:
            which = (*which, *[False] * (count - len(which)))
            arrays = [
                _varied(x, k) if has else x for k, (x, has) in enumerate(zip(case.arrays, which))
            ]
            (found,) = run(_batch([output], nodes, which), arrays)
            for b in range(SIZE):
                each = [x[b] if has else x for x, has in zip(arrays, which)]
                with np.errstate(all="ignore"):
                    wanted = op.numpy(*each, **case.attrs)
                assert found[b].dtype == np.asarray(wanted).dtype
                np.testing.assert_allclose(
                    found[b].astype(float),
                    np.asarray(wanted).astype(float),
                    rtol=1e-3 if found.dtype.itemsize < 4 else 1e-5,
                    atol=1e-6,
                )

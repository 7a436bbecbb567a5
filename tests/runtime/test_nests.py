"""Loop nests: un-jitted, compiled, cut at any place and with symbolic sizes, they are the op."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from kernels import run_steps

import graphc.ops  # noqa: F401
from graphc.core import dims
from graphc.core.ir import OPS, Library, Node, Op, Sample
from graphc.ops.source import input as placeholder
from graphc.runtime.nests.lapack import LAPACK
from graphc.runtime.nests.table import NESTS

# Those of LAPACK are asked with matrices they have a result for, in ops/test_lapack.
OPS_WITH_NESTS = [
    op for op in OPS.values()
    if isinstance(op.lowering, Library) and op.lowering.name in NESTS
    and op.lowering.name not in LAPACK
]  # fmt: skip


def _cases(ops: Iterable[Op]) -> list[Any]:
    return [
        pytest.param(op, sample, id=f"{op.name}-{k}")
        for op in ops
        for k, sample in enumerate(op.samples() if op.samples else ())
    ]


CASES = _cases(OPS_WITH_NESTS)


def _operand(shape: tuple[int, ...], dtype: str, domain: str, limit: int) -> np.ndarray:
    rng = np.random.default_rng(len(shape) + sum(shape))
    if domain == "index":
        return rng.integers(-limit, limit, shape).astype(dtype)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0, 120, shape).astype(dtype)
    # Few values, so that sorting meets equal ones, and every edge value among them.
    values = np.array([1.5, -2.0, 0.25, 3.0, -0.0, 0.0, np.nan, np.inf, -np.inf], dtype)
    return rng.choice(values[:4] if domain == "small" else values, shape)


def _case(op: Op, sample: Sample, symbolic: bool) -> tuple[Node, dict[Node, np.ndarray], dict]:
    axis = sample.attrs.get("axis", 0)
    limit = sample.operands[0][0][axis] if sample.operands[0][0] else 1
    arrays = [_operand(s, dtype, domain, limit) for s, dtype, domain in sample.operands]
    sizes: dict[str, int] = {}
    nodes = []
    for k, array in enumerate(arrays):
        shape: Any = array.shape
        if symbolic and op.name != "windows_transpose":
            shape = tuple(dims.dim(f"d{n}") for n in shape)
            sizes |= {f"d{n}": n for n in array.shape}
        nodes.append(placeholder(f"x{k}", shape, array.dtype))
    node = op(*nodes, **sample.attrs)
    values = dict(zip(nodes, arrays))
    with np.errstate(all="ignore"):
        wanted = np.asarray(op.numpy(*arrays, **sample.attrs))
    values[node] = np.full(wanted.shape, 77, wanted.dtype)
    return node, values, {"sizes": sizes, "wanted": wanted}


def _check(node: Node, values: dict[Node, np.ndarray], facts: dict, **how: Any) -> None:
    before = [values[operand].copy() for operand in node.inputs]
    status = run_steps(NESTS[node.op.lowering.name](node), values, facts["sizes"], **how)  # type: ignore[union-attr]
    np.testing.assert_array_equal(values[node], facts["wanted"])
    assert status[0] == 0
    for operand, array in zip(node.inputs, before):
        np.testing.assert_array_equal(values[operand], array)


# What has an effect leaves native code by addresses, which plain Python has none of.
@pytest.mark.parametrize(("op", "sample"), _cases(op for op in OPS_WITH_NESTS if op.effect is None))
def test_source_gives_the_reference_values(op: Op, sample: Sample) -> None:
    _check(*_case(op, sample, symbolic=False), compiled=False)


@pytest.mark.parametrize(("op", "sample"), CASES)
@pytest.mark.parametrize("symbolic", [False, True], ids=["fixed", "symbolic"])
def test_compiled_gives_the_reference_values(op: Op, sample: Sample, symbolic: bool) -> None:
    _check(*_case(op, sample, symbolic), compiled=True)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_result_does_not_depend_on_where_the_range_is_cut(op: Op, sample: Sample) -> None:
    _check(*_case(op, sample, symbolic=False), compiled=True, parts=3)


def test_every_library_op_has_a_nest_or_is_a_contraction() -> None:
    for op in OPS.values():
        if isinstance(op.lowering, Library) and op.kind != "contract":
            assert op.lowering.name in NESTS


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", ["scatter_add", "index_add", "index_update"])
@pytest.mark.parametrize(
    ("dtype", "bad"), [("int64", 3), ("int64", -4), ("uint8", 200), ("uint64", 2**64 - 1)]
)
def test_index_outside_is_recorded_and_writes_nothing(
    name: str, dtype: str, bad: int, compiled: bool
) -> None:
    x = placeholder("x", (3,), "float64")
    index = placeholder("i", (2,), dtype)
    updates = placeholder("u", (2,), "float64")
    node = OPS[name](x, index, updates, axis=0)
    values = {
        x: np.zeros(3),
        index: np.array([1, bad], dtype),
        updates: np.array([5.0, 7.0]),
        node: np.empty(3),
    }
    status = run_steps(NESTS[name](node), values, compiled=compiled)
    assert status[:3].tolist() == [1, np.array(bad, dtype).astype(np.int64), 3]
    assert values[node].tolist() == [0.0, 5.0, 0.0]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint64", "bool"])
@pytest.mark.parametrize("shape", [(1000,), (3, 200), (37, 5)])
def test_long_rows_sort_stably(dtype: str, shape: tuple[int, ...], descending: bool) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 40, shape).astype(dtype)
    if array.dtype.kind == "f":
        array[rng.random(shape) < 0.1] = np.nan
    x = placeholder("x", shape, dtype)
    for axis in range(len(shape)):
        node = OPS["argsort"](x, axis=axis, descending=descending)
        values = {x: array, node: np.empty(shape, np.int64)}
        run_steps(NESTS["argsort"](node), values, compiled=True)
        # lexsort by position, then by value: nan greater than all.
        places = np.indices(shape)[axis]
        keys = array.astype(np.float64)
        keys = np.where(np.isnan(keys), 1e9, keys)
        wanted = np.lexsort((places, -keys if descending else keys), axis=axis)
        np.testing.assert_array_equal(values[node], wanted)

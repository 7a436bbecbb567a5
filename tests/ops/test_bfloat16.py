"""bfloat16 in every op of the table: kept in two bytes, computed in float32, rounded once."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from layouts import as_torch, from_torch
from samples import TABLE, Case, cases, edge_cases, is_plain

import graphc as gc
from graphc.core import dtypes
from graphc.core.interpret import run, run_node
from graphc.core.ir import OPS, Graph, Kind, Op
from graphc.errors import GraphcError

BFLOAT16 = dtypes.bfloat16.numpy
# Ops with operands that are run by themselves, control flow and fused bodies apart.
COMPUTED = [op for op in TABLE if op.kind not in (Kind.FUSED, Kind.CONTROL, Kind.SOURCE)]


def _in_dtype(case: Case, dtype: dtypes.DType) -> Case | None:
    """A case of floats in another float dtype; None where it has none."""
    if not any(dtypes.is_float(a.dtype) for a in case.arrays):
        return None
    with np.errstate(over="ignore"):
        arrays = [a.astype(dtype.numpy) if dtypes.is_float(a.dtype) else a for a in case.arrays]
    return Case(case.op, tuple(arrays), case.attrs)


def _of_bfloat16(op: Op) -> Iterator[Case]:
    found = list(cases(op, ((2, 5), ())))
    if is_plain(op):
        found += list(edge_cases(op))
    for case in found:
        changed = _in_dtype(case, dtypes.bfloat16)
        if changed is not None and _takes(changed):
            yield changed


def _takes(case: Case) -> bool:
    """Whether an op takes operands of these dtypes."""
    try:
        case.op(*case.nodes()[0], **case.attrs)
    except GraphcError:
        return False
    return True


OF_FLOATS = [op for op in COMPUTED if next(_of_bfloat16(op), None) is not None]
each_op = pytest.mark.parametrize("op", OF_FLOATS, ids=lambda op: op.name)


def _result(case: Case) -> np.ndarray:
    node = case.op(*case.nodes()[0], **case.attrs)
    with np.errstate(all="ignore"):
        return np.array(run_node(node, case.arrays, {}))


def _same(found: np.ndarray, wanted: np.ndarray, units: float = 0) -> None:
    """Equal, signs of zeros too, or within units in the last place of the largest number."""
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    x, y = dtypes.widened(found), dtypes.widened(wanted)
    if found.dtype != BFLOAT16 or not units:
        np.testing.assert_array_equal(x, y)
        if dtypes.is_float(found.dtype):
            numbers = ~np.isnan(y)
            np.testing.assert_array_equal(np.signbit(x[numbers]), np.signbit(y[numbers]))
        return
    eps = float(dtypes.bfloat16.finfo.eps)
    scale = float(np.abs(y[np.isfinite(y)]).max(initial=0))
    np.testing.assert_allclose(x, y, rtol=0, atol=units * eps * scale)


@pytest.mark.parametrize("op", COMPUTED, ids=lambda op: op.name)
def test_what_takes_float16_takes_bfloat16(op: Op) -> None:
    for case in cases(op, ((2, 5),)):
        half, brain = (_in_dtype(case, d) for d in (dtypes.float16, dtypes.bfloat16))
        if half is None or brain is None:
            return
        assert _takes(half) == _takes(brain)
        if _takes(half):
            wanted, found = (c.op(*c.nodes()[0], **c.attrs).type for c in (half, brain))
            assert str(found) == str(wanted).replace("f16[", "bf16[")


# Ops that round each of many sums to their dtype, as they write it to memory.
STEPWISE = {"scatter_add", "index_add"}


@each_op
def test_the_definition_is_float32_rounded_once(op: Op) -> None:
    for case in _of_bfloat16(op):
        if op.name == "cast":
            continue
        found = _result(case)
        wanted = _result(_in_dtype(case, dtypes.float32))  # type: ignore[arg-type]
        if wanted.dtype == np.float32:
            with np.errstate(over="ignore"):
                wanted = wanted.astype(ml_dtypes.bfloat16)
        exact = op.kind in (Kind.ELEMENTWISE, Kind.MOVEMENT) and op.name not in STEPWISE
        _same(found, wanted, units=0 if exact else 2)


def _compiled(some: list[Case], level: str) -> list[np.ndarray]:
    inputs, outputs = [], []
    for k, case in enumerate(some):
        nodes = [gc.input(f"x{k}_{i}", a.shape, a.dtype) for i, a in enumerate(case.arrays)]
        inputs += nodes
        outputs.append(case.op(*nodes, **case.attrs))
    return gc.compile(inputs, outputs, level=level)(*(a for c in some for a in c.arrays))


@pytest.mark.parametrize("level", ["O0", "O2"])
@each_op
def test_compiled_is_the_definition(op: Op, level: str) -> None:
    some = list(_of_bfloat16(op))
    # A kernel's exp, tanh ... are within 2 units of float32: one of bfloat16 near a tie.
    for case, found in zip(some, _compiled(some, level), strict=True):
        _same(found, _result(case), units=0 if op.kind is Kind.MOVEMENT else 1)


def _floats(count: int) -> np.ndarray:
    """float32 of random bits, all ties between two bfloat16, and both infinities."""
    bits = np.random.default_rng(0).integers(0, 1 << 32, count, dtype=np.uint64)
    ties = (np.arange(1 << 16, dtype=np.uint64) << np.uint64(16)) | np.uint64(0x8000)
    beside = np.concatenate([ties - np.uint64(1), ties, ties + np.uint64(1)])
    return np.concatenate([bits, beside, ties ^ np.uint64(0x8000)]).astype(np.uint32).view("f4")


@functools.cache
def _cast_program(source: str, target: str) -> Any:
    x = gc.input("x", (gc.dim("n"),), source)
    return gc.compile([x], gc.cast(x, target, "wrap"))


def test_kernels_round_to_the_nearest_even_bit_for_bit() -> None:
    x = _floats(200_000)
    with np.errstate(all="ignore"):
        wanted = x.astype(ml_dtypes.bfloat16)
    found = _cast_program("float32", "bfloat16")(x)
    np.testing.assert_array_equal(found.view(np.uint16), wanted.view(np.uint16))


def test_all_numbers_come_back_through_float32() -> None:
    x = np.arange(1 << 16, dtype=np.uint16).view(BFLOAT16)
    wide = _cast_program("bfloat16", "float32")(x)
    np.testing.assert_array_equal(wide.view(np.uint32) >> 16, x.view(np.uint16))
    back = _cast_program("float32", "bfloat16")(wide)
    numbers = ~np.isnan(wide)
    np.testing.assert_array_equal(back.view(np.uint16)[numbers], x.view(np.uint16)[numbers])
    assert np.isnan(back[~numbers].astype(np.float32)).all()


@pytest.mark.parity
@pytest.mark.parametrize("dtype", [d.name for d in dtypes.ALL])
def test_casts_are_those_of_pytorch(dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    kind = dtypes.as_dtype(dtype)
    rng = np.random.default_rng(1)
    if kind.is_float:
        with np.errstate(all="ignore"):
            values = _floats(20_000).astype(np.float64) * (1 + 2.0**-40)
            x = values.astype(kind.numpy)
    elif kind.kind == "bool":
        x = np.array([True, False])
    else:
        info = np.iinfo(dtype)
        x = rng.integers(info.min, info.max, 20_000, dtype, endpoint=True)
        x >>= rng.integers(0, 8 * kind.itemsize, 20_000).astype(dtype)
    wanted = from_torch(as_torch(torch, x).to(torch.bfloat16))
    _same(_cast_program(dtype, "bfloat16")(x), wanted)
    _same(_result(Case(OPS["cast"], (x,), {"dtype": gc.bfloat16, "overflow": "wrap"})), wanted)
    small = (rng.integers(0, 100, 1000) / 8).astype(BFLOAT16)
    wanted = from_torch(as_torch(torch, small).to(getattr(torch, dtype)))
    _same(_cast_program("bfloat16", dtype)(small), wanted)


@pytest.mark.parity
def test_graphs_promote_it_as_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    ours: Any = gc.input("x", (2,), gc.bfloat16)
    theirs = torch.ones(2, dtype=torch.bfloat16)
    for dtype in dtypes.ALL:
        other: Any = gc.input("y", (2,), dtype)
        if dtype.name in ("uint16", "uint32", "uint64"):  # PyTorch promotes them with nothing
            assert (ours + other).type.dtype is gc.bfloat16
            continue
        for name in ("add", "divide", "hypot", "maximum", "copysign"):
            # Those that NumPy promotes each in its own way, too.
            result = torch.result_type(theirs, torch.ones(2, dtype=getattr(torch, dtype.name)))
            assert f"torch.{getattr(gc, name)(ours, other).type.dtype.name}" == str(result)
    for number in (True, 3, 0.5):
        assert (ours * number).type.dtype is gc.bfloat16


def test_sums_are_kept_in_float32() -> None:
    x = gc.input("x", (gc.dim("n"),), gc.bfloat16)
    program = gc.compile([x], [gc.sum(x), gc.mean(x), gc.cumsum(x)[-1], x @ x])
    ones = np.ones(4096, BFLOAT16)  # in bfloat16 itself the sum stays at 256
    assert [float(v) for v in program(ones)] == [4096, 1, 4096, 4096]


def test_a_fused_body_rounds_each_value_as_its_nodes_say() -> None:
    x = gc.input("x", (gc.dim("n"),), gc.bfloat16)
    y = gc.exp(x * 3 + 0.1) / (1 + x * x)
    values = np.random.default_rng(0).normal(size=500).astype(BFLOAT16)
    found = gc.compile([x], y)(values)
    (wanted,) = run(Graph.of("body", [x], [y]), [values])
    _same(found, wanted, units=1)


def test_nothing_of_it_is_folded_otherwise() -> None:
    big = gc.full((3,), 257.0, gc.bfloat16)  # a tie: 256
    program = gc.compile([], [big + 1, big * 1.0, gc.cast(big, gc.float32)], level="O3")
    assert [v.astype(np.float32).tolist() for v in program()] == [[256.0] * 3] * 3

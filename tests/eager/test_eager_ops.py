"""Every op of the table, eagerly: NumPy code gives the definition's values, edges included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from samples import Case, cases, edge_cases, is_plain

import graphc as gc
from graphc.core.dtypes import widened
from graphc.core.ir import OPS, Kind
from graphc.core.operators import FUNCTIONS
from graphc.eager.engine.invoke import invoke
from graphc.eager.engine.template import SLOT
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.facade import FACE

NAMES = [
    name for name, op in OPS.items()
    if op.kind not in (Kind.SOURCE, Kind.FUSED, Kind.CONTROL) and (op.samples or is_plain(op))
]  # fmt: skip


def _eagerly(case: Case) -> Any:
    op = case.op

    def run(*nodes: Any) -> Any:
        return op(*nodes, **case.attrs)

    run.__name__ = op.name
    return invoke(run, (SLOT,) * len(case.arrays), (), [wrap(np.asarray(a)) for a in case.arrays])


def _all(name: str) -> list[Case]:
    found = list(cases(OPS[name]))
    return found + list(edge_cases(OPS[name])) if is_plain(OPS[name]) else found


@pytest.mark.parametrize("name", NAMES)
def test_an_op_gives_its_definitions_value(name: str) -> None:
    for case in _all(name):
        before = [np.array(a, copy=True) for a in case.arrays]
        with np.errstate(all="ignore"):
            wanted = np.asarray(case.op.numpy(*case.arrays, **case.attrs))
        own = _eagerly(case)
        assert own._array.dtype == wanted.dtype and own._array.shape == wanted.shape
        if case.op.kind is Kind.CONTRACT:  # a kernel, which sums in another order
            np.testing.assert_allclose(own._array, wanted, rtol=2e-5, atol=2e-5)
        elif case.op.name == "sum":  # NumPy's own for few elements; the definition rounds once
            np.testing.assert_allclose(own._array, wanted, rtol=2e-6, atol=2e-6)
        else:
            np.testing.assert_array_equal(widened(own._array), widened(wanted))
        for array, kept in zip(case.arrays, before):
            np.testing.assert_array_equal(widened(array), widened(kept))


@pytest.mark.parametrize("name", [n for n in NAMES if OPS[n].kind is not Kind.MOVEMENT])
def test_operands_in_any_memory_order_give_the_same(name: str) -> None:
    for case in list(cases(OPS[name]))[:3]:
        if any(np.ndim(a) < 2 for a in case.arrays):
            continue
        turned = tuple(np.ascontiguousarray(np.asarray(a).T).T for a in case.arrays)
        np.testing.assert_allclose(
            _eagerly(Case(case.op, turned, case.attrs))._array, _eagerly(case)._array, rtol=1e-5
        )


# Functions of one tensor that both faces have under one convention.
SAME = sorted(
    name for name, function in FUNCTIONS.items()
    if name in FACE and getattr(function, "op", None) is not None
)  # fmt: skip


@pytest.mark.parametrize("size", [(3, 4), (1000, 300)])
@pytest.mark.parametrize("name", SAME)
def test_a_function_gives_what_its_symbolic_form_gives(name: str, size: tuple[int, int]) -> None:
    """On small tensors NumPy code runs, on large ones kernels: the reference is one."""
    function = FUNCTIONS[name]
    count = function.__code__.co_argcount
    drawn = np.random.RandomState(1)
    domain = function.op.domain.split("/")[0]  # type: ignore[attr-defined]
    low, high = {"real": (-2, 2), "positive": (0.1, 3)}.get(domain, (0.1, 0.9))
    kinds = ("float32", "int64", "bool")
    for dtype in kinds:
        arrays = [(drawn.rand(*size) * (high - low) + low).astype(dtype) for _ in range(count)]
        try:
            wanted = gc.interpret(_graph(function, arrays), *arrays)[0]
        except gc.errors.GraphcError:
            continue
        own = FACE[name](*[wrap(a) for a in arrays])
        if name == "equal":  # PyTorch's is one bool for the whole
            assert own == bool(wanted.all())
            break
        assert isinstance(own, Tensor)
        if dtype == "float32":
            assert own._array.dtype == wanted.dtype
        np.testing.assert_allclose(
            own._array.astype(np.float64), wanted.astype(np.float64), rtol=2e-5, atol=1e-6
        )
        break


def _graph(function: Any, arrays: list[np.ndarray]) -> Any:
    inputs = [gc.input(f"x{k}", a.shape, a.dtype) for k, a in enumerate(arrays)]
    return gc.Graph.of("g", inputs, [function(*inputs)])

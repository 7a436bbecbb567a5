"""Ops for CUDA devices, emulated, against their definitions; and which ones have no kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from ops.test_ops_compiled import COMPUTED, _close, _cut, _edges, _program, _scalars, _wanted
from samples import Case, cases, is_plain

import graphc as gc
from graphc.core.ir import Op
from graphc.runtime.cuda.lowering import ON_HOST
from graphc.runtime.language.numba_float64 import LIBM

TARGET = gc.cuda.Target(arch="sm_90")
HOST = sorted(op.name for op in COMPUTED if getattr(op.lowering, "name", "") in ON_HOST)
ON_DEVICE = [op for op in COMPUTED if op.name not in HOST]
SAMPLE = {"softplus", "argmax", "concat", "matmul", "scatter_add", "cumsum", "sort", "where"}


def _check(groups: Sequence[Case], symbolic: bool, sizes: Sequence[int | None]) -> None:
    inputs, outputs = _program(groups, symbolic)
    program = gc.compile(inputs, outputs, target=TARGET)
    for size in sizes:
        some = [_cut(case, size) for case in groups] if symbolic else list(groups)
        found = program.emulate(*(a for case in some for a in case.arrays))
        for case, one in zip(some, found, strict=True):
            _close(case.op, one, _wanted(case))


def _all(op: Op) -> None:
    if is_plain(op):
        _check(_edges(op), True, (None, 0, 1, 7))
        _check(_scalars(op), False, (None,))
    else:
        _check(list(cases(op)), False, (None,))


@pytest.mark.parametrize("op", [o for o in ON_DEVICE if o.name in SAMPLE], ids=lambda op: op.name)
def test_ops_of_every_form_are_their_definitions(op: Op) -> None:
    _all(op)


@pytest.mark.slow
@pytest.mark.parametrize("op", ON_DEVICE, ids=lambda op: op.name)
def test_every_op_is_its_definition(op: Op) -> None:
    _all(op)


@pytest.mark.parametrize("name", HOST)
def test_an_op_without_a_kernel_is_named(name: str) -> None:
    (op,) = (op for op in COMPUTED if op.name == name)
    inputs, outputs = _program(list(cases(op))[:1], symbolic=False)
    with pytest.raises(gc.errors.UnsupportedError, match=f"cuda: {name} has no kernel"):
        gc.compile(inputs, outputs, target=TARGET)


def test_the_ops_without_a_kernel_are_these() -> None:
    assert HOST == [
        "cholesky",
        "eigh",
        "lu",
        "matrix_exp",
        "permutation",
        "pinv",
        "print",
        "qr",
        "qr_complete",
        "solve",
        "svd",
        "svd_full",
        "triangular_solve",
    ]


# float32 forms of these are computed in float64, by functions of C.
OF_C = sorted(op.name for op in COMPUTED if op.name in {*LIBM, "power", "arctan2"})


@pytest.mark.slow
@pytest.mark.parametrize("op", ON_DEVICE, ids=lambda op: op.name)
def test_every_op_is_ptx_or_its_functions_are_named(op: Op) -> None:
    groups = _edges(op) if is_plain(op) else list(cases(op))
    for case in groups:
        inputs, outputs = _program([case], symbolic=is_plain(op))
        program = gc.compile(inputs, outputs, target=TARGET)
        try:
            texts = program.ptx()
        except gc.errors.UnsupportedError:
            assert op.name in OF_C
            continue
        assert texts or np.size(_wanted(case)) == 0 or len(program.kernels) == 0

"""Ops for CUDA devices, emulated, against their definitions; and which ones have no kernel."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ops.test_ops_compiled import COMPUTED, _close, _cut, _edges, _program, _scalars, _wanted
from samples import Case, cases, is_plain

import graphc as gc
from graphc.core.ir import Op
from graphc.runtime.cuda.lowering import ON_HOST

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


# What needs functions of C in some dtype, for which there is no code for devices yet.
OF_C = {
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "cos", "cosh",
    "digamma", "erf", "erfc", "erfcx", "lgamma", "log10", "log2", "polygamma", "power", "sin",
    "sinh", "tan", "zeta",
}  # fmt: skip
# What computes in float64 for narrower dtypes too, because its accuracy asks for it.
IN_FLOAT64 = {
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "cbrt", "cos",
    "cosh", "erfc", "erfcinv", "erfinv", "floor_divide", "fmod", "i0", "i0e", "i1", "i1e",
    "log10", "log2", "ndtri", "power", "remainder", "sin", "sinh", "tan",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("op", ON_DEVICE, ids=lambda op: op.name)
def test_every_op_is_ptx_or_its_functions_are_named(op: Op) -> None:
    refused = False
    for case in _edges(op) if is_plain(op) else list(cases(op)):
        inputs, outputs = _program([case], symbolic=is_plain(op))
        program = gc.compile(inputs, outputs, target=TARGET)
        try:
            texts = program.ptx()
        except gc.errors.UnsupportedError as error:
            assert "of float64" in str(error)
            refused = True
            continue
        for name, text in texts.items():
            is_wide = "f64" in program.kernels[name] or op.name in IN_FLOAT64
            assert is_wide or ".f64" not in text, name
    assert refused == (op.name in OF_C)

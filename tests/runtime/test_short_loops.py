"""Reductions of short rows are made of vectors, and right at every length."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.objects import compiler

SUM = """def f(args, lo, hi):
    x = buffer(args, 0, f32)
    y = buffer(args, 1, f32)
    for i in range(lo, hi):
        t = f32(0)
        for j in range({turns}):
            t = add_any_order(t, x[i * {turns} + j])
        y[i] = t
"""


@pytest.mark.parametrize(("turns", "is_kept"), [(4, False), (8, False), (9, True), (31, True)])
def test_loops_of_some_tens_of_turns_are_kept_for_vectors(turns: int, is_kept: bool) -> None:
    text = str(compiler._lower(Kernel("f", SUM.format(turns=turns))))
    assert ("llvm.loop.unroll.disable" in text) == is_kept


def test_a_loop_that_chooses_a_place_is_not_kept() -> None:
    source = SUM.format(turns=32).replace(
        "add_any_order(t, x[", "select(t < x[i * 2], x[i * 2], t) #"
    )
    text = str(compiler._lower(Kernel("f", source)))
    assert "llvm.loop.unroll.disable" not in text


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_rows_of_every_length_are_reduced_right(dtype: str) -> None:
    rng = np.random.default_rng(0)
    lengths = (1, 7, 8, 9, 15, 16, 31, 33, 64, 127, 128)
    arrays = [(rng.uniform(0.5, 1.5, (5, k)) * rng.choice([-1, 1], (5, k))) for k in lengths]
    arrays = [(a * (9 if dtype == "int32" else 1)).astype(dtype) for a in arrays]
    inputs = [gc.input(f"x{k}", a.shape, dtype) for k, a in zip(lengths, arrays)]
    outputs = [f(x, 1) for x in inputs for f in (gc.sum, gc.max, gc.prod, gc.argmin)]
    found = iter(gc.compile(inputs, outputs, threads=1)(*arrays))
    for a in arrays:
        wide = a.astype(np.float64 if a.dtype.kind == "f" else a.dtype)
        for f in (np.sum, np.max, np.prod, np.argmin):
            wanted = f(wide, axis=1)
            magnitude = np.abs(wide).sum(1) if f is np.sum else np.abs(wanted)
            slack = 1e-5 if dtype == "float32" else 1e-13
            given = next(found)
            if a.dtype.kind == "i":
                np.testing.assert_array_equal(given, wanted.astype(given.dtype))
            else:
                assert np.all(np.abs(given - wanted) <= slack * magnitude)

"""No variable of a generated kernel hides a name of the kernel language."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import graphc as gc
from graphc.errors import InternalError
from graphc.runtime.fused.loops import Symbols
from graphc.runtime.language import language
from graphc.runtime.language.names import checked, numbered


@pytest.mark.parametrize("prefix", ["i", "v", "n", "p", "r", "w", "t", "f", "u", "b", "exp"])
def test_numbered_names_are_distinct_and_free(prefix: str) -> None:
    names = list(itertools.islice(numbered(prefix), 200))
    assert len(set(names)) == 200
    assert not set(names) & set(language.namespace())


def test_loops_and_variables_of_a_kernel_take_free_names() -> None:
    symbols = Symbols()
    names = [symbols.names[symbols.loop(5)] for _ in range(200)]
    names += [symbols.variable() for _ in range(200)]
    assert len(set(names)) == 400
    assert not set(names) & set(language.namespace())


def test_a_name_that_is_taken_is_refused() -> None:
    assert checked("p0") == "p0"
    with pytest.raises(InternalError, match="i64"):
        checked("i64")


def test_a_kernel_may_have_more_loops_than_there_are_bits() -> None:
    """Each update reads its row's factor, so that each has loops of its own; all cast to int64."""
    updates, wanted = {}, {}
    x = gc.input("x", (3,), gc.int64)
    for k in range(36):
        start = np.arange(3 * (k + 2)).reshape(k + 2, 3)
        w = gc.parameter(f"w{k}", start)
        updates[w] = (w + x).astype(gc.float32).astype(gc.int64) * gc.constant(np.arange(k + 2))[
            :, None
        ]
        wanted[f"w{k}"] = (start + [1, 2, 3]) * np.arange(k + 2)[:, None]
    program = gc.compile([x], gc.sum(x), updates)
    assert any("i66" in source or "i70" in source for source in program.kernels.values())
    assert program(np.array([1, 2, 3])) == 6
    for name, value in program.state().items():
        np.testing.assert_array_equal(value, wanted[name])

"""Programs and parameters pickled and copied: alike, and apart."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest

import graphc as gc


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))], ids=["deepcopy", "pickle"]
)
def test_a_copy_of_a_program_computes_the_same_from_state_of_its_own(again: Any) -> None:
    x = gc.input("x", (3,))
    w = gc.parameter("w", np.ones(3, np.float32))
    step = gc.compile([x], {"sum": gc.sum(w * x), "w": w}, updates={w: w + x}, name="step")
    step(np.ones(3, np.float32))
    other = again(step)
    assert other.name == "step"
    for k in range(3):
        got = other(np.ones(3, np.float32))
        assert got["sum"] == 3 * (k + 2)
        np.testing.assert_array_equal(got["w"], np.full(3, k + 2))
    np.testing.assert_array_equal(w.value, np.full(3, 2))
    np.testing.assert_array_equal(other.state()["w"], np.full(3, 5))


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_of_a_parameter_has_its_name_and_value_and_is_another(again: Any) -> None:
    w = gc.parameter("w", np.arange(3.0))
    other = again(w)
    other.value = np.zeros(3)
    assert other.name == "w"
    assert other.type == w.type
    np.testing.assert_array_equal(w.value, np.arange(3.0))


def test_a_pickle_names_nothing_but_what_reads_archives() -> None:
    x = gc.input("x", (3,))
    data = pickle.dumps(gc.compile([x], gc.exp(x)))
    found: list[str] = []

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            found.append(f"{module}.{name}")
            return super().find_class(module, name)

    np.testing.assert_allclose(Reader(io.BytesIO(data)).load()(np.zeros(3, np.float32)), 1)
    assert found == ["graphc.jit.archive.archive.unpacked"]

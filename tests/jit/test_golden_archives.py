"""Files that versions 2 and 3 of the format wrote, once: users' files stay loadable.

They are never written anew; a new version gets a file of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
WEIGHT = np.array([[1.0, 2.0], [3.0, 4.0]])


def test_a_function_of_version_2_loads_with_all_its_programs() -> None:
    """Of a dict and a number, traced at two forms of call: `batch["x"] @ WEIGHT * scale`."""
    loaded = gc.jit.load(GOLDEN / "traced_v2.gcz")
    calls: tuple[tuple[Any, int, float], ...] = (((), 3, 2.0), ((0.5,), 3, 0.5), ((), 5, 2.0))
    for more, rows, scale in calls:
        x = np.arange(2.0 * rows).reshape(rows, 2)
        found = loaded({"x": gc.tensor(x.astype("f"))}, *more)
        np.testing.assert_allclose(found["y"].numpy(), x @ WEIGHT * scale, rtol=1e-6)
        np.testing.assert_allclose(found["total"].item(), (x @ WEIGHT * scale).sum(), rtol=1e-6)
        assert found["more"] == (3, None, "text")
    with pytest.raises(ArgumentError):
        loaded(gc.ones(3, 2))


@pytest.mark.parametrize("target", ["cpu", "reference"])
def test_a_program_of_version_3_loads_with_structures_defaults_and_fixed_values(
    target: str,
) -> None:
    """`{"y": (x * w + b * rate, [rate, None]), "n": count * 2}`, b fixed, rate 0.5 unless given."""
    loaded = gc.jit.load(GOLDEN / "program_v3.gcz", target=target)
    x, w, b = np.arange(3.0), np.array([2.0, -1.0, 0.5]), np.array([1.0, 2.0, 3.0])
    for turn, named in enumerate(({}, {"rate": 2.0})):
        found = loaded(x, w=w, **named)
        rate = named.get("rate", 0.5)
        np.testing.assert_allclose(found["y"][0], x * w + b * rate)
        assert found["y"][1] == [rate, None] and found["n"] == 2 * turn
    with pytest.raises(ArgumentError, match="b has a value already"):
        loaded(x, w=w, b=b)

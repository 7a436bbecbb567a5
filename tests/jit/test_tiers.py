"""`f.tiers()`: which tier each program runs in, why, what it was compiled for, and its calls."""

from __future__ import annotations

import random
from typing import Any

import pytest

import graphc as gc


def test_each_program_says_what_differed_from_the_calls_before() -> None:
    factor = [1.0]

    def scaled(x: Any, s: float = 1.0) -> Any:
        return x * factor[0] * s

    compiled = gc.jit.compile(scaled)
    for x in (gc.ones(3), gc.ones(5), gc.ones(3, 2)):
        compiled(x)
    factor[0] = 2.0
    compiled(gc.ones(3))
    compiled(gc.ones(3), s=3.0)
    compiled(gc.ones(3, dtype=gc.float64))
    rows = compiled.tiers()
    assert [row.because for row in rows] == [
        "the first call", "input 0 has 2 axes, not 1", rows[2].because,
        "argument s is 3.0, not 1.0", "input 0 is float64, not float32",
    ]  # fmt: skip
    assert "factor" in rows[2].because
    assert [row.calls for row in rows] == [2, 1, 1, 1, 1]
    assert {row.operations for row in rows} == {2}
    text = str(rows)
    assert all(row.because in text for row in rows)


def test_calls_that_run_python_say_why_and_how_long() -> None:
    drawn = gc.jit.compile(lambda x: x * random.random())
    asked = gc.jit.compile(lambda x: x + 1 if (x * 2).sum() > 0 else x, on_branch="specialise")
    told = gc.jit.compile(lambda x: x + 1, tier="checked")
    for f, why in ((drawn, "random()"), (asked, "goes by the value"), (told, 'tier="checked"')):
        for _ in range(4):
            f(gc.ones(2))
        rows = f.tiers()
        assert {row.tier for row in rows} == {"checked"}
        assert all(why in row.reason for row in rows)
        assert sum(row.calls for row in rows) >= 4
        assert rows[-1].fastest is not None and rows[-1].fastest < 10


@pytest.mark.filterwarnings("ignore::graphc.errors.GraphcWarning")
def test_a_graph_that_ended_says_where() -> None:
    compiled = gc.jit.compile(lambda x: x * float((x * 2).sum()), on_branch="eager")
    for _ in range(3):
        compiled(gc.ones(2))
    (row,) = compiled.tiers()
    assert "float() of a traced tensor" in row.reason and row.calls == 3

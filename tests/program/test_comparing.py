"""GRAPHC_CHECK=2 compares what compiled programs give with the reference, state included."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import InternalError
from graphc.ops.arrays.random import normal
from graphc.program import comparing
from graphc.runtime import targets
from graphc.runtime.base.step import Step
from graphc.runtime.lower import lower


def _compile(*args: Any, **options: Any) -> gc.Program:
    with gc.config.override(check=["2"]):
        return gc.compile(*args, **options)


def _plant(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    def changed(step: Step) -> Step:
        source = re.sub(old, new, step.kernel.source)
        return replace(step, kernel=replace(step.kernel, source=source))

    monkeypatch.setattr(targets, "lower", lambda graph: [changed(s) for s in lower(graph)])


def _ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def test_a_wrong_result_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, r"exp\((\w+)\)", r"exp(\1 + \1)")
    x = gc.input("x", (2, 3))
    program = _compile([x], {"sum": gc.sum(x), "grown": gc.exp(x)})
    with pytest.raises(InternalError) as caught:
        program(_ones(2, 3))
    what, node, first, where, hint = str(caught.value).splitlines()
    assert what == "output 'grown' of program differs from the reference by up to 4.67"
    assert node.startswith("  exp: f32[2, 3], made at test_comparing.py:")
    assert first.startswith("  [0, 0] is 7.389")
    assert first.endswith("; 6 of 6 elements differ")
    assert where.startswith("  at test_comparing.py:")
    assert hint.startswith("  hint: a fault of graphc: report it with the graph")
    assert "v1: f32[2, 3] = exp(x)" in caught.value.__notes__[0]


def test_a_wrong_new_value_of_a_parameter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, r"(v\d) \+ ", r"\1 - ")
    x = gc.input("x", (3,))
    w = gc.parameter("w", np.zeros(3, np.float32))
    program = _compile([x], gc.sum(x), updates={w: w + x})
    with pytest.raises(InternalError, match="the new value of 'w' of program differs from the"):
        program(_ones(3))


def test_wrong_integers_and_bools_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, " < ", " <= ")
    x = gc.input("x", (3,), gc.int32)
    with pytest.raises(InternalError, match="the output of program differs"):
        _compile([x], x < 1)(np.array([0, 1, 2], np.int32))


def test_the_first_calls_are_compared_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    expect = comparing.expect
    monkeypatch.setattr(comparing, "expect", lambda *a: calls.append(a) or expect(*a))  # type: ignore[func-returns-value]
    x = gc.input("x", (3,))
    program = _compile([x], x + 1)
    for _ in range(comparing.CALLS + 2):
        np.testing.assert_array_equal(program(_ones(3)), 2)
    assert len(calls) == comparing.CALLS


def test_rounding_is_no_difference() -> None:
    rng = np.random.default_rng(0)
    x = gc.input("x", (300, 400))
    centred = x - gc.mean(x, 0)
    outputs = [gc.sum(centred), gc.mean(centred, 0), gc.softmax(x, 1), gc.floor(x * 1e3), gc.var(x)]
    values = rng.standard_normal((300, 400)).astype(np.float32)
    _compile([x], outputs)(values + 1000)
    _compile([x], [gc.argmax(x, 1), x > 0.5, (x * 8).astype(gc.int32)])(values)


def test_nans_and_infinities_must_be_where_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    x = gc.input("x", (4,))
    values = np.array([0, -1, np.inf, np.nan], np.float32)
    _compile([x], [gc.log(x), 1 / x])(values)
    _plant(monkeypatch, r"log\((\w+)\)", r"log(\1 * \1)")
    with pytest.raises(InternalError, match=r"differs from the reference"):
        _compile([x], gc.log(x))(values)


def test_random_numbers_state_and_results_in_place_agree() -> None:
    x = gc.input("x", (4, 4))
    w = gc.parameter("w", np.zeros((4, 4), np.float32))
    noisy = x + normal((4, 4))
    program = _compile([x], [noisy, w * 2], updates={w: w + noisy})
    first, second = program(_ones(4, 4)), program(_ones(4, 4))
    assert (first[0] != second[0]).all()
    np.testing.assert_allclose(second[1], 2 * first[0], rtol=1e-6)
    out = _ones(4, 4)
    double = _compile([x], x + x)
    np.testing.assert_array_equal(double(out, out=out), 2)
    np.testing.assert_array_equal(out, 2)


def test_an_error_of_the_user_stays_one() -> None:
    x, i = gc.input("x", (4,)), gc.input("i", (1,), gc.int64)
    program = _compile([x, i], gc.take(x, i))
    with pytest.raises(gc.errors.IndexRangeError):
        program(_ones(4), np.array([9]))
    np.testing.assert_array_equal(program(_ones(4), np.array([3])), 1)


def test_a_check_that_compiled_code_lost_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, r"fail\(status", "i64(site")
    original = targets.lower

    def without(graph: Any) -> list[Step]:
        steps = []
        for step in original(graph):
            lines = step.kernel.source.splitlines()
            kept = [
                line.split("i64(site")[0] + "pass" if "i64(site" in line else line for line in lines
            ]
            steps.append(replace(step, kernel=replace(step.kernel, source="\n".join(kept) + "\n")))
        return steps

    monkeypatch.setattr(targets, "lower", without)
    x, i = gc.input("x", (4,)), gc.input("i", (1,), gc.int64)
    program = _compile([x, i], gc.take(x, i))
    with pytest.raises(InternalError, match="the reference fails where the compiled program does"):
        program(_ones(4), np.array([9]))

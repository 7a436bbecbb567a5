"""`gc.check`: what it gives back, when it fails, with which message; and that state stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import (
    ArgumentError,
    AttributeValueError,
    CheckError,
    DTypeError,
    ShapeError,
)

A = np.array([1.0, -4.0, 9.0, -2.0])
F64 = gc.float64
LEVELS = ("O0", "O1", "O2", "O3")


def _failing(call: Any, *args: Any) -> str:
    with pytest.raises(CheckError) as raised:
        call(*args)
    assert isinstance(raised.value, AssertionError)
    return str(raised.value)


@pytest.mark.parametrize("target", ["cpu", "reference"])
@pytest.mark.parametrize("level", LEVELS)
def test_the_value_comes_back_and_failing_elements_are_shown(level: str, target: str) -> None:
    x, limit = gc.input("x", (gc.dim("n"),), F64), gc.input("limit", (), F64)
    y = gc.sqrt(gc.check(x >= limit, "no root of {}, below {}", x, limit)) * 2.0
    program = gc.compile([x, limit], y, level=level, target=target)
    np.testing.assert_allclose(program(abs(A), 0.0), 2 * np.sqrt(abs(A)))
    text = _failing(program, A, 0.0)
    assert text.startswith("check: no root of [-4.0, -2.0], below 0.0\n")
    assert "2 of 4 elements fail, the first at [1]" in text
    assert f"at {Path(__file__).name}:" in text
    np.testing.assert_allclose(program(abs(A), 0.0), 2 * np.sqrt(abs(A)))
    assert program(A[:0], 0.0).shape == (0,)


@pytest.mark.parametrize("level", LEVELS)
def test_no_state_changes_where_a_check_fails(level: str) -> None:
    x = gc.input("x", (4,), F64)
    w, count = gc.parameter("w", np.zeros(4)), gc.parameter("count", np.zeros(()))
    ok = gc.check(gc.all(x > 0), "sum is {}", gc.sum(x))
    step = gc.compile([x], ok, updates={w: w + x, count: count + 1.0}, level=level)
    assert step(abs(A)) == abs(A).sum()
    assert "check: sum is 4.0" in _failing(step, A)
    np.testing.assert_array_equal(w.value, abs(A))
    assert count.value == 1


def test_a_condition_alone_and_one_of_another_shape() -> None:
    x, y = gc.input("x", (4,), F64), gc.input("y", (), F64)
    alone = gc.compile([x], gc.check(gc.sum(x) > 0, "not positive"))
    assert alone(abs(A)) == np.True_
    assert _failing(alone, -abs(A)).startswith("check: not positive\n")
    whole = gc.compile([x, y], gc.check(x > 0, "{{}} of {}", y))
    assert _failing(whole, A, 3.0).startswith("check: {} of 3.0\n")


def test_nothing_to_show_is_checked_all_the_same() -> None:
    x, n = gc.input("x", (gc.dim("n"),), F64), gc.input("limit", (), F64)
    program = gc.compile([x, n], gc.check(n > 0, "limit {}", x))
    assert program(A[:0], 1.0).shape == (0,)
    _failing(program, A[:0], 0.0)


def test_each_step_of_a_loop_is_checked_and_only_the_branch_that_runs() -> None:
    x = gc.input("x", (4,), F64)
    total, _ = gc.scan(lambda s, v: (gc.check(s < 5, "sum {} at {}", s, v) + v, None), 0.0, x)
    program = gc.compile([x], total)
    assert program(np.array([1.0, 2.0, 1.0, 5.0])) == 9
    assert "check: sum 6.0 at 1.0" in _failing(program, np.array([1.0, 5.0, 1.0, 1.0]))
    chosen = gc.cond(gc.sum(x) > 0, lambda: gc.check(gc.sum(x) > 5, "small"), lambda: x[0] > 0)
    branch = gc.compile([x], chosen)
    assert not branch(-abs(A))
    assert "small" in _failing(branch, np.ones(4))


def test_gradients_pass_through() -> None:
    x = gc.input("x", (4,), F64)
    loss = gc.sum(gc.check(x > -9, "{}", x) ** 2)
    got = gc.compile([x], gc.grad(loss, x))(A)
    np.testing.assert_array_equal(got, 2 * A)


def test_eager_tensors_are_checked_at_once_and_traced_ones_when_called() -> None:
    t = gc.tensor(A, requires_grad=True)
    gc.check(t > -9, "{}", t).sum().backward()
    np.testing.assert_array_equal(t.grad.numpy(), np.ones(4))
    assert "check: it is [-4.0, -2.0]" in _failing(lambda: gc.check(t > 0, "it is {}", t))

    @gc.jit.compile
    def f(v: gc.Tensor) -> gc.Tensor:
        return gc.check(v > 0, "it is {}", v) * 2

    for _ in range(3):
        np.testing.assert_array_equal(f(gc.tensor(abs(A))).numpy(), 2 * abs(A))
        assert "check: it is [-4.0, -2.0]" in _failing(f, gc.tensor(A))


def test_saved_programs_check(tmp_path: Path) -> None:
    x = gc.input("x", (4,), F64)
    gc.compile([x], gc.check(x > 0, "it is {}", x), name="f").save(tmp_path / "f.gcz")
    assert "it is [-4.0, -2.0]" in _failing(gc.jit.load(tmp_path / "f.gcz"), A)


def test_arguments_that_cannot_be_right_are_refused() -> None:
    x = gc.input("x", (4,), F64)
    with pytest.raises(DTypeError, match="the condition is"):
        gc.check(x, "wrong")
    with pytest.raises(AttributeValueError, match="for each of 1 values"):
        gc.check(x > 0, "wrong", x)
    with pytest.raises(AttributeValueError, match="has not one"):
        gc.check(x > 0, "wrong {} {", x)
    for field in ("{0}", "{:>99}", "{!r}", "{.shape}"):
        with pytest.raises(AttributeValueError, match="has not one"):
            gc.check(x > 0, f"wrong {field}", x)
    with pytest.raises(ArgumentError, match="the message is a"):
        gc.check(x > 0, x)  # type: ignore[call-overload]
    with pytest.raises(ShapeError, match="give the largest first"):
        gc.check(gc.sum(x) > 0, "{} {}", gc.sum(x), x)

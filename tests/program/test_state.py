"""Parameters: updated in place, together, shared by programs, read and written as arrays."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc

TARGETS = ("cpu", "reference")
LEVELS = ("O0", "O2", "O3")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("level", LEVELS)
def test_an_update_takes_effect_at_the_end(target: str, level: str) -> None:
    x = gc.input("x", (3,))
    w = gc.parameter("w", np.array([1, 2, 3], np.float32))
    step = gc.compile([x], [w * x, w], updates={w: w + x}, target=target, level=level)
    product, before = step(np.ones(3, np.float32))
    np.testing.assert_array_equal(product, [1, 2, 3])
    np.testing.assert_array_equal(before, [1, 2, 3])
    np.testing.assert_array_equal(w.value, [2, 3, 4])
    product, before = step(np.ones(3, np.float32))
    np.testing.assert_array_equal(product, [2, 3, 4])
    np.testing.assert_array_equal(w.value, [3, 4, 5])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("level", LEVELS)
def test_updates_see_the_values_before_the_call(target: str, level: str) -> None:
    a = gc.parameter("a", np.array([1.0, 2.0]))
    b = gc.parameter("b", np.array([10.0, 20.0]))
    c = gc.parameter("c", np.array([100.0, 200.0]))
    turn = gc.compile([], [], updates={a: b, b: c, c: a}, target=target, level=level)
    turn()
    np.testing.assert_array_equal([a.value, b.value, c.value], [[10, 20], [100, 200], [1, 2]])
    mix = gc.compile([], a + b, updates={a: a + b, b: a - b}, target=target, level=level)
    np.testing.assert_array_equal(mix(), [110, 220])
    np.testing.assert_array_equal(a.value, [110, 220])
    np.testing.assert_array_equal(b.value, [-90, -180])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("level", LEVELS)
def test_a_new_value_may_be_a_result_too(target: str, level: str) -> None:
    w = gc.parameter("w", np.arange(4.0))
    new = w * 2.0
    step = gc.compile([], [new, gc.sum(new)], updates={w: new}, target=target, level=level)
    for factor in (2, 4):
        value, total = step()
        np.testing.assert_array_equal(value, np.arange(4.0) * factor)
        assert total == 6 * factor
        np.testing.assert_array_equal(w.value, value)
        value[...] = -1
        np.testing.assert_array_equal(w.value, np.arange(4.0) * factor)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("level", LEVELS)
def test_one_new_value_for_two_parameters_and_one_from_an_input(target: str, level: str) -> None:
    x = gc.input("x", (2,), gc.float64)
    a, b = gc.parameter("a", np.zeros(2)), gc.parameter("b", np.zeros(2))
    c = gc.parameter("c", np.zeros(2))
    new = a + x
    step = gc.compile([x], [], updates={a: new, b: new, c: x}, target=target, level=level)
    assert step(np.ones(2)) == []
    assert step(np.array([1.0, 2.0])) == []
    np.testing.assert_array_equal(a.value, [2, 3])
    np.testing.assert_array_equal(b.value, [2, 3])
    np.testing.assert_array_equal(c.value, [1, 2])


@pytest.mark.parametrize("level", LEVELS)
def test_updates_that_read_each_other_across_axes(level: str) -> None:
    a = gc.parameter("a", np.arange(6.0).reshape(2, 3))
    b = gc.parameter("b", np.arange(6.0).reshape(3, 2) + 10)
    start_a, start_b = a.value, b.value
    step = gc.compile(
        [],
        [],
        updates={a: a + gc.transpose(b), b: gc.transpose(gc.flip(a, axis=0)) * b},
        level=level,
    )
    step()
    np.testing.assert_array_equal(a.value, start_a + start_b.T)
    np.testing.assert_array_equal(b.value, start_a[::-1].T * start_b)


def test_programs_share_parameters() -> None:
    x = gc.input("x", (2,))
    w = gc.parameter("w", np.array([1, 1], np.float32))
    step = gc.compile([x], [], updates={w: w + x})
    predict = gc.compile([x], w * x)
    step(np.array([1, 2], np.float32))
    np.testing.assert_array_equal(predict(np.array([10, 10], np.float32)), [20, 30])
    w.value = np.array([5, 6], np.float32)
    np.testing.assert_array_equal(predict(np.array([1, 1], np.float32)), [5, 6])
    assert step.state().keys() == predict.state().keys() == {"w"}


def test_state_is_copied_out_and_in() -> None:
    w = gc.parameter("w", np.array([1.0, 2.0]))
    v = gc.parameter("v", np.array(3.0))
    step = gc.compile([], w * v, updates={w: w + v})
    saved = step.state()
    step()
    np.testing.assert_array_equal(saved["w"], [1, 2])
    np.testing.assert_array_equal(step.state()["w"], [4, 5])
    step.load_state(saved)
    saved["w"][...] = 0
    np.testing.assert_array_equal(w.value, [1, 2])
    copy = w.value
    copy[...] = 0
    np.testing.assert_array_equal(w.value, [1, 2])


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    w = gc.parameter("w", np.array([1.0, 2.0]))
    v = gc.parameter("v", np.array(3.0))
    step = gc.compile([], w * v)
    with pytest.raises(gc.errors.ShapeError):
        step.load_state({"w": np.zeros(2), "v": np.zeros(7)})
    np.testing.assert_array_equal(w.value, [1, 2])


def test_the_default_generator_advances() -> None:
    x = gc.input("x", (4,))
    program = gc.compile([x], x + gc.uniform((4,)))
    zeros = np.zeros(4, np.float32)
    gc.manual_seed(3)
    first, second = program(zeros), program(zeros)
    assert not np.array_equal(first, second)
    gc.manual_seed(3)
    np.testing.assert_array_equal(program(zeros), first)
    np.testing.assert_array_equal(program(zeros), second)


def test_constants_are_bound() -> None:
    x = gc.input("x", (3,))
    table = np.array([1, 2, 3], np.float32)
    program = gc.compile([x], x * table)
    table[...] = 0
    np.testing.assert_array_equal(program(np.ones(3, np.float32)), [1, 2, 3])
    assert program.state() == {}


def test_a_state_takes_the_dtypes_that_its_parameters_take() -> None:
    w = gc.parameter("w", np.zeros(2, np.float32))
    step = gc.compile([], w)
    for values in (np.array([0.5, 2.0]), np.array([1, 2]), np.array([0.5, 1.0], np.float16)):
        step.load_state({"w": values})
        w_value = w.value
        w.value = values
        np.testing.assert_array_equal(step(), values.astype(np.float32))
        np.testing.assert_array_equal(w_value, w.value)

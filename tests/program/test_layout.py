"""Structures in and out of programs, defaults, `partial`: what calls take and give."""

from __future__ import annotations

import pickle
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, DTypeError, ShapeError

A, B = np.arange(3.0), np.array([4.0, 0.5, -1.0])
F64 = gc.float64
Pair = namedtuple("Pair", "left right")


@dataclass
class Weights:
    w: Any
    b: Any = None


def _inputs(*names: str) -> list[Any]:
    return [gc.input(name, (gc.dim("n"),), F64) for name in names]


def test_outputs_come_back_in_their_structure() -> None:
    (x,) = _inputs("x")
    outputs = {
        "z": (x, [x * 2.0]), "a": Pair(x * 3.0, Weights(x * 4.0, {})), "n": x.shape[0], "none": None
    }  # fmt: skip
    got = gc.compile([x], outputs)(A)
    assert list(got) == ["z", "a", "n", "none"] and got["none"] is None and got["n"] == 3
    assert isinstance(got["a"], Pair) and isinstance(got["a"].right, Weights)
    assert isinstance(got["z"], tuple) and isinstance(got["z"][1], list)
    arrays = got["z"][0], got["z"][1][0], got["a"].left, got["a"].right.w
    for k, array in enumerate(arrays, 1):
        np.testing.assert_array_equal(array, A * k)
    assert got["a"].right.b == {}
    (alone,) = gc.compile([x], ((x,),))(A)
    assert isinstance(alone, tuple) and len(alone) == 1


def test_results_go_into_arrays_of_the_same_structure() -> None:
    (x,) = _inputs("x")
    program = gc.compile([x], {"a": [x, x * 2.0], "b": Weights(x * 3.0, (x * 4.0,))})
    first, last = np.empty(3), np.empty(3)
    got = program(A, out={"a": [first, None], "b": Weights(None, (last,))})
    assert got["a"][0] is first and got["b"].b[0] is last
    assert program(A, out={"a": (None, first)})["a"][1] is first
    np.testing.assert_array_equal([first, last], [A * 2, A * 4])
    for wrong in ({"c": first}, {"a": [first]}, {"b": first}, [first]):
        with pytest.raises(ArgumentError, match="out must be a"):
            program(A, out=wrong)


def test_inputs_are_given_in_their_structure_or_each_by_name() -> None:
    x, w, b, s = _inputs("x", "w", "b", "s")
    y = x * w + b - s
    expected = A * B + 1.0 - 2 * B
    one, two = np.ones(3), 2 * B
    nested = gc.compile([x, {"w": w, "rest": (b, s)}], y)
    calls = [
        nested(A, {"w": B, "rest": (one, two)}), nested(A, {"rest": [one, two], "w": B}),
        nested(A, w=B, b=one, s=two), nested(x=A, w=B, s=two, b=one),
    ]  # fmt: skip
    keyed = gc.compile({"x": x, "weights": Weights(w, b), "pair": Pair(s, None)}, y)
    calls += [
        keyed(A, Weights(B, one), Pair(two, None)), keyed(A, weights=Weights(B, one), s=two),
        keyed(x=A, weights={"w": B, "b": one}, pair=(two, None)),
    ]  # fmt: skip
    for got in calls:
        np.testing.assert_array_equal(got, expected)


def test_arguments_of_another_structure_are_refused_with_what_to_give() -> None:
    x, w, b = _inputs("x", "w", "b")
    program = gc.compile([x, {"w": w, "b": b}], x * w + b, name="f")
    for wrong in ({"w": A}, {"w": A, "b": A, "c": A}, [A, A], A):
        with pytest.raises(ArgumentError, match="of another form") as raised:
            program(A, wrong)
        assert "give {'w': w, 'b': b}" in str(raised.value)
    with pytest.raises(ArgumentError, match="got input 'w' twice"):
        program(A, {"w": A, "b": A}, w=A)
    with pytest.raises(
        ArgumentError, match=r"takes 2 inputs \(x, \{'w': w, 'b': b\}\), got 2"
    ) as e:
        program(A, w=A)
    assert "missing: b: f64[n]" in str(e.value)
    with pytest.raises(ArgumentError, match="no input 'c'"):
        program(A, c=A)


def test_inputs_with_defaults_may_be_left_out() -> None:
    x, rate, shift = (
        gc.input("x", (3,), F64),
        gc.input("rate", (), F64),
        gc.input("shift", (3,), F64),
    )
    given = B.copy()
    program = gc.compile([x, rate, shift], x * rate + shift, defaults={"rate": 10, shift: given})
    given[:] = 0
    for got, expected in (
        (program(A), A * 10 + B), (program(A, 2.0), A * 2 + B), (program(A, shift=A), A * 11),
        (program(A, 1.0, A), A * 2), (program(x=A, rate=3.0), A * 3 + B),
    ):  # fmt: skip
        np.testing.assert_array_equal(got, expected)
    with pytest.raises(ArgumentError, match="missing: x"):
        program()
    with pytest.raises(ShapeError, match="shift"):
        gc.compile([x, shift], x + shift, defaults={shift: np.ones(4)})
    with pytest.raises(DTypeError, match="rate"):
        gc.compile([x, rate], x * rate, defaults={rate: np.ones(1, np.float32)})
    with pytest.raises(ArgumentError, match="not one of the inputs"):
        gc.compile([x], x, defaults={rate: 1.0})


def test_partial_fixes_inputs_and_shares_state() -> None:
    x, y = _inputs("x", "y")
    w = gc.parameter("w", np.zeros(()))
    program = gc.compile([x, y], x - y, updates={w: w + 1.0}, name="f")
    minus, other = program.partial(y=B), program.partial(A)
    np.testing.assert_array_equal(minus(A), A - B)
    np.testing.assert_array_equal(minus(x=A), A - B)
    np.testing.assert_array_equal(other(B), A - B)
    np.testing.assert_array_equal(other.partial(B)(), A - B)
    np.testing.assert_array_equal(program(A, B), A - B)
    assert (w.value, minus.state()["w"]) == (5, 5)
    with pytest.raises(ArgumentError, match="y has a value already; its inputs are x"):
        minus(A, y=B)
    with pytest.raises(ArgumentError, match=r"takes 1 input \(x\), got 2"):
        minus(A, B)
    with pytest.raises(ShapeError):
        minus(np.zeros(4))
    with pytest.raises(ArgumentError, match="no input 'z'"):
        program.partial(z=A)


def test_files_and_pickles_keep_structures_and_values_but_no_classes(tmp_path: Path) -> None:
    x, w, b, rate = *_inputs("x", "w", "b"), gc.input("rate", (), F64)
    outputs = {"y": Pair(x * w + b, [Weights(rate * 1.0)])}
    program = gc.compile([x, Weights(w, {"b": b}), rate], outputs, defaults={rate: 0.5}, name="f")
    program = program.partial(b=B)
    program.save(tmp_path / "f.gcz")
    for loaded in (gc.jit.load(tmp_path / "f.gcz"), pickle.loads(pickle.dumps(program))):
        got = loaded(A, w=A)["y"]
        np.testing.assert_array_equal(got[0], A * A + B)
        assert type(got) is tuple and got[1][0]["w"] == 0.5 and got[1][0]["b"] is None
        assert loaded(A, w=A, rate=2.0)["y"][1][0]["w"] == 2
        with pytest.raises(ArgumentError, match="b has a value already"):
            loaded(A, w=A, b=A)
    with pytest.raises(ArgumentError, match="values for inputs"):
        gc.jit.export(program, tmp_path / "module")

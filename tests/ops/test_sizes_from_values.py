"""Sizes that are values of a call: of integer inputs, and of what is computed before it runs.

The same functions of NumPy's, given the number, are the reference; compiled, interpreted, and
loaded from a file.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faces import check_faces

import graphc as gc
from graphc.errors import CheckError, GraphcError, GraphError, IndexRangeError, ShapeError

X = np.array([3.0, 1.0, -2.0, 0.5], np.float32)
LENGTHS = np.array([2, 0, 1], np.int64)
# What takes a size s beside a vector x of four: functions of gc, and of NumPy.
TAKERS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "arange": lambda f, x, s: f.arange(s),
    "arange from": lambda f, x, s: f.arange(s, 2 * s + 1),
    "zeros": lambda f, x, s: f.zeros((s, 2), np.float32),
    "ones": lambda f, x, s: f.ones((2, s), np.float32) * s,
    "full": lambda f, x, s: f.full((s,), 2.5, np.float32),
    "eye": lambda f, x, s: f.eye(s, s + 1, dtype=np.float32),
    "linspace": lambda f, x, s: f.linspace(0, 1, s, dtype=np.float32),
    "first": lambda f, x, s: x[:s] * 2,
    "after": lambda f, x, s: x[s:],
    "last": lambda f, x, s: x[-s:],
    "but the last": lambda f, x, s: x[:-s],
    "window": lambda f, x, s: x[s : s + 2],
    "stepped": lambda f, x, s: x[s::2],
    "outer": lambda f, x, s: x[:s, None] * x[None, :s],
    "sum": lambda f, x, s: f.sum(x[:s]),
    "repeat": lambda f, x, s: f.repeat(x, s),
    "tile": lambda f, x, s: f.tile(x, s),
    "broadcast": lambda f, x, s: f.broadcast_to(x, (s, 4)),
    "roll": lambda f, x, s: f.roll(x, s),
    "pad": lambda f, x, s: f.pad(x, ((s, 1),)),
    "split": lambda f, x, s: f.split(x, [s])[1],
    "tail and head": lambda f, x, s: f.concatenate([x[s:], x[:s]]),
    "number": lambda f, x, s: x * s,
}
# Sizes, made of an integer k, or of integers: tensors here, numbers there.
SIZES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "input": lambda f, k, lengths: k,
    "arithmetic": lambda f, k, lengths: 2 * k + 1,
    "half": lambda f, k, lengths: (k + 1) // 2,
    "largest": lambda f, k, lengths: f.maximum(f.minimum(k, 3), 1),
    "sum": lambda f, k, lengths: f.sum(lengths[:k]),
    "element": lambda f, k, lengths: lengths[0] + k,
}


@pytest.mark.parametrize("level", ["O0", "O2"])
@pytest.mark.parametrize("name", SIZES)
def test_functions_take_sizes_that_are_values(name: str, level: str) -> None:
    x, k = gc.input("x", (4,)), gc.input("k", (), gc.int64)
    lengths = gc.input("lengths", (3,), gc.int64)
    size = SIZES[name](gc, k, lengths)
    inputs = [x, k, lengths] if name in ("sum", "element") else [x, k]
    results = {what: f(gc, x, size) for what, f in TAKERS.items()}
    program = gc.compile(inputs, results, level=level)

    def wanted(x: Any, k: Any, lengths: Any = None) -> Any:
        return {what: f(np, x, int(SIZES[name](np, k, lengths))) for what, f in TAKERS.items()}

    calls = [(X, k, LENGTHS)[: len(inputs)] for k in (0, 1, 2, 3, 6, 1)]
    check_faces(program, calls, wanted)


def test_one_call_binds_shapes_and_values_together() -> None:
    n, k = gc.dim("n"), gc.input("k", (), gc.int32)
    x, w = gc.input("x", (n, 3)), gc.input("w", (k, n))
    program = gc.compile([x, k, w], [w @ x * k, x[:k]])
    w1 = np.ones((2, 4), np.float32)
    x1 = np.arange(12, dtype=np.float32).reshape(4, 3)
    found = program(x1, np.int32(2), w1)
    np.testing.assert_array_equal(found[0], w1 @ x1 * 2)
    np.testing.assert_array_equal(found[1], x1[:2])
    with pytest.raises(ShapeError, match="axis 0 of input 'w' has size 2, not k = 3"):
        program(x1, np.int32(3), w1)


def test_a_scan_runs_as_often_as_an_input_says() -> None:
    x, k = gc.input("x", (4,)), gc.input("k", (), gc.int64)
    last, all_ = gc.scan(lambda c, _: (c * 2, c), gc.sum(x), length=k)
    gradient = gc.grad(last, x)
    program = gc.compile([x, k], {"last": last, "all": all_, "gradient": gradient})

    def wanted(x: Any, k: int) -> Any:
        total = x.sum()
        return {
            "last": total * 2**k,
            "all": total * 2.0 ** np.arange(k),
            "gradient": np.full(4, 2.0**k),
        }

    check_faces(program, [(X, k) for k in (0, 1, 5)], wanted)


@pytest.mark.parametrize("level", ["O0", "O2"])
def test_reshape_by_a_value(level: str) -> None:
    x, k = gc.input("x", (12,)), gc.input("k", (), gc.int64)
    rows = x.reshape(k, -1)
    results = {
        "rows": rows,
        "sums": gc.sum(rows, axis=1),
        "columns": gc.reshape(x, (-1, k)),
        "three": gc.reshape(x, (2, k, -1)),
        "gradient": gc.grad(gc.sum(rows * gc.arange(k)[:, None]), x),
    }
    program = gc.compile([x, k], results, level=level)

    def wanted(x: Any, k: int) -> Any:
        return {
            "rows": x.reshape(k, -1),
            "sums": x.reshape(k, -1).sum(1),
            "columns": x.reshape(-1, k),
            "three": x.reshape(2, k, -1),
            "gradient": np.repeat(np.arange(k), 12 // k),
        }

    array = np.arange(12, dtype=np.float32)
    check_faces(program, [(array, k) for k in (1, 2, 3, 6)], wanted)
    for bad in (0, 5, 24):
        with pytest.raises(CheckError, match="elements together do not divide 12") as error:
            program(array, bad)
        assert "test_sizes_from_values.py" in str(error.value)


def test_a_window_of_fixed_size_slides_in_a_loop_and_must_be_inside() -> None:
    x, k = gc.input("x", (gc.dim("n"),)), gc.input("k", (), gc.int64)
    _, windows = gc.scan(lambda c, t: (c, x[t : t + 2]), 0, gc.arange(k))
    _, narrowed = gc.scan(lambda c, t: (c, gc.narrow(x, 0, t, 3)), 0, gc.arange(k))
    total = gc.sum(windows * windows) / 2
    program = gc.compile([x, k], {"two": windows, "three": narrowed, "slope": gc.grad(total, x)})

    def wanted(x: Any, k: int) -> Any:
        windows = np.lib.stride_tricks.sliding_window_view(x, 2)[:k]
        slope = np.zeros(4)
        for t in range(k):
            slope[t : t + 2] += x[t : t + 2]
        return {
            "two": windows,
            "three": np.lib.stride_tricks.sliding_window_view(x, 3)[:k],
            "slope": slope,
        }

    check_faces(program, [(X, k) for k in (1, 2)], wanted)
    with pytest.raises(IndexRangeError, match="index 4 .*size 4"):
        program(X, 3)
    start = gc.input("start", (3,), gc.int64)
    moved = gc.map(lambda t: x[t - 1 : t + 1], start)
    with pytest.raises(IndexRangeError, match="size 4"):
        gc.compile([x, start], moved)(X, np.array([1, 2, 0]))


def test_a_stated_bound_is_checked_and_makes_sizes_fixed() -> None:
    x, k = gc.input("x", (4,)), gc.input("k", (), gc.int64)
    size = gc.dim(k, min=1, max=2)
    pair = x[size : size + 2]
    assert pair.shape == (2,) and gc.arange(k).shape == (size,)
    best, places = gc.topk(x, size)
    program = gc.compile([x, k], [pair * gc.constant(np.array([1.0, 2.0], np.float32)), best])
    np.testing.assert_array_equal(program(X, 2)[0], [-2.0, 1.0])
    np.testing.assert_array_equal(program(X, 2)[1], [3.0, 1.0])
    for bad in (0, 3, -1):
        with pytest.raises(
            ShapeError, match=f"'k' is {bad}; as a size it is at least 1 and at most 2"
        ) as error:
            program(X, bad)
        assert "test_sizes_from_values.py" in str(error.value)
    even = gc.input("even", (), gc.int64)
    halves = gc.compile([even], gc.zeros((gc.dim(even, multiple_of=2),)))
    assert halves(4).shape == (4,)
    with pytest.raises(ShapeError, match="a multiple of 2"):
        halves(3)


@pytest.mark.parametrize("target", ["cpu", "reference"])
def test_sizes_that_cannot_be_are_refused_when_they_are_called(target: str) -> None:
    x, k = gc.input("x", (4,)), gc.input("k", (), gc.int64)
    program = gc.compile([x, k], [gc.zeros((k - 2,)), gc.arange(gc.sum(x).astype(gc.int64))])
    assert [a.shape for a in program(X, 3)] == [(1,), (2,)]
    with pytest.raises(ShapeError, match="'k' is -1; as a size it is at least 0"):
        program(X, -1)
    with pytest.raises(ShapeError, match=r"k - 2 = -1"):
        program(X, 1)
    with pytest.raises(ShapeError, match="cast, a computed size, is -2"):
        program(-X, 3)


def test_names_that_mean_two_sizes_and_inputs_that_are_missing_are_errors() -> None:
    k, x = gc.input("k", (), gc.int64), gc.input("x", (gc.dim("k"),))
    with pytest.raises(GraphError, match="name of two sizes"):
        gc.compile([x, k], [x, gc.arange(k)])
    with pytest.raises(GraphError, match="the value of an input, which is not listed"):
        gc.compile([], gc.arange(k))
    with pytest.raises(GraphError, match="depends on input 'x', which is not listed"):
        gc.compile([], gc.arange(gc.sum(x).astype(gc.int64)))
    for use in (gc.arange, lambda s: gc.zeros((s, 2)), lambda s: x[:s], lambda s: gc.tile(x, s)):
        for bad in (gc.sum(x), gc.input("v", (2,), gc.int64)):
            with pytest.raises(GraphcError, match="is no size") as error:
                use(bad)
            assert len(str(error.value).splitlines()) <= 12


def test_clone_replaces_what_sizes_are_made_of() -> None:
    x, y = gc.input("x", (4,)), gc.input("y", (4,))
    k, j = gc.input("k", (), gc.int64), gc.input("j", (), gc.int64)
    counted = gc.clone([x[x > 0], gc.arange(k) * k], replace={x: -y, k: j + 1})
    found = gc.compile([y, j], counted)(X, 2)
    np.testing.assert_array_equal(found[0], [2.0])
    np.testing.assert_array_equal(found[1], [0, 3, 6])


def test_the_text_and_numpy_code_of_a_program_know_its_sizes(tmp_path: Any) -> None:
    k = gc.input("k", (), gc.int64)
    program = gc.compile([k], gc.arange(gc.dim(k, max=9)) * k)
    shown = gc.text.show(program.graph)
    assert "@dims(k=(0, 9, 1, 'value'))" in shown
    assert gc.text.show(gc.text.parse(shown)) == shown
    gc.jit.export(program, tmp_path)
    namespace: dict[str, Any] = {"__file__": str(tmp_path / "model.py"), "__name__": "model"}
    exec((tmp_path / "model.py").read_text(), namespace)
    np.testing.assert_array_equal(namespace["program"](np.int64(3)), [0, 3, 6])
    with pytest.raises(ValueError, match="k = 10"):
        namespace["program"](np.int64(10))
    again = pickle.loads(pickle.dumps(program))
    np.testing.assert_array_equal(again(2), [0, 2])


@pytest.mark.parametrize("level", ["O0", "O2"])
def test_what_a_value_says_is_checked_when_a_program_is_called(level: str) -> None:
    x, k, j = gc.input("x", (12,)), gc.input("k", (), gc.int64), gc.input("j", (), gc.int64)
    array = np.random.default_rng(0).permutation(12).astype(np.float32)
    both = gc.compile([x, k, j], x.reshape(k, j) * 2, level=level)
    for rows, columns in ((3, 4), (12, 1), (1, 12), (2, 6)):
        np.testing.assert_array_equal(both(array, rows, columns), array.reshape(rows, columns) * 2)
    for rows, columns in ((3, 3), (3, 5), (5, 2), (0, 4)):
        with pytest.raises(CheckError, match="do not make 12"):
            both(array, rows, columns)
    pairs = gc.compile([x, k], x.reshape(k, 2), level=level)
    np.testing.assert_array_equal(pairs(array, 6), array.reshape(6, 2))
    best = gc.compile([x, k], gc.topk(x, k), level=level)
    for count in (0, 1, 5, 12):
        values, places = best(array, count)
        np.testing.assert_array_equal(values, np.sort(array)[::-1][:count])
        np.testing.assert_array_equal(array[places], values)
    with pytest.raises(CheckError, match="k is 13, along an axis of 12"):
        best(array, 13)


def test_widths_lengths_and_counts_are_values_too() -> None:
    x, k = gc.input("x", (4,)), gc.input("k", (), gc.int64)
    places = gc.input("places", (3,), gc.int64)
    array = np.arange(4, dtype=np.float32)
    padded = gc.compile([x, k], gc.nn.functional.pad(x, (k, 1), value=2.0))
    spaced = gc.compile([k], gc.logspace(0, 2, k))
    powers = gc.compile([x], gc.logspace(x[0], x[1], 3, base=2.0))
    counts = gc.compile([places, k], gc.bincount(places, minlength=k))
    for size in (0, 1, 3):
        wanted = np.pad(array, (size, 1), constant_values=2)
        np.testing.assert_array_equal(padded(array, size), wanted)
        np.testing.assert_allclose(spaced(size), np.logspace(0, 2, size), rtol=1e-5)
    np.testing.assert_allclose(powers(array), np.logspace(0, 1, 3, base=2), rtol=1e-6)
    for size in (3, 5):
        assert counts(np.array([2, 0, 2]), size).tolist() == [1, 0, 2, 0, 0][:size]
    with pytest.raises(IndexRangeError):
        counts(np.array([2, 0, 2]), 2)


def test_many_sizes_that_values_say_are_found_quickly() -> None:
    x = gc.input("x", (4,))
    sizes = [gc.arange(gc.cast(gc.sum(x) * float(k), gc.int64)) for k in range(300)]
    assert len({s.shape for s in sizes}) == 300
    again = gc.arange(gc.cast(gc.sum(x) * 7.0, gc.int64))
    assert again.shape == sizes[7].shape

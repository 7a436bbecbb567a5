"""Indices as data: NumPy's values, errors for what is outside, exact gradients; sorting; scans."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import agree, check_gradient, evaluate

import graphc.ops  # noqa: F401
from graphc.core import dims
from graphc.core.ir import is_checked
from graphc.core.operators import FUNCTIONS
from graphc.errors import DTypeError, IndexRangeError, ShapeError
from graphc.ops.source import input as placeholder

RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 4, 5))
INDEX = np.array([[2, -1], [0, 2]])


def gc(name: str) -> Any:
    return FUNCTIONS[name]


@pytest.mark.parametrize("dtype", ["int64", "int32", "int8", "uint8", "uint64"])
@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_take_is_numpys(dtype: str, axis: int | None) -> None:
    index = np.abs(INDEX).astype(dtype) if dtype[0] == "u" else INDEX.astype(dtype)
    agree(
        lambda x, i: gc("take")(x, i, axis),
        lambda x, i: np.take(x, i.astype(np.int64), axis),
        X,
        index,
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_take_has_exact_gradients(axis: int) -> None:
    check_gradient(lambda x: gc("take")(x, constant(INDEX), axis), X)


def constant(array: Any) -> Any:
    return FUNCTIONS["constant"](array)


def test_take_along_axis_is_numpys_and_broadcasts() -> None:
    order = np.argsort(X, 1)
    agree(lambda x, i: gc("take_along_axis")(x, i, 1), lambda x, i: np.take_along_axis(x, i, 1),
          X, order)  # fmt: skip
    first = order[:, :1]
    found = evaluate(lambda x, i: gc("take_along_axis")(x, i, 1), X, first[:, :, :1])
    np.testing.assert_array_equal(
        found, np.take_along_axis(X, np.broadcast_to(first[:, :, :1], (3, 1, 5)), 1)
    )


@pytest.mark.parametrize("count", [1, 2, 4])
def test_take_along_axis_has_exact_gradients(count: int) -> None:
    index = RNG.integers(-4, 4, (3, count, 5))
    check_gradient(lambda x: gc("take_along_axis")(x, constant(index), 1), X)


@pytest.mark.parametrize("bad", [3, -4])
@pytest.mark.parametrize(
    "build",
    [
        lambda x, i: gc("take")(x, i, 0),
        lambda x, i: x[i],
        lambda x, i: gc("take_along_axis")(x, i, 0),
        lambda x, i: gc("scatter_add")(x, i, 1.0, 0),
        lambda x, i: gc("index_add")(x, i, 1.0),
        lambda x, i: gc("index_update")(x, i, 1.0),
        lambda x, i: gc("one_hot")(i, 3),
    ],
)
def test_index_outside_is_an_error_with_value_and_size(build: Any, bad: int) -> None:
    with pytest.raises(IndexRangeError, match=rf"index {bad} .*size 3"):
        evaluate(build, np.zeros(3), np.array([1, bad, 0]))


def test_float_indices_are_refused_where_written() -> None:
    x = placeholder("x", (3,))
    for name in ("take", "take_along_axis"):
        with pytest.raises(DTypeError, match=r"test_indexing\.py"):
            gc(name)(x, x, 0)


def test_one_hot_marks_the_index() -> None:
    found = evaluate(lambda i: gc("one_hot")(i, 4), np.array([[0, 3], [-1, 2]]))
    np.testing.assert_array_equal(found, np.eye(4, dtype=np.float32)[[[0, 3], [3, 2]]])


def test_scatter_add_adds_duplicates_in_order() -> None:
    index = RNG.integers(-4, 4, (3, 6, 5))
    updates = RNG.normal(size=index.shape)
    wanted = X.copy()
    for a, b, c in np.ndindex(*index.shape):
        wanted[a, index[a, b, c], c] += updates[a, b, c]
    found = evaluate(lambda x, i, u: gc("scatter_add")(x, i, u, 1), X, index, updates)
    np.testing.assert_array_equal(found, wanted)
    check_gradient(lambda x, u: gc("scatter_add")(x, constant(index), u, 1), X, updates)


def test_index_add_adds_rows() -> None:
    index, updates = np.array([2, 0, -1]), RNG.normal(size=(3, 3, 5))
    wanted = X.copy()
    for k, place in enumerate(index):
        wanted[:, place] += updates[:, k]
    found = evaluate(lambda x, i, u: gc("index_add")(x, i, u, 1), X, index, updates)
    np.testing.assert_array_equal(found, wanted)
    check_gradient(lambda x, u: gc("index_add")(x, constant(index), u, 1), X, updates)


def test_index_update_lets_the_last_value_win_and_have_the_gradient() -> None:
    index, values = np.array([2, 0, -1, 2]), RNG.normal(size=(3, 4, 5))
    wanted = X.copy()
    for k, place in enumerate(index):
        wanted[:, place] = values[:, k]
    found = evaluate(lambda x, i, v: gc("index_update")(x, i, v, 1), X, index, values)
    np.testing.assert_array_equal(found, wanted)
    check_gradient(lambda x, v: gc("index_update")(x, constant(index), v, 1), X, values)


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_sort_is_numpys(axis: int | None) -> None:
    x = RNG.choice([1.0, -2.0, np.nan, np.inf, 0.0, -np.inf], (4, 7, 3))
    agree(lambda t: gc("sort")(t, axis), lambda t: np.sort(t, axis), x)
    agree(lambda t: gc("argsort")(t, axis), lambda t: np.argsort(t, axis, kind="stable"), x)


def test_descending_sort_is_stable_with_nan_first() -> None:
    x = np.array([1.0, np.nan, 2.0, 1.0, np.nan, -np.inf])
    found = evaluate(lambda t: gc("argsort")(t, descending=True), x)
    assert isinstance(found, np.ndarray) and found.tolist() == [1, 4, 2, 0, 3, 5]


def test_sort_and_topk_have_exact_gradients() -> None:
    check_gradient(lambda x: gc("sort")(x, 1), X)
    check_gradient(lambda x: gc("topk")(x, 2, 1)[0], X)


def test_topk_takes_the_greatest_first_ones() -> None:
    x = np.array([[3, 1, 3, 2], [0, 5, 5, 5]])
    values, index = evaluate(lambda t: gc("topk")(t, 2), x)
    assert values.tolist() == [[3, 3], [5, 5]] and index.tolist() == [[0, 2], [1, 2]]
    values, index = evaluate(lambda t: gc("topk")(t, 1, 0, largest=False), x)
    assert values.tolist() == [[0, 1, 3, 2]] and index.tolist() == [[1, 0, 0, 0]]


def test_topk_of_a_symbolic_axis_needs_a_known_minimum() -> None:
    with pytest.raises(ShapeError, match=r"min=k"):
        gc("topk")(placeholder("x", (dims.dim("n"),)), 2)
    assert gc("topk")(placeholder("x", (dims.dim("m", min=2),)), 2)[0].shape == (2,)


def test_sorting_is_not_checked_at_run_time() -> None:
    x = placeholder("x", (4,))
    assert not is_checked(gc("sort")(x)) and is_checked(gc("take")(x, [1]))


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted_is_numpys(side: Any) -> None:
    x, v = np.array([1.0, 2.0, 2.0, 5.0]), np.array([[0.0, 2.0], [5.0, 9.0]])
    agree(lambda a, b: gc("searchsorted")(a, b, side), lambda a, b: np.searchsorted(a, b, side),
          x, v)  # fmt: skip


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
@pytest.mark.parametrize("axis", [0, 2, None])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "uint8", "bool"])
def test_scans_are_numpys(name: str, axis: int | None, dtype: str) -> None:
    x = np.abs(X * 3).astype(dtype)
    if x.dtype.kind != "f":
        agree(lambda t: gc(name)(t, axis), lambda t: getattr(np, name)(t, axis), x)
        return
    found = evaluate(lambda t: gc(name)(t, axis), x)
    exact = getattr(np, name)(x.astype(np.longdouble), axis)
    assert found.dtype == x.dtype  # type: ignore[union-attr]
    # Each product of float64 rounds once more; sums keep what they lose.
    roundings = x.size if name == "cumprod" else 1
    np.testing.assert_allclose(found, exact, rtol=roundings * np.finfo(dtype).eps)  # type: ignore[call-overload]


@pytest.mark.parametrize("reverse", [False, True])
def test_exclusive_scans_leave_out_the_element(reverse: bool) -> None:
    x = np.array([2.0, 3.0, 5.0, 7.0])
    sums = evaluate(lambda t: gc("cumsum")(t, 0, reverse=reverse, exclusive=True), x)
    products = evaluate(lambda t: gc("cumprod")(t, 0, reverse=reverse, exclusive=True), x)
    assert sums.tolist() == ([15, 12, 7, 0] if reverse else [0, 2, 5, 10])  # type: ignore[union-attr]
    assert products.tolist() == ([105, 35, 7, 1] if reverse else [1, 2, 6, 30])  # type: ignore[union-attr]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_scans_have_exact_gradients_also_at_zeros(reverse: bool, zeros: int) -> None:
    x = RNG.normal(size=(2, 5))
    x[:, [1, 3][:zeros]] = 0
    check_gradient(lambda t: gc("cumprod")(t, 1, reverse=reverse), x)
    check_gradient(lambda t: gc("cumsum")(t, 1, reverse=reverse), x)
    check_gradient(lambda a, b: gc("recurrence")(a, b, 1, reverse=reverse), x, x[::-1].copy())

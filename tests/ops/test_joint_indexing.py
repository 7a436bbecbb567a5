"""An index of several arrays, read, replaced and added to: NumPy's values, exact gradients."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from reference import agree, check_gradient, evaluate

import graphc as gc
from graphc.errors import IndexRangeError, ShapeError

RNG = np.random.default_rng(11)
X = RNG.normal(size=(3, 4, 2, 5))
PARTS: dict[str, Any] = {
    ":": slice(None),
    "1:": slice(1, None),
    "::2": slice(None, None, 2),
    "None": None,
    "...": ...,
    "1": 1,
    "-1": -1,
    "t": np.array([1, 0, -1]),
    "u": np.array([[0], [1]]),
    "0-d": np.array(1),
}


def _forms() -> list[tuple[str, ...]]:
    """Every index of up to three parts with at least one array, and random ones of five."""
    short = [f for n in (1, 2, 3) for f in itertools.product(PARTS, repeat=n)]
    names = list(PARTS)
    longer = [tuple(RNG.choice(names, size=5)) for _ in range(300)]
    return [f for f in short + longer if {"t", "u"} & set(f) and _is_index(f)]


def _is_index(form: tuple[str, ...]) -> bool:
    try:
        return X[index_of(form)].size > 0
    except IndexError:
        return False


def index_of(form: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(PARTS[name] for name in form)


FORMS = _forms()


def given(form: tuple[str, ...], nodes: Iterator[Any]) -> tuple[Any, ...]:
    """The index of a form, with nodes in place of its arrays."""
    return tuple(next(nodes) if isinstance(PARTS[n], np.ndarray) else PARTS[n] for n in form)


def arrays_of(form: tuple[str, ...]) -> list[np.ndarray]:
    return [PARTS[n] for n in form if isinstance(PARTS[n], np.ndarray)]


def in_turn(places: np.ndarray, values: np.ndarray) -> np.ndarray:
    """X with elements replaced one by one: where places come twice NumPy promises nothing."""
    result = X.copy().ravel()
    for place, value in zip(places.ravel(), values.ravel()):
        result[place] = value
    return result.reshape(X.shape)


def added(index: Any, values: np.ndarray) -> np.ndarray:
    result = X.copy()
    np.add.at(result, index, values)
    return result


@pytest.mark.parametrize("first", PARTS)
def test_a_joint_index_reads_and_writes_what_numpy_does(first: str) -> None:
    for form in (f for f in FORMS if f[0] == first):
        _check(form, index_of(form), arrays_of(form))


def _check(form: tuple[str, ...], index: Any, arrays: list[np.ndarray]) -> None:
    places = np.arange(X.size).reshape(X.shape)[index]
    new = np.arange(1.0, places.size + 1).reshape(places.shape)
    same(lambda x, *i: x[given(form, iter(i))], X[index], X, *arrays)
    same(lambda x, *i: x.at[given(form, iter(i))].set(new), in_turn(places, new), X, *arrays)
    same(lambda x, *i: x.at[given(form, iter(i))].add(new), added(index, new), X, *arrays)


def same(function: Any, wanted: Any, *arrays: Any) -> None:
    found = evaluate(function, *arrays)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, wanted, strict=True)


def test_a_joint_index_reads_symbolic_sizes() -> None:
    t = PARTS["t"]
    agree(lambda x, i: x[i, :, i], lambda x, i: x[i, :, i], X, t % 2)
    agree(lambda x, i: x[..., i, None, i], lambda x, i: x[..., i, None, i], X, t % 2)
    agree(lambda x, i: x.at[i, 1:, i].add(1.0), lambda x, i: x + 0, X, np.zeros(0, np.int64))


@pytest.mark.parametrize("form", [("t", "u"), (":", "t", "u"), ("t", ":", "u"), ("1", ":", "t")])
def test_a_joint_index_has_exact_gradients(form: tuple[str, ...]) -> None:
    arrays = [gc.constant(a) for a in arrays_of(form)]
    new = RNG.normal(size=X[index_of(form)].shape)
    check_gradient(lambda x: x[given(form, iter(arrays))], X)
    check_gradient(lambda x, v: x.at[given(form, iter(arrays))].set(v), X, new)
    check_gradient(lambda x, v: x.at[given(form, iter(arrays))].add(v), X, new)


def test_compiled_reads_and_writes_are_numpys() -> None:
    x, t, u = gc.input("x", (gc.dim("n"), 4)), gc.input("t", (3,), gc.int64), PARTS["u"]
    a, i = RNG.normal(size=(5, 4)).astype(np.float32), PARTS["t"]
    read, put, more = gc.compile([x, t], [x[t, u], x.at[t, 1:].set(0.5), x.at[t, u].add(2.0)])(a, i)
    np.testing.assert_array_equal(read, a[i, u])
    wanted = a.copy()
    wanted[i, 1:] = 0.5
    np.testing.assert_array_equal(put, wanted)
    wanted = a.copy()
    np.add.at(wanted, (i, u), 2.0)
    np.testing.assert_allclose(more, wanted, rtol=1e-6)


@pytest.mark.parametrize("as_mask", [np.asarray, np.ndarray.tolist, gc.tensor, gc.constant])
def test_a_known_mask_means_the_places_where_it_is_true(as_mask: Any) -> None:
    mask = X[..., 0] > 0
    same(lambda x: x[as_mask(mask)], X[mask], X)
    same(lambda x: x[:, as_mask(mask[0])], X[:, mask[0]], X)
    last = X[0, 0] > 0
    same(lambda x: x[0, ..., as_mask(last)], X[0, ..., last], X)
    with pytest.raises(IndexRangeError, match="mask of shape"):
        gc.input("x", (3, 4))[..., as_mask(np.array([True, False, True]))]
    same(lambda x: x.at[as_mask(mask)].set(0.0), np.where(mask[..., None], 0, X), X)


def test_a_mask_of_the_graph_writes_and_reads() -> None:
    agree(lambda x: x.at[x > 0].set(-1.0), lambda x: np.where(x > 0, -1.0, x), X)
    agree(lambda x: x.at[x > 0].add(-1.0), lambda x: np.where(x > 0, x - 1.0, x), X)
    agree(lambda x: x[x > 0], lambda x: x[x > 0], X)
    agree(lambda x: x[:, x[0, :, 0, 0] > 0], lambda x: x[:, x[0, :, 0, 0] > 0], X)
    x = gc.input("x", (3,))
    with pytest.raises(ShapeError, match="mask"):
        gc.input("y", (4, 3)).at[x > 0].set(0.0)


def test_eager_tensors_and_nodes_index_each_other() -> None:
    agree(lambda x: x[gc.tensor([0, 2])], lambda x: x[[0, 2]], X)
    table = gc.tensor(X[0, 0])
    agree(lambda i: table[i, i], lambda i: X[0, 0][i, i], np.array([0, 1]))


@pytest.mark.parametrize("bad", [3, -4])
def test_an_index_outside_its_own_axis_is_an_error_beside_others(bad: int) -> None:
    x, t = gc.input("x", (3, 4)), gc.input("t", (2,), gc.int64)
    for result in (x[t, t], x.at[t, t].set(0.0), x.at[t, t].add(1.0)):
        with pytest.raises(IndexRangeError, match=rf"index {bad} .*size 3"):
            gc.compile([x, t], result)(np.zeros((3, 4), np.float32), np.array([0, bad]))

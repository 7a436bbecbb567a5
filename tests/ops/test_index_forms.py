"""Every form of index, read and written in every way: NumPy's values and gradients, interpreted,
compiled and eagerly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference import evaluate

import graphc as gc
from graphc.errors import IndexRangeError

RNG = np.random.default_rng(5)
X = RNG.permutation(60).reshape(4, 3, 5) / 7.0 - 4.0
MASK = RNG.random(X.shape) < 0.4
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def _t(*values: Any, dtype: str = "int64") -> np.ndarray:
    return np.array(values, dtype)


# Arrays stand for nodes where they hold integers; masks are known.
FORMS: dict[str, Any] = {
    "int": 1, "negative": -1, "ints": (0, -1), "all ints": (1, 2, -3), "nothing": (),
    "...": ..., "None": None, "None, int": (None, 2), "int, None": (2, None, slice(1, 3)),
    "slice": slice(1, 3), "step": slice(None, None, 2), "back": slice(None, None, -1),
    "back by two": slice(3, 0, -2), "none left": slice(3, 1), "beyond": slice(-9, 9),
    "last axis": (..., slice(1, None)), "two slices": (slice(1), slice(None, None, -1)),
    "int, slice": (1, slice(None), slice(0, 4, 3)), "..., int": (..., 0),
    **{f"{d}": _t(2, 0, 2, dtype=d) for d in INTEGERS},
    "negative places": _t(-1, 0, -4, -1), "one place": _t(3), "a number": np.int64(2),
    "0-d": _t(1).reshape(()), "0-d, 0-d": (_t(1).reshape(()), _t(-1).reshape(())),
    "no place": _t(), "of rank 2": _t([0, 1], [3, 3]), "a list": [0, -1],
    "second axis": (slice(None), _t(2, 2, 0)), "last": (..., _t(4, -1, 4)),
    "joint": (_t(0, 1, 0), _t(2, -1, 2)), "crossed": (_t([0], [2]), _t(1, 1)),
    "all joint": (_t(0, 0), _t(1, 1), _t(-1, 4)), "apart": (_t(0, 1), slice(None), _t(2, 2)),
    "int apart": (0, slice(None), _t(2, 2)), "int beside": (0, _t(2, 2)),
    "slice, arrays": (slice(1, None), _t(0, 2), _t(1, 1)), "None, array": (None, _t(1, 1)),
    "array, None": (_t(1, 1), None, slice(None, None, 2)), "array, int": (_t(1, 0), -1),
    "mask": MASK, "mask of rows": _t(True, False, True, True, dtype="bool"),
    "mask of two": MASK[..., 0], "mask, slice": (MASK[:, 0, 0], slice(1)),
    "mask, array": (MASK[:, 0, 0], _t(1)), "no mask": np.zeros(X.shape, bool),
}  # fmt: skip
# What is written, by element, and the gradients of one write to y at x, and at the value.
WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "set": lambda old, new: new,
    "add": lambda old, new: old + new,
    "subtract": lambda old, new: old - new,
    "multiply": lambda old, new: old * new,
    "max": max,
    "min": min,
}


def _nodes(form: Any, make: Callable[[np.ndarray], Any]) -> Any:
    """An index with what `make` gives for its arrays of integers, in order."""
    items = form if isinstance(form, tuple) else (form,)
    made = [make(i) if isinstance(i, np.ndarray) and i.dtype.kind in "iu" else i for i in items]
    return tuple(made) if isinstance(form, tuple) else made[0]


def _arrays(form: Any) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    _nodes(form, lambda array: found.append(array))
    return found


def _places(form: Any) -> np.ndarray:
    return np.arange(X.size).reshape(X.shape)[form]


def _values(form: Any) -> np.ndarray:
    shape = _places(form).shape
    return np.asarray((RNG.permutation(int(np.prod(shape))).reshape(shape) - 1.6) / 3.0)


def _written(form: Any, values: np.ndarray, write: Callable[[Any, Any], Any]) -> np.ndarray:
    result = X.copy().ravel()
    for place, value in zip(_places(form).ravel(), values.ravel()):
        result[place] = write(result[place], value)
    return result.reshape(X.shape)


def _slopes(form: Any, values: np.ndarray, how: str, ct: np.ndarray) -> list[np.ndarray]:
    """Central differences of a projection, at x and at the values.

    It is linear in each of them, but for kinks that lie 1/105 apart: only rounding is far off.
    """
    found = []
    for which in (X, values):
        slope = np.zeros(which.shape)
        for at in np.ndindex(which.shape):
            ends, kept = [], which[at]
            for step in (1e-4, -1e-4):
                which[at] = kept + step
                ends.append(float((_written(form, values, WRITES[how]) * ct).sum()))
            which[at] = kept
            slope[at] = (ends[0] - ends[1]) / 2e-4
        found.append(slope)
    return found


def _graph(form: Any, how: str) -> tuple[list[Any], list[Any]]:
    """Inputs, and the results of reading or writing with the gradients of a projection."""
    x = gc.input("x", X.shape, gc.float64)
    places: list[Any] = []

    def make(array: np.ndarray) -> Any:
        places.append(gc.input(f"i{len(places)}", array.shape, array.dtype))
        return places[-1]

    index = _nodes(form, make)
    v = gc.input("v", _places(form).shape, gc.float64)
    y = x[index] if how == "get" else getattr(x.at[index], how)(v)
    ct = gc.input("ct", v.shape if how == "get" else x.shape, gc.float64)
    over = [x] if how == "get" else [x, v]
    return [*over, *places, ct], [y, *gc.grad(gc.sum(y * ct), over)]


def _wanted(form: Any, how: str, values: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """A cotangent, and what `_graph` must give with it."""
    if how == "get":
        read = X[form]
        ct = RNG.standard_normal(read.shape)
        slope = np.zeros(X.size)
        np.add.at(slope, _places(form).ravel(), ct.ravel())
        return ct, [read, slope.reshape(X.shape)]
    ct = RNG.standard_normal(X.shape)
    return ct, [_written(form, values, WRITES[how]), *_slopes(form, values, how, ct)]


def _check(name: str, how: str, run: Callable[..., Any]) -> None:
    form = FORMS[name]
    values = _values(form)
    ct, wanted = _wanted(form, how, values)
    inputs, outputs = _graph(form, how)
    given = [X] if how == "get" else [X, values]
    found = run(inputs, outputs, [*given, *_arrays(form), ct])
    for left, right in zip(found, wanted, strict=True):
        assert left.shape == right.shape
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-7, err_msg=f"{name} {how}")


@pytest.mark.parametrize("how", ["get", *WRITES])
@pytest.mark.parametrize("name", FORMS)
def test_interpreted_forms(name: str, how: str) -> None:
    def run(inputs: Any, outputs: Any, arrays: Any) -> Any:
        return gc.compile(inputs, outputs, level="O0", target="reference")(*arrays)

    _check(name, how, run)


COMPILED = ["ints", "back by two", "uint8", "negative places", "crossed", "apart", "mask, slice"]


def _compiled(inputs: Any, outputs: Any, arrays: Any) -> Any:
    return gc.compile(inputs, outputs)(*arrays)


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_forms(name: str) -> None:
    for how in ("get", "set", "multiply", "max"):
        _check(name, how, _compiled)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["get", *WRITES])
@pytest.mark.parametrize("name", FORMS)
def test_all_compiled_forms(name: str, how: str) -> None:
    _check(name, how, _compiled)


# PyTorch, and so the eager face, has no negative steps, and takes uint8 for bools.
EAGER = [n for n in FORMS if n not in ("back", "back by two", "two slices", "uint8")]


def _ints_first(form: Any) -> np.ndarray:
    """What PyTorch reads: ints select before arrays are joined, where NumPy joins them too."""
    if not isinstance(form, tuple):
        return X[form]
    axes = [i for i in form if i is not None]
    selected = X[tuple(i if isinstance(i, int) or i is ... else slice(None) for i in axes)]
    return selected[tuple(i for i in form if not isinstance(i, int))]


@pytest.mark.parametrize("name", EAGER)
def test_eager_forms(name: str) -> None:
    form = FORMS[name]
    index = _nodes(form, gc.tensor)
    x = gc.tensor(X, requires_grad=True)
    places = _places(form)
    read = x[index]
    np.testing.assert_array_equal(read.detach().numpy(), _ints_first(form))
    if read.shape != places.shape:  # PyTorch lets ints select first
        return
    ct = RNG.standard_normal(places.shape)
    (read * gc.tensor(ct)).sum().backward()
    slope = np.zeros(X.size)
    np.add.at(slope, places.ravel(), np.asarray(ct).ravel())
    np.testing.assert_allclose(x.grad.numpy(), slope.reshape(X.shape))
    written, values = gc.tensor(X.copy()), _values(form)
    written[index] = gc.tensor(values)
    np.testing.assert_array_equal(written.numpy(), _written(form, values, WRITES["set"]))


OUTSIDE = {"above": _t(0, 4), "below": _t(-5, 1), "uint": _t(2**63, 0, dtype="uint64"),
           "far": _t(-(2**62), 0)}  # fmt: skip


@pytest.mark.parametrize("level", ["O0", "O2"])
@pytest.mark.parametrize("how", ["get", *WRITES, "divide", "power"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_places_outside_are_an_error_that_names_them(name: str, how: str, level: str) -> None:
    i = OUTSIDE[name]
    x, node = gc.input("x", X.shape, gc.float64), gc.input("i", i.shape, i.dtype)
    y = x[node] if how == "get" else getattr(x.at[node], how)(2.0)
    with pytest.raises(IndexRangeError, match="is out of range for an axis of size 4"):
        gc.compile([x, node], y, level=level)(X, i)


@pytest.mark.parametrize("how", list(WRITES))
def test_masks_of_values_that_are_not_known_are_written_and_read(how: str) -> None:
    def run(x: Any, mask: Any) -> Any:
        return getattr(x.at[mask], how)(2.0)

    wanted = np.where(MASK, np.vectorize(WRITES[how])(X, 2.0), X)
    np.testing.assert_array_equal(evaluate(run, X, MASK), wanted)
    np.testing.assert_array_equal(evaluate(lambda x, mask: x[mask], X, MASK), X[MASK])


def test_divide_and_power_are_by_the_product_of_what_is_for_a_place() -> None:
    i, v = _t(2, 0, 2), np.array([2.0, 4.0, 3.0])
    x = np.abs(X) + 1
    factors = np.ones((4, 1, 1))
    factors[:3, 0, 0] = 4, 1, 6
    for how, wanted in (("divide", x / factors), ("power", x**factors)):
        found = evaluate(
            lambda x, i, v, h=how: getattr(x.at[i, :, :], h)(v[:, None, None]), x, i, v
        )
        np.testing.assert_allclose(found, wanted)


@pytest.mark.parametrize("mode", ["clip", "wrap", "fill"])
@pytest.mark.parametrize("form", ["rows", "second", "joint", "int"])
def test_reads_outside_by_their_mode(form: str, mode: str) -> None:
    i, u = _t(0, -1, 7, -9, 4, 3), _t(2, -3, 3, -4, 0, 1)
    forms: dict[str, Any] = {
        "rows": (i,),
        "second": (slice(1, 3), u),
        "joint": (i, u),
        "int": (7, u),
    }
    axes = {"rows": (0,), "second": (1,), "joint": (0, 1), "int": (0, 1)}[form]
    sizes = [X.shape[a] for a in axes]
    given = [p for p in forms[form] if not isinstance(p, slice)]
    normal = [np.where(np.asarray(p) < 0, np.asarray(p) + n, p) for p, n in zip(given, sizes)]
    inside = [(p >= 0) & (p < n) for p, n in zip(normal, sizes)]
    if mode == "wrap":
        kept = [np.asarray(p) % n for p, n in zip(given, sizes)]
    else:
        kept = [np.clip(p, 0, n - 1) for p, n in zip(normal, sizes)]
    rest = iter(kept)
    wanted = X[tuple(p if isinstance(p, slice) else next(rest) for p in forms[form])]
    if mode == "fill":
        ok = np.logical_and.reduce(np.broadcast_arrays(*inside))
        shape = [1] * wanted.ndim
        shape[1 if form == "second" else 0] = ok.size
        wanted = np.where(ok.reshape(shape), wanted, -7.0)
    arrays = _arrays(forms[form])

    def run(x: Any, *nodes: Any) -> Any:
        rest = iter(nodes)
        return x.at[_nodes(forms[form], lambda _: next(rest))].get(mode, -7.0)

    np.testing.assert_array_equal(evaluate(run, X, *arrays), wanted)

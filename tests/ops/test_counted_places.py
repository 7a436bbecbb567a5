"""Results whose size depends on data, beside NumPy's: masks, nonzero, unique, repeats by counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faces import check_faces

import graphc as gc
from graphc.errors import CheckError

ROWS = np.array([[0, 2, 2], [3, 0, -1]], np.float32)
ARRAYS = {
    "some": ROWS,
    "none": np.zeros((2, 3), np.float32),
    "all": np.ones((4, 3), np.float32),
    "empty": np.zeros((0, 3), np.float32),
}
# Of a matrix; what NumPy gives is a tuple, or an array.
COUNTED: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "nonzero": (gc.nonzero, lambda x: np.argwhere(x)),
    "by axis": (lambda x: gc.nonzero(x, as_tuple=True)[1], lambda x: np.nonzero(x)[1]),
    "argwhere": (lambda x: gc.argwhere(x > 1), lambda x: np.argwhere(x > 1)),
    "where": (lambda x: gc.where(x > 0)[0], lambda x: np.where(x > 0)[0]),
    "mask": (lambda x: x[x > 0] * 2, lambda x: x[x > 0] * 2),
    "mask of rows": (lambda x: x[x[:, 0] == 0, 1:], lambda x: x[x[:, 0] == 0, 1:]),
    "mask of columns": (lambda x: x[:, gc.any(x > 1, 0)], lambda x: x[:, np.any(x > 1, 0)]),
    "twice": (lambda x: x[x > 0] + x[x > 0], lambda x: 2 * x[x > 0]),
    "of a part": (lambda x: (y := x[x != 0])[y > 2], lambda x: x[x > 2]),
    "masked_select": (
        lambda x: gc.masked_select(x, x[:, :1] == 0),
        lambda x: x[np.broadcast_to(x[:, :1] == 0, x.shape)],
    ),
    "reduced": (lambda x: gc.sum(x[x > 0]), lambda x: np.sum(x[x > 0])),
    "unique": (gc.unique, np.unique),
    "inverse": (
        lambda x: gc.unique(x, return_inverse=True)[1],
        lambda x: np.unique(x, return_inverse=True)[1].reshape(x.shape),
    ),
    "counts": (
        lambda x: gc.unique(x, return_counts=True)[1],
        lambda x: np.unique(x, return_counts=True)[1],
    ),
    "written": (lambda x: x.at[x > 0].set(7.0), lambda x: np.where(x > 0, 7, x)),
    "how many": (lambda x: gc.arange(gc.sum(x > 0)), lambda x: np.arange((x > 0).sum())),
    "repeated": (
        lambda x: gc.repeat(x, gc.sum(x > 0, 1), 0),
        lambda x: np.repeat(x, (x > 0).sum(1), 0),
    ),
}


@pytest.mark.parametrize("level", ["O0", "O2"])
def test_as_many_as_there_are(level: str) -> None:
    x = gc.input("x", (gc.dim("n"), 3))
    program = gc.compile([x], {name: f(x) for name, (f, _) in COUNTED.items()}, level=level)
    calls = [(array,) for array in ARRAYS.values()]
    check_faces(program, calls, lambda x: {name: g(x) for name, (_, g) in COUNTED.items()})


def _filled(places: Any, size: int, fill: Any) -> Any:
    return np.concatenate([places, np.full(size, fill, places.dtype)])[:size]


@pytest.mark.parametrize("level", ["O0", "O2"])
def test_as_many_as_are_asked_for(level: str) -> None:
    """JAX's `size=`: the first ones, filled up; a number, or the value of an input."""
    x, k = gc.input("x", (2, 3)), gc.input("k", (), gc.int64)
    flat = x.reshape(6)
    values, inverse, counts = gc.unique(
        flat, return_inverse=True, return_counts=True, size=k, fill_value=-9
    )
    results = {
        "four": gc.nonzero(flat, size=4, fill_value=6).reshape(4),
        "rows": gc.nonzero(x, as_tuple=True, size=k, fill_value=(2, 3))[0],
        "columns": gc.argwhere(x, size=k, fill_value=-1)[:, 1],
        "values": values,
        "inverse": inverse,
        "counts": counts,
        "least": gc.unique(flat, size=6),
    }
    assert results["four"].shape == (4,)
    program = gc.compile([x, k], results, level=level)

    def wanted(x: Any, k: int) -> Any:
        rows, columns = np.nonzero(x)
        values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
        return {
            "four": _filled(np.flatnonzero(x), 4, 6),
            "rows": _filled(rows, k, 2),
            "columns": _filled(columns, k, -1),
            "values": _filled(values, k, -9),
            "inverse": inverse.reshape(-1),
            "counts": _filled(counts, k, 0),
            "least": _filled(values, 6, values[0]),
        }

    check_faces(program, [(ROWS, k) for k in (0, 1, 4, 8)], wanted)


def test_eager_tensors_take_the_same_words() -> None:
    x = gc.tensor(ROWS)
    np.testing.assert_array_equal(
        gc.nonzero(x, size=5, fill_value=9).numpy(),
        np.concatenate([np.argwhere(ROWS), [[9, 9]]]),
    )
    np.testing.assert_array_equal(gc.unique(x, size=2).numpy(), [-1, 0])
    compiled = gc.jit.compile(lambda x: gc.argwhere(x > 1, size=4, fill_value=-1))
    np.testing.assert_array_equal(compiled(x).numpy()[3], [-1, -1])


def test_what_a_mask_takes_has_its_gradient() -> None:
    x = gc.input("x", (2, 3), gc.float64)
    counts = gc.input("counts", (2,), gc.int64)
    loss = gc.sum(x[x > 0] ** 2) + gc.sum(gc.exp(gc.masked_select(x, x < 0)))
    repeated = gc.sum(gc.repeat(x, counts, 0) ** 3)
    program = gc.compile([x, counts], gc.grad(loss + repeated, x))
    array, times = ROWS.astype(np.float64), np.array([2, 3])
    wanted = np.where(array > 0, 2 * array, 0) + np.where(array < 0, np.exp(array), 0)
    wanted += 3 * array**2 * times[:, None]
    np.testing.assert_allclose(program(array, times), wanted, rtol=1e-12)
    with pytest.raises(CheckError, match="a count is -1"):
        program(array, np.array([2, -1]))


def test_state_and_draws_are_the_same_before_and_in_the_program() -> None:
    gc.manual_seed(0)
    w = gc.parameter("w", np.array([1.0, -1.0, 2.0], np.float32))
    drawn = gc.uniform((50,))
    kept = drawn[drawn > 0.5]
    program = gc.compile([], [w[w > 0], kept, drawn], updates={w: -w})
    for expected in ([1.0, 2.0], [1.0], [1.0, 2.0]):
        positive, above, all_ = program()
        np.testing.assert_array_equal(positive, expected)
        np.testing.assert_array_equal(above, all_[all_ > 0.5])

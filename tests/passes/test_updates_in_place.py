"""Updates of rows in place: programs that read old and new values in all orders are NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc

LEVELS = ["O0", "O1", "O2", "O3"]
SHAPE = (7, 3)


class Arrays:
    """What programs are written in, by NumPy."""

    sum: Any = np.sum
    transpose: Any = np.transpose
    matmul: Any = np.matmul
    exp: Any = np.exp

    @staticmethod
    def add(x: Any, index: Any, values: Any) -> Any:
        """Rows added to."""
        new = x.copy()
        np.add.at(new, index, values)
        return new

    @staticmethod
    def set(x: Any, index: Any, values: Any) -> Any:
        """Rows replaced, the last one winning."""
        new = x.copy()
        for k, place in enumerate(index):
            new[place] = np.broadcast_to(values, (len(index), *x.shape[1:]))[k]
        return new

    @staticmethod
    def one(x: Any, place: Any, values: Any) -> Any:
        """One row replaced."""
        new = x.copy()
        new[place] = values
        return new


class Graphs:
    """The same in graphs."""

    sum, transpose, matmul, exp = gc.sum, gc.transpose, gc.matmul, gc.exp
    add = staticmethod(lambda x, index, values: x.at[index].add(values))
    set = staticmethod(lambda x, index, values: x.at[index].set(values))
    one = set


def _swapped(k: Any, w: Any, v: Any, i: Any, j: Any, r: Any) -> Any:
    return [], k.add(v, i, r), k.set(w, j, r)


def _read_between(k: Any, w: Any, v: Any, i: Any, j: Any, r: Any) -> Any:
    first = k.add(w, i, r)
    return [k.sum(first)], k.set(first, j, r), v


def _shared(k: Any, w: Any, v: Any, i: Any, j: Any, r: Any) -> Any:
    new = k.add(w, i, r)
    return [], new, new


def _new_into_other(k: Any, w: Any, v: Any, i: Any, j: Any, r: Any) -> Any:
    new = k.add(w, i, r)
    return [new[0] * 2], new, k.set(v, i, new[j])


def _long_way(k: Any, w: Any, v: Any, i: Any, j: Any, r: Any) -> Any:
    new = w
    for step in range(4):
        new = k.add(new * 0.5, i, r * (1.0 + step))
        new = k.set(new, j, v[i] + r)
    return [], new, v


# (operations, w, v, i, j, r) -> outputs, the new w, the new v.
PROGRAMS: dict[str, Callable[..., Any]] = {
    "add": lambda k, w, v, i, j, r: ([], k.add(w, i, r), v),
    "set": lambda k, w, v, i, j, r: ([], k.set(w, i, r), v),
    "the old value is returned": lambda k, w, v, i, j, r: ([w], k.add(w, i, r), v),
    "the new value is returned": lambda k, w, v, i, j, r: ([k.add(w, i, r)], k.add(w, i, r), v),
    "rows are read": lambda k, w, v, i, j, r: ([w[j] * 2], k.add(w, i, r), v),
    "all is read": lambda k, w, v, i, j, r: ([k.sum(w), k.exp(w)], k.add(w, i, r), v),
    "views are returned": lambda k, w, v, i, j, r: ([w[1:3], k.transpose(w)], k.set(w, i, r), v),
    "a product reads views": lambda k, w, v, i, j, r: (
        [k.matmul(k.transpose(w), w)], k.set(w, i, r), v),
    "from its own rows": lambda k, w, v, i, j, r: ([], k.set(w, i, w[i] * 0.5 + r), v),
    "from rows as they are": lambda k, w, v, i, j, r: ([], k.set(w, i, w[j]), v),
    "rows added to others": lambda k, w, v, i, j, r: ([], k.add(w, i, w[j]), v),
    "add, then set": lambda k, w, v, i, j, r: ([], k.set(k.add(w, i, r), j, r * 3), v),
    "add, then scale": lambda k, w, v, i, j, r: ([], k.add(w, i, r) * 0.5, v),
    "scale, then add": lambda k, w, v, i, j, r: ([], k.add(w * 0.5, i, r), v),
    "add, then read the old": lambda k, w, v, i, j, r: ([], k.add(w, i, r) * w, v),
    "a long way": _long_way,
    "read between two updates": _read_between,
    "one value for two": _shared,
    "two from one": lambda k, w, v, i, j, r: ([], k.add(w, i, r), k.set(w, j, r)),
    "swapped": _swapped,
    "swapped as they are": lambda k, w, v, i, j, r: ([], v, k.add(w, i, r)),
    "the new into the other": _new_into_other,
    "the old into the other": lambda k, w, v, i, j, r: ([], k.add(w, i, r), k.add(v, i, w[i])),
    "crossed": lambda k, w, v, i, j, r: ([], k.add(w, i, v[i]), k.add(v, j, w[j])),
    "both, summed": lambda k, w, v, i, j, r: (
        [k.sum(w * v)], k.set(w, i, r), k.add(v, j, r) + k.sum(w)),
}  # fmt: skip


@pytest.fixture(scope="module")
def values() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    indices = [np.array([5, -7, 5, 2]), np.array([2, 6, 0, -1])]
    floats = [rng.standard_normal(s).astype(np.float32) for s in (SHAPE, SHAPE, (4, 3))]
    return [*floats[:2], *indices, floats[2]]


def _compiled(name: str, state: list[np.ndarray], level: str = "O2") -> tuple[Any, Any, Any]:
    """A program of the table, with its parameters."""
    w, v = (gc.parameter(n, x) for n, x in zip("wv", state))
    i, j = (gc.input(n, (4,), gc.int64) for n in "ij")
    r = gc.input("r", (4, 3))
    outputs, *new = PROGRAMS[name](Graphs, w, v, i, j, r)
    updates = {p: value for p, value in zip((w, v), new) if value is not p}
    outputs = [*outputs, r[i - i, 0] + (i * j) * 1.0]  # so that every input is used
    return gc.compile([i, j, r], outputs, updates=updates, level=level), w, v


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_that_update_rows_of_parameters(
    name: str, level: str, values: list[np.ndarray]
) -> None:
    program, w, v = _compiled(name, values[:2], level)
    state = values[:2]
    for _ in range(2):
        got = program(*values[2:])[:-1]
        wanted, *state = PROGRAMS[name](Arrays, *state, *values[2:])
        for left, right in zip([*got, w.value, v.value], [*wanted, *state]):
            np.testing.assert_allclose(left, right, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_bad_index_changes_no_parameter(name: str, values: list[np.ndarray]) -> None:
    program, w, v = _compiled(name, values[:2])
    bad = np.array([0, 1, 7, 2])
    with pytest.raises(gc.errors.IndexRangeError, match="index 7 is out of range .* size 7"):
        program(bad, bad, values[4])
    np.testing.assert_array_equal(w.value, values[0])
    np.testing.assert_array_equal(v.value, values[1])


# (operations, carries c and d, a place, a row) -> the new c, the new d, what is stacked.
BODIES: dict[str, Callable[..., Any]] = {
    "set": lambda k, c, d, t, r: (k.one(c, t, r), d, r),
    "read before": lambda k, c, d, t, r: (k.one(c, t, r + c[0]), d, c[t] + k.sum(c)),
    "read after": lambda k, c, d, t, r: (k.one(c, t, r), d, k.sum(k.one(c, t, r))),
    "the old is stacked": lambda k, c, d, t, r: (k.one(c, t, r), d, c),
    "the new is stacked": lambda k, c, d, t, r: (k.one(c, t, r), d, k.one(c, t, r)),
    "a view of the old is stacked": lambda k, c, d, t, r: (k.one(c, t, r), d, k.transpose(c)),
    "swapped": lambda k, c, d, t, r: (k.one(d, t, r), k.one(c, t, r * 2), r),
    "passed on": lambda k, c, d, t, r: (d, k.one(c, t, r), c[t]),
    "crossed": lambda k, c, d, t, r: (k.one(c, t, d[0]), k.one(d, t, c[0] + r), r),
    "the new into the other": lambda k, c, d, t, r: (
        k.one(c, t, r), k.one(d, t, k.one(c, t, r)[t - 1]), r),
    "one value for two": lambda k, c, d, t, r: (k.one(c, t, r), k.one(c, t, r), r),
    "set, then scale": lambda k, c, d, t, r: (k.one(c, t, r) * 0.5 + 1.0, d, r),
    "read by a product": lambda k, c, d, t, r: (
        k.one(c, t, k.matmul(c[t], k.matmul(k.transpose(c), c))), d, r),
}  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("reverse", [False, True])
def test_scans_that_update_rows_of_carries(name: str, level: str, reverse: bool) -> None:
    build = BODIES[name]
    rng = np.random.default_rng(1)
    c, d = (rng.standard_normal(SHAPE).astype(np.float32) * 0.5 for _ in range(2))
    places = np.array([3, 0, -1, 3, 5])
    rows = rng.standard_normal((5, 3)).astype(np.float32) * 0.5

    def step(carry: Any, x: Any) -> Any:
        new_c, new_d, y = build(Graphs, *carry, *x)
        return (new_c, new_d), y

    c_in, d_in = gc.input("c", SHAPE), gc.input("d", SHAPE)
    t, r = gc.input("t", (5,), gc.int64), gc.input("r", (5, 3))
    (last_c, last_d), ys = gc.scan(step, (c_in, d_in), (t, r), reverse=reverse)
    program = gc.compile([c_in, d_in, t, r], [last_c, last_d, ys], level=level)
    before = c.copy(), d.copy()
    got = program(c, d, places, rows)
    np.testing.assert_array_equal([c, d], before)
    stacked: list[Any] = [None] * 5
    for k in reversed(range(5)) if reverse else range(5):
        c, d, stacked[k] = build(Arrays, c, d, places[k], rows[k])
    for left, right in zip(got, [c, d, np.stack(stacked)]):
        np.testing.assert_allclose(left, right, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("most", [0, 1, 4])
def test_while_loops_whose_condition_reads_the_updated_carry(level: str, most: int) -> None:
    c = np.arange(21, dtype=np.float32).reshape(SHAPE)
    c_in, n = gc.input("c", SHAPE), gc.input("n", (), gc.int64)
    last, count = gc.while_loop(
        lambda x: (x[1] < n) & (gc.sum(x[0]) > 30.0),
        lambda x: (x[0].at[x[1]].set(x[0][x[1] + 1] * 0.25), x[1] + 1),
        (c_in, gc.constant(np.int64(0))),
    )
    got, turns = gc.compile([c_in, n], [last, count], level=level)(c, most)
    wanted, t = c.copy(), 0
    while t < most and wanted.sum() > 30.0:
        wanted[t] = wanted[t + 1] * 0.25
        t += 1
    assert turns == t
    np.testing.assert_allclose(got, wanted)


def test_a_loop_in_a_loop_that_updates_one_array() -> None:
    def inner(carry: Any, x: Any) -> Any:
        table, t = carry
        return (table.at[t, x].add(table[t, x - 1] + 1.0), t), ()

    def outer(table: Any, t: Any) -> Any:
        (table, _), _ = gc.scan(inner, (table, t), gc.iota((3,)))
        return table.at[t].set(table[t] * 0.5), gc.sum(table[t])

    start = gc.input("start", SHAPE)
    table, ys = gc.scan(outer, start, gc.iota((7,)))
    wanted = np.arange(21, dtype=np.float32).reshape(SHAPE)
    got = gc.compile([start], [table, ys])(wanted)
    wanted, sums = wanted.copy(), []
    for t in range(7):
        for x in range(3):
            wanted[t, x] += wanted[t, x - 1] + 1.0
        sums.append(wanted[t].sum())
        wanted[t] *= 0.5
    np.testing.assert_allclose(got[0], wanted, rtol=1e-6)
    np.testing.assert_allclose(got[1], sums, rtol=1e-6)


def test_the_gradient_of_a_scan_that_updates_its_carry() -> None:
    start = np.random.default_rng(2).standard_normal(SHAPE)
    x = gc.input("x", SHAPE, gc.float64)
    table, _ = gc.scan(lambda c, t: (c.at[t].set(c[t - 1] * c[t]), ()), x, gc.iota((7,)))
    program = gc.compile([x], gc.grad(gc.sum(table * table), x))

    def loss(start: np.ndarray) -> float:
        c = start.copy()
        for t in range(7):
            c[t] = c[t - 1] * c[t]
        return float((c * c).sum())

    got, eps = program(start), 1e-6
    for place in np.ndindex(SHAPE):
        step = np.zeros(SHAPE)
        step[place] = eps
        slope = (loss(start + step) - loss(start - step)) / (2 * eps)
        np.testing.assert_allclose(got[place], slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    ["add", "set", "rows are read", "from its own rows", "from rows as they are", "add, then set",
     "the old into the other"],
)  # fmt: skip
def test_nothing_as_large_as_the_parameter_is_made(name: str) -> None:
    program, _, _ = _compiled(name, [np.zeros((50_000, 3), np.float32)] * 2)
    assert program.memory()[0] < 10_000


def test_a_scan_updates_its_carry_in_one_place() -> None:
    c, t = gc.input("c", (50_000, 3)), gc.input("t", (5,), gc.int64)
    last, _ = gc.scan(lambda c, t: (c.at[t].set(c[t] * 2.0), ()), c, t)
    assert gc.compile([c, t], last).memory()[0] < 10_000

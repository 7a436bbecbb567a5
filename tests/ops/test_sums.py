"""Sums hold their digits at every length: compiled, interpreted, eager, along rows and columns.

The reference is `math.fsum`, which rounds once. Errors are in units of the last place of the sum
of magnitudes, so they hold whatever cancels. Added one after the other, 0.1 loses 1e5 of them.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
from kernels import run_steps

import graphc as gc
from graphc.runtime.language.language import lost
from graphc.runtime.lower import lower

# Units in the last place: a row of lanes, a block of rows.
BOUND = 12.0

SHAPES = (
    ((30_011,), (0,)),
    ((2, 20_011), (1,)),
    ((20_011, 3), (0,)),
    ((3, 10_007, 5), (1,)),
    ((2, 10_007, 3), (1, 2)),
    ((7, 3, 3001, 2), (0, 2)),
    ((301, 7, 30), (0, 2)),
    ((10_007, 2, 3), (0, 1, 2)),
)


def units(found: Any, x: np.ndarray, axes: tuple[int, ...]) -> float:
    """The error of sums over axes of x, in units of the last place of the sum of magnitudes."""
    kept = [a for a in range(x.ndim) if a not in axes]
    rows = x.transpose((*kept, *axes)).reshape(-1, math.prod(x.shape[a] for a in axes))
    true = [math.fsum(row) for row in rows.astype(np.float64)]
    size = np.array([math.fsum(np.abs(row)) for row in rows.astype(np.float64)])
    found = np.asarray(found)
    errors = np.abs(found.astype(np.float64).reshape(-1) - true) / size
    return float(errors.max() / np.finfo(found.dtype).eps)


def _values(shape: tuple[int, ...], dtype: str, kind: str) -> np.ndarray:
    if kind == "constant":
        return np.full(shape, 0.1, dtype)
    return (np.random.default_rng(7).normal(size=shape) + 0.5).astype(dtype)


@functools.cache
def _symbolic(rank: int, axes: tuple[int, ...], dtype: str) -> Any:
    sizes = [gc.dim(f"n{k}") for k in range(rank)]
    x = gc.input("x", sizes, getattr(gc, dtype))
    return gc.compile([x], gc.sum(x, axes))


@pytest.mark.parametrize("kind", ["constant", "random"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "axes"), SHAPES, ids=str)
def test_sums_of_many_elements(
    shape: tuple[int, ...], axes: tuple[int, ...], dtype: str, kind: str
) -> None:
    values = _values(shape, dtype, kind)
    x = gc.input("x", shape, getattr(gc, dtype))
    total = gc.sum(x, axes)
    assert units(gc.compile([x], total)(values), values, axes) < BOUND
    assert units(_symbolic(len(shape), axes, dtype)(values), values, axes) < BOUND
    (reference,) = gc.interpret(gc.Graph.of("sum", [x], [total]), values)
    assert units(reference, values, axes) < BOUND
    assert units(gc.tensor(values).sum(axes).numpy(), values, axes) < BOUND


@pytest.mark.parametrize("shape", [(3000, 2), (2, 3000), (300, 2, 10), (3000,)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_eager_sums_of_small_tensors(shape: tuple[int, ...], dtype: str) -> None:
    values = np.full(shape, 0.1, dtype)
    x = gc.tensor(values)
    for axes in [(0,), tuple(range(len(shape)))]:
        assert units(x.sum(axes).numpy(), values, axes) < BOUND
    turned = gc.tensor(values).transpose(0, len(shape) - 1)
    assert units(turned.sum(0).numpy(), np.asarray(turned.numpy()), (0,)) < BOUND


def test_float16_is_rounded_once() -> None:
    values = np.full((2, 30_000), 0.1, np.float16)
    x = gc.input("x", values.shape, gc.float16)
    wanted = np.float16(math.fsum(values[0].astype(float)))
    assert list(gc.compile([x], gc.sum(x, 1))(values)) == [wanted, wanted]
    assert list(gc.interpret(gc.Graph.of("sum", [x], [gc.sum(x, 1)]), values)[0]) == [wanted] * 2


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("compiled", [False, True], ids=["python", "compiled"])
def test_the_python_twin_adds_in_the_same_blocks(axis: int, compiled: bool) -> None:
    values = np.full((300, 3) if axis == 0 else (3, 2100), 0.1, np.float32)
    x = gc.input("x", (gc.dim("n"), 3) if axis == 0 else (3, gc.dim("n")), gc.float32)
    node = gc.sum(x, axis)
    found = np.zeros(3, np.float32)
    run_steps(
        lower(gc.Graph.of("sum", [x], [node])),
        {x: values, node: found},
        {"n": values.shape[axis]},
        compiled=compiled,
    )
    assert units(found, values, (axis,)) < (BOUND if compiled else 100)


def test_sums_in_blocks_of_infinities_and_nan() -> None:
    x = gc.input("x", (gc.dim("n"), gc.dim("m")), gc.float32)
    total = gc.compile([x], [gc.sum(x, 1), gc.sum(x, 0), gc.sum(x)])
    values = np.ones((3000, 3000), np.float32)
    values[0, 7] = np.inf
    values[1, 2500] = -np.inf
    values[2, 5], values[2, 2000] = np.inf, -np.inf
    values[2999, 2999] = np.nan
    with np.errstate(all="ignore"):
        wanted = [values.sum(1), values.sum(0), values.sum()]
    for found, array in zip(total(values), wanted):
        np.testing.assert_array_equal(found, array)
    values[:] = 3e38
    assert np.isposinf(total(values)[0]).all()


@pytest.mark.parametrize("shape", [(1, 70_001, 1), (1, 70_001, 3), (5, 30_001, 1)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_with_a_long_inner_axis(shape: tuple[int, int, int], dtype: str) -> None:
    m, k, n = shape
    a, b = np.full((m, k), 0.1, dtype), np.ones((k, n), dtype)
    x, y = gc.input("x", (m, k), getattr(gc, dtype)), gc.input("y", (k, n), getattr(gc, dtype))
    found = gc.compile([x, y], x @ y)(a, b)
    assert units(found[:, 0], a, (1,)) < BOUND
    turned = gc.input("z", (n, k), getattr(gc, dtype))
    found = gc.compile([x, turned], x @ turned.T)(a, np.ascontiguousarray(b.T))
    assert units(found[:, 0], a, (1,)) < BOUND


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cumulative_sums(dtype: str, reverse: bool, axis: int) -> None:
    values = np.full((20_011, 2) if axis == 0 else (2, 20_011), 0.1, dtype)
    x = gc.input("x", values.shape, getattr(gc, dtype))
    total = gc.cumsum(x, axis, reverse=reverse)
    (reference,) = gc.interpret(gc.Graph.of("cumsum", [x], [total]), values)
    ends = (slice(None), 0 if reverse else -1)
    for found in (gc.compile([x], total)(values), reference):
        assert units(np.moveaxis(found, axis, 1)[ends], values, (axis,)) < 1


def test_what_an_addition_loses() -> None:
    rng = np.random.default_rng(3)
    for x, y in rng.normal(size=(200, 2)) * np.exp(rng.normal(size=(200, 1)) * 20):
        assert math.fsum([x, y]) == np.float64(x) + np.float64(y) + lost(
            np.float64(x), np.float64(y)
        )
    assert lost(np.float32(1), np.float32(2**-30)) == np.float32(2**-30)
    assert lost(np.float32(np.inf), np.float32(1)) == 0
    assert lost(np.float32(3e38), np.float32(3e38)) == 0


def test_results_do_not_depend_on_threads() -> None:
    x = gc.input("x", (gc.dim("n"), gc.dim("m")), gc.float32)
    sums = [gc.sum(x, 0), gc.sum(x, 1), gc.sum(x)]
    values = np.random.default_rng(0).normal(size=(5000, 300)).astype(np.float32)
    found = [gc.compile([x], sums, threads=threads)(values) for threads in (1, 2, 3)]
    for others in found[1:]:
        for one, other in zip(found[0], others):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("size", [0, 1, 10, 64, 65, 1024, 1025, 3000])
@pytest.mark.parametrize(
    ("shape", "axes"), [((3, None), (1,)), ((2, None, 3), (1,)), ((2, None, 3), (0, 1))], ids=str
)
def test_sums_of_any_size_choose_blocks_when_called(
    shape: tuple[int | None, ...], axes: tuple[int, ...], size: int
) -> None:
    sizes = tuple(size if s is None else s for s in shape)
    values = _values(sizes, "float32", "constant")
    found = _symbolic(len(shape), axes, "float32")(values)
    if not size:
        assert not found.any()
        return
    assert units(found, values, axes) < BOUND


def test_short_rows_are_summed_without_blocks() -> None:
    x = gc.input("x", (gc.dim("n"), gc.dim("m")), gc.float32)
    (step,) = lower(gc.Graph.of("sum", [x], [gc.sum(x, 1)]))
    plain, blocks = step.kernel.source.split("else:")
    assert "lost" not in plain
    assert "lost" in blocks


def test_only_sums_run_in_blocks_of_rows() -> None:
    x = gc.input("x", (100_000, 2), gc.float32)
    found = [lower(gc.Graph.of("r", [x], [r(x, 0)]))[0].kernel.source for r in (gc.max, gc.sum)]
    assert ["for start in" in source for source in found] == [False, True]


@pytest.mark.parametrize("first", [0, 1])
def test_every_second_of_twenty_axes(first: int) -> None:
    values = np.random.default_rng(1).normal(size=(2,) * 20).astype(np.float32)
    axes = tuple(range(first, 20, 2))
    x = gc.input("x", values.shape, gc.float32)
    found = gc.compile([x], gc.sum(x, axes), threads=1)(values)
    assert units(found, values, axes) < BOUND
    greatest = gc.compile([x], gc.max(x, axes), threads=1)(values)
    np.testing.assert_array_equal(greatest, values.max(axes))


@pytest.mark.parametrize("is_symbolic", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [1, 2, 70])
def test_chunks_of_columns_lose_nothing_when_they_are_added(
    columns: int, dtype: str, is_symbolic: bool
) -> None:
    """A number, then far from it ones, half of its last place: odd counts are lost one by one."""
    x = np.zeros((200_003, columns), dtype)
    x[0] = 1 / np.finfo(x.dtype).eps * 2
    x[100_000:] = np.random.default_rng(5).integers(0, 2, (100_003, columns))
    sizes = [gc.dim("n"), gc.dim("m")] if is_symbolic else x.shape
    given = gc.input("x", sizes, getattr(gc, dtype))
    found = np.asarray(gc.compile([given], gc.sum(given, 0))(x))
    wanted = np.array([math.fsum(column) for column in x.T], dtype)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("values", [(np.inf, 1), (np.inf, -np.inf), (1, np.nan), (3e38, 3e38)])
def test_chunks_of_columns_that_are_not_finite_are_added_as_numbers_are(
    values: tuple[float, float],
) -> None:
    x = np.zeros((200_003, 2), np.float32)
    x[0], x[-1] = values
    given = gc.input("x", (gc.dim("n"), 2))
    with np.errstate(all="ignore"):
        wanted = np.float32(values[0]) + np.float32(values[1])
    np.testing.assert_array_equal(gc.compile([given], gc.sum(given, 0))(x), [wanted, wanted])

"""Many tensors joined along an axis: a table of pieces, whatever their number."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc

RNG = np.random.default_rng(0)


def _pieces(axis: int, count: int, dtype: np.dtype) -> list[np.ndarray]:
    """Arrays of sizes 0 to 3 along an axis, the first of them empty."""
    widths = [0, *RNG.integers(0, 4, count - 1)]
    shapes = [tuple(w if a == axis else s for a, s in enumerate((5, 3, 7))) for w in widths]
    return [RNG.integers(0, 2, shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("level", ["O0", "O2"])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bool", "int64"])
def test_concat_of_many(dtype: str, axis: int, level: str) -> None:
    arrays = _pieces(axis, 30, np.dtype(dtype))
    inputs = [gc.input(f"x{k}", a.shape, dtype) for k, a in enumerate(arrays)]
    program = gc.compile(inputs, gc.concat(inputs, axis), level=level, threads=2)
    np.testing.assert_array_equal(program(*arrays), np.concatenate(arrays, axis))
    assert [name for name in program.kernels if name.startswith("join_")]


@pytest.mark.parametrize("count", [24, 25, 99, 400])
def test_stack_of_what_is_computed_and_its_gradient(count: int) -> None:
    x = gc.input("x", (3,))
    rows = gc.stack([x * float(k) for k in range(count)])
    weights = np.arange(count * 3, dtype=np.float32).reshape(count, 3) / count
    slope = gc.grad(gc.sum(rows * gc.constant(weights)), x)
    given = np.array([1, 2, 3], np.float32)
    found, gradient = gc.compile([x], [rows, slope])(given)
    np.testing.assert_array_equal(found, np.arange(count)[:, None] * given)
    wanted = (np.arange(count)[:, None] * weights.astype(np.float64)).sum(0)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-5)


def test_symbolic_sizes_and_one_kernel_for_all() -> None:
    n, m = gc.dim("n"), gc.dim("m")
    inputs = [gc.input(f"x{k}", (n, m) if k % 2 else (n, 3)) for k in range(40)]
    program = gc.compile(inputs, [gc.concat(inputs, 1), gc.concat(inputs[1::2] * 2, 0)])
    for sizes in ((4, 5), (0, 2), (1, 0), (3000, 7)):
        shapes = [(sizes[0], sizes[1] if k % 2 else 3) for k in range(40)]
        arrays = [RNG.standard_normal(shape).astype(np.float32) for shape in shapes]
        wide, long = program(*arrays)
        np.testing.assert_array_equal(wide, np.concatenate(arrays, 1))
        np.testing.assert_array_equal(long, np.concatenate(arrays[1::2] * 2, 0))
    assert len([name for name in program.kernels if name.startswith("join_")]) == 1


def test_numbers_and_views_among_the_pieces() -> None:
    x = gc.input("x", (30, 2))
    pieces = [x[k] if k % 3 else gc.full((2,), float(k)) for k in range(30)]
    program = gc.compile([x], [gc.stack(pieces), gc.concat([x.T, x.T, *[x[:2].T] * 30], 1)])
    array = RNG.standard_normal((30, 2)).astype(np.float32)
    stacked, long = program(array)
    wanted = [array[k] if k % 3 else np.full(2, k, np.float32) for k in range(30)]
    np.testing.assert_array_equal(stacked, wanted)
    np.testing.assert_array_equal(long, np.concatenate([array.T, array.T, *[array[:2].T] * 30], 1))


def test_a_chain_of_choices_is_no_deeper_than_the_parser_goes() -> None:
    x = gc.input("x", (4,))
    y = x
    for _ in range(120):
        y = gc.pad(y * 0.5 + 1.0, ((1, 0),))
    for _ in range(12):
        y = gc.concat([y[:20], *[y[k : k + 2] * 2.0 for k in range(20)]])
    wanted = np.arange(4, dtype=np.float32)
    for _ in range(120):
        wanted = np.pad(wanted * np.float32(0.5) + np.float32(1), ((1, 0),))
    for _ in range(12):
        wanted = np.concatenate([wanted[:20], *[wanted[k : k + 2] * 2 for k in range(20)]])
    np.testing.assert_array_equal(gc.compile([x], y)(np.arange(4, dtype=np.float32)), wanted)

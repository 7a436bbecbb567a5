"""scatter, scatter_add, scatter_reduce, index_reduce and index_add: PyTorch's values, gradients,
refusals, eagerly and compiled."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import graphc as gc

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

REDUCES = ["sum", "prod", "mean", "amax", "amin"]
SHAPES = [((5,), (8,), 0), ((4, 3), (6, 3), 0), ((4, 3), (2, 5), 1), ((2, 4, 3), (2, 6, 2), 1)]


def _arrays(sizes: Any, dtype: Any, zeros: int) -> list[np.ndarray]:
    shape, count, axis = sizes
    rng = np.random.default_rng(len(shape) + zeros)
    x = rng.integers(-4, 5, shape) if dtype is np.int64 else rng.standard_normal(shape)
    source = rng.integers(-4, 5, count) if dtype is np.int64 else rng.standard_normal(count)
    source.flat[:zeros] = 0
    return [x.astype(dtype), rng.integers(0, shape[axis], count), source.astype(dtype)]


def _same(run: Any, arrays: list[np.ndarray], tolerance: float = 1e-5) -> None:
    """The values and gradients of a function of (module, x, index, source), three ways."""
    x, index, source = arrays
    floats = x.dtype.kind == "f"
    theirs = [torch.tensor(a, requires_grad=floats) for a in (x, source)]
    wanted = run(torch, theirs[0], torch.tensor(index), theirs[1])
    weights = np.random.default_rng(9).standard_normal(wanted.shape).astype(x.dtype)
    ours = [gc.tensor(a, requires_grad=floats) for a in (x, source)]
    found = run(gc, ours[0], gc.tensor(index), ours[1])
    compiled = gc.jit.compile(lambda a, b, c: run(gc, a, b, c))
    for result in (found, compiled(gc.tensor(x), gc.tensor(index), gc.tensor(source))):
        np.testing.assert_allclose(
            result.detach().numpy(), wanted.detach().numpy(), tolerance, 1e-6
        )
    if not floats:
        return
    (wanted * torch.tensor(weights)).sum().backward()
    (found * gc.tensor(weights)).sum().backward()
    for left, right in zip(ours, theirs):
        np.testing.assert_allclose(left.grad.numpy(), right.grad.numpy(), tolerance, 1e-5)


CASES = list(itertools.product(REDUCES, SHAPES, [True, False]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize(("reduce", "sizes", "own"), CASES)
def test_scatter_reduce(reduce: str, sizes: Any, own: bool, dtype: Any) -> None:
    def run(lib: Any, x: Any, index: Any, source: Any) -> Any:
        return lib.scatter_reduce(x, sizes[2], index, source, reduce, include_self=own)

    for zeros in (0, 1, 3):
        _same(run, _arrays(sizes, dtype, zeros))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize(("reduce", "sizes", "own"), [c for c in CASES if c[0] != "sum"])
def test_index_reduce(reduce: str, sizes: Any, own: bool, dtype: Any) -> None:
    shape, count, axis = sizes
    whole = (*shape[:axis], count[axis], *shape[axis + 1 :])

    def run(lib: Any, x: Any, index: Any, source: Any) -> Any:
        return lib.index_reduce(x, axis, index, source, reduce, include_self=own)

    for zeros in (0, 1, 3):
        x, index, source = _arrays((shape, whole, axis), dtype, zeros)
        index = np.moveaxis(index, axis, 0).reshape(count[axis], -1)[:, 0]
        _same(run, [x, index, source])


@pytest.mark.parametrize("sizes", SHAPES)
def test_scatters_that_multiply_and_add(sizes: Any) -> None:
    arrays = _arrays(sizes, np.int64, 1)
    for how in ("multiply", "add"):
        _same(lambda lib, x, i, s, how=how: lib.scatter(x, sizes[2], i, s, reduce=how), arrays)
    floats = _arrays(sizes, np.float64, 1)
    _same(lambda lib, x, i, s: lib.scatter_add(x, sizes[2], i, s), floats)
    _same(lambda lib, x, i, s: x.scatter_reduce(sizes[2], i, s, reduce="amax"), floats)


@pytest.mark.parametrize("place", [-1, 5, 2**40])
@pytest.mark.parametrize("how", ["scatter_reduce", "index_reduce", "scatter_add", "index_add"])
def test_places_outside_are_refused(how: str, place: int) -> None:
    reduce = ("amax",) if how.endswith("reduce") else ()

    def run(x: Any, index: Any, source: Any) -> Any:
        return getattr(gc, how)(x, 0, index, source, *reduce)

    given = gc.zeros(5), gc.tensor([0, place]), gc.ones(2)
    for function in (run, gc.jit.compile(run)):
        with pytest.raises((gc.errors.IndexRangeError, IndexError)):
            function(*given)


def test_ties_and_nans_share_as_in_torch() -> None:
    x = np.array([1.0, 2.0, np.nan, -np.inf], np.float32)
    index, source = np.array([0, 0, 1, 3, 2]), np.array([1.0, 1.0, 2.0, -np.inf, 5.0], np.float32)
    for reduce in ("amax", "amin", "mean"):
        _same(lambda lib, *a, r=reduce: lib.scatter_reduce(a[0], 0, *a[1:], r), [x, index, source])


def test_a_products_gradient_is_that_of_the_other_factors() -> None:
    """Where x is no number PyTorch divides it by itself, and has nan."""
    x = gc.tensor([np.nan, np.inf, 0.0], requires_grad=True)
    factors = gc.tensor([2.0, 3.0, 5.0, 0.0], requires_grad=True)
    gc.scatter_reduce(x, 0, gc.tensor([0, 1, 2, 2]), factors, "prod").sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2, 3, 0])
    np.testing.assert_array_equal(factors.grad.numpy(), [np.nan, np.inf, 0, 0])

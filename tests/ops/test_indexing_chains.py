"""Chains of indexing, by slices, ints and arrays, on symbolic and fixed axes: values and gradients.

The reference is NumPy's indexing of the places 0, 1, 2 ...: which element goes where, and so how
often each adds to the gradient. Chains are enumerated; compiled, a sample of them is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.interpret import run
from graphc.core.ir import Graph, toposort
from graphc.ops.source import Bound
from graphc.passes import pipeline

SHAPE = (11, 4)
ITEMS: tuple[Any, ...] = (
    slice(1, None), slice(None, -1), slice(None, None, 2), slice(3, None), slice(None, None, -1),
    slice(-2, None), slice(7, 1, -2), slice(1, 6), slice(None, 3), slice(8, None), 0, -1, 2,
    np.array([2, 0, 0]), np.array([-1, 1]), None, (..., slice(1, None)), (slice(None), 1),
    (slice(2, None), slice(None, None, 2)),
)  # fmt: skip
X = np.random.default_rng(3).standard_normal(SHAPE)


def _chains(depth: int) -> Iterator[tuple[tuple[Any, ...], np.ndarray]]:
    """Every chain that NumPy takes, and the places of its result's elements in the operand."""
    for chain in itertools.product(ITEMS, repeat=depth):
        places = np.arange(X.size).reshape(SHAPE)
        try:
            for item in chain:
                places = places[item]
        except IndexError:
            continue
        yield chain, places


def _sample(depth: int, count: int) -> list[tuple[tuple[Any, ...], np.ndarray]]:
    found = list(_chains(depth))
    chosen = np.random.default_rng(depth).choice(len(found), count, replace=False)
    return [found[k] for k in chosen]


def _wanted(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The chain's value, and the gradient of the sum of its squares."""
    value = X.ravel()[places]
    gradient = np.bincount(places.ravel(), 2 * value.ravel(), X.size)
    return value, gradient.reshape(SHAPE)


def _chained(x: Any, chain: tuple[Any, ...]) -> Any:
    for item in chain:
        is_eager = isinstance(x, gc.Tensor)
        x = x[gc.tensor(item) if is_eager and isinstance(item, np.ndarray) else item]
    return x


def _compare(chain: tuple[Any, ...], places: np.ndarray, value: Any, gradient: Any) -> None:
    wanted = _wanted(places)
    np.testing.assert_array_equal(value, wanted[0], str(chain))
    np.testing.assert_allclose(gradient, wanted[1], rtol=1e-12, err_msg=str(chain))


@pytest.mark.parametrize("rows", [11, None])
@pytest.mark.parametrize("depth", [1, 2])
def test_chains_in_graphs_keep_their_places(depth: int, rows: int | None) -> None:
    for chain, places in _chains(depth):
        x = gc.input("x", (gc.dim("n") if rows is None else rows, 4), gc.float64)
        y = _chained(x, chain)
        outputs = [y, gc.grad(gc.sum(y * y), x)]
        constants = [node for node in toposort(outputs) if isinstance(node, Bound)]
        graph = Graph.of("chain", [x, *constants], outputs)
        after, _ = pipeline.optimize(graph, "O1", observers=())
        _compare(chain, places, *run(after, [X, *(node.state.array for node in constants)]))


def test_chains_of_eager_tensors_keep_their_places() -> None:
    for chain, places in itertools.chain(_chains(1), _chains(2)):
        x = gc.tensor(X, requires_grad=True)
        y = _chained(x, chain)
        (y * y).sum().backward()
        _compare(chain, places, y.detach().numpy(), x.grad.numpy())


def _steps_back(chain: tuple[Any, ...]) -> bool:
    return any(isinstance(i, slice) and (i.step or 1) < 0 for i in chain)


def _in_one_call(chains: Any) -> None:
    """Values and gradients of several chains inside one compiled function."""
    chains = [c for c in chains if not _steps_back(c[0])]  # eager code has PyTorch's slices

    @gc.jit.compile
    def together(x: Any) -> Any:
        values = [_chained(x, chain) for chain, _ in chains]
        return [(y, gc.autograd.grad((y * y).sum(), [x])[0]) for y in values]

    results = together(gc.tensor(X, requires_grad=True))
    for (chain, places), (y, gradient) in zip(chains, results, strict=True):
        _compare(chain, places, y.detach().numpy(), gradient.detach().numpy())


def _from_outside(chains: Any) -> None:
    """The backward pass of a compiled function, begun by eager code."""
    for chain, places in chains:
        if _steps_back(chain):
            continue
        x = gc.tensor(X, requires_grad=True)
        y = gc.jit.compile(lambda x, chain=chain: _chained(x, chain))(x)
        (y * y).sum().backward()
        _compare(chain, places, y.detach().numpy(), x.grad.numpy())


def test_compiled_chains_keep_their_places() -> None:
    _in_one_call(_sample(2, 6))


CUT_BEYOND = (slice(8, None), slice(8, None))
CUT_BY_ARRAY = (slice(3, None), np.array([2, 0, 0]), slice(1, None))


@pytest.mark.parametrize("chain", [CUT_BEYOND, CUT_BY_ARRAY], ids=["beyond", "array"])
def test_a_compiled_chain_is_differentiated_from_outside(chain: tuple[Any, ...]) -> None:
    _from_outside([(chain, _chained(np.arange(X.size).reshape(SHAPE), chain))])


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_many_compiled_chains_keep_their_places(depth: int) -> None:
    chains = _sample(depth, min(120, len(list(_chains(depth)))))
    for start in range(0, len(chains), 6):
        _in_one_call(chains[start : start + 6])
    _from_outside(chains)


def _rows_moved(x: Any, join: Any) -> Any:
    """Cuts of a symbolic axis that together have its size."""
    half = x.shape[0] // 2
    later = join([x[:1] * 0, x[:-1]]) + x
    turned = join([x[half:], x[:half]]) * x
    return later, turned, join([x[::2], x[1::2]]) - x, x[:-1:2] * x[1::2]


@pytest.mark.parametrize("level", ["O0", "O2"])
def test_cuts_that_together_have_the_size_of_an_axis(level: str) -> None:
    x = gc.input("x", (gc.dim("n"), 3), gc.float64)
    results = _rows_moved(x, gc.concatenate)
    slope = gc.grad(sum(gc.sum(r * r) for r in results), x)
    run = gc.compile([x], [*results, slope], level=level)
    for rows in (0, 1, 2, 5, 6):
        value = np.random.RandomState(rows).standard_normal((rows, 3))
        *found, gradient = run(value)
        for a, b in zip(found, _rows_moved(value, np.concatenate)):
            np.testing.assert_array_equal(a, b)
        way, step = np.cos(np.arange(value.size)).reshape(value.shape), 1e-5
        ends = [
            sum((r * r).sum() for r in _rows_moved(value + s * step * way, np.concatenate))
            for s in (1, -1)
        ]
        np.testing.assert_allclose((gradient * way).sum(), (ends[0] - ends[1]) / 2 / step, 1e-6)

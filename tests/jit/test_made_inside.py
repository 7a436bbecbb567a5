"""Tensors that a function makes and then changes in place: each call makes them anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError


def _accumulated(x: Any) -> Any:
    total = gc.zeros(3)
    for _ in range(2):
        total += x.sum(1)
    return total


def _masked(x: Any) -> Any:
    mask = gc.tril(gc.ones(2, 2))
    mask[0] += 1
    return x @ mask


def _scalar(x: Any) -> Any:
    loss = gc.tensor(0.0)
    loss += x.mean()
    return loss


def _counted(x: Any) -> Any:
    return gc.zeros(4).index_add_(0, gc.tensor([1, 1, 2]), x.sum(1))


def _filled(x: Any) -> Any:
    rows = gc.empty(2, 3)
    rows[0] = x[:, 0]
    rows[1].copy_(x[:, 1] * 2)
    part = rows.t()
    part.mul_(3)
    return rows, part + 1


def _constant(x: Any) -> Any:
    count = gc.arange(3)
    count += 1
    return count, x.sum(1) * count


def _in_a_loop(x: Any) -> Any:
    start = gc.zeros(2)
    start += 1
    return gc.scan(lambda c, row: (c + row, c * 2), start, x)[1]


def _spaced(x: Any) -> Any:
    between = gc.linspace(x.min(), x.max(), 5)
    return between, gc.linspace(x.sum(), gc.tensor(2), 1), gc.linspace(-1, x[0, 0], 4) * x[0, 0]


WANTED: dict[Callable[..., Any], Callable[[np.ndarray], Any]] = {
    _accumulated: lambda x: [2 * x.sum(1)],
    _masked: lambda x: [x @ [[2, 1], [1, 1]]],
    _scalar: lambda x: [x.mean()],
    _counted: lambda x: [[0, x[:2].sum(), x[2].sum(), 0]],
    _filled: lambda x: [x.T * [[3], [6]], x * [3, 6] + 1],
    _constant: lambda x: [[1, 2, 3], x.sum(1) * [1, 2, 3]],
    _spaced: lambda x: [
        np.linspace(x.min(), x.max(), 5),
        [x.sum()],
        np.linspace(-1, x[0, 0], 4) * x[0, 0],
    ],
    _in_a_loop: lambda x: [2 * (1 + np.cumsum(x, 0) - x)],
}


@pytest.mark.parametrize("function", WANTED)
def test_they_are_what_the_call_makes_of_them(function: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    data = [rng.standard_normal((3, 2)).astype(np.float32) for _ in range(3)]
    compiled, traced = gc.jit.compile(function), gc.jit.trace(function, gc.ones(3, 2))
    for run in (compiled, traced):
        for x in data:
            found = run(gc.tensor(x))
            found = found if isinstance(found, tuple) else (found,)
            for own, wanted in zip(found, WANTED[function](x), strict=True):
                np.testing.assert_allclose(own.numpy(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [lambda x: x * 1, lambda x: gc.zeros(3, 1), lambda x: x[:, :1]])
def test_what_was_expanded_is_not_written(make: Callable[[Any], Any]) -> None:
    """Several of its elements are one: in a graph the last one would win without a word."""

    def function(x: Any) -> Any:
        part = make(x)[:, :1].expand(3, 4)
        part += gc.arange(4.0)
        return part

    for run in (function, gc.jit.compile(function)):
        with pytest.raises(ArgumentError, match="was expanded"):
            run(gc.ones(3, 2))

"""Sums, products and what else has many operands, with true values in long doubles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc as gc
from graphc.core.operators import FUNCTIONS

FEW, MANY = (7, 1000, 20_011), (7, 1000, 20_011, 1_000_003, 10_000_000)


@dataclass(frozen=True)
class Collected:
    """A function of many elements.

    Attributes:
        name: in the table.
        build: it, of nodes.
        exact: its true values and the magnitudes in whose last place errors count, of long doubles.
        shapes: of a size, those of the operands.
        values: makes an operand of a shape.
        most: the greatest size.
        symbolic: compiled for symbolic sizes.
    """

    name: str
    build: Callable[..., Any]
    exact: Callable[..., tuple[Any, Any]]
    shapes: Callable[[int], list[tuple[tuple[int, ...], ...]]]
    values: Callable[..., np.ndarray]
    most: int = 10_000_000
    symbolic: bool = False

    def operands(self, dtype: str, few: bool) -> Iterator[list[np.ndarray]]:
        """Operands of every size and shape."""
        random = np.random.default_rng(9)
        for size in FEW if few else MANY:
            if size <= self.most:
                for shapes in self.shapes(size):
                    yield [self.values(random, s, size).astype(dtype) for s in shapes]


def _small(random: Any, shape: tuple[int, ...], size: int) -> np.ndarray:
    """Numbers about 0.1 whose sum float16 can hold."""
    return np.asarray((random.normal(size=shape) + 1) * min(0.1, 3000 / size))


def _far(random: Any, shape: tuple[int, ...], size: int) -> np.ndarray:
    """Numbers far from 0 beside what they spread."""
    return np.asarray(1000 + random.normal(size=shape) * 8)


def _near_one(random: Any, shape: tuple[int, ...], size: int) -> np.ndarray:
    return np.asarray(np.exp(random.normal(size=shape) * 0.01))


def _wide(random: Any, shape: tuple[int, ...], size: int) -> np.ndarray:
    return np.asarray(random.normal(size=shape) * 3)


def _rows(size: int) -> list[tuple[tuple[int, ...], ...]]:
    """A vector, and the same elements as rows and as columns."""
    return [((size,),)] if size > 10**6 else [((2, size),)]


def _total(x: Any, axis: int) -> Any:
    """Pairwise, since only the last axis is added so."""
    return np.add.reduce(np.ascontiguousarray(np.moveaxis(x, axis, -1)), -1)


def _sum(axis: int) -> Callable[..., tuple[Any, Any]]:
    return lambda x: (_total(x, axis), _total(np.abs(x), axis))


def _mean(x: Any) -> tuple[Any, Any]:
    return _total(x, -1) / x.shape[-1], _total(np.abs(x), -1) / x.shape[-1]


def _var(x: Any) -> tuple[Any, Any]:
    distance = x - _total(x, -1)[..., None] / x.shape[-1]
    found = _total(distance * distance, -1) / (x.shape[-1] - 1)
    return found, found


def _std(x: Any) -> tuple[Any, Any]:
    found = np.sqrt(_var(x)[0])
    return found, found


def _log_total(x: Any) -> Any:
    top = x.max(-1, keepdims=True)
    return np.log(_total(np.exp(x - top), -1))[..., None] + top


def _logsumexp(x: Any) -> tuple[Any, Any]:
    return _log_total(x)[..., 0], np.maximum(np.abs(_log_total(x)[..., 0]), np.abs(x).max(-1))


def _log_softmax(x: Any) -> tuple[Any, Any]:
    found = x - _log_total(x)
    return found, np.maximum(np.abs(found), np.abs(x))


def _softmax(x: Any) -> tuple[Any, Any]:
    found = np.exp(x - _log_total(x))
    return found, found


def _prod(x: Any) -> tuple[Any, Any]:
    return np.multiply.reduce(x, -1), np.multiply.reduce(x, -1)


def _cumsum(x: Any) -> tuple[Any, Any]:
    return np.cumsum(x, -1), np.cumsum(np.abs(x), -1)


def _cumprod(x: Any) -> tuple[Any, Any]:
    return np.cumprod(x, -1), np.cumprod(x, -1)


def _recurrence(a: Any, b: Any) -> tuple[Any, Any]:
    found, size = np.zeros_like(a), np.zeros_like(a)
    for k in range(a.shape[-1]):
        before = (found[..., k - 1], size[..., k - 1]) if k else (0, 0)
        found[..., k] = a[..., k] * before[0] + b[..., k]
        size[..., k] = np.abs(a[..., k]) * before[1] + np.abs(b[..., k])
    return found, size


def _matmul(x: Any, y: Any) -> tuple[Any, Any]:
    terms = x[:, None, :] * y.T[None, :, :]
    return _total(terms, -1), _total(np.abs(terms), -1)


def _windows(x: Any, w: Any) -> Any:
    parts = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))
    return np.einsum("ncuvij,ocij->nouv", parts, w)


def _conv(x: Any, w: Any) -> tuple[Any, Any]:
    return _windows(x, w), _windows(np.abs(x), np.abs(w))


def _conv_weight(x: Any, w: Any) -> tuple[Any, Any]:
    """The gradient of the sum of a convolution by its weights."""
    ones = np.ones((x.shape[0], 1, x.shape[2] - 2, x.shape[3] - 2), x.dtype)

    def total(x: Any) -> Any:
        parts = np.lib.stride_tricks.sliding_window_view(x, ones.shape[2:], (2, 3))
        found = np.einsum("ncijuv->cij", parts)
        return np.broadcast_to(found, w.shape)

    return total(x), total(np.abs(x))


def _conv_input(x: Any, w: Any) -> tuple[Any, Any]:
    def total(w: Any) -> Any:
        ones = np.pad(np.ones((x.shape[2] - 2, x.shape[3] - 2), x.dtype), 2)
        parts = np.lib.stride_tricks.sliding_window_view(ones, (3, 3))
        found = np.einsum("uvij,ocij->cuv", parts[..., ::-1, ::-1], w)
        return np.broadcast_to(found, x.shape)

    return total(w), total(np.abs(w))


def _gradient(which: int) -> Callable[..., Any]:
    return lambda x, w: gc.grad(gc.sum(gc.conv(x, w)), [(x, w)[which]])[0]  # type: ignore[arg-type]


def _at(name: str) -> Callable[..., Any]:
    """x with all rows of y added to its first."""

    def build(x: Any, y: Any) -> Any:
        place = gc.full((y.type.shape[0],), 0, gc.int64)
        if name == "scatter_add":
            place = gc.broadcast_to(gc.reshape(place, (-1, 1)), y.type.shape)
        return (
            gc.index_add(x, place, y, 0) if name == "index_add" else FUNCTIONS[name](x, 0, place, y)
        )

    return build


def _added(x: Any, y: Any) -> tuple[Any, Any]:
    found, size = x.copy(), np.abs(x)
    found[0] += _total(y, 0)
    size[0] += _total(np.abs(y), 0)
    return found, size


def _columns(size: int) -> list[tuple[tuple[int, ...], ...]]:
    return [((size, 2),)] if size < 10**7 else []


def _reduction(name: str, exact: Any, values: Any, most: int = 10_000_000) -> Collected:
    return Collected(name, lambda x: FUNCTIONS[name](x, -1), exact, _rows, values, most)


COLLECTED = [
    _reduction("sum", _sum(-1), _small),
    Collected("sum of columns", lambda x: gc.sum(x, 0), _sum(0), _columns, _small, symbolic=True),
    Collected("sum of rows, any size", lambda x: gc.sum(x, -1), _sum(-1), _rows, _small,
              symbolic=True),
    _reduction("mean", _mean, _small),
    _reduction("var", _var, _far),
    _reduction("std", _std, _far),
    _reduction("logsumexp", _logsumexp, _wide),
    _reduction("softmax", _softmax, _wide, 20_011),
    _reduction("log_softmax", _log_softmax, _wide, 20_011),
    _reduction("prod", _prod, _near_one, 1000),
    _reduction("max", lambda x: (x.max(-1), x.max(-1)), _wide),
    _reduction("min", lambda x: (x.min(-1), x.min(-1)), _wide),
    _reduction("cumsum", _cumsum, _small, 1_000_003),
    _reduction("cumprod", _cumprod, _near_one, 1000),
    Collected("recurrence", lambda a, b: FUNCTIONS["recurrence"](a, b, -1), _recurrence,
              lambda n: [((2, n), (2, n))], _small, 20_011),
    Collected("matmul", lambda x, y: x @ y, _matmul,
              lambda n: [((1, n), (n, 1)), ((1, n), (n, 3)), ((5, n), (n, 3))], _small,
              1_000_003),
    Collected("conv", gc.conv, _conv, lambda n: [((1, min(n, 64), 6, 6), (2, min(n, 64), 3, 3))],
              _small, 1000),
    Collected("conv_weight", _gradient(1), _conv_weight,
              lambda n: [((2, 1, 5, n + 3), (1, 1, 3, 3))], _small, 20_011),
    Collected("conv_input", _gradient(0), _conv_input,
              lambda n: [((1, 2, 6, 6), (min(n, 64), 2, 3, 3))], _small, 1000),
]  # fmt: skip

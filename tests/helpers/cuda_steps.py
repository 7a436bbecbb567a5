"""Training steps for targets: what each compiles to, and a batch.

    inputs, outputs, updates, batch = STEPS["mlp"]()

The same names and numbers at each call, so that two targets start from the same state.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import graphc as gc

Made = tuple[list[Any], list[Any], dict[Any, Any], list[np.ndarray]]


class _Maker:
    """Parameters, inputs and random arrays with names and values in order."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self._numbers = itertools.count()

    def draw(self, *shape: int) -> np.ndarray:
        return self.rng.standard_normal(shape).astype(np.float32)

    def parameter(self, value: Any) -> Any:
        return gc.parameter(f"p{next(self._numbers)}", np.asarray(value, np.float32))

    def input(self, *shape: Any, dtype: Any = gc.float32) -> Any:
        return gc.input(f"i{next(self._numbers)}", shape, dtype)

    def linear(self, inner: int, outer: int) -> list[Any]:
        weight = self.draw(inner, outer) / np.float32(inner**0.5)
        return [self.parameter(weight), self.parameter(np.zeros(outer))]


def _sgd(parameters: Sequence[Any], loss: Any, rate: float = 0.05) -> dict[Any, Any]:
    return {p: p - rate * g for p, g in zip(parameters, gc.grad(loss, list(parameters)))}


def _momentum(m: _Maker, parameters: Sequence[Any], loss: Any) -> dict[Any, Any]:
    updates: dict[Any, Any] = {}
    for p, g in zip(parameters, gc.grad(loss, list(parameters))):
        velocity = m.parameter(np.zeros(p.shape))
        new = 0.9 * velocity + g
        updates |= {velocity: new, p: p - 0.01 * new}
    return updates


def _adam(m: _Maker, parameters: Sequence[Any], loss: Any) -> dict[Any, Any]:
    count = m.parameter(0.0)
    turn = count + 1
    updates = {count: turn}
    for p, g in zip(parameters, gc.grad(loss, list(parameters))):
        first, second = m.parameter(np.zeros(p.shape)), m.parameter(np.zeros(p.shape))
        mean, square = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
        step = (mean / (1 - 0.9**turn)) / (gc.sqrt(square / (1 - 0.999**turn)) + 1e-8)
        updates |= {first: mean, second: square, p: p - 1e-3 * step}
    return updates


def _normed(x: Any, scale: Any, shift: Any, axis: Any) -> Any:
    mean = gc.mean(x, axis=axis, keepdims=True)
    variance = gc.mean((x - mean) ** 2, axis=axis, keepdims=True)
    return (x - mean) / gc.sqrt(variance + 1e-5) * scale + shift


def mlp() -> Made:
    """Three layers, SGD; sizes with tails."""
    m = _Maker()
    x, t = m.input(gc.dim("n"), 53), m.input(gc.dim("n"), dtype=gc.int64)
    layers = [m.linear(a, b) for a, b in itertools.pairwise((53, 129, 67, 10))]
    h = x
    for w, b in layers[:-1]:
        h = gc.relu(h @ w + b)
    loss = gc.cross_entropy(h @ layers[-1][0] + layers[-1][1], t)
    updates = _sgd([p for layer in layers for p in layer], loss)
    return [x, t], [loss], updates, [m.draw(37, 53), m.rng.integers(0, 10, 37)]


def convnet() -> Made:
    """Two convolutions with batch norm and pooling, momentum."""
    m = _Maker()
    x, t = m.input(2, 1, 12, 12), m.input(2, dtype=gc.int64)
    parameters, h = [], x
    for inner, outer in ((1, 4), (4, 8)):
        kernel, bias = m.parameter(m.draw(outer, inner, 3, 3) * 0.3), m.parameter(np.zeros(outer))
        scale, shift = (m.parameter(np.full((1, outer, 1, 1), v)) for v in (1.0, 0.0))
        h = gc.relu(_normed(gc.conv(h, kernel, bias, padding=1), scale, shift, (0, 2, 3)))
        h = gc.max_pool(h, 2)
        parameters += [kernel, bias, scale, shift]
    parameters += (head := m.linear(8 * 9, 10))
    loss = gc.cross_entropy(gc.reshape(h, (2, 72)) @ head[0] + head[1], t)
    updates = _momentum(m, parameters, loss)
    return [x, t], [loss], updates, [m.draw(2, 1, 12, 12), m.rng.integers(0, 10, 2)]


def block() -> Made:
    """A transformer's block, Adam."""
    m = _Maker()
    batch, length, heads, width = 2, 9, 2, 20
    x, t = m.input(batch, length, width), m.input(batch, length, width)
    ones = lambda: [m.parameter(np.ones(width)), m.parameter(np.zeros(width))]  # noqa: E731
    before, qkv, out, after = ones(), m.linear(width, 3 * width), m.linear(width, width), ones()
    up, down = m.linear(width, 4 * width), m.linear(4 * width, width)
    split = _normed(x, before[0], before[1], -1) @ qkv[0] + qkv[1]
    q, k, v = gc.transpose(
        gc.reshape(split, (batch, length, 3, heads, width // heads)), (2, 0, 3, 1, 4)
    )
    scores = gc.softmax(q @ gc.transpose(k, (0, 1, 3, 2)) * (width // heads) ** -0.5, axis=-1)
    mixed = gc.reshape(gc.transpose(scores @ v, (0, 2, 1, 3)), (batch, length, width))
    h = x + mixed @ out[0] + out[1]
    y = h + gc.gelu(_normed(h, after[0], after[1], -1) @ up[0] + up[1]) @ down[0] + down[1]
    loss = gc.mean((y - t) ** 2)
    updates = _adam(m, [*before, *qkv, *out, *after, *up, *down], loss)
    return [x, t], [loss], updates, [m.draw(batch, length, width), m.draw(batch, length, width)]


def lstm() -> Made:
    """A recurrent layer as a scan, SGD."""
    m = _Maker()
    batch, length, inner, width = 5, 7, 6, 8
    x, t = m.input(batch, length, inner), m.input(batch, dtype=gc.int64)
    over, along = (
        m.parameter(m.draw(inner, 4 * width) * 0.4),
        m.parameter(m.draw(width, 4 * width) * 0.3),
    )
    bias, head = m.parameter(np.zeros(4 * width)), m.linear(width, 10)

    def step(carry: Any, now: Any) -> Any:
        h, c = carry
        z = now @ over + h @ along + bias
        i, f, g, o = (z[:, k * width : (k + 1) * width] for k in range(4))
        c = gc.sigmoid(f) * c + gc.sigmoid(i) * gc.tanh(g)
        h = gc.sigmoid(o) * gc.tanh(c)
        return (h, c), h

    zero = gc.constant(np.zeros((batch, width), np.float32))
    (h, _), _ = gc.scan(step, (zero, zero), gc.transpose(x, (1, 0, 2)))
    loss = gc.cross_entropy(h @ head[0] + head[1], t)
    updates = _sgd([over, along, bias, *head], loss)
    return [x, t], [loss], updates, [m.draw(batch, length, inner), m.rng.integers(0, 10, batch)]


def embed() -> Made:
    """The mean of rows of a table, SGD: indices that may be out of range."""
    m = _Maker()
    ids, t = m.input(16, 12, dtype=gc.int64), m.input(16, dtype=gc.int64)
    table, head = m.parameter(m.draw(50, 24)), m.linear(24, 7)
    h = gc.mean(gc.take(table, ids, axis=0), axis=1)
    loss = gc.cross_entropy(h @ head[0] + head[1], t)
    updates = _sgd([table, *head], loss)
    return [ids, t], [loss], updates, [m.rng.integers(0, 50, (16, 12)), m.rng.integers(0, 7, 16)]


STEPS: dict[str, Callable[[], Made]] = {
    "mlp": mlp, "convnet": convnet, "block": block, "lstm": lstm, "embed": embed,
}  # fmt: skip

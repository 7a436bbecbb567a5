"""The libraries that a program can be written against: one set of names, three meanings.

Most names are NumPy's and graphc's alike. What NumPy lacks is written out here in plain NumPy;
derivatives inside a program are differences there, so that no rule of differentiation is shared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gc


class Graphc:
    """graphc's functions, for graphs and for tensors."""

    def __getattr__(self, name: str) -> Any:
        return getattr(gc, name)

    def grad(self, f: Callable[[Any], Any], x: Any) -> Any:
        """The gradient of a scalar function at a place; it can be differentiated again."""
        if isinstance(x, gc.Tensor):
            return gc.autograd.grad(f(x), x, create_graph=True)[0]
        return gc.grad(f(x), x)

    def transpose(self, x: Any, axes: Any = None) -> Any:
        """The axes in another order, reversed unless given: PyTorch's function swaps two."""
        if not isinstance(x, gc.Tensor):
            return gc.transpose(x, axes)
        return x.permute(*(axes or range(x.ndim)[::-1]))

    def var(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """The variance, divided by the number of elements: PyTorch's default is one less."""
        return gc.var(x, axis=axis, keepdims=keepdims, correction=0)

    def std(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """The root of the variance."""
        return gc.std(x, axis=axis, keepdims=keepdims, correction=0)

    def max(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """The greatest elements: PyTorch's function gives their places as well."""
        if isinstance(x, gc.Tensor) and axis is not None:
            return gc.amax(x, axis, keepdims)
        return gc.max(x) if axis is None else gc.max(x, axis, keepdims)

    def min(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """The least elements."""
        if isinstance(x, gc.Tensor) and axis is not None:
            return gc.amin(x, axis, keepdims)
        return gc.min(x) if axis is None else gc.min(x, axis, keepdims)

    def logsumexp(self, x: Any, axis: int, keepdims: bool = False) -> Any:
        """The logarithm of a sum of exponentials."""
        return gc.logsumexp(x, axis, keepdims)

    def sort(self, x: Any, axis: int = -1) -> Any:
        """The values in order."""
        return gc.sort(x, axis=axis)[0] if isinstance(x, gc.Tensor) else gc.sort(x, axis)

    def index_add(self, x: Any, index: Any, source: Any) -> Any:
        """`x` with rows added at places, which may repeat."""
        if isinstance(x, gc.Tensor):
            return gc.index_add(x, 0, index, source)
        return gc.index_add(x, index, source)

    def eye(self, n: int, like: Any) -> Any:
        """The identity matrix in the dtype of another array."""
        return self.constant(np.eye(n), like)

    def arange(self, n: Any, like: Any) -> Any:
        """0 to n - 1 in the dtype of another array."""
        return self.constant(np.arange(n), like)

    def zeros(self, shape: Any, like: Any) -> Any:
        """Zeros in the dtype of another array."""
        return self.constant(np.zeros(shape), like)

    def detach(self, x: Any) -> Any:
        """The value, without its gradient."""
        return x.detach() if isinstance(x, gc.Tensor) else gc.stop_gradient(x)

    def one_hot(self, index: Any, n: int, like: Any) -> Any:
        """Rows that are one at an index and zero elsewhere."""
        return gc.cast(gc.expand_dims(index, -1) == gc.arange(n, dtype=gc.int64), like.dtype)

    def constant(self, values: Any, like: Any) -> Any:
        """Numbers in the dtype of another array."""
        array = np.asarray(values, like.dtype.numpy)
        return gc.tensor(array) if isinstance(like, gc.Tensor) else gc.constant(array)

    def indices(self, values: Any, like: Any) -> Any:
        """An int64 array of numbers, beside another array."""
        array = np.asarray(values, np.int64)
        return gc.tensor(array) if isinstance(like, gc.Tensor) else gc.constant(array)

    def as_index(self, x: Any) -> Any:
        """Whole numbers as int64."""
        return gc.cast(x, gc.int64)

    def as_float(self, x: Any, like: Any) -> Any:
        """A bool or integer array in the dtype of another."""
        return gc.cast(x, like.dtype)


class _Written:
    """What NumPy and JAX have under other names or not at all, by their common functions."""

    xp: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.xp, name)

    def relu(self, x: Any) -> Any:
        return self.xp.where(x > 0, x, 0 * x)

    def sigmoid(self, x: Any) -> Any:
        return 1 / (1 + self.xp.exp(-x))

    def softplus(self, x: Any) -> Any:
        return self.xp.logaddexp(x, 0.0)

    def silu(self, x: Any) -> Any:
        return x / (1 + self.xp.exp(-x))

    def rsqrt(self, x: Any) -> Any:
        return 1 / self.xp.sqrt(x)

    def logsumexp(self, x: Any, axis: int, keepdims: bool = False) -> Any:
        top = self.xp.max(x, axis=axis, keepdims=True)
        total = self.xp.log(self.xp.sum(self.xp.exp(x - top), axis=axis, keepdims=True)) + top
        return total if keepdims else self.xp.squeeze(total, axis)

    def log_softmax(self, x: Any, axis: int = -1) -> Any:
        return x - self.logsumexp(x, axis, keepdims=True)

    def softmax(self, x: Any, axis: int = -1) -> Any:
        return self.xp.exp(self.log_softmax(x, axis))

    def cross_entropy(self, x: Any, target: Any) -> Any:
        places = self.xp.take_along_axis(self.log_softmax(x), target[:, None], 1)
        return -self.xp.mean(places)

    def var(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return self.xp.var(x, axis=axis, keepdims=keepdims)

    def std(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return self.xp.std(x, axis=axis, keepdims=keepdims)

    def eye(self, n: int, like: Any) -> Any:
        return self.xp.eye(n, dtype=like.dtype)

    def arange(self, n: int, like: Any) -> Any:
        return self.xp.arange(n, dtype=like.dtype)

    def zeros(self, shape: Any, like: Any) -> Any:
        return self.xp.zeros(shape, dtype=like.dtype)

    def one_hot(self, index: Any, n: int, like: Any) -> Any:
        return self.xp.eye(n, dtype=like.dtype)[index]

    def constant(self, values: Any, like: Any) -> Any:
        return self.xp.asarray(values, dtype=like.dtype)

    def indices(self, values: Any, like: Any) -> Any:
        return self.xp.asarray(values)

    def as_index(self, x: Any) -> Any:
        return self.xp.asarray(x, dtype=self.xp.int64)

    def as_float(self, x: Any, like: Any) -> Any:
        return self.xp.asarray(x, dtype=like.dtype)


class Numpy(_Written):
    """NumPy, with derivatives by differences."""

    xp = np

    def __init__(self) -> None:
        self.held: list[np.ndarray] | None = None
        self.place = 0

    def detach(self, x: Any) -> Any:
        """The value at the place that is differentiated around.

        Values are kept in the order of the calls while `held` is empty, and given back after.
        """
        if self.held is None:
            return x
        if self.place == len(self.held):
            self.held.append(np.array(x))
        self.place += 1
        return self.held[self.place - 1]

    def index_add(self, x: Any, index: Any, source: Any) -> Any:
        result = np.array(x)
        np.add.at(result, index, source)
        return result

    def grad(self, f: Callable[[Any], Any], x: Any) -> Any:
        return differences(f, x)

    def scan(self, f: Callable[..., Any], init: Any, xs: Any) -> Any:
        carry, results = init, []
        for x in xs:
            carry, y = f(carry, x)
            results.append(y)
        return carry, np.stack(results)


class Jax(_Written):
    """JAX, with its own derivatives."""

    def __init__(self) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        self.jax, self.xp = jax, jax.numpy

    def detach(self, x: Any) -> Any:
        return self.jax.lax.stop_gradient(x)

    def index_add(self, x: Any, index: Any, source: Any) -> Any:
        return x.at[index].add(source)

    def grad(self, f: Callable[[Any], Any], x: Any) -> Any:
        return self.jax.grad(f)(x)

    def scan(self, f: Callable[..., Any], init: Any, xs: Any) -> Any:
        return self.jax.lax.scan(f, init, xs)


def differences(f: Callable[[Any], Any], x: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """The gradient of a scalar function by central differences of fourth order."""
    result = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        moved = x.copy()
        values = []
        for k in (-2, -1, 1, 2):
            moved[place] = x[place] + k * step
            values.append(float(f(moved)))
        a, b, c, d = values
        result[place] = (a - 8 * b + 8 * c - d) / (12 * step)
    return result

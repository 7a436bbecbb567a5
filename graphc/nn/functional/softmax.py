"""softmax and its kin, one_hot: functions over an axis of classes."""

from __future__ import annotations

import warnings
from typing import Any

from graphc.core import dtypes
from graphc.core.ir import Node, caller
from graphc.core.typing import DTypeLike
from graphc.eager.engine.composite import composite
from graphc.eager.engine.drawn import BY_VALUES, lose
from graphc.eager.engine.registry import named
from graphc.eager.engine.tensor import AnyTensor, Tensor
from graphc.eager.functions.random import draw_key
from graphc.errors import ArgumentError, GraphcWarning
from graphc.ops.arrays.indexing import from_start
from graphc.ops.arrays.lookup import one_hot as hot
from graphc.ops.arrays.places import is_free
from graphc.ops.arrays.random import uniform
from graphc.ops.arrays.shaping import moveaxis
from graphc.ops.arrays.statistics import argmax
from graphc.ops.control import stop_gradient
from graphc.ops.elementwise.cast import cast
from graphc.ops.elementwise.exponential import log
from graphc.ops.network import activations


def _axis(name: str, dim: int | None, x: AnyTensor) -> int:
    """The axis, or the one that PyTorch guesses where none is given."""
    if dim is not None:
        return dim
    guess = 0 if x.ndim in (0, 1, 3) else 1
    warnings.warn(
        f"{name}: the axis is guessed as {guess}; say dim={guess}", GraphcWarning, stacklevel=3
    )
    return guess


def _as(x: AnyTensor, dtype: DTypeLike | None) -> Any:
    return x if dtype is None else cast(x, dtype)


@composite
@named("SoftmaxBackward0")
def _softmax(x: Any, *, dim: int, dtype: DTypeLike) -> Any:
    x = _as(x, dtype)
    return activations.softmax(x, dim) if x.type.shape else x * 0 + 1


@composite
@named("LogSoftmaxBackward0")
def _log_softmax(x: Any, *, dim: int, dtype: DTypeLike) -> Any:
    x = _as(x, dtype)
    return activations.log_softmax(x, dim) if x.type.shape else x * 0


@composite
@named("SoftmaxBackward0")
def _softmin(x: Any, *, dim: int, dtype: DTypeLike) -> Any:
    x = -_as(x, dtype)
    return activations.softmax(x, dim) if x.type.shape else x * 0 + 1


def softmax(
    input: AnyTensor, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike | None = None
) -> Any:
    """exp(input) divided by its sum along an axis.

    Args:
        input: floats.
        dim: the axis whose elements then sum to 1.
        dtype: what to convert input to first.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.softmax(gc.zeros(4), dim=0)
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """
    return _softmax(input, dim=_axis("softmax", dim, input), dtype=dtype)


def log_softmax(
    input: AnyTensor, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike | None = None
) -> Any:
    """The logarithm of `softmax`, without loss of accuracy.

    Args:
        input: floats.
        dim: the axis.
        dtype: what to convert input to first.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.log_softmax(gc.zeros(2), dim=0)
        tensor([-0.6931, -0.6931])
    """
    return _log_softmax(input, dim=_axis("log_softmax", dim, input), dtype=dtype)


def softmin(
    input: AnyTensor, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike | None = None
) -> Any:
    """softmax of -input.

    Args:
        input: floats.
        dim: the axis.
        dtype: what to convert input to first.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.softmin(gc.tensor([0.0, 200.0]), dim=0)
        tensor([1., 0.])
    """
    return _softmin(input, dim=_axis("softmin", dim, input), dtype=dtype)


@composite
@named("SoftmaxBackward0")
def _gumbel_softmax(x: Any, key: Any, *, tau: float, hard: bool, dim: int) -> Any:
    u = uniform(x.type.shape, dtype=x.type.dtype, key=key)
    # 1 - u is never 0; the small number keeps the outer logarithm finite where u is 0.
    noise = -log(1e-20 - log(1 - u))
    soft = activations.softmax((x + noise) / tau, dim)
    if not hard:
        return soft
    chosen = hot(argmax(soft, dim), x.type.shape[dim], x.type.dtype)
    return stop_gradient(moveaxis(chosen, -1, dim) - soft) + soft


def gumbel_softmax(
    logits: AnyTensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Any:
    """A sample of the Gumbel-softmax distribution (Jang et al., 2017).

    Args:
        logits: unnormalized logarithms of probabilities.
        tau: the temperature, greater than 0.
        hard: whether the result is one-hot; the gradient is that of the soft sample.
        dim: the axis of classes.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.gumbel_softmax(gc.zeros(2, 3), hard=True).sum(1)
        tensor([1., 1.])
    """
    return _gumbel_softmax(logits, draw_key(of=logits), tau=tau, hard=hard, dim=dim)


@composite
def _one_hot(index: Node, *, num_classes: int) -> Any:
    return hot(from_start(index), num_classes, dtypes.int64)


def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    """A new last axis that is 1 where an index points and 0 elsewhere.

    Args:
        tensor: indices, int64.
        num_classes: the size of the new axis; -1 for one more than the greatest index.

    Raises:
        IndexRangeError: an index is outside the new axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.one_hot(gc.tensor([0, 2]))
        tensor([[1, 0, 0],
                [0, 0, 1]])
    """
    if is_free(num_classes):
        if not isinstance(tensor, Tensor):
            raise ArgumentError(
                "one_hot: the indices are symbolic, so their greatest is not known",
                where=caller(),
                hint="give num_classes",
            )
        found = _one_hot(tensor, num_classes=int(tensor.max().item()) + 1)
        return lose(found, [tensor], BY_VALUES)
    return _one_hot(tensor, num_classes=num_classes)


__all__ = ["gumbel_softmax", "log_softmax", "one_hot", "softmax", "softmin"]

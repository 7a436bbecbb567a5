"""Dropout: elements, channels, and the kind that keeps mean and variance."""

from __future__ import annotations

import warnings
from typing import Any

from graphc.core import dtypes
from graphc.core.ir import Node, caller
from graphc.eager.engine.composite import composite
from graphc.eager.engine.registry import named
from graphc.eager.engine.tensor import AnyTensor, Tensor
from graphc.eager.functions.random import draw_key
from graphc.errors import GraphcWarning, ShapeError
from graphc.nn.functional.common import applied, check_probability, show
from graphc.ops.arrays.filled import zeros_like
from graphc.ops.arrays.random import uniform
from graphc.ops.elementwise.logic import where

# The limit of selu far left of 0: what dropped elements become in alpha dropout.
_ALPHA = -1.7580993408473766


@composite
@named("MulBackward0")
def _dropout(x: Node, key: Node, *, p: float, channels: bool) -> Any:
    if p == 1:
        return x * zeros_like(x)
    keep = uniform(_mask_shape(x, channels), dtype=dtypes.float32, key=key) >= p
    return where(keep, x * (1.0 / (1.0 - p)), 0)


def _mask_shape(x: Any, channels: bool) -> tuple[Any, ...]:
    shape = x.type.shape
    return (*shape[:2], *(1,) * (len(shape) - 2)) if channels else shape


@composite
@named("AddBackward0")
def _alpha_dropout(x: Node, key: Node, *, p: float, channels: bool) -> Any:
    if p == 1:
        return x * zeros_like(x)
    keep = uniform(_mask_shape(x, channels), dtype=dtypes.float32, key=key) >= p
    scale = ((1 - p) * (1 + p * _ALPHA**2)) ** -0.5
    return where(keep, x, _ALPHA) * scale - scale * p * _ALPHA


def _drawn(
    name: str, function: Any, x: AnyTensor, p: float, training: bool, inplace: bool, channels: bool
) -> Any:
    check_probability(name, p)
    if not training or p == 0:
        return x
    if not inplace:
        return function(x, draw_key(of=x), p=p, channels=channels)

    def dropped(value: AnyTensor) -> Any:
        return function(value, draw_key(of=value), p=p, channels=channels)

    dropped.__name__ = name
    return applied(dropped, x, True)


def dropout(input: AnyTensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """input with elements set to 0 with probability p, the others divided by 1 - p.

    Args:
        input: floats.
        p: the probability of a zero.
        training: False returns input.
        inplace: write the result into the tensor itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.dropout(gc.ones(3), training=False)
        tensor([1., 1., 1.])
    """
    return _drawn("dropout", _dropout, input, p, training, inplace, False)


def _by_channel(
    name: str, rank: int, x: AnyTensor, p: float, training: bool, inplace: bool, batched: bool
) -> Any:
    check_probability(name, p)
    if rank == 2 and x.ndim == 2:
        # Old code means the elements of (rows, features); so does PyTorch, which warns as well.
        warnings.warn(
            f"{name} of a tensor with 2 axes drops single elements; say dropout",
            GraphcWarning,
            stacklevel=3,
        )
        return _drawn(name, _dropout, x, p, training, inplace, False)
    if x.ndim not in (rank + 1, rank + 2):
        raise ShapeError(
            f"{name}: the input must have {rank + 1} or {rank + 2} axes, its shape is "
            f"{show(x.shape)}",
            where=caller(),
        )
    if batched or x.ndim == rank + 2:
        return _drawn(name, _dropout, x, p, training, inplace, True)
    if not training or p == 0:
        return x
    if inplace and isinstance(x, Tensor):
        _drawn(name, _dropout, x.reshape(1, *x.shape), p, training, True, True)
        return x
    return _drawn(name, _dropout, x.reshape(1, *x.shape), p, True, False, True)[0]


def dropout1d(
    input: AnyTensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Any:
    """input with whole channels set to 0 with probability p, the others divided by 1 - p.

    Args:
        input: (N, C, L) or (C, L).
        p: the probability of a zero.
        training: False returns input.
        inplace: write the result into the tensor itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.dropout1d(gc.ones(1, 1, 2), training=False)
        tensor([[[1., 1.]]])
    """
    return _by_channel("dropout1d", 1, input, p, training, inplace, False)


def dropout2d(
    input: AnyTensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Any:
    """`dropout1d` for (N, C, H, W); three axes are (N, C, L), as in PyTorch.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.dropout2d(gc.ones(1, 1, 1, 2), training=False)
        tensor([[[[1., 1.]]]])
    """
    return _by_channel("dropout2d", 2, input, p, training, inplace, True)


def dropout3d(
    input: AnyTensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Any:
    """`dropout1d` for (N, C, D, H, W) or (C, D, H, W).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.dropout3d(gc.ones(1, 1, 1, 1, 2), training=False)
        tensor([[[[[1., 1.]]]]])
    """
    return _by_channel("dropout3d", 3, input, p, training, inplace, False)


def alpha_dropout(
    input: AnyTensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Any:
    """Dropout that keeps mean 0 and variance 1, for networks with `selu`.

    Args:
        input: floats.
        p: the probability that an element is dropped.
        training: False returns input.
        inplace: write the result into the tensor itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.alpha_dropout(gc.ones(2))
        tensor([1., 1.])
    """
    return _drawn("alpha_dropout", _alpha_dropout, input, p, training, inplace, False)


def feature_alpha_dropout(
    input: AnyTensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Any:
    """`alpha_dropout` of whole channels.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.feature_alpha_dropout(gc.ones(1, 1, 2))
        tensor([[[1., 1.]]])
    """
    return _drawn("feature_alpha_dropout", _alpha_dropout, input, p, training, inplace, True)


__all__ = [
    "alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout",
]  # fmt: skip

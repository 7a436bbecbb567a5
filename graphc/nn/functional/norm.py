"""Normalization: batch, layer, group, instance, RMS, local response; `normalize`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from graphc.core import dims
from graphc.core.ir import Node, caller
from graphc.core.typing import DTypeLike
from graphc.eager.engine.composite import composite, store
from graphc.eager.engine.mode import no_grad
from graphc.eager.engine.registry import named
from graphc.eager.engine.tensor import AnyTensor, Tensor
from graphc.errors import ShapeError
from graphc.nn.functional.common import check_floats, show
from graphc.nn.functional.operation import operation
from graphc.ops.arrays.joining import pad
from graphc.ops.arrays.shaping import reshape
from graphc.ops.arrays.statistics import mean, variance
from graphc.ops.control import stop_gradient
from graphc.ops.elementwise.arithmetic import square
from graphc.ops.elementwise.cast import cast
from graphc.ops.elementwise.logic import where
from graphc.ops.elementwise.power import power, rsqrt
from graphc.ops.source import size


def _whitened(
    x: AnyTensor, axes: tuple[int, ...], eps: float, kept: bool = False
) -> tuple[Any, Any, Any]:
    """x with mean 0 and variance 1 over axes; the mean and the variance, axes kept.

    Of narrower floats they are float32, so that what follows rounds once.
    """
    x = _wide(x)
    middle = mean(x, axes, keepdims=True)
    centred = x - middle
    # How the mean was rounded shows less in the variance than in y, but the variance is kept.
    spread = variance(centred, axes) if kept else mean(square(centred), axes, keepdims=True)
    y = centred * rsqrt(spread + eps)
    return y, middle, spread


def _wide(x: Any) -> Any:
    # Squares of float16 overflow from 256 on.
    return cast(x, x.type.dtype.compute)


def _scaled(y: Any, weight: AnyTensor | None, bias: Any, shape: Sequence[Any], dtype: Any) -> Any:
    """y times a weight plus a bias, which line up with it in `shape`, in the input's dtype.

    So float16 and bfloat16 stay so beside weights and statistics of float32.
    """
    if weight is not None:
        y = y * reshape(weight, tuple(shape))
    y = y if bias is None else y + reshape(bias, tuple(shape))
    return cast(y, dtype) if dtype.is_float else y


def _check_channels(name: str, x: Any, **given: Any) -> tuple[Any, ...]:
    """The shape in which one number a channel lines up with x, having checked their number."""
    shape = x.type.shape
    if len(shape) < 2:
        raise ShapeError(
            f"{name}: the input must be (batch, channels, ...), but has shape {show(shape)}",
            where=caller(),
        )
    for key, tensor in given.items():
        if tensor is not None and tensor.type.shape != (shape[1],):
            raise ShapeError(
                f"{name}: the input has {shape[1]} channels, {key} has shape "
                f"{show(tensor.type.shape)}",
                [f"input {show(shape)}"],
                where=caller(),
            )
    return (1, shape[1], *(1,) * (len(shape) - 2))


@composite
@named("NativeBatchNormBackward0")
def _batch_norm(x: Any, mean_: Node, var: Node, weight: Any, bias: Any, *, eps: float) -> Any:
    wide = _check_channels(
        "batch_norm", x, weight=weight, bias=bias, running_mean=mean_, running_var=var
    )
    y = (_wide(x) - reshape(mean_, wide)) * rsqrt(reshape(var, wide) + eps)
    return _scaled(y, weight, bias, wide, x.type.dtype)


@composite
@named("NativeBatchNormBackward0")
def _batch_norm_of_batch(
    x: Any,
    running_mean: Any,
    running_var: Node | None,
    weight: Any,
    bias: Any,
    batches: Node | None,
    share: Any,
    *,
    momentum: float | None,
    eps: float,
) -> Any:
    wide = _check_channels(
        "batch_norm", x, weight=weight, bias=bias,
        running_mean=running_mean, running_var=running_var,
    )  # fmt: skip
    shape = x.type.shape
    axes = (0, *range(2, len(shape)))
    count = math.prod([shape[a] for a in axes])
    if count == 1:
        raise ShapeError(
            f"batch_norm: in training it needs more than 1 value per channel, input {show(shape)}",
            where=caller(),
            hint="use a larger batch, or module.eval()",
        )
    y, middle, spread = _whitened(x, axes, eps, kept=running_var is not None)
    y = _scaled(y, weight, bias, wide, x.type.dtype)
    counted = () if batches is None else (batches + 1,)
    if running_mean is None:
        return (y, *counted) if counted else y
    if momentum is not None:
        share = momentum
    elif share is None:
        share = 1 / cast(counted[0], running_mean.type.dtype) if counted else 0.0
    return y, *counted, *_moved(running_mean, running_var, middle, spread, share, count)


def _moved(
    running_mean: Any, running_var: Any, middle: Any, spread: Any, momentum: Any, count: Any
) -> tuple[Any, Any]:
    """Running statistics a step towards those of a batch; the variance is the unbiased one."""
    flat = running_mean.type.shape
    middle, spread = (stop_gradient(reshape(t, flat)) for t in (middle, spread))
    if count == 0:
        return running_mean, running_var
    ratio = count / (count - 1) if isinstance(count, int) else _ratio(count, spread.type.dtype)
    moved = (
        cast(running_mean * (1 - momentum) + middle * momentum, running_mean.type.dtype),
        cast(running_var * (1 - momentum) + spread * ratio * momentum, running_var.type.dtype),
    )
    if dims.at_least(count, 1):
        return moved
    # A batch of nothing has no statistics.
    some = size(count) > 0
    return where(some, moved[0], running_mean), where(some, moved[1], running_var)


def _ratio(count: Any, dtype: DTypeLike) -> Any:
    """count / (count - 1) for a symbolic size."""
    number = size(count, dtype)
    return number / (number - 1)


def batch_norm(
    input: AnyTensor, running_mean: Any, running_var: Any, weight: AnyTensor | None = None,
    bias: AnyTensor | None = None, training: bool = False, momentum: Any = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """input with mean 0 and variance 1 in each channel, then scaled and shifted.

    Args:
        input: (N, C, ...).
        running_mean: (C,) or None; moved towards the batch's mean in training, in place.
        running_var: (C,) or None; likewise, towards the unbiased variance.
        weight: (C,) or None.
        bias: (C,) or None.
        training: whether the batch's own mean and variance are used.
        momentum: the share of the batch in the new running statistics; a number or a 0-d tensor.
        eps: added to the variance.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([[1.0], [3.0]])
        >>> gc.nn.functional.batch_norm(x, None, None, training=True)
        tensor([[-1.0000],
                [ 1.0000]])
    """
    if not training:
        if running_mean is None or running_var is None:
            raise ShapeError(
                "batch_norm: outside training it needs running_mean and running_var",
                where=caller(),
            )
        return _batch_norm(input, running_mean, running_var, weight, bias, eps=eps)
    return batch_norm_counted(input, running_mean, running_var, weight, bias, None, momentum, eps)


def batch_norm_counted(
    input: AnyTensor, running_mean: AnyTensor | None, running_var: AnyTensor | None, weight: Any,
    bias: Any, batches: Any, momentum: Any, eps: float,
) -> Any:  # fmt: skip
    """`batch_norm` in training that counts batches, too, all in one operation.

    Args:
        batches: a 0-d tensor of integers that grows by 1, in place; or None.
        momentum: None for an average over all batches, whose number `batches` has.
        input: as for `batch_norm`, as are the rest.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.functional.norm import batch_norm_counted
        >>> x, mean, var = gc.tensor([[1.0], [3.0]]), gc.zeros(1), gc.ones(1)
        >>> y = batch_norm_counted(x, mean, var, None, None, gc.tensor(0), None, 1e-5)
        >>> mean
        tensor([2.])
    """
    fixed = isinstance(momentum, int | float)
    found = _batch_norm_of_batch(
        input, running_mean, running_var, weight, bias, batches, None if fixed else momentum,
        momentum=float(momentum) if fixed else None, eps=eps,
    )  # fmt: skip
    states = [t for t in (batches, running_mean, running_var) if t is not None]
    return _keep(found, states) if states else found


def _keep(found: Any, states: Sequence[Any]) -> Any:
    """Store the new states that came with a result, and return it."""
    with no_grad():
        for state, value in zip(states, found[1:], strict=True):
            if isinstance(state, Tensor):
                store(state, value)
    return found[0]


@composite
@named("NativeBatchNormBackward0")
def _instance_norm(
    x: Any,
    running_mean: Node | None,
    running_var: Node | None,
    weight: Any,
    bias: Any,
    momentum: Node | None,
    *,
    eps: float,
) -> Any:
    wide = _check_channels(
        "instance_norm", x, weight=weight, bias=bias,
        running_mean=running_mean, running_var=running_var,
    )  # fmt: skip
    shape = x.type.shape
    axes = tuple(range(2, len(shape)))
    count = math.prod([shape[a] for a in axes])
    if count == 1:
        raise ShapeError(
            "instance_norm: it needs more than 1 place per channel, "
            f"the input has shape {show(shape)}",
            where=caller(),
        )
    y, middle, spread = _whitened(x, axes, eps, kept=running_var is not None)
    y = _scaled(y, weight, bias, wide, x.type.dtype)
    if running_mean is None:
        return y
    middle, spread = (mean(t, 0) for t in (middle, spread))
    return y, *_moved(running_mean, running_var, middle, spread, momentum, count)


def instance_norm(
    input: AnyTensor, running_mean: AnyTensor | None = None, running_var: AnyTensor | None = None,
    weight: AnyTensor | None = None, bias: AnyTensor | None = None, use_input_stats: bool = True,
    momentum: Any = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """input with mean 0 and variance 1 in each channel of each sample.

    Args:
        input: (N, C, ...) with at least one spatial axis.
        running_mean: (C,) or None; moved in place where use_input_stats.
        running_var: (C,) or None; likewise.
        weight: (C,) or None.
        bias: (C,) or None.
        use_input_stats: False uses running_mean and running_var.
        momentum: the share of the batch in the new running statistics.
        eps: added to the variance.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.instance_norm(gc.tensor([[[1.0, 3.0]]]))
        tensor([[[-1.0000,  1.0000]]])
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, eps=eps)
    found = _instance_norm(
        input, running_mean, running_var, weight, bias,
        None if running_mean is None else momentum, eps=eps,
    )  # fmt: skip
    return found if running_mean is None else _keep(found, (running_mean, running_var))


def _trailing(name: str, x: Any, shape: tuple[int, ...], **given: Any) -> tuple[int, ...]:
    """The axes of normalized_shape, having checked them and the weights."""
    rank = len(shape)
    if not rank or tuple(x.type.shape[-rank:]) != shape:
        raise ShapeError(
            f"{name}: normalized_shape {show(shape)} is not the end of the input's shape "
            f"{show(x.type.shape)}",
            where=caller(),
        )
    for key, tensor in given.items():
        if tensor is not None and tensor.type.shape != shape:
            raise ShapeError(
                f"{name}: {key} has shape {show(tensor.type.shape)}, "
                f"normalized_shape is {show(shape)}",
                where=caller(),
            )
    return tuple(range(len(x.type.shape) - rank, len(x.type.shape)))


@operation("NativeLayerNormBackward0")
def layer_norm(
    input: AnyTensor, normalized_shape: Sequence[int], weight: AnyTensor | None = None,
    bias: AnyTensor | None = None, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """input with mean 0 and variance 1 over its last axes, then scaled and shifted.

    Args:
        input: (*, *normalized_shape).
        normalized_shape: the sizes of the last axes.
        weight: of that shape, or None.
        bias: of that shape, or None.
        eps: added to the variance.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.layer_norm(gc.tensor([[1.0, 3.0]]), (2,))
        tensor([[-1.0000,  1.0000]])
    """
    shape = tuple(normalized_shape)
    axes = _trailing("layer_norm", input, shape, weight=weight, bias=bias)
    return _scaled(_whitened(input, axes, eps)[0], weight, bias, shape, input.dtype)


@operation("FusedRmsNormBackward0")
def rms_norm(
    input: AnyTensor, normalized_shape: Sequence[int], weight: AnyTensor | None = None,
    eps: float | None = None,
) -> Any:  # fmt: skip
    """input divided by the root of its mean square over its last axes, then scaled.

    Args:
        input: (*, *normalized_shape).
        normalized_shape: the sizes of the last axes.
        weight: of that shape, or None.
        eps: added to the mean square; the dtype's epsilon unless given.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.rms_norm(gc.tensor([[3.0, 3.0]]), (2,))
        tensor([[1., 1.]])
    """
    shape = tuple(normalized_shape)
    axes = _trailing("rms_norm", input, shape, weight=weight)
    check_floats("rms_norm", input)
    least = float(input.dtype.finfo.eps) if eps is None else eps
    wide = _wide(input)
    y = wide * rsqrt(mean(square(wide), axes, keepdims=True) + least)
    return _scaled(y, weight, None, shape, input.dtype)


@operation("NativeGroupNormBackward0")
def group_norm(
    input: AnyTensor, num_groups: int, weight: AnyTensor | None = None,
    bias: AnyTensor | None = None, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """input with mean 0 and variance 1 in each group of channels of each sample.

    Args:
        input: (N, C, ...).
        num_groups: how many groups the channels make.
        weight: (C,) or None.
        bias: (C,) or None.
        eps: added to the variance.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.group_norm(gc.tensor([[1.0, 3.0, 5.0, 5.0]]), 2)
        tensor([[-1.0000,  1.0000,  0.0000,  0.0000]])
    """
    wide = _check_channels("group_norm", input, weight=weight, bias=bias)
    n, channels, *spatial = input.shape
    if channels % num_groups:
        raise ShapeError(
            f"group_norm: {channels} channels do not make {num_groups} groups", where=caller()
        )
    rows = reshape(input, (n, num_groups, channels // num_groups * math.prod(spatial)))
    y = reshape(_whitened(rows, (2,), eps)[0], input.shape)
    return _scaled(y, weight, bias, wide, input.dtype)


@operation("LocalResponseNormBackward0")
def local_response_norm(
    input: AnyTensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    """input divided by (k + alpha * mean square of `size` channels around) ** beta.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.local_response_norm(gc.ones(1, 1, 1), 1, alpha=3.0, beta=0.5)
        tensor([[[0.5000]]])
    """
    shape = input.shape
    if len(shape) < 3:
        raise ShapeError(
            f"local_response_norm: the input needs 3 or more axes, its shape is {show(shape)}",
            where=caller(),
        )
    channels = shape[1]
    widths = ((0, 0), (size // 2, (size - 1) // 2), *((0, 0),) * (len(shape) - 2))
    squares = pad(square(input), widths)
    total: Any = 0
    for shift in range(size):
        total = squares[:, shift : shift + channels] + total
    return input / power(total * (alpha / size) + k, beta)


__all__ = [
    "batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm",
]  # fmt: skip

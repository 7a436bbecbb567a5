"""Normalisations and dropout."""

from __future__ import annotations

from typing import Any

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.ir import Node
from graphc.onnx.rules.casting import dtype_of
from graphc.onnx.table import Use, rule
from graphc.onnx.values import MOST_LISTED, Value, bounded
from graphc.ops.arrays import random
from graphc.ops.source import full


def _by_channel(v: Node, rank: int) -> Any:
    return gc.reshape(v, (-1, *[1] * (rank - 2)))


@rule("BatchNormalization")
def batch_normalization(a: Use, x: Node, scale: Node, b: Node, mean: Node, var: Node) -> Any:
    rank = len(x.shape)
    own = x.dtype
    if not a.training_mode:
        factor = scale / gc.sqrt(var + a.epsilon)
        shift = b - mean * factor
        return gc.cast(x * _by_channel(factor, rank) + _by_channel(shift, rank), own)
    axes = (0, *range(2, rank))
    now = gc.mean(x, axes, False)
    spread = gc.mean(gc.square(x - _by_channel(now, rank)), axes, False)
    factor = _by_channel(scale / gc.sqrt(spread + a.epsilon), rank)
    found = (x - _by_channel(now, rank)) * factor + _by_channel(b, rank)
    m = a.momentum
    return (
        gc.cast(found, own),
        gc.cast(mean * m + now * (1 - m), mean.dtype),
        gc.cast(var * m + spread * (1 - m), var.dtype),
    )[: a.count]


@rule("InstanceNormalization")
def instance_normalization(a: Use, x: Node, scale: Node, b: Node) -> Any:
    rank = len(x.shape)
    found, _, _ = _standard(x, tuple(range(2, rank)), a.epsilon)
    return found * _by_channel(scale, rank) + _by_channel(b, rank)


def _standard(x: Node, axes: tuple[int, ...], epsilon: float) -> tuple[Any, Any, Any]:
    """x with mean 0 and variance 1 over axes; the mean, and one over the deviation."""
    mean = gc.mean(x, axes, True)
    middle = x - mean
    inverse = 1.0 / gc.sqrt(gc.mean(gc.square(middle), axes, True) + epsilon)
    return middle * inverse, mean, inverse


def _stash(a: Use, x: Node) -> Any:
    """x in the dtype in which a normalisation computes."""
    return gc.cast(x, dtype_of(a.stash_type)) if a.stash_type and x.dtype.itemsize < 4 else x


@rule("LayerNormalization")
def layer_normalization(a: Use, x: Node, scale: Node, b: Node | None = None) -> Any:
    rank = len(x.shape)
    axes = tuple(range(a.axis % rank, rank))
    found, mean, inverse = _standard(_stash(a, x), axes, a.epsilon)
    found = gc.cast(found, x.dtype) * scale
    found = found if b is None else found + b
    return (found, mean, inverse)[: a.count]


@rule("RMSNormalization")
def rms_normalization(a: Use, x: Node, scale: Node) -> Any:
    rank = len(x.shape)
    wide = _stash(a, x)
    axes = tuple(range(a.axis % rank, rank))
    mean = gc.mean(gc.square(wide), axes, True)
    return gc.cast(wide / gc.sqrt(mean + a.epsilon), x.dtype) * scale


@rule("GroupNormalization")
def group_normalization(a: Use, x: Node, scale: Node, b: Node) -> Any:
    n, c, *rest = x.shape
    groups = a.num_groups
    split = gc.reshape(_stash(a, x), (n, groups, c // groups, *rest))
    axes = tuple(range(2, len(split.shape)))
    found, _, _ = _standard(split, axes, a.epsilon)
    rank = len(x.shape)
    if a.version < 21:
        shape = (groups, *[1] * (rank - 1))
        found = found * gc.reshape(scale, shape) + gc.reshape(b, shape)
        return gc.cast(gc.reshape(found, x.shape), x.dtype)
    found = gc.cast(gc.reshape(found, x.shape), x.dtype)
    return found * _by_channel(scale, rank) + _by_channel(b, rank)


@rule("LRN")
def lrn(a: Use, x: Node) -> Any:
    size, c = a.size, x.shape[1]
    bounded(size, MOST_LISTED, "channels that count for one")
    before = (size - 1) // 2
    square = gc.square(x)
    pairs = [(0, 0)] * len(x.shape)
    pairs[1] = (before, size - 1 - before)
    wide = gc.pad(square, pairs)
    whole: Any = 0
    for k in range(size):
        whole = whole + wide[:, k : k + c]
    return x / gc.pow(a.bias + a.alpha / size * whole, a.beta)


@rule("Dropout", takes="xvv")
def dropout(a: Use, x: Node, ratio: Value | None = None, training: Value | None = None) -> Any:
    is_training = training is not None and bool(training.array().reshape(-1)[0])
    rate = (
        0.5
        if ratio is None and a.version >= 12
        else (a.ratio if ratio is None else float(ratio.array().reshape(-1)[0]))
    )
    if not is_training or rate == 0:
        every = full(x.shape, True, dtypes.bool_ if a.version >= 10 else x.dtype)
        return (x, every)[: a.count]
    kept = random.uniform(x.shape) >= rate
    found = gc.where(kept, x / (1 - rate), 0.0)
    return (gc.cast(found, x.dtype), kept)[: a.count]


@rule("SkipLayerNormalization", domain="com.microsoft")
def skip_layer_normalization(
    a: Use, x: Node, skip: Node, scale: Node, b: Node | None = None, bias: Node | None = None
) -> Any:
    whole = x + skip if bias is None else x + skip + bias
    rank = len(x.shape)
    found, mean, inverse = _standard(whole, (rank - 1,), a.epsilon or 1e-12)
    found = found * scale if b is None else found * scale + b
    return (found, mean, inverse, whole)[: a.count]

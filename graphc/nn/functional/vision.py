"""Images: interpolate, pixel_shuffle, channel_shuffle, affine_grid, grid_sample."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.eager.engine.composite import composite
from graphc.eager.engine.registry import named
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ArgumentError, AttributeValueError, ShapeError
from graphc.nn.functional.common import check_floats, per_axis, show
from graphc.nn.functional.operation import operation
from graphc.nn.functional.pooling_adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)
from graphc.ops.arrays.lookup import take
from graphc.ops.arrays.shaping import reshape, swapaxes, transpose
from graphc.ops.elementwise.extremes import clip
from graphc.ops.elementwise.rounding import rint

MODES = {
    "nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "linear": (1,), "bilinear": (2,),
    "bicubic": (2,), "trilinear": (3,), "area": (1, 2, 3),
}  # fmt: skip
_AREAS = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)
# Keys' cubic convolution with the constant that PyTorch uses.
_CUBIC = -0.75


def _centres(size: int, count: int, corners: bool, scale: float | None) -> np.ndarray:
    """Where the elements of the result lie in the input, in its element units."""
    place = np.arange(count, dtype=np.float64)
    if corners:
        return place * ((size - 1) / (count - 1) if count > 1 else 0.0)
    return (place + 0.5) * (1.0 / scale if scale else size / count) - 0.5


def _near(size: int, count: int, exact: bool, scale: float | None) -> np.ndarray:
    step = 1.0 / scale if scale else size / count
    place = np.arange(count) + (0.5 if exact else 0.0)
    return np.minimum(np.floor(place * step), size - 1).astype(np.int64)


def _cubic(t: np.ndarray) -> list[np.ndarray]:
    """The weights of the four elements around, for a fraction t past the second."""
    a = _CUBIC

    def inner(x: np.ndarray) -> np.ndarray:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def outer(x: np.ndarray) -> np.ndarray:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [outer(t + 1), inner(t), inner(1 - t), outer(2 - t)]


def _blended(x: Any, axis: int, taps: list[tuple[np.ndarray, np.ndarray]]) -> Any:
    """Sums of elements along an axis, each with a weight."""
    wide = [1] * x.type.rank
    total: Any = None
    for index, weight in taps:
        wide[axis] = len(index)
        part = take(x, index, axis) * weight.astype(x.type.dtype.numpy).reshape(wide)
        total = part if total is None else total + part
    return total


def _resized(x: Any, axis: int, count: int, mode: str, corners: bool, scale: Any) -> Any:
    size = x.type.shape[axis]
    if mode.startswith("nearest"):
        return take(x, _near(size, count, mode == "nearest-exact", scale), axis)
    at = _centres(size, count, corners, scale)
    if mode == "bicubic":
        low = np.floor(at)
        taps = [
            (np.clip(low + k - 1, 0, size - 1).astype(np.int64), weight)
            for k, weight in enumerate(_cubic(at - low))
        ]
        return _blended(x, axis, taps)
    at = np.maximum(at, 0)
    low = np.minimum(np.floor(at), size - 1).astype(np.int64)
    part = at - low
    high = np.minimum(low + 1, size - 1)
    return _blended(x, axis, [(low, 1 - part), (high, part)])


@composite
@named("UpsampleBackward0")
def _interpolate(
    x: Any, *, sizes: tuple[int, ...], mode: str, corners: bool, scales: tuple[Any, ...]
) -> Any:
    own, blends = x.type.dtype, not mode.startswith("nearest")
    if blends and own is dtypes.uint8:  # as images are stored: blended as floats
        x = x.astype(dtypes.float32)
    elif blends:
        check_floats(f"interpolate: mode {mode!r}", x)
    for a, (count, scale) in enumerate(zip(sizes, scales)):
        if x.type.shape[2 + a] != count or mode != "nearest":
            x = _resized(x, 2 + a, count, mode, corners, scale)
    return clip(rint(x), 0, 255).astype(own) if x.type.dtype is not own else x


def interpolate(
    input: AnyTensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """Images of another size.

    Args:
        input: (N, C, ...) with 1 to 3 spatial axes.
        size: the sizes of the result, or None.
        scale_factor: how much larger it is, or None; one of the two is given.
        mode: "nearest", "nearest-exact", "linear" (1 axis), "bilinear", "bicubic" (2 axes),
            "trilinear" (3 axes) or "area".
        align_corners: whether the centres of corner elements are kept, in the linear and cubic
            modes.
        recompute_scale_factor: whether the scale is taken from the sizes, rounded as they are.
        antialias: not supported.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.interpolate(gc.tensor([[[1.0, 2.0]]]), scale_factor=2)
        tensor([[[1., 1., 2., 2.]]])
    """
    rank = input.ndim - 2
    if mode not in MODES or rank not in MODES[mode]:
        raise AttributeValueError(
            f"interpolate: mode={mode!r} for an input of shape {show(input.shape)}",
            where=caller(),
            hint=f"modes for {rank} spatial axes: "
            + ", ".join(m for m, ranks in MODES.items() if rank in ranks),
        )
    if (size is None) == (scale_factor is None):
        raise ArgumentError("interpolate: give size or scale_factor, not both", where=caller())
    if align_corners is not None and mode in ("nearest", "nearest-exact", "area"):
        raise ArgumentError(f"interpolate: mode {mode!r} has no align_corners", where=caller())
    if antialias:
        raise ArgumentError("interpolate: antialias is not supported", where=caller())
    inner = tuple(input.shape[2:])
    if not all(isinstance(d, int) for d in inner):
        raise ShapeError("interpolate: spatial sizes must be fixed", where=caller())
    scales: tuple[Any, ...] = (None,) * rank
    if size is not None:
        sizes = tuple(int(s) for s in per_axis("interpolate", "size", size, rank))
    else:
        scales = per_axis("interpolate", "scale_factor", scale_factor, rank)
        sizes = tuple(math.floor(d * float(s)) for d, s in zip(inner, scales))
        if recompute_scale_factor:
            scales = (None,) * rank
    if mode == "area":
        return _AREAS[rank - 1](input, sizes)
    return _interpolate(
        input, sizes=sizes, mode=mode, corners=bool(align_corners), scales=tuple(scales)
    )


def upsample(
    input: AnyTensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Any:
    """`interpolate` by its old name.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.upsample(gc.tensor([[[1.0, 2.0]]]), size=3)
        tensor([[[1., 1., 2.]]])
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


@operation("PixelShuffleBackward0")
def pixel_shuffle(input: AnyTensor, upscale_factor: int) -> Any:
    """Channels laid out as finer images: (*, C r r, H, W) to (*, C, H r, W r).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.pixel_shuffle(gc.arange(4.0).reshape(4, 1, 1), 2)
        tensor([[[0., 1.],
                 [2., 3.]]])
    """
    factor = upscale_factor
    *lead, channels, h, w = input.shape
    if channels % (factor * factor):
        raise ShapeError(
            f"pixel_shuffle: {channels} channels are no multiple of {factor} * {factor}",
            where=caller(),
        )
    rank = len(lead)
    fewer = channels // (factor * factor)
    split = reshape(input, (*lead, fewer, factor, factor, h, w))
    order = [*range(rank), rank, rank + 3, rank + 1, rank + 4, rank + 2]
    return reshape(transpose(split, order), (*lead, fewer, h * factor, w * factor))


@operation("PixelUnshuffleBackward0")
def pixel_unshuffle(input: AnyTensor, downscale_factor: int) -> Any:
    """The inverse of `pixel_shuffle`: (*, C, H r, W r) to (*, C r r, H, W).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.pixel_unshuffle(gc.ones(1, 2, 2), 2).shape
        graphc.Size([4, 1, 1])
    """
    factor = downscale_factor
    *lead, channels, h, w = input.shape
    if h % factor or w % factor:
        raise ShapeError(
            f"pixel_unshuffle: sizes {h} and {w} are no multiples of {factor}", where=caller()
        )
    rank = len(lead)
    split = reshape(input, (*lead, channels, h // factor, factor, w // factor, factor))
    order = [*range(rank), rank, rank + 2, rank + 4, rank + 1, rank + 3]
    more = channels * factor * factor
    return reshape(transpose(split, order), (*lead, more, h // factor, w // factor))


@operation("ChannelShuffleBackward0")
def channel_shuffle(input: AnyTensor, groups: int) -> Any:
    """Channels in another order: the first of each group, then the second of each.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.channel_shuffle(gc.arange(4.0).reshape(1, 4, 1), 2).flatten()
        tensor([0., 2., 1., 3.])
    """
    shape = input.shape
    if len(shape) < 3 or shape[1] % groups:
        raise ShapeError(
            f"channel_shuffle: {groups} groups of an input of shape {show(shape)}", where=caller()
        )
    split = reshape(input, (shape[0], groups, shape[1] // groups, *shape[2:]))
    return reshape(swapaxes(split, 1, 2), shape)


__all__ = ["channel_shuffle", "interpolate", "pixel_shuffle", "pixel_unshuffle", "upsample"]

"""Pooling: the greatest, the mean, the p-norm of what lies under each place of a kernel."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.core import dims, dtypes
from graphc.core.ir import Node
from graphc.onnx.rules.convolution import is_even, pads_of, roomy, spatial
from graphc.onnx.rules.shape import padded
from graphc.onnx.table import Use, rule
from graphc.onnx.values import MOST_LISTED, bounded
from graphc.ops.source import full, iota


class Windows:
    """The places of a kernel on an image, as a node says them.

    Attributes:
        kernel, strides, dilations: one number for each spatial axis.
        pads: room at both ends of each axis, as written.
        extra: further room behind, for the last window where sizes are rounded up.
        counts: how many places there are along each axis.
    """

    def __init__(self, a: Use, x: Node) -> None:
        self.kernel = list(a.kernel_shape)
        rank = len(self.kernel)
        if len(x.shape) != rank + 2:
            raise ValueError(f"a kernel of {rank} axes for {x.type}")
        self.strides = spatial(a, rank, "strides")
        self.dilations = spatial(a, rank, "dilations")
        self.sizes = x.shape[2:]
        self.pads = pads_of(a, self.sizes, self.kernel, self.strides, self.dilations)
        self.extents = [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations)]
        self.counts, self.extra = [], []
        for n, e, s, (before, after) in zip(self.sizes, self.extents, self.strides, self.pads):
            room = n + before + after - e
            count = room // s + 1
            if a.ceil_mode:
                # The last window begins inside of the image or the room before it.
                count = dims.minimum(-(-room // s) + 1, (n + before - 1) // s + 1)
            self.counts.append(count)
            self.extra.append(_over((count - 1) * s - room))

    @property
    def room(self) -> list[tuple[Any, Any]]:
        """All the room around an image."""
        return [(before, after + more) for (before, after), more in zip(self.pads, self.extra)]

    def parts(self, wide: Node) -> list[Any]:
        """For each place in the kernel, what it sees in a padded image."""
        found = []
        bounded(math.prod(self.kernel), MOST_LISTED, "places of a kernel")
        for place in itertools.product(*map(range, self.kernel)):
            index = [slice(None), slice(None)]
            for k, d, s, count in zip(place, self.dilations, self.strides, self.counts):
                index.append(slice(k * d, k * d + (count - 1) * s + 1, s))
            found.append(wide[tuple(index)])
        return found


def _over(more: Any) -> Any:
    return max(more, 0) if isinstance(more, int) else dims.maximum(more, 0)


def _least(dtype: Any) -> Any:
    return -float("inf") if dtype.is_float else int(np.iinfo(dtype.numpy).min)


@rule("MaxPool")
def max_pool(a: Use, x: Node) -> Any:
    windows = Windows(a, x)
    if a.wants(1):
        return _with_places(a, x, windows)
    is_plain = is_even(windows.room) and all(
        before <= k // 2 for k, (before, _) in zip(windows.kernel, windows.pads)
    )
    if is_plain and x.dtype.is_float:
        padding = [before for before, _ in windows.pads]
        return gc.max_pool(x, windows.kernel, windows.strides, padding, windows.dilations)
    wide = roomy(x, windows.room, _least(x.dtype))
    if x.dtype.is_float:
        return gc.max_pool(wide, windows.kernel, windows.strides, 0, windows.dilations)
    found, *others = windows.parts(wide)
    for other in others:
        found = gc.maximum(found, other)
    return found


def _with_places(a: Use, x: Node, windows: Windows) -> Any:
    wide = roomy(x, windows.room, _least(x.dtype))
    numbers = gc.reshape(iota((dims.product(x.shape),)), x.shape)
    if a.storage_order:
        numbers = _column_major(x)
    places = roomy(numbers, windows.room, -1)
    pairs = list(zip(windows.parts(wide), windows.parts(places)))
    best, best_place = pairs[0]
    for value, place in pairs[1:]:
        is_better = gc.logical_or(value > best, gc.logical_and(best_place < 0, place >= 0))
        best, best_place = gc.where(is_better, value, best), gc.where(is_better, place, best_place)
    return best, best_place


def _column_major(x: Node) -> Any:
    """The number of each element, the last axis counted slowest of the spatial ones."""
    shape = x.shape
    numbers, stride = gc.iota(shape, 0) * dims.product(shape[1:]), 1
    for axis in range(2, len(shape)):
        numbers = numbers + gc.iota(shape, axis) * stride
        stride = stride * shape[axis]
    return numbers + gc.iota(shape, 1) * stride


def _summed(x: Node, windows: Windows) -> Any:
    """The sum under each place of the kernel."""
    wide = roomy(x, windows.room)
    size = 1
    for k in windows.kernel:
        size *= k
    if all(d == 1 for d in windows.dilations):
        return gc.avg_pool(wide, windows.kernel, windows.strides) * size
    found, *others = windows.parts(wide)
    for other in others:
        found = found + other
    return found


@rule("AveragePool")
def average_pool(a: Use, x: Node) -> Any:
    windows = Windows(a, x)
    is_plain = all(isinstance(w, int) and w == 0 for pair in windows.room for w in pair)
    if is_plain and all(d == 1 for d in windows.dilations):
        return gc.avg_pool(x, windows.kernel, windows.strides)
    ones = full((1, 1, *windows.sizes), 1, x.dtype)
    counted = windows
    if a.count_include_pad:
        ones = padded(ones, [(0, 0), (0, 0), *windows.pads], 1)
        ones = padded(ones, [(0, 0), (0, 0), *[(0, more) for more in windows.extra]])
        return _summed(x, windows) / _on_padded(ones, windows)
    return _summed(x, windows) / _summed(ones, counted)


def _on_padded(wide: Node, windows: Windows) -> Any:
    found, *others = windows.parts(wide)
    for other in others:
        found = found + other
    return found


@rule("LpPool")
def lp_pool(a: Use, x: Node) -> Any:
    windows = Windows(a, x)
    p = float(a.p or 2)
    return gc.pow(_summed(gc.pow(gc.abs(x), p), windows), 1 / p)


def _spatial_axes(x: Node) -> tuple[int, ...]:
    return tuple(range(2, len(x.shape)))


@rule("GlobalAveragePool")
def global_average_pool(a: Use, x: Node) -> Any:
    return gc.mean(x, _spatial_axes(x), True)


@rule("GlobalMaxPool")
def global_max_pool(a: Use, x: Node) -> Any:
    return gc.amax(x, _spatial_axes(x), True)


@rule("GlobalLpPool")
def global_lp_pool(a: Use, x: Node) -> Any:
    p = float(a.p or 2)
    return gc.pow(gc.sum(gc.pow(gc.abs(x), p), _spatial_axes(x), True), 1 / p)


@rule("MaxUnpool", takes="xxs")
def max_unpool(a: Use, x: Node, places: Node, sizes: list[Any] | None = None) -> Any:
    shape = x.shape
    rank = len(shape) - 2
    strides = spatial(a, rank, "strides")
    pads = a.pads or [0] * (2 * rank)
    own = [
        (n - 1) * s + k - pads[i] - pads[i + rank]
        for i, (n, s, k) in enumerate(zip(shape[2:], strides, a.kernel_shape))
    ]
    natural = (*shape[:2], *own)
    target = natural if sizes is None else tuple(sizes)
    flat = full((dims.product(natural),), 0, x.dtype)
    found = gc.index_update(
        flat, gc.reshape(gc.cast(places, dtypes.int64), (-1,)), gc.reshape(x, (-1,))
    )
    found = gc.reshape(found, natural)
    return padded(found, [(0, want - mine) for want, mine in zip(target, natural)])

"""Pictures sampled at places that a tensor names."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.core import dims, dtypes
from graphc.core.ir import Node
from graphc.onnx.table import Use, rule

CUBIC = -0.75


def _number(size: dims.Size, like: Node) -> Any:
    """A size in the dtype of coordinates."""
    return gc.cast(gc.size(size), like.dtype)


def _reflected(x: Node, low: Any, high: Any) -> Any:
    """Coordinates mirrored at both borders until they lie between them."""
    width = high - low
    apart = gc.where(x < low, low - x, x - high)
    turns = gc.floor(apart / width)
    rest = apart - turns * width
    is_even = gc.remainder(turns, 2.0) == 0
    near, far = low + rest, high - rest
    inside = gc.where(x < low, gc.where(is_even, near, far), gc.where(is_even, far, near))
    return gc.where(gc.logical_or(x < low, x > high), inside, x)


class Axis:
    """One axis of a picture, and where its coordinates lie.

    Args:
        a: the node.
        size: of the axis.
        grid: coordinates from -1 to 1.
    """

    def __init__(self, a: Use, size: dims.Size, grid: Node) -> None:
        self.size, self.padding = size, a.padding_mode or "zeros"
        self.last = _number(size, grid) - 1.0
        if a.align_corners:
            self.low, self.high = self.last * 0.0, self.last
            places = (grid + 1.0) / 2.0 * self.last
        else:
            self.low, self.high = self.last * 0.0 - 0.5, self.last + 0.5
            places = ((grid + 1.0) * (self.last + 1.0) - 1.0) / 2.0
        self.mode = {"bilinear": "linear", "bicubic": "cubic"}.get(a.mode, a.mode) or "linear"
        if self.mode == "nearest":
            places = gc.rint(places)
        self.places = self._kept(places)

    def _kept(self, places: Node) -> Any:
        """Coordinates with those beyond the borders brought back."""
        if self.padding == "border":
            is_out = gc.logical_or(places < self.low, places > self.high)
            return gc.where(is_out, gc.minimum(gc.maximum(places, 0.0), self.last), places)
        if self.padding == "reflection":
            return _reflected(places, self.low, self.high)
        return places

    def taps(self) -> Iterator[tuple[Any, Any, Any]]:
        """For each element that counts: its place, whether it is one, and its weight (or None)."""
        if self.mode == "nearest":
            yield (*self._at(self.places), None)
            return
        first = gc.floor(self.places)
        rest = self.places - first
        steps = (0, 1) if self.mode == "linear" else (-1, 0, 1, 2)
        for step in steps:
            distance = gc.abs(rest - float(step))
            weight = 1.0 - distance if self.mode == "linear" else _cubic(distance, abs(step) < 2)
            yield (*self._at(first + float(step)), weight)

    def _at(self, place: Node) -> tuple[Any, Any]:
        """A whole place as an index, and whether the picture has it."""
        if self.padding == "border":
            place = gc.minimum(gc.maximum(place, 0.0), self.last)
        elif self.padding == "reflection":
            place = gc.trunc(_reflected(place, self.low, self.high))
        is_there = gc.logical_and(place >= 0.0, place <= self.last)
        kept = gc.minimum(gc.maximum(place, 0.0), self.last)
        return gc.cast(gc.where(gc.isnan(kept), 0.0, kept), dtypes.int64), is_there


def _cubic(d: Any, is_inner: bool) -> Any:
    """The weight at a distance of up to 2."""
    near = ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1.0
    far = ((CUBIC * d - 5 * CUBIC) * d + 8 * CUBIC) * d - 4 * CUBIC
    return gc.where(d <= 1.0, near, far) if is_inner else far


@rule("GridSample")
def grid_sample(a: Use, x: Node, grid: Node) -> Any:
    n, c, *sizes = x.shape
    rank = len(sizes)
    axes = [Axis(a, size, grid[..., rank - 1 - k]) for k, size in enumerate(sizes)]
    flat = gc.reshape(x, (n, c, dims.product(sizes)))
    out = grid.shape[1:-1]
    count = dims.product(out)
    found: Any = None
    for taps in itertools.product(*(axis.taps() for axis in axes)):
        index: Any = 0
        weight: Any = gc.constant(np.ones((), x.dtype.numpy))
        for (place, is_there, own), size in zip(taps, sizes):
            index = index * size + place
            weight = weight * gc.cast(is_there, x.dtype)
            weight = weight if own is None else weight * gc.cast(own, x.dtype)
        spread = gc.broadcast_to(gc.reshape(index, (n, 1, count)), (n, c, count))
        part = gc.take_along_axis(flat, spread, 2) * gc.reshape(weight, (n, 1, count))
        found = part if found is None else found + part
    return gc.reshape(found, (n, c, *out))

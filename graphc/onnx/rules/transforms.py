"""Fourier transforms, as products with matrices of cosines and sines; determinants; regions."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.dims import Dim
from graphc.core.ir import Node
from graphc.core.origin import caller
from graphc.errors import ShapeError, UnsupportedError
from graphc.onnx.table import Use, rule
from graphc.onnx.values import MOST_MADE, bounded
from graphc.ops.linalg.systems import determinant
from graphc.ops.source import iota


@rule("Det")
def det(a: Use, x: Node) -> Any:
    return determinant(x, title="Det")


def _fixed(size: Any, what: str) -> int:
    """A size that matrices are made of, as a number."""
    if isinstance(size, Dim):
        raise ShapeError(f"{what} depends on a size that is symbolic: {size}")
    bounded(int(size) ** 2, MOST_MADE, what)
    return int(size)


def _waves(rows: int, columns: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin of `2 pi n k / length`, whose whole turns are taken off exactly."""
    places = np.arange(rows)[:, None] * np.arange(columns)[None] % length
    angles = 2 * np.pi * places / length
    return np.cos(angles), np.sin(angles)


def _constant(array: np.ndarray, like: Node) -> Any:
    return gc.constant(array.astype(like.dtype.numpy))


def _resized(x: Node, length: int) -> Any:
    """So many elements of the last axis, zeros after those that there are."""
    size = x.shape[-1]
    if isinstance(size, Dim):
        raise ShapeError(f"DFT: the axis has a size that is symbolic: {size}")
    if size >= length:
        return gc.narrow(x, len(x.shape) - 1, 0, length)
    return gc.pad(x, [*[(0, 0)] * (len(x.shape) - 1), (0, length - size)])


def transformed(real: Node, imag: Any, length: int, count: int, inverse: bool) -> list[Any]:
    """The transform along the last axis: real and imaginary parts of `count` frequencies."""
    cosine, sine = _waves(length, count, length)
    if inverse:
        cosine, sine = cosine / length, -sine / length
    # In float64: frequencies that cancel leave its rounding, not float32's.
    c, s, own = gc.constant(cosine), gc.constant(sine), real.dtype
    real = gc.cast(real, dtypes.float64)
    parts = [gc.matmul(real, c), -gc.matmul(real, s)]
    if imag is not None:
        imag = gc.cast(imag, dtypes.float64)
        parts = [parts[0] + gc.matmul(imag, s), parts[1] + gc.matmul(imag, c)]
    return [gc.cast(part, own) for part in parts]


@rule("DFT", takes="xkk")
def dft(a: Use, x: Node, dft_length: Any = None, axis: Any = None) -> Any:
    rank = len(x.shape)
    default = 1 if a.version < 20 else -2
    place = int(axis) if axis is not None else default if a.axis is None else a.axis
    place %= rank
    inverse, onesided = bool(a.inverse), bool(a.onesided)
    real = gc.moveaxis(x[..., 0], place, -1)
    imag = gc.moveaxis(x[..., 1], place, -1) if x.shape[-1] == 2 else None
    size = real.shape[-1]
    halves = inverse and onesided
    length = _fixed(
        int(dft_length) if dft_length is not None else 2 * (size - 1) if halves else size, "DFT"
    )
    if halves:
        return gc.expand_dims(gc.moveaxis(_real_of(real, imag, length), -1, place), -1)
    real, imag = _resized(real, length), None if imag is None else _resized(imag, length)
    count = length // 2 + 1 if onesided else length
    parts = transformed(real, imag, length, count, inverse)
    return gc.stack([gc.moveaxis(part, -1, place) for part in parts], -1)


def _real_of(real: Node, imag: Any, length: int) -> Any:
    """The real signal whose frequencies up to the half are given; the others mirror them."""
    count = length // 2 + 1
    cosine, sine = _waves(count, length, length)
    weight = np.full((count, 1), 2.0)
    weight[0] = 1.0
    weight[-1] = 1.0 if length % 2 == 0 else 2.0
    own, wide = real.dtype, dtypes.float64
    found = gc.matmul(gc.cast(_resized(real, count), wide), gc.constant(cosine * weight / length))
    if imag is not None:
        sines = gc.constant(sine * weight / length)
        found = found - gc.matmul(gc.cast(_resized(imag, count), wide), sines)
    return gc.cast(found, own)


@rule("STFT", takes="xkxk")
def stft(
    a: Use, signal: Node, frame_step: Any, window: Node | None = None, frame_length: Any = None
) -> Any:
    size = signal.shape[1]
    given = frame_length if frame_length is not None else None
    length = _fixed(
        int(given) if given is not None else size if window is None else window.shape[0], "STFT"
    )
    frames = (size - length) // int(frame_step) + 1
    places = iota((frames, length), 0) * int(frame_step) + iota((frames, length), 1)
    parts = [gc.take(signal[..., k], places, 1) for k in range(signal.shape[-1])]
    if window is not None:
        parts = [part * window for part in parts]
    onesided = a.onesided is None or bool(a.onesided)
    count = length // 2 + 1 if onesided else length
    found = transformed(parts[0], parts[1] if len(parts) > 1 else None, length, count, False)
    return gc.stack(found, -1)


@rule("RoiAlign")
def roi_align(a: Use, x: Node, rois: Node, batch: Node) -> Any:
    """Means or maxima of places in each cell of a region, each between its four neighbours."""
    height, width, ratio = a.output_height or 1, a.output_width or 1, a.sampling_ratio or 0
    if ratio <= 0:
        raise UnsupportedError(
            f"{a.place}: a sampling_ratio of 0 makes sizes depend on the regions",
            where=caller(), hint="export it with a sampling_ratio, such as 2",
        )  # fmt: skip
    bounded(height * width * ratio**2, MOST_MADE, "RoiAlign: places of a region")
    half = 0.5 if (a.coordinate_transformation_mode or _old(a)) == "half_pixel" else 0.0
    scaled = rois * (1.0 if a.spatial_scale is None else a.spatial_scale) - half
    left, top, right, bottom = (scaled[:, k] for k in range(4))
    wide, high = right - left, bottom - top
    if half == 0.0:  # regions that the older mode has are at least one element wide
        wide, high = gc.maximum(wide, 1.0), gc.maximum(high, 1.0)
    rows = _sampled(top, high, height, ratio)
    columns = _sampled(left, wide, width, ratio)
    images = gc.take(x, gc.cast(batch, dtypes.int64), 0)
    found = _between(images, rows, columns, a.mode == "max")
    count = rois.shape[0]
    cells = gc.reshape(found, (count, x.shape[1], height, ratio, width, ratio))
    return gc.amax(cells, (3, 5)) if a.mode == "max" else gc.mean(cells, (3, 5))


def _old(a: Use) -> str:
    return "half_pixel" if a.version >= 16 else "output_half_pixel"


def _sampled(first: Node, extent: Any, cells: int, ratio: int) -> Any:
    """The coordinates of places in a region along one axis: (regions, cells * ratio)."""
    steps = (np.arange(cells * ratio) + 0.5) / (cells * ratio)
    at = _constant(steps, first)
    return gc.expand_dims(first, 1) + gc.expand_dims(extent, 1) * at


def _neighbours(at: Node, size: Any) -> Any:
    """For coordinates: the two elements around, the share of the farther, whether they are in."""
    last = gc.cast(gc.size(size), at.dtype) - 1.0
    inside = gc.logical_and(at >= -1.0, at <= last + 1.0)
    near = gc.minimum(gc.maximum(at, 0.0), last)
    low = gc.floor(near)
    high = gc.minimum(low + 1.0, last)
    places = [gc.cast(v, dtypes.int64, "wrap") for v in (low, high)]
    return places, near - low, inside


def _between(images: Node, rows: Node, columns: Node, is_max: bool) -> Any:
    """Elements of (n, c, h, w) at rows (n, r) and columns (n, s), between neighbours."""
    height, width = images.shape[2:]
    (tops, down, in_rows), (lefts, along, in_columns) = (
        _neighbours(rows, height), _neighbours(columns, width),
    )  # fmt: skip
    down, along = gc.expand_dims(down, (1, 3)), gc.expand_dims(along, (1, 2))
    parts = []
    for y, share in zip(tops, (1.0 - down, down)):
        lines = gc.take_along_axis(images, gc.expand_dims(y, (1, 3)), 2)
        for x, part in zip(lefts, (1.0 - along, along)):
            parts.append(gc.take_along_axis(lines, gc.expand_dims(x, (1, 2)), 3) * (share * part))
    found = parts[0]
    for part in parts[1:]:
        found = gc.maximum(found, part) if is_max else found + part
    inside = gc.logical_and(gc.expand_dims(in_rows, (1, 3)), gc.expand_dims(in_columns, (1, 2)))
    return gc.where(inside, found, gc.cast(gc.constant(np.float32(0)), found.dtype))

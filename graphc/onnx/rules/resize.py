"""Resizing by interpolation, one axis after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.dims import Dim
from graphc.core.ir import Node
from graphc.errors import ShapeError
from graphc.onnx.table import Use, rule
from graphc.onnx.values import MOST_LISTED, MOST_MADE, Value, bounded
from graphc.ops.sizes import as_size
from graphc.ops.source import iota


def _floor_scaled(size: Any, scale: float) -> Any:
    """The size that an axis has when it is scaled."""
    if isinstance(size, int):
        return int(np.floor(size * np.float32(scale)))
    up = scale.as_integer_ratio()
    return size * up[0] // up[1]


@rule("Upsample", takes="xv")
def upsample(a: Use, x: Node, scales: Value | None = None) -> Any:
    found = a.scales if scales is None else scales.array().tolist()
    sizes = [_floor_scaled(s, f) for s, f in zip(x.shape, found)]
    for axis, (size, scale) in enumerate(zip(sizes, found)):
        x = _axis(x, axis, size, scale, "linear" if a.mode in ("linear", "bilinear") else "nearest",
                  "asymmetric", "floor", {})  # fmt: skip
    return x


@rule("Resize", takes="xvvv")
def resize(a: Use, x: Node, roi: Value | None = None, scales: Value | None = None,
           sizes: Value | None = None) -> Any:  # fmt: skip
    rank = len(x.shape)
    if a.version < 11:
        scales, roi = roi, None
    axes = list(range(rank)) if a.axes is None else [k % rank for k in a.axes]
    own = [x.shape[k] for k in axes]
    factors = None if scales is None or scales.shape == (0,) else scales.array().tolist()
    if factors is None:
        assert sizes is not None
        wanted = [as_size("Resize", s) for s in sizes.sizes()]
        factors = [_ratio(w, s) for w, s in zip(wanted, own)]
        wanted, factors = _policy(a.keep_aspect_ratio_policy, own, wanted, factors)
    else:
        wanted = [_floor_scaled(s, f) for s, f in zip(own, factors)]
    how = a.coordinate_transformation_mode or ("half_pixel" if a.version >= 11 else "asymmetric")
    region = None
    if how == "tf_crop_and_resize":
        assert roi is not None
        region = roi.array().reshape(2, -1)
    options = {
        "cubic": -0.75 if a.cubic_coeff_a is None else a.cubic_coeff_a,
        "exclude": bool(a.exclude_outside), "fill": a.extrapolation_value or 0.0,
        "antialias": bool(a.antialias),
    }  # fmt: skip
    nearest = (a.nearest_mode or "round_prefer_floor") if a.version >= 11 else "floor"
    for k, axis in enumerate(axes):
        window = None if region is None else (float(region[0, k]), float(region[1, k]))
        is_same = _is_same(own[k], wanted[k]) and window is None
        if is_same and (factors[k] is None or factors[k] == 1):
            continue
        x = _axis(
            x,
            axis,
            wanted[k],
            factors[k],
            a.mode or "nearest",
            how,
            nearest,
            {**options, "window": window},
        )
    return x


def _is_same(size: Any, wanted: Any) -> bool:
    return (
        type(size) is type(wanted)
        and not (isinstance(size, Dim) and str(size) != str(wanted))
        and (isinstance(size, Dim) or size == wanted)
    )


def _ratio(wanted: Any, size: Any) -> Any:
    return wanted / size if isinstance(wanted, int) and isinstance(size, int) else None


def _policy(policy: str | None, own: Any, wanted: Any, factors: Any) -> Any:
    if policy in (None, "stretch"):
        return wanted, factors
    if None in factors:
        raise ShapeError(f"policy {policy!r} with sizes that are not known")
    scale = min(factors) if policy == "not_larger" else max(factors)
    return [int(np.floor(scale * s + 0.5)) for s in own], [scale] * len(own)


def _axis(
    x: Node, axis: int, size: Any, scale: Any, mode: str, how: str, nearest: str, options: Any
) -> Any:
    """One axis resized: a sum of taps, each a gather with a weight for every place."""
    own = x.shape[axis]
    if (
        scale is not None
        and mode == "nearest"
        and scale == int(scale)
        and how == "asymmetric"
        and nearest == "floor"
    ):
        return gc.repeat(x, int(scale), axis)
    if isinstance(own, int) and isinstance(size, int):
        return _fixed(
            x,
            axis,
            own,
            size,
            scale if scale is not None else size / own,
            mode,
            how,
            nearest,
            options,
        )
    if options.get("antialias") or options.get("exclude"):
        raise ShapeError("a resize with antialias, of sizes that are not known")
    return _symbolic(x, axis, own, size, scale, mode, how, nearest)


def _places(size: int, own: int, scale: float, how: str, window: Any) -> np.ndarray:
    """Where in the axis each place of the result lies."""
    bounded(size, MOST_MADE, "the size of a resized axis")
    steps = np.arange(size, dtype=np.float64)
    whole = own * scale
    if how == "align_corners":
        return steps * (own - 1) / (whole - 1) if whole != 1 else np.zeros(size)
    if how == "asymmetric":
        return steps / scale
    if how == "tf_crop_and_resize":
        low, high = window
        if size > 1:
            return low * (own - 1) + steps * (high - low) * (own - 1) / (size - 1)
        return np.full(size, 0.5 * (low + high) * (own - 1))
    if how == "pytorch_half_pixel" and size == 1:
        return np.full(size, -0.5)
    if how == "half_pixel_symmetric":
        adjust = size / whole
        centre = own / 2
        return centre * (1 - adjust) + (steps + 0.5) / scale - 0.5
    if how == "tf_half_pixel_for_nn":
        return (steps + 0.5) / scale
    return (steps + 0.5) / scale - 0.5


def _rounded(places: np.ndarray, nearest: str) -> np.ndarray:
    if nearest == "round_prefer_floor":
        return np.ceil(places - 0.5)
    if nearest == "round_prefer_ceil":
        return np.floor(places + 0.5)
    return np.floor(places) if nearest == "floor" else np.ceil(places)


def _cubic(distance: np.ndarray, coefficient: float) -> np.ndarray:
    d, c = np.abs(distance), coefficient
    near = ((c + 2) * d - (c + 3)) * d * d + 1
    far = ((c * d - 5 * c) * d + 8 * c) * d - 4 * c
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def _fixed(
    x: Node,
    axis: int,
    own: int,
    size: int,
    scale: float,
    mode: str,
    how: str,
    nearest: str,
    options: Any,
) -> Any:
    window = options.get("window")
    places = _places(size, own, scale, how, window)
    if mode == "nearest":
        index = np.clip(_rounded(places, nearest), 0, own - 1).astype(np.int64)
        found = gc.take(x, gc.constant(index), axis)
    else:
        taps, weights = _taps(places, own, scale, mode, options)
        found = _weighted(x, axis, taps, weights)
    if how != "tf_crop_and_resize":
        return found
    outside = (places < 0) | (places > own - 1)
    shape = [size if k == axis else 1 for k in range(len(x.shape))]
    return gc.where(
        gc.constant(outside.reshape(shape)), gc.constant(np.float32(options["fill"])), found
    )


def _taps(
    places: np.ndarray, own: int, scale: float, mode: str, options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """For each place the elements that count and their weights, (taps, size)."""
    stretch = max(1.0, 1 / scale) if options.get("antialias") else 1.0
    reach = (2 if mode == "cubic" else 1) * stretch
    bounded(reach, MOST_LISTED, "elements that count for one")
    first = np.floor(places - reach).astype(np.int64) + 1
    count = int(np.ceil(2 * reach)) + (1 if options.get("antialias") else 0)
    taps = first + np.arange(count)[:, None]
    distance = (taps - places) / stretch
    if mode == "cubic":
        weights = _cubic(distance, options["cubic"])
    else:
        weights = np.maximum(0.0, 1 - np.abs(distance))
    if options.get("exclude"):
        weights = np.where((taps < 0) | (taps >= own), 0.0, weights)
    if options.get("exclude") or options.get("antialias"):
        weights = weights / weights.sum(0)
    return np.clip(taps, 0, own - 1), weights


def _weighted(x: Node, axis: int, taps: np.ndarray, weights: np.ndarray) -> Any:
    dtype = x.dtype
    shape = [-1 if k == axis else 1 for k in range(len(x.shape))]
    wide: Any = x if dtype.is_float else gc.cast(x, dtypes.float32)
    found: Any = None
    for index, weight in zip(taps, weights):
        own = gc.constant(weight.astype(wide.dtype.numpy).reshape(shape))
        part = gc.take(wide, gc.constant(index), axis) * own
        found = part if found is None else found + part
    return found if dtype.is_float else gc.cast(gc.rint(found), dtype, "wrap")


def _symbolic(
    x: Node, axis: int, own: Any, size: Any, scale: Any, mode: str, how: str, nearest: str
) -> Any:
    """The same with sizes that only a call brings: nearest and linear."""
    if mode not in ("nearest", "linear"):
        raise ShapeError(f"mode {mode!r} with sizes that are not known")
    wide = x.dtype if x.dtype.is_float else dtypes.float32
    steps = gc.cast(iota((size,)), wide)
    factor: Any = (
        1 / scale
        if scale is not None
        else gc.cast(gc.size(own), wide) / gc.cast(gc.size(size), wide)
    )
    if how == "align_corners":
        last = gc.maximum(gc.cast(gc.size(size - 1), wide), 1.0)
        places = steps * gc.cast(gc.size(own - 1), wide) / last
    elif how == "asymmetric":
        places = steps * factor
    elif how in ("half_pixel", "pytorch_half_pixel"):
        places = (steps + 0.5) * factor - 0.5
        if how == "pytorch_half_pixel":
            places = gc.where(gc.size(size) == 1, gc.constant(np.float32(-0.5)), places)
    else:
        raise ShapeError(f"{how} with sizes that are not known")
    last = gc.size(own - 1)
    if mode == "nearest":
        whole = {
            "round_prefer_floor": lambda v: gc.ceil(v - 0.5),
            "round_prefer_ceil": lambda v: gc.floor(v + 0.5), "floor": gc.floor, "ceil": gc.ceil,
        }[nearest](places)  # fmt: skip
        return gc.take(x, gc.clip(gc.cast(whole, dtypes.int64), 0, last), axis)
    low = gc.floor(places)
    weight = gc.reshape(places - low, [-1 if k == axis else 1 for k in range(len(x.shape))])
    first = gc.cast(low, dtypes.int64)
    left, right = (gc.take(x, gc.clip(first + k, 0, last), axis) for k in (0, 1))
    return left * (1 - weight) + right * weight

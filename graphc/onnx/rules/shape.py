"""Operators that move elements or say how many there are."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.core import dims, dtypes
from graphc.core.dims import Dim
from graphc.core.ir import Node
from graphc.onnx.rules.casting import dtype_of
from graphc.onnx.rules.reduce import axes_of
from graphc.onnx.table import Use, rule
from graphc.onnx.values import (
    MOST_LISTED,
    MOST_MADE,
    MOST_SIZE,
    Absent,
    NeedsValue,
    Value,
    bounded,
    plain,
)
from graphc.ops.sizes import as_size, dim
from graphc.ops.source import full, iota
from graphc.ops.source import size as size_node


def known_sizes(sizes: Any) -> np.ndarray:
    """Ints and symbolic sizes as what is known of a vector."""
    found = np.empty(len(sizes), object)
    found[:] = list(sizes)
    return plain(found) if len(found) else np.zeros(0, np.int64)


@rule("Shape", takes="v", is_odd=True)
def shape(a: Use, x: Value) -> Any:
    rank = x.rank
    start, end = a.start or 0, rank if a.end is None else a.end
    start, end = (max(0, min(rank, k + rank if k < 0 else k)) for k in (start, end))
    return known_sizes(x.shape[start : max(start, end)])


@rule("Size", takes="v", is_odd=True)
def size(a: Use, x: Value) -> Any:
    count = dims.product(x.shape)
    return np.array(count, np.int64 if isinstance(count, int) else object)


@rule("Reshape", takes="xs", is_odd=True)
def reshape(a: Use, x: Node, sizes: list[Any] | None = None) -> Any:
    sizes = list(a.shape) if sizes is None else sizes
    own = x.shape
    if not a.allowzero:
        for k, s in enumerate(sizes):
            if isinstance(s, int) and s == 0:
                sizes[k] = own[k]
    if any(not isinstance(s, int | Dim) for s in sizes):
        sizes = _computed(own, sizes, bool(a.allowzero))
    if sum(isinstance(s, int) and s == -1 for s in sizes) > 1:
        raise ValueError(f"two sizes of {sizes} are -1")
    if any(isinstance(s, int) and s < -1 for s in sizes):
        raise ValueError(f"a size of {sizes} is negative")
    return gc.reshape(x, tuple(_inferred(own, sizes)))


def _inferred(own: Any, sizes: list[Any]) -> list[Any]:
    """The sizes with -1 worked out."""
    if not any(isinstance(s, int) and s == -1 for s in sizes):
        return sizes
    rest = dims.product([s for s in sizes if not (isinstance(s, int) and s == -1)])
    if isinstance(rest, int) and rest == 0:
        return [0 if isinstance(s, int) and s == -1 else s for s in sizes]
    whole = dims.product(own) // rest
    return [whole if isinstance(s, int) and s == -1 else s for s in sizes]


def _computed(own: Any, sizes: list[Any], allow_zero: bool) -> list[Any]:
    """Sizes that a tensor holds, where -1 and 0 may stand among them."""
    values = [gc.size(s) if isinstance(s, int | Dim) else s for s in sizes]
    if not allow_zero:
        values = [
            gc.where(v == 0, gc.size(own[k]), v) if k < len(own) else v
            for k, v in enumerate(values)
        ]
    rest: Any = gc.constant(np.int64(1))
    for v in values:
        rest = rest * gc.where(v == -1, 1, v)
    whole = gc.floor_divide(gc.size(dims.product(own)), gc.maximum(rest, 1))
    return [gc.where(v == -1, whole, v) for v in values]


@rule("Flatten", is_odd=True)
def flatten(a: Use, x: Node) -> Any:
    own = x.shape
    axis = a.axis + len(own) if a.axis < 0 else a.axis
    return gc.reshape(x, (dims.product(own[:axis]), dims.product(own[axis:])))


@rule("Squeeze", takes="xv", is_odd=True)
def squeeze(a: Use, x: Node, axes: Value | None = None) -> Any:
    own = x.shape
    found = axes_of(a, len(own), axes)
    if found is None:
        found = tuple(k for k, s in enumerate(own) if isinstance(s, int) and s == 1)
    return gc.squeeze(x, tuple(found)) if found else x


@rule("Unsqueeze", takes="xv", is_odd=True)
def unsqueeze(a: Use, x: Node, axes: Value | None = None) -> Any:
    given = a.axes if axes is None else axes.array().reshape(-1).tolist()
    rank = len(x.shape) + len(given)
    places = {k % rank for k in given}
    if len(places) != len(given) or any(not -rank <= k < rank for k in given):
        raise ValueError(f"the axes {given} of {rank}")
    rest = iter(x.shape)
    return gc.reshape(x, tuple(1 if k in places else next(rest) for k in range(rank)))


@rule("Transpose", is_odd=True)
def transpose(a: Use, x: Node) -> Any:
    rank = len(x.shape)
    order = tuple(reversed(range(rank))) if a.perm is None else tuple(a.perm)
    return gc.permute(x, order) if rank else x


@rule("Concat", is_odd=True)
def concat(a: Use, *xs: Node) -> Any:
    return gc.concat(list(xs), a.axis)


@rule("Identity", takes="v", is_odd=True)
def identity(a: Use, x: Value) -> Any:
    return Absent() if x is None else x


@rule("Expand", takes="xs", is_odd=True)
def expand(a: Use, x: Node, sizes: list[Any]) -> Any:
    own = x.shape
    rank = max(len(own), len(sizes))
    own = (1,) * (rank - len(own)) + tuple(own)
    sizes = [1] * (rank - len(sizes)) + list(sizes)
    target = [_wider(mine, s) for mine, s in zip(own, sizes)]
    return gc.broadcast_to(x, tuple(target))


def _wider(mine: Any, wanted: Any) -> Any:
    """The size that an axis and a wanted size broadcast to."""
    if isinstance(wanted, int) and wanted == 1:
        return mine
    if isinstance(mine, int) and mine != 1 and not isinstance(wanted, int):
        return mine
    if not isinstance(wanted, int | Dim):
        return gc.maximum(wanted, gc.size(mine))
    return wanted


@rule("Tile", takes="xs", is_odd=True)
def tile(a: Use, x: Node, repeats: list[Any]) -> Any:
    own = x.shape
    if all(isinstance(r, int) for r in repeats):
        return gc.tile(x, tuple(repeats))
    paired = [s for r, mine in zip(repeats, own) for s in (r, mine)]
    spread = gc.reshape(x, tuple(s for mine in own for s in (1, mine)))
    wide = gc.broadcast_to(spread, tuple(paired))
    return gc.reshape(wide, tuple(as_size("tile", r) * m for r, m in zip(repeats, own)))


@rule("Split", takes="xv", is_odd=True)
def split(a: Use, x: Node, sizes: Value | None = None) -> Any:
    axis = (a.axis or 0) % len(x.shape)
    whole = x.shape[axis]
    found = a.split if sizes is None else sizes.sizes()
    if found is None:
        count = a.num_outputs or a.count
        part = -(-whole // count)
        found = [part] * (count - 1) + [whole - part * (count - 1)]
        if isinstance(whole, int) and found[-1] < 0:
            raise ValueError(f"{whole} elements in {count} parts of {part}")
    return tuple(parts(x, axis, found))


def parts(x: Node, axis: int, sizes: list[Any]) -> list[Any]:
    """Slices of some sizes along an axis, one behind the other."""
    found, start = [], 0
    whole = x.shape[axis]
    bounded(len(sizes), MOST_LISTED, "parts of a tensor")
    if all(isinstance(s, int) for s in [whole, *sizes]) and sum(sizes) != whole:
        raise ValueError(f"parts of {sizes} of {whole} elements")
    for k, length in enumerate(sizes):
        stop = start + length
        is_last = k == len(sizes) - 1
        index = [slice(None)] * axis + [slice(start, None if is_last else stop)]
        found.append(x[tuple(index)])
        start = stop
    return found


def sliced(x: Node, cuts: dict[int, slice]) -> Any:
    """A tensor cut along some axes."""
    return x[tuple(cuts.get(k, slice(None)) for k in range(len(x.shape)))] if cuts else x


@rule("Slice", takes="xvvvv", is_odd=True)
def slice_(
    a: Use,
    x: Node,
    starts: Value | None = None,
    ends: Value | None = None,
    axes: Value | None = None,
    steps: Value | None = None,
) -> Any:
    rank = len(x.shape)
    begin = a.starts if starts is None else starts.sizes()
    end = a.ends if ends is None else ends.sizes()
    along = a.axes if axes is None else axes.array().reshape(-1).tolist()
    along = list(range(len(begin))) if along is None else [int(k) % rank for k in along]
    by = [1] * len(begin) if steps is None else steps.array().reshape(-1).tolist()
    cuts = {}
    for k, b, e, s in zip(along, begin, end, by):
        cuts[k] = _cut(x.shape[k], b, e, int(s))
    return sliced(x, cuts)


def _counted(size: Any, place: Any) -> Any:
    """A limit that is a tensor, counted from the front of an axis."""
    if isinstance(place, int | Dim):
        return place
    whole = size_node(size)
    return dim(gc.clip(gc.where(place < 0, place + whole, place), 0, whole))


def _cut(size: Any, start: Any, stop: Any, step: int) -> slice:
    """ONNX's slice as Python's: limits beyond the axis are its ends."""
    if step > 0:
        start, stop = _counted(size, start), _counted(size, stop)
    far = MOST_SIZE if isinstance(size, Dim) else size
    if isinstance(stop, int) and (stop >= far if step > 0 else stop < -far):
        stop = None
    if isinstance(start, int) and (start <= -far or start == 0 if step > 0 else start >= far):
        start = None
    return slice(start, stop, step)


@rule("Pad", takes="xvvv")
def pad(a: Use, x: Node, pads: Value | None = None, value: Value | None = None,
        axes: Value | None = None) -> Any:  # fmt: skip
    rank = len(x.shape)
    widths = list(a.pads or a.paddings) if pads is None else pads.sizes()
    if any(not isinstance(w, int | Dim) for w in widths):
        raise NeedsValue(pads)  # type: ignore[arg-type]
    along = list(range(rank)) if axes is None else [int(k) % rank for k in axes.array().reshape(-1)]
    half = len(widths) // 2
    pairs = [(0, 0)] * rank
    for k, axis in enumerate(along):
        pairs[axis] = (widths[k], widths[half + k])
    fill: Any = a.attributes.get("value") or 0
    if value is not None:
        fill = value.array().reshape(-1)[0].item() if value.is_fixed else gc.reshape(value.x, ())
    return padded(x, pairs, fill, a.mode or "constant")


def padded(x: Node, pairs: Any, fill: Any = 0, mode: str = "constant") -> Any:
    """A tensor with room at its ends; a negative width cuts it."""
    cuts = {}
    for k, (before, after) in enumerate(pairs):
        low = -before if isinstance(before, int) and before < 0 else 0
        high = after if isinstance(after, int) and after < 0 else None
        if low or high is not None:
            cuts[k] = slice(low, high)
    x = sliced(x, cuts)
    pairs = [tuple(max(w, 0) if isinstance(w, int) else w for w in pair) for pair in pairs]
    if all(isinstance(w, int) and w == 0 for pair in pairs for w in pair):
        return x
    if mode == "wrap":
        return _wrapped(x, pairs)
    if mode == "constant" and not isinstance(fill, bool | int | float):
        inside = gc.pad(full(x.shape, True), pairs, False)
        return gc.where(inside, gc.pad(x, pairs), gc.cast(fill, x.dtype))
    return gc.pad(x, pairs, fill if mode == "constant" else 0, mode)


def _wrapped(x: Node, pairs: Any) -> Any:
    for axis, (before, after) in enumerate(pairs):
        size = x.shape[axis]
        if isinstance(before, int) and isinstance(after, int) and before == after == 0:
            continue
        places = (
            gc.remainder(iota((size + before + after,)) - gc.size(before), gc.size(size))
            if isinstance(size, Dim)
            else gc.constant(np.arange(-before, size + after) % size)
        )
        x = gc.take(x, places, axis)
    return x


@rule("DepthToSpace")
def depth_to_space(a: Use, x: Node) -> Any:
    n, c, h, w = x.shape
    b = a.blocksize
    if (a.mode or "DCR") == "DCR":
        split, order = (n, b, b, c // (b * b), h, w), (0, 3, 4, 1, 5, 2)
    else:
        split, order = (n, c // (b * b), b, b, h, w), (0, 1, 4, 2, 5, 3)
    return gc.reshape(gc.permute(gc.reshape(x, split), order), (n, c // (b * b), h * b, w * b))


@rule("SpaceToDepth")
def space_to_depth(a: Use, x: Node) -> Any:
    n, c, h, w = x.shape
    b = a.blocksize
    split = gc.reshape(x, (n, c, h // b, b, w // b, b))
    order = (0, 1, 3, 5, 2, 4) if a.mode == "CRD" else (0, 3, 5, 1, 2, 4)
    return gc.reshape(gc.permute(split, order), (n, c * b * b, h // b, w // b))


@rule("Trilu", takes="xk")
def trilu(a: Use, x: Node, diagonal: np.ndarray | None = None) -> Any:
    k = 0 if diagonal is None else int(diagonal)
    if any(isinstance(s, int) and s == 0 for s in x.shape):
        return x
    limit = 2**40
    keep = gc.triu if a.upper else gc.tril
    return keep(x, max(-limit, min(limit, k)))


@rule("CenterCropPad", takes="xs")
def center_crop_pad(a: Use, x: Node, sizes: list[Any]) -> Any:
    rank = len(x.shape)
    along = range(rank) if a.axes is None else [k % rank for k in a.axes]
    cuts, pairs = {}, [(0, 0)] * rank
    for k, wanted in zip(along, sizes):
        mine = x.shape[k]
        if mine > wanted:
            start = (mine - wanted) // 2
            cuts[k] = slice(start, start + wanted)
        elif mine < wanted:
            before = (wanted - mine) // 2
            pairs[k] = (before, wanted - mine - before)
    return padded(sliced(x, cuts), pairs)


@rule("EyeLike")
def eye_like(a: Use, x: Node) -> Any:
    rows, columns = iota(x.shape, 0), iota(x.shape, 1)
    dtype = x.dtype if a.dtype is None else dtype_of(a.dtype)
    return gc.cast(columns == rows + (a.k or 0), dtype)


@rule("Range", takes="vvv")
def range_(a: Use, start: Value, limit: Value, delta: Value) -> Any:
    if all(v.known is not None for v in (start, limit, delta)):
        numbers = [v.array().reshape(-1)[0] for v in (start, limit, delta)]
        if all(not isinstance(n, Dim) for n in numbers):
            dtype = start.dtype.numpy
            length = max(int(np.ceil((numbers[1] - numbers[0]) / numbers[2])), 0)
            bounded(length, MOST_MADE, "the length of a range")
            return np.asarray(numbers[0] + np.arange(length) * numbers[2]).astype(dtype)
        if numbers[2] == 1:
            return iota((numbers[1] - numbers[0],)) + (
                gc.size(numbers[0]) if isinstance(numbers[0], Dim) else numbers[0]
            )
    own = start.dtype
    first, last, step = (gc.reshape(v.x, ()) for v in (start, limit, delta))
    count: Any
    if own.is_float:
        count = gc.cast(gc.ceil((last - first) / step), dtypes.int64)
    else:
        count = -gc.floor_divide(gc.cast(first - last, dtypes.int64), gc.cast(step, dtypes.int64))
    steps = iota((dim(gc.maximum(count, 0)),))
    return gc.cast(first + gc.cast(steps, own) * step, own)

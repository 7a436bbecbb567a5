"""Operators that read or write at places which a tensor names."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.dims import Dim, product
from graphc.core.ir import Node
from graphc.onnx.table import Use, rule
from graphc.onnx.values import Value


@rule("Gather", is_odd=True)
def gather(a: Use, x: Node, index: Node) -> Any:
    return gc.take(x, index, a.axis % len(x.shape))


def whole_places(x: Node, index: Any, axis: int) -> Any:
    """Places along an axis with those that count from the end brought to the front."""
    size = x.shape[axis]
    index = gc.cast(index, dtypes.int64)
    return gc.where(index < 0, index + (gc.size(size) if isinstance(size, Dim) else size), index)


def _grid(shape: Any, axis: int) -> Any:
    return gc.iota(shape, axis)


def _along(x: Node, index: Any, axis: int) -> tuple[Any, ...]:
    """The index of every element that `index` names along one axis."""
    rank = len(x.shape)
    shape = index.shape
    own = whole_places(x, index, axis)
    return tuple(own if k == axis else _grid(shape, k) for k in range(rank))


@rule("GatherElements")
def gather_elements(a: Use, x: Node, index: Node) -> Any:
    axis = a.axis % len(x.shape)
    if x.shape[:axis] + x.shape[axis + 1 :] == index.shape[:axis] + index.shape[axis + 1 :]:
        return gc.take_along_axis(x, gc.cast(index, dtypes.int64), axis)
    return x[_along(x, index, axis)]


@rule("GatherND")
def gather_nd(a: Use, x: Node, index: Node) -> Any:
    batch, depth = a.batch_dims or 0, index.shape[-1]
    lead = index.shape[:-1]
    grids = [_grid(lead, k) for k in range(batch)]
    places = [gc.cast(index[..., k], dtypes.int64) for k in range(depth)]
    return x[tuple(grids + places)]


def combined(x: Node, places: tuple[Any, ...], values: Any, how: str) -> Any:
    """A tensor with values written, added, ... at places."""
    if how in ("none", "", None):
        return gc.index_update(x, places, values)
    flat, lead = _flat_places(x, places)
    tail = x.shape[len(places) :]
    rows = gc.reshape(x, (-1, *tail) if tail else (-1,))
    width = int(np.prod(tail)) if tail else 1
    matrix = gc.reshape(rows, (rows.shape[0], width))
    index = gc.broadcast_to(gc.reshape(flat, (-1, 1)), (product(lead), width))
    source = gc.reshape(values, (product(lead), width))
    name = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}[how]
    found = gc.scatter_reduce(matrix, 0, index, source, name, include_self=True)
    return gc.reshape(found, x.shape)


def _flat_places(x: Node, places: tuple[Any, ...]) -> tuple[Any, Any]:
    flat: Any = 0
    for k, index in enumerate(places):
        flat = flat * x.shape[k] + whole_places(x, index, k)
    return flat, flat.shape


@rule("ScatterElements", "Scatter")
def scatter_elements(a: Use, x: Node, index: Node, updates: Node) -> Any:
    axis = a.axis % len(x.shape)
    return combined(x, _along(x, index, axis), updates, a.reduction or "none")


@rule("ScatterND")
def scatter_nd(a: Use, x: Node, index: Node, updates: Node) -> Any:
    depth = index.shape[-1]
    places = tuple(gc.cast(index[..., k], dtypes.int64) for k in range(depth))
    return combined(x, places, updates, a.reduction or "none")


@rule("TensorScatter")
def tensor_scatter(a: Use, x: Node, update: Node, begin: Node | None = None) -> Any:
    axis = a.axis % len(x.shape)
    places = gc.iota(update.shape, axis)
    if begin is not None:
        lead = (-1, *[1] * (len(x.shape) - 1))
        places = places + gc.reshape(gc.cast(begin, dtypes.int64), lead)
    if a.mode == "circular":
        places = gc.remainder(places, gc.size(x.shape[axis]))
    return gc.index_update(x, _along(x, places, axis), update)


@rule("OneHot", takes="xkx")
def one_hot(a: Use, index: Node, depth: np.ndarray, values: Node) -> Any:
    count = int(np.asarray(depth).reshape(-1)[0])
    rank = len(index.shape) + 1
    axis = a.axis % rank
    index = gc.cast(index, dtypes.int64, "wrap")
    index = gc.where(index < 0, index + count, index)
    shape = (*index.shape[:axis], count, *index.shape[axis:])
    hot = gc.iota(shape, axis) == gc.expand_dims(index, axis)
    return gc.where(hot, values[1], values[0])


@rule("NonZero")
def non_zero(a: Use, x: Node) -> Any:
    return gc.transpose(gc.nonzero(x), 0, 1)


@rule("Compress", takes="xv")
def compress(a: Use, x: Node, condition: Value) -> Any:
    if a.axis is None:
        x, axis = gc.reshape(x, (-1,)), 0
    else:
        axis = a.axis % len(x.shape)
    chosen = gc.reshape(gc.nonzero(condition.x), (-1,))
    return gc.take(x, chosen, axis)


@rule("TopK", takes="xk")
def top_k(a: Use, x: Node, k: np.ndarray | None = None) -> Any:
    count = a.k if k is None else int(np.asarray(k).reshape(-1)[0])
    is_largest = a.largest is None or bool(a.largest)
    axis = (-1 if a.axis is None else a.axis) % len(x.shape)
    values, places = gc.topk(x, count, axis, is_largest, True)
    return values, places


@rule("Unique", takes="v")
def unique(a: Use, x: Value) -> Any:
    known = x.array()
    if a.axis is not None:
        found = np.unique(known, True, True, True, axis=a.axis)
    else:
        found = np.unique(known, True, True, True)
    values, first, inverse, counts = (np.asarray(v) for v in found)
    inverse = inverse.reshape(-1)
    if not a.sorted:
        order = np.argsort(first)
        rank = np.argsort(order)
        axis = a.axis or 0
        values = np.take(values, order, axis if a.axis is not None else 0)
        first, counts, inverse = first[order], counts[order], rank[inverse]
    integers = (v.astype(np.int64) for v in (first, inverse, counts))
    return (values, *integers)[: a.count]


@rule("ReverseSequence", takes="xx")
def reverse_sequence(a: Use, x: Node, lengths: Node) -> Any:
    time, batch = a.time_axis, a.batch_axis
    return reversed_parts(x, lengths, time, batch)


def reversed_parts(x: Node, lengths: Any, time: int, batch: int) -> Any:
    """The first elements along `time` in reverse, as many as `lengths` has for each of a batch."""
    shape = x.shape
    steps = gc.iota((shape[time], shape[batch]), 0)
    own = gc.expand_dims(gc.cast(lengths, dtypes.int64), 0)
    places = gc.where(steps < own, own - 1 - steps, steps)
    if time > batch:
        places = gc.transpose(places, 0, 1)
    spread = tuple(s if k in (time, batch) else 1 for k, s in enumerate(shape))
    return gc.take_along_axis(x, gc.broadcast_to(gc.reshape(places, spread), shape), time)


@rule("ArrayFeatureExtractor", domain="ai.onnx.ml")
def array_feature_extractor(a: Use, x: Node, places: Node) -> Any:
    found = gc.take(x, gc.reshape(places, (-1,)), len(x.shape) - 1)
    return gc.reshape(found, (1, -1)) if len(x.shape) == 1 else found

"""Reductions over axes, running sums, extremes' places, softmaxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.ir import Node
from graphc.onnx.table import Use, rule
from graphc.onnx.values import Value
from graphc.ops.source import full


def _float_of(x: Node) -> Any:
    """A tensor of floats; integers as ONNX's definition computes them, in float64."""
    return x if x.dtype.is_float else gc.cast(x, dtypes.float64)


def _back(x: Node, result: Any) -> Any:
    return result if result.dtype is x.dtype else gc.cast(result, x.dtype, "wrap")


def _log_sum(x: Node, axes: Any, keep: bool) -> Any:
    return _back(x, gc.log(gc.sum(_float_of(x), axes, keep)))


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceSum": lambda x, axes, keep: _back(x, gc.sum(x, axes, keep)),
    "ReduceMean": lambda x, axes, keep: _back(x, gc.mean(_float_of(x), axes, keep)),
    "ReduceProd": lambda x, axes, keep: _back(x, gc.prod(x, axes, keep)),
    "ReduceL1": lambda x, axes, keep: _back(x, gc.sum(gc.abs(x), axes, keep)),
    "ReduceL2": lambda x, axes, keep: _back(
        x, gc.sqrt(gc.sum(gc.square(_float_of(x)), axes, keep))
    ),
    "ReduceSumSquare": lambda x, axes, keep: _back(x, gc.sum(gc.square(x), axes, keep)),
    "ReduceLogSum": _log_sum,
    "ReduceLogSumExp": lambda x, axes, keep: _back(x, gc.logsumexp(_float_of(x), axes, keep)),
}


def _extreme(x: Node, axes: tuple[int, ...], keep: bool, is_max: bool) -> Any:
    """The greatest or least; of an empty axis, the dtype's own limit."""
    dtype = x.dtype
    if dtype.kind == "bool":
        return (gc.any if is_max else gc.all)(x, axes, keep)
    if not any(isinstance(x.shape[k], int) and x.shape[k] == 0 for k in axes):
        return (gc.amax if is_max else gc.amin)(x, axes, keep)
    shape = [1 if k in axes else s for k, s in enumerate(x.shape)]
    if not keep:
        shape = [s for k, s in enumerate(x.shape) if k not in axes]
    if dtype.is_float:
        limit: Any = -float("inf") if is_max else float("inf")
    else:
        info = np.iinfo(dtype.numpy)
        limit = info.min if is_max else info.max
    return full(shape, limit, dtype)


REDUCTIONS["ReduceMax"] = lambda x, axes, keep: _extreme(x, axes, keep, True)
REDUCTIONS["ReduceMin"] = lambda x, axes, keep: _extreme(x, axes, keep, False)


def axes_of(a: Use, rank: int, axes: Value | None, place: str = "axes") -> tuple[int, ...] | None:
    """The axes that a node names by attribute or input, each 0 or more; None where none are."""
    given = a.attributes.get(place) if axes is None else axes.array().reshape(-1).tolist()
    if given is None:
        return None
    for k in given:
        if not -rank <= k < rank:
            raise ValueError(f"axis {k} of {rank} axes")
    return tuple(sorted({int(k) % rank for k in given}))


def _reduction(name: str, reduce: Callable[..., Any]) -> None:
    @rule(name, takes="xv")
    def read(a: Use, x: Node, axes: Value | None = None) -> Any:
        rank = len(x.shape)
        found = axes_of(a, rank, axes)
        if not found:
            if a.noop_with_empty_axes:
                return reduce(gc.expand_dims(x, 0), (0,), False)
            found = tuple(range(rank))
        if not found:
            return reduce(gc.expand_dims(x, 0), (0,), False)
        return reduce(x, found, bool(a.keepdims))


for _name, _reduce in REDUCTIONS.items():
    _reduction(_name, _reduce)


def _place(name: str, function: str) -> None:
    @rule(name)
    def read(a: Use, x: Node) -> Any:
        find, axis = getattr(gc, function), a.axis % len(x.shape)
        keep = bool(a.keepdims)
        if not a.select_last_index:
            return find(x, axis, keep)
        last = x.shape[axis] - 1
        found = find(gc.flip(x, axis), axis, keep)
        return gc.constant(last) - found if isinstance(last, int) else gc.size(last) - found


_place("ArgMax", "argmax")
_place("ArgMin", "argmin")


@rule("CumSum", takes="xk")
def cumsum(a: Use, x: Node, axis: np.ndarray) -> Any:
    return _back(x, gc.cumsum(x, int(axis), reverse=bool(a.reverse), exclusive=bool(a.exclusive)))


@rule("CumProd", takes="xk")
def cumprod(a: Use, x: Node, axis: np.ndarray) -> Any:
    return _back(x, gc.cumprod(x, int(axis), reverse=bool(a.reverse), exclusive=bool(a.exclusive)))


def _softened(a: Use, x: Node, apply: Callable[[Any, int], Any]) -> Any:
    """Over one axis; before version 13, over all from the axis on."""
    rank = len(x.shape)
    axis = a.axis % rank if rank else 0
    if a.version >= 13 or axis == rank - 1:
        return apply(x, axis)
    flat = gc.reshape(x, (*x.shape[:axis], -1))
    return gc.reshape(apply(flat, axis), x.shape)


@rule("Softmax")
def softmax(a: Use, x: Node) -> Any:
    return _softened(a, x, lambda v, k: gc.softmax(v, axis=k))


@rule("LogSoftmax")
def log_softmax(a: Use, x: Node) -> Any:
    return _softened(a, x, lambda v, k: gc.log_softmax(v, axis=k))


def _hard(x: Node, axis: int) -> Any:
    places = gc.argmax(x, axis, True)
    return gc.cast(gc.iota(x.shape, axis) == places, x.dtype)


@rule("Hardmax")
def hardmax(a: Use, x: Node) -> Any:
    return _softened(a, x, _hard)


@rule("LpNormalization")
def lp_normalization(a: Use, x: Node) -> Any:
    if a.p == 1:
        length = gc.sum(gc.abs(x), (a.axis,), True)
    else:
        length = gc.sqrt(gc.sum(gc.square(x), (a.axis,), True))
    is_zero = length == 0
    return gc.where(is_zero, x * 0, x / gc.where(is_zero, length + 1, length))


@rule("MeanVarianceNormalization")
def mean_variance_normalization(a: Use, x: Node) -> Any:
    axes = tuple(a.axes or (0, 2, 3))
    middle = x - gc.mean(x, axes, True)
    spread = gc.sqrt(gc.mean(gc.square(middle), axes, True))
    return middle / (spread + 1e-9)

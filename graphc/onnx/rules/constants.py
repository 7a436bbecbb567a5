"""Values that a graph holds, and drawn ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from onnx import TensorProto

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.dims import Dim
from graphc.core.ir import Node
from graphc.onnx.files import array_of
from graphc.onnx.rules.casting import dtype_of
from graphc.onnx.table import Use, rule
from graphc.onnx.values import MOST_FOLDED, MOST_MADE, Value, bounded
from graphc.ops.arrays import random
from graphc.ops.source import full, iota


@rule("Constant")
def constant(a: Use) -> Any:
    if a.sparse_value is not None:
        return _dense(a)
    found = {k: v for k, v in a.attributes.items() if v is not None}
    (name, value), *more = found.items()
    if more:
        raise ValueError("it has several values")
    if name == "value":
        return a.reader.tensor(value)
    dtype: Any = {"value_int": np.int64, "value_ints": np.int64, "value_string": object,
                  "value_strings": object}.get(name, np.float32)  # fmt: skip
    return np.array(value, dtype)


def _dense(a: Use) -> np.ndarray:
    sparse = a.sparse_value
    values = array_of(sparse.values, a.reader.folder)
    places = array_of(sparse.indices, a.reader.folder)
    shape = tuple(sparse.dims)
    if any(s < 0 for s in shape):
        raise ValueError(f"a size of {shape} is negative")
    bounded(math.prod(shape), MOST_MADE, "the size of a sparse tensor")
    dense = np.zeros(shape, values.dtype)
    if places.ndim == 1:
        dense.reshape(-1)[places] = values
    else:
        dense[tuple(places.T)] = values
    return dense


@rule("ConstantOfShape", takes="s")
def constant_of_shape(a: Use, sizes: list[Any]) -> Any:
    if a.value is None:
        fill: Any = np.zeros((), np.float32)
    else:
        fill = array_of(a.value, a.reader.folder).reshape(-1)[0]
    if any(isinstance(s, int) and s < 0 for s in sizes):
        raise ValueError(f"a size of {sizes} is negative")
    if all(isinstance(s, int) for s in sizes) and np.prod([float(s) for s in sizes]) <= MOST_FOLDED:
        return np.full(tuple(sizes), fill, fill.dtype)
    return full(tuple(sizes), fill.item(), fill.dtype)


def _draw_dtype(a: Use, x: Node | None = None) -> Any:
    if a.dtype is not None:
        return dtype_of(a.dtype)
    return dtypes.float32 if x is None else x.dtype


def _normal(shape: Any, a: Use, dtype: Any) -> Any:
    return gc.cast(random.normal(shape) * a.scale + a.mean, dtype)


@rule("RandomNormal")
def random_normal(a: Use) -> Any:
    return _normal(tuple(a.shape), a, _draw_dtype(a))


@rule("RandomNormalLike")
def random_normal_like(a: Use, x: Node) -> Any:
    return _normal(x.shape, a, _draw_dtype(a, x))


@rule("RandomUniform")
def random_uniform(a: Use) -> Any:
    drawn = random.uniform(tuple(a.shape))
    return gc.cast(drawn * (a.high - a.low) + a.low, _draw_dtype(a))


@rule("RandomUniformLike")
def random_uniform_like(a: Use, x: Node) -> Any:
    drawn = random.uniform(x.shape)
    return gc.cast(drawn * (a.high - a.low) + a.low, _draw_dtype(a, x))


@rule("Bernoulli")
def bernoulli(a: Use, x: Node) -> Any:
    drawn = random.uniform(x.shape)
    return gc.cast(gc.cast(drawn, x.dtype) < x, _draw_dtype(a, x))


def _window(a: Use, size: Value, terms: tuple[float, ...]) -> Any:
    """A sum of cosines over a window."""
    count = size.sizes()[0]
    length = count if a.periodic else count - 1
    steps = gc.cast(iota((count,)), dtypes.float32)
    step = (
        2
        * np.pi
        * steps
        / (
            gc.cast(gc.size(length), dtypes.float32)
            if isinstance(length, Dim)
            else np.float32(max(length, 1))
        )
    )
    found: Any = terms[0]
    for k, term in enumerate(terms[1:], 1):
        found = found + (-1) ** k * term * gc.cos(k * step)
    elem = TensorProto.FLOAT if a.output_datatype is None else a.output_datatype
    return gc.cast(found, dtype_of(elem))


@rule("HannWindow", takes="v")
def hann_window(a: Use, size: Value) -> Any:
    return _window(a, size, (0.5, 0.5))


@rule("HammingWindow", takes="v")
def hamming_window(a: Use, size: Value) -> Any:
    return _window(a, size, (25 / 46, 21 / 46))


@rule("BlackmanWindow", takes="v")
def blackman_window(a: Use, size: Value) -> Any:
    return _window(a, size, (0.42, 0.5, 0.08))


@rule("MelWeightMatrix", takes="kkkkk")
def mel_weight_matrix(
    a: Use, bins: np.ndarray, window: np.ndarray, rate: np.ndarray, *ends: np.ndarray
) -> Any:
    count, length, frequency = int(bins), int(window), int(rate)
    spectrum = length // 2 + 1
    bounded(spectrum * count, MOST_MADE, "the size of a mel matrix")
    limits = [2595 * np.log10(1 + float(f) / 700) for f in ends]
    step = (limits[1] - limits[0]) / (count + 2)
    mels = np.arange(count + 2) * step + limits[0]
    places = np.floor((length + 1) * (700 * (10 ** (mels / 2595) - 1)) / frequency).astype(np.int64)
    found = np.zeros((spectrum, count))
    for k in range(count):
        lower, centre, upper = places[k : k + 3]
        if centre == lower:
            found[centre, k] = 1
        else:
            found[lower : centre + 1, k] = (np.arange(lower, centre + 1) - lower) / (centre - lower)
        if upper > centre:
            found[centre:upper, k] = (upper - np.arange(centre, upper)) / (upper - centre)
    return found.astype(dtype_of(a.output_datatype).numpy)

"""Quantisation: numbers as small integers or floats with a scale and a zero point."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.ir import Node
from graphc.onnx.files import DTYPES, IS_CODE, ODD
from graphc.onnx.rules.casting import dtype_of, stored, unpacked
from graphc.onnx.rules.convolution import integer_convolved, integer_product
from graphc.onnx.table import Use, rule
from graphc.onnx.values import Value


def _spread(v: Node, x: Node, axis: int, block: int) -> Any:
    """A scale or a zero point in the shape of what it is for."""
    rank = len(x.shape)
    shape = v.shape
    if not shape or (len(shape) == 1 and shape[0] == 1 and not block):
        return gc.reshape(v, ())
    axis %= rank
    if len(shape) == 1:
        return gc.reshape(v, tuple(-1 if k == axis else 1 for k in range(rank)))
    wide = gc.repeat(v, block, axis) if block else v
    size = x.shape[axis]
    return wide if wide.shape[axis] == size else gc.narrow(wide, axis, 0, size)


def _elem_of(value: Value) -> int:
    if value.elem:
        return value.elem
    return next(k for k, dtype in DTYPES.items() if dtype == value.dtype.numpy)


def limits(elem: int) -> tuple[int, int]:
    """The least and the greatest number of an integer type."""
    if elem in ODD:
        info: Any = ml_dtypes.iinfo(ODD[elem][0])
    else:
        info = np.iinfo(DTYPES[elem])
    return int(info.min), int(info.max)


@rule("QuantizeLinear", takes="vvv", is_odd=True)
@rule("QuantizeLinear", takes="vvv", is_odd=True, domain="com.microsoft")
def quantize_linear(a: Use, x: Value, scale: Value, zero: Value | None = None) -> Any:
    elem = _elem_of(zero) if zero is not None else (a.output_dtype or 2)
    axis, block = 1 if a.axis is None else a.axis, a.block_size or 0
    precise = dtypes.float32
    if a.precision:
        precise = dtype_of(a.precision)
    own = gc.cast(x.x, precise)
    ratio = own / _spread(gc.cast(unpacked(scale), precise), x.x, axis, block)
    if elem in IS_CODE:
        saturate = a.saturate is None or bool(a.saturate)
        return stored(gc.cast(ratio, dtypes.float32), elem, saturate)
    shift: Any = 0.0 if zero is None else _spread(gc.cast(zero.x, dtypes.float32), x.x, axis, block)
    low, high = limits(elem)
    found = gc.clip(gc.cast(gc.rint(ratio), dtypes.float32) + shift, float(low), float(high))
    if elem in ODD:
        return stored(found, elem)
    return gc.cast(found, dtype_of(elem), "wrap")


@rule("DequantizeLinear", takes="vvv", is_odd=True)
@rule("DequantizeLinear", takes="vvv", is_odd=True, domain="com.microsoft")
def dequantize_linear(a: Use, x: Value, scale: Value, zero: Value | None = None) -> Any:
    axis, block = 1 if a.axis is None else a.axis, a.block_size or 0
    factor = unpacked(scale)
    target = factor.dtype if not a.output_dtype else dtype_of(a.output_dtype)
    numbers = gc.cast(unpacked(x), dtypes.float32)
    if zero is not None:
        numbers = numbers - _spread(gc.cast(unpacked(zero), dtypes.float32), x.x, axis, block)
    found = numbers * _spread(gc.cast(factor, dtypes.float32), x.x, axis, block)
    return gc.cast(found, target)


@rule("DynamicQuantizeLinear")
def dynamic_quantize_linear(a: Use, x: Node) -> Any:
    low, high = gc.minimum(gc.amin(x), 0.0), gc.maximum(gc.amax(x), 0.0)
    scale = (high - low) / 255.0
    scale = gc.where(scale == 0, gc.constant(np.float32(1)), scale)
    zero = gc.cast(gc.clip(gc.rint(-low / scale), 0.0, 255.0), dtypes.uint8)
    found = gc.clip(gc.rint(x / scale) + gc.cast(zero, dtypes.float32), 0.0, 255.0)
    return gc.cast(found, dtypes.uint8), scale, zero


def _requantised(whole: Any, factor: Any, zero: Any) -> Any:
    """Sums of products as small integers again."""
    dtype = zero.dtype
    low, high = (float(v) for v in (np.iinfo(dtype.numpy).min, np.iinfo(dtype.numpy).max))
    found = gc.rint(gc.cast(whole, dtypes.float32) * factor) + gc.cast(zero, dtypes.float32)
    return gc.cast(gc.clip(found, low, high), dtype, "wrap")


def _integers(x: Node, zero: Any) -> Any:
    return gc.cast(x, dtypes.int32) - gc.cast(zero, dtypes.int32)


def _column(v: Node) -> Any:
    """The scales of rows, beside a matrix."""
    return gc.expand_dims(v, -1) if len(v.shape) == 1 and v.shape != (1,) else v


@rule("QLinearMatMul", takes="x*")
@rule("QLinearMatMul", takes="x*", domain="com.microsoft")
def qlinear_matmul(
    a: Use, x: Node, xs: Node, xz: Node, y: Node, ys: Node, yz: Node, s: Node, z: Node
) -> Any:
    whole = integer_product(x, y, xz, yz)
    factor = (
        gc.cast(_column(xs), dtypes.float32)
        * gc.cast(ys, dtypes.float32)
        / gc.cast(s, dtypes.float32)
    )
    return _requantised(whole, factor, z)


@rule("QLinearConv", takes="x*")
def qlinear_conv(
    a: Use,
    x: Node,
    xs: Node,
    xz: Node,
    w: Node,
    ws: Node,
    wz: Node,
    s: Node,
    z: Node,
    b: Node | None = None,
) -> Any:
    rank = len(w.shape)
    whole = integer_convolved(a, x, w, xz, wz)
    channel = (-1, *[1] * (rank - 2))
    if b is not None:
        whole = whole + gc.reshape(b, channel)
    factor = (
        gc.reshape(xs, ())
        * gc.reshape(ws, channel if len(ws.shape) == 1 and ws.shape != (1,) else ())
        / gc.reshape(s, ())
    )
    return _requantised(whole, factor, gc.reshape(z, ()))


@rule("MatMulIntegerToFloat", takes="x*", domain="com.microsoft")
def matmul_integer_to_float(
    a: Use,
    x: Node,
    y: Node,
    xs: Node,
    ys: Node,
    xz: Node | None = None,
    yz: Node | None = None,
    b: Node | None = None,
) -> Any:
    found = gc.cast(integer_product(x, y, xz, yz), dtypes.float32) * (xs * ys)
    return found if b is None else found + b


def _arithmetic(name: str, combine: Any) -> None:
    @rule(name, takes="x*", domain="com.microsoft")
    def read(
        a: Use, x: Node, xs: Node, xz: Node, y: Node, ys: Node, yz: Node, s: Node, z: Node
    ) -> Any:
        left = gc.cast(_integers(x, xz), dtypes.float32) * xs
        right = gc.cast(_integers(y, yz), dtypes.float32) * ys
        return _requantised(combine(left, right), 1.0 / s, z)


_arithmetic("QLinearAdd", lambda x, y: x + y)
_arithmetic("QLinearMul", lambda x, y: x * y)

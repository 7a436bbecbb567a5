"""Casts, with those to and from the floats and integers that graphc only stores."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.dims import Dim
from graphc.core.dtypes import DType
from graphc.core.ir import Node
from graphc.onnx.files import DTYPES, IS_CODE, ODD, elem_name
from graphc.onnx.table import Use, rule
from graphc.onnx.values import Value


def dtype_of(elem: int) -> DType:
    """graphc's dtype for ONNX's element type."""
    if elem not in DTYPES:
        raise ValueError(f"graphc has no {elem_name(elem)}")
    return dtypes.as_dtype(DTYPES[elem])


def unpacked(value: Value) -> Any:
    """The numbers of a tensor of an odd element type, in float32 or in small integers."""
    if value.elem not in IS_CODE:
        return value.x
    dtype, _ = ODD[value.elem]
    codes = np.arange(256, dtype=np.uint8)
    if dtype.name == "float4_e2m1fn":
        codes &= 15
    with np.errstate(all="ignore"):
        table = codes.view(dtype).astype(np.float32)
    return gc.take(gc.constant(table), gc.cast(value.x, dtypes.int64), 0)


def stored(x: Node, elem: int, saturate: bool = True, round_up: str = "") -> Value:
    """Numbers as an odd element type."""
    if elem in IS_CODE:
        return Value("", tensor=_codes(x, elem, saturate, round_up), elem=elem)
    dtype, store = ODD[elem]
    info = ml_dtypes.iinfo(dtype)
    if x.dtype.is_float:
        x = gc.trunc(x)
        numbers = gc.cast(x, dtypes.int64, "wrap")
    else:
        numbers = gc.cast(x, dtypes.int64)
    bits = info.bits
    low = gc.bitwise_and(numbers, 2**bits - 1)
    if store == np.int8:
        low = gc.where(low >= 2 ** (bits - 1), low - 2**bits, low)
    return Value("", tensor=gc.cast(low, store.name), elem=elem)


def _codes(x: Node, elem: int, saturate: bool, round_up: str) -> Any:
    """The codes of the nearest floats of 8 or 4 bits, ties to the even code.

    The numbers that round to a code begin half-way from the one before it: a search among these
    limits is the rounding.
    """
    dtype, _ = ODD[elem]
    if dtype.name == "float8_e8m0fnu":
        return _powers(x, round_up or "up", saturate)
    is_four = dtype.name == "float4_e2m1fn"
    codes = np.arange(8 if is_four else 128, dtype=np.uint8)
    values = codes.view(dtype).astype(np.float64)
    finite = np.isfinite(values)
    values, count = values[finite], int(finite.sum())
    step = values[-1] - values[-2]
    limits = np.append((values[:-1] + values[1:]) / 2, values[-1] + step / 2)
    # A limit belongs to the even code of the two beside it.
    lower = np.arange(count)
    limits = np.where(lower % 2 == 0, np.nextafter(limits, np.inf), limits)
    wide = gc.cast(x, dtypes.float64)
    size = gc.abs(wide)
    found = gc.searchsorted(gc.constant(limits), size, right=True)
    is_over = found >= count
    has_sign_zero = dtype.name.endswith("fnuz")
    if is_four:
        found = gc.minimum(found, count - 1)
    elif saturate:
        found = gc.where(is_over, count - 1, found)
    else:
        over = {"float8_e5m2": 124, "float8_e4m3fn": 127}.get(dtype.name, 128)
        found = gc.where(is_over, over, found)
    is_negative = gc.signbit(wide)
    if is_four:
        # No code says nan: ml_dtypes, and so ONNX, has -0 for it.
        found = gc.where(gc.isnan(wide), 0, found)
        is_negative = gc.logical_or(is_negative, gc.isnan(wide))
    sign_bit = 8 if is_four else 128
    signed = gc.where(is_negative, found + sign_bit, found)
    if has_sign_zero:
        signed = gc.where(gc.logical_or(found == 0, found == 128), found, signed)
    nan = {"float8_e4m3fn": 127, "float8_e5m2": 126}.get(dtype.name, 128)
    if not is_four:
        quiet = gc.where(is_negative, nan + 128, nan) if not has_sign_zero else 128
        signed = gc.where(gc.isnan(wide), quiet, signed)
    return gc.cast(signed, dtypes.uint8)


def _powers(x: Node, mode: str, saturate: bool) -> Any:
    """The codes of powers of two."""
    values = np.arange(255, dtype=np.uint8).view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    size = gc.cast(gc.abs(x), dtypes.float64)
    if mode == "up":
        found = gc.searchsorted(gc.constant(values), size, right=False)
    elif mode == "down":
        found = gc.searchsorted(gc.constant(values), size, right=True) - 1
    else:
        limits = (values[:-1] + values[1:]) / 2
        found = gc.searchsorted(gc.constant(limits), size, right=True)
    top = 254 if saturate else 255
    found = gc.where(found > 254, top, gc.maximum(found, 0))
    return gc.cast(gc.where(gc.isnan(size), 255, found), dtypes.uint8)


def converted(value: Value, elem: int, saturate: bool = True, round_up: str = "") -> Any:
    """A value in another element type."""
    if value.known is not None and value.known.dtype == object:
        found = _of_objects(value, elem)
        if found is not None:
            return found
    x = unpacked(value)
    if elem in ODD:
        return stored(x, elem, saturate, round_up)
    return gc.cast(x, dtype_of(elem), "wrap")


def _of_objects(value: Value, elem: int) -> Any:
    """Sizes stay sizes as integers; texts become numbers."""
    known = value.known
    assert known is not None
    if all(isinstance(s, str) for s in known.flat):
        texts = [float(s) for s in known.flat]
        return np.array(texts).astype(DTYPES[elem]).reshape(known.shape)
    return known if elem in (6, 7) and any(isinstance(s, Dim) for s in known.flat) else None


@rule("Cast", takes="v", is_odd=True)
def cast(a: Use, x: Value) -> Any:
    saturate = a.saturate is None or bool(a.saturate)
    if a.to == 8:
        return np.array([_text(n) for n in x.array().flat], object).reshape(x.shape)
    return converted(x, a.to, saturate, a.round_mode or "")


def _text(n: Any) -> str:
    if isinstance(n, np.floating):
        return (
            np.format_float_positional(n, trim="-")
            if np.isfinite(n)
            else {"inf": "INF", "-inf": "-INF", "nan": "NaN"}[str(float(n))]
        )
    return str(n)


@rule("CastLike", takes="vv", is_odd=True)
def cast_like(a: Use, x: Value, like: Value) -> Any:
    saturate = a.saturate is None or bool(a.saturate)
    if like.elem:
        return converted(x, like.elem, saturate, a.round_mode or "")
    if like.known is not None and like.known.dtype == object:
        return np.array([_text(n) for n in x.array().flat], object).reshape(x.shape)
    elem = next(k for k, dtype in DTYPES.items() if dtype == like.dtype.numpy)
    return converted(x, elem, saturate)


@rule("BitCast", takes="v", is_odd=True)
def bit_cast(a: Use, x: Value) -> Any:
    known = x.array()
    if x.elem and x.elem in ODD:
        known = known.view(ODD[x.elem][0]) if x.elem in IS_CODE else known.astype(ODD[x.elem][0])
    if a.to in ODD:
        dtype, store = ODD[a.to]
        return Value(
            "",
            known=known.view(store) if a.to in IS_CODE else known.view(dtype).astype(store),
            elem=a.to,
        )
    return known.view(DTYPES[a.to])

"""The kernel language, run as plain Python on NumPy arrays.

A kernel is the source text of one function `def name(args, lo, hi)`. Jitted, its names mean what
`numba_language` says: `args` is a pointer to int64 (addresses and sizes), and a buffer is raw
memory. Here the same names run un-jitted, for debugging and for tests: `args` is a list whose
elements are flat NumPy arrays (where the kernel expects a buffer) and ints (sizes).

    def scale(args, lo, hi):
        x = buffer(args, 0, f32)
        y = buffer(args, 1, f32)
        for i in range(lo, hi):
            y[i] = x[i] * f32(2.0)

Rules of the language: every scalar has a fixed dtype; constants and results of arithmetic on
integer elements are cast: `i8(a + b)`, which Numba widens, and `i64(a + b)`, which so wraps around
(bare sums and products are of indices and taken never to overflow); a buffer of float16 or bfloat16
loads and stores float32 scalars, and `f16(v)`, `bf16(v)` round a float32 to the nearest one of
them and keep it as float32; a bool is stored as one byte. Indices are non-negative: `quotient` and
`remainder` divide them without sign checks; `floor_quotient` and `floor_remainder` take negative
ones. Divisors are positive.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.dtypes import DType
from graphc.ops.elementwise.cast import to_integer
from graphc.runtime.language import math_reference, simd_reference

Scalar = Any


class Buffer:
    """A flat NumPy array with a kernel's loads and stores (narrow floats as float32)."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.narrow = dtypes.is_narrow(array.dtype)

    def __getitem__(self, index: int) -> Scalar:
        if index < 0 or index >= self.array.size:
            raise IndexError(f"kernel reads index {index} of a buffer of {self.array.size}")
        value = self.array[index]
        return np.float32(value) if self.narrow else value

    def __setitem__(self, index: int, value: Scalar) -> None:
        if index < 0 or index >= self.array.size:
            raise IndexError(f"kernel writes index {index} of a buffer of {self.array.size}")
        self.array[index] = value

    def note(self, index: int, is_store: bool) -> None:
        """Told of accesses of tiles; here they need no more than to be inside."""


def buffer(args: list[Any], index: int, dtype: Any) -> Buffer:
    """The buffer whose address is `args[index]`, holding elements of `dtype`."""
    return Buffer(args[index].view(STORAGE[dtype]))


def buffer_at(args: list[Any], index: int, dtype: object, scope: int) -> Buffer:
    """`buffer` at an index that is computed; buffers of other `scope`s are other memory."""
    return buffer(args, index, dtype)


def number_at(args: list[Any], index: int, dtype: object) -> Scalar:
    """The float32 or float64 whose bits stand in `args[index]`."""
    word = np.array(args[index], np.int64)
    if dtype is CASTS["f64"]:
        return word.view(np.float64)[()]
    return word.astype(np.int32).view(np.float32)[()]


def local(count: int, dtype: Any) -> Buffer:
    """Scratch memory of `count` elements (a literal), private to the call of the kernel."""
    return Buffer(np.zeros(count, STORAGE[dtype]))


def _cast(dtype: Any) -> Callable[[Scalar], Scalar]:
    def cast(value: Scalar) -> Scalar:
        with np.errstate(all="ignore"):
            if isinstance(value, int) and not isinstance(value, bool):
                value = np.array(value & 0xFFFFFFFFFFFFFFFF, np.uint64)
                return value.astype(np.int64).astype(dtype)[()]
            value = np.asarray(value)
            if dtypes.is_float(value.dtype) and np.dtype(dtype).kind in "iu":
                return to_integer(value, np.dtype(dtype))[()]
            return value.astype(dtype)[()]

    cast.__name__ = np.dtype(dtype).name
    return cast


def _narrow_cast(dtype: DType) -> Callable[[Scalar], Scalar]:
    def cast(value: Scalar) -> Scalar:
        with np.errstate(all="ignore"):
            return np.asarray(value).astype(dtype.numpy).astype(dtype.compute.numpy)[()]

    cast.__name__ = dtype.name
    return cast


# Each dtype's name casts to it: narrow floats are rounded, and kept as what they are computed in.
CASTS = {d.short: _cast(d.numpy) if d.wide is None else _narrow_cast(d) for d in dtypes.ALL}
STORAGE = {CASTS[dtype.short]: dtype.numpy for dtype in dtypes.ALL}


def select(condition: Scalar, x: Scalar, y: Scalar) -> Scalar:
    """`x` where `condition` holds, else `y`; both are evaluated."""
    return x if condition else y


def add_any_order(accumulator: Scalar, value: Scalar) -> Scalar:
    """A float sum's step that the vectoriser may reorder."""
    return accumulator + value


def lost(total: Scalar, value: Scalar) -> Scalar:
    """What rounding takes from `total + value`, exactly; 0 where the sum is not finite."""
    with np.errstate(all="ignore"):
        rounded = total + value
        part = rounded - total
        error = (total - (rounded - part)) + (value - part)
        return error if error == error else type(error)(0)


def multiply_any_order(accumulator: Scalar, value: Scalar) -> Scalar:
    """A float product's step that the vectoriser may reorder."""
    return accumulator * value


def larger_number(accumulator: Scalar, value: Scalar) -> Scalar:
    """The larger of two floats; anything at all when one is nan. Vectorises as a reduction."""
    return value if value > accumulator else accumulator


def smaller_number(accumulator: Scalar, value: Scalar) -> Scalar:
    """The smaller of two floats; anything at all when one is nan. Vectorises as a reduction."""
    return value if value < accumulator else accumulator


def fail(status: Buffer, site: int, value: Scalar, limit: Scalar) -> None:
    """Record the first error of a run: which site, the value at fault, the limit it broke."""
    if status[0] == 0:
        status[0], status[1], status[2] = site, int(value), int(limit)


NAMES: dict[str, Any] = {
    "buffer": buffer,
    "buffer_at": buffer_at,
    "number_at": number_at,
    "local": local,
    **CASTS,
    "inf": float("inf"),
    "nan": float("nan"),
    "select": select,
    "quotient": operator.floordiv,
    "remainder": operator.mod,
    "floor_quotient": operator.floordiv,
    "floor_remainder": operator.mod,
    "add_any_order": add_any_order,
    "lost": lost,
    "multiply_any_order": multiply_any_order,
    "larger_number": larger_number,
    "smaller_number": smaller_number,
    "fail": fail,
}  # fmt: skip


def namespace() -> dict[str, Any]:
    """A fresh dict of every name a kernel may use, for `exec` of its source."""
    return {**NAMES, **math_reference.NAMES, **simd_reference.NAMES}

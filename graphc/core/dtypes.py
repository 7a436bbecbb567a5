"""The dtypes and their promotion, as NumPy 2 has it (Python scalars are weak)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np

from graphc.errors import CastOverflowError, DTypeError


@dataclass(frozen=True, slots=True)
class DType:
    """One element type.

    `name` is NumPy's, `short` is the text form's, `kind` is one of bool, int, uint, float.

    Example:
        >>> import graphc as gc
        >>> gc.float32.itemsize, gc.float32.is_float, gc.int8.numpy
        (4, True, dtype('int8'))
    """

    name: str
    short: str
    kind: str
    itemsize: int
    numpy: np.dtype

    def __str__(self) -> str:
        return self.short

    def __repr__(self) -> str:
        return f"graphc.{self.name}"

    @property
    def is_float(self) -> bool:
        """Whether this is float16, float32 or float64.

        Example:
            >>> import graphc as gc
            >>> gc.float16.is_float, gc.int8.is_float
            (True, False)
        """
        return self.kind == "float"

    @property
    def is_integer(self) -> bool:
        """Whether this is a signed or unsigned integer (not bool).

        Example:
            >>> import graphc as gc
            >>> gc.uint8.is_integer, gc.bool.is_integer
            (True, False)
        """
        return self.kind in ("int", "uint")


def _dtype(name: str, short: str, kind: str) -> DType:
    numpy = np.dtype(name)
    return DType(name, short, kind, numpy.itemsize, numpy)


bool_ = _dtype("bool", "b1", "bool")
int8, int16, int32, int64 = (_dtype(f"int{n}", f"i{n}", "int") for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (_dtype(f"uint{n}", f"u{n}", "uint") for n in (8, 16, 32, 64))
float16, float32, float64 = (_dtype(f"float{n}", f"f{n}", "float") for n in (16, 32, 64))

ALL = (
    bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, float32, float64,
)  # fmt: skip
BY_SHORT = {dtype.short: dtype for dtype in ALL}
_BY_NUMPY = {dtype.numpy: dtype for dtype in ALL}


def as_dtype(value: Any) -> DType:
    """The `DType` of a DType, a NumPy dtype, a name ("float32", "f32"), or bool, int, float.

    Raises:
        DTypeError: graphc has no such dtype.

    Example:
        >>> as_dtype(np.float32) is as_dtype("f32")
        True
    """
    if isinstance(value, DType):
        return value
    if isinstance(value, str) and value in BY_SHORT:
        return BY_SHORT[value]
    try:
        return _BY_NUMPY[np.dtype(value).newbyteorder("=")]
    except (TypeError, KeyError):
        names = ", ".join(dtype.name for dtype in ALL)
        raise DTypeError(
            f"{value!r} is not a dtype of graphc", hint=f"use one of {names}"
        ) from None


@cache
def holds(dtype: DType, source: DType) -> bool:
    """Whether every value of `source` is exactly one of `dtype`.

    NumPy's `can_cast` says so of int64 and float64 too, which has 53 bits for 63.

    Example:
        >>> holds(float64, int32), holds(float64, int64)
        (True, False)
    """
    if dtype is source or source.kind == "bool":
        return True
    if source.is_float or dtype.kind == "bool":
        return source.is_float and dtype.is_float and dtype.itemsize > source.itemsize
    info = np.iinfo(source.numpy)
    if dtype.is_float:
        return int(info.max).bit_length() <= np.finfo(dtype.numpy).nmant + 1
    own = np.iinfo(dtype.numpy)
    return bool(own.min <= info.min and info.max <= own.max)


@lru_cache(maxsize=4096)
def promote(*dtypes: DType | type) -> DType:
    """The dtype that NumPy 2 gives to a result of these operands.

    Args:
        dtypes: dtypes of tensors, and the types bool, int, float for (weak) Python scalars.
    """
    strong = [t for t in dtypes if isinstance(t, DType)]
    weak = [{bool: True, int: 1, float: 1.0}[t] for t in dtypes if not isinstance(t, DType)]
    return _BY_NUMPY[np.result_type(*(t.numpy for t in strong), *weak)]


@lru_cache(maxsize=64)
def float_of(dtype: DType) -> DType:
    """The float dtype in which NumPy evaluates exp, sqrt ... of `dtype`."""
    if dtype.is_float:
        return dtype
    return {1: float16, 2: float32}.get(dtype.itemsize, float64)


def check_scalar(value: bool | int | float, dtype: DType, where: object = "") -> bool | int | float:
    """A Python scalar as a value of `dtype`.

    Raises:
        CastOverflowError: the dtype is an integer that cannot hold the value.
    """
    if dtype.kind == "bool":
        return bool(value)
    if dtype.is_float:
        return float(value)
    info = np.iinfo(dtype.numpy)
    whole = isinstance(value, bool | int | np.integer) or (value == value and value == int(value))
    if not whole or not info.min <= value <= info.max:
        raise CastOverflowError(
            f"{value!r} is not a value of {dtype.name}, which holds {info.min} to {info.max}",
            where=where,
            hint="use a wider dtype, or cast the tensor first",
        )
    return int(value)

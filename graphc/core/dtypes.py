"""The dtypes and their promotion, as NumPy 2 has it (Python scalars are weak).

bfloat16 is that of the package ml_dtypes, and NumPy promotes it with few others: it is promoted as
PyTorch has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import ml_dtypes
import numpy as np

from graphc.errors import CastOverflowError, DTypeError


@dataclass(frozen=True, slots=True)
class DType:
    """One element type, with all that others need to know of it.

    `name` is NumPy's, `short` is the text form's and the kernel language's, `kind` is one of bool,
    int, uint, float. `title` begins PyTorch's names of its tensors ("HalfTensor"). `wide` is the
    dtype of its arithmetic where that is another one: such floats are only stored.

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
    title: str = field(compare=False)
    wide: DType | None = field(default=None, compare=False)

    def __reduce__(self) -> Any:
        """Copied and pickled it is itself: dtypes are compared by identity."""
        return as_dtype, (self.name,)

    def __repr__(self) -> str:
        return f"graphc.{self.name}"

    @property
    def is_float(self) -> bool:
        """Whether this is bfloat16, float16, float32 or float64.

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

    @property
    def compute(self) -> DType:
        """The dtype in which its elements are computed, each result rounded once to be stored.

        Example:
            >>> import graphc as gc
            >>> gc.float16.compute, gc.float64.compute
            (graphc.float32, graphc.float64)
        """
        return self.wide or self

    @property
    def digits(self) -> int:
        """How many binary digits a float has, the first one included.

        Example:
            >>> import graphc as gc
            >>> gc.float32.digits
            24
        """
        return int(self.finfo.nmant) + 1

    @property
    def finfo(self) -> Any:
        """The limits of a float dtype: `eps`, `max`, `tiny`, `smallest_subnormal`, `nmant` ...

        Example:
            >>> import graphc as gc
            >>> gc.float16.finfo.nmant
            10
        """
        return ml_dtypes.finfo(self.numpy)

    @property
    def spelling(self) -> str:
        """How code names it for NumPy: `np.float32`, `ml_dtypes.bfloat16`.

        Example:
            >>> import graphc as gc
            >>> gc.float32.spelling
            'np.float32'
        """
        place = self.numpy.type.__module__
        return f"{'np' if place == 'numpy' else place}.{self.name}"

    @property
    def code(self) -> str:
        """Its name in files of tensors, the safetensors format's.

        Example:
            >>> import graphc as gc
            >>> gc.int64.code
            'I64'
        """
        return "BOOL" if self.kind == "bool" else self.short.upper()


def _dtype(name: str, short: str, kind: str, title: str, wide: DType | None = None) -> DType:
    numpy = np.dtype(getattr(ml_dtypes, name, name))
    return DType(name, short, kind, numpy.itemsize, numpy, title, wide)


bool_ = _dtype("bool", "b1", "bool", "Bool")
int8 = _dtype("int8", "i8", "int", "Char")
int16 = _dtype("int16", "i16", "int", "Short")
int32 = _dtype("int32", "i32", "int", "Int")
int64 = _dtype("int64", "i64", "int", "Long")
uint8 = _dtype("uint8", "u8", "uint", "Byte")
uint16 = _dtype("uint16", "u16", "uint", "UInt16")
uint32 = _dtype("uint32", "u32", "uint", "UInt32")
uint64 = _dtype("uint64", "u64", "uint", "UInt64")
float32 = _dtype("float32", "f32", "float", "Float")
float64 = _dtype("float64", "f64", "float", "Double")
float16 = _dtype("float16", "f16", "float", "Half", wide=float32)
bfloat16 = _dtype("bfloat16", "bf16", "float", "BFloat16", wide=float32)

ALL = (
    bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64,
    bfloat16, float16, float32, float64,
)  # fmt: skip
BY_SHORT = {dtype.short: dtype for dtype in ALL}
BY_CODE = {dtype.code: dtype for dtype in ALL}
_BY_NUMPY = {dtype.numpy: dtype for dtype in ALL}


def is_float(dtype: np.dtype) -> bool:
    """Whether an array's dtype is one of floats, bfloat16 too, whose `kind` is NumPy's for others.

    Example:
        >>> is_float(np.dtype("float64")), is_float(bfloat16.numpy), is_float(np.dtype("int8"))
        (True, True, False)
    """
    found = _BY_NUMPY.get(dtype)
    return dtype.kind == "f" if found is None else found.kind == "float"


@cache
def by_char(char: str) -> DType:
    """The dtype of arrays whose dtype has this character, which some in NumPy share a size with.

    Example:
        >>> by_char("q"), by_char(bfloat16.numpy.char)
        (graphc.int64, graphc.bfloat16)
    """
    return bfloat16 if char == bfloat16.numpy.char else as_dtype(char)


def has_numbers(dtype: np.dtype) -> bool:
    """Whether an array's dtype is of bools, integers or floats.

    Example:
        >>> has_numbers(bfloat16.numpy), has_numbers(np.dtype("<U3"))
        (True, False)
    """
    return dtype.kind in "biu" or is_float(dtype)


def is_narrow(dtype: np.dtype) -> bool:
    """Whether elements of an array's dtype are computed in a wider one.

    Example:
        >>> is_narrow(np.dtype("float16")), is_narrow(np.dtype("int8"))
        (True, False)
    """
    found = _BY_NUMPY.get(dtype)
    return found is not None and found.wide is not None


def widened(array: np.ndarray) -> np.ndarray:
    """An array in the dtype of its arithmetic: float16 and bfloat16 as float32.

    Example:
        >>> widened(np.ones(2, np.float16)).dtype
        dtype('float32')
    """
    dtype = _BY_NUMPY.get(array.dtype)
    return array if dtype is None or dtype.wide is None else array.astype(dtype.wide.numpy)


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
        return int(info.max).bit_length() <= dtype.digits
    own = np.iinfo(dtype.numpy)
    return bool(own.min <= info.min and info.max <= own.max)


@lru_cache(maxsize=4096)
def promote(*dtypes: DType | type) -> DType:
    """The dtype that NumPy 2 gives to a result of these operands.

    bfloat16 stays beside integers and numbers, and is float32 beside float16.

    Args:
        dtypes: dtypes of tensors, and the types bool, int, float for (weak) Python scalars.

    Example:
        >>> promote(int32, float16), promote(int32, bfloat16), promote(bfloat16, float16)
        (graphc.float64, graphc.bfloat16, graphc.float32)
    """
    strong = [t for t in dtypes if isinstance(t, DType)]
    if bfloat16 in strong:
        others = [t for t in strong if t is not bfloat16]
        return promote(float32, *others) if any(t.is_float for t in others) else bfloat16
    weak = [{bool: True, int: 1, float: 1.0}[t] for t in dtypes if not isinstance(t, DType)]
    return _BY_NUMPY[np.result_type(*(t.numpy for t in strong), *weak)]


@lru_cache(maxsize=64)
def float_of(dtype: DType) -> DType:
    """The float dtype in which NumPy evaluates exp, sqrt ... of `dtype`."""
    if dtype.is_float:
        return dtype
    return {1: float16, 2: float32}.get(dtype.itemsize, float64)


def least(dtype: DType) -> float | int | bool:
    """The least value of a dtype: -inf for floats."""
    if dtype.is_float:
        return -math.inf
    return False if dtype.kind == "bool" else int(np.iinfo(dtype.numpy).min)


def greatest(dtype: DType) -> float | int | bool:
    """The greatest value of a dtype: inf for floats."""
    if dtype.is_float:
        return math.inf
    return True if dtype.kind == "bool" else int(np.iinfo(dtype.numpy).max)


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

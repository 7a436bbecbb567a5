"""The limits of dtypes, as PyTorch's `finfo` and `iinfo` have them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from graphc.core.dtypes import DType, as_dtype
from graphc.core.ir import caller
from graphc.eager.engine.promotion import get_default_dtype
from graphc.errors import DTypeError


@dataclass(frozen=True, init=False, repr=False)
class finfo:
    """The limits of a float dtype.

    Args:
        type: the dtype; the default one unless given.

    Raises:
        DTypeError: it is no float dtype.

    Example:
        >>> import graphc as gc
        >>> gc.finfo(gc.bfloat16).eps
        0.0078125
    """

    resolution: float  # the power of ten that its decimal digits end with
    min: float
    max: float
    eps: float  # from 1 to the next number
    smallest_normal: float
    tiny: float  # the same
    dtype: str
    bits: int = field(metadata={"unsaid": True})

    def __init__(self, type: Any = None) -> None:
        dtype = get_default_dtype() if type is None else as_dtype(type)
        if not dtype.is_float:
            raise _other_kind("finfo", dtype, "iinfo")
        info = dtype.finfo
        digits = int((dtype.digits - 1) * np.log10(2))
        found = {
            "resolution": 10.0**-digits, "min": float(info.min), "max": float(info.max),
            "eps": float(info.eps), "smallest_normal": float(info.smallest_normal),
            "tiny": float(info.smallest_normal), "dtype": dtype.name, "bits": 8 * dtype.itemsize,
        }  # fmt: skip
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return _text(self)


@dataclass(frozen=True, init=False, repr=False)
class iinfo:
    """The limits of an integer dtype.

    Args:
        type: the dtype.

    Raises:
        DTypeError: it is no integer dtype.

    Example:
        >>> import graphc as gc
        >>> gc.iinfo(gc.int8)
        iinfo(min=-128, max=127, dtype=int8)
    """

    min: int
    max: int
    dtype: str
    bits: int = field(metadata={"unsaid": True})

    def __init__(self, type: Any) -> None:
        dtype = as_dtype(type)
        if not dtype.is_integer:
            raise _other_kind("iinfo", dtype, "finfo")
        info = np.iinfo(dtype.numpy)
        found = {"min": int(info.min), "max": int(info.max), "dtype": dtype.name, "bits": info.bits}
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return _text(self)


def _text(info: Any) -> str:
    said = {f.name: getattr(info, f.name) for f in fields(info) if "unsaid" not in f.metadata}
    parts = (f"{k}={v}" if isinstance(v, str) else f"{k}={v:g}" for k, v in said.items())
    return f"{type(info).__name__}({', '.join(parts)})"


def _other_kind(name: str, dtype: DType, other: str) -> DTypeError:
    hint = f"use gc.{other}" if dtype.kind != "bool" else ""
    return DTypeError(f"{name}: {dtype.name} has no such limits", where=caller(), hint=hint)


__all__ = ["finfo", "iinfo"]

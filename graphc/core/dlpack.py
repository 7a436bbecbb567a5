"""Arrays out of other libraries' memory and back, by DLPack; bfloat16 too, which NumPy's refuses.

A capsule names its elements' type by two numbers, a code and bits. Where the code is bfloat16's,
NumPy is shown 16-bit integers, which the array then is a view of; the other way round likewise.

    array = read(torch.ones(3, dtype=torch.bfloat16))     # no copy
    torch.from_dlpack(x)                                  # asks x.__dlpack__, which calls `write`
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from graphc.core import dtypes

# Codes of DLPack's DLDataType.
_UINT, _BFLOAT = 1, 4
# Where the code stands in what a capsule of each name points to; the bits are the byte after it.
_PLACES = {b"dltensor": 20, b"dltensor_versioned": 52}

_name = ctypes.pythonapi.PyCapsule_GetName
_name.restype, _name.argtypes = ctypes.c_char_p, [ctypes.py_object]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def _recoded(capsule: object, old: int, new: int) -> bool:
    """Change the code of a capsule's 16-bit elements; whether it was the old one."""
    name = _name(capsule)
    if name not in _PLACES:
        return False
    place = _pointer(capsule, name) + _PLACES[name]
    element = (ctypes.c_uint8 * 2).from_address(place)
    if tuple(element) != (old, 16):
        return False
    element[0] = new
    return True


class _Shown:
    """What has `__dlpack__`, as NumPy is to see it: bfloat16 as integers."""

    def __init__(self, source: Any) -> None:
        self.source, self.was_bfloat16 = source, False

    def __dlpack__(self, **kwargs: Any) -> Any:
        capsule = self.source.__dlpack__(**kwargs)
        self.was_bfloat16 = _recoded(capsule, _BFLOAT, _UINT)
        return capsule

    def __dlpack_device__(self) -> Any:
        return self.source.__dlpack_device__()


def read(source: object) -> np.ndarray:
    """An array over the memory of any object with `__dlpack__`, without a copy."""
    shown = _Shown(source)
    array = np.from_dlpack(shown)
    return array.view(dtypes.bfloat16.numpy) if shown.was_bfloat16 else array


def write(array: np.ndarray, **kwargs: Any) -> Any:
    """The capsule of an array's memory, for `__dlpack__`; it takes that method's arguments."""
    if array.dtype != dtypes.bfloat16.numpy:
        return array.__dlpack__(**kwargs)
    capsule = array.view(np.uint16).__dlpack__(**kwargs)
    _recoded(capsule, _UINT, _BFLOAT)
    return capsule


def as_array(value: Any, dtype: np.dtype | None = None) -> np.ndarray:
    """What NumPy makes an array of, and tensors of bfloat16 of libraries that refuse it those.

    Args:
        value: numbers, lists, arrays, and tensors of any library.
        dtype: that of the array; by the value unless given.

    Example:
        >>> as_array([1, 2]).dtype
        dtype('int64')
    """
    try:
        return np.asarray(value, dtype)
    except TypeError:
        if not hasattr(value, "__dlpack__"):
            raise
    return np.asarray(read(value), dtype)


__all__ = ["as_array", "read", "write"]

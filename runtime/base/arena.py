"""Memory for arenas: aligned, and refused where the machine does not have it; arrays' addresses."""

from __future__ import annotations

import ctypes
import os

import numpy as np

ALIGNMENT = 64


def _data_offset() -> int:
    """Where in an ndarray object its data pointer stands (NumPy's C ABI); 0 if not found there."""
    offset = object.__basicsize__
    for sample in (np.zeros(3), np.zeros((2, 2), np.int8)[1:]):
        if ctypes.c_int64.from_address(id(sample) + offset).value != sample.ctypes.data:
            return 0
    return offset


DATA = _data_offset()
word_at = ctypes.c_int64.from_address


def address(array: np.ndarray) -> int:
    """Where an array's first element stands; `ctypes.data` takes four times as long."""
    return word_at(id(array) + DATA).value if DATA else array.ctypes.data


def aligned(nbytes: int) -> int:
    """The number rounded up to a multiple of 64: a cache line, and the widest vectors."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def allocate(nbytes: int) -> np.ndarray:
    """Bytes of no particular value.

    Raises:
        MemoryError: the machine has not so many.
    """
    if nbytes > _physical_memory():
        # Linux would promise it, and end the process when it is touched.
        raise MemoryError
    return np.empty(nbytes, np.uint8)


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 1 << 62

"""Memory for arenas: aligned, and refused where the machine does not have it."""

from __future__ import annotations

import os

import numpy as np

ALIGNMENT = 64


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

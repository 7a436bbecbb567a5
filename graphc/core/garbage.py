"""Python's collector of cycles, paused where many objects are made that live on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Inside, cycles are not looked for.

    Passes and type inference make hundreds of thousands of objects, of which few are garbage: each
    look at all of them is time for nothing, a quarter of a large graph's compile.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

"""Caches of `functools` that go by sizes: a symbolic size is another key there than its number.

A run gives Python the numbers of its sizes before its code asks such a cache; the next runs have
them from the start.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Iterable
from types import FrameType, MethodType
from typing import Any

from graphc.eager.engine.hot import tracing
from graphc.jit.trace.sizes import TracedSize

# What `functools.lru_cache` makes.
CACHE = type(functools.lru_cache(lambda: None))


def is_cache(value: object) -> bool:
    """Whether a value is a function or a method behind `functools.lru_cache`."""
    kind = type(value)
    return kind is CACHE or (kind is MethodType and type(value.__func__) is CACHE)  # type: ignore[attr-defined]


def give_numbers(frames: Iterable[FrameType]) -> None:
    """Let Python have numbers in place of all symbolic sizes of the run under way.

    Args:
        frames: those of the user's whose variables may hold sizes.
    """
    trace = tracing.trace
    if trace is None or trace.bodies or trace.has_control:
        return
    if not trace.to_numbers("a cache goes by sizes"):
        return
    sizes = [size for ref in trace.python_sizes if (size := ref()) is not None]
    for frame in frames:
        _in_variables(frame)
    if sizes:
        trace.replace(sizes, [size.number for size in sizes])


def _in_variables(frame: FrameType) -> None:
    variables = frame.f_locals
    found = {name: _number(value) for name, value in variables.items() if _holds_size(value)}
    if found:
        variables.update(found)
        if sys.version_info < (3, 13):  # from there on the variables themselves were written
            write = ctypes.pythonapi.PyFrame_LocalsToFast
            write(ctypes.py_object(frame), ctypes.c_int(0))


def _holds_size(value: object) -> bool:
    return type(value) is TracedSize or (
        isinstance(value, tuple) and any(type(item) is TracedSize for item in value)
    )


def _number(value: Any) -> Any:
    if isinstance(value, tuple):
        return type(value)([_number(item) for item in value])
    return value.number if type(value) is TracedSize else value


__all__ = ["CACHE", "give_numbers", "is_cache"]

"""Interrupts at chosen places: an exception raised before any instruction of graphc's Python.

count = instructions(function)          # that a call of `function` runs in graphc's own files
for k in range(count):
    interrupted = interrupt(function, k)   # whether KeyboardInterrupt came out
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import graphc
from graphc.runtime.machine import executable

FOLDERS = tuple(
    os.path.dirname(os.path.realpath(path)) for path in (graphc.__file__, executable.__file__)
)


@functools.cache
def _is_ours(file: str) -> bool:
    return os.path.realpath(file).startswith(FOLDERS)


class _Tracer:
    """Counts instructions, and raises before the one numbered `at`."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        # Python itself drops what is raised in a finalizer.
        if frame.f_code.co_name == "__del__" or not _is_ours(frame.f_code.co_filename):
            return None
        frame.f_trace_opcodes = True
        return self.step

    def step(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "opcode":
            self.count += 1
            if self.count == self.at + 1:
                raise KeyboardInterrupt
        return self.step


def _traced(function: Callable[[], object], at: int) -> int:
    tracer = _Tracer(at)
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        function()
    finally:
        sys.settrace(before)
    return tracer.count


def instructions(function: Callable[[], object]) -> int:
    """How many instructions in graphc's files a call runs."""
    return _traced(function, -1)


def interrupt(function: Callable[[], object], at: int) -> bool:
    """Call, with a KeyboardInterrupt before instruction `at`; whether it came out."""
    try:
        _traced(function, at)
    except KeyboardInterrupt:
        return True
    return False


def in_a_thread(function: Callable[[], Any]) -> Any:
    """The result of a call made by another thread; a test that hangs fails instead."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()), daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "the call never returned"
    assert found, "the call raised"
    return found[0]

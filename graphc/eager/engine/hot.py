"""What the shortest path of an eager operation asks before it goes ahead."""

from __future__ import annotations

import threading
from typing import Any

from graphc.eager.engine.size import Size


class _Hot:
    """`slow` counts reasons for every operation to take the long way: traces under way."""

    __slots__ = ("slow",)

    def __init__(self) -> None:
        self.slow = 0


hot = _Hot()


AS_PLACES = "a mask as an index"  # what Python asks of a tensor for the places where it is true


class _Tracing(threading.local):
    """The trace that this thread is recording into, if any."""

    trace: Any = None

    def shape_of(self, shape: tuple[Any, ...]) -> Any:
        """The shape of a traced tensor as Python code sees it."""
        return Size(shape) if self.trace is None else self.trace.shape_of(shape)


tracing = _Tracing()


def made(tensor: object) -> Any:
    """A tensor that code made from nothing; a trace under way notes that it is not older."""
    if hot.slow and tracing.trace is not None:
        tracing.trace.bear(tensor)
    return tensor

"""What the shortest path of an eager operation asks before it goes ahead."""

from __future__ import annotations

import threading
from typing import Any


class _Hot:
    """`slow` counts reasons for every operation to take the long way: traces under way."""

    __slots__ = ("slow",)

    def __init__(self) -> None:
        self.slow = 0


hot = _Hot()


class _Tracing(threading.local):
    """The trace that this thread is recording into, if any."""

    trace: Any = None


tracing = _Tracing()

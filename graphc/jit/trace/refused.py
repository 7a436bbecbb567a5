"""How a trace stops the code that it runs: errors that no `except Exception` of it catches."""

from __future__ import annotations

from typing import Any

from graphc.errors import TraceError


class Refused(BaseException):
    """An error of the trace itself; the call that was traced raises it as a `TraceError`."""

    def __init__(self, error: TraceError) -> None:
        super().__init__(str(error))
        self.error = error


class Left(BaseException):
    """The trace under way has ended; what is under way runs eagerly."""


def refusal(*args: Any, **kwargs: Any) -> Refused:
    """A `TraceError`, with its arguments, to raise inside of traced code."""
    return Refused(TraceError(*args, **kwargs))


__all__ = ["Left", "Refused", "refusal"]

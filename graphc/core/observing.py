"""Who is told of what runs: nobody, but for the length of a `watched` block.

with watched(observer):
    step(x, y)          # observer.native(...) for each native call, observer.node(...) for ops
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol


class Observer(Protocol):
    """What is asked of an observer; calls come from the thread that runs."""

    def native(self, executable: Any, call: Any, times: Sequence[int]) -> None:
        """A native call has ended.

        Args:
            executable: what ran.
            call: what its sizes decided.
            times: the nanoseconds of each of its launches.
        """

    def begun(self) -> None:
        """The reference begins to run a graph."""

    def node(self, node: Any, operands: Sequence[Any], value: Any) -> None:
        """The reference has run an op, right after the one before."""


observer: Observer | None = None


@contextmanager
def watched(by: Observer) -> Iterator[None]:
    """Tell `by` of everything that runs in this process until the block ends."""
    global observer
    before, observer = observer, by
    try:
        yield
    finally:
        observer = before

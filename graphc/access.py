"""Who may touch a program's state, and when: readers share it, a writer has it alone.

Calls of programs and accesses to `w.value` stand in one line, first come, first served. An access
goes ahead when no earlier one that is still in the line conflicts with it: two accesses conflict
when one writes what the other reads or writes. So calls of programs that share no parameter, or
that only read, run at once, and a writer is never starved by readers.

    with access(reads=(state,)):
        copy = state.array.copy()

What an access touches is told apart by identity; nothing here knows what it is.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Access:
    """One claim on state: what it reads and what it writes. Enters the line once at a time."""

    __slots__ = ("everything", "writes")

    def __init__(self, reads: Iterable[object] = (), writes: Iterable[object] = ()) -> None:
        self.writes = frozenset(map(id, writes))
        self.everything = self.writes.union(map(id, reads))

    def conflicts(self, other: Access) -> bool:
        """Whether the two must not be under way at the same time."""
        return not (
            self.writes.isdisjoint(other.everything) and other.writes.isdisjoint(self.everything)
        )


class _Line:
    """The accesses under way and those that wait, in the order in which they came."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.moved = threading.Condition(self.lock)
        self.entries: list[Access] = []
        self.waiting = 0


_line = _Line()


def enter(access: Access) -> None:
    """Wait until `access` may go ahead.

    Stands inside the `try` whose `finally` has the `leave`, which does nothing for an access that
    isn't in the line: so an interrupt at any moment leaves none behind.
    """
    line = _line
    with line.lock:
        if line.entries:
            _wait(line, access)
        else:
            line.entries.append(access)


def _wait(line: _Line, access: Access) -> None:
    line.entries.append(access)
    line.waiting += 1
    try:
        while _is_blocked(line, access):
            line.moved.wait()
    except BaseException:
        _remove(line, access)
        line.moved.notify_all()
        raise
    finally:
        line.waiting -= 1


def _is_blocked(line: _Line, access: Access) -> bool:
    for other in line.entries:
        if other is access:
            return False
        if access.conflicts(other):
            return True
    return False


def _remove(line: _Line, access: Access) -> None:
    for position, other in enumerate(line.entries):
        if other is access:
            del line.entries[position]
            return


def leave(access: Access) -> None:
    """Let those go ahead that wait for `access`."""
    line = _line
    with line.lock:
        _remove(line, access)
        if line.waiting:
            line.moved.notify_all()


@contextmanager
def access(reads: Iterable[object] = (), writes: Iterable[object] = ()) -> Iterator[None]:
    """Read and write state inside a `with` block.

    Args:
        reads: what is read.
        writes: what is written (and may be read).
    """
    claim = Access(reads, writes)
    try:
        enter(claim)
        yield
    finally:
        leave(claim)


def _after_fork() -> None:
    global _line
    # The threads whose accesses stand in the line don't exist in the child.
    _line = _Line()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

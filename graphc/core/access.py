"""Who may touch a program's state, and when: readers share it, a writer has it alone.

Calls of programs and accesses to `w.value` stand in one line, first come, first served. An access
goes ahead when no earlier one that is still in the line conflicts with it: two accesses conflict
when one writes what the other reads or writes. So calls of programs that share no parameter, or
that only read, run at once, and a writer is never starved by readers. The compiler, the cache and
the thread team stand in the same line, for themselves.

    with access(reads=(state,)):
        copy = state.array.copy()

    turn = object()                # the same, shorter; the local's name must be `turn`
    try:
        enter(turn, claim)
        ...
    finally:
        leave(turn)

An interrupt (Ctrl-C, a signal handler that raises) may come between any two instructions of
Python, in a `finally` too. So there is no lock here that one could leave locked: every change of
the line is one operation of a dict, and what an interrupted thread left in the line is found out
by those who wait for it, as no running frame holds its turn. Whoever waits looks again from time
to time, so that a wake-up that was interrupted is no loss either.

A signal handler runs inside the thread that it interrupted, which waits for it. It goes ahead of
those that wait for its own thread; what its own thread is in the midst of, it is refused.

What an access touches is told apart by identity; nothing here knows what it is.
"""

from __future__ import annotations

import _thread
import itertools
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphc.errors import ReentryError

# Seconds that a wait lasts, at first and at most, before it looks for turns that nobody holds.
_FIRST_LOOK = 0.005
_LAST_LOOK = 0.1
# Looks that must find the same turns waiting for each other.
_LOOKS = 3


class Access:
    """A claim on state: what it reads and what it writes.

    Args:
        reads: what is read.
        writes: what is written (and may be read).
        whole: whether it happens between two instructions of Python, as native calls do. Then
            what interrupts the thread that has it finds the state before or after it.
    """

    __slots__ = ("everything", "whole", "writes")

    def __init__(
        self, reads: Iterable[object] = (), writes: Iterable[object] = (), whole: bool = False
    ) -> None:
        self.writes = frozenset(map(id, writes))
        self.everything = self.writes.union(map(id, reads))
        self.whole = whole

    def conflicts(self, other: Access) -> bool:
        """Whether the two must not be under way at the same time."""
        return not (
            self.writes.isdisjoint(other.everything) and other.writes.isdisjoint(self.everything)
        )


# The line, in the order in which its turns came. A turn that isn't in `_waiting` is under way.
_line: dict[object, Access] = {}
_waiting: dict[object, Any] = {}
# Turns of threads that have another one in the line: they don't wait for those that wait.
_inner: dict[object, Access] = {}
_inner_numbers = itertools.count(1)
_last_inner = 0


def enter(turn: object, claim: Access) -> None:
    """Wait until `claim` may go ahead.

    Stands inside the `try` whose `finally` has the `leave`, which does nothing for a turn that
    isn't in the line.

    Args:
        turn: a new object, in a local variable named `turn` of a function that runs until the
            `leave`: that it does is how a turn is told from one that was left behind.
        claim: on what.

    Raises:
        ReentryError: the caller interrupted, as a signal handler does, what it would have to wait
            for.
    """
    _line[turn] = claim
    if len(_line) > 1:
        _wait(turn, claim)


def leave(turn: object) -> None:
    """Let those go ahead that wait for `turn`."""
    _line.pop(turn, None)
    if _waiting or _inner:
        _waiting.pop(turn, None)
        _inner.pop(turn, None)
        _wake()


def _wake() -> None:
    for gate in _waiting.copy().values():
        try:
            gate.release()
        except RuntimeError:
            continue  # somebody else opened it


def interruptions() -> int:
    """A number that is another one once a signal handler has entered the line."""
    return _last_inner


def _wait(turn: object, claim: Access) -> None:
    global _last_inner
    if len(_line) > 64:
        _sweep()
    if not _is_behind(turn, claim):
        return
    own = _held(_line.copy(), {_thread.get_ident(): sys._getframe()})
    own.pop(turn, None)
    if own:
        _last_inner = next(_inner_numbers)
        _refuse_torn(claim, [_line.get(other) for other in own])
        _inner[turn] = claim
        # Those that have gone ahead meanwhile are waited for, those that wait stand back.
    gate = _thread.allocate_lock()
    gate.acquire()
    patience = _FIRST_LOOK
    circles: list[frozenset[tuple[object, object]]] = []
    _waiting[turn] = gate
    while _is_barred(turn, claim, own):
        if gate.acquire(timeout=patience):
            continue
        patience = min(2 * patience, _LAST_LOOK)
        _sweep()
        if own:
            circles = [*circles, _circle(turn)][-_LOOKS:]
            _refuse_deadlock(circles)


def _is_barred(turn: object, claim: Access, own: Mapping[object, int]) -> bool:
    """Whether `turn` must go on waiting; if not it is under way."""
    behind = _is_behind_running if own else _is_behind
    if behind(turn, claim, own):
        return True
    # First under way, then the look for those who don't wait for the ones that wait: they do it
    # the other way round, so that of the two at least one sees the other.
    gate = _waiting.pop(turn, None)
    if behind(turn, claim, own):
        _waiting[turn] = gate
        return True
    return False


def _is_behind(turn: object, claim: Access, own: object = None) -> bool:
    """Whether something that came earlier, or interrupted such, conflicts with `claim`."""
    for other, theirs in _line.copy().items():
        if other is turn:
            break
        if claim.conflicts(theirs):
            return True
    return any(o is not turn and claim.conflicts(c) for o, c in _inner.copy().items())


def _is_behind_running(turn: object, claim: Access, own: Mapping[object, int]) -> bool:
    """The same for a turn whose thread has others: it waits for what is under way elsewhere."""
    for other, theirs in _inner.copy().items():
        if other is turn:
            break
        if other not in own and claim.conflicts(theirs):
            return True
    return any(
        other is not turn and other not in own and other not in _waiting and claim.conflicts(c)
        for other, c in _line.copy().items()
    )


def _refuse_torn(claim: Access, own: Iterable[Access | None]) -> None:
    for other in own:
        if other is not None and not other.whole and claim.conflicts(other):
            raise ReentryError(
                "the state is in use by what this interrupted",
                [
                    "a signal handler (or a finalizer) runs inside the thread that it interrupts, "
                    "which is in the midst of reading or changing this very state"
                ],
                hint="let the handler set a flag, and look at the flag between calls",
            )


def _refuse_deadlock(circles: Sequence[frozenset[tuple[object, object]]]) -> None:
    """Raise if the last looks all found one circle."""
    if len(circles) == _LOOKS and circles[0] and len(set(circles)) == 1:
        raise ReentryError(
            "two threads that were interrupted wait for each other's state",
            hint="let signal handlers set a flag, and look at the flag between calls",
        )


def _circle(turn: object) -> frozenset[tuple[object, object]]:
    """Pairs of a turn and one that it waits for, which lead from `turn` back to its own thread.

    Only turns whose threads have others are followed: those of other threads hold nothing that
    anybody waits for. What is read here changes meanwhile, so a circle is only a deadlock if it
    is there again and again, of the same turns.
    """
    line, inner, waiting = _line.copy(), _inner.copy(), set(_waiting.copy())
    threads = _held(line, sys._current_frames())
    # Where each thread waits: in its last turn, if a handler waits within another wait.
    stuck = {threads[t]: t for t in inner if t in waiting and t in threads}
    ways: dict[object, frozenset[tuple[object, object]]] = {turn: frozenset()}
    follow = [turn]
    while follow:
        late = follow.pop()
        for other in _before(late, line, inner, waiting):
            thread = threads.get(other)
            if thread is None or thread == threads.get(late):
                continue
            way = ways[late] | {(late, other)}
            if thread == threads.get(turn):
                return way
            after = stuck.get(thread)
            if after is not None and after not in ways:
                ways[after] = way
                follow.append(after)
    return frozenset()


def _before(
    turn: object,
    line: Mapping[object, Access],
    inner: Mapping[object, Access],
    waiting: set[object],
) -> list[object]:
    """The turns that an inner one waits for, its own thread's among them; see
    `_is_behind_running`."""
    claim = inner.get(turn)
    if claim is None:
        return []
    earlier = itertools.takewhile(lambda other: other is not turn, inner)
    running = (other for other in line if other is not turn and other not in waiting)
    found = dict.fromkeys([*earlier, *running])
    return [other for other in found if other in line and claim.conflicts(line[other])]


def _sweep() -> None:
    """Take those turns out of the line that no running frame holds."""
    turns = {*_line.copy(), *_inner.copy(), *_waiting.copy()}
    held = _held(turns, sys._current_frames())
    for turn in turns:
        if turn not in held:
            leave(turn)
            _waiting.pop(turn, None)
            _inner.pop(turn, None)


def _held(turns: Iterable[object], stacks: Mapping[int, Any]) -> dict[object, int]:
    """Those of `turns` that frames of these stacks hold, and in which thread."""
    by_id = {id(turn): turn for turn in turns}
    by_frame: dict[Any, list[object]] = {}
    for turn in by_id.values():
        if isinstance(turn, _Turn):
            by_frame.setdefault(turn.frame, []).append(turn)
    found: dict[object, int] = {}
    for thread, top in stacks.items():
        frame = top
        while frame is not None:
            found.update(dict.fromkeys(by_frame.get(frame, ()), thread))
            if "turn" in frame.f_code.co_varnames:
                own = id(frame.f_locals.get("turn"))
                if own in by_id:
                    found[by_id[own]] = thread
            frame = frame.f_back
    return found


class _Turn:
    """A turn that a frame holds until it ends: of the function with the `with access(...)`."""

    __slots__ = ("frame",)

    def __init__(self, frame: Any) -> None:
        self.frame = frame


def hold(claim: Access, frame: object) -> object:
    """Enter the line with a turn that is held for as long as a frame runs, and return it."""
    turn = _Turn(frame)
    try:
        enter(turn, claim)
    except BaseException:
        leave(turn)
        raise
    return turn


class access:
    """Read and write state inside a `with` block, once.

    Args:
        reads: what is read.
        writes: what is written (and may be read).
        whole: whether a signal handler that interrupts the block may do the same.

    Raises:
        ReentryError: see `enter`.
    """

    __slots__ = ("_claim", "_turn")

    def __init__(
        self, reads: Iterable[object] = (), writes: Iterable[object] = (), whole: bool = False
    ) -> None:
        self._claim = Access(reads, writes, whole)
        self._turn: object = None

    def __enter__(self) -> None:
        self._turn = hold(self._claim, sys._getframe(1))

    def __exit__(self, *exception: object) -> None:
        leave(self._turn)


if hasattr(os, "register_at_fork"):
    # The other threads, and with them what they hold, don't exist in the child.
    os.register_at_fork(after_in_child=_sweep)

"""Follows the instructions of the user's code in a run, with the values that they handle.

The functions for each instruction stand in files by kind, described in `handling`. An instruction
that has none makes the run unproven.
"""

from __future__ import annotations

from graphc.jit.trace import attributes, building, invoking, loops, operators, variables
from graphc.jit.trace.caches import give_numbers, is_cache
from graphc.jit.trace.frames import NOTHING, Frame
from graphc.jit.trace.handling import Handlers, Run, can_be_made
from graphc.jit.trace.lookups import Unknown

_HANDLERS: Handlers = {
    **variables.HANDLERS, **attributes.HANDLERS, **building.HANDLERS,
    **operators.HANDLERS, **loops.HANDLERS, **invoking.HANDLERS,
}  # fmt: skip


class Follower(Run):
    """Keeps the stacks of a run's frames.

    Args:
        consulted: what is told of the readings.
    """

    def advance(self, frame: Frame, offset: int) -> None:
        """The instruction at an offset is next: those before it have run."""
        frame.locals_ = None
        target = frame.decoded.at.get(offset)
        if frame.lost or target is None:
            self._lose(frame)
            return
        try:
            if frame.next < 0:
                self._begin(frame, target)
            else:
                self._advance(frame, target)
        except Exception as error:
            pending = frame.pending()
            name = pending.name if pending else "the start"
            self._lose(frame, f"{name}: {type(error).__name__} {error}")
        frame.returned = NOTHING

    def _advance(self, frame: Frame, target: int) -> None:
        listed = frame.decoded.listed
        place, frame.next = frame.next, target
        while True:
            each = listed[place]
            handler = _HANDLERS.get(each.name)
            if handler is None or each.ends:
                self._lose(frame, f"({each.name})")
                return
            handler(self, frame, each, each.jumps and place + 1 != target)
            place += 1
            if each.jumps or place == target:
                break
        self.compare(frame)
        if any(map(is_cache, frame.stack[-2:])):
            give_numbers(followed.frame for followed in self.frames.values())

    def _begin(self, frame: Frame, target: int) -> None:
        """A frame's first instructions, which are no statements yet."""
        for each in frame.decoded.listed[:target]:
            if each.name not in _START:
                self._lose(frame, "(a generator from outside)")
                return
        frame.next = target

    def leaves(self, frame: Frame, value: object) -> None:
        """A frame returns a value, which may be one that it made."""
        pending = frame.pending()
        if pending is None or pending.name != "RETURN_VALUE" or not frame.stack:
            return
        top = frame.stack[-1]
        if isinstance(top, Unknown) and top.made and can_be_made(top, value):
            self.consulted.made(value)

    def _lose(self, frame: Frame, why: str = "") -> None:
        if not frame.lost:
            self.consulted.refuse(f"code that could not be followed {why}".strip(), frame.origin())
        frame.lost = True


_START = {
    "RESUME", "COPY_FREE_VARS", "MAKE_CELL", "RETURN_GENERATOR", "POP_TOP", "NOP", "CACHE",
}  # fmt: skip


__all__ = ["Follower"]

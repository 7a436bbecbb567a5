"""Hears of each instruction that the user's code runs, and of the calls and returns of all code.

Python 3.12 has `sys.monitoring`, which disturbs no debugger; before it there is `sys.settrace`,
whose tracer, a debugger's or a measure of coverage, goes on being called.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Protocol


class Listener(Protocol):
    """What is told of a run.

    Attributes:
        kinds: what codes are, by their identities; "own" is of no interest by itself.
        followed: the frames that are followed, by their identities.
    """

    kinds: dict[int, str]
    followed: dict[int, Any]

    def entered(self, frame: FrameType) -> None:
        """A frame begins, or a generator's goes on; `followed` has it where each of its
        instructions is to be told."""

    def at(self, frame: FrameType, offset: int) -> None:
        """An instruction of a user's frame is next."""

    def returned(self, frame: FrameType, value: object) -> None:
        """A frame returns or yields."""

    def raised(self, frame: FrameType, error: BaseException) -> None:
        """An exception leaves a frame."""

    def caught(self, frame: FrameType, error: BaseException) -> None:
        """A user's frame goes on after an exception."""


def stepping(listener: Listener) -> Any:
    """What tells a listener of a run: `start()`, `pause()` and `stop()`."""
    return _Tracer(listener) if sys.version_info < (3, 12) else _Monitor(listener)


class _Tracer:
    """By `sys.settrace`."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.before: Any = None
        self.errors: dict[int, tuple[Any, FrameType]] = {}
        self.is_paused = False

    def start(self) -> bool:
        """Begin to listen."""
        self.before = sys.gettrace()
        sys.settrace(self._entered)
        return True

    def pause(self) -> None:
        """Tell no more, from the middle of a run on."""
        self.is_paused = True
        sys.settrace(self.before)

    def stop(self) -> None:
        """Stop, and let who was listening before go on."""
        sys.settrace(self.before)
        self.errors.clear()

    def _entered(self, frame: FrameType, event: str, arg: object) -> Any:
        inner = self.before(frame, event, arg) if self.before is not None else None
        listener = self.listener
        followed = listener.followed
        returns_to_one = id(frame.f_back) in followed
        if not returns_to_one and listener.kinds.get(id(frame.f_code)) == "own":
            return inner  # of all code the most: it returns to our own
        listener.entered(frame)
        is_followed = id(frame) in followed
        if not is_followed and not returns_to_one:
            return inner
        frame.f_trace_opcodes = is_followed
        if inner is None:
            frame.f_trace_lines = False
        return self._local(inner)

    def _local(self, inner: Any) -> Callable[..., Any]:
        listener, errors = self.listener, self.errors

        def local(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal inner
            if self.is_paused:
                frame.f_trace_opcodes = False
                if inner is not None and event != "opcode":
                    inner = inner(frame, event, arg)
                return inner if event != "opcode" else local
            if event == "opcode":
                error = errors.pop(id(frame), None) if errors else None
                if error is not None:
                    listener.caught(frame, error[0])
                listener.at(frame, frame.f_lasti)
                return local
            if inner is not None:
                inner = inner(frame, event, arg)
            if event == "exception":
                errors[id(frame)] = (arg[1], frame)
            elif event == "return":
                error = errors.pop(id(frame), None) if errors else None
                if error is not None and arg is None:
                    listener.raised(frame, error[0])
                else:
                    listener.returned(frame, arg)
            return local

        return local


class _Monitor:
    """By `sys.monitoring`."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.tool = -1
        self.codes: set[CodeType] = set()
        self.thread = 0
        self.disable: Any = None

    def start(self) -> bool:
        """Begin to listen; False where other tools have taken all places."""
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
        for tool in (4, 3, 5):
            if monitoring.get_tool(tool) is None:
                monitoring.use_tool_id(tool, "graphc.jit")
                self.tool = tool
                break
        else:
            return False
        self.thread = threading.get_ident()
        self.disable = monitoring.DISABLE
        events = monitoring.events
        calls = {
            events.PY_START: self._entered, events.PY_RESUME: self._entered,
            events.PY_RETURN: self._returned, events.PY_YIELD: self._returned,
            events.PY_UNWIND: self._raised, events.EXCEPTION_HANDLED: self._caught,
            events.INSTRUCTION: self._at,
        }  # fmt: skip
        for event, call in calls.items():
            monitoring.register_callback(tool, event, call)
        every = 0
        for event in calls:
            every |= event if event != events.INSTRUCTION else 0
        monitoring.set_events(tool, every)
        return True

    def pause(self) -> None:
        """Tell no more, from the middle of a run on."""
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
        monitoring.set_events(self.tool, 0)
        for code in self.codes:
            monitoring.set_local_events(self.tool, code, 0)

    def stop(self) -> None:
        """Stop."""
        if self.tool < 0:
            return
        self.pause()
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
        for event in range(17):
            monitoring.register_callback(self.tool, 1 << event, None)
        monitoring.free_tool_id(self.tool)
        monitoring.restart_events()  # what was switched off here may be another tool's
        self.tool = -1
        self.codes.clear()

    def _entered(self, code: CodeType, offset: int) -> Any:
        if threading.get_ident() != self.thread:
            return None
        frame = sys._getframe(1)
        if self.listener.kinds.get(id(code)) == "own":
            return self.disable
        self.listener.entered(frame)
        if code not in self.codes and id(frame) in self.listener.followed:
            self.codes.add(code)
            monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
            monitoring.set_local_events(self.tool, code, monitoring.events.INSTRUCTION)
        return None

    def _at(self, code: CodeType, offset: int) -> None:
        if threading.get_ident() == self.thread:
            self.listener.at(sys._getframe(1), offset)

    def _returned(self, code: CodeType, offset: int, value: object) -> None:
        frame = sys._getframe(1)
        followed = self.listener.followed
        if (
            id(frame.f_back) in followed or id(frame) in followed
        ) and threading.get_ident() == self.thread:
            self.listener.returned(frame, value)

    def _raised(self, code: CodeType, offset: int, error: BaseException) -> None:
        if threading.get_ident() == self.thread:
            self.listener.raised(sys._getframe(1), error)

    def _caught(self, code: CodeType, offset: int, error: BaseException) -> None:
        if threading.get_ident() == self.thread and code in self.codes:
            self.listener.caught(sys._getframe(1), error)


__all__ = ["Listener", "stepping"]

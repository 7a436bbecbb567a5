"""Run cases in child processes: a signal or a case that does not end is a failed test with a name.

    run_forked(lambda: program(x), describe=gc.text.show(graph))      # its value, or Died
    for case, outcome in each_forked(cases, check, describe=text_of):  # one child for many cases
        assert outcome.error is None, outcome.report()

A child is forked, so that it has what the parent has compiled; what it compiles is in the cache
for the next. Values come back pickled. Exceptions come back as text, with their traceback.
"""

from __future__ import annotations

import faulthandler
import io
import os
import pickle
import select
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_HEAD = struct.Struct("<q")


class Died(AssertionError):
    """A case ended its process, took too long, or raised; the text says which and of what case."""


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        value: what it returned.
        error: None, or what went wrong in one line: "killed by SIGSEGV", "no end after 60 s",
            "ShapeError: ...".
        trace: the traceback, or the Python stack at the signal.
        about: the case, as `describe` says it.
        crashed: whether the process is gone: a signal, an exit, or the time limit.
    """

    value: Any = None
    error: str | None = None
    trace: str = ""
    about: str = ""
    crashed: bool = False

    def report(self) -> str:
        """The failure with the case's text."""
        return "\n".join(part for part in (self.error, self.trace, self.about) if part)


def run_forked(
    function: Callable[..., Any], *args: Any, timeout_s: float = 60.0, describe: str = ""
) -> Any:
    """Call a function in a child process.

    Args:
        function: anything; what it returns must pickle.
        args: its arguments.
        timeout_s: seconds after which the child is killed.
        describe: text for the message: the graph.

    Returns:
        What the function returned.

    Raises:
        Died: a signal, the time limit, an exit, or an exception of the function.
    """
    [(_, outcome)] = each_forked([args], lambda a: function(*a), lambda _: describe, timeout_s)
    if outcome.error is not None:
        raise Died(outcome.report())
    return outcome.value


def each_forked(
    cases: Iterable[Any],
    check: Callable[[Any], Any],
    describe: Callable[[Any], str] = repr,
    timeout_s: float = 60.0,
) -> Iterator[tuple[Any, Outcome]]:
    """Call `check(case)` for every case in a child process; a new child where one died.

    Args:
        cases: read as they are run.
        check: runs in the child; its value must pickle.
        describe: the text of a case that fails; called in the parent.
        timeout_s: seconds for each case.

    Yields:
        Each case with its outcome, in order.
    """
    child: _Child | None = None
    try:
        for case in cases:
            if child is None:
                child = _Child(check)
            outcome = child.run(case, timeout_s)
            if outcome.error is not None:
                outcome = Outcome(**{**_fields(outcome), "about": describe(case)})
            if outcome.crashed:
                child = child.end()  # type: ignore[func-returns-value]
            yield case, outcome
    finally:
        if child is not None:
            child.end()


def _fields(outcome: Outcome) -> dict[str, Any]:
    return {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__}


class _Child:
    """A forked process that takes cases by a pipe, in order.

    A case that does not pickle is run in a child of its own, forked when its turn comes.
    """

    def __init__(self, check: Callable[[Any], Any]) -> None:
        self.check = check
        self.pid = 0

    def run(self, case: Any, timeout_s: float) -> Outcome:
        try:
            data = pickle.dumps(case)
        except Exception:
            self.end()
            self._fork(case)
        else:
            if not self.pid:
                self._fork()
            self._send(data)
        outcome = self._wait(timeout_s)
        if outcome.crashed:
            self.end()
        return outcome

    def _fork(self, *first: Any) -> None:
        self.trace = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115
        ask, told = os.pipe(), os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid:
            os.close(ask[0])
            os.close(told[1])
            self.ask, self.told = ask[1], told[0]
            return
        try:
            os.close(ask[1])
            os.close(told[0])
            faulthandler.enable(self.trace)
            self._serve(ask[0], told[1], first)
        finally:
            os._exit(0)

    def _serve(self, ask: int, told: int, first: Sequence[Any]) -> None:
        with os.fdopen(ask, "rb") as questions, os.fdopen(told, "wb") as answers:
            for case in first:
                _answer(answers, _outcome(self.check, case))
            while head := questions.read(_HEAD.size):
                case = pickle.loads(questions.read(*_HEAD.unpack(head)))
                _answer(answers, _outcome(self.check, case))

    def _send(self, data: bytes) -> None:
        data = _HEAD.pack(len(data)) + data
        try:
            while data:
                data = data[os.write(self.ask, data) :]
        except BrokenPipeError:
            pass  # its end is seen by `_wait`

    def _wait(self, timeout_s: float) -> Outcome:
        found = io.BytesIO()
        deadline = time.monotonic() + timeout_s
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.told], [], [], left)[0]:
                return self._gone(f"no end after {timeout_s:g} s")
            piece = os.read(self.told, 1 << 20)
            if not piece:
                return self._gone("")
            found.write(piece)
            data = found.getbuffer()
            if len(data) >= _HEAD.size and len(data) == _HEAD.size + _HEAD.unpack(data[:8])[0]:
                return pickle.loads(data[_HEAD.size :])

    def _gone(self, error: str) -> Outcome:
        """The child ended, or is ended now."""
        if error:
            os.kill(self.pid, signal.SIGABRT)  # faulthandler tells where it was
            time.sleep(0.05)
        pid, self.pid = self.pid, 0
        deadline = time.monotonic() + 1.0
        while not (ended := os.waitpid(pid, os.WNOHANG))[0] and time.monotonic() < deadline:
            time.sleep(0.01)
        if not ended[0]:
            os.kill(pid, signal.SIGKILL)
            ended = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(ended[1])
        self.trace.seek(0)
        trace = self.trace.read()[:4000]
        self._close()
        died = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
        return Outcome(error=error or died, trace=trace, crashed=True)

    def _close(self) -> None:
        os.close(self.ask)
        os.close(self.told)
        self.trace.close()

    def end(self) -> None:
        """Let the child end."""
        if not self.pid:
            return
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pid = 0
        self._close()


def _outcome(check: Callable[[Any], Any], case: Any) -> Outcome:
    try:
        return Outcome(check(case))
    except BaseException as error:
        return Outcome(
            error=f"{type(error).__name__}: {error}", trace=traceback.format_exc(limit=-6)
        )


def _answer(answers: Any, outcome: Outcome) -> None:
    try:
        data = pickle.dumps(outcome)
    except Exception as error:
        data = pickle.dumps(Outcome(error=f"the value does not pickle: {error}"))
    answers.write(_HEAD.pack(len(data)) + data)
    answers.flush()

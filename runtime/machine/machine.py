"""The step machine as Python sees it: a table of steps, and a frame for each call under way.

    first, second = loader.load([Kernel(...), Kernel(...)])
    table = Table(
        steps=[
            Step(first, args=0, extent=4096, grain=512),       # slices are multiples of 512
            Step(second, args=4, extent=from_args(7)),         # args[7] elements, one thread
        ],
        patches=[(0, 0), (7, 1)],      # args[0] = externals[0]; args[7] = externals[1]
    )
    frame = Frame(table, nargs=8, nexternals=2, threads=2)
    frame.args[1:4] = arena_address, frame.status_address, 64
    frame.externals[:] = x.ctypes.data, len(x)
    status = frame.run()               # no Python and no GIL until all steps are done
    if status:
        site, value, limit = frame.status[:3]

A kernel's args are the words of the frame's args table from its step's offset on. A table never
changes and any number of frames may use it; a frame serves one call at a time. What the machine
does is in `machine_source`; arenas and what the args mean are the executable's.
"""

from __future__ import annotations

import ctypes
import functools
import os
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import InternalError
from graphc.runtime.machine import team
from graphc.runtime.machine.machine_source import (
    FLAGS,
    FRAME,
    FRAME_WORDS,
    MAX_THREADS,
    NEEDS_TEAM,
    STEP,
    STEP_WORDS,
)

STATUS_WORDS = 8


@dataclass(frozen=True, slots=True)
class FromArgs:
    """An extent that stands in the args table, at `index`: a symbolic size."""

    index: int


def from_args(index: int) -> FromArgs:
    """The extent is `args[index]` of the frame's args table, read anew at every call."""
    return FromArgs(index)


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel's turn.

    Attributes:
        address: the kernel's function.
        args: where its args begin in the args table, in words.
        extent: size of its parallel range: the kernel is called on slices of 0..extent.
        grain: slices are multiples of it, and a range no longer than it isn't split; 0 means
            that the step is serial: one call on the whole range, by the caller's thread.
        commit: whether it changes state. The machine stops before the first such step when an
            earlier one has put an error into the status block.
        control: whether it runs other frames.
    """

    address: int
    args: int
    extent: int | FromArgs = 1
    grain: int = 0
    commit: bool = False
    control: bool = False


class Table:
    """The steps of a program, in the order in which they run.

    Args:
        steps: see `Step`.
        patches: pairs (index in the args table, index in the externals): words of each call.

    Raises:
        InternalError: a negative extent, offset or grain, or an address of 0.
    """

    def __init__(self, steps: Sequence[Step], patches: Sequence[tuple[int, int]] = ()) -> None:
        self.steps = np.zeros((len(steps), STEP_WORDS), np.int64)
        self.patches = np.array(patches, np.int64).reshape(-1, 2)
        committed = False
        for row, step in zip(self.steps, steps):
            _fill_row(row, step, step.commit and not committed)
            committed |= step.commit
        if self.patches.size and self.patches.min() < 0:
            raise InternalError("a patch has a negative index")
        # A step that can't be split may still hold a large index: only the rows are checked.
        self.nargs = 1 + max(
            [int(self.patches[:, 0].max()) if len(self.patches) else -1]
            + [step.extent.index for step in steps if isinstance(step.extent, FromArgs)]
        )
        self.nexternals = 1 + (int(self.patches[:, 1].max()) if len(self.patches) else -1)

    def __len__(self) -> int:
        return len(self.steps)


def _fill_row(row: np.ndarray, step: Step, check: bool) -> None:
    extent = step.extent.index if isinstance(step.extent, FromArgs) else step.extent
    if step.address == 0 or min(step.args, extent, step.grain) < 0:
        raise InternalError(f"a step that can't be run: {step}")
    flags = FLAGS["PARALLEL"] if step.grain else 0
    flags |= FLAGS["COMMIT"] if check else 0
    flags |= FLAGS["CONTROL"] if step.control else 0
    flags |= FLAGS["EXTENT_IN_ARGS"] if isinstance(step.extent, FromArgs) else 0
    row[STEP["ADDRESS"]], row[STEP["OFFSET"]] = step.address, step.args
    row[STEP["EXTENT"]], row[STEP["GRAIN"]] = extent, max(step.grain, 1)
    row[STEP["FLAGS"]] = flags


class Frame:
    """The memory of one call at a time: args, externals, status.

    Args:
        table: the steps.
        nargs: size of the args table, in words.
        nexternals: pointers and sizes that each call brings.
        threads: most threads that share a call, the caller included; None for
            `GRAPHC_THREADS`, or the CPUs of this process. The slices of a step, hence a result,
            depend on this number alone, not on how many threads come to help.

    Attributes:
        args: int64 array of `nargs`; only patched words change during a run.
        externals: int64 array of `nexternals`, to be set before each run.
        status: int64 array of 8; kernels write to it, word 0 is the code of the first error.
        status_address: its address, for kernels' args.
        address: the frame's own, for steps of other frames that run it: see `adopt`.
    """

    def __init__(
        self, table: Table, nargs: int, nexternals: int, threads: int | None = None
    ) -> None:
        if nargs < table.nargs or nexternals < table.nexternals:
            raise InternalError("a frame with fewer words than its table refers to")
        self.table = table
        self.threads = _threads(threads)
        self.args = team.aligned(max(nargs, 1))
        self.externals = team.aligned(max(nexternals, 1))
        self.status = team.aligned(STATUS_WORDS)
        self.status_address = self.status.ctypes.data
        self._claims = team.aligned(max(len(table), 1))
        self._times: np.ndarray | None = None
        self._inner: list[Frame] = []
        self._words = team.aligned(FRAME_WORDS)
        # Made once: ctypes takes them as they are, where it would convert ints at every call.
        self.address: int = self._words.ctypes.data
        address = ctypes.c_int64(self.address)
        self._ask = (address, ctypes.c_int64(1), ctypes.c_int64(0))
        self._tell = (address, ctypes.c_int64(0), ctypes.c_int64(0))
        self._entry = _entry()
        self._fill()
        _frames.add(self)

    def _fill(self) -> None:
        words = self._words
        words[FRAME["WALK"]] = team.functions_alone()["walk"]
        words[FRAME["RUN"]] = team.functions_alone()["run"]
        for name, function in (("YIELD", "sched_yield"), ("NAP", "usleep")):
            words[FRAME[name]] = team.c_address(function)
        words[FRAME["CLOCK"]] = team.c_address("clock_gettime")
        words[FRAME["CLOCK_ID"]] = team.CLOCK_MONOTONIC
        words[FRAME["COUNT"]] = len(self.table)
        words[FRAME["PATCH_COUNT"]] = len(self.table.patches)
        words[FRAME["THREADS"]] = self.threads
        words[FRAME["STATUS"]] = self.status_address
        for name, array in (
            ("STEPS", self.table.steps),
            ("ARGS", self.args),
            ("PATCHES", self.table.patches),
            ("EXTERNALS", self.externals),
            ("CLAIMS", self._claims),
            ("TEAM", team.cell),
        ):
            words[FRAME[name]] = array.ctypes.data

    def run(self) -> int:
        """Run all steps with the externals as they stand.

        Returns:
            0, or the code that a kernel put into the status block; then no step from the first
            that changes state on was run.
        """
        status = self._entry(*self._ask)
        if status == NEEDS_TEAM:
            self._share()
            status = self._entry(*self._tell)
        return status

    def adopt(self, frames: Sequence[Frame]) -> None:
        """Keep the frames that this one's steps run, and make them ready for that.

        A frame that is run by another cannot ask Python for workers, so they are there before.
        """
        self._inner = list(frames)
        for frame in frames:
            if frame.threads > 1 and frame._is_shared():
                frame._share()

    def _is_shared(self) -> bool:
        """Whether any step's range is worth more than one thread."""
        for row in self.table.steps:
            if not row[STEP["FLAGS"]] & FLAGS["PARALLEL"]:
                continue
            extent = int(row[STEP["EXTENT"]])
            if row[STEP["FLAGS"]] & FLAGS["EXTENT_IN_ARGS"]:
                extent = int(self.args[extent])
            if extent > row[STEP["GRAIN"]]:
                return True
        return False

    def _share(self) -> None:
        """Make ready for parallel steps: the functions they need, and workers."""
        native = team.functions_shared()
        _free_orphans()
        # Before anybody can be asked, so that an interrupt at any moment frees nothing.
        memory = (self._words, self.args, self.status, self._claims, self.table)
        _lent[self.address] = memory
        for name in ("wait", "ask", "recall", "share"):
            self._words[FRAME[name.upper()]] = native[name]
        team.current().ensure(self.threads - 1)

    @property
    def measured(self) -> bool:
        """Whether each step's time is added up."""
        return self._times is not None

    def measure(self, on: bool = True) -> None:
        """Start (or stop) adding up each step's time; see `times`."""
        on = on and bool(self._words[FRAME["CLOCK"]])
        self._times = np.zeros(max(len(self.table), 1), np.int64) if on else None
        self._words[FRAME["PROFILE"]] = 0 if self._times is None else self._times.ctypes.data

    @property
    def times(self) -> np.ndarray:
        """Nanoseconds that each step has taken since `measure()`; zeros when it wasn't called."""
        if self._times is None:
            return np.zeros(len(self.table), np.int64)
        return self._times[: len(self.table)].copy()

    def _forget_helpers(self) -> None:
        self._words[FRAME["JOINED"]] = self._words[FRAME["LEFT"]] = 0

    def __del__(self) -> None:
        address = getattr(self, "address", None)
        # At the interpreter's end module names are gone, and the helpers with the process.
        if address is None or _lent is None or address not in _lent:
            return
        _orphans.append(address)
        _free_orphans()


# Frames alive, for the child of a fork; the memory of those that helpers may look at, by address,
# and which of them have no frame any more.
_frames: weakref.WeakSet[Frame] = weakref.WeakSet()
_lent: dict[int, tuple[Any, ...]] = {}
_orphans: list[int] = []


def _free_orphans() -> None:
    """Free the memory of frames that are gone once no helper looks at it any more."""
    for address in list(_orphans):
        memory = _lent.get(address)
        if memory is not None and memory[0][FRAME["LEFT"]] < memory[0][FRAME["JOINED"]]:
            continue
        try:
            # In this order: an address that is lent again is no orphan.
            _orphans.remove(address)
        except ValueError:
            continue  # another thread did it
        _lent.pop(address, None)


def _threads(threads: int | None) -> int:
    if threads is None:
        return team.default_threads()
    return min(max(threads, 1), MAX_THREADS) if team.SUPPORTED else 1


@functools.cache
def _entry() -> Callable[..., int]:
    prototype = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 3)
    return prototype(team.functions_alone()["run"])


def _after_fork() -> None:
    for frame in list(_frames):
        frame._forget_helpers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

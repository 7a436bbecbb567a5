"""Programs on a GPU: the steps of a graph with device addresses, captured once, then replayed.

    executable = CudaExecutable(graph, steps)
    failure = executable.run(executable.bind({"n": 64}), [x, out])

What depends on sizes is the CPU's: words of the args table, homes, the memory plan. A step's extent
is its blocks, its grain the threads of a block, and its words are the kernel's parameters by value.
A call is one graph, made for each set of sizes. That of a program that has checks is two: what
writes state is launched when the first says that no check failed, as a graph cannot stop half way.
Branches, and loops of unknown length, ask the GPU how to go on; programs with those, and those of
very many launches, run their list each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core import observing
from graphc.core.access import access, enter, leave
from graphc.core.garbage import uncollected
from graphc.core.ir import Graph
from graphc.errors import DeviceError, OutOfMemoryError, UnsupportedError
from graphc.ops.state import State
from graphc.runtime.base import homes as places
from graphc.runtime.base.homes import Copy
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Step
from graphc.runtime.cuda import device as devices
from graphc.runtime.cuda import memory
from graphc.runtime.cuda.control import Turns, branch_of, loop_of
from graphc.runtime.cuda.driver import CudaError, Driver
from graphc.runtime.cuda.frames import Frame, Marks, Place
from graphc.runtime.machine.call import Call
from graphc.runtime.machine.executable import Executable

Row = tuple[Kernel, int, int, int, bool, bool]
# Launches that a graph may hold.
MAX_LAUNCHES = 20_000
_THREAD_LOCAL = 1


class CudaExecutable(Executable):
    """A program of one GPU, the current one of the thread that compiles it; see `Executable`."""

    def __init__(
        self,
        graph: Graph,
        steps: Sequence[Step],
        threads: int | None = None,
        numbers: dict[Any, int] | None = None,
    ) -> None:
        self.device = devices.current()
        self.copies: dict[State, memory.Copy] = {}
        super().__init__(graph, steps, threads, numbers)
        self._places: list[Place] = []
        kinds: list[CudaExecutable] = self.children  # type: ignore[assignment]
        for child in kinds:
            self.copies.update(child.copies)
        # A branch, or a loop whose length the GPU alone knows.
        asks = any(len(bodies) == 2 for bodies in self.nested.values())
        self.asks: bool = asks or any(child.asks for child in kinds)
        self.is_checked: bool = bool(self._status_words) or any(child.is_checked for child in kinds)
        count = len(self.launches)
        commits = self.homes.commits_from if self.is_checked else count
        self._parts = [part for part in (range(commits), range(commits, count)) if part]

    def image(self, kernel: Kernel) -> tuple[str, bytes]:
        """The name of a kernel's entry, and PTX or machine code that has it."""
        raise NotImplementedError

    def _load(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._functions = [self._function(number, row[0]) for number, row in enumerate(rows)]

    def _function(self, number: int, kernel: Kernel) -> int:
        """The handle of a kernel on the device; 0 for what is none."""
        if kernel is places.COPY or kernel.language == "machine":
            return 0
        node = self.launches[number].node
        if kernel.language == "library":
            raise UnsupportedError(
                f"{node.op.name} has no kernel for a GPU", where=node.origin or "",
                hint='compile with target="cpu"',
            )  # fmt: skip
        try:
            return self.device.function(*self.image(kernel))
        except CudaError as error:
            raise self._located(error, number) from None

    def _located(self, error: CudaError, number: int) -> DeviceError:
        """An error of the driver with the kernel and the user's line."""
        node = self.launches[number].node
        return DeviceError(
            f"{self.graph.name}: kernel {self._rows[number][0].name} failed on {self.device!r}: "
            f"{error.name} ({error.code})",
            [node.describe()[:200], f"by {error.function}"],
            where=node.origin or "",
            hint=error.hint,
        )

    def _held(self, state: State) -> int:
        if state not in self.copies:
            try:
                self.copies[state] = memory.copy_of(self.device, state)
            except memory.DeviceMemoryError as error:
                raise OutOfMemoryError(
                    f"{self.graph.name}: a parameter of {state.nbytes:,} bytes does not fit",
                    [str(error)],
                ) from None
        return self.copies[state].address

    def run(
        self, call: Call, arrays: Sequence[np.ndarray], times: list[int] | None = None
    ) -> tuple[int, int, int] | None:
        """See `Executable.run`."""
        turn = object()
        observer = observing.observer
        if observer is not None and times is None:
            times = []
        try:
            place = self._places.pop()
        except IndexError:
            place = Place(self.device)
        try:
            if self._claim is not None:
                enter(turn, self._claim)
            failure = self._once(place, call, arrays, times)
        finally:
            leave(turn)
        if times is not None and observer is not None:
            observer.native(self, call, times)
        # Only here: the place of a call that was interrupted is dropped.
        self._places.append(place)
        return failure

    def _once(
        self, place: Place, call: Call, arrays: Sequence[np.ndarray], times: list[int] | None
    ) -> tuple[int, int, int] | None:
        """Run in a place, with the state to itself."""
        self.device.use()
        frame = place.find(call) or self._made(place, call, arrays)
        call.used = True
        frame.give(arrays)
        self._refresh()
        self.device.use()  # what had the latest values may be another's
        try:
            failure = self._launched(frame, times)
        except CudaError as error:
            raise self._unlocated(error) from None
        if failure is None:
            frame.take(arrays[frame.inputs :])
        return failure

    def _refresh(self) -> None:
        """Have the latest values of the state on the device, which is about to change some."""
        for state, copy in self.copies.items():
            if state.is_shared or not copy.is_current:
                copy.push(state.latest())
        for state in self._writes:
            state.leave_to(self.copies[state])

    def _launched(self, frame: Frame, times: list[int] | None) -> tuple[int, int, int] | None:
        """Launch the parts, each when no check has failed before."""
        stream = devices.current_stream(self.device).handle
        marks = None if times is None else Marks(self.device, stream)
        failure = None
        if self.is_poisoned:
            frame.poison(stream)
        for number in range(max(len(self._parts), 1)):
            if frame.graphs and marks is None:
                self.device.driver.call("cuGraphLaunch", frame.graphs[number], stream)
            else:
                self._enqueue_part(number, frame, stream, marks)
            self.device.driver.call("cuStreamSynchronize", stream)
            if self.is_checked and frame.status()[0]:
                failure = frame.status()
                break
        for state in self._writes:
            if state.is_shared:
                state.latest()
        if marks is not None and times is not None:
            times[:] = marks.nanoseconds(len(self.launches))
        if self.is_poisoned:
            frame.check_zones()
        return failure

    def _unlocated(self, error: CudaError) -> DeviceError:
        hints = [error.hint, "GRAPHC_CHECK=launch names the kernel"]
        return DeviceError(
            f"{self.graph.name}: the run failed on {self.device!r}: {error.name} ({error.code})",
            [f"by {error.function}"],
            where=self.graph.outputs[0].origin if self.graph.outputs else "",
            hint="; ".join(hint for hint in hints if hint),
        )

    def _made(self, place: Place, call: Call, arrays: Sequence[np.ndarray]) -> Frame:
        """A new frame for a call, with its graphs."""
        inputs = len(arrays) - len(self.results)
        frame = Frame(self.device, call, [array.nbytes for array in arrays], inputs)
        place.fit(frame)
        frame.words = self.words(call, frame.arena, frame.base)
        self.point(frame.words, {k: frame.base + at for k, (at, _) in enumerate(frame.slots)})
        is_short = self._count(call) <= MAX_LAUNCHES
        if is_short and not self.asks and "launch" not in self.checks:
            for number in range(max(len(self._parts), 1)):
                frame.add(self._captured(number, frame))
        place.keep(frame)
        return frame

    def words(self, call: Call, arena: int, status: int) -> np.ndarray:
        """The args table of a call, but for the externals.

        Args:
            call: from `bind`.
            arena, status: their addresses.
        """
        words = call.words.copy()
        words[self._status_words] = status
        at = [word for word, _ in self._arena_words]
        words[at] = call.arena_offsets + arena
        return words

    def point(self, words: np.ndarray, externals: Mapping[int, int]) -> None:
        """Write the addresses of externals, by position, into an args table."""
        for word, position in self._patches:
            words[word] = externals[position]

    def _count(self, call: Call) -> int:
        """How many launches a call is, with those of its loops."""
        found = len(self._rows)
        for number, bodies in self.nested.items():
            first = self._rows[number][1]
            child = self._child_words.index(first + 1)
            turns = int(call.words[first + 5]) if len(bodies) == 1 else 1
            found += turns * self.children[child]._count(call.children[child])  # type: ignore[attr-defined]
        return found

    def _captured(self, number: int, frame: Frame) -> int:
        """A part of a call as one graph."""
        driver, stream = self.device.driver, devices.Stream(self.device)
        # Memory that the collector gives back meanwhile would spoil the capture.
        with uncollected():
            driver.call("cuStreamBeginCapture_v2", stream.handle, _THREAD_LOCAL)
            try:
                self._enqueue_part(number, frame, stream.handle)
            except BaseException:
                _drop_capture(driver, stream.handle)
                raise
            graph = driver.call("cuStreamEndCapture", stream.handle)
        try:
            return driver.call("cuGraphInstantiateWithFlags", graph, 0)
        finally:
            driver.call("cuGraphDestroy", graph)

    def _enqueue_part(
        self, number: int, frame: Frame, stream: int, marks: Marks | None = None
    ) -> None:
        """Queue the copies and launches of a part."""
        if number == 0:
            frame.enqueue_inputs(stream)
        part = self._parts[number] if self._parts else range(0)
        self.enqueue(frame.words, frame.call, stream, part, marks)
        if number == 0:
            frame.enqueue_status(stream)
        if number >= len(self._parts) - 1:
            frame.enqueue_results(stream)

    def enqueue(
        self,
        words: np.ndarray,
        call: Call,
        stream: int,
        part: Sequence[int] | None = None,
        marks: Marks | None = None,
    ) -> None:
        """Queue launches.

        Args:
            words: the args table, with the addresses of all externals.
            call: whose sizes are bound.
            stream: to which queue.
            part: of which launches; None for all.
            marks: notes the time before and after each.
        """
        if marks is not None:
            marks.start()
        for number in range(len(self._rows)) if part is None else part:
            try:
                self._enqueue_one(number, words, call, stream)
                if "launch" in self.checks:
                    self.device.driver.call("cuStreamSynchronize", stream)
            except CudaError as error:
                raise self._located(error, number) from None
            if marks is not None:
                marks.add()

    def _enqueue_one(self, number: int, words: np.ndarray, call: Call, stream: int) -> None:
        kernel, first, extent, threads, *_ = self._rows[number]
        args, blocks = words[first:extent], int(words[extent])
        if isinstance(self.launches[number], Copy):
            if blocks:
                source, target = map(int, args)
                self.device.driver.call("cuMemcpyDtoDAsync_v2", target, source, blocks, stream)
        elif kernel.language == "machine":
            self._control(number, args.tolist(), call, stream)
        else:
            self.device.launch(self._functions[number], blocks, threads, args, stream)

    def _control(self, number: int, args: list[int], call: Call, stream: int) -> None:
        """The launches of a branch or of a loop's turns."""
        at = self._child_words.index(self._rows[number][1] + 1)
        count = len(self.nested[number])
        bodies = list(zip(self.children[at : at + count], call.children[at : at + count]))
        turns = Turns(self.device, stream, args, bodies)  # type: ignore[arg-type]
        (loop_of if self._rows[number][0].name == "loop" else branch_of)(turns)

    def profile(
        self, call: Call, arrays: Sequence[np.ndarray], repeat: int
    ) -> tuple[list[int], int]:
        """See `Executable.profile`; the times are the device's, between events."""
        place = Place(self.device)
        best: tuple[list[int], int] = [0] * len(self.launches), 0
        with access(self._reads, self._writes):
            before = [state.latest().copy() for state in self._writes]
            for turn in range(repeat + 1):
                times: list[int] = []
                try:
                    self._once(place, call, arrays, times)
                finally:
                    for state, array in zip(self._writes, before):
                        state.array[...] = array
                if turn == 0 or sum(times) < best[1]:
                    best = times, sum(times)
        return best


def _drop_capture(driver: Driver, stream: int) -> None:
    """End a capture that failed, so that its queue is not left recording."""
    try:
        graph = driver.call("cuStreamEndCapture", stream)
    except CudaError:
        return
    if graph:
        driver.call("cuGraphDestroy", graph)


__all__ = ["CudaExecutable"]

"""What a call on a GPU needs while it is under way: `Place`, its memory; `Frame`, its addresses.

All of a call's memory is one block of the GPU: status, inputs, results, arena, one after another.
So its addresses are fixed, and what was captured as a graph is right for the next call.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from graphc.runtime.base import poison
from graphc.runtime.base.arena import aligned
from graphc.runtime.cuda.device import Device, Event
from graphc.runtime.cuda.memory import Block, Pinned
from graphc.runtime.machine.call import Call

# Graphs that a place keeps ready: the one unused for longest makes room.
MAX_GRAPHS = 32
STATUS = 64


class Frame:
    """A call in a place: addresses, words, graphs.

    Args:
        device: the GPU.
        call: whose sizes are bound.
        nbytes: of its inputs, then of its results.
        inputs: how many are inputs.

    Attributes:
        base, host: addresses of the block and of the staging memory; 0 before it has a place.
        slots: of each input and result: its offset in both, and its bytes.
        staged, nbytes: how much of both it needs.
        words: the args table.
        graphs: what was captured, see `add`; empty where the list of launches is run.
    """

    def __init__(self, device: Device, call: Call, nbytes: Sequence[int], inputs: int) -> None:
        self.device, self.call, self.inputs = device, call, inputs
        self.base = self.host = 0
        self.slots: list[tuple[int, int]] = []
        self.staged = STATUS
        for size in nbytes:
            self.slots.append((self.staged, size))
            self.staged = aligned(self.staged + size)
        self.nbytes = self.staged + max(call.arena_nbytes, 1)
        self.words = call.words
        self.graphs: list[int] = []

    def add(self, graph: int) -> None:
        """Note a graph, which ends with the frame."""
        self.graphs.append(graph)
        self.device.end_with(self, "cuGraphExecDestroy", graph)

    @property
    def arena(self) -> int:
        """The address of the arena."""
        return self.base + self.staged

    def give(self, arrays: Sequence[np.ndarray]) -> None:
        """Copy inputs to the staging memory."""
        for array, (offset, nbytes) in zip(arrays, self.slots[: self.inputs]):
            ctypes.memmove(self.host + offset, array.ctypes.data, nbytes)

    def take(self, arrays: Sequence[np.ndarray]) -> None:
        """Copy results from the staging memory."""
        for array, (offset, nbytes) in zip(arrays, self.slots[self.inputs :]):
            ctypes.memmove(array.ctypes.data, self.host + offset, nbytes)

    def status(self) -> tuple[int, int, int]:
        """Site, value and limit of the first check that failed; zeros for none."""
        return tuple((ctypes.c_int64 * 3).from_address(self.host))

    def enqueue_inputs(self, stream: int) -> None:
        """Queue what stands before the launches: a clean status, the inputs."""
        call = self.device.driver.call
        call("cuMemsetD8Async", self.base, 0, STATUS, stream)
        for offset, nbytes in self.slots[: self.inputs]:
            if nbytes:
                call("cuMemcpyHtoDAsync_v2", self.base + offset, self.host + offset, nbytes, stream)

    def enqueue_status(self, stream: int) -> None:
        """Queue the way back of the status."""
        self.device.driver.call("cuMemcpyDtoHAsync_v2", self.host, self.base, STATUS, stream)

    def enqueue_results(self, stream: int) -> None:
        """Queue the way back of the results."""
        call = self.device.driver.call
        for offset, nbytes in self.slots[self.inputs :]:
            if nbytes:
                call("cuMemcpyDtoHAsync_v2", self.host + offset, self.base + offset, nbytes, stream)

    def poison(self, stream: int) -> None:
        """Fill results and arena with a pattern; see `poison`."""
        results = self.slots[self.inputs :]
        start = results[0][0] if results else self.staged
        count = (self.nbytes - start) // 2
        where = self.base + start
        self.device.driver.call("cuMemsetD16Async", where, poison.PATTERN, count, stream)

    def check_zones(self) -> None:
        """Look at the bytes between the arena's buffers."""
        arena = np.empty(self.call.arena_nbytes, np.uint8)
        if arena.nbytes:
            call = self.device.driver.call
            call("cuMemcpyDtoH_v2", arena.ctypes.data, self.arena, arena.nbytes)
        self.call.red_zones.check(arena)


class Place:
    """The memory of one call under way, and the frames of those that were there before."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._block: Block | None = None
        self._staging: Pinned | None = None
        self._frames: dict[Call, Frame] = {}
        # An interrupted call may have left work that uses the memory, which is given back next.
        device.end_with(self, "cuCtxSynchronize")

    def find(self, call: Call) -> Frame | None:
        """The frame of a call that has been here."""
        frame = self._frames.pop(call, None)
        if frame is not None:
            self._frames[call] = frame
        return frame

    def keep(self, frame: Frame) -> None:
        """Keep a frame that is ready."""
        while len(self._frames) >= MAX_GRAPHS:
            del self._frames[next(iter(self._frames))]
        self._frames[frame.call] = frame

    def fit(self, frame: Frame) -> None:
        """Make room for a frame and give it its addresses.

        Raises:
            DeviceMemoryError: there is no room.
        """
        if self._block is None or self._block.nbytes < frame.nbytes:
            # Graphs have the old addresses; and the smaller block goes first: both may not fit.
            self._frames.clear()
            self._block = None
            self._block = self._device.pool.allocate(frame.nbytes)
        if self._staging is None or self._staging.nbytes < frame.staged:
            self._frames.clear()
            self._staging = None
            self._staging = Pinned(self._device, frame.staged)
        frame.base, frame.host = self._block.address, self._staging.address


class Marks:
    """Events between the launches of a list."""

    def __init__(self, device: Device, stream: int) -> None:
        self._device, self._stream = device, stream
        self._pairs: list[tuple[Event, Event]] = []
        self._last: Event | None = None

    def _event(self) -> Event:
        event = Event(True, device=self._device)
        self._device.driver.call("cuEventRecord", event.handle, self._stream)
        return event

    def start(self) -> None:
        """Note the time before the first launch."""
        self._last = self._event()

    def add(self) -> None:
        """Note the time after a launch."""
        event = self._event()
        if self._last is not None:
            self._pairs.append((self._last, event))
        self._last = event

    def nanoseconds(self, count: int) -> list[int]:
        """What each of `count` launches took; 0 for those that did not come to pass."""
        found = [round(a.elapsed_time(b) * 1e6) for a, b in self._pairs]
        return found + [0] * (count - len(found))


__all__ = ["Frame", "Marks", "Place"]

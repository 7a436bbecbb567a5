"""What a call of a program needs: `Call`, what its sizes decide; `Slot`, its memory meanwhile.

The arena of a slot is laid out by a memory plan: `Memory`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from graphc.runtime.base import poison
from graphc.runtime.machine import machine

# Sets of sizes that a program, and frames that a slot, keep ready.
MAX_CALLS = 256
NO_ZONES = poison.RedZones()


class Call:
    """What a set of sizes decides: the words of the args table, the arena, the results' shapes."""

    __slots__ = (
        "arena_nbytes", "arena_offsets", "children", "outputs", "red_zones", "sizes", "used",
        "words",
    )  # fmt: skip

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = dict(sizes)
        self.words = np.zeros(0, np.int64)
        self.arena_offsets = np.zeros(0, np.int64)
        self.arena_nbytes = 0
        self.children: list[Call] = []
        self.outputs: list[tuple[tuple[int, ...], np.dtype]] = []
        self.red_zones = NO_ZONES
        self.used = True


class Calls(dict[Any, Call]):
    """The calls of a program that are kept, by key."""

    def keep(self, key: Any, call: Call) -> None:
        """Keep a call under `key`; the one unused for longest makes room."""
        # Other threads do the same: each change of the dict is one operation of it.
        while len(self) >= MAX_CALLS:
            for oldest in list(self):
                candidate = self.pop(oldest, None)
                if candidate is None or not candidate.used:
                    break
                candidate.used = False
                self[oldest] = candidate
        self[key] = call


class Slot:
    """What one call under way needs: an arena, frames filled for it."""

    __slots__ = ("arena", "arena_address", "frames")

    def __init__(self) -> None:
        self.arena = np.zeros(0, np.uint8)
        self.arena_address = 0
        self.frames: dict[Call, tuple[int, machine.Frame, Any]] = {}

    def arena_bytes(self, call: Call) -> np.ndarray:
        """The part of the arena that a call uses."""
        start = self.arena_address - self.arena.ctypes.data if self.arena_address else 0
        return self.arena[start : start + call.arena_nbytes]


class Memory(Protocol):
    """A memory plan: buffers with keys, and where they lie for a set of sizes."""

    @property
    def buffers(self) -> Sequence[Any]:
        """Each has a `key`: (node, k) for the k-th result, (node, name) for scratch memory."""

    def place(self, sizes: Mapping[str, int], margin: int = 0) -> Any:
        """`offsets` and `sizes` in the order of `buffers`, and the `total` bytes."""

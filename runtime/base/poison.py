"""GRAPHC_CHECK=poison: memory that nobody wrote is seen, and so is a write past a buffer's end.

Before every call the arena and the results are filled with a pattern that is nan in every
float format, about the largest int16, int32 and int64, and no bool: what a kernel leaves
unwritten, or reads before it is written, differs from the right value, and in the same way at
every call. Behind each buffer of the arena and each result there are bytes that belong to nobody,
its red zone; after the call they must hold the pattern still. Buffers whose lives don't overlap
share memory as ever, so a red zone is looked at where no other buffer lies over it. Kernels'
local buffers are filled by the kernels themselves (`numba_language.local`).

    arena   [ a: 40 bytes ][ red zone ][ b: 100 bytes ][ red zone ]

Not here: reads and writes outside a buffer that land in another (GRAPHC_CHECK=bounds).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphc.core.ir import Node
from graphc.errors import InternalError
from graphc.runtime.base.homes import Planned, Staged

# nan in every float format, whichever 2, 4 or 8 bytes of a row of them are read.
PATTERN = 0x7FFD
RED_ZONE = 64

_BYTES = np.array([PATTERN], np.uint16).view(np.uint8)


@dataclass(frozen=True, slots=True)
class Zone:
    """Bytes of an arena that belong to no buffer, and the buffer before them."""

    start: int
    end: int
    node: Node | None
    what: str


def fill(array: np.ndarray) -> None:
    """Fill a contiguous array's memory with the pattern."""
    memory = array.reshape(-1).view(np.uint8)
    even = memory.size // 2 * 2
    memory[:even].view(np.uint16).fill(PATTERN)
    memory[even:] = _BYTES[0]


def fill_before_call(arena: np.ndarray, arrays: Sequence[np.ndarray], results: int) -> None:
    """Fill an arena and the last `results` of a call's arrays, where they are not inputs too."""
    fill(arena)
    given, made = arrays[: len(arrays) - results], arrays[len(arrays) - results :]
    for array in made:
        if not any(np.may_share_memory(array, other) for other in given):
            fill(array)


def guarded(shape: tuple[int, ...], dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """An array for a result, and the red zone behind it."""
    nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    memory = np.empty(nbytes + RED_ZONE, np.uint8)
    fill(memory)
    return memory[:nbytes].view(dtype).reshape(shape), memory[nbytes:]


def is_damaged(red_zone: np.ndarray, start: int = 0) -> bool:
    """Whether bytes that began as the pattern, from an even place plus `start`, were written."""
    expected = np.resize(np.roll(_BYTES, -(start % 2)), red_zone.size)
    return not np.array_equal(red_zone, expected)


class RedZones:
    """The red zones of a call's arena, and of the arenas of nested programs that lie in it.

    Args:
        placed: offset, bytes, home or (node, name) of everything in the arena.
        total: the arena's bytes.
        nested: red zones of nested arenas, with the offset of each.
    """

    def __init__(
        self,
        placed: Sequence[tuple[int, int, Any]] = (),
        total: int = 0,
        nested: Sequence[tuple[int, RedZones]] = (),
    ) -> None:
        self.zones = _between(placed, total)
        for start, inner in nested:
            moved = (replace(z, start=z.start + start, end=z.end + start) for z in inner.zones)
            # The nested arena lies over them, and at other times another buffer may.
            self.zones += [z for z in moved if _count_over(placed, z) == 1]
        ranges = [np.arange(z.start, z.end) for z in self.zones]
        self._index = np.concatenate([*ranges, np.zeros(0, np.intp)]).astype(np.intp)
        self._expected = _BYTES[self._index % 2]

    def check(self, arena: np.ndarray) -> None:
        """Look at an arena's red zones after a call.

        Raises:
            InternalError: one was written; the message names the buffer before it.
        """
        found = arena.take(self._index)
        if np.array_equal(found, self._expected):
            return
        at = int(self._index[found != self._expected][0])
        zone = next(z for z in self.zones if z.start <= at < z.end)
        raise overrun(zone.what, zone.node)


def _between(placed: Sequence[tuple[int, int, Any]], total: int) -> list[Zone]:
    """What no buffer covers."""
    found: list[Zone] = []
    end, last = 0, (None, "the arena's start")
    for offset, nbytes, home in sorted(placed, key=lambda p: p[:2]):
        if offset > end:
            found.append(Zone(end, offset, *last))
        if offset + nbytes > end:
            end, last = offset + nbytes, _named(home)  # type: ignore[assignment]
    return [*found, Zone(end, total, *last)] if total > end else found


def _count_over(placed: Sequence[tuple[int, int, Any]], zone: Zone) -> int:
    return sum(at < zone.end and zone.start < at + nbytes for at, nbytes, _ in placed)


def _named(home: Any) -> tuple[Node, str]:
    """The node and the name of something in an arena, for messages."""
    if isinstance(home, Planned):
        node, index = home.key
        return node, f"result {index} of {node.name}"
    if isinstance(home, Staged):
        return home.node, f"the old value of {home.node.name}"
    node, name = home
    return node, f"scratch memory {name!r} of {node.name}"


def overrun(what: str, node: Node | None) -> InternalError:
    """The error for a write behind a buffer."""
    return InternalError(
        f"a kernel wrote past the end of {what}",
        [node.describe()] if node is not None else [],
        where=node.origin or "" if node is not None else "",
        hint="GRAPHC_CHECK=bounds names the kernel",
    )

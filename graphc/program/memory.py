"""What memory a program's intermediate results take: where each lies and when, the least there is.

use = program.memory(n=100)
arena, apart = use                 # bytes of the arena; of all results without planning
print(use)                         # peak, lower bound, what lives at the peak
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphc.core.ir import caller
from graphc.errors import AttributeValueError
from graphc.program.describing import lines_of, nbytes_text, work_text

SHOWN = 8
_UNITS = {"": 1, "B": 1, "kB": 1 << 10, "KiB": 1 << 10, "MB": 1 << 20, "MiB": 1 << 20,
          "GB": 1 << 30, "GiB": 1 << 30}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Life:
    """A buffer: where it lies, from which step to which, what it holds, the user's lines.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (8, 8))
        >>> life = gc.compile([x], gc.tanh(x @ x) @ x).memory().lives[0]
        >>> life.nbytes, life.first, life.last
        (256, 1, 2)
    """

    offset: int
    nbytes: int
    first: int
    last: int
    what: str
    where: str

    def __str__(self) -> str:
        lives = f"steps {self.first} to {self.last}"
        return f"{nbytes_text(self.nbytes)}, {lives}: {self.what}  [{self.where}]"


class MemoryUse(tuple[int, int]):
    """The bytes of the arena, and of all intermediate results without planning.

    Attributes:
        lives: every buffer of the arena, by its first step.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (8, 8))
        >>> use = gc.compile([x], gc.tanh(x @ x) @ x).memory()
        >>> use.peak_nbytes >= use.bound_nbytes
        True
    """

    lives: tuple[Life, ...]

    @staticmethod
    def of(build: Any, sizes: Mapping[str, int]) -> MemoryUse:
        """The memory of a build for some sizes."""
        call = build.executable.bind(sizes)
        memory = build.memory
        made = MemoryUse((call.arena_nbytes, memory.unshared(sizes) if memory else 0))
        if not memory:
            made.lives = ()
            return made
        placed = memory.place(sizes)
        lives = [
            Life(offset, nbytes, b.first, b.last, work_text(b.node), lines_of(b.node))
            for offset, nbytes, b in zip(placed.offsets, placed.sizes, memory.buffers)
        ]
        made.lives = tuple(sorted(lives, key=lambda life: (life.first, life.offset)))
        return made

    @property
    def peak_nbytes(self) -> int:
        """The bytes of the arena.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (8, 8))
            >>> gc.compile([x], x + 1.0).memory().peak_nbytes
            0
        """
        return self[0]

    @property
    def unplanned_nbytes(self) -> int:
        """The bytes of all intermediate results, if none shared memory with another.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (8, 8))
            >>> gc.compile([x], gc.tanh(x @ x) @ x).memory().unplanned_nbytes >= 256
            True
        """
        return self[1]

    @property
    def bound_nbytes(self) -> int:
        """The bytes that live at the fullest step: no placement takes less.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (8, 8))
            >>> gc.compile([x], gc.tanh(x @ x) @ x).memory().bound_nbytes >= 256
            True
        """
        return sum(life.nbytes for life in self.at_peak)

    @property
    def at_peak(self) -> tuple[Life, ...]:
        """What lives at the fullest step, the largest first.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (8, 8))
            >>> [life.nbytes for life in gc.compile([x], x + 1.0).memory().at_peak]
            []
        """
        change: dict[int, int] = {}
        for life in self.lives:
            change[life.first] = change.get(life.first, 0) + life.nbytes
            change[life.last + 1] = change.get(life.last + 1, 0) - life.nbytes
        alive, most, fullest = 0, 0, -1
        for step in sorted(change):
            alive += change[step]
            if alive > most:
                most, fullest = alive, step
        found = [life for life in self.lives if life.first <= fullest <= life.last]
        return tuple(sorted(found, key=lambda life: -life.nbytes))

    def to_dict(self) -> dict[str, Any]:
        """The figures as what JSON holds.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (8, 8))
            >>> sorted(gc.compile([x], x + 1.0).memory().to_dict())
            ['bound_bytes', 'lives', 'peak_bytes', 'unplanned_bytes']
        """
        lives = [
            {"offset": e.offset, "bytes": e.nbytes, "first": e.first, "last": e.last,
             "what": e.what, "where": e.where} for e in self.lives
        ]  # fmt: skip
        return {"peak_bytes": self[0], "unplanned_bytes": self[1],
                "bound_bytes": self.bound_nbytes, "lives": lives}  # fmt: skip

    def __str__(self) -> str:
        peak = self.at_peak
        lines = [
            f"arena: {nbytes_text(self[0])}; without planning {nbytes_text(self[1])}; "
            f"at least {nbytes_text(self.bound_nbytes)}"
        ]
        lines += [f"  {life}" for life in peak[:SHOWN]]
        return "\n".join(lines + ([f"  and {len(peak) - SHOWN} more"] if len(peak) > SHOWN else []))


def nbytes_of(value: Any, what: str) -> int:
    """A number of bytes as users write it: 4096, "64MiB", "1.5 GB" (1 kB is 1024 bytes).

    Args:
        value: to read.
        what: the argument it was given for, for messages.

    Raises:
        AttributeValueError: it is no number of bytes.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    found = re.fullmatch(
        r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", value if type(value) is str else ""
    )
    if found is None or found[2] not in _UNITS:
        raise AttributeValueError(
            f"{what}: {value!r:.40} is no number of bytes", where=caller(), hint='"64MiB", or 4096'
        )
    return int(float(found[1]) * _UNITS[found[2]])


__all__ = ["Life", "MemoryUse", "nbytes_of"]

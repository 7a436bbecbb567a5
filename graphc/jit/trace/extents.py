"""Which of many arrays share memory with one, found by where each begins and ends.

known = Extents()
known.add(weights)
known.shared(weights[0])     # True
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np

from graphc.runtime.base.arena import address


class Extents:
    """Arrays in groups whose extents overlap, in the order of their addresses."""

    def __init__(self) -> None:
        self._added: list[np.ndarray] = []  # they are placed when somebody asks
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._groups: list[list[np.ndarray]] = []

    def add(self, array: np.ndarray) -> None:
        """Let an array be among those that are looked through."""
        self._added.append(array)

    def shared(self, array: np.ndarray) -> bool:
        """Whether another array than this itself has memory between its first and last byte."""
        return any(other is not array for other in self.sharing(array))

    def sharing(self, array: np.ndarray) -> list[np.ndarray]:
        """The arrays with memory between an array's first and last byte; itself among them."""
        if self._added:
            for each in self._added:
                self._place(each)
            self._added.clear()
        if not self._starts:
            return []
        first, last = self._overlapped(*_extent(array))
        if first >= last:
            return []
        groups = [other for group in self._groups[first:last] for other in group]
        return [other for other in groups if np.may_share_memory(other, array)]

    def _place(self, array: np.ndarray) -> None:
        low, high = _extent(array)
        if low == high:
            return
        first, last = self._overlapped(low, high)
        if first == last:
            self._starts.insert(first, low)
            self._ends.insert(first, high)
            self._groups.insert(first, [array])
            return
        inner = slice(first, last)
        self._groups[inner] = [[each for group in self._groups[inner] for each in group]]
        self._groups[first].append(array)
        self._starts[inner] = [min(low, self._starts[first])]
        self._ends[inner] = [max(high, self._ends[last - 1])]

    def _overlapped(self, low: int, high: int) -> tuple[int, int]:
        """The range of groups that overlap an extent."""
        return bisect_right(self._ends, low), bisect_left(self._starts, high)


class Apart:
    """Whether arrays share no memory with each other: those seen at every run, and a run's own.

    What one run has found of the arrays that all runs use is not looked for again.
    """

    def __init__(self, lasting: Lasting) -> None:
        self._lasting = lasting
        self._count = len(lasting.places)  # of those that this run's own are compared with
        self._own = Extents()
        self._seen: set[int] = set()
        self.holds = not lasting.overlap

    def varying(self, array: np.ndarray, is_new: bool = False) -> None:
        """See an array that another run has another one for.

        Args:
            array: what to see.
            is_new: whether its memory was made in the run, so that nothing older shares it.
        """
        if id(array) in self._seen or not self.holds:
            return
        if not (is_new and array.base is None):
            lasting = self._lasting.arrays.shared(array)
            self.holds = not (lasting or self._own.shared(array))
        self._seen.add(id(array))
        self._own.add(array)

    def lasting(self, array: np.ndarray) -> None:
        """See an array that later runs use too."""
        place = self._lasting.place(array)
        if place >= self._count and self.holds:
            self.holds = not (self._lasting.overlap or self._own.shared(array))


class Lasting:
    """The arrays that all runs from one beginning use, and whether any share memory.

    Attributes:
        places: (array, place in their order), by identity.
    """

    def __init__(self) -> None:
        self.arrays = Extents()
        self.places: dict[int, tuple[np.ndarray, int]] = {}
        self.overlap = False

    def place(self, array: np.ndarray) -> int:
        """The place of an array, a new one's at the end."""
        known = self.places.get(id(array))
        if known is None:
            self.overlap = self.overlap or self.arrays.shared(array)
            self.arrays.add(array)
            known = self.places[id(array)] = (array, len(self.places))
        return known[1]


def _extent(array: np.ndarray) -> tuple[int, int]:
    """The addresses of an array's first byte, and after its last; equal where it has none."""
    start = address(array)
    if array.flags.c_contiguous:
        return start, start + array.nbytes
    if not array.size:
        return start, start
    steps = [(n - 1) * s for n, s in zip(array.shape, array.strides)]
    high = start + sum(s for s in steps if s > 0) + array.itemsize
    return start + sum(s for s in steps if s < 0), high


__all__ = ["Apart", "Extents", "Lasting"]

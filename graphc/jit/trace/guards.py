"""Whether all that a program assumes of Python's values holds, asked at every call.

    guards = Guards(watch.readings)
    reason = guards.broken()     # "" while all hold

Most of the cost is one comparison for each name that the code reads outside of modules; what
modules and optimizers hold is looked at only after something was registered, replaced or switched
anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.eager.engine.changes import changes
from graphc.jit.trace.readings import MISSING, Reading


class Guards:
    """Readings, grouped by how they are compared.

    Args:
        readings: what must hold.
    """

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._owned = [r for r in readings if r.owned]
        self._count = -1
        self._items: list[Any] = []
        self._attributes: list[Any] = []
        self._classes: list[Any] = []
        self._cells: list[Any] = []
        self._codes: list[Any] = []
        self._types: list[Any] = []
        self._slow: list[Reading] = []
        for reading in readings:
            if not reading.owned:
                self._place(reading)

    def _place(self, reading: Reading) -> None:
        if reading.place is None or not reading.fixed:
            self._slow.append(reading)
            return
        kind, owner, key = reading.place
        where = {
            "item": self._items, "attribute": self._attributes, "class": self._classes,
            "cell": self._cells, "code": self._codes, "type": self._types,
        }[kind]  # fmt: skip
        where.append((owner, key, reading.value, reading))

    def broken(self) -> str:
        """What does not hold any more, in words; "" when all does."""
        for owner, key, value, reading in self._items:
            if owner.get(key, MISSING) is not value and not reading.holds():
                return _words(reading)
        for owner, key, value, reading in self._attributes:
            if owner.__dict__.get(key, MISSING) is not value and not reading.holds():
                return _words(reading)
        for owner, key, value, reading in self._classes:
            if getattr(owner, key, MISSING) is not value and not reading.holds():
                return _words(reading)
        for function, _, value, reading in self._codes:
            if function.__code__ is not value:
                return _words(reading)
        for owner, _, value, reading in self._types:
            if type(owner) is not value:
                return _words(reading)
        for cell, _, value, reading in self._cells:
            try:
                if cell.cell_contents is value:
                    continue
            except ValueError:  # emptied
                return _words(reading)
            if not reading.holds():
                return _words(reading)
        for reading in self._slow:
            if not reading.holds():
                return _words(reading)
        count = changes.count
        if count != self._count:
            for reading in self._owned:
                if not reading.holds():
                    return _words(reading)
            # The count from before the look: what another thread changes meanwhile is seen.
            self._count = count
        return ""


def _words(reading: Reading) -> str:
    return f"{reading.what} changed from {str(reading).split(' = ', 1)[1]}"


__all__ = ["Guards"]

"""State: the memory of a parameter or a constant, on the host and on devices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np


class State:
    """The memory of a parameter: one C-contiguous, aligned array, shared by programs.

    The array stays where it is: compiled programs hold its address. Use `access` around it.
    Devices have copies, and any of them, or the array, has the latest value: who asks for the
    array gets it, and may change it.

    Attributes:
        copies: those of devices; each has `is_current`, and `pull(array)` for the way back.
        is_shared: whether others read and write the array without asking, as eager tensors do.
        is_copied: of the class: whether any state has ever had a copy.
    """

    __slots__ = ("__weakref__", "_array", "_is_current", "copies", "is_shared")
    is_copied: ClassVar[bool] = False

    def __init__(self, array: np.ndarray, is_shared: bool = False) -> None:
        self._array, self.is_shared = array, is_shared
        self._is_current = True
        self.copies: tuple[Any, ...] = ()

    @property
    def nbytes(self) -> int:
        """The size of the array."""
        return self._array.nbytes

    @property
    def array(self) -> np.ndarray:
        """The array with the latest value, to be read and written."""
        if not self.copies:
            return self._array
        found = self.latest()
        for copy in self.copies:
            copy.is_current = False
        return found

    def latest(self) -> np.ndarray:
        """The array with the latest value, only to be read."""
        if not self._is_current:
            next(copy for copy in self.copies if copy.is_current).pull(self._array)
            self._is_current = True
        return self._array

    def add(self, copy: Any) -> None:
        """Note a device's copy, which has no value yet."""
        State.is_copied = True
        self.copies = (*self.copies, copy)

    def leave_to(self, copy: Any) -> None:
        """Let a device's copy alone be the latest value, as work there is about to change it."""
        self._is_current = False
        for other in self.copies:
            other.is_current = other is copy


def bring_home(reads: Iterable[State], writes: Iterable[State]) -> None:
    """Have the latest values in the arrays, where kernels of the host read and write them."""
    for state in reads:
        state.latest()
    for state in writes:
        state.array  # noqa: B018

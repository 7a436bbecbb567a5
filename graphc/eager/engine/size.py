"""The shape of an eager tensor: a tuple that also counts elements."""

from __future__ import annotations

import math
from typing import Any


class Size(tuple):
    """A tensor's shape.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2, 3).shape
        graphc.Size([2, 3])
        >>> gc.zeros(2, 3).shape.numel()
        6
    """

    def numel(self) -> int:
        """The number of elements.

        Example:
            >>> import graphc as gc
            >>> gc.zeros(2, 3).shape.numel()
            6
        """
        return math.prod(self)

    def __repr__(self) -> str:
        return f"graphc.Size({list(self)})"

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Any:
        return Size(tuple.__add__(self, tuple(other)))

    def __mul__(self, count: Any) -> Any:
        return Size(tuple.__mul__(self, count))

    __rmul__ = __mul__

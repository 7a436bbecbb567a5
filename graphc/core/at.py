"""`x.at[index]`: parts of a symbolic tensor, to be read or written."""

from __future__ import annotations

from typing import Any

from graphc.core.operators import FUNCTIONS


class At:
    """`x.at`: the parts of a symbolic tensor, to be written by functions that return a new one.

    Example:
        >>> import graphc as gc
        >>> x, t = gc.input("x", (3, 4)), gc.input("t", (2,), gc.int64)
        >>> x.at[t].add(1.0), x.at[0, 1:3].set(0.0)
        (<index_add: f32[3, 4]>, <index_update: f32[3, 4]>)
    """

    __slots__ = ("_x",)

    def __init__(self, x: Any) -> None:
        self._x = x

    def __getitem__(self, index: Any) -> Part:
        return Part(self._x, index)


class Part:
    """`x.at[index]`: what an index names, to be written."""

    __slots__ = ("_index", "_x")

    def __init__(self, x: Any, index: Any) -> None:
        self._x = x
        self._index = index if isinstance(index, tuple) else (index,)

    def get(self) -> Any:
        """`x[index]`.

        Example:
            >>> import graphc as gc
            >>> gc.input("x", (3, 4)).at[0].get()
            <reshape: f32[4]>
        """
        return FUNCTIONS["getitem"](self._x, self._index)

    def set(self, values: Any) -> Any:
        """x with the part replaced: see `gc.index_update`.

        Example:
            >>> import graphc as gc
            >>> x, t = gc.input("x", (3, 4)), gc.input("t", (2,), gc.int64)
            >>> x.at[t].set(0.0)
            <index_update: f32[3, 4]>
        """
        return FUNCTIONS["index_update"](self._x, self._index, values)

    def add(self, values: Any) -> Any:
        """x with values added to the part: see `gc.index_add`.

        Example:
            >>> import graphc as gc
            >>> x, t = gc.input("x", (3, 4)), gc.input("t", (2,), gc.int64)
            >>> x.at[t, t].add(1.0)
            <index_add: f32[3, 4]>
        """
        return FUNCTIONS["index_add"](self._x, self._index, values)

"""`x.at[index]`: parts of a symbolic tensor, to be read or written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.core.operators import FUNCTIONS

if TYPE_CHECKING:
    from graphc.core.typing import Index, Values


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

    def __getitem__(self, index: Index) -> Part:
        return Part(self._x, index)


class Part:
    """`x.at[index]`: what an index names, to be written."""

    __slots__ = ("_index", "_x")

    def __init__(self, x: Any, index: Index) -> None:
        self._x = x
        self._index = index if isinstance(index, tuple) else (index,)

    def get(self, mode: str | None = None, fill_value: Any = None) -> Any:
        """`x[index]`.

        Args:
            mode: what a place outside its axis means: None, an error when the program runs;
                "clip", the nearest place; "wrap", the place modulo the size; "fill", the
                `fill_value` instead of what there is. Negative ones count from the end.
            fill_value: a number; nan for floats and 0 for others unless given.

        Raises:
            AttributeValueError: there is no such mode.

        Example:
            >>> import graphc as gc
            >>> x, t = gc.input("x", (3,)), gc.input("t", (2,), gc.int64)
            >>> gc.compile([x, t], x.at[t].get(mode="fill", fill_value=0.5))([5, 6, 7], [2, 3])
            array([7. , 0.5], dtype=float32)
        """
        if mode is None:
            return FUNCTIONS["getitem"](self._x, self._index)
        return FUNCTIONS["_outside"](self._x, self._index, mode, fill_value)

    def set(self, values: Values) -> Any:
        """x with the part replaced: see `gc.index_update`.

        Example:
            >>> import graphc as gc
            >>> x, t = gc.input("x", (3, 4)), gc.input("t", (2,), gc.int64)
            >>> x.at[t].set(0.0)
            <index_update: f32[3, 4]>
        """
        return FUNCTIONS["index_update"](self._x, self._index, values)

    def add(self, values: Values) -> Any:
        """x with values added to the part: see `gc.index_add`.

        Example:
            >>> import graphc as gc
            >>> x, t = gc.input("x", (3, 4)), gc.input("t", (2,), gc.int64)
            >>> x.at[t, t].add(1.0)
            <index_add: f32[3, 4]>
        """
        return FUNCTIONS["index_add"](self._x, self._index, values)

    def subtract(self, values: Values) -> Any:
        """x with values subtracted from the part; each of those whose places are the same.

        Example:
            >>> import graphc as gc
            >>> x, t = gc.input("x", (2,)), gc.input("t", (2,), gc.int64)
            >>> gc.compile([x, t], x.at[t].subtract(1.0))([5.0, 6.0], [1, 1])
            array([5., 4.], dtype=float32)
        """
        less: Any = np.asarray(values) if isinstance(values, list | tuple) else values
        return FUNCTIONS["index_add"](self._x, self._index, -less)

    def multiply(self, values: Values) -> Any:
        """x with the part multiplied by values; by each of those whose places are the same.

        Example:
            >>> import graphc as gc
            >>> x, t = gc.input("x", (2,)), gc.input("t", (2,), gc.int64)
            >>> gc.compile([x, t], x.at[t].multiply(2.0))([5.0, 6.0], [1, 1])
            array([ 5., 24.], dtype=float32)
        """
        return FUNCTIONS["_index_multiply"](self._x, self._index, values)

    mul = multiply

    def divide(self, values: Values) -> Any:
        """x with the part divided by values; by the product of those whose places are the same.

        Example:
            >>> import graphc as gc
            >>> x, t = gc.input("x", (2,)), gc.input("t", (2,), gc.int64)
            >>> gc.compile([x, t], x.at[t].divide(2.0))([5.0, 8.0], [1, 1])
            array([5., 2.], dtype=float32)
        """
        return self._x / self._product(values)

    def power(self, values: Values) -> Any:
        """x with the part raised to values; to the product of those whose places are the same.

        Example:
            >>> import graphc as gc
            >>> x, t = gc.input("x", (2,)), gc.input("t", (2,), gc.int64)
            >>> gc.compile([x, t], x.at[t].power(2.0))([5.0, 3.0], [1, 1])
            array([ 5., 81.], dtype=float32)
        """
        return self._x ** self._product(values)

    def _product(self, values: Values) -> Any:
        """Ones, but for the product of the values at each place."""
        ones = FUNCTIONS["full"](self._x.type.shape, 1, self._x.type.dtype)
        return FUNCTIONS["_index_multiply"](ones, self._index, values)

    def max(self, values: Values) -> Any:
        """x with the part made the maximum of itself and of all values for its places.

        Those that are the maximum share its gradient, as in PyTorch's `scatter_reduce`.

        Example:
            >>> import graphc as gc
            >>> x, t = gc.input("x", (2,)), gc.input("t", (2,), gc.int64)
            >>> gc.compile([x, t], x.at[t].max(gc.constant([7.0, 6.5])))([5.0, 6.0], [1, 1])
            array([5., 7.], dtype=float32)
        """
        return FUNCTIONS["_index_maximum"](self._x, self._index, values)

    def min(self, values: Values) -> Any:
        """x with the part made the minimum of itself and of all values for its places.

        Example:
            >>> import graphc as gc
            >>> x, t = gc.input("x", (2,)), gc.input("t", (2,), gc.int64)
            >>> gc.compile([x, t], x.at[t].min(1.0))([5.0, 6.0], [1, 1])
            array([5., 1.], dtype=float32)
        """
        return FUNCTIONS["_index_minimum"](self._x, self._index, values)

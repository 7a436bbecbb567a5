"""Axes as users name them: negative ones count from the end."""

from __future__ import annotations

import numpy as np

from graphc.core.ir import caller
from graphc.core.typing import Axes
from graphc.errors import ArgumentError, ShapeError


def check_axis(name: str, axis: object, rank: int) -> int:
    """An axis as a number from 0.

    Raises:
        ShapeError: it is out of range.
    """
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        raise ArgumentError(f"{name}: an axis must be an int, not {axis!r}", where=caller())
    if not -rank <= axis < rank:
        raise ShapeError(f"{name}: axis {axis} of a tensor with {rank} axes", where=caller())
    return int(axis) % rank


def check_axes(name: str, axis: Axes | None, rank: int) -> tuple[int, ...]:
    """Axes as sorted numbers from 0; None means all.

    Raises:
        ShapeError: one is out of range or named twice.
    """
    if axis is None:
        return tuple(range(rank))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    axes = tuple(sorted(check_axis(name, a, rank) for a in given))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{name}: axis {axis} names an axis twice", where=caller())
    return axes

"""Places that depend on values: where a mask is true, slices from a computed place.

nonzero(mask)              as many as there are; counted before the program runs
nonzero(mask, size=8)      eight, those that are too few filled up
x[i : i + 3] in a loop     a slice of a fixed size from any place, checked when it runs
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.dims import Size, Symbol
from graphc.core.inner import is_placeholder
from graphc.core.ir import Node, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Values
from graphc.core.walk import toposort
from graphc.errors import ArgumentError
from graphc.ops.declare import as_symbolic
from graphc.ops.sizes import as_size, expressed

MANY = 1 << 62


@dataclass(frozen=True, slots=True)
class Window:
    """A slice of a fixed size from a place that is computed."""

    start: Operators
    size: int


def bounded(item: slice) -> slice | Window:
    """A slice whose bounds are numbers and sizes; in a loop, where sizes are fixed, a window."""
    start, stop = as_symbolic(item.start), as_symbolic(item.stop)
    step = as_symbolic(item.step)
    if not any(isinstance(v, Node) for v in (start, stop, step)):
        return item
    if isinstance(start, Node) and step in (None, 1):
        is_in_loop = any(map(is_placeholder, toposort([start])))
        count = _apart(start, stop) if is_in_loop else None
        if count is not None:
            return Window(start, count)
    return slice(as_size("a slice", start), as_size("a slice", stop), as_size("a slice", step))


def _apart(start: Node, stop: object) -> int | None:
    """By how much two places differ, where that is the same number whatever they are."""
    leaves: list[Node] = []

    def leaf(node: Node) -> Size:
        if not any(node is n for n in leaves):
            leaves.append(node)
        place = next(k for k, n in enumerate(leaves) if n is node)
        return dims.symbol(Symbol(f"@{place}", -MANY))

    if not isinstance(stop, Node) or start.ndim or stop.ndim:
        return None
    if not (start.dtype.is_integer and stop.dtype.is_integer):
        return None
    count = expressed(stop, leaf) - expressed(start, leaf)
    return count if isinstance(count, int) and count >= 0 else None


def within(window: Window, size: Size) -> Any:
    """The places of a window in an axis: beyond its end where the window is not inside."""
    start, length = FUNCTIONS["cast"](window.start, dtypes.int64), FUNCTIONS["size"](size)
    start = FUNCTIONS["where"](start < 0, start - length, start)  # else it counted from the end
    return start + FUNCTIONS["iota"]((window.size,))


def reshaped(x: Operators, shape: Sequence[Size], wanted: Size | None = None) -> Any:
    """The same elements in a shape with one -1, where values decide whether that can be.

    The size that is left is computed, and checked, before a program runs.

    Args:
        x: a tensor.
        shape: sizes, and one -1.
        wanted: the size that must be left.
    """
    count = FUNCTIONS["size"](x.type.size)
    given = FUNCTIONS["size"](dims.product(d for d in shape if not is_free(d)))
    fits = FUNCTIONS["logical_and"](given > 0, count % FUNCTIONS["maximum"](given, 1) == 0)
    shown = ", ".join(str(wanted if wanted is not None and is_free(d) else d) for d in shape)
    if wanted is not None:
        rest = count // FUNCTIONS["maximum"](given, 1)
        fits = FUNCTIONS["logical_and"](fits, rest == FUNCTIONS["size"](wanted))
    divisor = FUNCTIONS["check"](
        fits,
        f"reshape: axes of {{}} elements together do not divide {{}}, {x.type} as ({shown})"
        if wanted is None
        else f"reshape: axes of {{}} elements beside that of {wanted} do not make {{}}, {x.type} "
        f"as ({shown})",
        given,
        count,
    )
    left = as_size("reshape", count // FUNCTIONS["maximum"](divisor, 1))
    sizes = tuple(left if is_free(d) else d for d in shape)
    flat = FUNCTIONS["reshape"](x, (x.type.size,))
    moved = FUNCTIONS["take"](flat, FUNCTIONS["iota"]((dims.product(sizes),)), 0)
    return FUNCTIONS["reshape"](moved, sizes)


def is_free(size: object) -> bool:
    """Whether a size in a shape is the -1 that is worked out."""
    return isinstance(size, int | np.integer) and size == -1


def are_values(sizes: Sequence[Size]) -> bool:
    """Whether sizes are values of tensors, so that what is not known of them can be checked."""
    return any(s.is_value for size in sizes for s in dims.symbols(size))


def nonzero(x: Operators, size: Values | None = None, fill_value: Values = 0) -> list[Any]:
    """Where a tensor is not 0: for each of its axes the places, in row-major order.

    Args:
        x: a tensor with axes.
        size: how many places: the first ones, filled up where there are fewer; as many as there
            are unless given.
        fill_value: what they are filled up with, a number or one for each axis.
    """
    shape = x.type.shape
    mask = x if x.type.dtype is dtypes.bool_ else FUNCTIONS["not_equal"](x, 0)
    flat = FUNCTIONS["reshape"](mask, (dims.product(shape),))
    fills = fill_value if isinstance(fill_value, list | tuple) else [fill_value] * len(shape)
    if len(fills) != len(shape):
        raise ArgumentError(
            f"nonzero: {len(fills)} fill values for {len(shape)} axes", where=caller()
        )
    places, there = compacted("nonzero", flat, size)
    found = []
    for axis, fill in enumerate(fills):
        below = dims.product(shape[axis + 1 :])
        index = places // FUNCTIONS["size"](below) if below != 1 else places
        index = index % FUNCTIONS["size"](shape[axis]) if axis else index
        found.append(index if there is None else FUNCTIONS["where"](there, index, fill))
    return found


def compacted(what: str, mask: Operators, size: Values | None) -> tuple[Any, Any]:
    """The places where a vector of bools is true, in order.

    Args:
        what: the function, for messages.
        mask: the vector.
        size: of the result; as many as are true unless given.

    Returns:
        The places, and which of them are some; None where all are.
    """
    before = FUNCTIONS["cumsum"](FUNCTIONS["cast"](mask, dtypes.int64), 0)
    total = FUNCTIONS["sum"](FUNCTIONS["cast"](mask, dtypes.int64))
    count = as_size(what, total if size is None else size)
    if size is None and any(n.op.name == "parameter" for n in toposort([mask.as_node()])):
        # State that another thread changed since they were counted.
        same = FUNCTIONS["equal"](total, FUNCTIONS["size"](count))
        total = FUNCTIONS["check"](
            same, f"{what}: the state changed during the call, to {{}}", total
        )
        before = before + (total - FUNCTIONS["size"](count))
    # What is not true, or one too many, is written behind the places that are kept.
    target = FUNCTIONS["where"](mask, FUNCTIONS["minimum"](before - 1, count), count)
    numbers = FUNCTIONS["iota"](mask.type.shape)
    kept = FUNCTIONS["index_update"](
        FUNCTIONS["full"]((count + 1,), 0, dtypes.int64), target, numbers
    )
    places = kept[:count]
    if size is None:
        return places, None
    return places, FUNCTIONS["iota"]((count,)) < total


def repeated(x: Operators, counts: Operators, axis: int) -> Any:
    """Each slice of a tensor as often as its count says.

    Args:
        x: a tensor.
        counts: a vector of integers, one for each slice along the axis.
        axis: the axis.
    """
    counts = FUNCTIONS["cast"](counts, dtypes.int64)
    counts = FUNCTIONS["check"](counts >= 0, "repeat: a count is {}", counts)
    numbers = FUNCTIONS["iota"]((as_size("repeat", FUNCTIONS["sum"](counts)),))
    ends = FUNCTIONS["cumsum"](counts, 0)
    return FUNCTIONS["take"](x, FUNCTIONS["searchsorted"](ends, numbers, "right"), axis)


def distinct(x: Operators, size: Values | None, fill_value: Values | None) -> tuple[Any, Any, Any]:
    """The distinct elements of a vector in order, the place of each element among them, counts.

    Args:
        x: a vector; each nan is an element of its own.
        size: how many, the first ones, filled up; as many as there are unless given.
        fill_value: what they are filled up with; the least element unless given.
    """
    count = x.type.shape[0]
    order = FUNCTIONS["argsort"](x, 0)
    ordered = FUNCTIONS["take"](x, order, 0)
    places = FUNCTIONS["iota"]((count,))
    before = FUNCTIONS["take"](ordered, FUNCTIONS["maximum"](places - 1, 0), 0)
    is_first = FUNCTIONS["logical_or"](places == 0, FUNCTIONS["not_equal"](ordered, before))
    firsts, there = compacted("unique", is_first, size)
    values = FUNCTIONS["take"](ordered, firsts, 0)
    number = FUNCTIONS["cumsum"](FUNCTIONS["cast"](is_first, dtypes.int64), 0) - 1
    inverse = FUNCTIONS["index_update"](FUNCTIONS["zeros_like"](number), order, number)
    ones = FUNCTIONS["full"]((count,), 1, dtypes.int64)
    kept = values.type.shape[0]
    room = FUNCTIONS["full"]((kept + 1,), 0, dtypes.int64)
    number = FUNCTIONS["minimum"](number, FUNCTIONS["size"](kept))
    counts = FUNCTIONS["index_add"](room, number, ones)
    if there is not None:
        fill = ordered[:1] if fill_value is None else fill_value
        values = FUNCTIONS["where"](there, values, fill)
    return values, inverse, counts[:kept]


__all__ = [
    "Window", "are_values", "bounded", "compacted", "distinct", "is_free", "nonzero", "repeated",
    "reshaped", "within",
]  # fmt: skip

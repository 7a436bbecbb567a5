"""Functions that join, cut up, pad and repeat tensors: compositions of movement.

concat concatenate stack split array_split chunk pad repeat tile.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.dims import Size
from graphc.core.ir import caller
from graphc.core.operators import Operators
from graphc.core.typing import Operand, Values
from graphc.errors import ArgumentError, AttributeValueError, ShapeError
from graphc.ops.arrays.movement import CONCAT, PAD
from graphc.ops.arrays.places import repeated
from graphc.ops.arrays.shaping import broadcast_to, cut, expand_dims, flatten, flip, reshape
from graphc.ops.declare import (
    as_tensor,
    bring,
    check_axis,
    common_dtype,
    describe,
    public,
)
from graphc.ops.sizes import as_size


def _tensors(name: str, xs: Sequence[Operand]) -> list[Any]:
    """The operands as tensors of their promoted dtype."""
    if not isinstance(xs, Sequence) or not xs:
        raise ArgumentError(f"{name}: needs a list or tuple of tensors", where=caller())
    tensors = [as_tensor(x, name) for x in xs]
    dtype = common_dtype(tensors)
    return [bring(t, dtype, t.type.shape) for t in tensors]


@public
def concat(xs: Sequence[Operand], axis: int | None = 0) -> Any:
    """The tensors one after the other along an axis.

    Args:
        xs: a list or tuple of tensors, equal in size beside the axis; dtypes are promoted.
        axis: the axis; None joins the flattened tensors.

    Raises:
        ShapeError: sizes beside the axis differ, or cannot be shown to be equal.
    """
    tensors = _tensors("concat", xs)
    if axis is None:
        tensors, axis = [flatten(t) for t in tensors], 0
    axis = check_axis("concat", axis, len(tensors[0].type.shape))
    first = tensors[0].type.shape
    for other in tensors[1:]:
        shape = other.type.shape
        if len(shape) != len(first) or any(
            a != axis and size != first[a] for a, size in enumerate(shape)
        ):
            raise ShapeError(
                f"concat: {tensors[0].type} and {other.type} differ beside axis {axis}",
                [describe(tensors[0]), describe(other)],
                where=caller(),
            )
    return tensors[0] if len(tensors) == 1 else CONCAT(*tensors, axis=axis)


public(concat, "concatenate")


@public
def stack(xs: Sequence[Operand], axis: int = 0) -> Any:
    """The tensors, all of one shape, side by side along a new axis."""
    tensors = _tensors("stack", xs)
    return concat([expand_dims(t, axis) for t in tensors], axis)


def _parts(x: Operators, axis: int, ends: Sequence[Any]) -> list[Any]:
    """x cut at `ends`, which clip to the axis' size."""
    size = x.type.shape[axis]
    bounds = [0, *(dims.minimum(e, size) for e in ends), size]
    return [cut(x, axis, a, dims.maximum(b - a, 0)) for a, b in itertools.pairwise(bounds)]


@public
def split(x: Operand, sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """x cut into parts along an axis, as NumPy's `split`.

    Args:
        x: a tensor.
        sections: a number of equal parts, or the places to cut at.
        axis: the axis.

    Raises:
        ShapeError: the size is not, or cannot be shown to be, a multiple of the number.
    """
    x = as_tensor(x, "split")
    axis = check_axis("split", axis, len(x.type.shape))
    size = x.type.shape[axis]
    if isinstance(sections, Sequence | np.ndarray):
        sections = [as_size("split", e) for e in sections]
        places = [e if isinstance(e, dims.Dim) else size + e if e < 0 else e for e in sections]
        return _parts(x, axis, places)
    _check_count("split", sections)
    if size % sections != 0:
        raise ShapeError(
            f"split: axis {axis} of {x.type} does not divide into {sections} equal parts",
            [describe(x)],
            where=caller(),
            hint="use array_split, or declare the dimension with multiple_of",
        )
    return _parts(x, axis, [k * (size // sections) for k in range(1, sections)])


def _check_count(name: str, count: object) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise AttributeValueError(f"{name}: {count!r} is no number of parts", where=caller())


@public
def array_split(x: Operand, sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """`split` into parts that may differ by one: the first ones are the longer.

    Example:
        >>> import graphc as gc
        >>> gc.array_split(gc.arange(5), 2)
        (tensor([0, 1, 2]), tensor([3, 4]))
    """
    x = as_tensor(x, "array_split")
    axis = check_axis("array_split", axis, len(x.type.shape))
    if isinstance(sections, Sequence | np.ndarray):
        return split(x, sections, axis)
    _check_count("array_split", sections)
    size = x.type.shape[axis]
    each, over = size // sections, size % sections
    return _parts(x, axis, [k * each + dims.minimum(k, over) for k in range(1, sections)])


@public
def chunk(x: Operand, chunks: int, dim: int = 0) -> list[Any]:
    """At most `chunks` parts of equal size, the last one shorter, as PyTorch's `chunk`."""
    x = as_tensor(x, "chunk")
    axis = check_axis("chunk", dim, len(x.type.shape))
    _check_count("chunk", chunks)
    size = x.type.shape[axis]
    if not isinstance(size, int):
        return split(x, chunks, axis)
    each = max(-(-size // chunks), 1)
    return _parts(x, axis, range(each, size, each))


@public
def pad(x: Any, widths: Any, value: Any = 0, mode: str = "constant") -> Any:
    """x with room at both ends of its axes.

    Args:
        x: a tensor.
        widths: an int, a pair (before, after), or one pair for each axis, as in NumPy.
        value: what the room holds, in mode "constant".
        mode: "constant", "edge" (the border repeated) or "reflect" (mirrored, without the border).

    Raises:
        ShapeError: a width is negative, or too large to reflect.

    Example:
        >>> import graphc as gc
        >>> gc.pad(gc.tensor([[1, 2]]), ((0, 1), (1, 1)))
        tensor([[0, 1, 2, 0],
                [0, 0, 0, 0]])
    """
    x = as_tensor(x, "pad")
    pairs = _pairs(x, widths)
    if mode == "constant":
        number = dtypes.check_scalar(value, x.type.dtype, caller())
        low, high = (tuple(p[k] for p in pairs) for k in (0, 1))
        if all(w == 0 for w in (*low, *high)):
            return x
        return PAD(x, low=low, high=high, interior=(0,) * len(pairs), value=number)
    if mode not in ("edge", "reflect"):
        raise ArgumentError(
            f"pad: mode {mode!r}", where=caller(), hint='use "constant", "edge" or "reflect"'
        )
    for axis, (low, high) in enumerate(pairs):
        x = _mirrored(x, axis, low, high) if mode == "reflect" else _edged(x, axis, low, high)
    return x


def _pairs(x: Operators, widths: object) -> list[tuple[Any, Any]]:
    rank = len(x.type.shape)
    given = widths if isinstance(widths, Sequence) else (widths, widths)
    if len(given) == 2 and not any(isinstance(w, Sequence) for w in given):
        given = [tuple(given)] * rank
    given = [tuple(w) if isinstance(w, Sequence) else (w, w) for w in given]
    if len(given) == 1:
        given = given * rank
    if len(given) != rank or any(len(p) != 2 for p in given):
        raise ShapeError(
            f"pad: widths {widths} for {x.type} with {rank} axes", [describe(x)], where=caller()
        )
    given = [tuple(as_size("pad", w) for w in pair) for pair in given]
    for width in (w for pair in given for w in pair):
        if (
            not isinstance(width, int | dims.Dim)
            or isinstance(width, bool)
            or (isinstance(width, int) and width < 0)
        ):
            raise ShapeError(
                f"pad: {width!r} is no width", where=caller(), hint="to cut, use a slice"
            )
    return given


def _edged(x: Any, axis: int, low: Size, high: Size) -> Any:
    if low == 0 and high == 0:
        return x
    size = x.type.shape[axis]
    if not dims.at_least(size, 1):
        raise ShapeError(f'pad: mode "edge" on axis {axis} of size {size}', where=caller())
    ends = []
    for place, width in ((0, low), (size - 1, high)):
        shape = [width if a == axis else d for a, d in enumerate(x.type.shape)]
        ends.append(broadcast_to(cut(x, axis, place, 1), shape))
    parts = [t for t, w in zip((ends[0], x, ends[1]), (low, 1, high)) if w != 0]
    return concat(parts, axis)


def _mirrored(x: Any, axis: int, low: Size, high: Size) -> Any:
    size = x.type.shape[axis]
    if any(w != 0 and not dims.at_least(size - 1 - w, 0) for w in (low, high)):
        raise ShapeError(
            f'pad: mode "reflect" of widths {(low, high)} on axis {axis} of size {size}',
            where=caller(),
            hint="a width must be less than the size for every value of symbolic sizes",
        )
    parts = [x]
    if low != 0:
        parts.insert(0, flip(cut(x, axis, 1, low), axis))
    if high != 0:
        parts.append(flip(cut(x, axis, size - 1 - high, high), axis))
    return concat(parts, axis)


@public
def repeat(x: Any, repeats: Values, axis: int | None = None) -> Any:
    """Each element `repeats` times in place, as NumPy's `repeat` (PyTorch's repeat_interleave).

    Args:
        x: a tensor.
        repeats: how many times, an int, a symbolic dimension or a 0-d integer tensor; or a vector
            of integers, one for each slice, whose sum is taken before the program runs.
        axis: the axis; None repeats the flattened tensor.

    Example:
        >>> import graphc as gc
        >>> gc.repeat(gc.tensor([1, 2]), 2)
        tensor([1, 1, 2, 2])
    """
    x = as_tensor(x, "repeat")
    if axis is None:
        x, axis = flatten(x), 0
    axis = check_axis("repeat", axis, len(x.type.shape))
    if isinstance(repeats, Operators) and repeats.ndim:
        return repeated(x, _counts(x, repeats, axis), axis)
    repeats = as_size("repeat", repeats)
    if not isinstance(repeats, int | dims.Dim) or (isinstance(repeats, int) and repeats < 0):
        raise AttributeValueError(f"repeat: repeats={repeats!r}", where=caller())
    shape = list(x.type.shape)
    wide = broadcast_to(expand_dims(x, axis + 1), [*shape[: axis + 1], repeats, *shape[axis + 1 :]])
    shape[axis] = shape[axis] * repeats
    return reshape(wide, shape)


def _counts(x: Operators, counts: Operators, axis: int) -> Any:
    """One count for each slice along an axis."""
    size = x.type.shape[axis]
    if counts.type.shape not in ((size,), (1,)) or not counts.type.dtype.is_integer:
        raise ShapeError(
            f"repeat: counts {counts.type} along axis {axis} of size {size}",
            [describe(x), describe(counts)],
            where=caller(),
            hint="give an integer for each slice",
        )
    return broadcast_to(counts, (size,))


@public
def tile(x: Operand, reps: Any) -> Any:
    """The whole tensor repeated along axes, as NumPy's `tile`.

    Args:
        x: a tensor.
        reps: an int, or one for each axis, from the last.
    """
    x = as_tensor(x, "tile")
    counts = tuple(reps) if isinstance(reps, Sequence) else (reps,)
    counts = tuple(as_size("tile", count) for count in counts)
    rank = max(len(counts), len(x.type.shape))
    counts = (1,) * (rank - len(counts)) + counts
    shape = (1,) * (rank - len(x.type.shape)) + tuple(x.type.shape)
    apart = [d for size in shape for d in (1, size)]
    wide = [d for count, size in zip(counts, shape) for d in (count, size)]
    return reshape(
        broadcast_to(reshape(x, apart), wide), [c * size for c, size in zip(counts, shape)]
    )

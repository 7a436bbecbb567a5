"""Functions that change a tensor's shape or the order of its elements: compositions of movement.

reshape transpose permute swapaxes moveaxis broadcast_to expand expand_dims squeeze flatten ravel
flip roll tril triu diagonal. NumPy's names and meaning; sizes may be symbolic everywhere.

Not here: indexing with brackets (`getitem`), joining and repeating (`joining`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import broadcast_shapes
from graphc.core.typing import Axes, Operand, ShapeLike
from graphc.errors import ShapeError
from graphc.ops.arrays import places
from graphc.ops.arrays.movement import BROADCAST, PAD, RESHAPE, SLICE, TRANSPOSE
from graphc.ops.arrays.places import is_free
from graphc.ops.declare import as_tensor, check_axes, check_axis, describe, public
from graphc.ops.sizes import as_size
from graphc.ops.source import as_shape


def show_shape(shape: Sequence[Any]) -> str:
    """A shape as text: `(n, 4)`."""
    return f"({', '.join(map(str, shape))})"


@public
def reshape(x: Operand, shape: ShapeLike) -> Any:
    """The same elements, in row-major order, in another shape.

    Args:
        x: a tensor.
        shape: ints, symbolic dimensions and 0-d integer tensors; one entry may be -1 and is then
            worked out, of sizes that are values when a program is called.

    Raises:
        ShapeError: the shape does not hold as many elements, or cannot be shown to.

    Example:
        >>> reshape(x, (n, -1))
    """
    x = as_tensor(x, "reshape")
    given = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    sizes = as_shape("reshape", [0 if is_free(d) else d for d in given])
    free = [axis for axis, d in enumerate(given) if is_free(d)]
    if len(free) > 1:
        raise ShapeError(f"reshape: {show_shape(given)} has more than one -1", where=caller())
    if free:
        rest = dims.product(d for axis, d in enumerate(sizes) if axis not in free)
        if rest == 0 or x.type.size % rest != 0:
            if places.are_values([rest, x.type.size]):
                return places.reshaped(
                    x, [-1 if axis in free else d for axis, d in enumerate(sizes)]
                )
            raise _does_not_fit(
                x, [-1 if a in free else d for a, d in enumerate(sizes)], f"a multiple of {rest}"
            )
        sizes = tuple(x.type.size // rest if a in free else d for a, d in enumerate(sizes))
    if dims.product(sizes) != x.type.size:
        valued = [axis for axis, d in enumerate(sizes) if places.are_values([d])]
        if valued or places.are_values([x.type.size]):
            return _of_values(x, sizes, valued[-1] if valued else len(sizes) - 1)
        raise _does_not_fit(
            x, [-1 if a in free else d for a, d in enumerate(sizes)], str(dims.product(sizes))
        )
    return x if sizes == x.type.shape else RESHAPE(x, shape=sizes)


def _of_values(x: Operators, sizes: tuple[Size, ...], axis: int) -> Any:
    """A shape that values say, one of which must be what the others leave."""
    left = places.reshaped(x, [*sizes[:axis], -1, *sizes[axis + 1 :]], sizes[axis])
    return FUNCTIONS["take"](left, FUNCTIONS["iota"]((sizes[axis],)), axis)


def _does_not_fit(x: Operators, shape: Sequence[Any], wanted: str) -> ShapeError:
    return ShapeError(
        f"reshape: {x.type} has {x.type.size} elements, the shape {show_shape(shape)} "
        f"needs {wanted}",
        [describe(x)],
        where=caller(),
        hint="both counts must be equal for every value of the symbolic sizes; -1 in place of one "
        "size that is the value of a tensor is checked when the program is called",
    )


@public
def transpose(x: Any, axes: Any = None) -> Any:
    """The tensor with its axes permuted.

    Args:
        x: a tensor.
        axes: axis `axes[k]` goes to place k; reversed order when None.
    """
    x = as_tensor(x, "transpose")
    rank = len(x.type.shape)
    given = tuple(range(rank))[::-1] if axes is None else tuple(axes)
    order = tuple(check_axis("transpose", a, rank) for a in given)
    if sorted(order) != list(range(rank)):
        raise ShapeError(
            f"transpose: axes {tuple(axes)} are no permutation of the {rank} axes of {x.type}",
            [describe(x)],
            where=caller(),
        )
    return x if order == tuple(range(rank)) else TRANSPOSE(x, axes=order)


@public
def permute(x: Operand, axes: Axes | None) -> Any:
    """`transpose` under PyTorch's name."""
    return transpose(x, axes)


@public
def swapaxes(x: Operand, axis1: int, axis2: int) -> Any:
    """The tensor with two axes exchanged."""
    x = as_tensor(x, "swapaxes")
    rank = len(x.type.shape)
    order = list(range(rank))
    a, b = check_axis("swapaxes", axis1, rank), check_axis("swapaxes", axis2, rank)
    order[a], order[b] = b, a
    return transpose(x, order)


@public
def moveaxis(x: Operand, source: Axes, destination: Axes) -> Any:
    """The tensor with axes moved to new places, the others keeping their order.

    Args:
        x: a tensor.
        source: an axis or several.
        destination: where each goes.
    """
    x = as_tensor(x, "moveaxis")
    rank = len(x.type.shape)
    sources, places = (
        [check_axis("moveaxis", a, rank) for a in (v if isinstance(v, Sequence) else [v])]
        for v in (source, destination)
    )
    if len(sources) != len(places) or len(set(sources)) != len(sources) != len(set(places)):
        raise ShapeError(f"moveaxis: cannot move axes {source} to {destination}", where=caller())
    order = [a for a in range(rank) if a not in sources]
    for place, axis in sorted(zip(places, sources)):
        order.insert(place, axis)
    return transpose(x, order)


@public
def broadcast_to(x: Operand, shape: ShapeLike) -> Any:
    """The tensor repeated along new axes and axes of size 1.

    Args:
        x: a tensor.
        shape: the shape wanted.

    Raises:
        ShapeError: the tensor's shape does not broadcast to it, or cannot be shown to.
    """
    x = as_tensor(x, "broadcast_to")
    sizes = as_shape("broadcast_to", shape)
    before = x.type.shape
    if before == sizes:
        return x
    if len(before) > len(sizes) or broadcast_shapes([before, sizes]) != sizes:
        raise ShapeError(
            f"broadcast_to: {x.type} does not broadcast to {show_shape(sizes)}",
            [describe(x)],
            where=caller(),
            hint="sizes must be equal or 1, axis by axis from the right",
        )
    lead = len(sizes) - len(before)
    new = [a for a, d in enumerate(sizes) if a < lead or before[a - lead] != d]
    kept = tuple(d for a, d in enumerate(sizes) if a not in new)
    x = x if before == kept else RESHAPE(x, shape=kept)
    return BROADCAST(x, axes=tuple(new), shape=sizes) if new else x


@public
def expand(x: Operand, *shape: Any) -> Any:
    """`broadcast_to` with PyTorch's conventions: sizes as arguments, -1 keeps a size."""
    x = as_tensor(x, "expand")
    given = shape[0] if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    lead = len(given) - len(x.type.shape)
    sizes = [
        x.type.shape[a - lead] if is_free(d) and a >= lead >= 0 else d for a, d in enumerate(given)
    ]
    return broadcast_to(x, sizes)


@public
def expand_dims(x: Operand, axis: Axes) -> Any:
    """The tensor with axes of size 1 inserted; `axis` counts in the result."""
    x = as_tensor(x, "expand_dims")
    count = len(axis) if isinstance(axis, Sequence) else 1
    new = check_axes("expand_dims", axis, len(x.type.shape) + count)
    rest = iter(x.type.shape)
    return reshape(x, [1 if a in new else next(rest) for a in range(len(x.type.shape) + count)])


@public
def squeeze(x: Operand, axis: Axes | None = None) -> Any:
    """The tensor without axes of size 1: those named, or all whose size is the number 1."""
    x = as_tensor(x, "squeeze")
    shape = x.type.shape
    axes = check_axes("squeeze", axis, len(shape))
    if axis is None:
        axes = tuple(a for a in axes if shape[a] == 1)
    for a in axes:
        if shape[a] != 1:
            raise ShapeError(
                f"squeeze: axis {a} of {x.type} has size {shape[a]}, not 1",
                [describe(x)],
                where=caller(),
            )
    return reshape(x, [d for a, d in enumerate(shape) if a not in axes])


@public
def flatten(x: Operand, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The tensor with a run of axes made one (all of them unless told)."""
    x = as_tensor(x, "flatten")
    shape = x.type.shape
    if not shape:
        return reshape(x, (1,))
    first = check_axis("flatten", start_dim, len(shape))
    last = check_axis("flatten", end_dim, len(shape))
    if first > last:
        raise ShapeError(f"flatten: axis {start_dim} comes after axis {end_dim}", where=caller())
    middle = dims.product(shape[first : last + 1])
    return reshape(x, (*shape[:first], middle, *shape[last + 1 :]))


@public
def ravel(x: Operand) -> Any:
    """The tensor as one axis."""
    return flatten(x)


@public
def flip(x: Operand, axis: Axes | None = None) -> Any:
    """The tensor with the order of elements along axes (all unless told) reversed."""
    x = as_tensor(x, "flip")
    shape = x.type.shape
    axes = check_axes("flip", axis, len(shape))
    if not axes:
        return x
    starts = tuple(d - 1 if a in axes else 0 for a, d in enumerate(shape))
    steps = tuple(-1 if a in axes else 1 for a in range(len(shape)))
    return SLICE(x, starts=starts, sizes=shape, steps=steps)


def cut(x: Any, axis: int, start: Size, size: Any) -> Any:
    """`size` neighbouring elements along one axis; the caller vouches for the bounds."""
    shape = x.type.shape
    return SLICE(
        x,
        starts=tuple(start if a == axis else 0 for a in range(len(shape))),
        sizes=tuple(size if a == axis else d for a, d in enumerate(shape)),
        steps=(1,) * len(shape),
    )


@public
def roll(x: Any, shift: Any, axis: Axes | None = None) -> Any:
    """The tensor with elements moved along axes, those beyond the end returning at the start.

    Args:
        x: a tensor.
        shift: how far, an int, or one for each axis.
        axis: an axis or several; None rolls the flattened tensor.
    """
    x = as_tensor(x, "roll")
    if axis is None:
        return reshape(roll(flatten(x), shift, 0), x.type.shape)
    axes = axis if isinstance(axis, Sequence) else (axis,)
    shifts = shift if isinstance(shift, Sequence) else (shift,) * len(axes)
    if len(shifts) != len(axes):
        raise ShapeError(f"roll: shifts {shifts} for axes {axes}", where=caller())
    for by, given in zip(shifts, axes):
        a = check_axis("roll", given, len(x.type.shape))
        size = x.type.shape[a]
        moved = as_size("roll", by) % dims.maximum(size, 1)
        if moved != 0:
            x = FUNCTIONS["concat"]([cut(x, a, size - moved, moved), cut(x, a, 0, size - moved)], a)
    return x


def _triangle(name: str, x: Operand, compare: str, k: int) -> Any:
    x = as_tensor(x, name)
    shape = x.type.shape
    if len(shape) < 2:
        raise ShapeError(f"{name}: {x.type} has fewer than 2 axes", [describe(x)], where=caller())
    rows = FUNCTIONS["iota"](shape, len(shape) - 2)
    columns = FUNCTIONS["iota"](shape, len(shape) - 1)
    keep = FUNCTIONS[compare](columns - rows, k)
    return FUNCTIONS["where"](keep, x, FUNCTIONS["full"](shape, 0, x.type.dtype))


@public
def tril(x: Operand, k: int = 0) -> Any:
    """The lower triangle of the last two axes, up to diagonal k; zeros above."""
    return _triangle("tril", x, "less_equal", k)


@public
def triu(x: Operand, k: int = 0) -> Any:
    """The upper triangle of the last two axes, from diagonal k; zeros below."""
    return _triangle("triu", x, "greater_equal", k)


@public
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """A diagonal of two axes, as a new last axis; with a positive offset, above the main one."""
    x = as_tensor(x, "diagonal")
    first, second = (check_axis("diagonal", a, len(x.type.shape)) for a in (axis1, axis2))
    if first == second:
        raise ShapeError(f"diagonal: both axes are axis {first}", where=caller())
    x = moveaxis(x, (first, second), (-2, -1))
    *rest, rows, columns = x.type.shape
    low, left = max(-offset, 0), max(offset, 0)
    size = dims.maximum(dims.minimum(rows - low, columns - left), 0)
    if (low, left, size, size) != (0, 0, rows, columns):
        x = cut(cut(x, len(rest), low, size), len(rest) + 1, left, size)
    # One more column, and element k * (n + 1) of the flattened matrix stands in column 0.
    flat = reshape(x, (*rest, size * size))
    zeros = (0,) * len(rest)
    flat = PAD(flat, low=(*zeros, 0), high=(*zeros, size), interior=(*zeros, 0), value=0)
    table = reshape(flat, (*rest, size, size + 1))
    return reshape(cut(table, len(rest) + 1, 0, 1), (*rest, size))

"""Elements moved and repeated along axes by PyTorch's names: flip, roll, tile, meshgrid."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Axes
from graphc.eager.engine.building import is_building
from graphc.eager.engine.dispatch import eager_form
from graphc.eager.engine.drawn import BY_VALUES, lose
from graphc.eager.engine.registry import EAGER, as_axis, as_dims, call, eager, step
from graphc.eager.engine.tensor import AnyTensor, Tensor, wrap
from graphc.eager.functions.placing import index_select
from graphc.eager.functions.shapes import sizes_of
from graphc.errors import (
    ArgumentError,
    ShapeError,
)
from graphc.ops.declare import check_axis

_flip = step("flip", "FlipBackward0")


@eager("flip")
def flip(input: Any, *axes: Any, dims: Axes | None = None) -> Any:
    """The elements along axes in reverse order, copied; of axes (), a copy.

    Example:
        >>> import graphc as gc
        >>> gc.flip(gc.tensor([[1, 2], [3, 4]]), [1])
        tensor([[2, 1],
                [4, 3]])
    """
    if not axes and dims is None:
        raise ArgumentError(
            "flip: of which axes?", where=caller(), hint="PyTorch asks for dims: flip(x, [0, 1])"
        )
    given = as_dims(dims if dims is not None else sizes_of(axes))
    given = (given,) if isinstance(given, int) else given
    if not input.ndim:
        for axis in given:
            check_axis("flip", axis, 1)
        given = ()
    return call(_flip, input, axis=given) if given else input.clone()


@eager("roll")
def roll(input: AnyTensor, shifts: Axes, dims: Axes | None = None) -> Any:
    """The elements moved along axes; those that fall off come in at the other end.

    Example:
        >>> import graphc as gc
        >>> gc.roll(gc.arange(5), 2)
        tensor([3, 4, 0, 1, 2])
    """
    shift, axes = as_dims(shifts), as_dims(dims)
    shift = shift[0] if isinstance(shift, tuple) and len(shift) == 1 else shift
    axes = axes[0] if isinstance(axes, tuple) and len(axes) == 1 else axes
    axes = None if axes == () else axes
    counts = [len(v) if isinstance(v, tuple) else 1 for v in (shift, axes)]
    if counts[0] != counts[1] or (axes is None and isinstance(shift, tuple)):
        raise ShapeError(f"roll: shifts {shifts} along dims {dims}", where=caller())
    if not input.ndim:
        return input.clone()
    return _ROLL(input, shift, axes)


_ROLL = eager_form("roll", FUNCTIONS["roll"])


_tiled = step("tile", "RepeatBackward0")


@eager("tile")
def tile(input: Any, *reps: Any, dims: Axes | None = None) -> Any:
    """The tensor repeated as a whole along axes, the last ones where dims names fewer.

    Example:
        >>> import graphc as gc
        >>> gc.tile(gc.tensor([1, 2]), (2, 2))
        tensor([[1, 2, 1, 2],
                [1, 2, 1, 2]])
    """
    counts = as_dims(sizes_of(reps) if dims is None else sizes_of((dims,)))
    if any(isinstance(c, int) and c < 0 for c in counts):
        raise ShapeError(f"tile: {counts} has a negative count", where=caller())
    return call(_tiled, input, reps=counts)


def repeat(input: AnyTensor, *counts_: Any, repeats: Any = None) -> Any:
    """The tensor repeated as a whole: one count for each axis, new axes in front.

    Example:
        >>> import graphc as gc
        >>> gc.tensor([1, 2]).repeat(2, 2)
        tensor([[1, 2, 1, 2],
                [1, 2, 1, 2]])
    """
    counts = sizes_of(counts_ if repeats is None else (repeats,))
    if len(counts) < input.ndim:
        raise ShapeError(
            f"repeat: {len(counts)} counts {counts} for {input.ndim} axes",
            where=caller(),
            hint="give one for each axis, or use gc.tile or gc.repeat_interleave",
        )
    return tile(input, counts)


_repeated = step("repeat", "RepeatedBackward0")


def _repeated_each(x: Operators, repeats: Operators, *, axis: int) -> Any:
    return FUNCTIONS["repeat"](x, repeats, axis)


@eager()
def repeat_interleave(
    input: Any, repeats: Any = None, dim: Any = None, *, output_size: Any = None
) -> Any:
    """Each element repeated: a number of times, or its own number along an axis.

    Of counts alone, each place as often as its count says.

    Args:
        input: a tensor.
        repeats: a number, or a tensor of one for each element.
        dim: the axis; without one the tensor is flattened.
        output_size: the size of the axis afterwards, which is then checked.

    Example:
        >>> import graphc as gc
        >>> gc.repeat_interleave(gc.tensor([1, 2]), gc.tensor([1, 3]))
        tensor([1, 2, 2, 2])
    """
    if repeats is None:
        return repeat_interleave(EAGER["arange"](len(input)), input)
    x = input.reshape(-1) if dim is None or not input.ndim else input
    axis = 0 if dim is None else check_axis("repeat_interleave", as_axis(dim), x.ndim)
    if isinstance(repeats, Tensor) and (is_building(x) or is_building(repeats)):
        return call(_repeated_each, x, repeats, axis=axis)
    if not isinstance(repeats, Tensor) or repeats.numel() == 1:
        count = int(repeats)
        if count < 0:
            raise ShapeError(f"repeat_interleave: {count} repeats", where=caller())
        found = call(_repeated, x, repeats=count, axis=axis)
    else:
        found = _each_repeated(x, repeats, axis)
    if output_size is not None and found.shape[axis] != output_size:
        raise ShapeError(
            f"repeat_interleave: output_size={output_size} of {found.shape[axis]}", where=caller()
        )
    return found


def _each_repeated(x: AnyTensor, repeats: Any, axis: int) -> Any:
    counts = repeats.numpy()
    if counts.shape != (x.shape[axis],) or (counts < 0).any():
        raise ShapeError(
            f"repeat_interleave: repeats must be {x.shape[axis]} counts of 0 or more, their "
            f"shape is {counts.shape}, the least {counts.min() if counts.size else None}",
            where=caller(),
        )
    places = wrap(np.repeat(np.arange(x.shape[axis]), counts))
    return index_select(x, axis, lose(places, [repeats], BY_VALUES))


@eager()
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """Vectors as the axes of a grid: for each, its values over the whole grid.

    Example:
        >>> import graphc as gc
        >>> rows, columns = gc.meshgrid(gc.tensor([1, 2]), gc.tensor([3, 4]), indexing="ij")
        >>> rows, columns
        (tensor([[1, 1],
                [2, 2]]), tensor([[3, 4],
                [3, 4]]))
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    order = list(given)
    if indexing not in ("ij", "xy") or any(x.ndim > 1 for x in order):
        raise ArgumentError(
            f"meshgrid: {len(order)} tensors of shapes "
            f"{', '.join(str(tuple(x.shape)) for x in order)}, indexing={indexing!r}",
            where=caller(),
            hint='pass vectors, and indexing="ij" or "xy"',
        )
    swap = indexing == "xy" and len(order) > 1
    if swap:
        order[0], order[1] = order[1], order[0]
    shape = tuple(x.numel() for x in order)
    rank = len(order)
    found = [
        x.reshape([-1 if a == k else 1 for a in range(rank)]).expand(*shape)
        for k, x in enumerate(order)
    ]
    if swap:
        found[0], found[1] = found[1], found[0]
    return tuple(found)

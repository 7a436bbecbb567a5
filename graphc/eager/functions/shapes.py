"""Shapes by PyTorch's names: views where memory can be shared, joins and copies where not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Axes, ShapeLike
from graphc.eager.engine.building import is_building
from graphc.eager.engine.hot import hot
from graphc.eager.engine.invoke import part_by, viewed
from graphc.eager.engine.registry import as_axis, as_dims, call, eager, named, step
from graphc.eager.engine.tensor import AnyTensor, Tensor, TensorLike
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.declare import check_axis
from graphc.ops.sizes import as_size


def sizes_of(sizes: Sequence[Any]) -> tuple[Any, ...]:
    """Sizes given one by one or as one sequence; 0-d tensors among them as ints, or as dims."""
    if len(sizes) == 1 and isinstance(sizes[0], list | tuple | np.ndarray):
        sizes = tuple(sizes[0])
    return tuple([s if type(s) is int else size_of(s) for s in sizes])


def size_of(size: object) -> Any:
    """One size: a 0-d tensor as an int, a symbolic one as the dimension that is its value."""
    if isinstance(size, Tensor) and size._node is not None:
        return as_size("sizes", size._node) if is_building(size) else size
    return int(size) if isinstance(size, np.integer | Tensor) else as_size("sizes", size)


def sizes_given(
    name: str, size: tuple[Any, ...], words: dict[str, Any], own: Sequence[str], also: str = ""
) -> tuple[Any, ...]:
    """The sizes of a maker's call, one by one or by one of its own words.

    Raises:
        ArgumentError: there are words besides, of which some have no effect and are let through.
    """
    for word in words.keys() & own:
        size = (words.pop(word),)
    if words.keys() - {"layout", "pin_memory"}:
        raise ArgumentError(
            f"{name}: {', '.join(map(repr, words))} is not one of its arguments",
            [f"they are *size, {also}dtype, device, requires_grad"],
            where=caller(),
        )
    return size


_view = step("reshape", "ViewBackward0")


@named("TransposeBackward0")
def _swapped(x: Operators, *, dim0: int, dim1: int) -> Any:
    return FUNCTIONS["swapaxes"](x, dim0, dim1) if x.type.shape else x


_permuted = step("transpose", "PermuteBackward0")

_turned = step("transpose", "TBackward0")
part_by(_swapped, lambda array, dim0, dim1: array.swapaxes(dim0, dim1) if array.ndim else array)
part_by(_permuted, lambda array, axes: array.transpose(axes))
part_by(_turned, lambda array: array.T)


@named("SqueezeBackward0")
def _squeezed(x: Operators, *, axis: Any) -> Any:
    shape = x.type.shape
    rank = len(shape)
    axes = range(rank) if axis is None else [check_axis("squeeze", a, rank or 1) for a in axis]
    kept = [d for a, d in enumerate(shape) if a not in axes or d != 1]
    return FUNCTIONS["reshape"](x, tuple(kept))


_unsqueezed = step("expand_dims", "UnsqueezeBackward0")


@named("ExpandBackward0")
def _expanded(x: Operators, *, shape: ShapeLike) -> Any:
    own = (1,) * (len(shape) - len(x.type.shape)) + tuple(x.type.shape)
    wanted = tuple(o if s == -1 else s for s, o in zip(shape, own))
    return FUNCTIONS["broadcast_to"](x, wanted)


@part_by(_expanded)
def _expanded_array(array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    own = (1,) * (len(shape) - array.ndim) + array.shape
    spread = np.broadcast_to(array, [o if s == -1 else s for s, o in zip(shape, own)])
    # NumPy's own is read-only; who writes one of which elements share a place is told so.
    spread.flags.writeable = array.flags.writeable
    return spread


@eager()
def reshape(input: Any, *sizes: Any, shape: Any = None) -> Any:
    """The same elements in another shape; one size may be -1. A view where that can be.

    Example:
        >>> import graphc as gc
        >>> gc.reshape(gc.arange(4), (2, 2))
        tensor([[0, 1],
                [2, 3]])
    """
    sizes = sizes_of(sizes if shape is None else (shape,))
    if not hot.slow:
        try:
            array = input._array.reshape(sizes)
        except (ValueError, TypeError):
            pass  # the graph's own function says what is wrong
        else:
            return viewed(input, array, _view, (("shape", sizes),))
    return call(_view, input, view=True, shape=sizes)


def view(input: AnyTensor, *shape: Any, size: Any = None, dtype: Any = None) -> Any:
    """A view of the same memory in another shape, or, given a dtype, the same bytes as it.

    Raises:
        ShapeError: the memory's order does not allow it.

    Example:
        >>> import graphc as gc
        >>> gc.arange(6).view(2, 3)
        tensor([[0, 1, 2],
                [3, 4, 5]])
    """
    given = size if dtype is None else dtype
    shape = shape if given is None else (given,)
    if len(shape) == 1 and not isinstance(shape[0], int | tuple | list | np.integer):
        return input.view_dtype(shape[0])
    result = reshape(input, *shape)
    if result._node is None and result._array.size and result._view is None:
        raise ShapeError(
            f"view: a tensor of shape {tuple(input.shape)} whose elements are not in order in "
            f"memory has no view of shape {tuple(result.shape)}",
            where=caller(),
            hint="use x.reshape(...), which copies where it must",
        )
    return result


@eager("transpose", "swapaxes", "swapdims")
def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """A view with two axes exchanged.

    Example:
        >>> import graphc as gc
        >>> gc.transpose(gc.zeros(2, 3), 0, 1).shape
        graphc.Size([3, 2])
    """
    rank = -1 if hot.slow else input._array.ndim
    dim0, dim1 = as_axis(dim0), as_axis(dim1)
    if -rank <= dim0 < rank and -rank <= dim1 < rank:
        array = input._array.swapaxes(dim0, dim1)
        return viewed(input, array, _swapped, (("dim0", dim0), ("dim1", dim1)))
    return call(_swapped, input, view=True, dim0=dim0, dim1=dim1)


@eager()
def permute(input: Any, *axes_: Any, dims: Any = None) -> Any:
    """A view with its axes in another order.

    Example:
        >>> import graphc as gc
        >>> gc.permute(gc.zeros(2, 3, 5), (2, 0, 1)).shape
        graphc.Size([5, 2, 3])
    """
    axes = as_dims(sizes_of(axes_ if dims is None else (dims,)))
    places = sorted(a + len(axes) if a < 0 else a for a in axes)
    if not hot.slow and places == list(range(input._array.ndim)):
        return viewed(input, input._array.transpose(axes), _permuted, (("axes", axes),))
    return call(_permuted, input, view=True, axes=axes)


@eager()
def t(input: AnyTensor) -> Any:
    """A matrix transposed, as a view; vectors and 0-d tensors as they are.

    Example:
        >>> import graphc as gc
        >>> gc.t(gc.tensor([[1, 2], [3, 4]]))
        tensor([[1, 3],
                [2, 4]])
    """
    if input.ndim > 2:
        raise ShapeError(
            f"t: a tensor with {input.ndim} axes", where=caller(), hint="use x.mT or x.permute"
        )
    return transposed(input)


def transposed(input: Any) -> Any:
    """A view with the axes reversed."""
    if hot.slow:
        return call(_turned, input, view=True)
    return viewed(input, input._array.T, _turned, ())


@eager("movedim", "moveaxis")
def movedim(input: AnyTensor, source: Axes, destination: Axes) -> Any:
    """A view with axes moved to other places.

    Example:
        >>> import graphc as gc
        >>> gc.movedim(gc.zeros(2, 3, 5), 0, -1).shape
        graphc.Size([3, 5, 2])
    """
    rank = input.ndim
    sources, targets = _places("source", source, rank), _places("destination", destination, rank)
    if len(sources) != len(targets):
        raise ShapeError(f"movedim: {len(sources)} axes to {len(targets)} places", where=caller())
    order = [a for a in range(rank) if a not in sources]
    for place, axis in sorted(zip(targets, sources)):
        order.insert(place, axis)
    return permute(input, order)


def _places(what: str, given: Axes, rank: int) -> list[int]:
    dims = as_dims(given)
    found = [check_axis("movedim", a, rank) for a in (dims if isinstance(dims, tuple) else [dims])]
    if len(set(found)) < len(found):
        raise ShapeError(f"movedim: {what} {given} names an axis twice", where=caller())
    return found


@eager()
def squeeze(input: Any, *dims: Any, dim: Axes | None = None, axis: Axes | None = None) -> Any:
    """A view without the axes of size 1 (among `dim`, when given).

    Example:
        >>> import graphc as gc
        >>> gc.squeeze(gc.zeros(1, 3, 1)).shape
        graphc.Size([3])
    """
    dim = dim if axis is None else axis
    if dims:
        dim = dims[0] if len(dims) == 1 else dims
    given = as_dims(dim)
    given = (given,) if isinstance(given, int) else given
    return call(_squeezed, input, view=True, axis=given)


@eager("unsqueeze", "expand_dims")
def unsqueeze(input: Any, dim: Axes | None = 0, *, axis: Axes | None = None) -> Any:
    """A view with a new axis of size 1 at `dim`.

    Example:
        >>> import graphc as gc
        >>> gc.unsqueeze(gc.zeros(3), 0).shape
        graphc.Size([1, 3])
    """
    place = as_axis(dim if axis is None else axis)
    if not hot.slow and -input._array.ndim - 1 <= place <= input._array.ndim:
        array = input._array
        shape = list(array.shape)
        shape.insert(place if place >= 0 else place + array.ndim + 1, 1)
        return viewed(input, array.reshape(shape), _unsqueezed, (("axis", place),))
    return call(_unsqueezed, input, view=True, axis=place)


@eager("flatten")
def flatten(input: AnyTensor, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The axes from start_dim to end_dim as one; a view where that can be.

    Example:
        >>> import graphc as gc
        >>> gc.flatten(gc.zeros(2, 3, 5), start_dim=1).shape
        graphc.Size([2, 15])
    """
    rank = input.ndim
    if rank == 0:
        for axis in (start_dim, end_dim):
            check_axis("flatten", as_axis(axis), 1)
        return reshape(input, (1,))
    first, last = (check_axis("flatten", as_axis(a), rank) for a in (start_dim, end_dim))
    if first > last:
        raise ShapeError(
            f"flatten: start_dim {start_dim} comes after end_dim {end_dim}", where=caller()
        )
    if first == last:
        return input
    shape = tuple(input.shape)
    product: Any = 1
    for size in shape[first : last + 1]:
        product = product * size
    return reshape(input, (*shape[:first], product, *shape[last + 1 :]))


@eager("ravel")
def ravel(input: AnyTensor) -> Any:
    """All elements along one axis; a view where that can be.

    Example:
        >>> import graphc as gc
        >>> gc.ravel(gc.tensor([[1, 2], [3, 4]]))
        tensor([1, 2, 3, 4])
    """
    return reshape(input, (-1,)) if input.ndim != 1 else input


@eager()
def unflatten(input: AnyTensor, dim: int, sizes: ShapeLike) -> Any:
    """One axis as several, whose sizes are given; one of them may be -1.

    Example:
        >>> import graphc as gc
        >>> gc.unflatten(gc.zeros(6, 4), 0, (2, -1)).shape
        graphc.Size([2, 3, 4])
    """
    shape, axis = tuple(input.shape), check_axis("unflatten", as_axis(dim), input.ndim)
    sizes = sizes_of((sizes,))
    known = math.prod(s for s in sizes if s != -1)
    if -1 in sizes:
        if sizes.count(-1) > 1 or known == 0 or (isinstance(known, int) and shape[axis] % known):
            raise ShapeError(
                f"unflatten: axis {dim} of size {shape[axis]} as {sizes}", where=caller()
            )
        if isinstance(known, int):
            sizes = tuple(shape[axis] // known if s == -1 else s for s in sizes)
    elif known != shape[axis]:
        raise ShapeError(f"unflatten: axis {dim} of size {shape[axis]} as {sizes}", where=caller())
    return reshape(input, (*shape[:axis], *sizes, *shape[axis + 1 :]))


@eager()
def expand(input: TensorLike, *sizes: Any, size: Any = None) -> Any:
    """A view with axes of size 1 repeated; -1 keeps a size.

    Example:
        >>> import graphc as gc
        >>> gc.expand(gc.tensor([[1], [2]]), (-1, 3))
        tensor([[1, 1, 1],
                [2, 2, 2]])
    """
    return _spread(input, sizes_of(sizes if size is None else (size,)))


def _spread(input: Any, shape: tuple[Any, ...]) -> Any:
    if hot.slow:
        return call(_expanded, input, view=True, shape=shape)
    try:
        spread = _expanded_array(input._array, shape)
    except (ValueError, TypeError):
        return call(_expanded, input, view=True, shape=shape)  # it says what is wrong
    return viewed(input, spread, _expanded, (("shape", shape),))


@eager()
def broadcast_to(input: TensorLike, *shape: Any, size: ShapeLike | None = None) -> Any:
    """A view broadcast to a shape; -1 keeps a size.

    Example:
        >>> import graphc as gc
        >>> gc.broadcast_to(gc.tensor([1, 2]), (2, 2))
        tensor([[1, 2],
                [1, 2]])
    """
    return _spread(input, sizes_of(shape if size is None else (size,)))


__all__ = ["reshape", "size_of", "sizes_of", "view"]

"""Shapes by PyTorch's names: views where memory can be shared, joins and copies where not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from graphc.eager.hot import hot
from graphc.eager.invoke import viewed
from graphc.eager.registry import call, eager, named
from graphc.eager.tensor import Tensor
from graphc.errors import ShapeError
from graphc.ir import caller
from graphc.operators import FUNCTIONS


def sizes_of(sizes: Sequence[Any]) -> tuple[Any, ...]:
    """Sizes given one by one or as one sequence; 0-d tensors among them as ints."""
    if len(sizes) == 1 and isinstance(sizes[0], list | tuple | np.ndarray):
        sizes = tuple(sizes[0])
    return tuple(
        int(s) if isinstance(s, np.integer | Tensor) and getattr(s, "_node", None) is None else s
        for s in sizes
    )


@named("ViewBackward0")
def _view(x: Any, *, shape: Any) -> Any:
    return FUNCTIONS["reshape"](x, shape)


@named("TransposeBackward0")
def _swapped(x: Any, *, dim0: int, dim1: int) -> Any:
    return FUNCTIONS["swapaxes"](x, dim0, dim1) if x.type.shape else x


@named("PermuteBackward0")
def _permuted(x: Any, *, axes: Any) -> Any:
    return FUNCTIONS["transpose"](x, axes)


@named("TBackward0")
def _turned(x: Any) -> Any:
    return FUNCTIONS["transpose"](x)


@named("SqueezeBackward0")
def _squeezed(x: Any, *, axis: Any) -> Any:
    shape = x.type.shape
    rank = len(shape)
    axes = range(rank) if axis is None else [a % rank for a in (axis if rank else ())]
    kept = [d for a, d in enumerate(shape) if a not in axes or d != 1]
    return FUNCTIONS["reshape"](x, tuple(kept))


@named("UnsqueezeBackward0")
def _unsqueezed(x: Any, *, axis: int) -> Any:
    return FUNCTIONS["expand_dims"](x, axis)


@named("ExpandBackward0")
def _expanded(x: Any, *, shape: Any) -> Any:
    own = (1,) * (len(shape) - len(x.type.shape)) + tuple(x.type.shape)
    wanted = tuple(o if s == -1 else s for s, o in zip(shape, own))
    return FUNCTIONS["broadcast_to"](x, wanted)


@named("DiagonalBackward0")
def _diagonal(x: Any, *, offset: int, dim1: int, dim2: int) -> Any:
    rank = len(x.type.shape)
    rows, columns = x.type.shape[dim1], x.type.shape[dim2]
    first, second = dim1 % rank, dim2 % rank
    start = (max(-offset, 0), max(offset, 0))
    size = min(rows - start[0], columns - start[1])
    cut: list[Any] = [slice(None)] * rank
    cut[first] = slice(start[0], start[0] + max(size, 0))
    cut[second] = slice(start[1], start[1] + max(size, 0))
    return FUNCTIONS["diagonal"](x[tuple(cut)], first, second)


@eager()
def reshape(input: Any, *shape: Any) -> Any:
    """The same elements in another shape; one size may be -1. A view where that can be.

    Example:
        >>> import graphc as gc
        >>> gc.reshape(gc.arange(4), (2, 2))
        tensor([[0, 1],
                [2, 3]])
    """
    sizes = sizes_of(shape)
    if not hot.slow:
        try:
            array = input._array.reshape(sizes)
        except (ValueError, TypeError):
            pass  # the graph's own function says what is wrong
        else:
            return viewed(input, array, _view, (("shape", sizes),))
    return call(_view, input, view=True, shape=sizes)


def view(input: Any, *shape: Any) -> Any:
    """A view of the same memory in another shape, or, given a dtype, the same bytes as it.

    Raises:
        ShapeError: the memory's order does not allow it.
    """
    if len(shape) == 1 and not isinstance(shape[0], int | tuple | list | np.integer):
        return input.view_dtype(shape[0])
    result = reshape(input, *shape)
    if input._node is None and result._array.size and result._view is None:
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
    if -rank <= dim0 < rank and -rank <= dim1 < rank:
        array = input._array.swapaxes(dim0, dim1)
        return viewed(input, array, _swapped, (("dim0", dim0), ("dim1", dim1)))
    return call(_swapped, input, view=True, dim0=int(dim0), dim1=int(dim1))


@eager()
def permute(input: Any, *dims: Any) -> Any:
    """A view with its axes in another order."""
    axes = sizes_of(dims)
    if not hot.slow and sorted(a % len(axes) for a in axes) == list(range(input._array.ndim)):
        return viewed(input, input._array.transpose(axes), _permuted, (("axes", axes),))
    return call(_permuted, input, view=True, axes=axes)


@eager()
def t(input: Any) -> Any:
    """A matrix transposed, as a view; vectors and 0-d tensors as they are."""
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
def movedim(input: Any, source: Any, destination: Any) -> Any:
    """A view with axes moved to other places."""
    rank = input.ndim
    sources = [s % rank for s in (source if isinstance(source, list | tuple) else [source])]
    targets = destination if isinstance(destination, list | tuple) else [destination]
    order = [a for a in range(rank) if a not in sources]
    for place, axis in sorted(zip([d % rank for d in targets], sources)):
        order.insert(place, axis)
    return permute(input, *order)


@eager()
def squeeze(input: Any, dim: Any = None, *, axis: Any = None) -> Any:
    """A view without the axes of size 1 (among `dim`, when given)."""
    dim = dim if axis is None else axis
    given = None if dim is None else tuple(dim) if isinstance(dim, list | tuple) else (int(dim),)
    return call(_squeezed, input, view=True, axis=given)


@eager("unsqueeze", "expand_dims")
def unsqueeze(input: Any, dim: Any = 0, *, axis: Any = None) -> Any:
    """A view with a new axis of size 1 at `dim`.

    Example:
        >>> import graphc as gc
        >>> gc.unsqueeze(gc.zeros(3), 0).shape
        graphc.Size([1, 3])
    """
    place = int(dim if axis is None else axis)
    if not hot.slow and -input._array.ndim - 1 <= place <= input._array.ndim:
        array = input._array
        shape = list(array.shape)
        shape.insert(place if place >= 0 else place + array.ndim + 1, 1)
        return viewed(input, array.reshape(shape), _unsqueezed, (("axis", place),))
    return call(_unsqueezed, input, view=True, axis=place)


@eager("flatten")
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The axes from start_dim to end_dim as one; a view where that can be."""
    rank = input.ndim
    if rank == 0:
        return reshape(input, (1,))
    first, last = start_dim % rank, end_dim % rank
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
def ravel(input: Any) -> Any:
    """All elements along one axis; a view where that can be."""
    return reshape(input, (-1,)) if input.ndim != 1 else input


@eager()
def unflatten(input: Any, dim: int, sizes: Any) -> Any:
    """One axis as several, whose sizes are given; one of them may be -1."""
    shape, axis = tuple(input.shape), dim % input.ndim
    sizes = tuple(sizes)
    if -1 in sizes:
        known = math.prod(s for s in sizes if s != -1)
        sizes = tuple(shape[axis] // known if s == -1 else s for s in sizes)
    return reshape(input, (*shape[:axis], *sizes, *shape[axis + 1 :]))


@eager()
def expand(input: Any, *sizes: Any) -> Any:
    """A view with axes of size 1 repeated; -1 keeps a size."""
    return _spread(input, sizes_of(sizes))


def _spread(input: Any, shape: tuple[Any, ...]) -> Any:
    if hot.slow:
        return call(_expanded, input, view=True, shape=shape)
    array = input._array
    own = (1,) * (len(shape) - array.ndim) + array.shape
    try:
        spread = np.broadcast_to(array, [o if s == -1 else s for s, o in zip(shape, own)])
    except (ValueError, TypeError):
        return call(_expanded, input, view=True, shape=shape)  # it says what is wrong
    return viewed(input, spread, _expanded, (("shape", shape),))


@eager()
def broadcast_to(input: Any, shape: Any) -> Any:
    """A view broadcast to a shape."""
    return _spread(input, tuple(shape))


@eager()
def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonal of two axes, as the last axis."""
    return call(_diagonal, input, offset=offset, dim1=dim1, dim2=dim2)


@named("DiagonalBackward0")
def _diag_matrix(x: Any, *, offset: int) -> Any:
    n = x.type.shape[0] + abs(offset)
    rows, columns = (FUNCTIONS["iota"]((n, n), a) for a in (0, 1))
    low, high = (offset, 0) if offset > 0 else (0, -offset)
    wide = FUNCTIONS["pad"](x, ((low, high),))
    return FUNCTIONS["where"](columns - rows == offset, FUNCTIONS["expand_dims"](wide, 0), 0)


@eager()
def diag(input: Any, diagonal: int = 0) -> Any:
    """A matrix with a vector on its diagonal; the diagonal of a matrix.

    Example:
        >>> import graphc as gc
        >>> gc.diag(gc.tensor([1.0, 2.0]))
        tensor([[1., 0.],
                [0., 2.]])
    """
    if input.ndim == 1:
        return call(_diag_matrix, input, offset=diagonal)
    return call(_diagonal, input, offset=diagonal, dim1=0, dim2=1)


@eager()
def trace(input: Any) -> Any:
    """The sum of a matrix's diagonal."""
    return diag(input).sum()


def _triangle(name: str) -> Any:
    function = FUNCTIONS[name]

    def run(x: Any, *, k: int) -> Any:
        return function(x, k)

    run.__name__ = name
    return run


_TRIL, _TRIU = _triangle("tril"), _triangle("triu")


@eager()
def tril(input: Any, diagonal: int = 0) -> Any:
    """A matrix with zeros above a diagonal."""
    return call(_TRIL, input, k=diagonal)


@eager()
def triu(input: Any, diagonal: int = 0) -> Any:
    """A matrix with zeros below a diagonal."""
    return call(_TRIU, input, k=diagonal)


@named("SliceBackward0")
def _narrow(x: Any, *, axis: int, start: int, length: int) -> Any:
    rank = len(x.type.shape)
    cut = tuple(slice(start, start + length) if a == axis % rank else slice(None)
                for a in range(rank))  # fmt: skip
    return x[cut]


@eager()
def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """A view of `length` elements along an axis, from `start`."""
    size = input.shape[dim]
    start = start + size if start < 0 else start
    if not 0 <= start <= start + length <= size:
        raise ShapeError(
            f"narrow: {length} elements from {start} of an axis of size {size}", where=caller()
        )
    return call(_narrow, input, view=True, axis=dim, start=int(start), length=int(length))


@eager("split")
def split(input: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views along an axis, each of one size (the last may be smaller), or of given sizes.

    Example:
        >>> import graphc as gc
        >>> [len(x) for x in gc.split(gc.arange(5), 2)]
        [2, 2, 1]
    """
    size = input.shape[dim]
    if isinstance(split_size_or_sections, int):
        each = split_size_or_sections
        sizes = [min(each, size - k) for k in range(0, size, each)] or [0]
    else:
        sizes = list(split_size_or_sections)
        if sum(sizes) != size:
            raise ShapeError(
                f"split: the sizes {sizes} add up to {sum(sizes)}, axis {dim} has {size}",
                where=caller(),
            )
    starts = np.cumsum([0, *sizes])
    return tuple(narrow(input, dim, int(s), n) for s, n in zip(starts, sizes))


@eager("chunk")
def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most `chunks` views along an axis, all but the last of one size."""
    return split(input, max(-(-input.shape[dim] // chunks), 1), dim)


@eager("tensor_split")
def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views along an axis: a number of nearly equal ones, or cut before given places."""
    size = input.shape[dim]
    if isinstance(indices_or_sections, int):
        count = indices_or_sections
        sizes = [size // count + (k < size % count) for k in range(count)]
    else:
        cuts = [0, *indices_or_sections, size]
        sizes = [b - a for a, b in pairwise(cuts)]
    return split(input, sizes, dim)


@eager()
def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """The slices along an axis, without it."""
    return tuple(input.select(dim, k) for k in range(input.shape[dim]))


__all__ = ["reshape", "sizes_of", "view"]

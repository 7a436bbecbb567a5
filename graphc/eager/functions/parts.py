"""Parts of a tensor by PyTorch's names: diagonals, triangles, narrow, split, chunk, unbind."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine.building import is_building
from graphc.eager.engine.hot import hot
from graphc.eager.engine.invoke import part_by, viewed
from graphc.eager.engine.registry import EAGER, as_axis, call, eager, named, step
from graphc.eager.engine.tensor import AnyTensor, Tensor, TensorLike
from graphc.eager.functions.shapes import sizes_of
from graphc.errors import ShapeError
from graphc.ops.arrays.places import Window
from graphc.ops.declare import check_axis


@named("DiagonalBackward0")
def _diagonal(x: Operators, *, offset: int, dim1: int, dim2: int) -> Any:
    return FUNCTIONS["diagonal"](x, offset, dim1, dim2)


@part_by(_diagonal)
def _diagonal_array(array: np.ndarray, offset: int, dim1: int, dim2: int) -> np.ndarray:
    found = array.diagonal(offset, dim1, dim2)
    found.flags.writeable = array.flags.writeable  # NumPy's own is read-only
    return found


@eager()
def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonal of two axes, as the last axis.

    Example:
        >>> import graphc as gc
        >>> gc.diagonal(gc.tensor([[1, 2], [3, 4]]))
        tensor([1, 4])
    """
    first, second = (check_axis("diagonal", as_axis(a), input.ndim) for a in (dim1, dim2))
    place = as_axis(offset)
    if hot.slow or first == second:
        return call(_diagonal, input, view=True, offset=place, dim1=first, dim2=second)
    array = _diagonal_array(input._array, place, first, second)
    settings = (("offset", place), ("dim1", first), ("dim2", second))
    return viewed(input, array, _diagonal, settings)


@named("DiagonalBackward0")
def _diag_matrix(x: Operators, *, offset: int) -> Any:
    n = x.type.shape[0] + abs(offset)
    rows, columns = (FUNCTIONS["iota"]((n, n), a) for a in (0, 1))
    low, high = (offset, 0) if offset > 0 else (0, -offset)
    wide = FUNCTIONS["pad"](x, ((low, high),))
    near = FUNCTIONS["cast"](0, x.type.dtype)
    return FUNCTIONS["where"](columns - rows == offset, FUNCTIONS["expand_dims"](wide, 0), near)


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
        return call(_diag_matrix, input, offset=as_axis(diagonal))
    if input.ndim != 2:
        raise ShapeError(
            f"diag: a tensor of shape {tuple(input.shape)}, not a vector or a matrix",
            where=caller(),
            hint="use x.diagonal(dim1=-2, dim2=-1)",
        )
    return EAGER["diagonal"](input, diagonal)


@eager()
def trace(input: AnyTensor) -> Any:
    """The sum of a matrix's diagonal.

    Example:
        >>> import graphc as gc
        >>> gc.trace(gc.tensor([[1, 2], [3, 4]]))
        tensor(5)
    """
    if input.ndim != 2:
        raise ShapeError(
            f"trace: a tensor of shape {tuple(input.shape)}, not a matrix", where=caller()
        )
    return diag(input).sum()


def _matrix(name: str, input: Any) -> Any:
    if input.ndim < 2:
        raise ShapeError(
            f"{name}: a tensor of shape {tuple(input.shape)} has no matrices", where=caller()
        )
    return input


_TRIL, _TRIU = step("tril"), step("triu")


@eager()
def tril(input: TensorLike, diagonal: int = 0) -> Any:
    """A matrix with zeros above a diagonal.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([[1, 2], [3, 4]])
        >>> gc.tril(x)
        tensor([[1, 0],
                [3, 4]])
    """
    return call(_TRIL, _matrix("tril", input), k=as_axis(diagonal))


@eager()
def triu(input: TensorLike, diagonal: int = 0) -> Any:
    """A matrix with zeros below a diagonal.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([[1, 2], [3, 4]])
        >>> gc.triu(x)
        tensor([[1, 2],
                [0, 4]])
    """
    return call(_TRIU, _matrix("triu", input), k=as_axis(diagonal))


@named("SliceBackward0")
def _narrow(x: Operators, *, axis: int, start: int, length: int) -> Any:
    rank = len(x.type.shape)
    cut = tuple(slice(start, start + length) if a == axis else slice(None)
                for a in range(rank))  # fmt: skip
    return x[cut]


def _windowed(x: Operators, start: Operators, *, axis: int, length: int) -> Any:
    return x[(*(slice(None),) * axis, Window(start, length))]


@eager()
def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """A view of `length` elements along an axis, from `start`.

    Example:
        >>> import graphc as gc
        >>> gc.narrow(gc.arange(6), 0, 2, 3)
        tensor([2, 3, 4])
    """
    axis = check_axis("narrow", as_axis(dim), input.ndim)
    size = input.shape[axis]
    first = int(start) if isinstance(start, Tensor) and start._node is None else start
    if isinstance(first, Tensor) and is_building(first):
        return call(_windowed, input, first, axis=axis, length=operator.index(length))
    first = first + size if first < 0 else first
    if not 0 <= first <= first + length <= size:
        raise ShapeError(
            f"narrow: {length} elements from {start} of an axis of size {size}", where=caller()
        )
    return call(_narrow, input, view=True, axis=axis, start=int(first), length=int(length))


@eager("split")
def split(input: AnyTensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views along an axis, each of one size (the last may be smaller), or of given sizes.

    Example:
        >>> import graphc as gc
        >>> [len(x) for x in gc.split(gc.arange(5), 2)]
        [2, 2, 1]
    """
    axis = check_axis("split", as_axis(dim), input.ndim)
    size = input.shape[axis]
    if not isinstance(split_size_or_sections, list | tuple | Tensor):
        each = operator.index(split_size_or_sections)
        if each < 0 or (each == 0 and size):
            raise ShapeError(f"split: parts of {each} of an axis of size {size}", where=caller())
        sizes = [min(each, size - k) for k in range(0, size, each or 1)] or [0]
    else:
        sizes = list(sizes_of((split_size_or_sections,)))
        if sum(sizes) != size or any(isinstance(s, int) and s < 0 for s in sizes):
            raise ShapeError(
                f"split: the sizes {sizes} add up to {sum(sizes)}, axis {dim} has {size}",
                where=caller(),
            )
    starts = list(itertools.accumulate([0, *sizes]))
    if any(isinstance(s, dims.Dim) for s in sizes):
        parts = [{"start": s, "length": n} for s, n in zip(starts, sizes)]
        return tuple(call(_narrow, input, view=True, axis=axis, **part) for part in parts)
    return tuple(narrow(input, axis, s, n) for s, n in zip(starts, sizes))


@eager("chunk")
def chunk(input: AnyTensor, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most `chunks` views along an axis, all but the last of one size.

    Example:
        >>> import graphc as gc
        >>> gc.chunk(gc.arange(5), 2)
        (tensor([0, 1, 2]), tensor([3, 4]))
    """
    axis = check_axis("chunk", as_axis(dim), input.ndim)
    if chunks < 1:
        raise ShapeError(f"chunk: {chunks} chunks", where=caller())
    size = input.shape[axis]
    if size == 0:
        return tuple(narrow(input, axis, 0, 0) for _ in range(chunks))
    return split(input, max(-(-size // chunks), 1), axis)


@eager("tensor_split")
def tensor_split(
    input: AnyTensor, indices_or_sections: Any = None, dim: int = 0, *,
    indices: AnyTensor | None = None, sections: int | Sequence[int] | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    """Views along an axis: a number of nearly equal ones, or cut before given places.

    Example:
        >>> import graphc as gc
        >>> gc.tensor_split(gc.arange(5), (1, 3))
        (tensor([0]), tensor([1, 2]), tensor([3, 4]))
    """
    axis = check_axis("tensor_split", as_axis(dim), input.ndim)
    given = next(v for v in (indices_or_sections, indices, sections, ()) if v is not None)
    given = given.tolist() if isinstance(given, Tensor) else given
    size = input.shape[axis]
    if isinstance(given, int):
        if given < 1:
            raise ShapeError(f"tensor_split: {given} parts", where=caller())
        sizes = [size // given + (k < size % given) for k in range(given)]
        return split(input, sizes, axis)
    # Places as Python's slices take them: from the end, beyond it, and in any order.
    cuts = [slice(None, c).indices(size)[1] for c in given]
    ends = [*cuts, size]
    return tuple(
        narrow(input, axis, start, max(end - start, 0)) for start, end in zip([0, *cuts], ends)
    )


@eager()
def unbind(input: AnyTensor, dim: int = 0) -> tuple[Any, ...]:
    """The slices along an axis, without it.

    Example:
        >>> import graphc as gc
        >>> gc.unbind(gc.tensor([[1, 2], [3, 4]]), dim=1)
        (tensor([1, 3]), tensor([2, 4]))
    """
    axis = check_axis("unbind", as_axis(dim), input.ndim)
    return tuple(input.select(axis, k) for k in range(input.shape[axis]))

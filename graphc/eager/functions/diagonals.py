"""Diagonals and triangles made, and parts of a tensor replaced, by PyTorch's names.

gc.diag_embed(x)
gc.tril_indices(3, 3)
gc.select_scatter(x, row, 0, 1)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.typing import DTypeLike
from graphc.eager.engine.registry import EAGER, as_axis, eager
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.declare import check_axis


@eager()
def diag_embed(input: AnyTensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Matrices with the last axis on their diagonals, in the plane of two new axes.

    Example:
        >>> import graphc as gc
        >>> gc.diag_embed(gc.tensor([[1.0, 2.0]]))
        tensor([[[1., 0.],
                 [0., 2.]]])
    """
    rank = input.ndim + 1
    axes = [check_axis("diag_embed", as_axis(d), rank) for d in (dim1, dim2)]
    if axes[0] == axes[1]:
        raise ShapeError(f"diag_embed: dim1 and dim2 are both {dim1}", where=caller())
    size, far = input.shape[-1], as_axis(offset)
    order = size + abs(far)
    rows, columns = EAGER["arange"](order).unsqueeze(1), EAGER["arange"](order)
    padded = EAGER["cat"]([input.new_zeros(*input.shape[:-1], abs(far)), input], -1)
    if far < 0:
        padded = EAGER["cat"]([input, input.new_zeros(*input.shape[:-1], -far)], -1)
    found = EAGER["where"](columns - rows == far, padded.unsqueeze(-2), 0)
    found = found if padded.dtype is found.dtype else found.to(padded.dtype)
    return found.movedim((-2, -1), tuple(axes))


@eager()
def diagflat(input: AnyTensor, offset: int = 0) -> Any:
    """A matrix with all elements on a diagonal.

    Example:
        >>> import graphc as gc
        >>> gc.diagflat(gc.tensor([1, 2]))
        tensor([[1, 0],
                [0, 2]])
    """
    return EAGER["diag"](input.reshape(-1), offset)


def _triangle(name: str, own: Any) -> None:
    def apply(
        row: int, col: int, offset: int = 0, *, dtype: DTypeLike = dtypes.int64, device: Any = None,
        layout: Any = None,
    ) -> Any:  # fmt: skip
        if row < 0 or col < 0:
            raise ArgumentError(f"{name}: {row} rows and {col} columns", where=caller())
        return EAGER["from_numpy"](np.array(own(row, offset, col), np.int64)).to(dtype)

    word = "lower" if name == "tril_indices" else "upper"
    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"""The rows and columns of the {word} triangle of a matrix, int64.

    Args:
        row, col: how many rows and columns it has.
        offset: which diagonal bounds it.
        dtype: of the result.
        device, layout: taken as PyTorch's.

    Example:
        >>> import graphc as gc
        >>> gc.{name}(2, 2)
        tensor([[0, {"1, 1" if name == "tril_indices" else "0, 1"}],
                [0, {"0, 1" if name == "tril_indices" else "1, 1"}]])
    """
    eager(name)(apply)


_triangle("tril_indices", np.tril_indices)
_triangle("triu_indices", np.triu_indices)


def _with_part(name: str, input: Any, src: Any, take: Callable[[Any], Any]) -> Any:
    """A copy of a tensor with another in the place of what `take` takes of it."""
    found = input.clone()
    place = take(found)
    if tuple(place.shape) != tuple(src.shape):
        raise ShapeError(
            f"{name}: src of shape {tuple(src.shape)} for {tuple(place.shape)}", where=caller()
        )
    place.copy_(src)
    return found


@eager()
def select_scatter(input: AnyTensor, src: AnyTensor, dim: int, index: int) -> Any:
    """A copy with another tensor in the place of one slice.

    Example:
        >>> import graphc as gc
        >>> gc.select_scatter(gc.zeros(2, 2), gc.ones(2), 1, 0)
        tensor([[1., 0.],
                [1., 0.]])
    """
    return _with_part("select_scatter", input, src, lambda x: x.select(dim, index))


@eager()
def slice_scatter(
    input: AnyTensor, src: AnyTensor, dim: int = 0, start: int | None = None,
    end: int | None = None, step: int = 1,
) -> Any:  # fmt: skip
    """A copy with another tensor in the place of a range along an axis.

    Example:
        >>> import graphc as gc
        >>> gc.slice_scatter(gc.zeros(2, 2), gc.ones(2, 1), 1, 0, 1)
        tensor([[1., 0.],
                [1., 0.]])
    """
    axis = check_axis("slice_scatter", as_axis(dim), input.ndim)
    if step < 1:
        raise ArgumentError(f"slice_scatter: step={step}, not above 0", where=caller())
    index = (*(slice(None),) * axis, slice(start, end, step))
    return _with_part("slice_scatter", input, src, lambda x: x[index])


@eager()
def diagonal_scatter(
    input: AnyTensor, src: AnyTensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Any:
    """A copy with another tensor in the place of a diagonal.

    Example:
        >>> import graphc as gc
        >>> gc.diagonal_scatter(gc.zeros(2, 2), gc.ones(2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    return _with_part("diagonal_scatter", input, src, lambda x: x.diagonal(offset, dim1, dim2))


__all__ = ["diag_embed", "diagflat", "diagonal_scatter"]

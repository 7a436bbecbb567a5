"""Shapes by PyTorch's further names: at least so many axes, splits and stacks by axis, turns.

gc.atleast_2d(x)
gc.rot90(image)
gc.block_diag(a, b)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.core.types import broadcast_shapes
from graphc.core.typing import Axes, ShapeLike
from graphc.eager.engine.registry import EAGER, as_axis, eager
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.functions.shapes import sizes_of
from graphc.errors import ShapeError
from graphc.ops.declare import check_axis

_AXES = {"hsplit": 1, "vsplit": 0, "dsplit": 2}


def _at_least(rank: int, *tensors: Any) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        (tensors,) = tensors
        return tuple(_at_least(rank, x) for x in tensors)
    if len(tensors) != 1:
        return tuple(_at_least(rank, x) for x in tensors)
    (x,) = tensors
    while x.ndim < rank:  # rows first, then a last axis, as NumPy has it
        x = x.unsqueeze(-1 if x.ndim == 2 else 0)
    return x


@eager()
def atleast_1d(*tensors: AnyTensor) -> Any:
    """Tensors with at least one axis.

    Example:
        >>> import graphc as gc
        >>> gc.atleast_1d(gc.tensor(2))
        tensor([2])
    """
    return _at_least(1, *tensors)


@eager()
def atleast_2d(*tensors: AnyTensor) -> Any:
    """Tensors with at least two axes; a vector is a row.

    Example:
        >>> import graphc as gc
        >>> gc.atleast_2d(gc.tensor([1, 2]))
        tensor([[1, 2]])
    """
    return _at_least(2, *tensors)


@eager()
def atleast_3d(*tensors: AnyTensor) -> Any:
    """Tensors with at least three axes: (n,) as (1, n, 1), (m, n) as (m, n, 1).

    Example:
        >>> import graphc as gc
        >>> gc.atleast_3d(gc.zeros(2, 3)).shape
        graphc.Size([2, 3, 1])
    """
    return _at_least(3, *tensors)


@eager()
def column_stack(tensors: Sequence[AnyTensor]) -> Any:
    """Tensors side by side, vectors as columns.

    Example:
        >>> import graphc as gc
        >>> gc.column_stack([gc.tensor([1, 2]), gc.tensor([3, 4])])
        tensor([[1, 3],
                [2, 4]])
    """
    return EAGER["cat"]([x if x.ndim > 1 else x.reshape(-1, 1) for x in tensors], 1)


@eager()
def dstack(tensors: Sequence[AnyTensor]) -> Any:
    """Tensors behind each other, along axis 2.

    Example:
        >>> import graphc as gc
        >>> gc.dstack([gc.tensor([1, 2]), gc.tensor([3, 4])])
        tensor([[[1, 3],
                 [2, 4]]])
    """
    return EAGER["cat"]([_at_least(3, x) for x in tensors], 2)


def _split(name: str) -> None:
    axis = _AXES[name]

    def apply(
        input: AnyTensor, indices_or_sections: Any = None, *,
        indices: Sequence[int] | None = None, sections: int | None = None,
    ) -> Any:  # fmt: skip
        given = next((v for v in (indices_or_sections, indices, sections) if v is not None), 0)
        least = 1 if axis == 1 else max(axis + 1, 2)
        if input.ndim < least:
            raise ShapeError(f"{name}: a tensor of {input.ndim} axes", where=caller())
        along = axis if input.ndim > 1 else 0
        size = input.shape[along]
        if isinstance(given, int) and (given < 1 or size % given):
            raise ShapeError(f"{name}: {given} equal parts of {size}", where=caller())
        return EAGER["tensor_split"](input, given, along)

    words = {0: "along axis 0", 1: "along axis 1, a vector along axis 0", 2: "along axis 2"}
    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"""Views {words[axis]}: a number of equal ones, or cut before given places.

    Args:
        input: a tensor.
        indices_or_sections: the number, or the places.
        indices, sections: PyTorch's names of either.

    Example:
        >>> import graphc as gc
        >>> len(gc.{name}(gc.zeros(4, 4, 4), 2))
        2
    """
    eager(name)(apply)


for _name in _AXES:
    _split(_name)


@eager()
def flipud(input: AnyTensor) -> Any:
    """The first axis in reverse order, copied.

    Example:
        >>> import graphc as gc
        >>> gc.flipud(gc.tensor([[1], [2]]))
        tensor([[2],
                [1]])
    """
    if input.ndim < 1:
        raise ShapeError("flipud: a 0-d tensor", where=caller())
    return EAGER["flip"](input, 0)


@eager()
def fliplr(input: AnyTensor) -> Any:
    """The second axis in reverse order, copied.

    Example:
        >>> import graphc as gc
        >>> gc.fliplr(gc.tensor([[1, 2]]))
        tensor([[2, 1]])
    """
    if input.ndim < 2:
        raise ShapeError(f"fliplr: a tensor of {input.ndim} axes", where=caller())
    return EAGER["flip"](input, 1)


@eager()
def rot90(input: AnyTensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Any:
    """A plane of two axes turned by k quarters, from the first axis towards the second.

    Example:
        >>> import graphc as gc
        >>> gc.rot90(gc.tensor([[1, 2], [3, 4]]))
        tensor([[2, 4],
                [1, 3]])
    """
    axes = [check_axis("rot90", as_axis(d), input.ndim) for d in dims]
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ShapeError(f"rot90: dims={list(dims)} are not two axes", where=caller())
    quarters = as_axis(k) % 4
    if quarters == 0:
        return input.clone()
    if quarters == 2:
        return EAGER["flip"](input, tuple(axes))
    turned = EAGER["flip"](input, axes[1] if quarters == 1 else axes[0])
    return turned.transpose(*axes).clone()


@eager()
def adjoint(input: AnyTensor) -> Any:
    """The last two axes exchanged, as a view; of real numbers that is the adjoint.

    Example:
        >>> import graphc as gc
        >>> gc.adjoint(gc.zeros(2, 3)).shape
        graphc.Size([3, 2])
    """
    return input.transpose(-2, -1)


@eager()
def block_diag(*tensors: AnyTensor) -> Any:
    """A matrix with matrices along its diagonal, and zeros elsewhere.

    Example:
        >>> import graphc as gc
        >>> gc.block_diag(gc.ones(1, 1), gc.tensor([[2.0, 3.0]]))
        tensor([[1., 0., 0.],
                [0., 2., 3.]])
    """
    if any(x.ndim > 2 for x in tensors):
        raise ShapeError("block_diag: a tensor has more than two axes", where=caller())
    blocks = [_at_least(2, x) for x in tensors]
    if not blocks:
        return EAGER["zeros"](1, 0)
    wide, rows, left = sum(b.shape[1] for b in blocks), [], 0
    for block in blocks:
        height, width = block.shape
        before, behind = (block.new_zeros(height, n) for n in (left, wide - left - width))
        rows.append(EAGER["cat"]([before, block, behind], 1))
        left += width
    return EAGER["cat"](rows, 0)


@eager()
def cartesian_prod(*tensors: AnyTensor) -> Any:
    """Every choice of one element of each vector, as rows.

    Example:
        >>> import graphc as gc
        >>> gc.cartesian_prod(gc.tensor([1, 2]), gc.tensor([3]))
        tensor([[1, 3],
                [2, 3]])
    """
    if any(x.ndim != 1 for x in tensors):
        raise ShapeError("cartesian_prod: a tensor is no vector", where=caller())
    if len(tensors) == 1:
        return tensors[0]
    return EAGER["stack"]([g.reshape(-1) for g in EAGER["meshgrid"](*tensors, indexing="ij")], 1)


@eager()
def combinations(input: AnyTensor, r: int = 2, with_replacement: bool = False) -> Any:
    """The choices of r elements of a vector, in order, as rows.

    Example:
        >>> import graphc as gc
        >>> gc.combinations(gc.tensor([1, 2, 3]))
        tensor([[1, 2],
                [1, 3],
                [2, 3]])
    """
    if input.ndim != 1 or as_axis(r) < 0:
        raise ShapeError(f"combinations: {input.type}, r={r}; it takes a vector", where=caller())
    if not r:
        return input.new_empty(0)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input.shape[0]), r)), np.int64).reshape(-1, r)
    return input[EAGER["from_numpy"](rows.reshape(-1))].reshape(-1, r)


@eager()
def broadcast_tensors(*tensors: AnyTensor) -> Any:
    """Tensors expanded to their common shape, as views.

    Example:
        >>> import graphc as gc
        >>> [x.shape for x in gc.broadcast_tensors(gc.zeros(3, 1), gc.zeros(2))]
        [graphc.Size([3, 2]), graphc.Size([3, 2])]
    """
    shape = broadcast_shapes([x.shape for x in tensors])
    if shape is None:
        raise ShapeError(
            f"broadcast_tensors: {' and '.join(str(tuple(x.shape)) for x in tensors)} do not "
            "broadcast",
            where=caller(),
        )
    return tuple(x.expand(shape) for x in tensors)


@eager("split_with_sizes", "unsafe_split_with_sizes")
def split_with_sizes(input: AnyTensor, split_sizes: Sequence[int], dim: int = 0) -> Any:
    """Views along an axis of given sizes.

    Example:
        >>> import graphc as gc
        >>> gc.split_with_sizes(gc.arange(3), [1, 2])
        (tensor([0]), tensor([1, 2]))
    """
    return EAGER["split"](input, list(split_sizes), dim)


def axes_of_sum(own: ShapeLike, wanted: ShapeLike) -> Axes:
    """The axes over which a sum brings one shape to another that broadcasts to it."""
    lead = len(own) - len(wanted)
    return tuple(range(lead)) + tuple(
        lead + k for k, n in enumerate(wanted) if n == 1 and own[lead + k] != 1
    )


@eager()
def sum_to_size(input: AnyTensor, *sizes: Any, size: ShapeLike | None = None) -> Any:
    """The sum over the axes that another shape broadcasts along: of that shape.

    Example:
        >>> import graphc as gc
        >>> gc.ones(2, 3).sum_to_size(1, 3)
        tensor([[2., 2., 2.]])
    """
    wanted = sizes_of(sizes if size is None else (size,))
    if broadcast_shapes([wanted, input.shape]) != tuple(input.shape):
        raise ShapeError(
            f"sum_to_size: {wanted} does not broadcast to {tuple(input.shape)}", where=caller()
        )
    axes: Any = axes_of_sum(input.shape, wanted)
    found = input.sum(axes, keepdim=True) if axes else input
    return found.reshape(wanted)


__all__ = ["block_diag", "broadcast_tensors", "flipud", "rot90", "sum_to_size"]

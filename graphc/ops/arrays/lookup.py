"""Functions over indices that are data; the ops are in `indexing`.

take take_along_axis gather one_hot scatter_add. An index outside its axis is an error that names
the value and the size when the program runs; negative ones count from the end. `at` has those that
write what an index of several parts names.
"""

from __future__ import annotations

from typing import Any

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS
from graphc.core.typing import DTypeLike, Operand, Values
from graphc.errors import ShapeError
from graphc.ops.arrays.at import as_updates
from graphc.ops.arrays.indexing import (
    TAKE,
    TAKE_ALONG_AXIS,
    added,
    check_index,
    checked_index,
)
from graphc.ops.arrays.shaping import broadcast_to, expand_dims
from graphc.ops.arrays.writing import SCATTER_ADD
from graphc.ops.declare import as_tensor, check_axis, describe, public
from graphc.ops.source import as_shape


def _operands(name: str, x: Operand, index: object, axis: int) -> tuple[Any, Any, int]:
    x, index = as_tensor(x, name), as_tensor(index, name)
    check_index(name, index.type)
    if not x.type.shape:
        raise ShapeError(f"{name}: {x.type} has no axis", [describe(x)], where=caller())
    return x, index, check_axis(name, axis, len(x.type.shape))


@public
def take(x: Operand, index: Any, axis: int | None = None) -> Any:
    """The slices of x along an axis that `index` names, in its shape.

    Args:
        x: a tensor.
        index: integers of any shape; negative ones count from the end.
        axis: the axis; None takes from the flattened tensor.

    Raises:
        IndexRangeError: when the program runs, for an index outside the axis.

    Example:
        >>> import graphc as gc
        >>> gc.take(gc.tensor([[1, 2], [3, 4]]), gc.tensor([0, 3]))
        tensor([1, 4])
    """
    x = as_tensor(x, "take")
    if axis is None:
        x, axis = FUNCTIONS["flatten"](x), 0
    x, index, axis = _operands("take", x, index, axis)
    return TAKE(x, index, axis=axis)


@public
def take_along_axis(x: Operand, index: Values, axis: int = -1) -> Any:
    """Along an axis, the element of x that `index` names at each place.

    Args:
        x: a tensor.
        index: integers of x's rank; sizes beside the axis broadcast.
        axis: the axis.

    Raises:
        IndexRangeError: when the program runs, for an index outside the axis.
    """
    x, index, axis = _operands("take_along_axis", x, index, axis)
    x, index = _beside("take_along_axis", x, index, axis)
    return TAKE_ALONG_AXIS(x, index, axis=axis)


def _beside(name: str, x: Any, index: Any, axis: int) -> tuple[Any, Any]:
    """Both operands with the sizes beside the axis broadcast."""
    if len(x.type.shape) != len(index.type.shape):
        raise ShapeError(
            f"{name}: {x.type} and the index {index.type} have different numbers of axes",
            [describe(x), describe(index)],
            where=caller(),
        )
    sizes = []
    for a, (size, other) in enumerate(zip(x.type.shape, index.type.shape)):
        if a != axis and size != other and 1 not in (size, other):
            raise ShapeError(
                f"{name}: axis {a} of x has size {size}, of the index {other}",
                [describe(x), describe(index)],
                where=caller(),
            )
        sizes.append(other if size == 1 else size)
    shapes = [
        [d if a != axis else t.type.shape[a] for a, d in enumerate(sizes)] for t in (x, index)
    ]
    return broadcast_to(x, shapes[0]), broadcast_to(index, shapes[1])


def trusted_along_axis(x: Any, index: Values, axis: int) -> Any:
    """`take_along_axis` for an index that argmax or argsort made of x: not checked again."""
    axis = check_axis("take_along_axis", axis, len(x.type.shape))
    return TAKE_ALONG_AXIS(x, index, axis=axis, trusted=True)


@public
def gather(x: Operand, dim: int, index: Values) -> Any:
    """`take_along_axis` with PyTorch's name and argument order."""
    return take_along_axis(x, index, dim)


@public
def one_hot(index: Values, num_classes: Any, dtype: DTypeLike = dtypes.float32) -> Any:
    """A new last axis of size `num_classes` that is 1 where `index` points and 0 elsewhere.

    Args:
        index: integers of any shape.
        num_classes: the size of the new axis.
        dtype: float32 unless given.

    Raises:
        IndexRangeError: when the program runs, for an index outside the new axis.

    Example:
        >>> import graphc as gc
        >>> gc.one_hot(gc.tensor([0, 2]), 3)
        tensor([[1., 0., 0.],
                [0., 0., 1.]])
    """
    index = as_tensor(index, "one_hot")
    check_index("one_hot", index.type)
    (num_classes,) = as_shape("one_hot", (num_classes,))
    shape = (*index.type.shape, num_classes)
    place = expand_dims(checked_index(index, num_classes), -1)
    hot = FUNCTIONS["equal"](FUNCTIONS["iota"](shape, len(shape) - 1), broadcast_to(place, shape))
    return FUNCTIONS["cast"](hot, dtypes.as_dtype(dtype))


@public
def scatter_add(x: Operand, index: Any, updates: Any, axis: int = -1) -> Any:
    """x with `updates` added at the places along an axis that `index` names.

    Args:
        x: a tensor.
        index: integers of x's rank, equal in size beside the axis.
        updates: broadcast to the index' shape.
        axis: the axis.

    Raises:
        IndexRangeError: when the program runs, for an index outside the axis.
    """
    x, index, axis = _operands("scatter_add", x, index, axis)
    updates = as_updates("scatter_add", x, updates, index.type.shape)
    return added(SCATTER_ADD, x, index, updates, axis)

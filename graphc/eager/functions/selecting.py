"""Choosing and placing elements by PyTorch's names: where, gather, scatter, masks, index_*."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Values
from graphc.eager.engine import promotion
from graphc.eager.engine.building import is_building
from graphc.eager.engine.drawn import BY_VALUES, lose
from graphc.eager.engine.hot import made
from graphc.eager.engine.registry import as_axis, as_eager, call, eager, named, step
from graphc.eager.engine.tensor import AnyTensor, Tensor, TensorLike, wrap
from graphc.eager.functions.placing import (
    check_within,
    index_copy,
    index_select,
    one_value,
    whole_index,
)
from graphc.eager.functions.shapes import size_of
from graphc.errors import (
    DTypeError,
    ShapeError,
)
from graphc.ops.arrays import places
from graphc.ops.arrays.indexing import from_start
from graphc.ops.declare import check_axis, common_shape, is_scalar

_where = step("where", "WhereBackward0")


@eager("where")
def where(
    condition: AnyTensor, input: TensorLike | None = None, other: TensorLike | None = None
) -> Any:
    """input where a condition holds, other elsewhere; of the condition alone, its true places.

    Example:
        >>> import graphc as gc
        >>> gc.where(gc.tensor([True, False]), 1.0, 0.0)
        tensor([1., 0.])
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if not isinstance(condition, Tensor):
        condition = as_eager(condition)
    if condition.dtype not in (dtypes.bool_, dtypes.uint8):
        raise DTypeError(
            f"where: the condition must be of bools, not {condition.dtype.name}",
            where=caller(),
            hint="compare: where(condition != 0, x, y)",
        )
    tensors = [v for v in (input, other) if isinstance(v, Tensor)]
    if tensors:
        return call(_where, condition, *(as_eager(v, tensors[0]) for v in (input, other)))
    kind = promotion.result_type(input, other)
    sides = [wrap(np.asarray(v, kind.numpy)) if is_scalar(v) else as_eager(v)
             for v in (input, other)]  # fmt: skip
    return call(_where, condition, *(made(s) for s in sides))


def where_method(self: Any, condition: AnyTensor, other: TensorLike) -> Any:
    """The tensor where a condition holds, other elsewhere.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([1.0, -2.0])
        >>> x.where(x > 0, gc.zeros(2))
        tensor([1., 0.])
    """
    return where(condition, self, other)


def _nonzero(x: Operators, *, as_tuple: bool, size: Values | None, fill_value: Values) -> Any:
    axes = x if x.type.shape else FUNCTIONS["reshape"](x, (1,))
    found = places.nonzero(axes, size, fill_value)
    if as_tuple:
        return tuple(found)
    if not x.type.shape:
        return FUNCTIONS["full"]((found[0].type.size, 0), 0, dtypes.int64)
    return FUNCTIONS["stack"](found, 1)


@eager()
def nonzero(
    input: Any, *, as_tuple: bool = False, size: Values | None = None, fill_value: Values = 0
) -> Any:
    """The places of the elements that are not 0, one row each (or one vector for each axis).

    Their number depends on the values, unless it is given: in a graph it is counted before the
    program runs. Has no gradient.

    Args:
        input: a tensor.
        as_tuple: a vector for each axis.
        size: how many places, as JAX has it: the first ones, filled up where there are fewer.
        fill_value: what they are filled up with.

    Example:
        >>> import graphc as gc
        >>> gc.nonzero(gc.tensor([0, 5, 7]))
        tensor([[1],
                [2]])
        >>> gc.nonzero(gc.tensor([0, 5, 7]), size=3, fill_value=-1).flatten()
        tensor([ 1,  2, -1])
    """
    if size is not None or is_building(input):
        size = None if size is None else size_of(size)
        return call(_nonzero, input, as_tuple=as_tuple, size=size, fill_value=fill_value)
    found = np.nonzero(np.atleast_1d(input.numpy()))
    if as_tuple:
        return lose(tuple(wrap(p) for p in found), [input], BY_VALUES)
    if input.ndim == 0:
        return lose(wrap(np.zeros((len(found[0]), 0), np.int64)), [input], BY_VALUES)
    return lose(wrap(np.stack(found, 1)), [input], BY_VALUES)


@eager("argwhere")
def argwhere(input: AnyTensor, *, size: Values | None = None, fill_value: Values = 0) -> Any:
    """`nonzero` under NumPy's name.

    Example:
        >>> import graphc as gc
        >>> gc.argwhere(gc.tensor([[0, 7], [8, 0]]))
        tensor([[0, 1],
                [1, 0]])
    """
    return nonzero(input, size=size, fill_value=fill_value)


@named("GatherBackward0")
def _gather(x: Operators, index: Operators, *, axis: int) -> Any:
    if not x.type.shape:
        return FUNCTIONS["reshape"](FUNCTIONS["take"](x, from_start(index)), index.type.shape)
    shape, places = x.type.shape, index.type.shape
    axis = check_axis("gather", axis, len(shape))
    check_within("gather", index, x, axis)
    cut = tuple(slice(None) if a == axis else slice(0, n) for a, n in enumerate(places))
    index = from_start(index)
    return FUNCTIONS["take_along_axis"](x[cut], index, axis)


@eager("gather")
def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Any:
    """Along an axis, the element of input that `index` names at each place.

    Example:
        >>> import graphc as gc
        >>> gc.gather(gc.tensor([[1, 2], [3, 4]]), 1, gc.tensor([[0], [1]]))
        tensor([[1],
                [4]])
    """
    return call(_gather, input, whole_index("gather", index), axis=as_axis(dim))


@eager("take_along_dim", "take_along_axis")
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """`gather` whose index broadcasts; of the flattened tensor without `dim`.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([[30, 10, 20]])
        >>> gc.take_along_dim(x, gc.argsort(x), dim=1)
        tensor([[10, 20, 30]])
    """
    if dim is None:
        return call(_along, input.reshape(-1), indices.reshape(-1), axis=0)
    axis = check_axis("take_along_dim", as_axis(dim), input.ndim)
    return call(_along, input, indices, axis=axis)


_along = step("take_along_axis", "GatherBackward0")


def _mask(name: str, mask: Any) -> Any:
    mask = as_eager(mask)
    if mask.dtype is not dtypes.bool_:
        raise DTypeError(
            f"{name}: the mask must be of bools, not {mask.dtype.name}",
            where=caller(),
            hint="compare: mask != 0",
        )
    return mask


@named("MaskedFillBackward0")
def _masked_fill(x: Operators, mask: Operators, value: Operators) -> Any:
    return FUNCTIONS["where"](mask, FUNCTIONS["cast"](value, x.type.dtype, "wrap"), x)


@eager()
def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """input with a value where a mask, which broadcasts, is true.

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(2)
        >>> gc.masked_fill(x, gc.tensor([True, False]), 5.0)
        tensor([5., 0.])
    """
    value = one_value("masked_fill", value, input)
    return call(_masked_fill, input, _mask("masked_fill", mask), value)


def _selected(x: Operators, mask: Operators) -> Any:
    shape = common_shape("masked_select", [x, mask])
    return FUNCTIONS["broadcast_to"](x, shape)[FUNCTIONS["broadcast_to"](mask, shape)]


@eager()
def masked_select(input: AnyTensor, mask: Any) -> Any:
    """The elements where a mask is true, as a vector; its size depends on the values.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([1.0, -2.0, 3.0])
        >>> gc.masked_select(x, x > 0)
        tensor([1., 3.])
    """
    mask = _mask("masked_select", mask)
    if is_building(input) or is_building(mask):
        return call(_selected, input, mask)
    shape = np.broadcast_shapes(tuple(input.shape), tuple(mask.shape))
    there = np.flatnonzero(np.broadcast_to(mask.numpy(), shape))
    return index_select(input.expand(*shape).reshape(-1), 0, lose(wrap(there), [mask], BY_VALUES))


@eager()
def masked_scatter(input: AnyTensor, mask: Any, source: AnyTensor) -> Any:
    """input with the first elements of source, in order, where a mask is true.

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(4)
        >>> gc.masked_scatter(x, gc.tensor([True, False, True, False]), gc.tensor([7.0, 8.0]))
        tensor([7., 0., 8., 0.])
    """
    mask, flat = _mask("masked_scatter", mask), source.reshape(-1)
    if mask._node is not None and mask.ndim <= input.ndim:
        # How many places there are is a value: each has the number of those before it.
        mask = mask.expand(*input.shape)
        places = mask.reshape(-1).cumsum(0).reshape(input.shape) - 1
        return where(mask, flat[where(mask, places, 0)], input)
    shape = np.broadcast_shapes(tuple(input.shape), tuple(mask.shape))
    there = np.flatnonzero(np.broadcast_to(mask.numpy(), shape))
    if len(there) > flat.shape[0]:
        raise ShapeError(
            f"masked_scatter: {len(there)} places for {flat.shape[0]} elements", where=caller()
        )
    whole = input.expand(*shape).reshape(-1)
    places = lose(wrap(there), [mask], BY_VALUES)
    return index_copy(whole, 0, places, flat[: len(there)]).reshape(*shape)

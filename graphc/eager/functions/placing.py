"""Elements and slices written at places that an index names: scatter, scatter_add, index_*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import ShapeLike
from graphc.eager.engine.registry import (
    as_axis,
    as_eager,
    call,
    eager,
    named,
)
from graphc.eager.engine.tensor import AnyTensor, Tensor
from graphc.errors import (
    ArgumentError,
    AttributeValueError,
    DTypeError,
    GradientError,
    ShapeError,
)
from graphc.ops.arrays.indexing import from_start
from graphc.ops.declare import check_axis


def check_within(name: str, index: Operators, x: Operators, axis: int | None) -> None:
    """Refuse an index that is larger than what it names elements of, the axis aside."""
    shape, places = x.type.shape, index.type.shape
    fits = len(shape) == len(places) and all(
        a == axis or not (isinstance(n, int) and isinstance(size, int)) or n <= size
        for a, (n, size) in enumerate(zip(places, shape))
    )
    if not fits and 0 not in places:
        beside = "" if axis is None else f", axis {axis} aside"
        raise ShapeError(
            f"{name}: an index of shape {tuple(places)} does not lie within a tensor of shape "
            f"{tuple(shape)}{beside}",
            where=caller(),
        )


def _crossed(index: Operators, axis: int, shape: ShapeLike) -> Any:
    """The row-major places, in a tensor of `shape`, of elements whose place along axis is given."""
    places = FUNCTIONS["cast"](index, dtypes.int64)
    stride: Any = 1
    total: Any = None
    for a in reversed(range(len(shape))):
        along = places if a == axis else FUNCTIONS["iota"](index.type.shape, a, dtypes.int64)
        total = along * stride if total is None else total + along * stride
        stride = stride * shape[a]
    return total


@named("ScatterBackward0")
def _scatter(x: Operators, index: Operators, source: Operators, *, axis: int) -> Any:
    return _scattered(x, index, source, axis, "index_update")


@named("ScatterAddBackward0")
def _scatter_add(x: Operators, index: Operators, source: Operators, *, axis: int) -> Any:
    return _scattered(x, index, source, axis, "index_add")


def _scattered(x: Operators, index: Operators, source: Operators, axis: int, how: str) -> Any:
    shape, counts = x.type.shape, index.type.shape
    flatten = FUNCTIONS["flatten"]
    if not shape:
        return FUNCTIONS["reshape"](
            _scattered(flatten(x), flatten(index), flatten(source), 0, how), ()
        )
    axis = check_axis("scatter", axis, len(shape))
    check_within("scatter", index, x, axis)
    if source.type.shape == ():
        source = FUNCTIONS["broadcast_to"](source, counts)
    check_within("scatter", index, source, None)
    source = source[tuple(slice(0, n) for n in counts)]
    # Flat places hide an index beyond its axis from the op's own check.
    checked = FUNCTIONS["take"](
        FUNCTIONS["iota"]((shape[axis],), 0, dtypes.int64), from_start(index)
    )
    places = _crossed(checked, axis, shape)
    source = FUNCTIONS["cast"](source, x.type.dtype)
    changed = FUNCTIONS[how](flatten(x), flatten(places), flatten(source))
    return FUNCTIONS["reshape"](changed, shape)


@eager("scatter")
def scatter(
    input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None,
    reduce: str | None = None,
) -> Any:  # fmt: skip
    """input with elements of src (or a number) at the places that index names along an axis.

    Args:
        input: a tensor.
        dim: the axis.
        index: integers, of the rank of input.
        src: a tensor at least as large as index, or a number.
        reduce: None to replace, "add" to add, "multiply" to multiply.
        value: the number, under PyTorch's name.

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(1, 3)
        >>> gc.scatter(x, 1, gc.tensor([[2, 0]]), gc.tensor([[5.0, 6.0]]))
        tensor([[6., 0., 5.]])
    """
    if (src is None) == (value is None):
        raise ArgumentError("scatter: needs one of src and value", where=caller())
    source = as_eager(src if value is None else value, input)
    if reduce not in (None, "add", "multiply"):
        raise AttributeValueError(
            f"scatter: reduce={reduce!r}", where=caller(), hint='None, "add" or "multiply"'
        )
    index, axis = whole_index("scatter", index), as_axis(dim)
    if reduce == "multiply":
        return _multiplied(input, axis, index, source)
    step = _scatter if reduce is None else _scatter_add
    return call(step, input, index, source, axis=axis)


@named("ScatterBackward0")
def _scatter_multiply(x: Operators, index: Operators, source: Operators, *, axis: int) -> Any:
    return _scattered(x, index, source, axis, "_index_multiply")


def _multiplied(input: AnyTensor, axis: int, index: AnyTensor, source: AnyTensor) -> Any:
    """input with elements multiplied, in turn, at places that may come more than once."""
    result = call(_scatter_multiply, input, index, source, axis=axis)
    if isinstance(result, Tensor) and result._node is None and result._edge is not None:
        raise GradientError(
            'scatter: reduce="multiply" has no gradient', where=caller(),
            hint='use scatter_reduce(..., reduce="prod")',
        )  # fmt: skip
    return result


def whole_index(name: str, index: AnyTensor) -> Any:
    """An index of int64 or int32, the dtypes that PyTorch takes."""
    if index.dtype not in (dtypes.int64, dtypes.int32):
        raise DTypeError(
            f"{name}: the index must be of int64 or int32, not {index.dtype.name}",
            where=caller(),
            hint="convert it: index.long()",
        )
    return index


@eager("scatter_add")
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """input with elements of src added at the places that index names along an axis.

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(3)
        >>> gc.scatter_add(x, 0, gc.tensor([0, 2, 0]), gc.tensor([1.0, 2.0, 3.0]))
        tensor([4., 0., 2.])
    """
    index, axis = whole_index("scatter_add", index), as_axis(dim)
    return call(_scatter_add, input, index, as_eager(src, input), axis=axis)


_REDUCES = {
    "sum": ("index_add", 0.0),
    "mean": ("index_add", 0.0),
    "prod": ("_index_multiply", 1.0),
    "amax": ("_index_maximum", float("-inf")),
    "amin": ("_index_minimum", float("inf")),
}


def _reduce_at(
    x: Operators, source: Operators, reduce: str, include_self: bool, write: Callable[..., Any]
) -> Any:
    """x with sources reduced into it: `write(how, x, source)` writes where the index says."""
    how, start = _REDUCES[reduce]
    dtype = x.type.dtype
    if not include_self:
        x = write("index_update", x, _neutral(start, source))
    result = write(how, x, source)
    if reduce != "mean":
        return result
    ones = FUNCTIONS["full"](x.type.shape, int(include_self), dtype)
    count = write("index_add", ones, FUNCTIONS["full"](source.type.shape, 1, dtype))
    count = FUNCTIONS["maximum"](count, 1)
    return FUNCTIONS["floor_divide" if dtype.is_integer else "divide"](result, count)


def _neutral(start: float, like: Operators) -> Any:
    """What changes nothing that is reduced with it."""
    dtype = like.type.dtype
    if not np.isfinite(start) and not dtype.is_float:
        start = dtypes.greatest(dtype) if start > 0 else dtypes.least(dtype)
    return FUNCTIONS["full"](like.type.shape, float(start) if dtype.is_float else int(start), dtype)


@named("ScatterReduceBackward0")
def _scatter_reduce(
    x: Operators, index: Operators, source: Operators, *, axis: int, reduce: str, include_self: bool
) -> Any:
    def write(how: str, x: Operators, source: Operators) -> Any:
        return _scattered(x, index, source, axis, how)

    return _reduce_at(x, source, reduce, include_self, write)


@named("IndexReduceBackward0")
def _index_reduce(
    x: Operators, index: Operators, source: Operators, *, axis: int, reduce: str, include_self: bool
) -> Any:
    def write(how: str, x: Operators, source: Operators) -> Any:
        return _slices("index_reduce", how, "")(x, index, source, axis=axis)

    return _reduce_at(x, source, reduce, include_self, write)


def _check_reduce(name: str, reduce: str, known: tuple[str, ...]) -> None:
    if reduce not in known:
        raise AttributeValueError(
            f"{name}: reduce={reduce!r}", where=caller(), hint=", ".join(map(repr, known))
        )


@eager()
def scatter_reduce(
    input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True
) -> Any:
    """input with elements of src reduced into the places that index names along an axis.

    Args:
        input: a tensor.
        dim: the axis.
        index: integers, of the rank of input.
        src: a tensor at least as large as index, of input's dtype.
        reduce: "sum", "prod", "mean", "amax" or "amin".
        include_self: whether the element that is there takes part.

    Example:
        >>> import graphc as gc
        >>> x, src = gc.tensor([1.0, 2.0]), gc.tensor([3.0, 5.0, 1.0])
        >>> gc.scatter_reduce(x, 0, gc.tensor([0, 0, 1]), src, "amax")
        tensor([5., 2.])
    """
    _check_reduce("scatter_reduce", reduce, tuple(_REDUCES))
    index, axis, src = whole_index("scatter_reduce", index), as_axis(dim), as_eager(src, input)
    settings: dict[str, Any] = {"reduce": reduce, "include_self": bool(include_self)}
    return call(_scatter_reduce, input, index, src, axis=axis, **settings)


@eager()
def index_reduce(
    input: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True
) -> Any:
    """input with slices of source reduced into the places along an axis that index names.

    Args:
        input: a tensor.
        dim: the axis.
        index: a vector of integers.
        source: a tensor of input's dtype, as long as index along the axis.
        reduce: "prod", "mean", "amax" or "amin".
        include_self: whether the slice that is there takes part.

    Example:
        >>> import graphc as gc
        >>> x, source = gc.tensor([1.0, 2.0]), gc.tensor([3.0, 5.0])
        >>> gc.index_reduce(x, 0, gc.tensor([0, 0]), source, "mean")
        tensor([3., 2.])
    """
    _check_reduce("index_reduce", reduce, ("prod", "mean", "amax", "amin"))
    index, axis = _vector("index_reduce", index, input, dim)
    settings: dict[str, Any] = {"reduce": reduce, "include_self": bool(include_self)}
    return call(_index_reduce, input, index, as_eager(source, input), axis=axis, **settings)


@named("IndexSelectBackward0")
def _index_select(x: Operators, index: Operators, *, axis: int) -> Any:
    if not x.type.shape:
        found = FUNCTIONS["take"](FUNCTIONS["flatten"](x), from_start(index), 0)
        return FUNCTIONS["reshape"](found, ())
    return FUNCTIONS["take"](x, from_start(index), axis)


def _vector(name: str, index: AnyTensor, input: AnyTensor, dim: int) -> tuple[Any, int]:
    """An index of one axis, and the axis it is for."""
    axis = check_axis(name, as_axis(dim), input.ndim or 1)
    if index.ndim > 1:
        raise ShapeError(
            f"{name}: an index of shape {tuple(index.shape)}, not a vector", where=caller()
        )
    index = whole_index(name, index)
    return (index if index.ndim else index.reshape(1)), axis


@eager()
def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices along an axis that a vector of integers names.

    Example:
        >>> import graphc as gc
        >>> gc.index_select(gc.tensor([[1, 2], [3, 4], [5, 6]]), 0, gc.tensor([2, 0]))
        tensor([[5, 6],
                [1, 2]])
    """
    index, axis = _vector("index_select", index, input, dim)
    return call(_index_select, input, index, axis=axis)


def _slices(name: str, how: str, backward: str) -> Any:
    @named(backward)
    def run(x: Operators, index: Operators, source: Operators, *, axis: int) -> Any:
        shape = x.type.shape
        if not shape:
            flat, source = FUNCTIONS["flatten"](x), FUNCTIONS["flatten"](source)
            found = FUNCTIONS[how](flat, from_start(index), source, 0)
            return FUNCTIONS["reshape"](found, ())
        wanted = (*shape[:axis], index.type.shape[0], *shape[axis + 1 :])
        given = source.type.shape
        if len(given) < len(wanted) and source.type.size == 1 and set(wanted) == {1}:
            source = FUNCTIONS["reshape"](source, wanted)
        elif given != wanted:
            raise ShapeError(
                f"{name}: the source has shape {tuple(given)}, the slices that the index names "
                f"{tuple(wanted)}",
                where=caller(),
            )
        return FUNCTIONS[how](x, from_start(index), source, axis)

    run.__name__ = name
    return run


_ADD_SLICES = _slices("index_add", "index_add", "IndexAddBackward0")
_COPY_SLICES = _slices("index_copy", "index_update", "IndexCopyBackward0")


@eager("index_add")
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
    """input with slices of source added at the places along an axis that index names.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(3)
        >>> gc.index_add(x, 0, gc.tensor([0, 0]), gc.tensor([5.0, 7.0]))
        tensor([13.,  1.,  1.])
    """
    index, axis = _vector("index_add", index, input, dim)
    source = source if isinstance(alpha, int | float) and alpha == 1 else source * alpha
    return call(_ADD_SLICES, input, index, source, axis=axis)


@eager()
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """input with slices of source at the places along an axis that index names.

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(3)
        >>> gc.index_copy(x, 0, gc.tensor([2]), gc.tensor([9.0]))
        tensor([0., 0., 9.])
    """
    index, axis = _vector("index_copy", index, input, dim)
    return call(_COPY_SLICES, input, index, source, axis=axis)


@named("IndexFillBackward0")
def _filled(x: Operators, index: Operators, value: Operators, *, axis: int) -> Any:
    shape = x.type.shape
    flat = x if shape else FUNCTIONS["flatten"](x)
    wide = (*shape[:axis], index.type.shape[0], *shape[axis + 1 :])
    value = FUNCTIONS["broadcast_to"](FUNCTIONS["cast"](value, x.type.dtype, "wrap"), wide)
    return FUNCTIONS["reshape"](FUNCTIONS["index_update"](flat, index, value, axis), shape)


@eager()
def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """input with a number at the places along an axis that index names, -1 the last.

    Example:
        >>> import graphc as gc
        >>> x = gc.arange(4)
        >>> gc.index_fill(x, 0, gc.tensor([0, 2]), -1)
        tensor([-1,  1, -1,  3])
    """
    index, axis = _vector("index_fill", index, input, dim)
    return call(_filled, input, index, one_value("index_fill", value, input), axis=axis)


def one_value(name: str, value: Any, input: Tensor) -> Any:
    """A number or a 0-d tensor."""
    value = as_eager(value, input)
    if value.ndim:
        raise ShapeError(
            f"{name}: the value must be a number or a 0-d tensor, its shape is "
            f"{tuple(value.shape)}",
            where=caller(),
        )
    return value

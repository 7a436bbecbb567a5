"""Choosing and placing elements by PyTorch's names: where, gather, scatter, masks, index_*."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import dtypes
from graphc.autograd.mode import state
from graphc.eager import quiet
from graphc.eager.elementwise import F32, F64, record_pair
from graphc.eager.hot import hot
from graphc.eager.registry import as_eager, call, call_list, eager, eager_form, named
from graphc.eager.tensor import Tensor, wrap
from graphc.errors import AttributeValueError, ShapeError
from graphc.ir import caller
from graphc.operators import FUNCTIONS


@named("WhereBackward0")
def _where(condition: Any, x: Any, y: Any) -> Any:
    return FUNCTIONS["where"](condition, x, y)


@eager("where")
def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """input where a condition holds, other elsewhere; of the condition alone, its true places.

    Example:
        >>> import graphc as gc
        >>> gc.where(gc.tensor([True, False]), 1.0, 0.0)
        tensor([1., 0.])
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    like = next((v for v in (input, other) if isinstance(v, Tensor)), None)
    return call(_where, condition, as_eager(input, like), as_eager(other, like))


@eager()
def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """The places of the elements that are not 0, one row each (or one vector for each axis).

    Their number depends on the values. Has no gradient.

    Example:
        >>> import graphc as gc
        >>> gc.nonzero(gc.tensor([0, 5, 7]))
        tensor([[1],
                [2]])
    """
    places = np.nonzero(np.atleast_1d(input.numpy()))
    if as_tuple:
        return tuple(wrap(p) for p in places)
    if input.ndim == 0:
        return wrap(np.zeros((len(places[0]), 0), np.int64))
    return wrap(np.stack(places, 1))


@eager("argwhere")
def argwhere(input: Any) -> Any:
    """`nonzero` under NumPy's name."""
    return nonzero(input)


@named("GatherBackward0")
def _gather(x: Any, index: Any, *, axis: int) -> Any:
    if not x.type.shape:
        return FUNCTIONS["reshape"](FUNCTIONS["take"](x, index), index.type.shape)
    shape, places = x.type.shape, index.type.shape
    cut = tuple(
        slice(None) if a == axis % len(shape) else slice(0, n) for a, n in enumerate(places)
    )
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
    return call(_gather, input, index, axis=int(dim))


@eager("take_along_dim", "take_along_axis")
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """`gather` whose index broadcasts; of the flattened tensor without `dim`."""
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    sizes = np.broadcast_shapes(
        *[tuple(1 if a == dim % input.ndim else s for a, s in enumerate(x.shape))
          for x in (input, indices)]
    )  # fmt: skip
    axis = dim % input.ndim
    index = indices.expand(*[indices.shape[a] if a == axis else s for a, s in enumerate(sizes)])
    whole = input.expand(*[input.shape[a] if a == axis else s for a, s in enumerate(sizes)])
    return gather(whole, dim, index)


def _crossed(index: Any, axis: int, shape: Any) -> Any:
    """The row-major places, in a tensor of `shape`, of elements whose place along axis is given."""
    places = FUNCTIONS["cast"](index, dtypes.int64)
    size = shape[axis]
    places = FUNCTIONS["where"](places < 0, places + size, places)
    stride: Any = 1
    total: Any = None
    for a in reversed(range(len(shape))):
        along = places if a == axis else FUNCTIONS["iota"](index.type.shape, a, dtypes.int64)
        total = along * stride if total is None else total + along * stride
        stride = stride * shape[a]
    return total


@named("ScatterBackward0")
def _scatter(x: Any, index: Any, source: Any, *, axis: int) -> Any:
    return _scattered(x, index, source, axis, "index_update")


@named("ScatterAddBackward0")
def _scatter_add(x: Any, index: Any, source: Any, *, axis: int) -> Any:
    return _scattered(x, index, source, axis, "index_add")


def _scattered(x: Any, index: Any, source: Any, axis: int, how: str) -> Any:
    shape, counts = x.type.shape, index.type.shape
    flatten = FUNCTIONS["flatten"]
    if not shape:
        return FUNCTIONS["reshape"](
            _scattered(flatten(x), flatten(index), flatten(source), 0, how), ()
        )
    axis %= len(shape)
    if source.type.shape == ():
        source = FUNCTIONS["broadcast_to"](source, counts)
    source = source[tuple(slice(0, n) for n in counts)]
    # Flat places hide an index beyond its axis from the op's own check.
    checked = FUNCTIONS["take"](FUNCTIONS["iota"]((shape[axis],), 0, dtypes.int64), index)
    places = _crossed(checked, axis, shape)
    source = FUNCTIONS["cast"](source, x.type.dtype)
    changed = FUNCTIONS[how](flatten(x), flatten(places), flatten(source))
    return FUNCTIONS["reshape"](changed, shape)


@eager("scatter")
def scatter(input: Any, dim: int, index: Any, src: Any, *, reduce: str | None = None) -> Any:
    """input with elements of src (or a number) at the places that index names along an axis.

    Args:
        input: a tensor.
        dim: the axis.
        index: integers, of the rank of input.
        src: a tensor at least as large as index, or a number.
        reduce: None to replace, "add" to add.
    """
    source = as_eager(src, input)
    if reduce not in (None, "add"):
        raise AttributeValueError(
            f"scatter: reduce={reduce!r}", where=caller(), hint='one of None and "add"'
        )
    step = _scatter if reduce is None else _scatter_add
    return call(step, input, index, source, axis=int(dim))


@eager("scatter_add")
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """input with elements of src added at the places that index names along an axis."""
    return call(_scatter_add, input, index, as_eager(src, input), axis=int(dim))


@named("IndexSelectBackward0")
def _index_select(x: Any, index: Any, *, axis: int) -> Any:
    return FUNCTIONS["take"](x, index, axis)


@eager()
def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices along an axis that a vector of integers names."""
    return call(_index_select, input, index, axis=int(dim))


@named("IndexAddBackward0")
def _index_add(x: Any, index: Any, source: Any, *, axis: int) -> Any:
    return FUNCTIONS["index_add"](x, index, source, axis)


@named("IndexCopyBackward0")
def _index_copy(x: Any, index: Any, source: Any, *, axis: int) -> Any:
    return FUNCTIONS["index_update"](x, index, source, axis)


@eager("index_add")
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
    """input with slices of source added at the places along an axis that index names."""
    return call(_index_add, input, index, source if alpha == 1 else source * alpha, axis=int(dim))


@eager()
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """input with slices of source at the places along an axis that index names."""
    return call(_index_copy, input, index, source, axis=int(dim))


@eager()
def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """input with a number at the places along an axis that index names."""
    shape = tuple(len(index) if a == dim % input.ndim else s for a, s in enumerate(input.shape))
    return index_copy(input, dim, index, as_eager(value, input).to(input.dtype).expand(shape))


@named("MaskedFillBackward0")
def _masked_fill(x: Any, mask: Any, value: Any) -> Any:
    return FUNCTIONS["where"](mask, FUNCTIONS["cast"](value, x.type.dtype), x)


@eager()
def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """input with a value where a mask, which broadcasts, is true.

    Example:
        >>> import graphc as gc
        >>> gc.masked_fill(gc.zeros(2), gc.tensor([True, False]), 5.0)
        tensor([5., 0.])
    """
    return call(_masked_fill, input, mask, as_eager(value, input))


@eager()
def masked_select(input: Any, mask: Any) -> Any:
    """The elements where a mask is true, as a vector; its size depends on the values."""
    shape = np.broadcast_shapes(tuple(input.shape), tuple(mask.shape))
    places = np.flatnonzero(np.broadcast_to(mask.numpy(), shape))
    return index_select(input.expand(*shape).reshape(-1), 0, wrap(places))


@eager()
def masked_scatter(input: Any, mask: Any, source: Any) -> Any:
    """input with the first elements of source, in order, where a mask is true."""
    places = np.flatnonzero(np.broadcast_to(mask.numpy(), tuple(input.shape)))
    flat = source.reshape(-1)
    if len(places) > flat.shape[0]:
        raise ShapeError(
            f"masked_scatter: {len(places)} places for {flat.shape[0]} elements", where=caller()
        )
    return index_copy(input.reshape(-1), 0, wrap(places), flat[: len(places)]).reshape(input.shape)


def _flip(x: Any, *, axes: Any) -> Any:
    return FUNCTIONS["flip"](x, axes)


@eager("flip")
def flip(input: Any, *dims: Any) -> Any:
    """The elements along axes in reverse order, copied."""
    axes = dims[0] if len(dims) == 1 and isinstance(dims[0], list | tuple) else dims
    return call(_flip, input, axes=tuple(axes) if axes else None)


@eager("roll")
def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """The elements moved along axes; those that fall off come in at the other end."""
    shift = tuple(shifts) if isinstance(shifts, list | tuple) else shifts
    axes = tuple(dims) if isinstance(dims, list | tuple) else dims
    if isinstance(axes, tuple) and isinstance(shift, int):
        shift = (shift,)
    return _ROLL(input, shift, axes)


_ROLL = eager_form("roll", FUNCTIONS["roll"])


@named("RepeatBackward0")
def _tiled(x: Any, *, reps: Any) -> Any:
    return FUNCTIONS["tile"](x, reps)


@eager("tile")
def tile(input: Any, *dims: Any) -> Any:
    """The tensor repeated as a whole along axes."""
    reps = dims[0] if len(dims) == 1 and isinstance(dims[0], list | tuple) else dims
    return call(_tiled, input, reps=tuple(int(r) for r in reps))


def _repeated(x: Any, *, repeats: int, axis: Any) -> Any:
    return FUNCTIONS["repeat"](x, repeats, axis)


@eager()
def repeat_interleave(input: Any, repeats: Any, dim: Any = None) -> Any:
    """Each element repeated: a number of times, or its own number along an axis."""
    if isinstance(repeats, Tensor) and repeats.ndim:
        x = input.reshape(-1) if dim is None else input
        places = np.repeat(np.arange(x.shape[dim or 0]), repeats.numpy())
        return index_select(x, dim or 0, wrap(places))
    return call(_repeated, input, repeats=int(repeats), axis=dim)


@eager()
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """Vectors as the axes of a grid: for each, its values over the whole grid."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    order = list(given)
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


def _product(name: str, backward: str) -> Any:
    function = FUNCTIONS[name]

    @named(backward)
    def run(x: Any, y: Any) -> Any:
        return function(x, y)

    run.__name__ = name
    return run


_MM, _BMM, _MV, _DOT = (_product("matmul", f"{n}Backward0") for n in ("Mm", "Bmm", "Mv", "Dot"))


@eager("matmul")
def matmul(input: Any, other: Any) -> Any:
    """The matrix product, batched over leading axes, with vectors as rows and columns.

    Example:
        >>> import graphc as gc
        >>> gc.matmul(gc.ones(2, 3), gc.ones(3))
        tensor([3., 3.])
    """
    if isinstance(input, np.ndarray) or isinstance(other, np.ndarray):
        input, other = as_eager(input), as_eager(other)
    if not hot.slow and isinstance(input, Tensor) and isinstance(other, Tensor):
        x, y = input._array, other._array
        # NumPy's own product of matrices, which its BLAS computes.
        dtype = x.dtype
        is_float = dtype is y.dtype and (dtype is F32 or dtype is F64)
        if is_float and x.ndim == 2 == y.ndim and x.shape[1] == y.shape[0]:
            result = wrap(quiet.run(np.matmul, x, y))
            if state.enabled and (input._edge is not None or other._edge is not None):
                record_pair(_MM, input, other, result)
            return result
    ranks = (input.ndim, other.ndim)
    if ranks == (2, 2):
        return call(_MM, input, other)
    step = _DOT if ranks == (1, 1) else _MV if ranks == (2, 1) else _BMM
    return call(step, input, other)


def _of_rank(name: str, *pairs: tuple[Any, int]) -> None:
    for tensor, rank in pairs:
        if tensor.ndim != rank:
            raise ShapeError(
                f"{name}: a tensor of shape {tuple(tensor.shape)} where one with {rank} axes "
                "is needed",
                where=caller(),
                hint="use gc.matmul, which broadcasts",
            )


@eager()
def mm(input: Any, mat2: Any) -> Any:
    """The product of two matrices."""
    _of_rank("mm", (input, 2), (mat2, 2))
    return matmul(input, mat2)


@eager()
def bmm(input: Any, mat2: Any) -> Any:
    """The products of two batches of matrices."""
    _of_rank("bmm", (input, 3), (mat2, 3))
    return matmul(input, mat2)


@eager()
def mv(input: Any, vec: Any) -> Any:
    """The product of a matrix and a vector."""
    _of_rank("mv", (input, 2), (vec, 1))
    return matmul(input, vec)


@eager("dot", "inner")
def dot(input: Any, other: Any) -> Any:
    """The sum of the products of two vectors."""
    _of_rank("dot", (input, 1), (other, 1))
    return matmul(input, other)


@named("AddmmBackward0")
def _addmm(x: Any, a: Any, b: Any, beta: Any, alpha: Any) -> Any:
    return beta * x + alpha * FUNCTIONS["matmul"](a, b)


@eager("addmm", "addmv", "baddbmm", "addbmm")
def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta * input + alpha * (mat1 @ mat2)."""
    return call(_addmm, input, mat1, mat2, as_eager(beta, input), as_eager(alpha, input))


@named("EinsumBackward0")
def _einsum(operands: Any, *, equation: str) -> Any:
    return FUNCTIONS["einsum"](equation, *operands)


@eager("einsum")
def einsum(equation: str, *operands: Any) -> Any:
    """Einstein's summation: axes by letters, summed where the result lacks them.

    Example:
        >>> import graphc as gc
        >>> gc.einsum("ij,jk->ik", gc.ones(2, 3), gc.ones(3, 2))
        tensor([[3., 3.],
                [3., 3.]])
    """
    given = (
        operands[0] if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    )
    return call_list(_einsum, list(given), equation=equation)

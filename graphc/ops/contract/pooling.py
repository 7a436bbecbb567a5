"""Windows over images and pooling: `windows`, its transpose, max_pool and avg_pool.

windows(x; kernel, stride, padding, dilation, value)     (N, C, *S) -> (N, C, *out, *kernel)
windows_transpose(ct; shape, stride, padding, dilation)  the sum of overlapping windows
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.dims import Size
from graphc.core.ir import Cost, IndexMap, Kind, Library, Node, Op, Piece, Sample, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import TensorType
from graphc.core.typing import Number, Operand
from graphc.errors import AttributeValueError, DTypeError, ShapeError
from graphc.ops.arrays.lookup import trusted_along_axis
from graphc.ops.arrays.movement import PAD, Index
from graphc.ops.arrays.shaping import reshape, transpose
from graphc.ops.batch import with_first
from graphc.ops.contract.convolution import Ints, out_size, spatial_ints
from graphc.ops.control import GRADIENT_AS
from graphc.ops.declare import as_tensor, declare, describe, public


def _windows_infer(
    x: TensorType, *, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, value: Number
) -> TensorType:
    if any(len(a) != x.rank - 2 for a in (kernel, stride, padding, dilation)):
        raise ShapeError(f"windows: kernel {kernel}, stride {stride} do not fit {x}")
    out = map(out_size, x.shape[2:], kernel, stride, padding, dilation)
    return x.with_shape((*x.shape[:2], *out, *kernel))


def _windows_numpy(x: np.ndarray, *, value: Number, **how: Any) -> np.ndarray:
    kernel, stride, padding, dilation = (
        how[name] for name in ("kernel", "stride", "padding", "dilation")
    )
    out: Any = tuple(map(out_size, x.shape[2:], kernel, stride, padding, dilation))
    image = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)), constant_values=value)
    rank = len(kernel)
    result = image
    for axis, (n, k, s, d) in enumerate(zip(out, kernel, stride, dilation)):
        places = np.arange(n)[:, None] * s + np.arange(k) * d
        result = np.take(result, places, 2 + 2 * axis)
    order = [2 + 2 * a for a in range(rank)] + [3 + 2 * a for a in range(rank)]
    return result.transpose(0, 1, *order)


def _windows_pieces(node: Node, index: Index, read: Callable[..., Any]) -> Sequence[Piece]:
    sizes = node.inputs[0].type.shape[2:]  # type: ignore[union-attr]
    rank = len(sizes)
    at: list[Size] = list(index[:2])
    guards = []
    for o, k, size, s, p, d in zip(
        index[2 : 2 + rank],
        index[2 + rank :],
        sizes,
        node.attr("stride"),
        node.attr("padding"),
        node.attr("dilation"),
    ):
        place = o * s + k * d - p
        at.append(place)
        if p:
            guards.append((place, 0, size))
    inside = Piece(0, tuple(at), tuple(guards))
    return [inside, Piece(None, value=node.attr("value"))] if guards else [inside]


def _how(node: Node) -> dict[str, Any]:
    return {name: node.attr(name) for name in ("stride", "padding", "dilation")}


def _windows_vjp(node: Any, ct: Node) -> tuple[Any]:
    shape, kernel = node.inputs[0].type.shape[2:], node.attr("kernel")
    how = _how(node)
    tight = kernel == how["stride"] and not any(how["padding"])
    if tight and all(d == 1 or k == 1 for d, k in zip(how["dilation"], kernel)):
        return (_laid_out(ct, shape),)
    return (WINDOWS_TRANSPOSE(ct, shape=shape, **how),)


def _laid_out(ct: Operators, shape: tuple[Size, ...]) -> Any:
    """Windows that touch and do not overlap, put back side by side: movement alone."""
    rank = len(shape)
    out, kernel = ct.type.shape[2 : 2 + rank], ct.type.shape[2 + rank :]
    order = [axis for a in range(rank) for axis in (2 + a, 2 + rank + a)]
    covered = [n * k for n, k in zip(out, kernel)]
    image = reshape(transpose(ct, (0, 1, *order)), (*ct.type.shape[:2], *covered))
    zero = (0,) * (rank + 2)
    high = (0, 0, *(size - c for size, c in zip(shape, covered)))
    if high == zero:
        return image
    return PAD(image, low=zero, high=high, interior=zero, value=0)


WINDOWS = declare(
    Op(
        "windows", Kind.MOVEMENT, _windows_infer, _windows_numpy, _windows_vjp,
        IndexMap(_windows_pieces),
        batch=with_first,
        samples=lambda: [
            _window((2, 1, 5), (3,), (1,), (1,), (1,)),
            _window((1, 2, 6, 5), (2, 2), (2, 2), (0, 0), (1, 1)),
            _window((1, 1, 6, 4), (3, 2), (2, 1), (1, 1), (1, 2)),
            _window((1, 1, 1), (1,), (1,), (0,), (1,)),
            _window((0, 1, 4), (2,), (1,), (0,), (1,)),
            _window((1, 1, 2), (3,), (1,), (0,), (1,)),
        ],
        doc="The elements under each place of a kernel; `value` where it leaves the image.",
        cost=Cost(4.0),
    )
)  # fmt: skip


def _window(shape: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Sample:
    how = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    return Sample(((shape, "float32", "real"),), {**how, "value": 0.0})


def _transpose_infer(
    ct: TensorType, *, shape: tuple[Size, ...], stride: Ints, padding: Ints, dilation: Ints
) -> TensorType:
    rank = len(shape)
    out, kernel = ct.shape[2 : 2 + rank], ct.shape[2 + rank :]
    fits = ct.rank == 2 + 2 * rank and all(isinstance(k, int) for k in kernel)
    if not fits or out != tuple(map(out_size, shape, kernel, stride, padding, dilation)):
        raise ShapeError(f"windows_transpose: {ct} are no windows of an image of {shape}")
    if ct.dtype.kind == "bool":
        raise DTypeError("windows_transpose: bool is not supported", where=caller())
    return ct.with_shape((*ct.shape[:2], *shape))


def _transpose_numpy(ct: Any, *, shape: Ints, **how: Any) -> np.ndarray:
    stride, padding, dilation = how["stride"], how["padding"], how["dilation"]
    rank = len(shape)
    out, kernel = ct.shape[2 : 2 + rank], ct.shape[2 + rank :]
    ct, dtype = dtypes.widened(ct), ct.dtype
    full = [size + 2 * p for size, p in zip(shape, padding)]
    image: Any = np.zeros((*ct.shape[:2], *full), ct.dtype)
    for k in np.ndindex(*kernel) if 0 not in out else ():
        part = tuple(
            slice(a * d, a * d + (n - 1) * s + 1, s) for a, n, s, d in zip(k, out, stride, dilation)
        )
        image[(..., *part)] += ct[(..., *k)]
    inside = tuple(slice(p, p + size) for p, size in zip(padding, shape))
    return image[(..., *inside)].astype(dtype)


def _transpose_vjp(node: Any, ct: Node) -> tuple[Any]:
    kernel = node.inputs[0].type.shape[2 + len(node.attr("shape")) :]
    return (WINDOWS(ct, kernel=kernel, value=0, **_how(node)),)


def _transposed(ct: Ints, shape: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Sample:
    how = {"stride": stride, "padding": padding, "dilation": dilation}
    return Sample(((ct, "float32", "real"),), {"shape": shape, **how})


WINDOWS_TRANSPOSE = declare(
    Op(
        "windows_transpose", Kind.LIBRARY, _transpose_infer, _transpose_numpy, _transpose_vjp,
        Library("windows_transpose"),
        batch=with_first,
        samples=lambda: [
            _transposed((2, 1, 5, 3), (5,), (1,), (1,), (1,)),
            _transposed((1, 2, 3, 4, 3, 2), (6, 4), (2, 1), (1, 1), (1, 2)),
            _transposed((1, 1, 2, 2, 2, 2, 2, 1), (3, 4, 2), (1, 2, 1), (0, 0, 0), (1, 1, 1)),
            _transposed((0, 1, 3, 2), (4,), (1,), (0,), (1,)),
            _transposed((1, 1, 0, 3), (2,), (1,), (0,), (1,)),
        ],
        doc="The image (N, C, *shape) that sums windows at their places.",
        cost=Cost(4.0),
    )
)  # fmt: skip


def _pooled(
    name: str,
    x: Operators,
    kernel_size: int | Sequence[int],
    stride: Any,
    padding: int | Sequence[int],
    dilation: int | Sequence[int],
    value: Number,
) -> tuple[Any, int]:
    """The windows with their elements as one last axis, and the number of spatial axes."""
    rank = len(x.type.shape) - 2
    if not 1 <= rank <= 3:
        raise ShapeError(
            f"{name}: x must be (N, C, *spatial) with 1 to 3 spatial axes",
            [describe(x)],
            where=caller(),
        )
    kernel = spatial_ints(name, "kernel_size", kernel_size, rank, 1)
    steps = kernel if stride is None else spatial_ints(name, "stride", stride, rank, 1)
    around = spatial_ints(name, "padding", padding, rank, 0)
    apart = spatial_ints(name, "dilation", dilation, rank, 1)
    if any(2 * p > k for p, k in zip(around, kernel)):
        raise AttributeValueError(
            f"{name}: padding {around} is more than half the kernel size {kernel}", where=caller()
        )
    w = WINDOWS(x, kernel=kernel, stride=steps, padding=around, dilation=apart, value=value)
    if 0 in w.type.shape[2:]:
        raise ShapeError(
            f"{name}: a kernel of {kernel} does not fit the padded image",
            [describe(x)],
            where=caller(),
        )
    return w, rank


def tiled_max(x: Any, kernel: Ints) -> Any:
    """The greatest element of each tile of an image, the gradient going where `greatest` is.

    The elements of a tile are compared one after the other, over the whole image at once. For
    the gradient the same value is the sum of what a mask leaves of the image, so that it flows
    back by a copy to every place and a comparison there.

    Args:
        x: (N, C, *spatial), of fixed spatial sizes.
        kernel: the tiles' sizes; what is left over at the ends of the image is not looked at.

    Returns:
        (N, C, *out), out = spatial // kernel.
    """
    shape = x.type.shape
    out = [s // k for s, k in zip(shape[2:], kernel)]
    x = x[(slice(None), slice(None), *(slice(0, o * k) for o, k in zip(out, kernel)))]
    split = reshape(x, (*shape[:2], *(n for pair in zip(out, kernel) for n in pair)))
    best = which = number = None
    for count, place in enumerate(np.ndindex(*kernel)):
        cut = [slice(None)] * 2 + [i for p in place for i in (slice(None), p)]
        each = split[tuple(cut)]
        if best is None:
            best, which = each, FUNCTIONS["full"](each.type.shape, 0, dtypes.int32)
            continue
        better = each > best
        better = (better | (each != each)) if x.type.dtype.is_float else better
        best = FUNCTIONS["where"](better, each, best)
        which = FUNCTIONS["where"](better, count, which)
    axes = tuple(range(3, 3 + 2 * len(kernel), 2))
    for axis, k in zip(axes, kernel):
        along = FUNCTIONS["iota"](split.type.shape, axis, dtypes.int32)
        number = along if number is None else number * k + along
    wide = reshape(which, tuple(1 if a in axes else n for a, n in enumerate(split.type.shape)))
    chosen = FUNCTIONS["where"](number == wide, split, 0)
    if not x.type.dtype.is_float:
        return best
    return GRADIENT_AS(best, FUNCTIONS["sum"](chosen, axes))


# Comparing more elements one by one would make kernels too long.
MOST_COMPARED = 16


def is_tiled(
    shape: Sequence[Size], kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> bool:
    """Whether windows are tiles of an image of fixed size, small enough for `tiled_max`."""
    return (
        kernel == stride
        and not any(padding)
        and all(d == 1 for d in dilation)
        and all(isinstance(s, int) and s >= k for s, k in zip(shape[2:], kernel))
        and 1 < int(np.prod(kernel)) <= MOST_COMPARED
    )


def _first_inside(shape: Sequence[Size], how: tuple[Ints, ...]) -> Any:
    """For each place of a kernel (1, 1, *out): the number of its first element in the image."""
    kernel, stride, padding, dilation = how
    rank = len(kernel)
    number: Any = 0
    for axis in range(rank):
        size = shape[2 + axis]
        line = (1, 1, *(size if a == axis else 1 for a in range(rank)))
        start = FUNCTIONS["iota"](line, 2 + axis, dtypes.int64) * stride[axis] - padding[axis]
        before = FUNCTIONS["maximum"](-start, 0)
        inside = FUNCTIONS["floor_divide"](before + (dilation[axis] - 1), dilation[axis])
        number = number * kernel[axis] + inside
    return number


def greatest(flat: Any) -> Any:
    """The number of the first greatest element along the last axis, or of the last nan.

    As PyTorch's pooling has it, whose `argmax` names the first nan.

    Args:
        flat: (..., elements), a fixed number of them.

    Returns:
        (...), int64.
    """
    best = FUNCTIONS["argmax"](flat, -1)
    if not flat.type.dtype.is_float:
        return best
    shape = flat.type.shape
    number = FUNCTIONS["iota"](shape, len(shape) - 1, dtypes.int32)
    last = FUNCTIONS["max"](FUNCTIONS["where"](flat != flat, number, -1), -1)
    return FUNCTIONS["where"](last >= 0, FUNCTIONS["cast"](last, dtypes.int64), best)


def greatest_places(flat: Any, how: tuple[Ints, ...]) -> Any:
    """The number of the `greatest` element of each window, one that is in the image.

    Where all are the least number there is, the padding around the image equals them.

    Args:
        flat: (N, C, *out, elements), windows with the least value outside the image.
        how: kernel, stride, padding and dilation.

    Returns:
        (N, C, *out), int64.
    """
    best = greatest(flat)
    if not any(how[2]):
        return best
    shape = best.type.shape
    value = reshape(trusted_along_axis(flat, reshape(best, (*shape, 1)), -1), shape)
    return FUNCTIONS["where"](
        value == dtypes.least(flat.type.dtype), _first_inside(shape, how), best
    )


@public
def max_pool(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1
) -> Any:
    """The greatest element under each place of a kernel, as PyTorch's `max_pool1d` to `3d`.

    nan counts as the greatest. The gradient goes to the first greatest element of each window, and
    where there are several nans to the last of them.

    Args:
        x: (N, C, *spatial).
        kernel_size: an int, or one for each spatial axis.
        stride: the kernel size unless given.
        padding: places around the image that never win; at most half the kernel size.
        dilation: distance between kernel elements.

    Returns:
        (N, C, *out), `out = (size + 2 padding - dilation (kernel - 1) - 1) // stride + 1`.

    Example:
        >>> import graphc as gc
        >>> gc.max_pool(gc.tensor([[[1.0, 5.0, 2.0, 3.0]]]), 2)
        tensor([[[5., 3.]]])
    """
    x = as_tensor(x, "max_pool")
    rank = len(x.type.shape) - 2
    how = (kernel_size if stride is None else stride, padding, dilation)
    if all(isinstance(v, int) for v in (kernel_size, *how)) and 1 <= rank <= 3:
        spread = [(v,) * rank for v in (kernel_size, *how)]
        if is_tiled(x.type.shape, *spread):
            return tiled_max(x, spread[0])
    least = dtypes.least(x.type.dtype)
    w, rank = _pooled("max_pool", x, kernel_size, stride, padding, dilation, least)
    place = w.type.shape[: 2 + rank]
    flat = reshape(w, (*place, int(np.prod(w.type.shape[2 + rank :]))))
    first = greatest_places(flat, tuple(w.attr(n) for n in ("kernel", *_how(w))))
    return reshape(trusted_along_axis(flat, reshape(first, (*place, 1)), -1), place)


def mean_of(total: Any, count: Size) -> Any:
    """A sum divided by its number of terms: of integers towards 0, as PyTorch's pooling has it."""
    if total.type.dtype.is_float:
        return total / count
    return FUNCTIONS["floor_divide"](total - FUNCTIONS["fmod"](total, count), count)


def check_averaged(name: str, x: Any) -> None:
    """Refuse what has no mean in pooling: floats have one, and int64.

    Raises:
        DTypeError: x is of another dtype.
    """
    if not x.type.dtype.is_float and x.type.dtype is not dtypes.int64:
        raise DTypeError(
            f"{name}: {x.type.dtype.name} is not supported",
            [describe(x)],
            where=caller(),
            hint="cast it to float32, or to int64 for whole means",
        )


@public
def avg_pool(
    x: Operand,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    count_include_pad: bool = True,
) -> Any:
    """The mean of the elements under each place of a kernel, as PyTorch's `avg_pool1d` to `3d`.

    Args:
        x: (N, C, *spatial), floats, or int64 whose means are cut towards 0.
        kernel_size: an int, or one for each spatial axis.
        stride: the kernel size unless given.
        padding: zeros around the image; at most half the kernel size.
        count_include_pad: whether they count.

    Returns:
        (N, C, *out), `out = (size + 2 padding - kernel) // stride + 1`.

    Example:
        >>> import graphc as gc
        >>> gc.avg_pool(gc.tensor([[[1.0, 5.0, 2.0, 4.0]]]), 2)
        tensor([[[3., 3.]]])
    """
    x = as_tensor(x, "avg_pool")
    check_averaged("avg_pool", x)
    w, rank = _pooled("avg_pool", x, kernel_size, stride, padding, 1, 0)
    axes = tuple(range(2 + rank, 2 + 2 * rank))
    total = FUNCTIONS["sum"](w, axes)
    padded = np.any(np.asarray(padding) != 0)
    if count_include_pad or not padded:
        return mean_of(total, int(np.prod(w.type.shape[2 + rank :])))
    ones = FUNCTIONS["full"]((1, 1, *x.type.shape[2:]), 1, x.type.dtype)
    counts, _ = _pooled("avg_pool", ones, kernel_size, stride, padding, 1, 0)
    return mean_of(total, FUNCTIONS["sum"](counts, axes))

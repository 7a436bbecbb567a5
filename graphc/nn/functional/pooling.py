"""Pooling: the greatest or the mean element under each place of a kernel.

`max_pool1d` to `3d`, `avg_pool1d` to `3d`, `lp_pool1d` to `3d`, `max_unpool1d` to `3d`; pooling to
a given size is in `pooling_adaptive`.
"""

from __future__ import annotations

import math
from typing import Any

from graphc.core import dims
from graphc.core.ir import caller
from graphc.core.typing import DTypeLike
from graphc.eager.engine.composite import composite
from graphc.eager.engine.registry import named
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import AttributeValueError, ShapeError
from graphc.nn.functional.common import frozen, show
from graphc.nn.functional.conv import batched
from graphc.ops.arrays.filled import arange
from graphc.ops.arrays.joining import pad
from graphc.ops.arrays.lookup import trusted_along_axis
from graphc.ops.arrays.shaping import reshape, squeeze
from graphc.ops.arrays.statistics import sum as sum_
from graphc.ops.contract.convolution import spatial_ints
from graphc.ops.contract.pooling import (
    WINDOWS,
    check_averaged,
    greatest_places,
    is_tiled,
    lowest,
    mean_of,
    tiled_max,
)
from graphc.ops.elementwise.extremes import maximum, minimum
from graphc.ops.elementwise.logic import where
from graphc.ops.elementwise.power import power

Ints = tuple[int, ...]


class _Places:
    """Where the places of a kernel are: for each axis its size, step, room and number."""

    def __init__(
        self, name: str, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool
    ) -> None:
        rank = len(x.type.shape) - 2
        self.kernel = spatial_ints(name, "kernel_size", kernel, rank, 1)
        empty = stride is None or stride == ()
        self.stride = self.kernel if empty else spatial_ints(name, "stride", stride, rank, 1)
        self.padding = spatial_ints(name, "padding", padding, rank, 0)
        self.dilation = spatial_ints(name, "dilation", dilation, rank, 1)
        if any(2 * p > k for p, k in zip(self.padding, self.kernel)):
            raise AttributeValueError(
                f"{name}: padding {self.padding} is more than half the kernel size {self.kernel}",
                where=caller(),
            )
        self.sizes = x.type.shape[2:]
        self.extra = [0] * rank
        if ceil:
            self.extra = [self._beyond(a) for a in range(rank)]
        self.out = [self._count(a) for a in range(rank)]
        if 0 in self.out:
            raise ShapeError(
                f"{name}: a kernel of {self.kernel} does not fit the padded image",
                [f"input {show(x.type.shape)}"],
                where=caller(),
            )

    def _reach(self, axis: int) -> int:
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def _count(self, axis: int) -> Any:
        room = self.sizes[axis] + 2 * self.padding[axis] + self.extra[axis] - self._reach(axis)
        return dims.maximum(room // self.stride[axis] + 1, 0)

    def _beyond(self, axis: int) -> Any:
        """What ceil_mode adds behind, so that the last place, which starts inside, fits."""
        size, p, s = self.sizes[axis], self.padding[axis], self.stride[axis]
        room = size + 2 * p - self._reach(axis)
        count = dims.minimum(-(-room // s) + 1, (size + p - 1) // s + 1)
        return dims.maximum((count - 1) * s - room, 0)

    def windows(self, x: AnyTensor, value: Any) -> Any:
        """The elements under each place, `value` outside the image."""
        if any(e != 0 for e in self.extra):
            x = pad(x, [(0, 0), (0, 0), *((0, e) for e in self.extra)], value)
        return WINDOWS(
            x, kernel=self.kernel, stride=self.stride, padding=self.padding,
            dilation=self.dilation, value=value,
        )  # fmt: skip

    def along(self, axis: int, values: Any) -> Any:
        """A 1-d tensor lined up with a spatial axis of the result."""
        shape = [1] * (len(self.out) + 2)
        shape[2 + axis] = values.type.shape[0]
        return reshape(values, shape)

    def indices(self, best: Any) -> Any:
        """Places in the flat image of elements named by their number in their window."""
        flat: Any = 0
        step = 1
        for axis in reversed(range(len(self.out))):
            inner = math.prod(self.kernel[axis + 1 :])
            within = best // inner % self.kernel[axis] * self.dilation[axis]
            start = arange(self.out[axis]) * self.stride[axis] - self.padding[axis]
            flat = (within + self.along(axis, start)) * step + flat
            step = step * self.sizes[axis]
        return flat

    def counts(self, dtype: DTypeLike, include_pad: bool) -> Any:
        """How many elements count at each place, for averages."""
        total: Any = 1
        for axis, size in enumerate(self.sizes):
            p, k = self.padding[axis], self.kernel[axis]
            start = arange(self.out[axis]) * self.stride[axis] - p
            end = minimum(start + k, size + (p if include_pad else 0))
            many = end - (start if include_pad else maximum(start, 0))
            total = self.along(axis, many) * total
        return total.astype(dtype)


@composite
@named("MaxPoolWithIndicesBackward0")
def _max_pool(
    x: Any,
    *,
    rank: int,
    kernel: Any,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    ceil: bool,
    indices: bool,
) -> Any:
    x, single = batched(f"max_pool{rank}d", x, rank)
    places = _Places(f"max_pool{rank}d", x, kernel, stride, padding, dilation, ceil)
    how = (places.kernel, places.stride, places.padding, places.dilation)
    if not indices and not any(places.extra) and is_tiled(x.type.shape, *how):
        y = tiled_max(x, places.kernel)
        return squeeze(y, 0) if single else y
    seen = places.windows(x, lowest(x.type.dtype))
    shape = seen.type.shape[: 2 + rank]
    flat = reshape(seen, (*shape, math.prod(places.kernel)))
    best = greatest_places(flat, how)
    y = reshape(trusted_along_axis(flat, reshape(best, (*shape, 1)), -1), shape)
    found = (y, places.indices(best)) if indices else (y,)
    found = tuple(squeeze(t, 0) for t in found) if single else found
    return found if indices else found[0]


def _max(rank: int, input: AnyTensor, kernel_size: Ints, *rest: Any) -> Any:
    stride, padding, dilation, ceil_mode, return_indices = rest
    return _max_pool(
        input, rank=rank, kernel=frozen(kernel_size), stride=frozen(stride),
        padding=frozen(padding), dilation=frozen(dilation), ceil=ceil_mode,
        indices=return_indices,
    )  # fmt: skip


def max_pool1d(
    input: AnyTensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The greatest element under each place of a kernel.

    Args:
        input: (N, C, L) or (C, L).
        kernel_size: how many elements.
        stride: distance between places; the kernel size unless given.
        padding: room around that never wins; at most half the kernel size.
        dilation: distance between kernel elements.
        ceil_mode: whether a last place that starts inside may reach beyond the end.
        return_indices: whether places of the elements are returned too, for `max_unpool1d`.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.max_pool1d(gc.tensor([[[1.0, 3.0, 2.0, 0.0]]]), 2)
        tensor([[[3., 2.]]])
    """
    return _max(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: AnyTensor,
    kernel_size: Any,
    stride: Ints | None = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """`max_pool1d` for images: (N, C, H, W) or (C, H, W); settings are ints or pairs.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.max_pool2d(gc.tensor([[[[1.0, 3.0], [2.0, 0.0]]]]), 2)
        tensor([[[[3.]]]])
    """
    return _max(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: AnyTensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """`max_pool1d` for volumes: (N, C, D, H, W) or (C, D, H, W).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.max_pool3d(gc.ones(1, 1, 2, 2, 2), 2)
        tensor([[[[[1.]]]]])
    """
    return _max(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _averages(x: Any, places: _Places, rank: int, include_pad: bool, divisor: int | None) -> Any:
    total = sum_(places.windows(x, 0), tuple(range(2 + rank, 2 + 2 * rank)))
    if divisor is not None:
        return mean_of(total, divisor)
    full = all(e == 0 for e in places.extra) and (include_pad or not any(places.padding))
    if full and x.type.dtype.is_float:
        return total * (1.0 / math.prod(places.kernel))
    return mean_of(total, places.counts(x.type.dtype, include_pad))


@composite
@named("AvgPoolBackward0")
def _avg_pool(
    x: Any,
    *,
    rank: int,
    kernel: Any,
    stride: Any,
    padding: Any,
    ceil: bool,
    include_pad: bool,
    divisor: int | None,
) -> Any:
    name = f"avg_pool{rank}d"
    x, single = batched(name, x, rank)
    check_averaged(name, x)
    places = _Places(name, x, kernel, stride, padding, 1, ceil)
    y = _averages(x, places, rank, include_pad, divisor)
    return squeeze(y, 0) if single else y


def _avg(rank: int, input: AnyTensor, kernel_size: Ints, *rest: Any) -> Any:
    stride, padding, ceil_mode, count_include_pad, divisor_override = rest
    if divisor_override == 0:
        raise AttributeValueError(f"avg_pool{rank}d: divisor_override is 0", where=caller())
    return _avg_pool(
        input, rank=rank, kernel=frozen(kernel_size), stride=frozen(stride),
        padding=frozen(padding), ceil=ceil_mode, include_pad=count_include_pad,
        divisor=divisor_override,
    )  # fmt: skip


def avg_pool1d(
    input: AnyTensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """The mean of the elements under each place of a kernel.

    Args:
        input: (N, C, L) or (C, L), floats, or int64 whose means are cut towards 0.
        kernel_size: how many elements.
        stride: distance between places; the kernel size unless given.
        padding: zeros around; at most half the kernel size.
        ceil_mode: whether a last place that starts inside may reach beyond the end.
        count_include_pad: whether the zeros count.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.avg_pool1d(gc.tensor([[[1.0, 3.0, 2.0, 0.0]]]), 2)
        tensor([[[2., 1.]]])
    """
    return _avg(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: AnyTensor,
    kernel_size: Any,
    stride: Ints | None = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """`avg_pool1d` for images; sums are divided by `divisor_override` where it is given.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.avg_pool2d(gc.ones(1, 1, 2, 2), 2, divisor_override=1)
        tensor([[[[4.]]]])
    """
    return _avg(
        2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def avg_pool3d(
    input: AnyTensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """`avg_pool2d` for volumes: (N, C, D, H, W) or (C, D, H, W).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.avg_pool3d(gc.ones(1, 1, 2, 2, 2), 2)
        tensor([[[[[1.]]]]])
    """
    return _avg(
        3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@composite
@named("PowBackward0")
def _lp_pool(x: Any, *, rank: int, p: float, kernel: Any, stride: Any, ceil: bool) -> Any:
    name = f"lp_pool{rank}d"
    x, single = batched(name, x, rank)
    places = _Places(name, x, kernel, stride, 0, 1, ceil)
    powers = power(x, p)
    check_averaged(name, powers)
    total = _averages(powers, places, rank, True, None) * math.prod(places.kernel)
    # The root's gradient at 0 would be nan.
    y = where(total == 0, 0, power(where(total == 0, 1, total), 1.0 / p))
    return squeeze(y, 0) if single else y


def _lp(rank: int, input: Any, norm_type: float, kernel_size: Any, stride: Any, ceil: bool) -> Any:
    if abs(norm_type) == math.inf:
        sign = 1 if norm_type > 0 else -1
        return _max(rank, input.abs() * sign, kernel_size, stride, 0, 1, ceil, False) * sign
    return _lp_pool(
        input, rank=rank, p=norm_type, kernel=frozen(kernel_size), stride=frozen(stride), ceil=ceil
    )


def lp_pool1d(
    input: AnyTensor,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
) -> Any:
    """The p-th root of the sum of p-th powers under each place of a kernel.

    Args:
        input: (N, C, L) or (C, L).
        norm_type: p.
        kernel_size: how many elements.
        stride: distance between places; the kernel size unless given.
        ceil_mode: whether a last place may reach beyond the end.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.lp_pool1d(gc.tensor([[[3.0, 4.0]]]), 2, 2)
        tensor([[[5.]]])
    """
    return _lp(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: AnyTensor,
    norm_type: float,
    kernel_size: Any,
    stride: Ints | None = None,
    ceil_mode: bool = False,
) -> Any:
    """`lp_pool1d` for images.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.lp_pool2d(gc.tensor([[[[3.0, 4.0]]]]), 2, (1, 2))
        tensor([[[[5.]]]])
    """
    return _lp(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: AnyTensor,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
) -> Any:
    """`lp_pool1d` for volumes.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.lp_pool3d(gc.tensor([[[[[3.0, 4.0]]]]]), 2, (1, 1, 2))
        tensor([[[[[5.]]]]])
    """
    return _lp(3, input, norm_type, kernel_size, stride, ceil_mode)


__all__ = [
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_pool1d",
    "max_pool2d", "max_pool3d",
]  # fmt: skip

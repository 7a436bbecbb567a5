"""Pooling: the greatest or the mean element under each place of a kernel.

`max_pool1d` to `3d`, `avg_pool1d` to `3d`, `lp_pool1d` to `3d`, `max_unpool1d` to `3d`; pooling to
a given size is in `pooling_adaptive`.
"""

from __future__ import annotations

import math
from typing import Any

from graphc.core import dims
from graphc.core.dtypes import least
from graphc.core.ir import caller
from graphc.core.typing import DTypeLike, Ints
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import AttributeValueError, ShapeError
from graphc.nn.functional.common import show
from graphc.nn.functional.conv import batched
from graphc.nn.functional.operation import again, operation, spatial
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
    mean_of,
    tiled_max,
)
from graphc.ops.elementwise.arithmetic import absolute
from graphc.ops.elementwise.extremes import maximum, minimum
from graphc.ops.elementwise.logic import where
from graphc.ops.elementwise.power import power


class _Places:
    """Where the places of a kernel are: for each axis its size, step, room and number."""

    def __init__(
        self, name: str, x: Any, kernel: Ints, stride: Ints | None, padding: Ints, dilation: Ints,
        ceil: bool,
    ) -> None:  # fmt: skip
        rank = len(x.type.shape) - 2
        self.kernel = spatial_ints(name, "kernel_size", kernel, rank, 1)
        if stride is None or stride == ():
            self.stride = self.kernel
        else:
            self.stride = spatial_ints(name, "stride", stride, rank, 1)
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


def _max_pool(
    rank: int, x: Any, kernel: Ints, stride: Ints | None, padding: Ints, dilation: Ints,
    ceil: bool, indices: bool,
) -> Any:  # fmt: skip
    x, single = batched(f"max_pool{rank}d", x, rank)
    places = _Places(f"max_pool{rank}d", x, kernel, stride, padding, dilation, ceil)
    how = (places.kernel, places.stride, places.padding, places.dilation)
    if not indices and not any(places.extra) and is_tiled(x.type.shape, *how):
        y = tiled_max(x, places.kernel)
        return squeeze(y, 0) if single else y
    seen = places.windows(x, least(x.type.dtype))
    shape = seen.type.shape[: 2 + rank]
    flat = reshape(seen, (*shape, math.prod(places.kernel)))
    best = greatest_places(flat, how)
    y = reshape(trusted_along_axis(flat, reshape(best, (*shape, 1)), -1), shape)
    found = (y, places.indices(best)) if indices else (y,)
    found = tuple(squeeze(t, 0) for t in found) if single else found
    return found if indices else found[0]


@spatial("MaxPoolWithIndicesBackward0")
def max_pool1d(
    rank: int,
    input: AnyTensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
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
    return _max_pool(rank, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@again(max_pool1d, 2)
def max_pool2d() -> None:
    """`max_pool1d` for images: (N, C, H, W) or (C, H, W); settings are ints or pairs.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.max_pool2d(gc.tensor([[[[1.0, 3.0], [2.0, 0.0]]]]), 2)
        tensor([[[[3.]]]])
    """


@again(max_pool1d, 3)
def max_pool3d() -> None:
    """`max_pool1d` for volumes: (N, C, D, H, W) or (C, D, H, W).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.max_pool3d(gc.ones(1, 1, 2, 2, 2), 2)
        tensor([[[[[1.]]]]])
    """


def _averages(x: Any, places: _Places, rank: int, include_pad: bool, divisor: int | None) -> Any:
    total = sum_(places.windows(x, 0), tuple(range(2 + rank, 2 + 2 * rank)))
    if divisor is not None:
        return mean_of(total, divisor)
    full = all(e == 0 for e in places.extra) and (include_pad or not any(places.padding))
    if full and x.type.dtype.is_float:
        return total * (1.0 / math.prod(places.kernel))
    return mean_of(total, places.counts(x.type.dtype, include_pad))


def _avg_pool(
    rank: int, x: Any, kernel: Ints, stride: Ints | None, padding: Ints, ceil: bool,
    include_pad: bool, divisor: int | None,
) -> Any:  # fmt: skip
    name = f"avg_pool{rank}d"
    if divisor == 0:
        raise AttributeValueError(f"{name}: divisor_override is 0", where=caller())
    x, single = batched(name, x, rank)
    check_averaged(name, x)
    places = _Places(name, x, kernel, stride, padding, 1, ceil)
    y = _averages(x, places, rank, include_pad, divisor)
    return squeeze(y, 0) if single else y


@operation("AvgPoolBackward0")
def avg_pool1d(
    input: AnyTensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
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
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@spatial("AvgPoolBackward0", 2)
def avg_pool2d(
    rank: int,
    input: AnyTensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
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
    return _avg_pool(
        rank, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@again(avg_pool2d, 3)
def avg_pool3d() -> None:
    """`avg_pool2d` for volumes: (N, C, D, H, W) or (C, D, H, W).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.avg_pool3d(gc.ones(1, 1, 2, 2, 2), 2)
        tensor([[[[[1.]]]]])
    """


@spatial("PowBackward0")
def lp_pool1d(
    rank: int,
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
    if abs(norm_type) == math.inf:
        sign = 1 if norm_type > 0 else -1
        x = absolute(input) * sign
        return _max_pool(rank, x, kernel_size, stride, 0, 1, ceil_mode, False) * sign
    name = f"lp_pool{rank}d"
    x, single = batched(name, input, rank)
    places = _Places(name, x, kernel_size, stride, 0, 1, ceil_mode)
    powers = power(x, norm_type)
    check_averaged(name, powers)
    total = _averages(powers, places, rank, True, None) * math.prod(places.kernel)
    # The root's gradient at 0 would be nan.
    y = where(total == 0, 0, power(where(total == 0, 1, total), 1.0 / norm_type))
    return squeeze(y, 0) if single else y


@again(lp_pool1d, 2)
def lp_pool2d() -> None:
    """`lp_pool1d` for images.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.lp_pool2d(gc.tensor([[[[3.0, 4.0]]]]), 2, (1, 2))
        tensor([[[[5.]]]])
    """


@again(lp_pool1d, 3)
def lp_pool3d() -> None:
    """`lp_pool1d` for volumes.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.lp_pool3d(gc.tensor([[[[[3.0, 4.0]]]]]), 2, (1, 1, 2))
        tensor([[[[[5.]]]]])
    """


__all__ = [
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_pool1d",
    "max_pool2d", "max_pool3d",
]  # fmt: skip

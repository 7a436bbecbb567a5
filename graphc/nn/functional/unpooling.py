"""`max_unpool1d` to `3d`: greatest elements put back where `max_pool` found them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from graphc.core.ir import caller
from graphc.core.typing import Ints
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ShapeError
from graphc.nn.functional.common import show
from graphc.nn.functional.conv import batched
from graphc.nn.functional.operation import again, spatial
from graphc.ops.arrays.at import index_update
from graphc.ops.arrays.filled import arange, zeros
from graphc.ops.arrays.shaping import flatten, reshape, squeeze
from graphc.ops.contract.convolution import spatial_ints


@spatial("MaxUnpoolBackward0")
def max_unpool1d(
    rank: int,
    input: AnyTensor,
    indices: AnyTensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[int] | None = None,
) -> Any:
    """Greatest elements put back where `max_pool1d` found them, zeros elsewhere.

    Args:
        input: (N, C, L) or (C, L), from `max_pool1d`.
        indices: of the same shape, from `max_pool1d(..., return_indices=True)`.
        kernel_size: the pooling's.
        stride: the pooling's.
        padding: the pooling's.
        output_size: the sizes of the pooling's input, where several give the same result.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([[[1.0, 3.0, 2.0, 0.0]]])
        >>> y, at = gc.nn.functional.max_pool1d(x, 2, return_indices=True)
        >>> gc.nn.functional.max_unpool1d(y, at, 2)
        tensor([[[0., 3., 2., 0.]]])
    """
    name = f"max_unpool{rank}d"
    kernel = spatial_ints(name, "kernel_size", kernel_size, rank, 1)
    steps = kernel if stride is None else spatial_ints(name, "stride", stride, rank, 1)
    around = spatial_ints(name, "padding", padding, rank, 0)
    inner = input.shape[-rank:]
    sizes = tuple((d - 1) * s - 2 * p + k for d, s, p, k in zip(inner, steps, around, kernel))
    if output_size is not None:
        wanted = tuple(output_size)[-rank:]
        if any(not s - t < w < s + t for s, t, w in zip(sizes, steps, wanted)):
            raise ShapeError(
                f"{name}: output_size {wanted} is not within a stride of {sizes}", where=caller()
            )
        sizes = wanted
    if indices.shape != input.shape:
        raise ShapeError(
            f"{name}: the input has shape {show(input.shape)}, the indices {show(indices.shape)}",
            where=caller(),
        )
    x, single = batched(name, input, rank)
    places, _ = batched(name, indices, rank)
    n, channels = x.type.shape[:2]
    image = math.prod(sizes)
    first = reshape(arange(n * channels), (n, channels, *(1,) * rank)) * image
    flat = index_update(
        zeros((n * channels * image,), x.type.dtype), flatten(places + first), flatten(x)
    )
    y = reshape(flat, (n, channels, *sizes))
    return squeeze(y, 0) if single else y


@again(max_unpool1d, 2)
def max_unpool2d() -> None:
    """`max_unpool1d` for images.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.max_unpool2d(gc.ones(1, 1, 1), gc.tensor([[[3]]]), 2)
        tensor([[[0., 0.],
                 [0., 1.]]])
    """


@again(max_unpool1d, 3)
def max_unpool3d() -> None:
    """`max_unpool1d` for volumes.

    Example:
        >>> import graphc as gc
        >>> one = gc.ones(1, 1, 1, 1)
        >>> gc.nn.functional.max_unpool3d(one, gc.tensor([[[[1]]]]), (1, 1, 2))
        tensor([[[[0., 1.]]]])
    """


__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]

"""Pooling to a given size: place i of n covers elements floor(i L / n) to ceil((i + 1) L / n)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from graphc.core.ir import caller
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ShapeError
from graphc.nn.functional.common import check_floats, show
from graphc.nn.functional.conv import batched
from graphc.nn.functional.operation import again, spatial
from graphc.ops.arrays.lookup import take, trusted_along_axis
from graphc.ops.arrays.shaping import reshape, squeeze, transpose
from graphc.ops.arrays.statistics import mean
from graphc.ops.arrays.statistics import sum as sum_
from graphc.ops.contract.pooling import WINDOWS, greatest
from graphc.ops.elementwise.logic import where

# None keeps the size of an axis.
Sizes: TypeAlias = int | Sequence[int | None] | None


def _sizes(name: str, x: Any, output_size: Any, rank: int) -> tuple[Any, ...]:
    """The sizes of the result: None keeps the input's."""
    given = output_size if isinstance(output_size, tuple) else (output_size,) * rank
    if len(given) != rank:
        raise ShapeError(
            f"{name}: output_size {output_size} for {rank} spatial axes", where=caller()
        )
    inner = x.type.shape[2:]
    sizes = tuple(d if g is None else g for g, d in zip(given, inner))
    fixed = all(g == 1 or d == g or isinstance(d, int) for g, d in zip(sizes, inner))
    if not fixed or 0 in inner or any(isinstance(g, int) and g < 0 for g in sizes):
        raise ShapeError(
            f"{name}: output_size {show(sizes)} of an input of shape {show(x.type.shape)}",
            where=caller(),
            hint="sizes must be fixed and not 0; a symbolic one can be pooled to 1",
        )
    return sizes


def _starts_and_ends(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    place = np.arange(count)
    return place * size // count, -(-(place + 1) * size // count)


def _averaged(x: Any, axis: int, count: int) -> Any:
    """The means of `count` parts of an axis, of the elements in each and no others."""
    start, end = _starts_and_ends(x.type.shape[axis], count)
    number = np.arange((end - start).max(initial=0))
    # A shorter part names its last element again, which is not counted.
    table = np.minimum(start[:, None] + number, end[:, None] - 1)
    line = [1] * (len(x.type.shape) + 1)
    line[axis : axis + 2] = table.shape
    counted = (number < (end - start)[:, None]).reshape(line)
    share = (1.0 / (end - start)).reshape([count if a == axis else 1 for a in range(len(line) - 1)])
    dtype = x.type.dtype.compute
    parts = where(counted, take(x.astype(dtype), table, axis), 0)
    return (sum_(parts, axis + 1) * share.astype(dtype.numpy)).astype(x.type.dtype)


def _split(x: Any, axis: int, first: int) -> tuple[Any, ...]:
    shape = x.type.shape
    return (*shape[:axis], first, *shape[axis:])


def _places(best: Any, tables: list[Any], widths: Any, inner: Any) -> Any:
    """Places in the flat image of elements named by their number at their place."""
    rank = len(inner)
    flat: Any = 0
    for a in range(rank):
        within = best // math.prod(widths[a + 1 :]) % widths[a]
        if tables[a] is not None:
            n, width = tables[a].shape
            line = [1] * (rank + 2)
            line[2 + a] = n
            row = reshape(np.arange(n) * width, tuple(line))
            within = take(tables[a].ravel(), within + row, 0)
        flat = flat * inner[a] + within
    return flat


@spatial("AdaptiveAvgPoolBackward0")
def adaptive_avg_pool1d(rank: int, input: AnyTensor, output_size: Sizes) -> Any:
    """Means of parts of the spatial axis, so that there are `output_size`.

    Args:
        input: (N, C, L) or (C, L), floats.
        output_size: how many.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.adaptive_avg_pool1d(gc.tensor([[[1.0, 2.0, 6.0]]]), 2)
        tensor([[[1.5000, 4.0000]]])
    """
    name = f"adaptive_avg_pool{rank}d"
    check_floats(name, input)
    x, single = batched(name, input, rank)
    sizes = _sizes(name, x, output_size, rank)
    whole = tuple(2 + a for a, n in enumerate(sizes) if n == 1)
    if whole:
        x = mean(x, whole, keepdims=True)
    even = [n if n == 1 or d == n or d % n else 0 for d, n in zip(x.type.shape[2:], sizes)]
    if 0 in even:
        kernel = tuple(d // n if e == 0 else 1 for d, n, e in zip(x.type.shape[2:], sizes, even))
        nothing, one = (0,) * rank, (1,) * rank
        seen = WINDOWS(x, kernel=kernel, stride=kernel, padding=nothing, dilation=one, value=0)
        x = mean(seen, tuple(range(2 + rank, 2 + 2 * rank)))
    for a, n in enumerate(sizes):
        if x.type.shape[2 + a] != n:
            x = _averaged(x, 2 + a, n)
    return squeeze(x, 0) if single else x


@again(adaptive_avg_pool1d, 2)
def adaptive_avg_pool2d() -> None:
    """`adaptive_avg_pool1d` for images; output_size is an int or a pair, None keeps a size.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.adaptive_avg_pool2d(gc.ones(1, 1, 4, 3), (1, None))
        tensor([[[[1., 1., 1.]]]])
    """


@again(adaptive_avg_pool1d, 3)
def adaptive_avg_pool3d() -> None:
    """`adaptive_avg_pool1d` for volumes.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.adaptive_avg_pool3d(gc.ones(1, 1, 2, 2, 2), 1)
        tensor([[[[[1.]]]]])
    """


@spatial("AdaptiveMaxPoolBackward0")
def adaptive_max_pool1d(
    rank: int, input: AnyTensor, output_size: Sizes, return_indices: bool = False
) -> Any:
    """The greatest elements of parts of the spatial axis, so that there are `output_size`.

    Args:
        input: (N, C, L) or (C, L).
        output_size: how many.
        return_indices: whether places of the elements are returned too.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.adaptive_max_pool1d(gc.tensor([[[1.0, 2.0, 6.0]]]), 2)
        tensor([[[2., 6.]]])
    """
    name = f"adaptive_max_pool{rank}d"
    x, single = batched(name, input, rank)
    sizes = _sizes(name, x, output_size, rank)
    inner = x.type.shape[2:]
    tables: list[np.ndarray | None] = []
    for a, n in enumerate(sizes):
        if n == 1:
            x = reshape(x, _split(x, 2 + 2 * a, 1))
            tables.append(None)
            continue
        start, end = _starts_and_ends(inner[a], n)
        width = int((end - start).max()) if n else 1
        # A shorter place names its last element again, which changes no maximum.
        table = np.minimum(start[:, None] + np.arange(width), end[:, None] - 1)
        x = take(x, table, 2 + 2 * a)
        tables.append(table)
    order = [2 + 2 * a for a in range(rank)] + [3 + 2 * a for a in range(rank)]
    x = transpose(x, (0, 1, *order))
    shape, widths = x.type.shape[: 2 + rank], x.type.shape[2 + rank :]
    flat = reshape(x, (*shape, math.prod(widths)))
    best = greatest(flat)
    y = reshape(trusted_along_axis(flat, reshape(best, (*shape, 1)), -1), shape)
    found = (y, _places(best, tables, widths, inner)) if return_indices else (y,)
    found = tuple(squeeze(t, 0) for t in found) if single else found
    return found if return_indices else found[0]


@again(adaptive_max_pool1d, 2)
def adaptive_max_pool2d() -> None:
    """`adaptive_max_pool1d` for images.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.adaptive_max_pool2d(gc.ones(1, 1, 2, 3), 1)
        tensor([[[[1.]]]])
    """


@again(adaptive_max_pool1d, 3)
def adaptive_max_pool3d() -> None:
    """`adaptive_max_pool1d` for volumes.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.adaptive_max_pool3d(gc.ones(1, 1, 2, 2, 3), 1)
        tensor([[[[[1.]]]]])
    """


__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "adaptive_max_pool3d",
]  # fmt: skip

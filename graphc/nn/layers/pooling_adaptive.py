"""Pooling layers to a given size, and by the p-norm."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.core.typing import Ints
from graphc.nn import functional as F
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module


@layer
class _AdaptiveAvg(Module):
    output_size: int | Sequence[int | None] | None


@layer(text="output_size={output_size}")
class _AdaptiveMax(Module):
    output_size: int | Sequence[int | None] | None
    return_indices: bool = False


@layer
class _LPPool(Module):
    norm_type: float
    kernel_size: Ints
    stride: Ints | None = None
    ceil_mode: bool = False


@layer(F.adaptive_avg_pool1d)
class AdaptiveAvgPool1d(_AdaptiveAvg):
    """Means of parts of the spatial axes of (N, C, L) or (C, L), as many as asked for.

    Args:
        output_size: how many; ints or None, which keeps a size.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AdaptiveAvgPool1d(5)(gc.randn(2, 3, 8)).shape
        graphc.Size([2, 3, 5])
    """


@layer(F.adaptive_max_pool1d)
class AdaptiveMaxPool1d(_AdaptiveMax):
    """The greatest elements of parts of the spatial axes of (N, C, L) or (C, L).

    Args:
        output_size: how many; ints or None, which keeps a size.
        return_indices: whether places of the elements are returned too.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AdaptiveMaxPool1d(5)(gc.randn(2, 3, 8)).shape
        graphc.Size([2, 3, 5])
    """


@layer(F.lp_pool1d)
class LPPool1d(_LPPool):
    """The p-th root of the sum of p-th powers under each place of a kernel, over (N, C, L).

    Args:
        norm_type: p.
        kernel_size: how many elements.
        stride: distance between places; the kernel size unless given.
        ceil_mode: whether a last place may reach beyond the end.

    Example:
        >>> import graphc as gc
        >>> gc.nn.LPPool1d(2, 2)(gc.rand(2, 3, 8)).shape
        graphc.Size([2, 3, 4])
    """


@layer(F.adaptive_avg_pool2d)
class AdaptiveAvgPool2d(_AdaptiveAvg):
    """Means of parts of the spatial axes of (N, C, H, W) or (C, H, W), as many as asked for.

    Args:
        output_size: how many; ints or None, which keeps a size.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AdaptiveAvgPool2d(5)(gc.randn(2, 3, 8, 8)).shape
        graphc.Size([2, 3, 5, 5])
    """


@layer(F.adaptive_max_pool2d)
class AdaptiveMaxPool2d(_AdaptiveMax):
    """The greatest elements of parts of the spatial axes of (N, C, H, W) or (C, H, W).

    Args:
        output_size: how many; ints or None, which keeps a size.
        return_indices: whether places of the elements are returned too.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AdaptiveMaxPool2d(5)(gc.randn(2, 3, 8, 8)).shape
        graphc.Size([2, 3, 5, 5])
    """


@layer(F.lp_pool2d)
class LPPool2d(_LPPool):
    """The p-th root of the sum of p-th powers under each place of a kernel, over (N, C, H, W).

    Args:
        norm_type: p.
        kernel_size: how many elements.
        stride: distance between places; the kernel size unless given.
        ceil_mode: whether a last place may reach beyond the end.

    Example:
        >>> import graphc as gc
        >>> gc.nn.LPPool2d(2, 2)(gc.rand(2, 3, 8, 8)).shape
        graphc.Size([2, 3, 4, 4])
    """


@layer(F.adaptive_avg_pool3d)
class AdaptiveAvgPool3d(_AdaptiveAvg):
    """Means of parts of the spatial axes of (N, C, D, H, W) or (C, D, H, W), as many as asked for.

    Args:
        output_size: how many; ints or None, which keeps a size.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AdaptiveAvgPool3d(5)(gc.randn(2, 3, 8, 8, 8)).shape
        graphc.Size([2, 3, 5, 5, 5])
    """


@layer(F.adaptive_max_pool3d)
class AdaptiveMaxPool3d(_AdaptiveMax):
    """The greatest elements of parts of the spatial axes of (N, C, D, H, W) or (C, D, H, W).

    Args:
        output_size: how many; ints or None, which keeps a size.
        return_indices: whether places of the elements are returned too.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AdaptiveMaxPool3d(5)(gc.randn(2, 3, 8, 8, 8)).shape
        graphc.Size([2, 3, 5, 5, 5])
    """


@layer(F.lp_pool3d)
class LPPool3d(_LPPool):
    """The p-th root of the sum of p-th powers under each place of a kernel, over (N, C, D, H, W).

    Args:
        norm_type: p.
        kernel_size: how many elements.
        stride: distance between places; the kernel size unless given.
        ceil_mode: whether a last place may reach beyond the end.

    Example:
        >>> import graphc as gc
        >>> gc.nn.LPPool3d(2, 2)(gc.rand(2, 3, 8, 8, 8)).shape
        graphc.Size([2, 3, 4, 4, 4])
    """


__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "LPPool1d", "LPPool2d", "LPPool3d",
]  # fmt: skip

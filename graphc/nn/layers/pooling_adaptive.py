"""Pooling layers to a given size, and by the p-norm."""

from __future__ import annotations

from typing import Any

from graphc.nn import functional as F
from graphc.nn.module.module import Module


class _AdaptiveAvg(Module):
    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"output_size={self.output_size}"


class _AdaptiveMax(Module):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"output_size={self.output_size}"


class _LPPool(Module):
    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class AdaptiveAvgPool1d(_AdaptiveAvg):
    """Means of parts of the spatial axes of (N, C, L) or (C, L), as many as asked for.

    Args:
        output_size: how many; ints or None, which keeps a size.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AdaptiveAvgPool1d(5)(gc.randn(2, 3, 8)).shape
        graphc.Size([2, 3, 5])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.adaptive_avg_pool1d`."""
        return F.adaptive_avg_pool1d(input, self.output_size)


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

    def forward(self, input: Any) -> Any:
        """See `functional.adaptive_max_pool1d`."""
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


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

    def forward(self, input: Any) -> Any:
        """See `functional.lp_pool1d`."""
        return F.lp_pool1d(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)


class AdaptiveAvgPool2d(_AdaptiveAvg):
    """Means of parts of the spatial axes of (N, C, H, W) or (C, H, W), as many as asked for.

    Args:
        output_size: how many; ints or None, which keeps a size.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AdaptiveAvgPool2d(5)(gc.randn(2, 3, 8, 8)).shape
        graphc.Size([2, 3, 5, 5])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.adaptive_avg_pool2d`."""
        return F.adaptive_avg_pool2d(input, self.output_size)


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

    def forward(self, input: Any) -> Any:
        """See `functional.adaptive_max_pool2d`."""
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


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

    def forward(self, input: Any) -> Any:
        """See `functional.lp_pool2d`."""
        return F.lp_pool2d(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)


class AdaptiveAvgPool3d(_AdaptiveAvg):
    """Means of parts of the spatial axes of (N, C, D, H, W) or (C, D, H, W), as many as asked for.

    Args:
        output_size: how many; ints or None, which keeps a size.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AdaptiveAvgPool3d(5)(gc.randn(2, 3, 8, 8, 8)).shape
        graphc.Size([2, 3, 5, 5, 5])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.adaptive_avg_pool3d`."""
        return F.adaptive_avg_pool3d(input, self.output_size)


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

    def forward(self, input: Any) -> Any:
        """See `functional.adaptive_max_pool3d`."""
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)


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

    def forward(self, input: Any) -> Any:
        """See `functional.lp_pool3d`."""
        return F.lp_pool3d(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)


__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "LPPool1d", "LPPool2d", "LPPool3d",
]  # fmt: skip

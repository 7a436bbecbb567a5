"""Pooling layers: the greatest or the mean element under each place of a kernel."""

from __future__ import annotations

from typing import Any

from graphc.nn import functional as F
from graphc.nn.functional.common import per_axis
from graphc.nn.module.module import Module


class _MaxPool(Module):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The greatest element under each place of a kernel, over (N, C, L) or (C, L).

    Args:
        kernel_size: how many elements.
        stride: distance between places; the kernel size unless given.
        padding: room around that never wins; at most half the kernel size.
        dilation: distance between kernel elements.
        return_indices: whether places of the elements are returned too, for `MaxUnpool1d`.
        ceil_mode: whether a last place that starts inside may reach beyond the end.

    Example:
        >>> import graphc as gc
        >>> gc.nn.MaxPool1d(3, stride=2, padding=1)(gc.randn(2, 3, 8)).shape
        graphc.Size([2, 3, 4])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.max_pool1d`."""
        return F.max_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MaxPool2d(_MaxPool):
    """The greatest element under each place of a kernel, over (N, C, H, W) or (C, H, W).

    Arguments are those of `MaxPool1d`, ints or one for each axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.MaxPool2d(3, stride=2, padding=1)(gc.randn(2, 3, 8, 8)).shape
        graphc.Size([2, 3, 4, 4])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.max_pool2d`."""
        return F.max_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MaxPool3d(_MaxPool):
    """The greatest element under each place of a kernel, over (N, C, D, H, W) or (C, D, H, W).

    Arguments are those of `MaxPool1d`, ints or one for each axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.MaxPool3d(3, stride=2, padding=1)(gc.randn(2, 3, 8, 8, 8)).shape
        graphc.Size([2, 3, 4, 4, 4])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.max_pool3d`."""
        return F.max_pool3d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class _MaxUnpool(Module):
    rank = 0

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        name, rank = type(self).__name__, self.rank
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, rank)
        self.stride = per_axis(name, "stride", kernel_size if stride is None else stride, rank)
        self.padding = per_axis(name, "padding", padding, rank)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Greatest elements put back where `MaxPool1d` found them, zeros elsewhere.

    Args:
        kernel_size: the pooling's.
        stride: the pooling's.
        padding: the pooling's.

    Example:
        >>> import graphc as gc
        >>> y, at = gc.nn.MaxPool1d(2, return_indices=True)(gc.randn(2, 3, 8))
        >>> gc.nn.MaxUnpool1d(2)(y, at).shape
        graphc.Size([2, 3, 8])
    """

    rank = 1

    def forward(self, input: Any, indices: Any, output_size: Any = None) -> Any:
        """See `functional.max_unpool1d`."""
        return F.max_unpool1d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class MaxUnpool2d(_MaxUnpool):
    """Greatest elements put back where `MaxPool2d` found them, zeros elsewhere.

    Arguments are those of `MaxUnpool1d`.

    Example:
        >>> import graphc as gc
        >>> y, at = gc.nn.MaxPool2d(2, return_indices=True)(gc.randn(2, 3, 8, 8))
        >>> gc.nn.MaxUnpool2d(2)(y, at).shape
        graphc.Size([2, 3, 8, 8])
    """

    rank = 2

    def forward(self, input: Any, indices: Any, output_size: Any = None) -> Any:
        """See `functional.max_unpool2d`."""
        return F.max_unpool2d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class MaxUnpool3d(_MaxUnpool):
    """Greatest elements put back where `MaxPool3d` found them, zeros elsewhere.

    Arguments are those of `MaxUnpool1d`.

    Example:
        >>> import graphc as gc
        >>> y, at = gc.nn.MaxPool3d(2, return_indices=True)(gc.randn(2, 3, 8, 8, 8))
        >>> gc.nn.MaxUnpool3d(2)(y, at).shape
        graphc.Size([2, 3, 8, 8, 8])
    """

    rank = 3

    def forward(self, input: Any, indices: Any, output_size: Any = None) -> Any:
        """See `functional.max_unpool3d`."""
        return F.max_unpool3d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class _AvgPool(Module):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(Module):
    """The mean of the elements under each place of a kernel, over (N, C, L) or (C, L).

    Args:
        kernel_size: how many elements.
        stride: distance between places; the kernel size unless given.
        padding: zeros around; at most half the kernel size.
        ceil_mode: whether a last place that starts inside may reach beyond the end.
        count_include_pad: whether the zeros count.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AvgPool1d(2)(gc.tensor([[[1.0, 3.0, 2.0, 0.0]]]))
        tensor([[[2., 1.]]])
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, 1)
        self.stride = per_axis(name, "stride", kernel_size if stride is None else stride, 1)
        self.padding = per_axis(name, "padding", padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Any) -> Any:
        """See `functional.avg_pool1d`."""
        return F.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """The mean of the elements under each place of a kernel, over (N, C, H, W) or (C, H, W).

    Args:
        kernel_size: an int or a pair.
        stride: distance between places; the kernel size unless given.
        padding: zeros around; at most half the kernel size.
        ceil_mode: whether a last place that starts inside may reach beyond the end.
        count_include_pad: whether the zeros count.
        divisor_override: what sums are divided by, instead of the number of elements.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AvgPool2d(2)(gc.randn(2, 3, 8, 8)).shape
        graphc.Size([2, 3, 4, 4])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.avg_pool2d`."""
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool3d(_AvgPool):
    """The mean of the elements under each place of a kernel, over (N, C, D, H, W) or (C, D, H, W).

    Arguments are those of `AvgPool2d`, ints or one for each axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AvgPool3d(2)(gc.randn(2, 3, 8, 8, 8)).shape
        graphc.Size([2, 3, 4, 4, 4])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.avg_pool3d`."""
        return F.avg_pool3d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


__all__ = [
    "AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d",
    "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip

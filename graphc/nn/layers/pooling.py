"""Pooling layers: the greatest or the mean element under each place of a kernel."""

from __future__ import annotations

from typing import ClassVar

from graphc.core.typing import Ints
from graphc.nn import functional as F
from graphc.nn.functional.common import per_axis
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module


class _Pool(Module):
    """Kernels that stand side by side unless a stride is given."""

    kernel_size: Ints
    stride: Ints | None
    padding: Ints
    _rank: ClassVar[int] = 0  # where it is said, settings are kept as one for each axis

    def __post_init__(self) -> None:
        if self.stride is None:
            self.stride = self.kernel_size
        if self._rank:
            for what in ("kernel_size", "stride", "padding"):
                value = per_axis(type(self).__name__, what, getattr(self, what), self._rank)
                setattr(self, what, value)


@layer(
    text="kernel_size={kernel_size}, stride={stride}, padding={padding}, dilation={dilation}, "
    "ceil_mode={ceil_mode}"
)
class _MaxPool(_Pool):
    kernel_size: Ints
    stride: Ints | None = None
    padding: Ints = 0
    dilation: Ints = 1
    return_indices: bool = False
    ceil_mode: bool = False


@layer(F.max_pool1d)
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


@layer(F.max_pool2d)
class MaxPool2d(_MaxPool):
    """The greatest element under each place of a kernel, over (N, C, H, W) or (C, H, W).

    Arguments are those of `MaxPool1d`, ints or one for each axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.MaxPool2d(3, stride=2, padding=1)(gc.randn(2, 3, 8, 8)).shape
        graphc.Size([2, 3, 4, 4])
    """


@layer(F.max_pool3d)
class MaxPool3d(_MaxPool):
    """The greatest element under each place of a kernel, over (N, C, D, H, W) or (C, D, H, W).

    Arguments are those of `MaxPool1d`, ints or one for each axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.MaxPool3d(3, stride=2, padding=1)(gc.randn(2, 3, 8, 8, 8)).shape
        graphc.Size([2, 3, 4, 4, 4])
    """


@layer
class _MaxUnpool(_Pool):
    kernel_size: Ints
    stride: Ints | None = None
    padding: Ints = 0


@layer(F.max_unpool1d, "input indices output_size")
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

    _rank = 1


@layer(F.max_unpool2d, "input indices output_size")
class MaxUnpool2d(_MaxUnpool):
    """Greatest elements put back where `MaxPool2d` found them, zeros elsewhere.

    Arguments are those of `MaxUnpool1d`.

    Example:
        >>> import graphc as gc
        >>> y, at = gc.nn.MaxPool2d(2, return_indices=True)(gc.randn(2, 3, 8, 8))
        >>> gc.nn.MaxUnpool2d(2)(y, at).shape
        graphc.Size([2, 3, 8, 8])
    """

    _rank = 2


@layer(F.max_unpool3d, "input indices output_size")
class MaxUnpool3d(_MaxUnpool):
    """Greatest elements put back where `MaxPool3d` found them, zeros elsewhere.

    Arguments are those of `MaxUnpool1d`.

    Example:
        >>> import graphc as gc
        >>> y, at = gc.nn.MaxPool3d(2, return_indices=True)(gc.randn(2, 3, 8, 8, 8))
        >>> gc.nn.MaxUnpool3d(2)(y, at).shape
        graphc.Size([2, 3, 8, 8, 8])
    """

    _rank = 3


@layer(text="kernel_size={kernel_size}, stride={stride}, padding={padding}")
class _AvgPool(_Pool):
    kernel_size: Ints
    stride: Ints | None = None
    padding: Ints = 0
    ceil_mode: bool = False
    count_include_pad: bool = True


@layer
class _DividedPool(_AvgPool):
    divisor_override: int | None = None


@layer(F.avg_pool1d)
class AvgPool1d(_AvgPool):
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

    _rank = 1


@layer(F.avg_pool2d)
class AvgPool2d(_DividedPool):
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


@layer(F.avg_pool3d)
class AvgPool3d(_DividedPool):
    """The mean of the elements under each place of a kernel, over (N, C, D, H, W) or (C, D, H, W).

    Arguments are those of `AvgPool2d`, ints or one for each axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AvgPool3d(2)(gc.randn(2, 3, 8, 8, 8)).shape
        graphc.Size([2, 3, 4, 4, 4])
    """


__all__ = [
    "AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d",
    "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip

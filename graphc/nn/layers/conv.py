"""Convolution layers over 1, 2 and 3 spatial axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import InitVar
from typing import Any, ClassVar

from graphc.core.ir import caller
from graphc.core.typing import DTypeLike, Ints
from graphc.eager.engine.device import DeviceLike
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.functions.creation import empty
from graphc.errors import AttributeValueError, ShapeError
from graphc.nn import functional as F
from graphc.nn.functional.common import per_axis
from graphc.nn.functional.conv import conv_padded
from graphc.nn.init import kaiming_uniform_, uniform_
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module
from graphc.nn.parameter import Parameter

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(Module):
    """What convolutions and their transposes share: settings, parameters, text."""

    rank: ClassVar[int] = 0
    _of: ClassVar[Callable[..., Any]]
    transposed: ClassVar[bool] = False
    in_channels: int
    out_channels: int
    groups: int
    padding_mode: str
    kernel_size: Any
    stride: Any
    padding: Any
    dilation: Any
    output_padding: Any = 0

    def __post_init__(self, bias: bool, device: DeviceLike | None, dtype: DTypeLike | None) -> None:
        name, rank, groups = type(self).__name__, self.rank, self.groups
        if groups <= 0 or self.in_channels % groups or self.out_channels % groups:
            raise AttributeValueError(
                f"{name}: {self.in_channels} input and {self.out_channels} output channels do not "
                f"make groups={groups}",
                where=caller(),
            )
        if self.padding_mode not in PADDING_MODES:
            raise AttributeValueError(
                f"{name}: padding_mode={self.padding_mode!r}",
                where=caller(),
                hint=f"one of {', '.join(PADDING_MODES)}",
            )
        for what in ("kernel_size", "stride", "dilation", "output_padding"):
            setattr(self, what, per_axis(name, what, getattr(self, what), rank))
        padding = self.padding
        if not isinstance(padding, str):
            self.padding = per_axis(name, "padding", padding, rank)
        elif padding not in ("same", "valid"):
            raise AttributeValueError(
                f"{name}: padding={padding!r}", where=caller(), hint='numbers, "same" or "valid"'
            )
        elif padding == "same" and any(s != 1 for s in self.stride):
            raise AttributeValueError(
                f'{name}: padding="same" goes with stride 1, not {self.stride}', where=caller()
            )
        self._around = self._widths()
        first, second = self.out_channels, self.in_channels // groups
        if self.transposed:
            first, second = self.in_channels, self.out_channels // groups
        shape = (first, second, *self.kernel_size)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        value = empty(self.out_channels, device=device, dtype=dtype) if bias else None
        self.bias = Parameter(value) if value is not None else None
        self.reset_parameters()

    def _widths(self) -> tuple[int, ...]:
        """The room to add, as `pad` takes it: pairs, the last axis first."""
        if self.padding == "valid":
            return (0, 0) * self.rank
        if self.padding != "same":
            return tuple(p for size in reversed(self.padding) for p in (size, size))
        widths: list[int] = []
        for k, d in zip(reversed(self.kernel_size), reversed(self.dilation)):
            total = d * (k - 1)
            widths += (total // 2, total - total // 2)
        return tuple(widths)

    def _padded(self, input: AnyTensor) -> Any:
        """The result in a padding mode other than zeros."""
        mode = self.padding_mode
        return conv_padded(
            input, self.weight, self.bias, self.stride, self.dilation, self.groups,
            self._around, mode,
        )  # fmt: skip

    def _extra(self, input: AnyTensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """The output_padding that gives `output_size`."""
        if output_size is None:
            return self.output_padding
        rank = self.rank
        wanted = tuple(output_size)[-rank:]
        least = [
            (d - 1) * s - 2 * p + a * (k - 1) + 1
            for d, s, p, a, k in zip(
                input.shape[-rank:], self.stride, self.padding, self.dilation, self.kernel_size
            )
        ]
        extra = tuple(w - n for w, n in zip(wanted, least))
        if len(wanted) != rank or any(not 0 <= e < s for e, s in zip(extra, self.stride)):
            most = [n + s - 1 for n, s in zip(least, self.stride)]
            raise ShapeError(
                f"{type(self).__name__}: output_size {wanted} is not between {least} and {most}",
                where=caller(),
            )
        return extra

    def reset_parameters(self) -> None:
        """Draw the parameters again.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.Conv1d(1, 1, 3)
            >>> _ = nn.init.zeros_(layer.weight)
            >>> layer.reset_parameters()
            >>> bool(layer.weight.any())
            True
        """
        kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            if fan_in != 0:
                uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        if self.padding != (0,) * self.rank:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self.rank:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * self.rank:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


@layer
class _ConvNd(_Conv):
    in_channels: int
    out_channels: int
    kernel_size: Ints
    stride: Ints = 1
    padding: Ints | str = 0
    dilation: Ints = 1
    groups: int = 1
    bias: InitVar[bool] = True
    padding_mode: str = "zeros"
    device: InitVar[DeviceLike | None] = None
    dtype: InitVar[DTypeLike | None] = None

    def forward(self, input: AnyTensor) -> Any:
        """See `functional.conv1d` to `conv3d`."""
        if self.padding_mode != "zeros":
            return self._padded(input)
        return self._of(
            input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


class Conv1d(_ConvNd):
    """The cross-correlation of signals with kernels that are trained.

    Parameters start uniform within 1 / sqrt(in_channels / groups * kernel_size) of 0.

    Args:
        in_channels: of the input.
        out_channels: of the result.
        kernel_size: how many elements.
        stride: distance between places.
        padding: room at both ends; or "valid", or "same" with stride 1.
        dilation: distance between kernel elements.
        groups: how many independent groups the channels make.
        bias: whether there is one.
        padding_mode: what fills the room: "zeros", "reflect", "replicate" or "circular".
        device: "cpu".
        dtype: of the parameters.

    Attributes:
        weight: (out_channels, in_channels / groups, kernel_size).
        bias: (out_channels,) or None.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Conv1d(16, 33, 3, stride=2)(gc.randn(20, 16, 50)).shape
        graphc.Size([20, 33, 24])
    """

    rank = 1
    _of = staticmethod(F.conv1d)


class Conv2d(_ConvNd):
    """The cross-correlation of images with kernels that are trained.

    Arguments are those of `Conv1d`, ints or pairs.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Conv2d(3, 8, 3, padding=1)(gc.randn(2, 3, 8, 9)).shape
        graphc.Size([2, 8, 8, 9])
    """

    rank = 2
    _of = staticmethod(F.conv2d)


class Conv3d(_ConvNd):
    """The cross-correlation of volumes with kernels that are trained.

    Arguments are those of `Conv1d`, ints or triples.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Conv3d(1, 2, 3)(gc.randn(2, 1, 4, 5, 6)).shape
        graphc.Size([2, 2, 2, 3, 4])
    """

    rank = 3
    _of = staticmethod(F.conv3d)


@layer
class _ConvTransposeNd(_Conv):
    transposed: ClassVar[bool] = True

    in_channels: int
    out_channels: int
    kernel_size: Ints
    stride: Ints = 1
    padding: Ints = 0
    output_padding: Ints = 0
    groups: int = 1
    bias: InitVar[bool] = True
    dilation: Ints = 1
    padding_mode: str = "zeros"
    device: InitVar[DeviceLike | None] = None
    dtype: InitVar[DTypeLike | None] = None

    def __post_init__(self, bias: bool, device: DeviceLike | None, dtype: DTypeLike | None) -> None:
        if self.padding_mode != "zeros" or isinstance(self.padding, str):
            raise AttributeValueError(
                f"{type(self).__name__}: padding={self.padding!r}, "
                f'padding_mode={self.padding_mode!r}; it takes numbers and "zeros" alone',
                where=caller(),
            )
        super().__post_init__(bias, device, dtype)

    def forward(self, input: AnyTensor, output_size: Sequence[int] | None = None) -> Any:
        """See `functional.conv_transpose1d` to `conv_transpose3d`."""
        return self._of(
            input, self.weight, self.bias, self.stride, self.padding,
            self._extra(input, output_size), self.groups, self.dilation,
        )  # fmt: skip


class ConvTranspose1d(_ConvTransposeNd):
    """The transpose of `Conv1d`, which widens signals where that shortens them.

    Args:
        in_channels: of the input.
        out_channels: of the result.
        kernel_size: how many elements.
        stride: distance between places in the result.
        padding: places cut from both ends of the result.
        output_padding: places added at its end; less than the stride.
        groups: how many independent groups the channels make.
        bias: whether there is one.
        dilation: distance between kernel elements.
        padding_mode: "zeros".
        device: "cpu".
        dtype: of the parameters.

    Attributes:
        weight: (in_channels, out_channels / groups, kernel_size).
        bias: (out_channels,) or None.

    Example:
        >>> import graphc as gc
        >>> layer = gc.nn.ConvTranspose1d(4, 2, 3, stride=2)
        >>> layer(gc.randn(1, 4, 5)).shape
        graphc.Size([1, 2, 11])
        >>> layer(gc.randn(1, 4, 5), output_size=(12,)).shape
        graphc.Size([1, 2, 12])
    """

    rank = 1
    _of = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTransposeNd):
    """The transpose of `Conv2d`; arguments are those of `ConvTranspose1d`, ints or pairs.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ConvTranspose2d(4, 2, 2, stride=2)(gc.randn(1, 4, 5, 6)).shape
        graphc.Size([1, 2, 10, 12])
    """

    rank = 2
    _of = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTransposeNd):
    """The transpose of `Conv3d`; arguments are those of `ConvTranspose1d`, ints or triples.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ConvTranspose3d(2, 1, 2)(gc.randn(1, 2, 3, 3, 3)).shape
        graphc.Size([1, 1, 4, 4, 4])
    """

    rank = 3
    _of = staticmethod(F.conv_transpose3d)


__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d",
]  # fmt: skip

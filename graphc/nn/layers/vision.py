"""Layers for images: shuffles, Upsample, Fold, Unfold."""

from __future__ import annotations

from typing import Any

from graphc.nn import functional as F
from graphc.nn.module.module import Module


class PixelShuffle(Module):
    """Channels laid out as finer images: (*, C r r, H, W) to (*, C, H r, W r).

    Args:
        upscale_factor: r.

    Example:
        >>> import graphc as gc
        >>> gc.nn.PixelShuffle(3)(gc.zeros(1, 9, 4, 4)).shape
        graphc.Size([1, 1, 12, 12])
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Any) -> Any:
        """See `functional.pixel_shuffle`."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """The inverse of `PixelShuffle`: (*, C, H r, W r) to (*, C r r, H, W).

    Args:
        downscale_factor: r.

    Example:
        >>> import graphc as gc
        >>> gc.nn.PixelUnshuffle(3)(gc.zeros(1, 1, 12, 12)).shape
        graphc.Size([1, 9, 4, 4])
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Any) -> Any:
        """See `functional.pixel_unshuffle`."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Channels in another order: the first of each group, then the second of each.

    Args:
        groups: how many groups.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ChannelShuffle(2)(gc.arange(4.0).reshape(1, 4, 1)).flatten()
        tensor([0., 2., 1., 3.])
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Any) -> Any:
        """See `functional.channel_shuffle`."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"groups={self.groups}"


class Upsample(Module):
    """Images of another size.

    Args:
        size: the sizes of the result, or None.
        scale_factor: how much larger it is, or None.
        mode: see `functional.interpolate`.
        align_corners: whether the centres of corner elements are kept.
        recompute_scale_factor: whether the scale is taken from the sizes.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Upsample(scale_factor=2)(gc.tensor([[[1.0, 2.0]]]))
        tensor([[[1., 1., 2., 2.]]])
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        self.scale_factor = scale_factor
        if isinstance(scale_factor, tuple):
            self.scale_factor = tuple(float(s) for s in scale_factor)
        elif scale_factor:
            self.scale_factor = float(scale_factor)
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Any) -> Any:
        """See `functional.interpolate`."""
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners,
            self.recompute_scale_factor,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor!r}, mode={self.mode!r}"
        return f"size={self.size!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """`Upsample` in mode "nearest".

    Args:
        size: the sizes of the result, or None.
        scale_factor: how much larger it is, or None.

    Example:
        >>> import graphc as gc
        >>> gc.nn.UpsamplingNearest2d(scale_factor=2)(gc.ones(1, 1, 2, 2)).shape
        graphc.Size([1, 1, 4, 4])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` in mode "bilinear" with the corners kept.

    Args:
        size: the sizes of the result, or None.
        scale_factor: how much larger it is, or None.

    Example:
        >>> import graphc as gc
        >>> gc.nn.UpsamplingBilinear2d(size=(1, 3))(gc.tensor([[[[1.0, 3.0]]]]))
        tensor([[[[1., 2., 3.]]]])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class Unfold(Module):
    """The elements under each place of a kernel, as columns.

    Args:
        kernel_size: an int or a pair.
        dilation: distance between kernel elements.
        padding: zeros around the image.
        stride: distance between places.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Unfold((2, 3))(gc.zeros(2, 5, 3, 4)).shape
        graphc.Size([2, 30, 4])
    """

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Any) -> Any:
        """See `functional.unfold`."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Module):
    """The image that sums columns at their places: the transpose of `Unfold`.

    Args:
        output_size: (H, W) of the image.
        kernel_size: an int or a pair.
        dilation: distance between kernel elements.
        padding: zeros around the image.
        stride: distance between places.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Fold((4, 5), (2, 2))(gc.zeros(1, 12, 12)).shape
        graphc.Size([1, 3, 4, 5])
    """

    def __init__(
        self,
        output_size: Any,
        kernel_size: Any,
        dilation: Any = 1,
        padding: Any = 0,
        stride: Any = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Any) -> Any:
        """See `functional.fold`."""
        return F.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )


__all__ = [
    "ChannelShuffle", "Fold", "PixelShuffle", "PixelUnshuffle", "Unfold", "Upsample",
    "UpsamplingBilinear2d", "UpsamplingNearest2d",
]  # fmt: skip

"""Layers for images: shuffles, Upsample, Fold, Unfold."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.core.typing import Ints
from graphc.nn import functional as F
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module


@layer(F.pixel_shuffle)
class PixelShuffle(Module):
    """Channels laid out as finer images: (*, C r r, H, W) to (*, C, H r, W r).

    Args:
        upscale_factor: r.

    Example:
        >>> import graphc as gc
        >>> gc.nn.PixelShuffle(3)(gc.zeros(1, 9, 4, 4)).shape
        graphc.Size([1, 1, 12, 12])
    """

    upscale_factor: int


@layer(F.pixel_unshuffle)
class PixelUnshuffle(Module):
    """The inverse of `PixelShuffle`: (*, C, H r, W r) to (*, C r r, H, W).

    Args:
        downscale_factor: r.

    Example:
        >>> import graphc as gc
        >>> gc.nn.PixelUnshuffle(3)(gc.zeros(1, 1, 12, 12)).shape
        graphc.Size([1, 9, 4, 4])
    """

    downscale_factor: int


@layer(F.channel_shuffle)
class ChannelShuffle(Module):
    """Channels in another order: the first of each group, then the second of each.

    Args:
        groups: how many groups.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ChannelShuffle(2)(gc.arange(4.0).reshape(1, 4, 1)).flatten()
        tensor([0., 2., 1., 3.])
    """

    groups: int


@layer(F.interpolate)
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

    size: Ints | None = None
    scale_factor: float | Sequence[float] | None = None
    mode: str = "nearest"
    align_corners: bool | None = None
    recompute_scale_factor: bool | None = None

    def __post_init__(self) -> None:
        self.name = type(self).__name__
        factor = self.scale_factor
        if isinstance(factor, tuple):
            self.scale_factor = tuple(float(s) for s in factor)
        elif factor:
            self.scale_factor = float(factor)  # type: ignore[arg-type]  # a list is refused

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

    def __init__(
        self, size: Ints | None = None, scale_factor: float | Sequence[float] | None = None
    ) -> None:
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

    def __init__(
        self, size: Ints | None = None, scale_factor: float | Sequence[float] | None = None
    ) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


@layer(F.unfold)
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

    kernel_size: Ints
    dilation: Ints = 1
    padding: Ints = 0
    stride: Ints = 1


@layer(F.fold)
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

    output_size: Ints
    kernel_size: Ints
    dilation: Ints = 1
    padding: Ints = 0
    stride: Ints = 1


__all__ = [
    "ChannelShuffle", "Fold", "PixelShuffle", "PixelUnshuffle", "Unfold", "Upsample",
    "UpsamplingBilinear2d", "UpsamplingNearest2d",
]  # fmt: skip

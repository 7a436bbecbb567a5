"""Convolutions over 1, 2 and 3 spatial axes, and their transposes."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.core.typing import Ints
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ShapeError
from graphc.nn.functional.common import show
from graphc.nn.functional.operation import again, operation, spatial
from graphc.nn.functional.padding import padded
from graphc.ops.arrays.shaping import expand_dims, reshape, squeeze, transpose
from graphc.ops.contract import convolution
from graphc.ops.contract.pooling import WINDOWS, WINDOWS_TRANSPOSE

_AXES = ("L", "H, W", "D, H, W")


def batched(name: str, x: Any, rank: int) -> tuple[Any, bool]:
    """x with a batch axis, and whether it had none.

    Raises:
        ShapeError: it has neither rank + 1 nor rank + 2 axes.
    """
    axes = len(x.type.shape)
    if axes == rank + 2:
        return x, False
    if axes == rank + 1:
        return expand_dims(x, 0), True
    raise ShapeError(
        f"{name}: the input must be (N, C, {_AXES[rank - 1]}) or (C, {_AXES[rank - 1]}), "
        f"its shape is {show(x.type.shape)}",
        where=caller(),
    )


def _conv(
    rank: int, x: Any, weight: Any, bias: Any, stride: Ints, padding: Ints | str, dilation: Ints,
    groups: int, around: tuple[int, ...] | None = None, mode: str = "constant",
) -> Any:  # fmt: skip
    x, single = batched(f"conv{rank}d", x, rank)
    if len(weight.type.shape) != rank + 2:
        raise ShapeError(
            f"conv{rank}d: the weight must have {rank + 2} axes, (out, in / groups, "
            f"*kernel), its shape is {show(weight.type.shape)}",
            where=caller(),
        )
    if around is not None:
        x = padded(x, around, mode)
    y = convolution.conv(x, weight, bias, stride, padding, dilation, groups)
    return squeeze(y, 0) if single else y


@operation("ConvolutionBackward0")
def conv_padded(
    input: AnyTensor,
    weight: AnyTensor,
    bias: AnyTensor | None,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
    around: tuple[int, ...],
    mode: str,
) -> Any:
    """A convolution of an image padded first in a mode of `pad`, as one operation.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.functional.conv import conv_padded
        >>> x, w = gc.tensor([[[1.0, 2.0]]]), gc.ones(1, 1, 2)
        >>> conv_padded(x, w, None, (1,), (1,), 1, (1, 0), "replicate")
        tensor([[[2., 3.]]])
    """
    return _conv(len(stride), input, weight, bias, stride, 0, dilation, groups, around, mode)


@spatial("ConvolutionBackward0")
def conv1d(
    rank: int,
    input: AnyTensor,
    weight: AnyTensor,
    bias: AnyTensor | None = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Any:
    """The cross-correlation of signals with kernels.

    Args:
        input: (N, C, L) or (C, L).
        weight: (O, C / groups, K).
        bias: (O,) or None.
        stride: distance between places.
        padding: zeros at both ends; or "valid", or "same" with stride 1.
        dilation: distance between kernel elements.
        groups: how many independent groups the channels make.

    Returns:
        (N, O, out) or (O, out), out = (L + 2 padding - dilation (K - 1) - 1) // stride + 1.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.conv1d(gc.tensor([[[1.0, 2.0, 3.0]]]), gc.ones(1, 1, 2))
        tensor([[[3., 5.]]])
    """
    return _conv(rank, input, weight, bias, stride, padding, dilation, groups)


@again(conv1d, 2)
def conv2d() -> None:
    """The cross-correlation of images (N, C, H, W) with kernels (O, C / groups, KH, KW).

    Arguments are those of `conv1d`, ints or one for each spatial axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.conv2d(gc.ones(1, 1, 2, 3), gc.ones(1, 1, 2, 2))
        tensor([[[[4., 4.]]]])
    """


@again(conv1d, 3)
def conv3d() -> None:
    """The cross-correlation of volumes (N, C, D, H, W) with kernels of three axes.

    Arguments are those of `conv1d`, ints or one for each spatial axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.conv3d(gc.ones(1, 1, 1, 1, 3), gc.ones(1, 1, 1, 1, 2))
        tensor([[[[[2., 2.]]]]])
    """


@spatial("ConvolutionBackward0")
def conv_transpose1d(
    rank: int,
    input: AnyTensor,
    weight: AnyTensor,
    bias: AnyTensor | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Any:
    """The transpose of `conv1d`, which widens signals where that shortens them.

    Args:
        input: (N, C, L) or (C, L).
        weight: (C, O / groups, K).
        bias: (O,) or None.
        stride: distance between places in the result.
        padding: places cut from both ends of the result.
        output_padding: places added at its end; less than the stride or the dilation.
        groups: how many independent groups the channels make.
        dilation: distance between kernel elements.

    Returns:
        (N, O, out) or (O, out), out = (L - 1) stride - 2 padding + dilation (K - 1) +
        output_padding + 1.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.conv_transpose1d(gc.tensor([[[1.0, 2.0]]]), gc.ones(1, 1, 2), stride=2)
        tensor([[[1., 1., 2., 2.]]])
    """
    x, single = batched(f"conv_transpose{rank}d", input, rank)
    y = convolution.conv_transpose(
        x, weight, bias, stride, padding, output_padding, groups, dilation
    )
    return squeeze(y, 0) if single else y


@again(conv_transpose1d, 2)
def conv_transpose2d() -> None:
    """The transpose of `conv2d`; arguments as for `conv_transpose1d`.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.conv_transpose2d(gc.ones(1, 1, 1, 1), gc.ones(1, 1, 2, 2))
        tensor([[[[1., 1.],
                  [1., 1.]]]])
    """


@again(conv_transpose1d, 3)
def conv_transpose3d() -> None:
    """The transpose of `conv3d`; arguments as for `conv_transpose1d`.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.conv_transpose3d(gc.ones(1, 1, 1, 1, 1), gc.ones(1, 1, 1, 1, 2))
        tensor([[[[[1., 1.]]]]])
    """


def _pairs(name: str, **given: Any) -> dict[str, tuple[int, ...]]:
    return {
        key: convolution.spatial_ints(name, key, value, 2, 0 if key == "padding" else 1)
        for key, value in given.items()
    }


@operation("Im2ColBackward0")
def unfold(
    input: AnyTensor,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints | str = 0,
    stride: Ints = 1,
) -> Any:
    """The elements under each place of a kernel, as columns.

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size: an int or a pair.
        dilation: distance between kernel elements.
        padding: zeros around the image.
        stride: distance between places.

    Returns:
        (N, C * kernel elements, places).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.unfold(gc.tensor([[[[1.0, 2.0, 3.0]]]]), (1, 2))
        tensor([[[1., 2.],
                 [2., 3.]]])
    """
    x, single = batched("unfold", input, 2)
    n, channels = x.type.shape[:2]
    how = _pairs("unfold", kernel=kernel_size, dilation=dilation, padding=padding, stride=stride)
    seen = transpose(WINDOWS(x, **how, value=0), (0, 1, 4, 5, 2, 3))
    kh, kw, oh, ow = seen.type.shape[2:]
    y = reshape(seen, (n, channels * kh * kw, oh * ow))
    return squeeze(y, 0) if single else y


@operation("Col2ImBackward0")
def fold(
    input: AnyTensor,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints | str = 0,
    stride: Ints = 1,
) -> Any:
    """The image that sums columns at their places: the transpose of `unfold`.

    Args:
        input: (N, C * kernel elements, places).
        output_size: (H, W) of the image.
        kernel_size: an int or a pair.
        dilation: distance between kernel elements.
        padding: zeros around the image.
        stride: distance between places.

    Returns:
        (N, C, H, W).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.fold(gc.ones(1, 2, 2), (1, 3), (1, 2))
        tensor([[[[1., 2., 1.]]]])
    """
    single = len(input.shape) == 2
    x: Any = expand_dims(input, 0) if single else input
    how = _pairs(
        "fold", shape=output_size, kernel=kernel_size, dilation=dilation, padding=padding,
        stride=stride,
    )  # fmt: skip
    kernel, shape = how.pop("kernel"), how["shape"]
    out = tuple(
        map(convolution.out_size, shape, kernel, how["stride"], how["padding"], how["dilation"])
    )
    n, columns, places = x.type.shape
    if columns % (kernel[0] * kernel[1]) or places != out[0] * out[1]:
        raise ShapeError(
            f"fold: an image of {shape} has {out[0] * out[1]} places of kernel {kernel}; "
            f"the input has shape {show(x.type.shape)}",
            where=caller(),
        )
    seen = reshape(x, (n, columns // (kernel[0] * kernel[1]), *kernel, *out))
    y = WINDOWS_TRANSPOSE(transpose(seen, (0, 1, 4, 5, 2, 3)), **how)
    return squeeze(y, 0) if single else y


__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "fold", "unfold",
]  # fmt: skip

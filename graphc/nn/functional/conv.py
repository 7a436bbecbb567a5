"""Convolutions over 1, 2 and 3 spatial axes, and their transposes."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Node, caller
from graphc.core.typing import Ints
from graphc.eager.engine.composite import composite
from graphc.eager.engine.registry import named
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ShapeError
from graphc.nn.functional.common import frozen, show
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


@composite
@named("ConvolutionBackward0")
def _conv(
    x: Node,
    weight: Any,
    bias: Node | None,
    *,
    rank: int,
    stride: Ints,
    padding: Ints | str,
    dilation: Ints,
    groups: int,
    around: tuple[int, ...] | None = None,
    mode: str = "constant",
) -> Any:
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


def conv_padded(
    input: AnyTensor,
    weight: AnyTensor,
    bias: Any,
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
    return _conv(
        input, weight, bias, rank=len(stride), stride=stride, padding=0, dilation=dilation,
        groups=groups, around=around, mode=mode,
    )  # fmt: skip


def conv1d(
    input: AnyTensor,
    weight: AnyTensor,
    bias: AnyTensor | None = None,
    stride: Ints = 1,
    padding: Any = 0,
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
    return _conv(
        input, weight, bias, rank=1, stride=frozen(stride), padding=frozen(padding),
        dilation=frozen(dilation), groups=groups,
    )  # fmt: skip


def conv2d(
    input: AnyTensor,
    weight: AnyTensor,
    bias: AnyTensor | None = None,
    stride: Ints = 1,
    padding: Any = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Any:
    """The cross-correlation of images (N, C, H, W) with kernels (O, C / groups, KH, KW).

    Arguments are those of `conv1d`, ints or one for each spatial axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.conv2d(gc.ones(1, 1, 2, 3), gc.ones(1, 1, 2, 2))
        tensor([[[[4., 4.]]]])
    """
    return _conv(
        input, weight, bias, rank=2, stride=frozen(stride), padding=frozen(padding),
        dilation=frozen(dilation), groups=groups,
    )  # fmt: skip


def conv3d(
    input: AnyTensor,
    weight: AnyTensor,
    bias: AnyTensor | None = None,
    stride: Ints = 1,
    padding: Any = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Any:
    """The cross-correlation of volumes (N, C, D, H, W) with kernels of three axes.

    Arguments are those of `conv1d`, ints or one for each spatial axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.conv3d(gc.ones(1, 1, 1, 1, 3), gc.ones(1, 1, 1, 1, 2))
        tensor([[[[[2., 2.]]]]])
    """
    return _conv(
        input, weight, bias, rank=3, stride=frozen(stride), padding=frozen(padding),
        dilation=frozen(dilation), groups=groups,
    )  # fmt: skip


@composite
@named("ConvolutionBackward0")
def _conv_transpose(
    x: Node,
    weight: Node,
    bias: Node | None,
    *,
    rank: int,
    stride: Ints,
    padding: Ints,
    output_padding: Ints,
    groups: int,
    dilation: Ints,
) -> Any:
    x, single = batched(f"conv_transpose{rank}d", x, rank)
    y = convolution.conv_transpose(
        x, weight, bias, stride, padding, output_padding, groups, dilation
    )
    return squeeze(y, 0) if single else y


def conv_transpose1d(
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
    return _conv_transpose(
        input, weight, bias, rank=1, stride=frozen(stride), padding=frozen(padding),
        output_padding=frozen(output_padding), groups=groups, dilation=frozen(dilation),
    )  # fmt: skip


def conv_transpose2d(
    input: AnyTensor,
    weight: AnyTensor,
    bias: AnyTensor | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Any:
    """The transpose of `conv2d`; arguments as for `conv_transpose1d`.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.conv_transpose2d(gc.ones(1, 1, 1, 1), gc.ones(1, 1, 2, 2))
        tensor([[[[1., 1.],
                  [1., 1.]]]])
    """
    return _conv_transpose(
        input, weight, bias, rank=2, stride=frozen(stride), padding=frozen(padding),
        output_padding=frozen(output_padding), groups=groups, dilation=frozen(dilation),
    )  # fmt: skip


def conv_transpose3d(
    input: AnyTensor,
    weight: AnyTensor,
    bias: AnyTensor | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Any:
    """The transpose of `conv3d`; arguments as for `conv_transpose1d`.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.conv_transpose3d(gc.ones(1, 1, 1, 1, 1), gc.ones(1, 1, 1, 1, 2))
        tensor([[[[[1., 1.]]]]])
    """
    return _conv_transpose(
        input, weight, bias, rank=3, stride=frozen(stride), padding=frozen(padding),
        output_padding=frozen(output_padding), groups=groups, dilation=frozen(dilation),
    )  # fmt: skip


def _pairs(name: str, **given: Any) -> dict[str, tuple[int, ...]]:
    return {
        key: convolution.spatial_ints(name, key, value, 2, 0 if key == "padding" else 1)
        for key, value in given.items()
    }


@composite
@named("Im2ColBackward0")
def _unfold(x: Any, *, kernel: Any, dilation: Ints, padding: Ints | str, stride: Ints) -> Any:
    x, single = batched("unfold", x, 2)
    n, channels = x.type.shape[:2]
    how = _pairs("unfold", kernel=kernel, dilation=dilation, padding=padding, stride=stride)
    seen = transpose(WINDOWS(x, **how, value=0), (0, 1, 4, 5, 2, 3))
    kh, kw, oh, ow = seen.type.shape[2:]
    y = reshape(seen, (n, channels * kh * kw, oh * ow))
    return squeeze(y, 0) if single else y


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
    return _unfold(
        input, kernel=frozen(kernel_size), dilation=frozen(dilation), padding=frozen(padding),
        stride=frozen(stride),
    )  # fmt: skip


@composite
@named("Col2ImBackward0")
def _fold(
    x: Any, *, size: Any, kernel: Any, dilation: Ints, padding: Ints | str, stride: Ints
) -> Any:
    single = len(x.type.shape) == 2
    x = expand_dims(x, 0) if single else x
    how = _pairs(
        "fold", shape=size, kernel=kernel, dilation=dilation, padding=padding, stride=stride
    )
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


def fold(
    input: AnyTensor,
    output_size: Any,
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
    return _fold(
        input, size=frozen(output_size), kernel=frozen(kernel_size), dilation=frozen(dilation),
        padding=frozen(padding), stride=frozen(stride),
    )  # fmt: skip


__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "fold", "unfold",
]  # fmt: skip

"""Convolution: three bilinear ops, each the gradient of the others.

    conv(x, w)           x (N, C, *spatial), w (O, C / groups, *kernel) -> (N, O, *out)
    conv_input(ct, w)    its transpose in x: ct (N, O, *out) -> (N, C, *shape)
    conv_weight(x, ct)   its transpose in w: -> (O, C / groups, *kernel)

As in PyTorch the kernel is not flipped. Attributes stride, padding and dilation have one int for
each spatial axis. The functions `conv` and `conv_transpose` are here too; pooling is in `pooling`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.dtypes import widened
from graphc.core.ir import Cost, Kind, Library, Node, Op, Sample, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.core.typing import Operand
from graphc.errors import ArgumentError, AttributeValueError, DTypeError, ShapeError
from graphc.ops.arrays.movement import PAD
from graphc.ops.arrays.shaping import reshape
from graphc.ops.contract import work
from graphc.ops.contract.batching import image_batch, weight_batch
from graphc.ops.contract.matmul import same_dtype
from graphc.ops.declare import declare, describe, public

Ints = tuple[int, ...]


def out_size(size: Size, kernel: Any, stride: int, padding: int, dilation: int) -> Size:
    """The number of places of a kernel on a padded axis; 0 where it does not fit.

    Formula: `(size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1`.
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    return dims.maximum(room // stride + 1, 0)


def _spatial(
    sizes: Sequence[Size], kernel: Sequence[Any], stride: Ints, padding: Ints, dilation: Ints
) -> tuple[Size, ...]:
    return tuple(map(out_size, sizes, kernel, stride, padding, dilation))


def _check_ranks(name: str, x: TensorType, w: TensorType, *attrs: tuple[Any, ...]) -> None:
    rank = x.rank - 2
    if x.dtype is not w.dtype or x.dtype.kind == "bool":
        raise DTypeError(f"{name}: dtypes {x} and {w}", where=caller())
    if rank < 1 or w.rank != x.rank or any(len(a) != rank for a in attrs):
        raise ShapeError(f"{name}: {x} and {w} do not fit", where=caller())


def _conv_infer(
    x: TensorType, w: TensorType, *, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> TensorType:
    _check_ranks("conv", x, w, stride, padding, dilation)
    (_, c, *sizes), (o, cg, *kernel) = x.shape, w.shape
    if c != cg * groups or o % groups != 0:
        raise ShapeError(
            f"conv: {c} channels in {groups} groups do not fit the weight {w}", where=caller()
        )
    return x.with_shape((x.shape[0], o, *_spatial(sizes, kernel, stride, padding, dilation)))


def _input_infer(
    ct: TensorType,
    w: TensorType,
    *,
    shape: tuple[Size, ...],
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> TensorType:
    _check_ranks("conv_input", ct, w, shape, stride, padding, dilation)
    (n, o, *out), (wo, cg, *kernel) = ct.shape, w.shape
    if o != wo or tuple(out) != _spatial(shape, kernel, stride, padding, dilation):
        raise ShapeError(f"conv_input: {ct} is no result of {w} on {shape}", where=caller())
    return ct.with_shape((n, cg * groups, *shape))


def _weight_infer(
    x: TensorType,
    ct: TensorType,
    *,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> TensorType:
    _check_ranks("conv_weight", x, ct, kernel, stride, padding, dilation)
    (n, c, *sizes), (cn, o, *out) = x.shape, ct.shape
    if n != cn or tuple(out) != _spatial(sizes, kernel, stride, padding, dilation):
        raise ShapeError(f"conv_weight: {ct} is no result on {x}", where=caller())
    return x.with_shape((o, c // groups, *kernel))


def _padded(x: Operand, padding: Ints) -> Any:
    return np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))


def _places(
    kernel: Sequence[int], out: Sequence[Any], stride: Ints, dilation: Ints
) -> Iterator[tuple[tuple[int, ...], tuple[Any, ...]]]:
    """For each kernel element, the part of the padded image it meets."""
    if 0 in out:
        return
    for k in itertools.product(*map(range, kernel)):
        start = [a * d for a, d in zip(k, dilation)]
        part = [slice(b, b + (n - 1) * s + 1, s) for b, n, s in zip(start, out, stride)]
        yield k, (..., *part)


def _grouped(x: Any, groups: int, axis: int) -> Any:
    shape = x.shape
    return x.reshape(*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])


def _conv_numpy(x: Any, w: Any, *, groups: int, **how: Any) -> np.ndarray:
    stride, padding, dilation = how["stride"], how["padding"], how["dilation"]
    out = _spatial(x.shape[2:], w.shape[2:], stride, padding, dilation)
    image = _grouped(_padded(widened(x), padding), groups, 1)
    weight = _grouped(widened(w), groups, 0)
    total = np.zeros((x.shape[0], groups, w.shape[0] // groups, *out), image.dtype)
    for k, part in _places(w.shape[2:], out, stride, dilation):
        total += np.einsum("ngc...,goc->ngo...", image[part], weight[(..., *k)])
    return total.reshape(x.shape[0], w.shape[0], *out).astype(x.dtype)


def _input_numpy(ct: Any, w: Any, *, shape: Ints, groups: int, **how: Any) -> np.ndarray:
    stride, padding, dilation = how["stride"], how["padding"], how["dilation"]
    grads, weight = _grouped(widened(ct), groups, 1), _grouped(widened(w), groups, 0)
    channels = w.shape[1] * groups
    full = [size + 2 * p for size, p in zip(shape, padding)]
    image: Any = np.zeros((ct.shape[0], groups, w.shape[1], *full), grads.dtype)
    for k, part in _places(w.shape[2:], ct.shape[2:], stride, dilation):
        image[part] += np.einsum("ngo...,goc->ngc...", grads, weight[(..., *k)])
    inside = tuple(slice(p, p + size) for p, size in zip(padding, shape))
    return image.reshape(ct.shape[0], channels, *full)[(..., *inside)].astype(ct.dtype)


def _weight_numpy(x: Any, ct: Any, *, kernel: Ints, groups: int, **how: Any) -> np.ndarray:
    stride, padding, dilation = how["stride"], how["padding"], how["dilation"]
    image = _grouped(_padded(widened(x), padding), groups, 1)
    grads = _grouped(widened(ct), groups, 1)
    shape = (groups, grads.shape[2], image.shape[2])
    weight: Any = np.zeros((*shape, *kernel), image.dtype)
    flat = (grads.shape[0], *shape[:2], -1) if 0 not in ct.shape else None
    for k, part in _places(kernel, ct.shape[2:], stride, dilation):
        if flat is not None:
            seen = image[part].reshape(image.shape[0], groups, shape[2], -1)
            weight[(..., *k)] = np.einsum("ngop,ngcp->goc", grads.reshape(flat), seen)
    return weight.reshape(ct.shape[1], shape[2], *kernel).astype(x.dtype)


def _how(node: Node) -> dict[str, Any]:
    return {name: node.attr(name) for name in ("stride", "padding", "dilation", "groups")}


def _conv_vjp(node: Any, ct: Any) -> tuple[Any, Any]:
    x, w = node.inputs
    return (
        CONV_INPUT(ct, w, shape=x.type.shape[2:], **_how(node)),
        CONV_WEIGHT(x, ct, kernel=w.type.shape[2:], **_how(node)),
    )


def _input_vjp(node: Any, ct: Any) -> tuple[Any, Any]:
    g, w = node.inputs
    return (
        CONV(ct, w, **_how(node)),
        CONV_WEIGHT(ct, g, kernel=w.type.shape[2:], **_how(node)),
    )


def _weight_vjp(node: Any, ct: Any) -> tuple[Any, Any]:
    x, g = node.inputs
    return (
        CONV_INPUT(g, ct, shape=x.type.shape[2:], **_how(node)),
        CONV(x, ct, **_how(node)),
    )


# (input, weight, stride, padding, dilation, groups)
_CASES: tuple[tuple[Any, ...], ...] = (
    ((2, 3, 7), (4, 3, 3), (1,), (1,), (1,), 1),
    ((2, 4, 6, 5), (6, 2, 3, 2), (2, 1), (1, 0), (1, 2), 2),
    ((1, 1, 1, 1), (1, 1, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((1, 2, 4, 3, 3), (2, 2, 2, 1, 3), (1, 1, 2), (1, 0, 1), (1, 1, 1), 1),
    ((0, 2, 4), (3, 2, 2), (1,), (0,), (1,), 1),
)


def _samples(name: str) -> list[Sample]:
    found = []
    for x, w, stride, padding, dilation, groups in _CASES:
        out = (x[0], w[0], *_spatial(x[2:], w[2:], stride, padding, dilation))
        how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        shapes, extra = {
            "conv": ((x, w), {}),
            "conv_input": ((out, w), {"shape": x[2:]}),
            "conv_weight": ((x, out), {"kernel": w[2:]}),
        }[name]
        found.append(Sample(tuple((s, "float32", "real") for s in shapes), {**how, **extra}))
    return found


# NumPy goes over the places of the kernel, a product each.
_COST = Cost(6.0, pair=4.0)

CONV = declare(
    Op(
        "conv", Kind.CONTRACT, _conv_infer, _conv_numpy, _conv_vjp, Library("conv"),
        samples=lambda: _samples("conv"),
        cost=_COST, flops=work.of_conv, batch=image_batch,
        doc="The cross-correlation of (N, C, *spatial) with (O, C / groups, *kernel).",
    )
)  # fmt: skip
CONV_INPUT = declare(
    Op(
        "conv_input", Kind.CONTRACT, _input_infer, _input_numpy, _input_vjp,
        Library("conv_input"),
        samples=lambda: _samples("conv_input"),
        cost=_COST, flops=work.of_conv_input, batch=image_batch,
        doc="The transpose of conv in its image, whose spatial sizes are `shape`.",
    )
)  # fmt: skip
CONV_WEIGHT = declare(
    Op(
        "conv_weight", Kind.CONTRACT, _weight_infer, _weight_numpy, _weight_vjp,
        Library("conv_weight"),
        samples=lambda: _samples("conv_weight"),
        cost=_COST, flops=work.of_conv_weight, batch=weight_batch,
        doc="The transpose of conv in its weight, whose spatial sizes are `kernel`.",
    )
)  # fmt: skip


def spatial_ints(name: str, what: str, value: int | Sequence[int], rank: int, least: int) -> Ints:
    """An int, or one for each spatial axis, as a tuple; a sequence of one is for all.

    Raises:
        AttributeValueError: a wrong number of them, or one that is too small.
    """
    values = tuple(value) if isinstance(value, Sequence) else (value,)
    values = values * rank if len(values) == 1 else values
    whole = all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in values)
    if not whole or len(values) != rank or any(v < least for v in values):
        raise AttributeValueError(
            f"{name}: {what}={value!r}; it takes an int of {least} or more, "
            f"or one for each of {rank} spatial axes",
            where=caller(),
        )
    return tuple(int(v) for v in values)


def _image_and_weight(name: str, x: Any, weight: Any) -> tuple[Any, Any, int]:
    x, weight = same_dtype(name, x, weight)
    rank = len(x.type.shape) - 2
    if not 1 <= rank <= 3 or len(weight.type.shape) != rank + 2:
        raise ShapeError(
            f"{name}: x must be (N, C, *spatial) and the weight of as many axes, "
            "with 1 to 3 spatial ones",
            [describe(x), describe(weight)],
            where=caller(),
        )
    if not all(isinstance(d, int) and d > 0 for d in weight.type.shape):
        raise ShapeError(
            f"{name}: the weight's sizes must be fixed and not 0",
            [describe(weight)],
            where=caller(),
        )
    return x, weight, rank


def _check_channels(
    name: str, x: Operand, weight: Any, have: Size, want: Size, groups: Any
) -> None:
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise AttributeValueError(f"{name}: groups={groups!r}", where=caller())
    if have != want or weight.type.shape[0] % groups:
        raise ShapeError(
            f"{name}: x has {have} channels, the weight with groups={groups} wants {want}",
            [describe(x), describe(weight)],
            where=caller(),
            hint="the weight's first size must be a multiple of groups",
        )


def _plus_bias(name: str, y: Any, bias: Any) -> Any:
    if bias is None:
        return y
    y, bias = same_dtype(name, y, bias)
    if bias.type.shape != (y.type.shape[1],):
        raise ShapeError(
            f"{name}: the bias must have shape ({y.type.shape[1]},)",
            [describe(bias)],
            where=caller(),
        )
    spatial = (1,) * (len(y.type.shape) - 2)
    return FUNCTIONS["add"](y, reshape(bias, (1, y.type.shape[1], *spatial)))


def _named_padding(
    x: Operand, padding: str, kernel: Ints, stride: Ints, dilation: Ints
) -> tuple[Any, Ints]:
    """x and the padding for "valid" or "same"; an odd surplus of "same" goes behind."""
    zero = (0,) * len(kernel)
    if padding == "valid":
        return x, zero
    if padding != "same" or any(s != 1 for s in stride):
        raise ArgumentError(
            f"conv: padding={padding!r} with stride {stride}",
            where=caller(),
            hint='padding takes ints, "valid", or with stride 1 "same"',
        )
    total = [d * (k - 1) for k, d in zip(kernel, dilation)]
    odd = tuple(t % 2 for t in total)
    if any(odd):
        x = PAD(x, low=(0, 0, *zero), high=(0, 0, *odd), interior=(0, 0, *zero), value=0)
    return x, tuple(t // 2 for t in total)


@public
def conv(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """Convolution over 1, 2 or 3 spatial axes, as PyTorch's `conv1d` to `conv3d`.

    Args:
        x: (N, C, *spatial).
        weight: (O, C / groups, *kernel); not flipped.
        bias: (O,) or None.
        stride: an int, or one for each spatial axis.
        padding: zeros at both ends of each axis: ints, "valid", or "same" (with stride 1).
        dilation: distance between kernel elements.
        groups: how many independent groups the channels make.

    Returns:
        (N, O, *out), `out = (size + 2 padding - dilation (kernel - 1) - 1) // stride + 1`.

    Raises:
        ShapeError: channels, ranks or the bias do not fit, or the kernel exceeds the image.

    Example:
        >>> import graphc as gc
        >>> gc.conv(gc.tensor([[[1.0, 2.0, 4.0]]]), gc.tensor([[[-1.0, 1.0]]]))
        tensor([[[1., 2.]]])
    """
    x, weight, rank = _image_and_weight("conv", x, weight)
    _check_channels("conv", x, weight, x.type.shape[1], weight.type.shape[1] * groups, groups)
    kernel = weight.type.shape[2:]
    steps = spatial_ints("conv", "stride", stride, rank, 1)
    apart = spatial_ints("conv", "dilation", dilation, rank, 1)
    if isinstance(padding, str):
        x, around = _named_padding(x, padding, kernel, steps, apart)
    else:
        around = spatial_ints("conv", "padding", padding, rank, 0)
    y = CONV(x, weight, stride=steps, padding=around, dilation=apart, groups=groups)
    if 0 in y.type.shape[2:]:
        raise ShapeError(
            f"conv: a kernel of {kernel} does not fit the padded image",
            [describe(x), describe(weight)],
            where=caller(),
        )
    return _plus_bias("conv", y, bias)


@public
def conv_transpose(
    x: Any,
    weight: Any,
    bias: Operand | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Any:
    """Transposed convolution, as PyTorch's `conv_transpose1d` to `conv_transpose3d`.

    Args:
        x: (N, C, *spatial).
        weight: (C, O / groups, *kernel).
        bias: (O,) or None.
        stride: an int, or one for each spatial axis.
        padding: places cut from both ends of each axis.
        output_padding: places added behind; less than the stride or the dilation.
        groups: how many independent groups the channels make.
        dilation: distance between kernel elements.

    Returns:
        (N, O, *out), `out = (size - 1) stride - 2 padding + dilation (kernel - 1) +
        output_padding + 1`.

    Raises:
        ShapeError: channels, ranks or the bias do not fit.

    Example:
        >>> import graphc as gc
        >>> gc.conv_transpose(gc.tensor([[[1.0, 2.0]]]), gc.tensor([[[1.0, 1.0]]]))
        tensor([[[1., 3., 2.]]])
    """
    name = "conv_transpose"
    x, weight, rank = _image_and_weight(name, x, weight)
    _check_channels(name, x, weight, x.type.shape[1], weight.type.shape[0], groups)
    steps = spatial_ints(name, "stride", stride, rank, 1)
    around = spatial_ints(name, "padding", padding, rank, 0)
    extra = spatial_ints(name, "output_padding", output_padding, rank, 0)
    apart = spatial_ints(name, "dilation", dilation, rank, 1)
    if any(e >= max(s, d) for e, s, d in zip(extra, steps, apart)):
        raise AttributeValueError(
            f"{name}: output_padding {extra} must be less than the stride {steps} "
            f"or the dilation {apart}",
            where=caller(),
        )
    shape = tuple(
        (size - 1) * s - 2 * p + d * (k - 1) + e + 1
        for size, s, p, d, k, e in zip(
            x.type.shape[2:], steps, around, apart, weight.type.shape[2:], extra
        )
    )
    if any(isinstance(d, int) and d <= 0 for d in shape):
        raise ShapeError(f"{name}: the result would have sizes {shape}", where=caller())
    more = [e // s for e, s in zip(extra, steps)]
    if any(more):
        # So many strides behind are as many elements of 0.
        zero = (0,) * (rank + 2)
        x = PAD(x, low=zero, high=(0, 0, *more), interior=zero, value=0)
    y = CONV_INPUT(
        x, weight, shape=shape, stride=steps, padding=around, dilation=apart, groups=groups
    )
    return _plus_bias(name, y, bias)

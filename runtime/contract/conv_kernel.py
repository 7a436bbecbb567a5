"""Convolution and its two gradients: matrix products with an image unrolled on the way.

float32 and float64: the image is copied into a zero-padded workspace (for the gradient in the
image, the cotangent, its elements as far apart as the stride). There each pixel of the result
meets the elements of a row of the weight at fixed offsets, which a table holds. A task packs a
panel of the unrolled image from the padded one and multiplies it, as in `matmul_kernel`:

    conv         out[i, g] (o, pixels)   = weight[g] (o, c * kernel)         @ panel of image i
    conv_input   out[i, g] (c, pixels)   = flipped weight[g] (c, o * kernel) @ panel of ct i
    conv_weight  out[g]    (o, c * kernel) = sum over images: ct[i, g] (o, pixels) @ panel^T

A weight that is not finite must not meet zeros where no cotangent is: conv_input's sums that are
nan for it are computed again, without them.

Images are laid out as three spatial axes, missing ones of size 1 first. Other dtypes:
`conv_plain`. Products of 1 x 1 kernels are plain matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphc.core.dims import Size
from graphc.ops.contract.convolution import out_size
from graphc.runtime.base.lanes import blocking
from graphc.runtime.base.step import Number, Sized
from graphc.runtime.contract.contraction import (
    CallArgument,
    ContractionPlan,
    KernelCall,
    Operand,
    Scratch,
    sized,
)
from graphc.runtime.contract.conv_plain import mend_kernel, plain_kernel
from graphc.runtime.contract.conv_source import (
    direct_kernel,
    flip_kernel,
    gradient_kernel,
    offsets_kernel,
    pad_kernel,
    turn_kernel,
    unrolled_kernel,
)
from graphc.runtime.contract.matmul_kernel import (
    FEW_TASKS,
    SLICE_WORK,
    MatmulSpec,
    combine_kernel,
    lower_matmul,
    row_block,
    typical,
)

Ints = tuple[int, ...]
# Elements that one slice of a copy moves at least.
COPY_GRAIN = 1 << 15
# Bytes beyond a padded image that vectors may read: two of the widest.
SLACK = 128
_NBYTES = {"f32": 4, "f64": 8}


@dataclass(frozen=True)
class ConvSpec:
    """One of the three contractions of a convolution, all operands C-contiguous.

    Attributes:
        kind: "conv" (operands x: image, y: weight), "conv_input" (x: cotangent, y: weight) or
            "conv_weight" (x: image, y: cotangent).
        dtype: "f32", "f64", "f16", "i32" ..., of operands and result.
        n: images.
        channels, outputs: of the whole convolution (C and O).
        image: spatial sizes of the image, without padding; 1 to 3 of them.
        kernel, stride, padding, dilation: one int for each spatial axis.
        groups: divides channels and outputs.
    """

    kind: str
    dtype: str
    n: Size
    channels: Size
    outputs: Size
    image: tuple[Size, ...]
    kernel: Ints
    stride: Ints
    padding: Ints
    dilation: Ints
    groups: int = 1

    @property
    def out(self) -> tuple[Size, ...]:
        """Spatial sizes of the convolution's result."""
        return tuple(
            map(out_size, self.image, self.kernel, self.stride, self.padding, self.dilation)
        )


def lower_conv(spec: ConvSpec, is_plain: bool = False) -> ContractionPlan:
    """The kernel calls of a convolution or a gradient; operands "x", "y" and "out".

    Args:
        spec: the convolution.
        is_plain: see `lower_matmul`.
    """
    lacking = 3 - len(spec.image)
    spec = replace(
        spec,
        image=(1,) * lacking + spec.image,
        kernel=(1,) * lacking + spec.kernel,
        stride=(1,) * lacking + spec.stride,
        padding=(0,) * lacking + spec.padding,
        dilation=(1,) * lacking + spec.dilation,
    )
    if is_plain or spec.dtype not in _NBYTES:
        return _plain(spec)
    if spec.kind != "conv_weight" and _is_product(spec):
        return _one_by_one(spec)
    return _unrolled(spec)


def _is_product(spec: ConvSpec) -> bool:
    """Whether every pixel of the result meets one pixel of the image: a 1 x 1 kernel."""
    return (
        all(size == 1 for size in spec.kernel)
        and all(size == 1 for size in spec.stride)
        and all(size == 0 for size in spec.padding)
    )


def _one_by_one(spec: ConvSpec) -> ContractionPlan:
    groups, pixels = spec.groups, _times(spec.image)
    rows, depth = spec.outputs // groups, spec.channels // groups
    weight: tuple[Size, ...] = (0, rows * depth, depth, 1)
    if spec.kind == "conv_input":
        rows, depth = depth, rows
        weight = (*weight[:2], 1, rows)
    image = (groups * depth * pixels, depth * pixels, pixels, 1)
    plan = lower_matmul(
        MatmulSpec(spec.dtype, (spec.n, groups), rows, pixels, depth, weight, image)
    )
    swapped = {"x": Operand("y"), "y": Operand("x")}
    return ContractionPlan(
        tuple(
            replace(
                call,
                args=tuple(
                    swapped.get(a.name, a) if isinstance(a, Operand) else a for a in call.args
                ),
            )
            for call in plan.calls
        )
    )


def _plain(spec: ConvSpec) -> ContractionPlan:
    args = _plain_arguments(spec)
    extent = {
        "conv": (spec.n, spec.outputs),
        "conv_input": (spec.n, spec.channels),
        "conv_weight": (spec.outputs, spec.channels // spec.groups),
    }[spec.kind]
    return ContractionPlan(
        (KernelCall(plain_kernel(spec.kind, spec.dtype), args, _times(extent), 1),)
    )


def _plain_arguments(spec: ConvSpec) -> tuple[CallArgument, ...]:
    sizes = (spec.n, spec.channels, spec.outputs, spec.groups, *spec.image, *spec.out)
    numbers = (*sizes, *spec.kernel, *spec.stride, *spec.padding, *spec.dilation)
    return Operand("x"), Operand("y"), Operand("out"), *(Number(size) for size in numbers)


def _mend_call(spec: ConvSpec) -> KernelCall:
    """Takes back what weights that are nan or inf made of places that have no cotangent."""
    args = (*_plain_arguments(spec), Scratch("flags", spec.channels * 8))
    return KernelCall(mend_kernel(spec.dtype), args, _times((spec.n, spec.channels)), 1 << 10)


@dataclass(frozen=True)
class _Padded:
    """A padded image: what is copied (or used as it is), and its spatial sizes."""

    source: Operand
    planes: Size
    inner: tuple[Size, ...]
    low: tuple[Sized, ...]
    apart: Ints
    sizes: tuple[Size, ...]


def _padded(spec: ConvSpec) -> _Padded:
    if spec.kind == "conv_input":
        reach = [d * (k - 1) for d, k in zip(spec.dilation, spec.kernel)]
        return _Padded(
            Operand("x"),
            spec.n * spec.outputs,
            spec.out,
            tuple(r - p for r, p in zip(reach, spec.padding)),
            spec.stride,
            tuple(size + r for size, r in zip(spec.image, reach)),
        )
    sizes = tuple(size + 2 * p for size, p in zip(spec.image, spec.padding))
    planes = spec.n * spec.channels
    return _Padded(Operand("x"), planes, spec.image, spec.padding, (1, 1, 1), sizes)


def _unrolled(spec: ConvSpec) -> ContractionPlan:
    nbytes = _NBYTES[spec.dtype]
    padded = _padded(spec)
    calls = []
    # Vectors that begin at the last pixels reach beyond the image.
    image = Scratch("padded", padded.planes * _times(padded.sizes) * nbytes + SLACK)
    calls.append(_pad_call(spec.dtype, padded, image))
    left: Operand | Scratch = Operand("y")
    volume = math.prod(spec.kernel)
    if spec.kind == "conv_input":
        left = Scratch("flipped", spec.outputs * (spec.channels // spec.groups) * volume * nbytes)
        sizes = (spec.groups, spec.outputs // spec.groups, spec.channels // spec.groups, volume)
        flags = Scratch("flags", spec.channels * 8)
        args: tuple[CallArgument, ...] = (
            Operand("y"),
            left,
            *(Number(size) for size in sizes),
            flags,
        )
        calls.append(KernelCall(flip_kernel(spec.dtype), args, spec.channels, 1 << 10))
    unrolled = spec.outputs if spec.kind == "conv_input" else spec.channels
    depth = (unrolled // spec.groups) * volume
    offsets = Scratch("offsets", depth * 8)
    steps = (*spec.kernel, *spec.dilation, *padded.sizes)
    calls.append(
        KernelCall(
            offsets_kernel(), (offsets, *(Number(size) for size in steps)), depth, COPY_GRAIN
        )
    )
    if spec.kind == "conv_weight":
        calls += _gradient_calls(spec, padded, image, offsets, depth)
        return ContractionPlan(tuple(calls))
    memory = (left, image, Operand("out"), offsets)
    parts = _parts(spec)
    if parts:
        calls.append(_direct_call(spec, parts, padded, memory, depth))
    else:
        calls.append(_unrolled_call(spec, padded, memory, depth))
    if spec.kind == "conv_input":
        calls.append(_mend_call(spec))
    return ContractionPlan(tuple(calls))


def _pad_call(dtype: str, padded: _Padded, target: Scratch) -> KernelCall:
    numbers = (*padded.inner, *padded.sizes, *padded.low, *padded.apart)
    args: tuple[CallArgument, ...] = (padded.source, target, *(Number(size) for size in numbers))
    plane = math.prod(size if isinstance(size, int) else 16 for size in padded.sizes)
    return KernelCall(pad_kernel(dtype), args, padded.planes, max(COPY_GRAIN // max(plane, 1), 1))


def _parts(spec: ConvSpec) -> int:
    """In how many pieces the image can be read in place as vectors; 0 to unroll it.

    A piece lies in one row of pixels, so its last lanes may be lost.
    """
    if spec.kind == "conv" and spec.stride[-1] != 1:
        return 0
    width = (spec.image if spec.kind == "conv_input" else spec.out)[-1]
    if not isinstance(width, int):
        return 1
    lanes = blocking(spec.dtype).lanes
    for parts in (1, 2):
        size = lanes // parts
        if 4 * width >= 3 * size * -(-width // size) and (parts == 1 or lanes > 4):
            return parts
    return 0


@dataclass(frozen=True)
class _Product:
    """A convolution or its gradient in the image, as a product in each group."""

    rows: Size
    depth: Size
    channels: Size
    places: tuple[Size, ...]
    stride: Ints

    @property
    def grain(self) -> int:
        """Tasks of three vectors of pixels that are worth a thread."""
        return max(1, SLICE_WORK // max(48 * typical(self.rows) * typical(self.depth), 1))


def _product_of(spec: ConvSpec, depth: Size) -> _Product:
    outputs, channels = spec.outputs // spec.groups, spec.channels // spec.groups
    if spec.kind == "conv_input":
        return _Product(channels, depth, outputs, spec.image, (1, 1, 1))
    return _Product(outputs, depth, channels, spec.out, spec.stride)


def _steps(padded: _Padded, stride: Ints) -> tuple[Size, Size, Size]:
    """How far neighbouring pixels of the result lie apart in the padded image, by axis."""
    _, rows, columns = padded.sizes
    return stride[0] * rows * columns, stride[1] * columns, stride[2]


def _direct_call(
    spec: ConvSpec, parts: int, padded: _Padded, memory: tuple[Operand | Scratch, ...], depth: Size
) -> KernelCall:
    shape, groups, product = blocking(spec.dtype), spec.groups, _product_of(spec, depth)
    size = shape.lanes // parts
    line = sized(lambda width: -(-width // size), product.places[2])
    pieces = sized(lambda d, h, count: d * h * count, product.places[0], product.places[1], line)
    total = sized(lambda n, count: n * count, spec.n, pieces)
    plane = _times(padded.sizes)
    numbers: tuple[Sized, ...] = (
        product.rows, _times(product.places), depth,
        groups * product.channels * plane, product.channels * plane, groups,
        product.places[1], product.places[2], line, pieces, total,
        *_steps(padded, product.stride)[:2],
    )  # fmt: skip
    args = (*memory, *(Number(number) for number in numbers))
    extent = sized(lambda count: groups * -(-count // (shape.vectors * parts)), total)
    return KernelCall(direct_kernel(spec.dtype, parts), args, extent, product.grain)


def _unrolled_call(
    spec: ConvSpec, padded: _Padded, memory: tuple[Operand | Scratch, ...], depth: Size
) -> KernelCall:
    groups, product = spec.groups, _product_of(spec, depth)
    pixels, plane = _times(product.places), _times(padded.sizes)
    panels = sized(lambda size: -(-size // blocking(spec.dtype).columns), pixels)
    numbers: tuple[Sized, ...] = (
        product.rows, pixels, depth,
        groups * product.channels * plane, product.channels * plane, groups, panels,
        product.places[1], product.places[2], *_steps(padded, product.stride),
    )  # fmt: skip
    args = (*memory, *(Number(number) for number in numbers))
    extent = sized(lambda n, p: n * groups * p, spec.n, panels)
    return KernelCall(unrolled_kernel(spec.dtype), args, extent, product.grain)


def _gradient_calls(spec: ConvSpec, padded: _Padded, image: Scratch, offsets: Scratch,
                    rows: Size) -> list[KernelCall]:  # fmt: skip
    shape, groups, n = blocking(spec.dtype), spec.groups, spec.outputs // spec.groups
    channels, plane = spec.channels // groups, _times(padded.sizes)
    panels = sized(lambda size: -(-size // shape.columns), n)
    chunk = sized(lambda images, p: _images_per_task(images, p * groups), spec.n, panels)
    # Without images the gradient is 0: one chunk of none.
    chunks = sized(lambda images, c: max(-(-images // c), 1), spec.n, chunk)
    tasks = sized(lambda c, p: c * p * groups, chunks, panels)
    # Few images: the rows are cut, too, and each task packs the cotangents again.
    block = sized(
        lambda r, t: max(r if t >= FEW_TASKS else min(r, row_block(r, shape.rows[0])), 1),
        rows, tasks,
    )  # fmt: skip
    blocks = sized(lambda r, b: -(-r // b), rows, block)
    numbers: tuple[Sized, ...] = (
        rows, n, _times(spec.out), groups * channels * plane, channels * plane, groups, panels,
        *spec.out[1:], *_steps(padded, spec.stride), spec.n, chunk, block, blocks,
    )  # fmt: skip
    size = groups * rows * n
    partial = Scratch("partial", sized(lambda s, c: _NBYTES[spec.dtype] * s * c, size, chunks))
    args: tuple[CallArgument, ...] = (
        Operand("y"),
        image,
        partial,
        offsets,
        *(Number(number) for number in numbers),
    )
    extent = sized(lambda t, b: t * b, tasks, blocks)
    calls = [KernelCall(gradient_kernel(spec.dtype), args, extent, 1)]
    total = partial
    if chunks != 1:
        total = Scratch("total", size * _NBYTES[spec.dtype])
        added = (partial, total, Number(size), Number(chunks))
        calls.append(KernelCall(combine_kernel(spec.dtype), added, size, 1 << 14))
    turned = (total, Operand("out"), Number(rows), Number(n))
    vectors = sized(lambda m: groups * -(-m // shape.lanes), n)
    grain = max(1, COPY_GRAIN // max(typical(rows) * shape.lanes, 1))
    calls.append(KernelCall(turn_kernel(spec.dtype), turned, vectors, grain))
    return calls


def _images_per_task(n: int, tasks: int) -> int:
    """How many images one task of the weight's gradient adds up."""
    chunks = max(2 * FEW_TASKS // max(tasks, 1), 1)
    return max(-(-n // chunks), 1)


def _times(sizes: Sequence[Size]) -> Size:
    total: Size = 1
    for size in sizes:
        total = total * size
    return total

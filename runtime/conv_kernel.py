"""Convolution and its two gradients: matrix products with an image unrolled on the way.

float32 and float64: the image is copied into a zero-padded workspace (for the gradient in the
image, the cotangent, its elements as far apart as the stride). There each pixel of the result
meets the elements of a row of the weight at fixed offsets, which a table holds. A task packs a
panel of the unrolled image from the padded one and multiplies it, as in `matmul_kernel`:

    conv         out[i, g] (o, pixels)   = weight[g] (o, c * kernel)         @ panel of image i
    conv_input   out[i, g] (c, pixels)   = flipped weight[g] (c, o * kernel) @ panel of ct i
    conv_weight  out[g]    (o, c * kernel) = sum over images: ct[i, g] (o, pixels) @ panel^T

Images are laid out as three spatial axes, missing ones of size 1 first. Other dtypes:
`conv_plain`. Products of 1 x 1 kernels are plain matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphc.dims import Size
from graphc.ops.convolution import out_size
from graphc.runtime.contraction import (
    ContractionPlan,
    KernelCall,
    Operand,
    Scratch,
    sized,
)
from graphc.runtime.conv_plain import plain_kernel
from graphc.runtime.conv_source import (
    direct_kernel,
    flip_kernel,
    offsets_kernel,
    pad_kernel,
    unrolled_kernel,
)
from graphc.runtime.lanes import blocking
from graphc.runtime.matmul_kernel import (
    FEW_TASKS,
    SLICE_WORK,
    MatmulSpec,
    combine_kernel,
    lower_matmul,
)
from graphc.runtime.step import Number, Sized

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


def lower_conv(spec: ConvSpec) -> ContractionPlan:
    """The kernel calls of a convolution or a gradient; operands "x", "y" and "out"."""
    lacking = 3 - len(spec.image)
    spec = replace(
        spec,
        image=(1,) * lacking + spec.image,
        kernel=(1,) * lacking + spec.kernel,
        stride=(1,) * lacking + spec.stride,
        padding=(0,) * lacking + spec.padding,
        dilation=(1,) * lacking + spec.dilation,
    )
    if spec.dtype not in _NBYTES:
        return _plain(spec)
    if spec.kind != "conv_weight" and _is_product(spec):
        return _product(spec)
    return _unrolled(spec)


def _is_product(spec: ConvSpec) -> bool:
    """Whether every pixel of the result meets one pixel of the image: a 1 x 1 kernel."""
    return (
        all(size == 1 for size in spec.kernel)
        and all(size == 1 for size in spec.stride)
        and all(size == 0 for size in spec.padding)
    )


def _product(spec: ConvSpec) -> ContractionPlan:
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
    sizes = (spec.n, spec.channels, spec.outputs, spec.groups, *spec.image, *spec.out)
    numbers = (*sizes, *spec.kernel, *spec.stride, *spec.padding, *spec.dilation)
    args = (Operand("x"), Operand("y"), Operand("out"), *(Number(size) for size in numbers))
    extent = {
        "conv": (spec.n, spec.outputs),
        "conv_input": (spec.n, spec.channels),
        "conv_weight": (spec.outputs, spec.channels // spec.groups),
    }[spec.kind]
    return ContractionPlan(
        (KernelCall(plain_kernel(spec.kind, spec.dtype), args, _times(extent), 1),)
    )


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
        args = (Operand("y"), left, *(Number(size) for size in sizes))
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
    if _is_direct(spec):
        calls.append(_direct_call(spec, padded, (left, image, offsets), depth))
    else:
        calls += _multiply_calls(spec, padded, left, image, offsets, depth)
    return ContractionPlan(tuple(calls))


def _pad_call(dtype: str, padded: _Padded, target: Scratch) -> KernelCall:
    numbers = (*padded.inner, *padded.sizes, *padded.low, *padded.apart)
    args = (padded.source, target, *(Number(size) for size in numbers))
    plane = math.prod(size if isinstance(size, int) else 16 for size in padded.sizes)
    return KernelCall(pad_kernel(dtype), args, padded.planes, max(COPY_GRAIN // max(plane, 1), 1))


def _is_direct(spec: ConvSpec) -> bool:
    """Whether vectors of neighbours in one row of the result lose few lanes at its end."""
    if spec.kind == "conv_weight" or (spec.kind == "conv" and spec.stride[-1] != 1):
        return False
    width = (spec.image if spec.kind == "conv_input" else spec.out)[-1]
    lanes = blocking(spec.dtype).lanes
    return not isinstance(width, int) or 4 * width >= 3 * lanes * -(-width // lanes)


def _direct_call(
    spec: ConvSpec, padded: _Padded, memory: tuple[Operand | Scratch, Scratch, Scratch], depth: Size
) -> KernelCall:
    shape, groups = blocking(spec.dtype), spec.groups
    forward = spec.kind == "conv"
    places = spec.out if forward else spec.image
    stride = spec.stride if forward else (1, 1, 1)
    rows = (spec.outputs if forward else spec.channels) // groups
    channels = (spec.channels if forward else spec.outputs) // groups
    line = sized(lambda width: -(-width // shape.lanes), places[2])
    vectors = sized(lambda d, h, count: d * h * count, places[0], places[1], line)
    panels = sized(lambda count: -(-count // shape.vectors), vectors)
    plane = _times(padded.sizes)
    numbers: tuple[Sized, ...] = (
        rows, _times(places), depth, groups * channels * plane, channels * plane, groups, panels,
        places[1], places[2], line, vectors,
        stride[0] * padded.sizes[1] * padded.sizes[2], stride[1] * padded.sizes[2],
    )  # fmt: skip
    left, image, offsets = memory
    args = (left, image, Operand("out"), offsets, *(Number(number) for number in numbers))
    extent = sized(lambda n, p: n * groups * p, spec.n, panels)
    work = _typical(rows) * shape.columns * _typical(depth)
    grain = max(1, SLICE_WORK // max(work, 1))
    return KernelCall(direct_kernel(spec.dtype), args, extent, grain)


def _multiply_calls(
    spec: ConvSpec, padded: _Padded, left: Operand | Scratch, image: Operand | Scratch,
    offsets: Scratch, depth: Size,
) -> list[KernelCall]:  # fmt: skip
    shape, groups = blocking(spec.dtype), spec.groups
    gradient = spec.kind == "conv_weight"
    places = spec.image if spec.kind == "conv_input" else spec.out
    stride = (1, 1, 1) if spec.kind == "conv_input" else spec.stride
    rows = (spec.channels if spec.kind == "conv_input" else spec.outputs) // groups
    pixels = _times(places)
    n, k = (depth, pixels) if gradient else (pixels, depth)
    panels = sized(lambda size: -(-size // shape.columns), n)
    chunk: Sized = 1
    if gradient:
        chunk = sized(_images_per_task, spec.n, panels, groups)
    chunks = sized(lambda size, c: -(-size // c) if c else 0, spec.n, chunk)
    # Without images the gradient is 0: one chunk of none.
    chunks = sized(lambda c: max(c, 1), chunks) if gradient else chunks
    plane = _times(padded.sizes)
    channels = (spec.outputs if spec.kind == "conv_input" else spec.channels) // groups
    numbers: tuple[Sized, ...] = (
        int(gradient), rows, n, k,
        *((groups * rows * k, rows * k) if gradient else (0, rows * k)), k,
        groups * channels * plane, channels * plane,
        groups, panels, spec.n, chunk,
        places[1], places[2],
        stride[0] * padded.sizes[1] * padded.sizes[2], stride[1] * padded.sizes[2], stride[2],
    )  # fmt: skip
    extent = sized(lambda c, g, p: c * g * p, chunks, groups, panels)
    size = groups * rows * n
    split = gradient and not (isinstance(chunks, int) and chunks == 1)
    partial = Scratch("partial", sized(lambda s, c: _NBYTES[spec.dtype] * s * c, size, chunks))
    target = partial if split else Operand("out")
    args = (left, image, target, offsets, *(Number(number) for number in numbers))
    grain = max(1, SLICE_WORK // max(_typical(rows) * shape.columns * _typical(k), 1))
    if gradient:
        grain = 1
    calls = [KernelCall(unrolled_kernel(spec.dtype), args, extent, grain)]
    if split:
        reduced = (partial, Operand("out"), Number(size), Number(chunks))
        calls.append(KernelCall(combine_kernel(spec.dtype), reduced, size, 1 << 14))
    return calls


def _images_per_task(n: int, panels: int, groups: int) -> int:
    """How many images one task of the weight's gradient adds up."""
    chunks = max(2 * FEW_TASKS // max(panels * groups, 1), 1)
    return max(-(-n // chunks), 1)


def _typical(size: Size) -> int:
    return size if isinstance(size, int) else 64


def _times(sizes: Sequence[Size]) -> Size:
    total: Size = 1
    for size in sizes:
        total = total * size
    return total

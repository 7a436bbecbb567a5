"""Products and convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.core import dims
from graphc.core.ir import Node
from graphc.onnx.rules.shape import padded, sliced
from graphc.onnx.table import Use, rule
from graphc.onnx.values import MOST_LISTED, bounded, evaluated
from graphc.ops.source import iota


@rule("MatMul")
def matmul(a: Use, x: Node, y: Node) -> Any:
    return gc.matmul(x, y)


@rule("Gemm")
def gemm(a: Use, x: Node, y: Node, c: Node | None = None) -> Any:
    x = gc.transpose(x, 0, 1) if a.transA else x
    y = gc.transpose(y, 0, 1) if a.transB else y
    found = gc.matmul(x, y)
    if a.alpha != 1.0:
        found = found * a.alpha
    if c is None:
        return gc.cast(found, x.dtype)
    return gc.cast(found + (c if a.beta == 1.0 else c * a.beta), x.dtype)


@rule("Einsum")
def einsum(a: Use, *xs: Node) -> Any:
    return gc.einsum(a.equation.replace(" ", ""), *xs)


def spatial(a: Use, rank: int, name: str, default: int = 1) -> list[int]:
    """An attribute with one number for each spatial axis."""
    return list(a.attributes.get(name) or [default] * rank)


def pads_of(
    a: Use, sizes: Any, kernel: list[int], strides: list[int], dilations: list[int]
) -> list[tuple[Any, Any]]:
    """The room at both ends of each spatial axis."""
    rank = len(kernel)
    auto = a.auto_pad or "NOTSET"
    if auto == "VALID":
        return [(0, 0)] * rank
    if auto == "NOTSET":
        pads = a.pads or [0] * (2 * rank)
        return list(zip(pads[:rank], pads[rank:]))
    found = []
    for size, k, s, d in zip(sizes, kernel, strides, dilations):
        extent = (k - 1) * d + 1
        if s == 1:
            whole: Any = extent - 1
        else:
            whole = (-(-size // s) - 1) * s + extent - size
            whole = max(whole, 0) if isinstance(whole, int) else dims.maximum(whole, 0)
        small = whole // 2
        found.append((small, whole - small) if auto == "SAME_UPPER" else (whole - small, small))
    return found


def is_even(pads: Any) -> bool:
    """Whether each axis has a number of places, the same at both ends."""
    return all(isinstance(b, int) and isinstance(e, int) and b == e >= 0 for b, e in pads)


def roomy(x: Node, pads: Any, fill: Any = 0) -> Any:
    """An image with room around its spatial axes."""
    return padded(x, [(0, 0), (0, 0), *pads], fill)


@rule("Conv")
def conv(a: Use, x: Node, w: Node, b: Node | None = None) -> Any:
    return convolved(a, x, w, b)


def convolved(a: Use, x: Node, w: Node, b: Any = None) -> Any:
    """A convolution as a node says it."""
    kernel = list(w.shape[2:])
    rank = len(kernel)
    strides, dilations = spatial(a, rank, "strides"), spatial(a, rank, "dilations")
    pads = pads_of(a, x.shape[2:], kernel, strides, dilations)
    if is_even(pads):
        padding = [before for before, _ in pads]
    else:
        x, padding = roomy(x, pads), [0] * rank
    return gc.conv(x, w, b, strides, padding, dilations, a.group or 1)


def _is_one(v: Node) -> bool:
    """Whether a tensor holds one number, for all channels."""
    return tuple(v.shape) in ((), (1,))


@rule("ConvInteger", takes="xxxx")
def conv_integer(
    a: Use, x: Node, w: Node, x_zero: Node | None = None, w_zero: Node | None = None
) -> Any:
    return integer_convolved(a, x, w, x_zero, w_zero)


def integer_convolved(a: Use, x: Node, w: Node, x_zero: Any, w_zero: Any) -> Any:
    """A convolution of bytes as a node says it, in int32."""
    kernel = list(w.shape[2:])
    rank = len(kernel)
    strides, dilations = spatial(a, rank, "strides"), spatial(a, rank, "dilations")
    pads = pads_of(a, x.shape[2:], kernel, strides, dilations)
    x_zero, w_zero = number_of(x_zero), number_of(w_zero)
    if is_even(pads):
        padding = [before for before, _ in pads]
    else:
        x, padding = roomy(x, pads, 0 if x_zero is None else x_zero), [0] * rank
    return gc.conv_integer(x, w, x_zero, w_zero, strides, padding, dilations, a.group or 1)


def number_of(zero: Node | None) -> Any:
    """A zero point: an int where it is one number that is known."""
    if zero is None or not _is_one(zero):
        return zero
    known = evaluated(zero)
    return gc.reshape(zero, ()) if known is None else int(known.reshape(()))


@rule("MatMulInteger", takes="xxxx")
def matmul_integer(
    a: Use, x: Node, y: Node, x_zero: Node | None = None, y_zero: Node | None = None
) -> Any:
    return integer_product(x, y, x_zero, y_zero)


def integer_product(x: Node, y: Node, x_zero: Node | None, y_zero: Node | None) -> Any:
    """A matrix product of bytes less their zero points, those of x in one number for each row."""
    x_zero, y_zero = number_of(x_zero), number_of(y_zero)
    is_rows = isinstance(x_zero, Node) and len(x_zero.shape) == 1
    ranks = len(x.shape), len(y.shape)
    x = gc.expand_dims(x, 0) if ranks[0] == 1 else x
    y = gc.expand_dims(y, 1) if ranks[1] == 1 else y
    found = gc.matmul_integer(x, y, gc.expand_dims(x_zero, -1) if is_rows else x_zero, y_zero)
    drop = [axis for axis, rank in ((-2, ranks[0]), (-1, ranks[1])) if rank == 1]
    return gc.squeeze(found, tuple(drop)) if drop else found


@rule("ConvTranspose")
def conv_transpose(a: Use, x: Node, w: Node, b: Node | None = None) -> Any:
    kernel = list(w.shape[2:])
    rank = len(kernel)
    strides, dilations = spatial(a, rank, "strides"), spatial(a, rank, "dilations")
    more = spatial(a, rank, "output_padding", 0)
    sizes = x.shape[2:]
    full = [
        (n - 1) * s + (k - 1) * d + 1 + m
        for n, s, k, d, m in zip(sizes, strides, kernel, dilations, more)
    ]
    cuts = _cuts(a, sizes, full, strides)
    groups = a.group or 1
    if is_even(cuts) and all(m < max(s, d) for m, s, d in zip(more, strides, dilations)):
        padding = [before for before, _ in cuts]
        return gc.conv_transpose(x, w, b, strides, padding, more, groups, dilations)
    found = gc.conv_transpose(x, w, None, strides, 0, 0, groups, dilations)
    pairs = [(-before, m - after) for (before, after), m in zip(cuts, more)]
    found = roomy(found, pairs)
    return found if b is None else found + gc.reshape(b, (-1, *[1] * rank))


def _cuts(a: Use, sizes: Any, full: list[Any], strides: list[int]) -> list[tuple[Any, Any]]:
    """What is cut from both ends of each axis of the whole result."""
    rank = len(full)
    auto = a.auto_pad or "NOTSET"
    shape = a.output_shape
    if shape is None and auto == "NOTSET":
        pads = a.pads or [0] * (2 * rank)
        return list(zip(pads[:rank], pads[rank:]))
    if shape is None and auto == "VALID":
        return [(0, 0)] * rank
    wanted = shape[-rank:] if shape is not None else [n * s for n, s in zip(sizes, strides)]
    found = []
    for whole, size in zip(full, wanted):
        cut = whole - size
        small = cut // 2
        found.append((small, cut - small) if auto == "SAME_UPPER" else (cut - small, small))
    return found


@rule("Col2Im", takes="xkk")
def col2im(a: Use, x: Node, image_shape: np.ndarray, block_shape: np.ndarray) -> Any:
    image, block = ([int(n) for n in v] for v in (image_shape, block_shape))
    rank = len(block)
    strides, dilations = spatial(a, rank, "strides"), spatial(a, rank, "dilations")
    pads = a.pads or [0] * (2 * rank)
    room = [n + pads[k] + pads[k + rank] for k, n in enumerate(image)]
    counts = [(r - d * (b - 1) - 1) // s + 1 for r, d, b, s in zip(room, dilations, block, strides)]
    n = x.shape[0]
    whole = 1
    for size in block:
        whole *= size
    bounded(whole, MOST_LISTED, "places of a block")
    channels = x.shape[1] // whole
    columns = gc.reshape(x, (n * channels, whole, *counts))
    # Each place of the block is a channel whose kernel has one 1: a transposed convolution adds up.
    kernel = gc.reshape(
        gc.cast(iota((whole, whole), 0) == iota((whole, whole), 1), x.dtype),
        (whole, 1, *block),
    )
    found = gc.conv_transpose(columns, kernel, None, strides, 0, 0, 1, dilations)
    extents = [
        (c - 1) * s + d * (b - 1) + 1 for c, s, d, b in zip(counts, strides, dilations, block)
    ]
    pairs = [(-pads[k], room[k] - extents[k] - pads[k + rank]) for k in range(rank)]
    return gc.reshape(roomy(found, pairs), (n, channels, *image))


@rule("CausalConvWithState")
def causal_conv(a: Use, x: Node, w: Node, b: Node | None = None, state: Node | None = None) -> Any:
    width = w.shape[-1]
    if state is None:
        wide = gc.pad(x, ((0, 0), (0, 0), (width - 1, 0)))
    else:
        wide = gc.concat([state, x], 2)
    found = gc.conv(wide, w, b, 1, 0, 1, w.shape[0])
    if (a.activation or "none") in ("silu", "swish"):
        found = found * gc.sigmoid(found)
    return found, sliced(wide, {2: slice(x.shape[2], None)})

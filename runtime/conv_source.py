"""Kernels that convolutions of float32 and float64 are made of: see `conv_kernel`."""

from __future__ import annotations

import functools

from graphc.runtime.kernel import Kernel
from graphc.runtime.lanes import blocking
from graphc.runtime.tile_source import indent, multiply_panel

# Elements of the depth that one packed panel holds.
DEPTH_BLOCK = 256

_PAD = """\
def {name}(args, lo, hi):
    source = buffer(args, 0, {dtype})
    target = buffer(args, 1, {dtype})
    d, h, w = args[2], args[3], args[4]
    planes, rows, columns = args[5], args[6], args[7]
    low_d, low_h, low_w = args[8], args[9], args[10]
    apart_d, apart_h, apart_w = args[11], args[12], args[13]
    for image in range(lo, hi):
        start = image * planes * rows * columns
        for i in range(start, start + planes * rows * columns):
            target[i] = {dtype}(0)
        for z in range(d):
            for y in range(h):
                plane = low_d + z * apart_d
                row = low_h + y * apart_h
                if 0 <= plane and plane < planes and 0 <= row and row < rows:
                    to = start + (plane * rows + row) * columns
                    at = ((image * d + z) * h + y) * w
                    if apart_w == 1:
                        first = select(low_w < 0, -low_w, 0)
                        last = select(columns - low_w < w, columns - low_w, w)
                        for x in range(first, last):
                            target[to + low_w + x] = source[at + x]
                    else:
                        for x in range(w):
                            column = low_w + x * apart_w
                            if 0 <= column and column < columns:
                                target[to + column] = source[at + x]
"""

_FLIP = """\
def {name}(args, lo, hi):
    source = buffer(args, 0, {dtype})
    target = buffer(args, 1, {dtype})
    outputs, channels, volume = args[3], args[4], args[5]
    for line in range(lo, hi):
        group = quotient(line, channels)
        channel = remainder(line, channels)
        for output in range(outputs):
            at = ((group * outputs + output) * channels + channel) * volume
            to = (line * outputs + output) * volume
            for k in range(volume):
                target[to + volume - 1 - k] = source[at + k]
"""

_OFFSETS = """\
def conv_offsets(args, lo, hi):
    offsets = buffer(args, 0, i64)
    k_d, k_h, k_w = args[1], args[2], args[3]
    d_d, d_h, d_w = args[4], args[5], args[6]
    planes, rows, columns = args[7], args[8], args[9]
    for i in range(lo, hi):
        x = remainder(i, k_w)
        y = remainder(quotient(i, k_w), k_h)
        z = remainder(quotient(i, k_w * k_h), k_d)
        channel = quotient(i, k_w * k_h * k_d)
        plane = channel * planes + z * d_d
        offsets[i] = (plane * rows + y * d_h) * columns + x * d_w
"""

_UNROLLED = """\
def {name}(args, lo, hi):
    x = buffer(args, 0, {dtype})
    image = buffer(args, 1, {dtype})
    out = buffer(args, 2, {dtype})
    offsets = buffer(args, 3, i64)
    gradient = args[4] != 0
    rows, n, k = args[5], args[6], args[7]
    x_image, x_group, x_m = args[8], args[9], args[10]
    image_step, group_step = args[11], args[12]
    groups, panels, images, chunk = args[13], args[14], args[15], args[16]
    out_h, out_w = args[17], args[18]
    plane_step, row_step, column_step = args[19], args[20], args[21]
    packed = local({packed}, {dtype})
    starts = local({segments}, i64)
    widths = local({segments}, i64)
    sources = local({segments}, i64)
    panel = either(True, packed, x)
    panel_at = 0
    step = {columns}
    x_k = 1
    for task in range(lo, hi):
        column = remainder(task, panels) * {columns}
        columns = select(n - column < {columns}, n - column, {columns})
        matrix = quotient(task, panels)
        group = remainder(matrix, groups)
        number = quotient(matrix, groups) * chunk
        last = select(number + chunk < images, number + chunk, images)
        out_at = matrix * rows * n + column
        initial = True
        while number < last or initial:
            base = number * image_step + group * group_step
            p0 = 0
            while p0 < k or initial:
                depth = select(k - p0 < {block}, k - p0, {block})
                if number >= last:
                    depth = 0
{segment}
                if gradient:
{pack_gradient}
                else:
{pack}
                x_block = number * x_image + group * x_group + p0
{multiply}
                initial = False
                p0 += {block}
            number += 1
"""

# The pixels of this panel or block, cut at the ends of rows and to the width of a vector.
_SEGMENT = """\
count = depth if gradient else columns
pixel = p0 if gradient else column
filled = 0
segments = 0
while filled < count:
    x_place = remainder(pixel, out_w)
    y_place = remainder(quotient(pixel, out_w), out_h)
    z_place = quotient(pixel, out_w * out_h)
    width = select(out_w - x_place < {lanes}, out_w - x_place, {lanes})
    width = select(count - filled < width, count - filled, width)
    starts[segments] = filled
    widths[segments] = width
    sources[segments] = base + z_place * plane_step + y_place * row_step + x_place * column_step
    segments += 1
    filled += width
    pixel += width
"""

_PACK = """\
for s in range(segments):
    start, width, source = starts[s], widths[s], sources[s]
    if column_step == 1:
        for p in range(depth):
            part = tile_load_part(1, 1, image, source + offsets[p0 + p], 0, 0, 1, width)
            tile_store_part(part, packed, p * {columns} + start, 0, 0, 1, width)
    else:
        for p in range(depth):
            at = source + offsets[p0 + p]
            to = p * {columns} + start
            for i in range(width):
                packed[to + i] = image[at + i * column_step]
"""

# Rows below a segment's last are overwritten by the next segment.
_PACK_GRADIENT = """\
for q in range(0, columns, {lanes}):
    for s in range(segments):
        start, width, source = starts[s], widths[s], sources[s]
        to = start * {columns} + q
        if column_step == 1:
            part = tile_load_rows(
                {lanes}, 1, image, source, offsets, column + q, columns - q, width
            )
            tile_store(tile_transpose(part), packed, to, {columns})
        else:
            last_q = select(columns - q < {lanes}, columns - q, {lanes})
            for i in range(width):
                for j in range(last_q):
                    at = source + offsets[column + q + j] + i * column_step
                    packed[to + i * {columns} + j] = image[at]
"""


_DIRECT = """\
def {name}(args, lo, hi):
    x = buffer(args, 0, {dtype})
    image = buffer(args, 1, {dtype})
    out = buffer(args, 2, {dtype})
    offsets = buffer(args, 3, i64)
    rows, pixels, depth = args[4], args[5], args[6]
    image_step, group_step, groups, panels = args[7], args[8], args[9], args[10]
    out_h, out_w, line, vectors = args[11], args[12], args[13], args[14]
    plane_step, row_step = args[15], args[16]
    starts = local({vectors}, i64)
    places = local({vectors}, i64)
    widths = local({vectors}, i64)
    for task in range(lo, hi):
        matrix = quotient(task, panels)
        number = quotient(matrix, groups)
        group = remainder(matrix, groups)
        base = number * image_step + group * group_step
        # Each vector is part of one row of pixels.
        for v in range({vectors}):
            vector = remainder(task, panels) * {vectors} + v
            inside = vector < vectors
            vector = select(inside, vector, 0)
            x_place = remainder(vector, line) * {lanes}
            y_place = quotient(vector, line)
            z_place = quotient(y_place, out_h)
            starts[v] = base + z_place * plane_step + x_place
            starts[v] += (y_place - z_place * out_h) * row_step
            places[v] = y_place * out_w + x_place
            width = select(out_w - x_place < {lanes}, out_w - x_place, {lanes})
            widths[v] = select(inside, width, 0)
        out_at = matrix * rows * pixels
        x_block = group * rows * depth
        row = 0
        while row < rows:
            left = rows - row
{heights}
"""

_DIRECT_TILE = """\
# A tile that overhangs moves up and leaves the rows above its part alone.
skip = select(left < {height}, {height} - left, 0)
row -= skip
at = x_block + row * depth
acc = tile_dot_at({height}, {vectors}, depth, x, at, depth, 1, image, starts, offsets)
tile_store_at(acc, out, out_at + row * pixels, pixels, skip, places, widths)
row += {height}
"""


@functools.cache
def direct_kernel(dtype: str) -> Kernel:
    """The product with an image read in place; its parallel range is image, group, vectors."""
    shape = blocking(dtype)
    most, some, _ = shape.rows
    tests = {
        most: f"if left >= {most} or (left > {some} and rows >= {most}):",
        some: f"elif left > 1 and rows >= {some}:",
        1: "else:",
    }
    heights = []
    for height, test in tests.items():
        tile = _DIRECT_TILE.format(height=height, vectors=shape.vectors)
        heights += [indent(test, 3), indent(tile, 4)]
    name = f"conv_direct_{dtype}"
    source = _DIRECT.format(
        name=name,
        dtype=dtype,
        lanes=shape.lanes,
        vectors=shape.vectors,
        heights="\n".join(heights),
    )
    return Kernel(name, source)


@functools.cache
def pad_kernel(dtype: str) -> Kernel:
    """Copies images into zeros: args source, target, sizes of both, first place, distance."""
    name = f"pad_{dtype}"
    return Kernel(name, _PAD.format(name=name, dtype=dtype))


@functools.cache
def flip_kernel(dtype: str) -> Kernel:
    """(groups, outputs, channels, volume) to (groups, channels, outputs, volume reversed)."""
    name = f"flip_weight_{dtype}"
    return Kernel(name, _FLIP.format(name=name, dtype=dtype))


@functools.cache
def offsets_kernel() -> Kernel:
    """Where each element of a kernel lies in a padded image, from the pixel it begins at."""
    return Kernel("conv_offsets", _OFFSETS)


@functools.cache
def unrolled_kernel(dtype: str) -> Kernel:
    """The matrix product with an unrolled image; its parallel range is chunk, group, panel."""
    shape = blocking(dtype)
    facts = {"lanes": shape.lanes, "columns": shape.columns, "dtype": dtype}
    name = f"conv_{dtype}"
    source = _UNROLLED.format(
        name=name,
        packed=(DEPTH_BLOCK + shape.lanes) * shape.columns,
        # A segment is at least one pixel.
        segments=DEPTH_BLOCK,
        block=DEPTH_BLOCK,
        segment=indent(_SEGMENT.format(**facts), 4),
        pack=indent(_PACK.format(**facts), 5),
        pack_gradient=indent(_PACK_GRADIENT.format(**facts), 5),
        multiply=indent(multiply_panel(dtype), 4),
        **facts,
    )
    return Kernel(name, source)

"""Kernels that convolutions of float32 and float64 are made of: see `conv_kernel`."""

from __future__ import annotations

import functools
import itertools

from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.lanes import blocking
from graphc.runtime.contract.tile_source import by_width, indent, multiply_panel

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
    flags = buffer(args, 6, i64)
    for line in range(lo, hi):
        group = quotient(line, channels)
        channel = remainder(line, channels)
        odd = 0
        for output in range(outputs):
            at = ((group * outputs + output) * channels + channel) * volume
            to = (line * outputs + output) * volume
            for k in range(volume):
                value = source[at + k]
                target[to + volume - 1 - k] = value
                odd |= select(value - value == 0, 0, 1)
        flags[line] = odd
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
    rows, n, k = args[4], args[5], args[6]
    image_step, group_step, groups, panels = args[7], args[8], args[9], args[10]
    out_h, out_w = args[11], args[12]
    plane_step, row_step, column_step = args[13], args[14], args[15]
    packed = local({packed}, {dtype})
    starts = local({columns}, i64)
    widths = local({columns}, i64)
    sources = local({columns}, i64)
    panel = either(True, packed, x)
    panel_at = 0
    step = {columns}
    x_m = k
    x_k = 1
    for task in range(lo, hi):
        column = remainder(task, panels) * {columns}
        columns = select(n - column < {columns}, n - column, {columns})
        matrix = quotient(task, panels)
        group = remainder(matrix, groups)
        base = quotient(matrix, groups) * image_step + group * group_step
        out_at = matrix * rows * n + column
        # The pixels of this panel, cut at the ends of rows and to the width of a vector.
        filled = 0
        segments = 0
        while filled < columns:
            x_place = remainder(column + filled, out_w)
            line = quotient(column + filled, out_w)
            z_place = quotient(line, out_h)
            y_place = line - z_place * out_h
            width = select(out_w - x_place < {lanes}, out_w - x_place, {lanes})
            width = select(columns - filled < width, columns - filled, width)
            starts[segments] = filled
            widths[segments] = width
            source = base + z_place * plane_step + y_place * row_step
            sources[segments] = source + x_place * column_step
            segments += 1
            filled += width
        p0 = 0
        # A depth of 0 still has one block: it stores zeros.
        while p0 < k or p0 == 0:
            depth = select(k - p0 < {block}, k - p0, {block})
            if column_step == 1:
                for p in range(depth):
                    shift = offsets[p0 + p]
                    # What reaches beyond a segment is overwritten by the next.
                    for s in range(segments):
                        part = tile_load(1, 1, image, sources[s] + shift, 0)
                        tile_store(part, packed, p * {columns} + starts[s], 0)
            else:
                for s in range(segments):
                    start, width, source = starts[s], widths[s], sources[s]
                    for p in range(depth):
                        at = source + offsets[p0 + p]
                        for i in range(width):
                            packed[p * {columns} + start + i] = image[at + i * column_step]
            x_block = group * rows * k + p0
            initial = p0 == 0
{multiply}
            p0 += {block}
"""

_GRADIENT = """\
def {name}(args, lo, hi):
    ct = buffer(args, 0, {dtype})
    image = buffer(args, 1, {dtype})
    out = buffer(args, 2, {dtype})
    offsets = buffer(args, 3, i64)
    # The result of a group is (rows, n): kernel elements by outputs.
    rows, n, pixels = args[4], args[5], args[6]
    image_step, group_step, groups, panels = args[7], args[8], args[9], args[10]
    out_h, out_w = args[11], args[12]
    plane_step, row_step, column_step = args[13], args[14], args[15]
    images, chunk, block, blocks = args[16], args[17], args[18], args[19]
    packed = local({packed}, {dtype})
    table = local({block}, i64)
    for task in range(lo, hi):
        # Which images and group, then which rows and columns.
        matrix = quotient(task, blocks * panels)
        place = remainder(task, blocks * panels)
        first = quotient(place, panels) * block
        end = select(first + block < rows, first + block, rows)
        column = remainder(place, panels) * {columns}
        columns = select(n - column < {columns}, n - column, {columns})
        group = remainder(matrix, groups)
        begin = quotient(matrix, groups) * chunk
        last = select(begin + chunk < images, begin + chunk, images)
        # Pixels of all these images are one long sum.
        total = last * pixels
        p0 = begin * pixels
        initial = True
        while p0 < total or initial:
            filled = 0
            while filled < {block} and p0 < total:
                # A run of pixels in one image: a table of their places, and their cotangents.
                number = quotient(p0, pixels)
                pixel = p0 - number * pixels
                run = select(pixels - pixel < {block} - filled, pixels - pixel, {block} - filled)
                x_place = remainder(pixel, out_w)
                line = quotient(pixel, out_w)
                z_place = quotient(line, out_h)
                y_place = line - z_place * out_h
                base = number * image_step + group * group_step
                for i in range(filled, filled + run):
                    corner = base + z_place * plane_step + y_place * row_step
                    table[i] = corner + x_place * column_step
                    x_place += 1
                    if x_place == out_w:
                        x_place = 0
                        y_place += 1
                        if y_place == out_h:
                            y_place = 0
                            z_place += 1
                source = ((number * groups + group) * n + column) * pixels + pixel
                for q in range(0, columns, {lanes}):
                    for i in range(0, run, {lanes}):
                        at = source + q * pixels + i
                        part = tile_load_part(
                            {lanes}, 1, ct, at, pixels, 0, columns - q, run - i
                        )
                        to = (filled + i) * {columns} + q
                        tile_store(tile_transpose(part), packed, to, {columns})
                filled += run
                p0 += run
            out_at = matrix * rows * n + column
            row = first
            while row < end:
                left = end - row
{heights}
            initial = False
"""

_GRADIENT_TILE = """\
acc = tile_dot_rows({height}, {vectors}, filled, image, offsets, row, table, packed, {columns})
tile_update(acc, out, out_at + row * n, n, skip, columns, initial)
"""

_TURN = """\
def {name}(args, lo, hi):
    source = buffer(args, 0, {dtype})
    target = buffer(args, 1, {dtype})
    rows, n = args[2], args[3]
    blocks = quotient(n + {lanes} - 1, {lanes})
    for task in range(lo, hi):
        group = quotient(task, blocks)
        column = remainder(task, blocks) * {lanes}
        for row in range(0, rows, {lanes}):
            at = (group * rows + row) * n + column
            part = tile_load_part({lanes}, 1, source, at, n, 0, rows - row, n - column)
            at = (group * n + column) * rows + row
            part = tile_transpose(part)
            tile_store_part(part, target, at, rows, 0, n - column, rows - row)
"""

_DIRECT = """\
def {name}(args, lo, hi):
    x = buffer(args, 0, {dtype})
    image = buffer(args, 1, {dtype})
    out = buffer(args, 2, {dtype})
    offsets = buffer(args, 3, i64)
    rows, pixels, depth = args[4], args[5], args[6]
    image_step, group_step, groups = args[7], args[8], args[9]
    out_h, out_w, line, pieces, total = args[10], args[11], args[12], args[13], args[14]
    plane_step, row_step = args[15], args[16]
    starts = local({count}, i64)
    places = local({count}, i64)
    widths = local({count}, i64)
    for task in range(lo, hi):
        group = remainder(task, groups)
        # Each piece is part of one row of pixels of one image.
        for i in range({count}):
            piece = quotient(task, groups) * {count} + i
            inside = piece < total
            piece = select(inside, piece, 0)
            number = quotient(piece, pieces)
            piece -= number * pieces
            lines = quotient(piece, line)
            x_place = (piece - lines * line) * {size}
            z_place = quotient(lines, out_h)
            y_place = lines - z_place * out_h
            source = number * image_step + group * group_step + z_place * plane_step
            starts[i] = source + y_place * row_step + x_place
            places[i] = (number * groups + group) * rows * pixels + lines * out_w + x_place
            width = select(out_w - x_place < {size}, out_w - x_place, {size})
            widths[i] = select(inside, width, 0)
        row = 0
        while row < rows:
            left = rows - row
{heights}
"""

_DIRECT_TILE = """\
acc = tile_dot_at({height}, {vectors}, {parts}, depth, x, x_at, depth, image, starts, offsets)
tile_store_at(acc, {parts}, out, row * pixels, pixels, skip, places, widths)
"""


def _heights(tiles: dict[int, str], levels: int, before: str = "") -> str:
    """Source that takes a tile as high as fits, for every height its own; they end with 1.

    A tile that overhangs moves up and leaves the rows above its part alone.
    """
    heights = list(tiles)
    lines: list[str] = []
    for height, below in itertools.pairwise([*heights, 0]):
        test = f"left >= {height} or (left > {below} and end >= first + {height})"
        keyword = "if" if not lines else "elif"
        lines.append(f"{keyword} {test}:" if below else "else:")
        lines += [
            f"    skip = select(left < {height}, {height} - left, 0)",
            "    row -= skip",
            *([f"    {before}"] if before else []),
            indent(tiles[height], 1),
            f"    row += {height}",
        ]
    return indent("\n".join(lines), levels)


@functools.cache
def direct_kernel(dtype: str, parts: int) -> Kernel:
    """The product with an image read in place; its parallel range is vectors, groups.

    Args:
        dtype: "f32" or "f64".
        parts: in how many pieces, each from one row of pixels, a vector is read.
    """
    shape = blocking(dtype)
    facts = {"vectors": shape.vectors, "parts": parts}
    tiles = {height: _DIRECT_TILE.format(height=height, **facts) for height in shape.rows}
    name = f"conv_direct_{dtype}_{parts}"
    source = _DIRECT.format(
        name=name,
        dtype=dtype,
        count=shape.vectors * parts,
        size=shape.lanes // parts,
        heights=_heights(tiles, 3, "x_at = (group * rows + row) * depth"),
    )
    source = source.replace("        row = 0\n", "        first, end, row = 0, rows, 0\n")
    return Kernel(name, source.replace("while row < rows:", "while row < end:"))


@functools.cache
def gradient_kernel(dtype: str) -> Kernel:
    """The weight's gradient, transposed; its parallel range is chunk, group, rows, columns."""
    shape = blocking(dtype)
    facts = {"lanes": shape.lanes, "columns": shape.columns, "dtype": dtype}
    tiles = {}
    for height in (shape.rows[0], 1):
        tile = functools.partial(_GRADIENT_TILE.format, height=height, **facts)
        tiles[height] = by_width(shape, tile, every=height > 1)
    name = f"conv_weight_{dtype}"
    source = _GRADIENT.format(
        name=name,
        packed=(DEPTH_BLOCK + shape.lanes) * shape.columns,
        block=DEPTH_BLOCK,
        heights=_heights(tiles, 4),
        **facts,
    )
    return Kernel(name, source)


@functools.cache
def turn_kernel(dtype: str) -> Kernel:
    """(groups, rows, n) to (groups, n, rows); its parallel range is groups, vectors of n."""
    name = f"turn_{dtype}"
    return Kernel(name, _TURN.format(name=name, dtype=dtype, lanes=blocking(dtype).lanes))


@functools.cache
def pad_kernel(dtype: str) -> Kernel:
    """Copies images into zeros: args source, target, sizes of both, first place, distance."""
    name = f"pad_{dtype}"
    return Kernel(name, _PAD.format(name=name, dtype=dtype))


@functools.cache
def flip_kernel(dtype: str) -> Kernel:
    """(groups, outputs, channels, volume) to (groups, channels, outputs, volume reversed).

    And a flag for each channel of the image: whether one of its weights is not finite.
    """
    name = f"flip_weight_{dtype}"
    return Kernel(name, _FLIP.format(name=name, dtype=dtype))


@functools.cache
def offsets_kernel() -> Kernel:
    """Where each element of a kernel lies in a padded image, from the pixel it begins at."""
    return Kernel("conv_offsets", _OFFSETS)


@functools.cache
def unrolled_kernel(dtype: str) -> Kernel:
    """The product with an unrolled image; its parallel range is image, group, panel."""
    shape = blocking(dtype)
    name = f"conv_{dtype}"
    source = _UNROLLED.format(
        name=name,
        packed=(DEPTH_BLOCK + shape.lanes) * shape.columns,
        block=DEPTH_BLOCK,
        multiply=indent(multiply_panel(dtype), 3),
        lanes=shape.lanes,
        columns=shape.columns,
        dtype=dtype,
    )
    return Kernel(name, source)

"""Source of the loops over register tiles that matrix products and convolutions share."""

from __future__ import annotations

import textwrap

from graphc.runtime.lanes import blocking

_TILE = """\
acc = tile_zeros({height}, {vectors}, {dtype})
for p in range(depth):
    acc = tile_fma(acc, x, x_block + row * x_m + p * x_k, x_m, panel, panel_at + p * step)
at = out_at + row * n
if not initial:
    acc = tile_add(acc, tile_load_part({height}, {vectors}, out, at, n, skip, {height}, columns))
tile_store_part(acc, out, at, n, skip, {height}, columns)
"""


def indent(source: str, levels: int) -> str:
    """`source`, `levels` of four spaces deeper, without a line break at the end."""
    return textwrap.indent(source, "    " * levels).rstrip("\n")


def multiply_panel(dtype: str) -> str:
    """Source that multiplies some rows by one panel of columns.

    It reads the variables x (buffer), x_block, x_m, x_k (where the rows begin; strides), rows,
    depth (elements of k), panel (buffer), panel_at, step (from one k to the next), columns, and
    adds to out (buffer) at out_at, its rows n apart; it only stores when `initial` holds.
    """
    shape = blocking(dtype)
    lines = []
    for vectors in range(shape.vectors, 0, -1):
        keyword = "if" if vectors == shape.vectors else "elif"
        lines.append(
            f"{keyword} columns > {(vectors - 1) * shape.lanes}:" if vectors > 1 else "else:"
        )
        lines.append(indent(_rows(dtype, vectors), 1))
    return "\n".join(lines)


def _rows(dtype: str, vectors: int) -> str:
    """The loop over rows with tiles of `vectors`.

    A tile that overhangs moves up and leaves the rows above its part alone.
    """
    high, middle, low = (
        indent(_TILE.format(height=height, vectors=vectors, dtype=dtype), 2)
        for height in blocking(dtype).rows
    )
    most, some, _ = blocking(dtype).rows
    return f"""\
row = 0
while row < rows:
    left = rows - row
    if left >= {most} or (left > {some} and rows >= {most}):
        skip = max({most} - left, 0)
        row -= skip
{high}
        row += {most}
    elif left > 1 and rows >= {some}:
        skip = max({some} - left, 0)
        row -= skip
{middle}
        row += {some}
    else:
        skip = 0
{low}
        row += 1"""

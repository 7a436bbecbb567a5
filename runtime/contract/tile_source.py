"""Source of the loop over register tiles that matrix products and convolutions share."""

from __future__ import annotations

import functools
import itertools
import textwrap
from collections.abc import Callable

from graphc.runtime.base.lanes import Blocking, blocking

_HEIGHT = """\
left = rows - row
if left >= {most} or (left > {some} and rows >= {most}):
    height = {most}
elif left > 1 and rows >= {some}:
    height = {some}
else:
    height = 1
# A tile that overhangs moves up and leaves the rows above its part alone.
skip = select(left < height, height - left, 0)
row -= skip
x_row = x_block + row * x_m
at = out_at + row * n
"""

_TILE = """\
acc = tile_dot({height}, {vectors}, depth, x, x_row, x_m, x_k, panel, panel_at, step)
tile_update(acc, out, at, n, skip, columns, initial)
"""


def indent(source: str, levels: int) -> str:
    """`source`, `levels` of four spaces deeper, without a line break at the end."""
    return textwrap.indent(source, "    " * levels).rstrip("\n")


def multiply_panel(dtype: str, product: str = _TILE) -> str:
    """Source that multiplies some rows by one panel of columns.

    It reads the variables x (buffer), x_block, x_m, x_k (where the rows begin; strides), rows,
    depth (elements of k), panel (buffer), panel_at, step (from one k to the next), columns, and
    adds to out (buffer) at out_at, its rows n apart; it only stores when `initial` holds. A panel
    of more than one vector must be readable to its full width. `product` is the source of one tile.
    """
    most, some, _ = blocking(dtype).rows
    lines = ["row = 0", "while row < rows:", indent(_HEIGHT.format(most=most, some=some), 1)]
    for height, test in ((most, f"if height == {most}:"), (some, f"elif height == {some}:"),
                         (1, "else:")):  # fmt: skip
        lines += [f"    {test}", indent(_widths(dtype, height, product), 2)]
    lines.append("    row += height")
    return "\n".join(lines)


def _widths(dtype: str, height: int, product: str) -> str:
    """The tile of one height, as wide as the panel is; low tiles have two widths only."""
    shape = blocking(dtype)
    tile = functools.partial(product.format, height=height)
    return by_width(shape, tile, every=height == shape.rows[0])


def by_width(shape: Blocking, tile: Callable[..., str], every: bool) -> str:
    """A tile's source for the number of vectors that `columns` fill: each, or most and one."""
    widths = list(range(shape.vectors, 0, -1)) if every else [shape.vectors, 1]
    lines: list[str] = []
    for wide, narrower in itertools.pairwise(widths):
        keyword = "elif" if lines else "if"
        lines.append(f"{keyword} columns > {narrower * shape.lanes}:")
        lines.append(indent(tile(vectors=wide), 1))
    return "\n".join([*lines, "else:", indent(tile(vectors=1), 1)])

"""Products of float matrices: a block a tile of the result, tiles of the operands in shared memory.

Tensor cores are not used; float32 is added up in float32, narrower floats as well.
"""

from __future__ import annotations

import functools

from graphc.core.ir import Node, tensor_type
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Number, Sized, Step
from graphc.runtime.cuda.threads import sized

TILE = 16
THREADS = TILE * TILE

_TILED = """\
words = {words}
threads = {threads}
def {name}(args, lo, hi):
    x = buffer(args, 0, {dtype})
    y = buffer(args, 1, {dtype})
    out = buffer(args, 2, {dtype})
    m = args[3]
    n = args[4]
    k = args[5]
    x_m = args[6]
    x_k = args[7]
    y_k = args[8]
    y_n = args[9]
    axes = args[10]
    left = shared({threads}, {wide})
    right = shared({threads}, {wide})
    me = thread_index()
    i = quotient(me, {tile})
    j = remainder(me, {tile})
    rows = quotient(m + {last}, {tile})
    columns = quotient(n + {last}, {tile})
    matrix = quotient(block_index(), rows * columns)
    place = remainder(block_index(), rows * columns)
    row = quotient(place, columns) * {tile} + i
    column = remainder(place, columns) * {tile} + j
    x_at = row * x_m
    y_at = column * y_n
    rest = matrix
    for axis in range(axes):
        size = args[11 + 3 * axis]
        x_at += remainder(rest, size) * args[12 + 3 * axis]
        y_at += remainder(rest, size) * args[13 + 3 * axis]
        rest = quotient(rest, size)
    total = {wide}(0)
    for p in range(0, k, {tile}):
        left[me] = {wide}(0)
        right[me] = {wide}(0)
        if row < m and p + j < k:
            left[me] = x[x_at + (p + j) * x_k]
        if column < n and p + i < k:
            right[me] = y[y_at + (p + i) * y_k]
        barrier()
        for q in range({tile}):
            total = total + left[i * {tile} + q] * right[q * {tile} + j]
        barrier()
    if row < m and column < n:
        out[(matrix * m + row) * n + column] = {dtype}(total)
"""


def in_tiles(step: Step, node: Node) -> Step:
    """The step of a product of floats.

    Args:
        step: of `matmul_plain`, whose arguments it takes: a row of the result a turn.
        node: the product.
    """
    dtype = tensor_type(node).dtype
    m, n = (_size(step, place) for place in (3, 4))
    count = sized(_tiles, step.extent, m, n)
    kernel = tiled_kernel(dtype.short, dtype.compute.short, len(step.args))
    return Step(kernel, step.args, count, node, THREADS)


def _size(step: Step, place: int) -> Sized:
    argument = step.args[place]
    assert isinstance(argument, Number)
    return argument.size


def _tiles(lines: int, m: int, n: int) -> int:
    """Tiles of all matrices, which have so many rows together."""
    return lines // max(m, 1) * -(-m // TILE) * -(-n // TILE)


@functools.cache
def tiled_kernel(dtype: str, wide: str, words: int) -> Kernel:
    """The product of matrices of a dtype, added up in another."""
    name = f"matmul_{dtype}_tiles_{words}"
    facts = {"tile": TILE, "last": TILE - 1, "threads": THREADS, "words": words}
    return Kernel(name, _TILED.format(name=name, dtype=dtype, wide=wide, **facts), "cuda")

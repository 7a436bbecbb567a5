"""Matrix products of bytes summed in int32: four bytes along k to a lane.

The result is cut into tasks as in `matmul_kernel`. A task packs the panel of the right operand
with the sign that the left one has not, as the CPU's dot products of bytes take them. Where both
had one sign, bit 7 of the panel is turned over and 128 times the sum of x's row put right. Sums
wrap, so all of this is exact. A left operand whose rows are not in memory one by one is copied.
"""

from __future__ import annotations

import functools

from graphc.core import dims
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.lanes import blocking, byte_dot
from graphc.runtime.base.step import Number
from graphc.runtime.contract.contraction import (
    CallArgument,
    ContractionPlan,
    KernelCall,
    Operand,
    Scratch,
    sized,
)
from graphc.runtime.contract.matmul_kernel import (
    ROW_BLOCK,
    MatmulSpec,
    contiguous,
    grain_of,
    merged,
    numbers_of,
    row_block,
)
from graphc.runtime.contract.matmul_plain import plain_kernel
from graphc.runtime.contract.tile_source import indent, multiply_panel

# Bytes of k that one packed panel holds: 48 columns of them are 24 KiB.
K_BLOCK = 512


def lower_matmul_integer(
    spec: MatmulSpec, right: str, is_plain: bool = False, how: str = ""
) -> ContractionPlan:
    """The kernel calls of a product of bytes; its operands are "x", "y" and "out".

    Args:
        spec: the product; its dtype is the left operand's, "i8" or "u8".
        right: the dtype of the right operand.
        is_plain: as loops without vector registers, for targets that have none.
        how: bytes are multiplied, see `lanes.byte_dot`; "" for this CPU's best.
    """
    spec = merged(spec)
    operands: tuple[CallArgument, ...] = (Operand("x"), Operand("y"), Operand("out"))
    if is_plain:
        kernel = plain_kernel(spec.dtype, right, "i32")
        extent = dims.product((spec.m, *spec.batch))
        args = (*operands, *numbers_of(spec))
        return ContractionPlan((KernelCall(kernel, args, extent, grain_of(spec, 1, 64)),))
    calls: list[KernelCall] = []
    assert spec.x_strides is not None
    if spec.x_strides[-1] != 1 and spec.k != 1:
        shape = (*spec.batch, spec.m, spec.k)
        rows = Scratch("rows", dims.product(shape))
        lines = dims.product(shape[:-1])
        args = (Operand("x"), rows, *numbers_of(spec))
        calls.append(KernelCall(rows_kernel(spec.dtype), args, lines, 64))
        spec = MatmulSpec(
            spec.dtype, spec.batch, spec.m, spec.n, spec.k, contiguous(shape), spec.y_strides
        )
        operands = (rows, *operands[1:])
    shape_of = blocking("i32")
    block = sized(lambda m: row_block(m, shape_of.rows[0]), spec.m)
    blocks = sized(lambda m, b: -(-m // b), spec.m, block)
    panels = sized(lambda n: -(-n // shape_of.columns), spec.n)
    batch = dims.product(spec.batch)
    tasks = sized(lambda b, r, p: b * r * p, batch, blocks, panels)
    numbers = [Number(v) for v in (block, blocks, panels)]
    grain = max(1, grain_of(spec, ROW_BLOCK, shape_of.columns) * 3)
    kernel = bytes_kernel(spec.dtype, right, how or byte_dot())
    calls.append(KernelCall(kernel, (*operands, *numbers, *numbers_of(spec)), tasks, grain))
    return ContractionPlan(tuple(calls))


_ROWS = """\
def {name}(args, lo, hi):
    x = buffer(args, 0, {dtype})
    rows = buffer(args, 1, {dtype})
    m, k, x_m, x_k = args[2], args[4], args[5], args[6]
    for line in range(lo, hi):
        x_at = remainder(line, m) * x_m
        rest = quotient(line, m)
        for axis in range(args[9]):
            size = args[10 + 3 * axis]
            x_at += remainder(rest, size) * args[11 + 3 * axis]
            rest = quotient(rest, size)
        for p in range(k):
            rows[line * k + p] = x[x_at + p * x_k]
"""


@functools.cache
def rows_kernel(dtype: str) -> Kernel:
    """A matrix of any strides, its rows one after the other."""
    name = f"rows_{dtype}"
    return Kernel(name, _ROWS.format(name=name, dtype=dtype))


_TILED = """\
def {name}(args, lo, hi):
    x = buffer(args, 0, {x})
    y = buffer(args, 1, {y})
    out = buffer(args, 2, i32)
    block, blocks, panels = args[3], args[4], args[5]
    m, n, k = args[6], args[7], args[8]
    x_m, y_k, y_n = args[9], args[11], args[12]
    packed = local({packed}, u8)
    for task in range(lo, hi):
        matrix = quotient(task, blocks * panels)
        place = remainder(task, blocks * panels)
        first = quotient(place, panels) * block
        last = select(first + block < m, first + block, m)
        column = remainder(place, panels) * {columns}
        columns = select(n - column < {columns}, n - column, {columns})
        x_at = first * x_m
        y_at = column * y_n
        rest = matrix
        for axis in range(args[13]):
            size = args[14 + 3 * axis]
            x_at += remainder(rest, size) * args[15 + 3 * axis]
            y_at += remainder(rest, size) * args[16 + 3 * axis]
            rest = quotient(rest, size)
        out_at = (matrix * m + first) * n + column
        rows = last - first
{turned}
        # A k of 0 still has one block: it stores zeros.
        p0 = 0
        while p0 < k or p0 == 0:
            depth = select(k - p0 < {k_block}, k - p0, {k_block})
{pack}
            x_block = x_at + p0
            initial = {initial}
{multiply}
            p0 += {k_block}
"""

# What turning bit 7 of the panel over adds, taken off beforehand.
_TURNED = """\
for r in range(rows):
    total = i32(0)
    for p in range(k):
        total = i32(total + i32(x[x_at + r * x_m + p]))
    total = i32(total * i32({factor}))
    for j in range(columns):
        out[out_at + r * n + j] = total
"""

_PACK = """\
for p in range(0, depth, 4):
    source = y_at + (p0 + p) * y_k
    to = p * {columns}
    if y_n == 1:
        tile_pack_bytes({vectors}, {flip}, y, source, y_k, depth - p, columns, packed, to)
    else:
        for j in range(columns):
            for q in range(select(depth - p < 4, depth - p, 4)):
                byte = u8(y[source + j * y_n + q * y_k])
                packed[to + 4 * j + q] = u8(byte ^ u8({mask}))
"""

_TILE = """\
acc = tile_dot_bytes({{height}}, {{vectors}}, {how}, depth, x, x_row, x_m, packed, 0, {step})
tile_update(acc, out, at, n, skip, columns, initial)
"""

_HOW = {"vnni": 0, "pairs": 1, "plain": 2}


@functools.cache
def bytes_kernel(left: str, right: str, how: str) -> Kernel:
    """The matrix product of bytes, each operand "i8" or "u8", in register tiles."""
    shape = blocking("i32")
    name = f"matmul_{left}_{right}_{how}"
    flip = int(left == right)
    # The panel's numbers are 128 less or more, as it becomes signed or unsigned.
    factor = 128 if left == "u8" else -128
    facts = {"columns": shape.columns, "vectors": shape.vectors, "flip": flip, "mask": 128 * flip}
    tile = _TILE.format(how=_HOW[how], step=4 * shape.columns)
    source = _TILED.format(
        name=name,
        x=left,
        y=right,
        columns=shape.columns,
        packed=K_BLOCK * shape.columns,
        k_block=K_BLOCK,
        turned=indent(_TURNED.format(factor=factor), 2) if flip else "",
        initial="False" if flip else "p0 == 0",
        pack=indent(_PACK.format(**facts), 3),
        multiply=indent(multiply_panel("i32", tile), 3),
    )
    return Kernel(name, source)

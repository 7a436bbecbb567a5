"""Matrix multiplication: one kernel a dtype serves every size, stride and batch shape.

float32 and float64: the result is cut into tasks of some rows by one panel of columns. A task goes
through k in blocks; it packs the panel of the right operand (or reads it in place, where few rows
use it) and adds one register tile after another. A tile that would overhang the last row starts
higher and stores only its lower part. Where the result has too few tasks for a long k, k is cut
into chunks whose partial results a second step adds in order. Blocks and chunks follow from
sizes alone, so a result doesn't depend on the number of threads. Products of one row or column:
`vector_kernel`. Other dtypes: `matmul_plain`.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from graphc.core import dims
from graphc.core.dims import Size
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.lanes import blocking
from graphc.runtime.base.step import Number
from graphc.runtime.contract.contraction import (
    CallArgument,
    ContractionPlan,
    KernelCall,
    Operand,
    Scratch,
    sized,
)
from graphc.runtime.contract.matmul_plain import plain_kernel
from graphc.runtime.contract.tile_source import indent, multiply_panel
from graphc.runtime.contract.vector_kernel import BLOCK as VECTOR_BLOCK
from graphc.runtime.contract.vector_kernel import vector_kernel

# Elements of k that one packed panel holds: 48 float32 columns of them are 48 KiB.
K_BLOCK = 256
# Rows of a task: its part of the left operand stays in the second-level cache.
ROW_BLOCK = 128
# Up to this many rows, a panel is used too few times to be worth packing.
UNPACKED_ROWS = 16
# k is cut into chunks of at least this many elements where there are fewer tasks than this.
CHUNK = 2048
FEW_TASKS = 16
# Multiply-adds below which a slice isn't worth a thread: about 5 us.
SLICE_WORK = 250_000


@dataclass(frozen=True)
class MatmulSpec:
    """`out[*b, m, n] = x[*b, m, k] @ y[*b, k, n]`, the result C-contiguous.

    Attributes:
        dtype: "f32", "f64", "i8" ..., of both operands and the result.
        batch: sizes of the batch axes.
        m, n, k: sizes; an int, or a `Dim` known when sizes are bound.
        x_strides, y_strides: elements between neighbours, for the batch axes, then the two matrix
            axes (rows of x by k, k by columns of y); 0 for a broadcast batch axis; None for a
            C-contiguous operand.
    """

    dtype: str
    batch: tuple[Size, ...]
    m: Size
    n: Size
    k: Size
    x_strides: tuple[Size, ...] | None = None
    y_strides: tuple[Size, ...] | None = None


def lower_matmul(spec: MatmulSpec, is_plain: bool = False) -> ContractionPlan:
    """The kernel calls of a matrix product; its operands are "x", "y" and "out".

    Args:
        spec: the product.
        is_plain: as loops without vector registers, for targets that have none.
    """
    spec = merged(spec)
    strides = numbers_of(spec)
    if is_plain or spec.dtype not in ("f32", "f64"):
        args: tuple[CallArgument, ...] = (Operand("x"), Operand("y"), Operand("out"), *strides)
        extent = dims.product((spec.m, *spec.batch))
        grain = grain_of(spec, 1, typical(spec.n))
        return ContractionPlan((KernelCall(plain_kernel(spec.dtype), args, extent, grain),))
    if spec.m == 1 or spec.n == 1:
        return _with_vector(spec)
    return _tiled(spec, strides)


def _with_vector(spec: MatmulSpec) -> ContractionPlan:
    """A product of one row or one column: the other operand's matrix times a vector."""
    x, y = spec.x_strides, spec.y_strides
    assert x is not None and y is not None
    axes = list(reversed(range(len(spec.batch))))
    if spec.n == 1:
        names, n, steps = ("x", "y"), spec.m, (x[-2], x[-1], y[-2])
        batch = [(spec.batch[a], x[a], y[a]) for a in axes]
    else:
        names, n, steps = ("y", "x"), spec.n, (y[-1], y[-2], x[-1])
        batch = [(spec.batch[a], y[a], x[a]) for a in axes]
    blocks = sized(lambda size: -(-size // VECTOR_BLOCK), n)
    numbers = (n, spec.k, *steps, blocks, len(axes), *itertools.chain(*batch))
    args: tuple[CallArgument, ...] = (
        *(Operand(name) for name in names),
        Operand("out"),
        *(Number(v) for v in numbers),
    )
    extent = sized(lambda *s: math.prod(s), blocks, *spec.batch)
    grain = max(1, SLICE_WORK // (8 * VECTOR_BLOCK * max(typical(spec.k), 1)))
    return ContractionPlan((KernelCall(vector_kernel(spec.dtype), args, extent, grain),))


def _tiled(spec: MatmulSpec, strides: tuple[Number, ...]) -> ContractionPlan:
    shape = blocking(spec.dtype)
    block = sized(lambda m: row_block(m, shape.rows[0]), spec.m)
    blocks = sized(lambda m, b: -(-m // b), spec.m, block)
    panels = sized(lambda n: -(-n // shape.columns), spec.n)
    batch = sized(lambda *s: math.prod(s), *spec.batch)
    tasks = sized(lambda *s: math.prod(s), batch, blocks, panels)
    chunks = sized(chunk_count, tasks, spec.k)
    chunk = sized(lambda k, c: -(-k // c), spec.k, chunks)
    extent = sized(lambda t, c: t * c, tasks, chunks)
    numbers = [Number(v) for v in (block, blocks, panels, batch, chunk)]
    grain = grain_of(spec, ROW_BLOCK, shape.columns)
    split = not isinstance(chunks, int) or chunks > 1
    nbytes = {"f32": 4, "f64": 8}[spec.dtype]
    # With one chunk the partial results are the result: the same kernel writes it.
    whole = sized(lambda c: int(c == 1), chunks)
    size = sized(lambda *s: math.prod(s), batch, spec.m, spec.n)
    partial = sized(lambda s, c: nbytes * s * c if c > 1 else 0, size, chunks)
    target = Scratch("partial", partial) if split else Operand("out")
    args = (Operand("x"), Operand("y"), Operand("out"), target, Number(whole), *numbers, *strides)
    calls = [KernelCall(tiled_kernel(spec.dtype), args, extent, grain)]
    if split:
        combine = sized(lambda s, c: s if c > 1 else 0, size, chunks)
        calls.append(KernelCall(
            combine_kernel(spec.dtype),
            (Scratch("partial", partial), Operand("out"), Number(size), Number(chunks)),
            combine, 1 << 14,
        ))  # fmt: skip
    return ContractionPlan(tuple(calls))


def row_block(m: int, rows: int) -> int:
    """The rows of a task: about ROW_BLOCK, even over the tasks, a multiple of a tile's rows."""
    blocks = max(-(-m // ROW_BLOCK), 1)
    return max(-(-m // (blocks * rows)) * rows, 1)


def chunk_count(tasks: int, k: int) -> int:
    """Into how many parts k is cut."""
    if tasks == 0 or tasks >= FEW_TASKS:
        return 1
    return max(min(k // CHUNK, -(-4 * FEW_TASKS // tasks)), 1)


def merged(spec: MatmulSpec) -> MatmulSpec:
    """The same product with as few batch axes as its strides allow."""
    batch, m = list(spec.batch), spec.m
    x = list(contiguous((*batch, m, spec.k)) if spec.x_strides is None else spec.x_strides)
    y = list(contiguous((*batch, spec.k, spec.n)) if spec.y_strides is None else spec.y_strides)
    for axis in reversed(range(len(batch))):
        if batch[axis] == 1:
            del batch[axis], x[axis], y[axis]
    for axis in reversed(range(len(batch) - 1)):
        inner = batch[axis + 1]
        if x[axis] == x[axis + 1] * inner and y[axis] == y[axis + 1] * inner:
            batch[axis : axis + 2] = [batch[axis] * inner]
            del x[axis], y[axis]
    # One right operand for all: the batch is more rows of x.
    if batch and y[len(batch) - 1] == 0 and x[len(batch) - 1] == x[-2] * m:
        m = m * batch.pop()
        del x[len(batch)], y[len(batch)]
    return MatmulSpec(spec.dtype, tuple(batch), m, spec.n, spec.k, tuple(x), tuple(y))


def contiguous(shape: Sequence[Size]) -> tuple[Size, ...]:
    strides: list[Size] = [1]
    for size in reversed(shape[1:]):
        strides.append(strides[-1] * size)
    return tuple(reversed(strides))


def numbers_of(spec: MatmulSpec) -> tuple[Number, ...]:
    """m, n, k, the matrices' strides, and for each batch axis, last first, size and strides."""
    x, y = spec.x_strides, spec.y_strides
    assert x is not None and y is not None
    rank = len(spec.batch)
    words = [spec.m, spec.n, spec.k, x[-2], x[-1], y[-2], y[-1], rank]
    for axis in reversed(range(rank)):
        words += [spec.batch[axis], x[axis], y[axis]]
    return tuple(Number(word) for word in words)


def typical(size: Size) -> int:
    """A size for estimates: a typical one where it is symbolic."""
    return size if isinstance(size, int) else 64


def grain_of(spec: MatmulSpec, rows: int, columns: int) -> int:
    """How many tasks of `rows` x `columns` are worth a thread."""
    work = min(typical(spec.m), rows) * min(typical(spec.n), columns) * max(typical(spec.k), 1)
    return max(1, SLICE_WORK // max(work, 1))


_TILED = """\
def {name}(args, lo, hi):
    x = buffer(args, 0, {dtype})
    y = buffer(args, 1, {dtype})
    out = either(args[4] != 0, buffer(args, 2, {dtype}), buffer(args, 3, {dtype}))
    block, blocks, panels, batch, chunk = args[5], args[6], args[7], args[8], args[9]
    m, n, k = args[10], args[11], args[12]
    x_m, x_k, y_k, y_n = args[13], args[14], args[15], args[16]
    packed = local({packed}, {dtype})
    for task in range(lo, hi):
        # Which chunk of k and which matrices, then which rows and columns.
        matrix = quotient(task, blocks * panels)
        place = remainder(task, blocks * panels)
        first = quotient(place, panels) * block
        last = select(first + block < m, first + block, m)
        column = remainder(place, panels) * {columns}
        columns = select(n - column < {columns}, n - column, {columns})
        x_at = first * x_m
        y_at = column * y_n
        rest = remainder(matrix, batch)
        for axis in range(args[17]):
            size = args[18 + 3 * axis]
            x_at += remainder(rest, size) * args[19 + 3 * axis]
            y_at += remainder(rest, size) * args[20 + 3 * axis]
            rest = quotient(rest, size)
        begin = quotient(matrix, batch) * chunk
        end = select(begin + chunk < k, begin + chunk, k)
        out_at = (matrix * m + first) * n + column
        direct = y_n == 1 and last - first <= {unpacked}
        direct = direct and (columns == {columns} or columns == {lanes})
        panel = either(direct, y, packed)
        step = y_k if direct else {columns}
        # A k of 0 still has one block: it stores zeros.
        p0 = begin
        while p0 < end or p0 == begin:
            depth = select(end - p0 < {k_block}, end - p0, {k_block})
            panel_at = y_at + p0 * y_k if direct else 0
            if not direct:
{pack}
            x_block = x_at + p0 * x_k
            rows = last - first
            initial = p0 == begin
{multiply}
            p0 += {k_block}
"""

_PACK = """\
if y_n == 1:
    for p in range(depth):
        line = tile_load_part(1, {vectors}, y, y_at + (p0 + p) * y_k, 0, 0, 1, columns)
        tile_store(line, packed, p * {columns}, 0)
elif y_k == 1:
    for q in range(0, columns, {lanes}):
        for p in range(0, depth, {lanes}):
            source = y_at + q * y_n + p0 + p
            part = tile_load_part({lanes}, 1, y, source, y_n, 0, columns - q, depth - p)
            tile_store(tile_transpose(part), packed, p * {columns} + q, {columns})
else:
    for p in range(depth):
        for j in range(columns):
            packed[p * {columns} + j] = y[y_at + (p0 + p) * y_k + j * y_n]
"""


@functools.cache
def tiled_kernel(dtype: str) -> Kernel:
    """The matrix product of "f32" or "f64" in register tiles."""
    shape = blocking(dtype)
    name = f"matmul_{dtype}"
    facts = {"vectors": shape.vectors, "lanes": shape.lanes, "columns": shape.columns}
    source = _TILED.format(
        name=name,
        dtype=dtype,
        packed=K_BLOCK * shape.columns,
        k_block=K_BLOCK,
        unpacked=UNPACKED_ROWS,
        pack=indent(_PACK.format(**facts), 4),
        multiply=indent(multiply_panel(dtype), 3),
        **facts,
    )
    return Kernel(name, source)


_COMBINE = """\
def {name}(args, lo, hi):
    partial = buffer(args, 0, {dtype})
    out = buffer(args, 1, {dtype})
    size, chunks = args[2], args[3]
    for i in range(lo, hi):
        out[i] = partial[i]
    for chunk in range(1, chunks):
        for i in range(lo, hi):
            out[i] = out[i] + partial[chunk * size + i]
"""


@functools.cache
def combine_kernel(dtype: str) -> Kernel:
    """Adds partial results in the order of their chunks: args partial, out, size, chunks."""
    name = f"add_chunks_{dtype}"
    return Kernel(name, _COMBINE.format(name=name, dtype=dtype))

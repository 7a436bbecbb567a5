"""Products of matrices summed in registers: the `tile_dot` intrinsics of `numba_simd`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing import Context as TypingContext
from numba.extending import intrinsic

from graphc.runtime.language.emitting import emitted
from graphc.runtime.language.numba_bounds import element, moving
from graphc.runtime.language.numba_tile import (
    ELEMENT,
    I32,
    I64,
    INT,
    NBYTES,
    TileType,
    call_llvm,
    entry,
    literals,
    make_tile,
    places_of,
    splat,
    tile_dtype,
)


@intrinsic(prefer_literal=True)
def tile_dot(
    typingctx: TypingContext, rows: Any, vectors: Any, depth: Any,
    x: Any, at: types.Type, x_row: types.Type, x_step: types.Type, y: types.Type,
    where: types.Type, y_step: types.Type,
) -> Any:  # fmt: skip
    """The sum over p < depth of `x[at + r * x_row + p * x_step] * y[where + p * y_step + j]`."""
    if not literals(rows, vectors) or tile_dtype(x) is None or tile_dtype(x) != tile_dtype(y):
        return None
    ty = TileType(x.dtype, rows.literal_value, vectors.literal_value)

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
        depth, x, at, x_row, x_step, y, where, y_step = values[2:]
        left = _left(builder, ty, x, at, x_row, x_step)

        def across(p: ir.Value) -> list[Any]:
            return _row(builder, ty, y, builder.add(where, builder.mul(p, y_step)))

        return make_tile(builder, ty, _dot(builder, ty, depth, left, across))

    return ty(rows, vectors, INT, x, INT, INT, INT, y, INT, INT), codegen


@intrinsic(prefer_literal=True)
def tile_dot_at(
    typingctx: TypingContext, rows: Any, vectors: Any, parts: Any,
    depth: Any, x: Any, at: types.Type, x_row: types.Type, y: types.Type,
    starts: types.Type, table: types.Type,
) -> Any:  # fmt: skip
    """As `tile_dot` with steps of 1 in x, the right operand in pieces.

    A vector is `parts` equal pieces; piece i of the tile begins at `y[starts[i] + table[p]]`.
    """
    if (
        not literals(rows, vectors, parts)
        or tile_dtype(x) is None
        or tile_dtype(x) != tile_dtype(y)
    ):
        return None
    ty = TileType(x.dtype, rows.literal_value, vectors.literal_value)
    piece = ir.VectorType(ELEMENT[ty.dtype], ty.lanes // parts.literal_value)

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
        depth, x, at, x_row, y, starts, table = values[3:]
        bases = [
            moving(builder, y, entry(builder, starts, ir.Constant(I64, i)))
            for i in range(ty.vectors * parts.literal_value)
        ]

        def across(p: ir.Value) -> list[Any]:
            shift = entry(builder, table, p)
            pieces = []
            for base in bases:
                place = builder.bitcast(base(shift, piece.count), piece.as_pointer())
                pieces.append(builder.load(place, align=NBYTES[ty.dtype]))
            return _joined(builder, pieces, parts.literal_value)

        left = _left(builder, ty, x, at, x_row, 1)
        return make_tile(builder, ty, _dot(builder, ty, depth, left, across))

    return ty(rows, vectors, parts, INT, x, INT, INT, y, starts, table), codegen


@intrinsic(prefer_literal=True)
def tile_dot_rows(
    typingctx: TypingContext, rows: Any, vectors: Any, depth: Any,
    x: Any, starts: types.Type, first: types.Type, table: types.Type, y: types.Type,
    y_step: types.Type,
) -> Any:  # fmt: skip
    """The sum over p < depth of `x[starts[first + r] + table[p]] * y[p * y_step + j]`."""
    if not literals(rows, vectors) or tile_dtype(x) is None or tile_dtype(x) != tile_dtype(y):
        return None
    ty = TileType(x.dtype, rows.literal_value, vectors.literal_value)

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
        depth, x, starts, first, table, y, y_step = values[2:]
        bases = []
        for r in range(ty.rows):
            index = builder.add(first, ir.Constant(I64, r))
            bases.append(moving(builder, x, entry(builder, starts, index)))

        def left(p: ir.Value) -> list[Any]:
            shift = entry(builder, table, p)
            return [base(shift, 1) for base in bases]

        def across(p: ir.Value) -> list[Any]:
            return _row(builder, ty, y, builder.mul(p, y_step))

        return make_tile(builder, ty, _dot(builder, ty, depth, left, across))

    return ty(rows, vectors, INT, x, starts, INT, table, y, INT), codegen


def _joined(builder: ir.IRBuilder, pieces: list[Any], parts: int) -> list[Any]:
    """Pieces in groups of `parts` (a power of two) joined to vectors."""
    while parts > 1:
        numbers = list(range(2 * pieces[0].type.count))
        mask = ir.Constant(ir.VectorType(I32, len(numbers)), numbers)
        pairs = zip(pieces[::2], pieces[1::2])
        pieces = [builder.shuffle_vector(low, high, mask) for low, high in pairs]
        parts //= 2
    return pieces


def _left(
    builder: ir.IRBuilder, ty: TileType, x: ir.Value, at: ir.Value, row: object, step: object
) -> Any:
    """The addresses of a left operand's elements at p, a function of p."""
    step = ir.Constant(I64, step) if isinstance(step, int) else step

    def places(p: ir.Value) -> list[Any]:
        start = builder.add(at, builder.mul(p, step))
        return [
            element(builder, x, builder.add(start, builder.mul(row, ir.Constant(I64, r))))
            for r in range(ty.rows)
        ]

    return places


def _row(builder: ir.IRBuilder, ty: TileType, memory: ir.Value, offset: ir.Value) -> list[Any]:
    """One row of vectors, side by side in memory."""
    row = TileType(ty.dtype, 1, ty.vectors)
    places = places_of(builder, row, memory, offset, ir.Constant(I64, 0))
    return [builder.load(place, align=NBYTES[ty.dtype]) for place in places]


def _not_unrolled(module: ir.Module) -> Any:
    """Loop metadata: a tile's body is long enough, and unrolling it is what would take longest."""
    loop = module.add_metadata([module.add_metadata(["llvm.loop.unroll.disable"])])
    # LLVM wants a loop's metadata to name itself first.
    loop.operands = (loop, *loop.operands)
    return loop


def _dot(builder: ir.IRBuilder, ty: TileType, depth: ir.Value, left: Any, across: Any) -> list[Any]:
    """The loop of `tile_dot`.

    `left(p)` gives the addresses of the left operand's elements, `across(p)` the right operand's
    vectors.
    """
    return dot_loop(builder, ty, depth, lambda acc, p: _outer(builder, ty, acc, left(p), across(p)))


def dot_loop(builder: ir.IRBuilder, ty: TileType, depth: ir.Value, sums_of: Any) -> list[Any]:
    """A loop over p < depth: every accumulator is a phi, so it stays in a register.

    `sums_of(accumulators, p)` gives the next ones.
    """
    zero, one = ir.Constant(I64, 0), ir.Constant(I64, 1)
    before = builder.block
    loop = builder.append_basic_block("dot")
    after = builder.append_basic_block("dot.end")
    builder.cbranch(builder.icmp_signed(">", depth, zero), loop, after)
    builder.position_at_end(loop)
    p = builder.phi(I64)
    p.add_incoming(zero, before)
    zeros = ir.Constant(ty.vector, None)
    acc = [builder.phi(ty.vector) for _ in range(ty.rows * ty.vectors)]
    for phi in acc:
        phi.add_incoming(zeros, before)
    sums = sums_of(acc, p)
    following = builder.add(p, one)
    # Tests of accesses, where there are any, end the loop's body in another block.
    end = builder.block
    for phi, value in zip((p, *acc), (following, *sums)):
        phi.add_incoming(value, end)
    again = builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
    again.set_metadata("llvm.loop", _not_unrolled(builder.module))
    builder.position_at_end(after)
    found = [builder.phi(ty.vector) for _ in sums]
    for phi, value in zip(found, sums):
        phi.add_incoming(zeros, before)
        phi.add_incoming(value, end)
    return found


def _outer(
    builder: ir.IRBuilder, ty: TileType, acc: list[Any], left: list[Any], across: list[Any]
) -> list[Any]:
    """`acc[r, j] + left[r] * across[j]`, rounded once where the CPU can."""
    sums = []
    name = f"llvm.fmuladd.v{ty.lanes}{ty.dtype}"
    for r, place in enumerate(left):
        scalar = builder.load(place, align=NBYTES[ty.dtype])
        down = splat(builder, ty.vector, scalar)
        for v in range(ty.vectors):
            values = [down, across[v], acc[r * ty.vectors + v]]
            sums.append(call_llvm(builder, name, ty.vector, values))
    return sums

"""Tiles of vector registers in the kernel language, as Numba compiles them.

A tile is `rows` x `vectors` SIMD vectors of a float dtype or int32, held in registers: a product of
two matrices that is summed there (`tile_dot`) and then stored or added to memory (`tile_update`),
or a block on its way (`tile_load`, `tile_transpose`, `tile_store`). The `_part` forms touch only
the rows `first <= r < last` and the leftmost `columns` elements; what they don't load is 0. The
same names run on NumPy arrays in `simd_reference`.

    # z[:8, :48] = x @ y for x (8, k), y (k, 48), all C-contiguous, vectors of 16 floats
    acc = tile_dot(8, 3, k, x, 0, k, 1, y, 0, 48)
    tile_store(acc, z, 0, 48)

Every offset and step counts elements. Importing this module imports Numba.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing import Context as TypingContext
from numba.extending import intrinsic

from graphc.runtime.language import numba_tile_bytes
from graphc.runtime.language.emitting import emitted
from graphc.runtime.language.numba_tile import (
    I32,
    I64,
    INT,
    NBYTES,
    TileType,
    entry,
    literals,
    make_tile,
    masked_load,
    masked_store,
    masks_of,
    places_of,
    registers,
    tile_dtype,
)
from graphc.runtime.language.numba_tile_dot import tile_dot, tile_dot_at, tile_dot_rows


@intrinsic(prefer_literal=True)
def tile_load(
    typingctx: TypingContext,
    rows: Any,
    vectors: Any,
    memory: Any,
    offset: types.Type,
    step: types.Type,
) -> Any:
    """The tile at `offset` whose rows are `step` apart."""
    if not literals(rows, vectors) or tile_dtype(memory) is None:
        return None
    ty = TileType(memory.dtype, rows.literal_value, vectors.literal_value)

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
        memory, offset, step = values[2:]
        places = places_of(builder, ty, memory, offset, step)
        return make_tile(builder, ty, [builder.load(p, align=NBYTES[ty.dtype]) for p in places])

    return ty(rows, vectors, memory, INT, INT), codegen


@intrinsic(prefer_literal=True)
def tile_load_part(
    typingctx: TypingContext, rows: Any, vectors: Any, memory: Any,
    offset: types.Type, step: types.Type, first: types.Type, last: types.Type, columns: types.Type,
) -> Any:  # fmt: skip
    """As `tile_load`; what is outside the part is 0 and isn't read."""
    if not literals(rows, vectors) or tile_dtype(memory) is None:
        return None
    ty = TileType(memory.dtype, rows.literal_value, vectors.literal_value)

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
        memory, offset, step, *part = values[2:]
        places = places_of(builder, ty, memory, offset, step, part)
        masks = masks_of(builder, ty, *part)
        return make_tile(builder, ty, masked_load(builder, ty, places, masks))

    return ty(rows, vectors, memory, *[INT] * 5), codegen


@intrinsic
def tile_store(
    typingctx: TypingContext,
    tile: types.Type,
    memory: types.Type,
    offset: types.Type,
    step: types.Type,
) -> Any:
    """Store a tile at `offset`, its rows `step` apart."""
    if not isinstance(tile, TileType) or tile_dtype(memory) != tile.dtype:
        return None

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> None:
        value, memory, offset, step = values
        places = places_of(builder, tile, memory, offset, step, is_store=True)
        for vector, place in zip(registers(builder, tile, value), places):
            builder.store(vector, place, align=NBYTES[tile.dtype])

    return types.none(tile, memory, INT, INT), codegen


@intrinsic
def tile_store_part(
    typingctx: TypingContext, tile: types.Type, memory: types.Type, offset: types.Type,
    step: types.Type, first: types.Type, last: types.Type, columns: types.Type,
) -> Any:  # fmt: skip
    """As `tile_store`; what is outside the part isn't written."""
    if not isinstance(tile, TileType) or tile_dtype(memory) != tile.dtype:
        return None

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> None:
        value, memory, offset, step, *part = values
        places = places_of(builder, tile, memory, offset, step, part, is_store=True)
        masks = masks_of(builder, tile, *part)
        masked_store(builder, tile, registers(builder, tile, value), places, masks)

    return types.none(tile, memory, *[INT] * 5), codegen


@intrinsic
def tile_update(
    typingctx: TypingContext, tile: types.Type, memory: types.Type, offset: types.Type,
    step: types.Type, first: types.Type, columns: types.Type, initial: types.Type,
) -> Any:  # fmt: skip
    """Store the rows from `first` on where `initial` holds, else add them to what is there."""
    if not isinstance(tile, TileType) or tile_dtype(memory) != tile.dtype:
        return None

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> None:
        value, memory, offset, step, first, columns, initial = values
        part = (first, ir.Constant(I64, tile.rows), columns)
        places = places_of(builder, tile, memory, offset, step, part, is_store=True)
        masks = masks_of(builder, tile, *part)
        vectors = registers(builder, tile, value)
        before = builder.block
        with builder.if_then(builder.not_(initial)):
            add = builder.add if tile.dtype == "i32" else builder.fadd
            sums = [add(u, v) for u, v in zip(masked_load(builder, tile, places, masks), vectors)]
            added = builder.block
        for k, (vector, total) in enumerate(zip(vectors, sums)):
            phi = builder.phi(tile.vector)
            phi.add_incoming(vector, before)
            phi.add_incoming(total, added)
            vectors[k] = phi
        masked_store(builder, tile, vectors, places, masks)

    return types.none(tile, memory, INT, INT, INT, INT, types.boolean), codegen


@intrinsic
def tile_transpose(typingctx: TypingContext, tile: types.Type) -> Any:
    """The transpose of a square tile: as many rows as a vector has lanes, one vector wide."""
    if not isinstance(tile, TileType) or tile.vectors != 1 or tile.rows != tile.lanes:
        return None

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
        rows = registers(builder, tile, values[0])
        size = tile.lanes
        kind = ir.VectorType(I32, size)
        # Swap the off-diagonal halves of blocks, from the whole down to 2 x 2.
        half = size // 2
        while half:
            low = [k if not k & half else k - half + size for k in range(size)]
            high = [k + half if not k & half else k + size for k in range(size)]
            for r in range(size):
                if r & half:
                    continue
                x, y = rows[r], rows[r + half]
                rows[r] = builder.shuffle_vector(x, y, ir.Constant(kind, low))
                rows[r + half] = builder.shuffle_vector(x, y, ir.Constant(kind, high))
            half //= 2
        return make_tile(builder, tile, rows)

    return tile(tile), codegen


@intrinsic
def either(typingctx: TypingContext, condition: types.Type, x: Any, y: types.Type) -> Any:
    """Buffer `x` where `condition` holds, else `y`: of one dtype, without an alias claim."""
    if tile_dtype(x) is None or tile_dtype(x) != tile_dtype(y):
        return None
    result = type(x)(x.dtype, -1, x.checked)
    return result(types.boolean, x, y), lambda c, b, s, v: b.select(*v)


@intrinsic(prefer_literal=True)
def tile_store_at(
    typingctx: TypingContext, tile: Any, parts: Any, memory: Any,
    offset: types.Type, step: types.Type, first: types.Type, places: Any, widths: Any,
) -> Any:  # fmt: skip
    """Store rows from `first` on, in pieces as in `tile_dot_at`.

    Piece i has `widths[i]` elements and goes to `places[i]`.
    """
    if not isinstance(tile, TileType) or tile_dtype(memory) != tile.dtype or not literals(parts):
        return None
    count = parts.literal_value
    piece = TileType(tile.dtype, tile.rows, 1, tile.lanes // count)

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> None:
        value, _, memory, offset, step, first, places, widths = values
        vectors = registers(builder, tile, value)
        last = ir.Constant(I64, tile.rows)
        for i in range(tile.vectors * count):
            number = ir.Constant(I64, i)
            start = builder.add(offset, entry(builder, places, number))
            part = (first, last, entry(builder, widths, number))
            masks = masks_of(builder, piece, *part)
            at = places_of(builder, piece, memory, start, step, part=part, is_store=True)
            column = vectors[i // count :: tile.vectors]
            masked_store(
                builder, piece, [_cut(builder, v, i % count, count) for v in column], at, masks
            )

    return types.none(tile, parts, memory, INT, INT, INT, places, widths), codegen


def _cut(builder: ir.IRBuilder, vector: ir.Value, number: int, parts: int) -> Any:
    """One of the equal parts of a vector."""
    if parts == 1:
        return vector
    size = vector.type.count // parts
    numbers = list(range(number * size, (number + 1) * size))
    mask = ir.Constant(ir.VectorType(I32, size), numbers)
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)


NAMES: dict[str, Any] = {
    "tile_dot": tile_dot,
    "tile_dot_at": tile_dot_at,
    "tile_dot_rows": tile_dot_rows,
    "tile_load": tile_load,
    "tile_load_part": tile_load_part,
    "tile_store": tile_store,
    "tile_store_part": tile_store_part,
    "tile_update": tile_update,
    "tile_store_at": tile_store_at,
    "tile_transpose": tile_transpose,
    "either": either,
    **numba_tile_bytes.NAMES,
}

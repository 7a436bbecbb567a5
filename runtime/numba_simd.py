"""Tiles of vector registers in the kernel language, as Numba compiles them.

A tile is `rows` x `vectors` SIMD vectors of one float dtype, held in registers: a product of
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
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from graphc.runtime.lanes import lanes

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
ELEMENT = {"f32": ir.FloatType(), "f64": ir.DoubleType()}
NBYTES = {"f32": 4, "f64": 8}
INT = types.int64


class TileType(types.Type):
    """`rows` x `vectors` registers of a float dtype."""

    def __init__(self, dtype: str, rows: int, vectors: int, width: int = 0) -> None:
        self.dtype, self.rows, self.vectors = dtype, rows, vectors
        self.vector = ir.VectorType(ELEMENT[dtype], width or lanes(dtype))
        super().__init__(name=f"Tile({dtype}, {rows}, {vectors}, {self.vector.count})")

    @property
    def lanes(self) -> int:
        """Elements of one register."""
        return self.vector.count


@register_model(TileType)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: TileType) -> None:
        count = fe_type.rows * fe_type.vectors
        super().__init__(manager, fe_type, ir.ArrayType(fe_type.vector, count))


def _literals(*values: Any) -> bool:
    return all(isinstance(v, types.IntegerLiteral) for v in values)


def _dtype(memory: Any) -> str | None:
    """The dtype of a buffer that tiles can come from."""
    name = getattr(memory, "dtype", None)
    return name if name in ELEMENT else None


def _tile(builder: Any, ty: TileType, vectors: list[Any]) -> Any:
    value = ir.Constant(ir.ArrayType(ty.vector, len(vectors)), ir.Undefined)
    for k, vector in enumerate(vectors):
        value = builder.insert_value(value, vector, k)
    return value


def _vectors(builder: Any, ty: TileType, value: Any) -> list[Any]:
    return [builder.extract_value(value, k) for k in range(ty.rows * ty.vectors)]


def _splat(builder: Any, vector: Any, scalar: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, undefined, zeros)


def _call(builder: Any, name: str, result: Any, values: list[Any]) -> Any:
    kind = ir.FunctionType(result, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)


def _address(builder: Any, ty: TileType, memory: Any, offset: Any) -> Any:
    return builder.bitcast(builder.gep(memory, [offset]), ty.vector.as_pointer())


def _places(builder: Any, ty: TileType, memory: Any, offset: Any, step: Any) -> list[Any]:
    """The address of every register of a tile in memory."""
    found = []
    for row in range(ty.rows):
        start = builder.add(offset, builder.mul(step, ir.Constant(I64, row))) if row else offset
        for v in range(ty.vectors):
            at = builder.add(start, ir.Constant(I64, v * ty.lanes)) if v else start
            found.append(_address(builder, ty, memory, at))
    return found


def _masks(builder: Any, ty: TileType, first: Any, last: Any, columns: Any) -> list[Any]:
    """For every register of a tile, which of its lanes are inside a part."""
    index = ir.VectorType(I32, ty.lanes)
    numbers = [ir.Constant(index, [v * ty.lanes + k for k in range(ty.lanes)])
               for v in range(ty.vectors)]  # fmt: skip
    found = []
    for row in range(ty.rows):
        r = ir.Constant(I64, row)
        inside = builder.and_(
            builder.icmp_signed(">=", r, first), builder.icmp_signed("<", r, last)
        )
        width = builder.select(inside, columns, ir.Constant(I64, 0))
        limit = _splat(builder, index, builder.trunc(width, I32))
        found += [builder.icmp_signed("<", number, limit) for number in numbers]
    return found


def _load(builder: Any, ty: TileType, places: list[Any], masks: list[Any]) -> list[Any]:
    name = f"llvm.masked.load.v{ty.lanes}{ty.dtype}.p0"
    align = ir.Constant(I32, NBYTES[ty.dtype])
    zero = ir.Constant(ty.vector, [0.0] * ty.lanes)
    return [
        _call(builder, name, ty.vector, [place, align, mask, zero])
        for place, mask in zip(places, masks)
    ]


def _store(
    builder: Any, ty: TileType, vectors: list[Any], places: list[Any], masks: list[Any]
) -> None:
    name = f"llvm.masked.store.v{ty.lanes}{ty.dtype}.p0"
    align = ir.Constant(I32, NBYTES[ty.dtype])
    for vector, place, mask in zip(vectors, places, masks):
        _call(builder, name, ir.VoidType(), [vector, place, align, mask])


@intrinsic(prefer_literal=True)
def tile_dot(
    typingctx: Any, rows: Any, vectors: Any, depth: Any, x: Any, at: Any, x_row: Any, x_step: Any,
    y: Any, where: Any, y_step: Any,
) -> Any:  # fmt: skip
    """The sum over p < depth of `x[at + r * x_row + p * x_step] * y[where + p * y_step + j]`."""
    if not _literals(rows, vectors) or _dtype(x) is None or _dtype(x) != _dtype(y):
        return None
    ty = TileType(x.dtype, rows.literal_value, vectors.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        depth, x, at, x_row, x_step, y, where, y_step = values[2:]
        left = _left(builder, ty, x, at, x_row, x_step)

        def across(p: Any) -> list[Any]:
            return _row(builder, ty, y, builder.add(where, builder.mul(p, y_step)))

        return _tile(builder, ty, _dot(builder, ty, depth, left, across))

    return ty(rows, vectors, INT, x, INT, INT, INT, y, INT, INT), codegen


@intrinsic(prefer_literal=True)
def tile_dot_at(
    typingctx: Any, rows: Any, vectors: Any, parts: Any, depth: Any, x: Any, at: Any, x_row: Any,
    y: Any, starts: Any, table: Any,
) -> Any:  # fmt: skip
    """As `tile_dot` with steps of 1 in x, the right operand in pieces.

    A vector is `parts` equal pieces; piece i of the tile begins at `y[starts[i] + table[p]]`.
    """
    if not _literals(rows, vectors, parts) or _dtype(x) is None or _dtype(x) != _dtype(y):
        return None
    ty = TileType(x.dtype, rows.literal_value, vectors.literal_value)
    piece = ir.VectorType(ELEMENT[ty.dtype], ty.lanes // parts.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        depth, x, at, x_row, y, starts, table = values[3:]
        bases = [
            builder.gep(y, [_entry(builder, starts, ir.Constant(I64, i))])
            for i in range(ty.vectors * parts.literal_value)
        ]

        def across(p: Any) -> list[Any]:
            shift = _entry(builder, table, p)
            pieces = []
            for base in bases:
                place = builder.bitcast(builder.gep(base, [shift]), piece.as_pointer())
                pieces.append(builder.load(place, align=NBYTES[ty.dtype]))
            return _joined(builder, pieces, parts.literal_value)

        left = _left(builder, ty, x, at, x_row, 1)
        return _tile(builder, ty, _dot(builder, ty, depth, left, across))

    return ty(rows, vectors, parts, INT, x, INT, INT, y, starts, table), codegen


@intrinsic(prefer_literal=True)
def tile_dot_rows(
    typingctx: Any, rows: Any, vectors: Any, depth: Any, x: Any, starts: Any, first: Any,
    table: Any, y: Any, y_step: Any,
) -> Any:  # fmt: skip
    """The sum over p < depth of `x[starts[first + r] + table[p]] * y[p * y_step + j]`."""
    if not _literals(rows, vectors) or _dtype(x) is None or _dtype(x) != _dtype(y):
        return None
    ty = TileType(x.dtype, rows.literal_value, vectors.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        depth, x, starts, first, table, y, y_step = values[2:]
        bases = []
        for r in range(ty.rows):
            index = builder.add(first, ir.Constant(I64, r))
            bases.append(builder.gep(x, [_entry(builder, starts, index)]))

        def left(p: Any) -> list[Any]:
            shift = _entry(builder, table, p)
            return [builder.gep(base, [shift]) for base in bases]

        def across(p: Any) -> list[Any]:
            return _row(builder, ty, y, builder.mul(p, y_step))

        return _tile(builder, ty, _dot(builder, ty, depth, left, across))

    return ty(rows, vectors, INT, x, starts, INT, table, y, INT), codegen


def _joined(builder: Any, pieces: list[Any], parts: int) -> list[Any]:
    """Pieces in groups of `parts` (a power of two) joined to vectors."""
    while parts > 1:
        numbers = list(range(2 * pieces[0].type.count))
        mask = ir.Constant(ir.VectorType(I32, len(numbers)), numbers)
        pairs = zip(pieces[::2], pieces[1::2])
        pieces = [builder.shuffle_vector(low, high, mask) for low, high in pairs]
        parts //= 2
    return pieces


def _left(builder: Any, ty: TileType, x: Any, at: Any, row: Any, step: Any) -> Any:
    """The addresses of a left operand's elements at p, a function of p."""
    step = ir.Constant(I64, step) if isinstance(step, int) else step

    def places(p: Any) -> list[Any]:
        start = builder.add(at, builder.mul(p, step))
        return [
            builder.gep(x, [builder.add(start, builder.mul(row, ir.Constant(I64, r)))])
            for r in range(ty.rows)
        ]

    return places


def _row(builder: Any, ty: TileType, memory: Any, offset: Any) -> list[Any]:
    """One row of vectors, side by side in memory."""
    row = TileType(ty.dtype, 1, ty.vectors)
    places = _places(builder, row, memory, offset, ir.Constant(I64, 0))
    return [builder.load(place, align=NBYTES[ty.dtype]) for place in places]


def _entry(builder: Any, table: Any, index: Any) -> Any:
    return builder.load(builder.gep(table, [index]), align=8)


def _not_unrolled(module: ir.Module) -> Any:
    """Loop metadata: a tile's body is long enough, and unrolling it is what would take longest."""
    loop = module.add_metadata([module.add_metadata(["llvm.loop.unroll.disable"])])
    # LLVM wants a loop's metadata to name itself first.
    loop.operands = (loop, *loop.operands)
    return loop


def _dot(builder: Any, ty: TileType, depth: Any, left: Any, across: Any) -> list[Any]:
    """The loop of `tile_dot`: every accumulator is a phi, so it stays in a register.

    `left(p)` gives the addresses of the left operand's elements, `across(p)` the right operand's
    vectors.
    """
    zero, one = ir.Constant(I64, 0), ir.Constant(I64, 1)
    before = builder.block
    loop = builder.append_basic_block("dot")
    after = builder.append_basic_block("dot.end")
    builder.cbranch(builder.icmp_signed(">", depth, zero), loop, after)
    builder.position_at_end(loop)
    p = builder.phi(I64)
    p.add_incoming(zero, before)
    zeros = ir.Constant(ty.vector, [0.0] * ty.lanes)
    acc = [builder.phi(ty.vector) for _ in range(ty.rows * ty.vectors)]
    for phi in acc:
        phi.add_incoming(zeros, before)
    sums = _outer(builder, ty, acc, left(p), across(p))
    following = builder.add(p, one)
    for phi, value in zip((p, *acc), (following, *sums)):
        phi.add_incoming(value, loop)
    again = builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
    again.set_metadata("llvm.loop", _not_unrolled(builder.module))
    builder.position_at_end(after)
    found = [builder.phi(ty.vector) for _ in sums]
    for phi, value in zip(found, sums):
        phi.add_incoming(zeros, before)
        phi.add_incoming(value, loop)
    return found


def _outer(
    builder: Any, ty: TileType, acc: list[Any], left: list[Any], across: list[Any]
) -> list[Any]:
    """`acc[r, j] + left[r] * across[j]`, rounded once where the CPU can."""
    sums = []
    name = f"llvm.fmuladd.v{ty.lanes}{ty.dtype}"
    for r, place in enumerate(left):
        scalar = builder.load(place, align=NBYTES[ty.dtype])
        down = _splat(builder, ty.vector, scalar)
        for v in range(ty.vectors):
            values = [down, across[v], acc[r * ty.vectors + v]]
            sums.append(_call(builder, name, ty.vector, values))
    return sums


@intrinsic(prefer_literal=True)
def tile_load(typingctx: Any, rows: Any, vectors: Any, memory: Any, offset: Any, step: Any) -> Any:
    """The tile at `offset` whose rows are `step` apart."""
    if not _literals(rows, vectors) or _dtype(memory) is None:
        return None
    ty = TileType(memory.dtype, rows.literal_value, vectors.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        places = _places(builder, ty, *values[2:])
        return _tile(builder, ty, [builder.load(p, align=NBYTES[ty.dtype]) for p in places])

    return ty(rows, vectors, memory, INT, INT), codegen


@intrinsic(prefer_literal=True)
def tile_load_part(
    typingctx: Any, rows: Any, vectors: Any, memory: Any, offset: Any, step: Any,
    first: Any, last: Any, columns: Any,
) -> Any:  # fmt: skip
    """As `tile_load`; what is outside the part is 0 and isn't read."""
    if not _literals(rows, vectors) or _dtype(memory) is None:
        return None
    ty = TileType(memory.dtype, rows.literal_value, vectors.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        places = _places(builder, ty, *values[2:5])
        masks = _masks(builder, ty, *values[5:])
        return _tile(builder, ty, _load(builder, ty, places, masks))

    return ty(rows, vectors, memory, *[INT] * 5), codegen


@intrinsic
def tile_store(typingctx: Any, tile: Any, memory: Any, offset: Any, step: Any) -> Any:
    """Store a tile at `offset`, its rows `step` apart."""
    if not isinstance(tile, TileType) or _dtype(memory) != tile.dtype:
        return None

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        for vector, place in zip(
            _vectors(builder, tile, values[0]), _places(builder, tile, *values[1:])
        ):
            builder.store(vector, place, align=NBYTES[tile.dtype])
        return context.get_dummy_value()

    return types.none(tile, memory, INT, INT), codegen


@intrinsic
def tile_store_part(
    typingctx: Any, tile: Any, memory: Any, offset: Any, step: Any,
    first: Any, last: Any, columns: Any,
) -> Any:  # fmt: skip
    """As `tile_store`; what is outside the part isn't written."""
    if not isinstance(tile, TileType) or _dtype(memory) != tile.dtype:
        return None

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        places = _places(builder, tile, *values[1:4])
        masks = _masks(builder, tile, *values[4:])
        _store(builder, tile, _vectors(builder, tile, values[0]), places, masks)
        return context.get_dummy_value()

    return types.none(tile, memory, *[INT] * 5), codegen


@intrinsic(prefer_literal=True)
def tile_store_at(
    typingctx: Any, tile: Any, parts: Any, memory: Any, offset: Any, step: Any,
    first: Any, places: Any, widths: Any,
) -> Any:  # fmt: skip
    """Store rows from `first` on, in pieces as in `tile_dot_at`.

    Piece i has `widths[i]` elements and goes to `places[i]`.
    """
    if not isinstance(tile, TileType) or _dtype(memory) != tile.dtype or not _literals(parts):
        return None
    count = parts.literal_value
    piece = TileType(tile.dtype, tile.rows, 1, tile.lanes // count)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        value, _, memory, offset, step, first, places, widths = values
        vectors = _vectors(builder, tile, value)
        last = ir.Constant(I64, tile.rows)
        for i in range(tile.vectors * count):
            number = ir.Constant(I64, i)
            start = builder.add(offset, _entry(builder, places, number))
            masks = _masks(builder, piece, first, last, _entry(builder, widths, number))
            at = _places(builder, piece, memory, start, step)
            column = vectors[i // count :: tile.vectors]
            _store(builder, piece, [_cut(builder, v, i % count, count) for v in column], at, masks)
        return context.get_dummy_value()

    return types.none(tile, parts, memory, INT, INT, INT, places, widths), codegen


def _cut(builder: Any, vector: Any, number: int, parts: int) -> Any:
    """One of the equal parts of a vector."""
    if parts == 1:
        return vector
    size = vector.type.count // parts
    numbers = list(range(number * size, (number + 1) * size))
    mask = ir.Constant(ir.VectorType(I32, size), numbers)
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)


@intrinsic
def tile_update(
    typingctx: Any, tile: Any, memory: Any, offset: Any, step: Any,
    first: Any, columns: Any, initial: Any,
) -> Any:  # fmt: skip
    """Store the rows from `first` on where `initial` holds, else add them to what is there."""
    if not isinstance(tile, TileType) or _dtype(memory) != tile.dtype:
        return None

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        places = _places(builder, tile, *values[1:4])
        last = ir.Constant(I64, tile.rows)
        masks = _masks(builder, tile, values[4], last, values[5])
        vectors = _vectors(builder, tile, values[0])
        before = builder.block
        with builder.if_then(builder.not_(values[6])):
            sums = [
                builder.fadd(u, v) for u, v in zip(_load(builder, tile, places, masks), vectors)
            ]
            added = builder.block
        for k, (vector, total) in enumerate(zip(vectors, sums)):
            phi = builder.phi(tile.vector)
            phi.add_incoming(vector, before)
            phi.add_incoming(total, added)
            vectors[k] = phi
        _store(builder, tile, vectors, places, masks)
        return context.get_dummy_value()

    return types.none(tile, memory, INT, INT, INT, INT, types.boolean), codegen


@intrinsic
def tile_transpose(typingctx: Any, tile: Any) -> Any:
    """The transpose of a square tile: as many rows as a vector has lanes, one vector wide."""
    if not isinstance(tile, TileType) or tile.vectors != 1 or tile.rows != tile.lanes:
        return None

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        rows = _vectors(builder, tile, values[0])
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
        return _tile(builder, tile, rows)

    return tile(tile), codegen


@intrinsic
def either(typingctx: Any, condition: Any, x: Any, y: Any) -> Any:
    """Buffer `x` where `condition` holds, else `y`: of one dtype, without an alias claim."""
    if _dtype(x) is None or _dtype(x) != _dtype(y):
        return None
    result = type(x)(x.dtype, -1)
    return result(types.boolean, x, y), lambda c, b, s, v: b.select(*v)


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
}

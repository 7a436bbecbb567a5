"""Tiles of vector registers in the kernel language, as Numba compiles them.

A tile is `rows` x `vectors` SIMD vectors of one float dtype, held in registers. It is loaded from
a buffer row by row, updated by outer products, and stored. The `_part` forms touch only the rows
`first <= r < last` and the leftmost `columns` elements; what they don't load is 0. The same names
run on NumPy arrays in `simd_reference`.

    acc = tile_zeros(8, 3, f32)
    for p in range(k):
        acc = tile_fma(acc, x, p, k, y, p * n)      # acc[r, j] += x[r * k + p] * y[p * n + j]
    tile_store(acc, z, 0, n)

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


class TileType(types.Type):
    """`rows` x `vectors` registers of a float dtype."""

    def __init__(self, dtype: str, rows: int, vectors: int) -> None:
        self.dtype, self.rows, self.vectors = dtype, rows, vectors
        self.vector = ir.VectorType(ELEMENT[dtype], lanes(dtype))
        super().__init__(name=f"Tile({dtype}, {rows}, {vectors})")

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


def _suffix(ty: TileType) -> str:
    return f"v{ty.lanes}{ty.dtype}.p0"


@intrinsic(prefer_literal=True)
def tile_zeros(typingctx: Any, rows: Any, vectors: Any, dtype: Any) -> Any:
    """A tile of zeros; `rows` and `vectors` are literals."""
    if not _literals(rows, vectors) or _dtype(dtype) is None:
        return None
    ty = TileType(dtype.dtype, rows.literal_value, vectors.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        zero = ir.Constant(ty.vector, [0.0] * ty.lanes)
        return _tile(builder, ty, [zero] * (ty.rows * ty.vectors))

    return ty(rows, vectors, dtype), codegen


@intrinsic
def tile_fma(typingctx: Any, acc: Any, x: Any, at: Any, step: Any, y: Any, where: Any) -> Any:
    """`acc[r, j] + x[at + r * step] * y[where + j]`, rounded once where the CPU can."""
    if not isinstance(acc, TileType):
        return None
    ty = acc

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        tile, left, at, step, right, where = values
        vectors = _vectors(builder, ty, tile)
        row = TileType(ty.dtype, 1, ty.vectors)
        places = _places(builder, row, right, where, ir.Constant(I64, 0))
        across = [builder.load(place, align=NBYTES[ty.dtype]) for place in places]
        for r in range(ty.rows):
            index = builder.add(at, builder.mul(step, ir.Constant(I64, r))) if r else at
            scalar = builder.load(builder.gep(left, [index]), align=NBYTES[ty.dtype])
            down = _splat(builder, ty.vector, scalar)
            for v in range(ty.vectors):
                k = r * ty.vectors + v
                vectors[k] = _call(
                    builder, f"llvm.fmuladd.v{ty.lanes}{ty.dtype}", ty.vector,
                    [down, across[v], vectors[k]],
                )  # fmt: skip
        return _tile(builder, ty, vectors)

    integer = types.int64
    return ty(acc, x, integer, integer, y, integer), codegen


@intrinsic(prefer_literal=True)
def tile_load(typingctx: Any, rows: Any, vectors: Any, memory: Any, offset: Any, step: Any) -> Any:
    """The tile at `offset` whose rows are `step` apart."""
    if not _literals(rows, vectors) or _dtype(memory) is None:
        return None
    ty = TileType(memory.dtype, rows.literal_value, vectors.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        places = _places(builder, ty, *values[2:])
        return _tile(builder, ty, [builder.load(p, align=NBYTES[ty.dtype]) for p in places])

    return ty(rows, vectors, memory, types.int64, types.int64), codegen


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
        zero = ir.Constant(ty.vector, [0.0] * ty.lanes)
        align = ir.Constant(I32, NBYTES[ty.dtype])
        return _tile(builder, ty, [
            _call(builder, f"llvm.masked.load.{_suffix(ty)}", ty.vector, [p, align, mask, zero])
            for p, mask in zip(places, masks)
        ])  # fmt: skip

    integer = types.int64
    return ty(rows, vectors, memory, *[integer] * 5), codegen


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

    return types.none(tile, memory, types.int64, types.int64), codegen


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
        align = ir.Constant(I32, NBYTES[tile.dtype])
        for vector, place, mask in zip(_vectors(builder, tile, values[0]), places, masks):
            _call(builder, f"llvm.masked.store.{_suffix(tile)}", ir.VoidType(),
                  [vector, place, align, mask])  # fmt: skip
        return context.get_dummy_value()

    return types.none(tile, memory, *[types.int64] * 5), codegen


@intrinsic
def tile_add(typingctx: Any, x: Any, y: Any) -> Any:
    """The elementwise sum of two tiles of one shape."""
    if not isinstance(x, TileType) or x != y:
        return None

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pairs = zip(_vectors(builder, x, values[0]), _vectors(builder, x, values[1]))
        return _tile(builder, x, [builder.fadd(u, v) for u, v in pairs])

    return x(x, x), codegen


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
    "tile_zeros": tile_zeros,
    "tile_fma": tile_fma,
    "tile_load": tile_load,
    "tile_load_part": tile_load_part,
    "tile_store": tile_store,
    "tile_store_part": tile_store_part,
    "tile_add": tile_add,
    "tile_transpose": tile_transpose,
    "either": either,
}

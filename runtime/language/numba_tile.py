"""The tile type of the kernel language and what its intrinsics are made of: see `numba_simd`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import models, register_model

from graphc.runtime.base.lanes import lanes
from graphc.runtime.language import numba_bounds

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
ELEMENT = {"f32": ir.FloatType(), "f64": ir.DoubleType(), "i32": I32}
NBYTES = {"f32": 4, "f64": 8, "i32": 4}
INT = types.int64


class TileType(types.Type):
    """`rows` x `vectors` registers of a float dtype, or of int32."""

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


def literals(*values: object) -> bool:
    """Whether all are integer literals."""
    return all(isinstance(v, types.IntegerLiteral) for v in values)


def tile_dtype(memory: types.Type) -> str | None:
    """The dtype of a buffer that tiles can come from."""
    name = getattr(memory, "dtype", None)
    return name if name in ELEMENT else None


def make_tile(builder: ir.IRBuilder, ty: TileType, vectors: list[Any]) -> Any:
    """The tile of these registers, row by row."""
    value = ir.Constant(ir.ArrayType(ty.vector, len(vectors)), ir.Undefined)
    for k, vector in enumerate(vectors):
        value = builder.insert_value(value, vector, k)
    return value


def registers(builder: ir.IRBuilder, ty: TileType, value: ir.Value) -> list[Any]:
    """The registers of a tile, row by row."""
    return [builder.extract_value(value, k) for k in range(ty.rows * ty.vectors)]


def splat(builder: ir.IRBuilder, vector: ir.VectorType, scalar: object) -> Any:
    """A vector that repeats a scalar."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, undefined, zeros)


def call_llvm(builder: ir.IRBuilder, name: str, result: object, values: list[Any]) -> Any:
    """Call a function of LLVM by name."""
    kind = ir.FunctionType(result, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)


def places_of(
    builder: ir.IRBuilder, ty: TileType, memory: ir.Value, offset: ir.Value, step: ir.Value,
    part: Sequence[Any] | None = None, is_store: bool = False,
) -> list[Any]:  # fmt: skip
    """The address of every register of a tile in memory.

    `part`: (first, last, columns), where only these rows and leftmost elements are accessed.
    """
    found = []
    for row in range(ty.rows):
        start = builder.add(offset, builder.mul(step, ir.Constant(I64, row))) if row else offset
        for v in range(ty.vectors):
            at = builder.add(start, ir.Constant(I64, v * ty.lanes)) if v else start
            width: Any = ty.lanes
            if part is not None and numba_bounds.is_checked(memory):
                width = _active(builder, ty, row, v, *part)
            place = numba_bounds.element(builder, memory, at, width, is_store)
            found.append(builder.bitcast(place, ty.vector.as_pointer()))
    return found


def _active(
    builder: ir.IRBuilder,
    ty: TileType,
    row: int,
    vector: int,
    first: ir.Value,
    last: ir.Value,
    columns: ir.Value,
) -> Any:
    """How many lanes of a register are inside a part."""
    r, zero, lanes = (ir.Constant(I64, k) for k in (row, 0, ty.lanes))
    inside = builder.and_(builder.icmp_signed(">=", r, first), builder.icmp_signed("<", r, last))
    width = builder.sub(columns, ir.Constant(I64, vector * ty.lanes))
    width = builder.select(builder.icmp_signed("<", width, lanes), width, lanes)
    inside = builder.and_(inside, builder.icmp_signed(">", width, zero))
    return builder.select(inside, width, zero)


def masks_of(
    builder: ir.IRBuilder, ty: TileType, first: ir.Value, last: ir.Value, columns: ir.Value
) -> list[Any]:
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
        limit = splat(builder, index, builder.trunc(width, I32))
        found += [builder.icmp_signed("<", number, limit) for number in numbers]
    return found


def masked_load(
    builder: ir.IRBuilder, ty: TileType, places: list[Any], masks: list[Any]
) -> list[Any]:
    """Load the lanes inside; the others are 0 and not read."""
    name = f"llvm.masked.load.v{ty.lanes}{ty.dtype}.p0"
    align = ir.Constant(I32, NBYTES[ty.dtype])
    zero = ir.Constant(ty.vector, None)
    return [
        call_llvm(builder, name, ty.vector, [place, align, mask, zero])
        for place, mask in zip(places, masks)
    ]


def masked_store(
    builder: ir.IRBuilder, ty: TileType, vectors: list[Any], places: list[Any], masks: list[Any]
) -> None:
    """Store the lanes inside; the others are not written."""
    name = f"llvm.masked.store.v{ty.lanes}{ty.dtype}.p0"
    align = ir.Constant(I32, NBYTES[ty.dtype])
    for vector, place, mask in zip(vectors, places, masks):
        call_llvm(builder, name, ir.VoidType(), [vector, place, align, mask])


def entry(builder: ir.IRBuilder, table: object, index: ir.Value) -> Any:
    """An element of an int64 buffer."""
    return builder.load(numba_bounds.element(builder, table, index), align=8)

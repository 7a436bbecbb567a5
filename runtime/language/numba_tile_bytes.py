"""Products of matrices of bytes, summed in int32 registers: intrinsics of `numba_simd`.

    tile_pack_bytes(3, y, at, n, rest, columns, 1, packed, where)   four lines of k, side by side
    acc = tile_dot_bytes(8, 3, "vnni", depth, x, at, k, packed, 0, 192)

Four bytes along k are one lane. One operand is of int8 and the other of uint8: the panel has the
sign that x has not, and bit 7 turned over where it came with x's. Sums wrap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.base import BaseContext
from numba.core.typing import Context as TypingContext
from numba.core.typing.templates import Signature
from numba.extending import intrinsic

from graphc.runtime.language import numba_bounds
from graphc.runtime.language.numba_tile import (
    I32,
    I64,
    INT,
    TileType,
    call_llvm,
    literals,
    make_tile,
    splat,
)
from graphc.runtime.language.numba_tile_dot import dot_loop

I8, I16 = ir.IntType(8), ir.IntType(16)
BYTES = ("i8", "u8")
# How four products are added: by the CPU's dot product of bytes; by pairs of 16 bits, with an
# instruction for it or without.
HOW = {"vnni": 0, "pairs": 1, "plain": 2}
_PAIRS = {128: "sse2.pmadd.wd", 256: "avx2.pmadd.wd", 512: "avx512.pmaddw.d.512"}


def _is_bytes(memory: Any) -> bool:
    return getattr(memory, "dtype", None) in BYTES


@intrinsic(prefer_literal=True)
def tile_dot_bytes(
    typingctx: TypingContext, rows: Any, vectors: Any, how: Any, depth: types.Type, x: Any,
    at: types.Type, x_row: types.Type, panel: Any, where: types.Type, step: types.Type,
) -> Any:  # fmt: skip
    """The sum over p < depth of `x[at + r * x_row + p]` and the panel's byte of p and j.

    That byte is `panel[where + p // 4 * step + 4 * j + p % 4]`.
    """
    if not literals(rows, vectors, how) or not _is_bytes(x) or not _is_bytes(panel):
        return None
    ty = TileType("i32", rows.literal_value, vectors.literal_value)
    form, is_unsigned = how.literal_value, x.dtype == "u8"

    def codegen(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: Sequence[Any]
    ) -> Any:
        depth, x, at, x_row, panel, where, step = values[3:]
        four = ir.Constant(I64, 4)
        groups = builder.sdiv(depth, four)
        rest = builder.srem(depth, four)

        def sums(acc: list[Any], group: ir.Value, count: Any = 4) -> list[Any]:
            start = builder.add(where, builder.mul(group, step))
            across = [
                _load(builder, panel, builder.add(start, ir.Constant(I64, 4 * v * ty.lanes)), ty)
                for v in range(ty.vectors)
            ]
            place = builder.add(at, builder.mul(group, four))
            rows = [builder.mul(x_row, ir.Constant(I64, r)) for r in range(ty.rows)]
            left = [_word(builder, x, builder.add(place, row), count) for row in rows]
            return _outer(builder, ty, acc, left, across, form, is_unsigned)

        acc = dot_loop(builder, ty, groups, sums)
        before = builder.block
        with builder.if_then(builder.icmp_signed(">", rest, ir.Constant(I64, 0))):
            more = sums(acc, groups, rest)
            after = builder.block
        found = []
        for some, total in zip(acc, more):
            found.append(builder.phi(ty.vector))
            found[-1].add_incoming(some, before)
            found[-1].add_incoming(total, after)
        return make_tile(builder, ty, found)

    return ty(rows, vectors, how, INT, x, INT, INT, panel, INT, INT), codegen


def _load(builder: ir.IRBuilder, memory: ir.Value, at: ir.Value, ty: TileType) -> Any:
    place = numba_bounds.element(builder, memory, at, 4 * ty.lanes)
    return builder.load(builder.bitcast(place, ty.vector.as_pointer()), align=1)


def _word(builder: ir.IRBuilder, memory: ir.Value, at: ir.Value, count: Any) -> Any:
    """Four bytes as one number; those from `count` on are 0 and not read."""
    place = numba_bounds.element(builder, memory, at, count)
    if count == 4:
        return builder.load(builder.bitcast(place, I32.as_pointer()), align=1)
    return builder.bitcast(_masked(builder, ir.VectorType(I8, 4), place, count), I32)


def _masked(builder: ir.IRBuilder, vector: ir.VectorType, place: ir.Value, count: ir.Value) -> Any:
    """The first `count` bytes from a place on, then zeros."""
    index = ir.VectorType(I32, vector.count)
    numbers = ir.Constant(index, list(range(vector.count)))
    mask = builder.icmp_signed("<", numbers, splat(builder, index, builder.trunc(count, I32)))
    at = builder.bitcast(place, vector.as_pointer())
    name = f"llvm.masked.load.v{vector.count}i8.p0"
    values = [at, ir.Constant(I32, 1), mask, ir.Constant(vector, None)]
    return call_llvm(builder, name, vector, values)


def _outer(
    builder: ir.IRBuilder, ty: TileType, acc: list[Any], left: list[Any], across: list[Any],
    form: int, is_unsigned: bool,
) -> list[Any]:  # fmt: skip
    """`acc[r, j]` and the four products of the bytes of `left[r]` and of `across[j]`."""
    if form == HOW["vnni"]:
        name = f"llvm.x86.avx512.vpdpbusd.{32 * ty.lanes}"
        sums = []
        for r, word in enumerate(left):
            down = splat(builder, ty.vector, word)
            for v, panel in enumerate(across):
                pair = [down, panel] if is_unsigned else [panel, down]
                total = acc[r * ty.vectors + v]
                sums.append(call_llvm(builder, name, ty.vector, [total, *pair]))
        return sums
    halves = [_halves(builder, ty, panel, not is_unsigned) for panel in across]
    sums = []
    for r, word in enumerate(left):
        down = _halves(builder, ty, splat(builder, ty.vector, word), is_unsigned)
        for v, panel in enumerate(halves):
            total = acc[r * ty.vectors + v]
            for a, b in zip(down, panel):
                total = builder.add(total, _pairs(builder, ty, a, b, form))
            sums.append(total)
    return sums


def _halves(builder: ir.IRBuilder, ty: TileType, value: ir.Value, is_unsigned: bool) -> list[Any]:
    """The even and the odd bytes of a vector, in 16 bits each."""
    kind = ir.VectorType(I16, 2 * ty.lanes)
    words = builder.bitcast(value, kind)
    eight = ir.Constant(kind, [8] * kind.count)
    shift = builder.lshr if is_unsigned else builder.ashr
    return [shift(builder.shl(words, eight), eight), shift(words, eight)]


def _pairs(builder: ir.IRBuilder, ty: TileType, a: ir.Value, b: ir.Value, form: int) -> Any:
    """Products of 16 bits, neighbours added, in 32."""
    if form == HOW["pairs"]:
        return call_llvm(builder, f"llvm.x86.{_PAIRS[32 * ty.lanes]}", ty.vector, [a, b])
    wide = ir.VectorType(I32, 2 * ty.lanes)
    product = builder.mul(builder.sext(a, wide), builder.sext(b, wide))
    parts = []
    for first in (0, 1):
        mask = ir.Constant(ty.vector, list(range(first, wide.count, 2)))
        parts.append(builder.shuffle_vector(product, ir.Constant(wide, ir.Undefined), mask))
    return builder.add(*parts)


@intrinsic(prefer_literal=True)
def tile_pack_bytes(
    typingctx: TypingContext, vectors: Any, flip: Any, y: Any, at: types.Type, y_step: types.Type,
    rest: types.Type, columns: types.Type, packed: Any, where: types.Type,
) -> Any:  # fmt: skip
    """Four lines of y, `y_step` apart, as lanes of four bytes: byte b of lane j is `y[b, j]`.

    Lines from `rest` on and columns from `columns` on are 0 and not read; `flip` turns bit 7 over.
    """
    if not literals(vectors, flip) or not _is_bytes(y) or not _is_bytes(packed):
        return None
    ty = TileType("i32", 1, vectors.literal_value)
    line = ir.VectorType(I8, ty.lanes)

    def codegen(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: Sequence[Any]
    ) -> Any:
        y, at, y_step, rest, columns, packed, where = values[2:]
        for v in range(ty.vectors):
            begin = ir.Constant(I64, v * ty.lanes)
            width = _clipped(builder, builder.sub(columns, begin), ty.lanes)
            lines = []
            for b in range(4):
                number = ir.Constant(I64, b)
                place = builder.add(builder.add(at, begin), builder.mul(y_step, number))
                is_there = builder.icmp_signed("<", number, rest)
                count = builder.select(is_there, width, ir.Constant(I64, 0))
                lines.append(_line(builder, line, y, place, count))
            value = _interleaved(builder, ty, lines, bool(flip.literal_value))
            to = builder.add(where, ir.Constant(I64, 4 * v * ty.lanes))
            place = numba_bounds.element(builder, packed, to, 4 * ty.lanes, True)
            builder.store(value, builder.bitcast(place, value.type.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.none(vectors, flip, y, INT, INT, INT, INT, packed, INT), codegen


def _clipped(builder: ir.IRBuilder, value: ir.Value, most: int) -> Any:
    zero, top = ir.Constant(I64, 0), ir.Constant(I64, most)
    value = builder.select(builder.icmp_signed("<", value, top), value, top)
    return builder.select(builder.icmp_signed(">", value, zero), value, zero)


def _line(
    builder: ir.IRBuilder, line: ir.VectorType, memory: ir.Value, at: ir.Value, count: ir.Value
) -> Any:
    """Some bytes of one line: a plain load where all are there."""
    place = numba_bounds.element(builder, memory, at, count)
    with builder.if_else(builder.icmp_signed("==", count, ir.Constant(I64, line.count))) as (
        whole,
        part,
    ):
        with whole:
            found = builder.load(builder.bitcast(place, line.as_pointer()), align=1)
            after_whole = builder.block
        with part:
            some = _masked(builder, line, place, count)
            after_part = builder.block
    value = builder.phi(line)
    value.add_incoming(found, after_whole)
    value.add_incoming(some, after_part)
    return value


def _interleaved(builder: ir.IRBuilder, ty: TileType, lines: list[Any], flip: bool) -> Any:
    def woven(x: ir.Value, y: ir.Value) -> Any:
        count = x.type.count
        order = [k // 2 + count * (k % 2) for k in range(2 * count)]
        return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, 2 * count), order))

    pairs = ir.VectorType(I16, ty.lanes)
    low, high = (builder.bitcast(woven(*lines[k : k + 2]), pairs) for k in (0, 2))
    whole = builder.bitcast(woven(low, high), ir.VectorType(I8, 4 * ty.lanes))
    if flip:
        whole = builder.xor(whole, ir.Constant(whole.type, [128] * whole.type.count))
    return whole


NAMES: dict[str, Any] = {"tile_dot_bytes": tile_dot_bytes, "tile_pack_bytes": tile_pack_bytes}

"""Floats of two bytes in compiled kernels: stored as they are, computed as float32.

float16 is converted by LLVM. bfloat16, for which Numba and llvmlite have no type, is the upper
half of a float32: it is stored as an int16 and converted by operations on bits, which vectorise.

Not here: what their casts mean (`language`), loads and stores (`numba_language`).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.base import BaseContext

I16, I32, F32 = ir.IntType(16), ir.IntType(32), ir.FloatType()
# How the elements lie in memory.
STORAGE = {"f16": ir.HalfType(), "bf16": I16}


def widened(builder: ir.IRBuilder, dtype: str, stored: object) -> Any:
    """A stored element as float32."""
    if dtype == "f16":
        return builder.fpext(stored, F32)
    return builder.bitcast(builder.shl(builder.zext(stored, I32), ir.Constant(I32, 16)), F32)


def narrowed(builder: ir.IRBuilder, dtype: str, value: ir.Value) -> Any:
    """A float32 rounded to the nearest element, halves to the even one, as it is stored."""
    if dtype == "f16":
        return builder.fptrunc(value, ir.HalfType())
    bits = builder.bitcast(value, I32)
    upper = builder.lshr(bits, ir.Constant(I32, 16))
    odd = builder.and_(upper, ir.Constant(I32, 1))
    half = builder.add(odd, ir.Constant(I32, 0x7FFF))
    near = builder.lshr(builder.add(bits, half), ir.Constant(I32, 16))
    # A nan, whose bits could carry into the sign, is the one nan of its sign.
    sign = builder.and_(upper, ir.Constant(I32, 0x8000))
    nan = builder.or_(sign, ir.Constant(I32, 0x7FC0))
    found = builder.select(builder.fcmp_unordered("uno", value, value), nan, near)
    return builder.trunc(found, I16)


def rounded(
    context: BaseContext, builder: ir.IRBuilder, dtype: str, source: object, value: ir.Value
) -> Any:
    """A scalar of a Numba type rounded to a narrow float, as the float32 that a kernel holds.

    A float64 becomes float16 with one rounding, as in NumPy; what becomes bfloat16 is a float32
    first, as in ml_dtypes and PyTorch.
    """
    if dtype == "f16" and source == types.float64:
        result = round_to_odd(builder, value)
    else:
        result = context.cast(builder, value, source, types.float32)
    # Kept apart from float64 that made the float32: of a float64 copysign rounded twice, LLVM
    # would make a float16 copysign with a float64 sign, for which there is no instruction.
    # Fences do not vectorise, so there are none where no float64 is about.
    if dtype == "f16" and _computes_in_float64(builder):
        fence = builder.module.declare_intrinsic("llvm.arithmetic.fence", [F32])
        result = builder.call(fence, [result])
    return widened(builder, dtype, narrowed(builder, dtype, result))


def _computes_in_float64(builder: ir.IRBuilder) -> bool:
    """Whether the function has made a float64 so far."""
    return any(
        isinstance(instruction.type, ir.DoubleType)
        for block in builder.function.blocks
        for instruction in block.instructions
    )


def round_to_odd(builder: ir.IRBuilder, value: ir.Value) -> Any:
    """A float64 as the float32 from which rounding to float16 gives what rounding once would.

    An inexact float32 is cut toward 0 and its last bit set, so that it is no tie of float16
    (Boldo, Melquiond: "Emulation of FMA and correctly rounded sums", 2008).
    """
    absolute = builder.module.declare_intrinsic("llvm.fabs", [value.type])
    near = builder.fptrunc(value, F32)
    back = builder.fpext(near, value.type)
    beyond = builder.fcmp_ordered(">", *(builder.call(absolute, [v]) for v in (back, value)))
    bits = builder.sub(builder.bitcast(near, I32), builder.zext(beyond, I32))
    odd = builder.bitcast(builder.or_(bits, ir.Constant(I32, 1)), F32)
    return builder.select(builder.fcmp_ordered("!=", back, value), odd, near)

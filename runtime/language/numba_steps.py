"""Choices and the steps of reductions in the kernel language, of scalars and of vectors."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing import Context as TypingContext
from numba.extending import intrinsic

from graphc.runtime.language.emitting import emitted
from graphc.runtime.language.numba_lanes import LanesType
from graphc.runtime.language.numba_terms import Term


@intrinsic
def select(typingctx: TypingContext, condition: types.Type, x: types.Type, y: types.Type) -> Any:
    """`x` where `condition` holds, else `y`: both are evaluated, no branch."""
    if types.unliteral(x) != types.unliteral(y):
        return None
    ty = types.unliteral(x)
    of_lanes = isinstance(ty, LanesType)
    truth = LanesType(types.boolean, ty.count) if of_lanes else types.boolean
    return ty(truth, ty, ty), lambda c, b, s, v: b.select(*v)


def _any_order(name: str) -> Any:
    @intrinsic
    def step(typingctx: TypingContext, accumulator: types.Type, value: types.Type) -> Any:
        ty = types.unliteral(accumulator)

        @emitted
        def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
            if isinstance(ty, types.Float | LanesType):
                return getattr(builder, "f" + name)(*values, flags=("reassoc",))
            return getattr(builder, name)(*values)

        return ty(ty, ty), codegen

    return step


def _chosen(comparison: str) -> Any:
    @intrinsic
    def step(typingctx: TypingContext, accumulator: types.Type, value: types.Type) -> Any:
        ty = types.unliteral(accumulator)

        @emitted
        def codegen(builder: ir.IRBuilder, total: ir.Value, new: ir.Value) -> Any:
            flags = ("nnan", "nsz")
            better = builder.fcmp_ordered(comparison, new, total, flags=flags)
            return builder.select(better, new, total, flags=flags)

        return ty(ty, ty), codegen

    return step


@intrinsic
def lost(typingctx: TypingContext, total: types.Type, value: types.Type) -> Any:
    """What rounding takes from `total + value`, exactly (Knuth); 0 where the sum is not finite."""
    ty = types.unliteral(total)
    is_float = isinstance(ty, types.Float | LanesType)
    if not is_float or types.unliteral(value) != ty:
        return None

    @emitted
    def codegen(builder: ir.IRBuilder, old: ir.Value, new: ir.Value) -> Any:
        rounded = builder.fadd(old, new)
        part = builder.fsub(rounded, old)
        kept = builder.fsub(old, builder.fsub(rounded, part))
        error = builder.fadd(kept, builder.fsub(new, part))
        known = builder.fcmp_ordered("ord", error, error)
        return builder.select(known, error, Term(builder, error).constant(0.0).value)

    return ty(ty, ty), codegen


NAMES: dict[str, Any] = {
    "select": select,
    "add_any_order": _any_order("add"),
    "multiply_any_order": _any_order("mul"),
    "larger_number": _chosen(">"),
    "smaller_number": _chosen("<"),
    "lost": lost,
}

"""Division of indices in the kernel language, as intrinsics that cannot trap.

An integer division traps on 0, so LLVM leaves it inside the branch that guards it. Its loop
vectoriser (seen in LLVM 20 to 22) then takes a division that is the same in all lanes to be needed
only where the first lane's guard holds, and the other lanes read through an address that was never
computed. So a divisor that is no literal divides as float64, which traps on nothing, is hoisted
out of loops and vectorises. That is exact below 2**53: x / y is off a whole number by at least
1 / y, relatively 1 / x, more than the rounding of the division.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.base import BaseContext
from numba.core.typing import Context as TypingContext
from numba.extending import intrinsic

from graphc.runtime.language.numba_terms import F64, I64, Term


def _float_quotient(x: Term, y: Term) -> Term:
    return x.to_float(F64) / y.call("smax", 1).to_float(F64)


def _whole(x: Term, y: Term) -> Term:
    """x // y of non-negative integers."""
    return _float_quotient(x, y).to_int(I64)


def _floor(x: Term, y: Term) -> Term:
    """x // y, rounded down, of a positive y."""
    return _float_quotient(x, y).call("floor").to_int(I64)


def _divides(whole: Any, instruction: str, rest: bool, doc: str) -> Any:
    """An intrinsic of two int64: `instruction` for a literal divisor, `whole` for others."""

    @intrinsic(prefer_literal=True)
    def divide(typingctx: TypingContext, x: types.Type, y: types.Type) -> Any:
        if not isinstance(x, types.Integer) or not isinstance(y, types.Integer):
            return None
        literal = y.literal_value if isinstance(y, types.IntegerLiteral) else 0
        plain = bool(instruction) and literal > 0
        # The literal stays in the signature: Numba keeps one implementation a signature.
        signature = types.int64(types.int64, y if plain else types.int64)

        def codegen(
            context: BaseContext, builder: ir.IRBuilder, _: Any, values: Sequence[Any]
        ) -> Any:
            if plain:
                return getattr(builder, instruction)(values[0], ir.Constant(I64, literal))
            a, b = (Term(builder, value) for value in values)
            q = whole(a, b)
            return (a - q * b if rest else q).value

        return signature, codegen

    divide.__doc__ = doc
    return divide


def names(whole: Any, floor: Any) -> dict[str, Any]:
    """The divisions, made of functions of two Terms: of non-negative integers, and rounded down."""
    return {
        "quotient": _divides(whole, "udiv", False, "`x // y` of non-negative integers."),
        "remainder": _divides(whole, "urem", True, "`x % y` of non-negative integers."),
        "floor_quotient": _divides(floor, "", False, "`x // y` of integers, y positive."),
        "floor_remainder": _divides(floor, "", True, "`x % y` of integers, y positive."),
    }


NAMES = names(_whole, _floor)

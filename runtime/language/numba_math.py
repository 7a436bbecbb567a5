"""Mathematical functions of the kernel language, as Numba compiles them.

Each name is one intrinsic that picks a formula by its operands' type: float32 and float64
formulas, C functions where there is none, integers, truth values. Operands have one type, which is
the result's; only shift counts may have another, and tests give a bool. Nothing is converted
silently: `maximum(x, 0.0)` of a float32 x doesn't type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing import Context as TypingContext
from numba.extending import intrinsic

from graphc.runtime.language import numba_float, numba_integer, numba_random
from graphc.runtime.language.emitting import Codegen, emitted
from graphc.runtime.language.numba_lanes import LanesType
from graphc.runtime.language.numba_terms import Term

UINT8 = ("bit_count",)


def _is_signed(kind: Any) -> bool:
    return kind.signed


def _codegen(formula: Callable[..., Term], *extra: object) -> Codegen:
    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
        return formula(*(Term(builder, v) for v in values), *extra).value

    return codegen


def _element(kind: object) -> Any:
    """The type of a vector's elements; of a scalar, its own."""
    return kind.element if isinstance(kind, LanesType) else kind


def _unary(name: str) -> Any:
    of_floats, of_integers = numba_float.formulas(name), numba_integer.UNARY.get(name)

    @intrinsic
    def function(typingctx: TypingContext, x: types.Type) -> Any:
        kind: Any = types.unliteral(x)
        if _element(kind) in of_floats:
            return kind(kind), _codegen(of_floats[_element(kind)])
        if of_integers and isinstance(kind, types.Integer):
            result = types.uint8 if name in UINT8 else kind
            return result(kind), _codegen(of_integers, _is_signed(kind))
        return None

    return function


def _binary(name: str) -> Any:
    of_floats, of_integers = numba_float.formulas(name), numba_integer.BINARY.get(name)

    @intrinsic
    def function(typingctx: TypingContext, x: types.Type, y: types.Type) -> Any:
        kind: Any = types.unliteral(x)
        if kind != types.unliteral(y):
            return None
        if _element(kind) in of_floats:
            return kind(kind, kind), _codegen(of_floats[_element(kind)])
        if of_integers and isinstance(kind, types.Integer):
            return kind(kind, kind), _codegen(of_integers, _is_signed(kind))
        if name in numba_integer.BOOLEAN and kind == types.boolean:
            return kind(kind, kind), _codegen(numba_integer.BOOLEAN[name])
        return None

    return function


def _shift(name: str) -> Any:
    formula = numba_integer.SHIFTS[name]

    @intrinsic
    def function(typingctx: TypingContext, x: types.Type, count: types.Type) -> Any:
        kind: Any = types.unliteral(x)
        if not isinstance(kind, types.Integer) or not isinstance(count, types.Integer):
            return None
        return kind(kind, types.unliteral(count)), _codegen(formula, _is_signed(kind))

    return function


def _test(name: str) -> Any:
    @intrinsic
    def function(typingctx: TypingContext, x: types.Type) -> Any:
        kind: Any = types.unliteral(x)
        if not isinstance(_element(kind), types.Float):
            return None
        of_lanes = isinstance(kind, LanesType)
        result = LanesType(types.boolean, kind.count) if of_lanes else types.boolean
        return result(kind), _codegen(numba_float.TESTS[name])

    return function


def _out_of_range(target: str) -> Any:
    bits, signed = numba_integer.TARGETS[target]

    @intrinsic
    def function(typingctx: TypingContext, x: types.Type) -> Any:
        kind: Any = types.unliteral(x)
        if isinstance(kind, types.Float):
            formula = _codegen(numba_integer.float_out_of_range, bits, signed)
        elif isinstance(kind, types.Integer):
            formula = _codegen(numba_integer.out_of_range, _is_signed(kind), bits, signed)
        else:
            return None
        return types.boolean(kind), formula

    return function


NAMES: dict[str, Any] = {
    **{name: _unary(name) for name in sorted({*numba_float.UNARY_NAMES, *numba_integer.UNARY})},
    **{name: _binary(name) for name in sorted({*numba_float.BINARY_NAMES, *numba_integer.BINARY})},
    **{name: _shift(name) for name in numba_integer.SHIFTS},
    **{name: _test(name) for name in numba_float.TESTS},
    **{f"out_of_range_{target}": _out_of_range(target) for target in numba_integer.TARGETS},
    **numba_random.NAMES,
}

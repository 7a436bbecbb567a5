"""Vectors of consecutive elements in the kernel language, as Numba compiles them.

    x = load_lanes(64, p0, at)           64 floats from element `at` on
    y = exp(x - splat(64, v3))           operators and functions as of scalars, lane by lane
    store_lanes(r0, at, y)

`objects/vectors` writes them in place of loops over elements; no kernel is generated with them.
A vector may be longer than a register: LLVM takes it for several, step by step, so that the
processor has several independent chains. The `_part` forms touch the first `count` lanes alone.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.base import BaseContext
from numba.core.typing import Context as TypingContext
from numba.core.typing.templates import Signature
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from graphc.runtime.language.emitting import emitted
from graphc.runtime.language.numba_terms import F32, F64, I1, I32, Term
from graphc.runtime.language.numba_tile import call_llvm, literals
from graphc.runtime.language.numba_tile import splat as repeated

ELEMENT: dict[Any, Any] = {types.float32: F32, types.float64: F64, types.boolean: I1}
SCALAR = {"f32": types.float32, "f64": types.float64}
INT = types.int64


class LanesType(types.Type):
    """`count` elements of a Numba scalar type."""

    def __init__(self, element: Any, count: int) -> None:
        self.element, self.count = element, count
        self.vector = ir.VectorType(ELEMENT[element], count)
        super().__init__(name=f"Lanes({element}, {count})")


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: LanesType) -> None:
        super().__init__(manager, fe_type, fe_type.vector)


def _same(x: object, y: object) -> bool:
    return isinstance(x, LanesType) and x == y


def _operator(function: Any, result: Callable[[Any], Any], apply: Callable[..., Term]) -> None:
    """Give two vectors of one type an operator."""

    @type_callable(function)
    def typed(context: Any) -> Any:
        return lambda x, y: result(x) if _same(x, y) else None

    @lower_builtin(function, LanesType, LanesType)
    def lowered(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: Sequence[Any]
    ) -> Any:
        return apply(*(Term(builder, v) for v in values)).value


def _mask(x: LanesType) -> LanesType:
    return LanesType(types.boolean, x.count)


for _function in (operator.add, operator.sub, operator.mul, operator.truediv):
    _operator(_function, lambda x: x if x.element is not types.boolean else None, _function)
for _function in (operator.lt, operator.le, operator.gt, operator.ge):
    _operator(_function, _mask, _function)
for _function in (operator.and_, operator.or_, operator.xor):
    _operator(_function, lambda x: x if x.element is types.boolean else None, _function)
_operator(operator.eq, _mask, lambda x, y: x.equals(y))
_operator(operator.ne, _mask, lambda x, y: x.differs(y) if x.is_float else x ^ y)


@type_callable(operator.neg)
def _type_negative(context: Any) -> Any:
    return lambda x: x if isinstance(x, LanesType) else None


@lower_builtin(operator.neg, LanesType)
def _negative(
    context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: Sequence[Any]
) -> Any:
    return (-Term(builder, values[0])).value


@intrinsic(prefer_literal=True)
def splat(typingctx: TypingContext, count: Any, x: Any) -> Any:
    """A vector of `count` times a scalar."""
    element = types.unliteral(x)
    if not literals(count) or element not in ELEMENT:
        return None
    ty = LanesType(element, count.literal_value)
    return ty(count, element), lambda c, b, s, v: repeated(b, ty.vector, v[1])


def _place(builder: ir.IRBuilder, ty: LanesType, memory: ir.Value, at: ir.Value) -> Any:
    return builder.bitcast(builder.gep(memory, [at]), ty.vector.as_pointer())


def _active(builder: ir.IRBuilder, ty: LanesType, count: ir.Value) -> Any:
    """Which lanes stand before `count`."""
    numbers = ir.VectorType(I32, ty.count)
    own = ir.Constant(numbers, list(range(ty.count)))
    limit = repeated(builder, numbers, builder.trunc(count, I32))
    return builder.icmp_signed("<", own, limit)


def _memory(memory: Any, count: int) -> LanesType | None:
    """The vectors of a buffer whose accesses are not tested."""
    element = SCALAR.get(getattr(memory, "dtype", ""))
    return None if element is None or memory.checked else LanesType(element, count)


Mark = Callable[..., Any]


def _loads(mark: Mark) -> dict[str, Any]:
    @intrinsic(prefer_literal=True)
    def load_lanes(typingctx: TypingContext, count: Any, memory: Any, at: Any) -> Any:
        """The `count` elements of a buffer from `at` on."""
        ty = _memory(memory, count.literal_value) if literals(count) else None
        if ty is None:
            return None

        @emitted
        def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
            place = _place(builder, ty, *values[1:])
            return mark(builder, builder.load(place, align=_nbytes(ty)), memory.scope)

        return ty(count, memory, INT), codegen

    @intrinsic(prefer_literal=True)
    def load_lanes_part(
        typingctx: TypingContext, count: Any, memory: Any, at: Any, active: Any
    ) -> Any:
        """As `load_lanes`, of the first `active` elements; the others are 0 and aren't read."""
        ty = _memory(memory, count.literal_value) if literals(count) else None
        if ty is None:
            return None

        @emitted
        def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
            place, mask = _place(builder, ty, *values[1:3]), _active(builder, ty, values[3])
            zeros = ir.Constant(ty.vector, [0.0] * ty.count)
            operands = [place, ir.Constant(I32, _nbytes(ty)), mask, zeros]
            loaded = call_llvm(builder, f"llvm.masked.load.{_suffix(ty)}.p0", ty.vector, operands)
            return mark(builder, loaded, memory.scope)

        return ty(count, memory, INT, INT), codegen

    return {"load_lanes": load_lanes, "load_lanes_part": load_lanes_part}


def _stores(mark: Mark) -> dict[str, Any]:
    @intrinsic
    def store_lanes(typingctx: TypingContext, memory: Any, at: Any, value: Any) -> Any:
        """Write a vector to a buffer from element `at` on."""
        if not isinstance(value, LanesType) or _memory(memory, value.count) != value:
            return None

        @emitted
        def codegen(builder: ir.IRBuilder, *values: ir.Value) -> None:
            place = _place(builder, value, *values[:2])
            stored = builder.store(values[2], place, align=_nbytes(value))
            mark(builder, stored, memory.scope)

        return types.none(memory, INT, value), codegen

    @intrinsic
    def store_lanes_part(
        typingctx: TypingContext, memory: Any, at: Any, active: Any, value: Any
    ) -> Any:
        """As `store_lanes`, of the first `active` elements."""
        if not isinstance(value, LanesType) or _memory(memory, value.count) != value:
            return None

        @emitted
        def codegen(builder: ir.IRBuilder, *values: ir.Value) -> None:
            place, mask = _place(builder, value, *values[:2]), _active(builder, value, values[2])
            operands = [values[3], place, ir.Constant(I32, _nbytes(value)), mask]
            name = f"llvm.masked.store.{_suffix(value)}.p0"
            mark(builder, call_llvm(builder, name, ir.VoidType(), operands), memory.scope)

        return types.none(memory, INT, INT, value), codegen

    return {"store_lanes": store_lanes, "store_lanes_part": store_lanes_part}


def names(mark: Mark) -> dict[str, Any]:
    """The functions on vectors; `mark` says of an access which buffer it touches."""
    return {
        **_loads(mark),
        **_stores(mark),
        "splat": splat,
        "first_lanes": first_lanes,
        "prefetch": prefetch,
        **{f"reduced_{name}": _reduction(name) for name in REDUCTIONS},
    }


def _nbytes(ty: LanesType) -> int:
    return 4 if ty.element is types.float32 else 8


def _suffix(ty: LanesType) -> str:
    return f"v{ty.count}f{8 * _nbytes(ty)}"


@intrinsic
def first_lanes(typingctx: TypingContext, active: Any, x: Any, y: Any) -> Any:
    """The lanes of `x` before `active`, of `y` from there on."""
    if not _same(x, y):
        return None

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
        return builder.select(_active(builder, x, values[0]), *values[1:])

    return x(INT, x, x), codegen


@intrinsic
def prefetch(typingctx: TypingContext, memory: Any, at: Any) -> Any:
    """Have the line of element `at` come nearer; the address may be outside of the buffer."""
    if _memory(memory, 1) is None:
        return None

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> None:
        byte = ir.IntType(8).as_pointer()
        place = builder.bitcast(builder.gep(values[0], [values[1]]), byte)
        kind, level, data = (ir.Constant(I32, k) for k in (0, 3, 1))
        call_llvm(builder, "llvm.prefetch.p0", ir.VoidType(), [place, kind, level, data])

    return types.none(memory, INT), codegen


def _halved(builder: ir.IRBuilder, value: ir.Value, step: Callable[..., ir.Value]) -> Any:
    """All lanes in one, by halves."""
    while value.type.count > 1:
        half = value.type.count // 2
        kind = ir.VectorType(I32, half)
        low, high = (
            builder.shuffle_vector(value, value, ir.Constant(kind, list(range(k, k + half))))
            for k in (0, half)
        )
        value = step(builder, low, high)
    return builder.extract_element(value, ir.Constant(I32, 0))


def _chosen(comparison: str) -> Callable[..., Any]:
    def step(builder: ir.IRBuilder, x: ir.Value, y: ir.Value) -> Any:
        return builder.select(builder.fcmp_ordered(comparison, y, x), y, x)

    return step


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "add_any_order": lambda b, x, y: b.fadd(x, y),
    "multiply_any_order": lambda b, x, y: b.fmul(x, y),
    "larger_number": _chosen(">"),
    "smaller_number": _chosen("<"),
    "or": lambda b, x, y: b.or_(x, y),
}


def _reduction(name: str) -> Any:
    step = REDUCTIONS[name]

    @intrinsic
    def reduced(typingctx: TypingContext, x: Any) -> Any:
        if not isinstance(x, LanesType) or (name == "or") != (x.element is types.boolean):
            return None
        return x.element(x), lambda c, b, s, v: _halved(b, v[0], step)

    return reduced

"""The kernel language as Numba compiles it: buffers, casts and reductions as intrinsics.

Importing this module imports Numba, so only the compiler of kernels does. The same names run as
plain Python in `language`; the mathematical functions are in `numba_math`.

A buffer carries its argument index in its type, and each load and store says which buffer it
touches (LLVM's `alias.scope`): a kernel's buffers are distinct memory, so loops vectorise
without run-time overlap checks. A buffer updated in place is one buffer, read and written.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core.base import BaseContext
from numba.core.imputils import lower_constant
from numba.core.typing import Context as TypingContext
from numba.core.typing.templates import Signature
from numba.extending import (
    intrinsic,
    lower_builtin,
    models,
    register_model,
    type_callable,
    typeof_impl,
)

from graphc.core import dtypes
from graphc.runtime.base import bounds
from graphc.runtime.language import (
    numba_bounds,
    numba_division,
    numba_integer,
    numba_lanes,
    numba_math,
    numba_narrow,
    numba_simd,
    numba_steps,
)
from graphc.runtime.language.emitting import emitted
from graphc.runtime.language.numba_terms import Term

# Beyond this many arguments a buffer makes no alias claim: the lists would outgrow their use.
MAX_SCOPES = 24

I64 = ir.IntType(64)
WIDTH = {dtype.short: dtype.itemsize for dtype in dtypes.ALL}
STORAGE = {
    **{dtype.short: ir.IntType(8 * dtype.itemsize) for dtype in dtypes.ALL if not dtype.is_float},
    **numba_narrow.STORAGE, "f32": ir.FloatType(), "f64": ir.DoubleType(),
}  # fmt: skip
# What a kernel computes with; a Numba type has NumPy's name, but for bool.
SCALAR = {
    dtype.short: types.boolean if dtype.kind == "bool" else getattr(types, dtype.compute.name)
    for dtype in dtypes.ALL
}


class DTypeName(types.Callable, types.Opaque):
    """The type of the names `f32`, `i8` ... in a kernel: they cast, and they name dtypes."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        super().__init__(name=f"DTypeName({dtype})")

    def get_call_type(self, context: object, args: Sequence[Any], kws: object) -> Any:
        """The signature of `f32(x)` for a scalar x."""
        if len(args) != 1 or kws or not isinstance(args[0], types.Number | types.Boolean):
            return None
        return SCALAR[self.dtype](types.unliteral(args[0]))

    def get_call_signatures(self) -> Any:
        """Numba asks this for its error messages."""
        return (), False

    def get_impl_key(self, signature: Signature) -> Any:
        """The key under which the cast is lowered."""
        return ("graphc cast", self.dtype)


register_model(DTypeName)(models.OpaqueModel)


class BufferType(types.Type):
    """Raw memory of one dtype; `scope` is its alias scope, or -1 for none."""

    def __init__(self, dtype: str, scope: int, checked: bool = False) -> None:
        self.dtype, self.scope, self.checked = dtype, scope, checked
        super().__init__(name=f"Buffer({dtype}, {scope}{', checked' if checked else ''})")


@register_model(BufferType)
class _BufferModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: BufferType) -> None:
        element = STORAGE[fe_type.dtype]
        checked = fe_type.checked
        kind = numba_bounds.checked_type(element) if checked else element.as_pointer()
        super().__init__(manager, fe_type, kind)


class DTypeValue:
    """A dtype name in a kernel's namespace: `f32(x)` casts, `buffer(args, 0, f32)` names it."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


@typeof_impl.register(DTypeValue)
def _typeof_dtype(value: DTypeValue, context: BaseContext) -> types.Type:
    return DTypeName(value.dtype)


@lower_constant(DTypeName)
def _lower_dtype(context: BaseContext, builder: ir.IRBuilder, ty: object, value: ir.Value) -> Any:
    return context.get_dummy_value()


def _lower_cast(dtype: str) -> None:
    @lower_builtin(("graphc cast", dtype), types.Any)
    def cast(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: Sequence[Any]
    ) -> Any:
        source = signature.args[0]
        value = values[0]
        if dtype == "b1":
            return context.is_true(builder, source, value)
        if isinstance(source, types.Float) and SCALAR[dtype] in types.integer_domain:
            return numba_integer.from_float(Term(builder, value), dtype).value
        if dtype in numba_narrow.STORAGE:
            return numba_narrow.rounded(context, builder, dtype, source, value)
        numba_integer.let_wrap(value)
        return context.cast(builder, value, source, SCALAR[dtype])


for _dtype in SCALAR:
    _lower_cast(_dtype)


def _scopes(module: ir.Module) -> list[Any]:
    """The metadata nodes of the alias scopes, made once a module."""
    found = getattr(module, "graphc_scopes", None)
    if found is None:
        domain = module.add_metadata(["graphc buffers"])
        found = [module.add_metadata([f"argument {k}", domain]) for k in range(MAX_SCOPES)]
        module.graphc_scopes = found
        module.graphc_others = {}
    return found


def mark_alias(builder: ir.IRBuilder, instruction: Any, scope: int) -> Any:
    """Attach alias metadata of buffer `scope` to a load or store; returns the instruction."""
    if not 0 <= scope < MAX_SCOPES:
        return instruction
    module = builder.module
    scopes = _scopes(module)
    if scope not in module.graphc_others:
        others = [s for k, s in enumerate(scopes) if k != scope]
        module.graphc_others[scope] = (
            module.add_metadata([scopes[scope]]),
            module.add_metadata(others),
        )
    own, others = module.graphc_others[scope]
    instruction.set_metadata("alias.scope", own)
    instruction.set_metadata("noalias", others)
    return instruction


def to_scalar(builder: ir.IRBuilder, dtype: str, stored: object) -> Any:
    """A loaded value as the kernel sees it: bool as i1, narrow floats as float32."""
    if dtype == "b1":
        return builder.icmp_unsigned("!=", stored, ir.Constant(ir.IntType(8), 0))
    is_narrow = dtype in numba_narrow.STORAGE
    return numba_narrow.widened(builder, dtype, stored) if is_narrow else stored


def to_storage(builder: ir.IRBuilder, dtype: str, value: ir.Value) -> Any:
    """The inverse of `to_scalar`."""
    if dtype == "b1":
        return builder.zext(value, ir.IntType(8))
    is_narrow = dtype in numba_narrow.STORAGE
    return numba_narrow.narrowed(builder, dtype, value) if is_narrow else value


def _buffer(checked: bool) -> Any:
    @intrinsic(prefer_literal=True)
    def buffer(
        typingctx: TypingContext, args: types.Type, index: types.Type, dtype: types.Type
    ) -> Any:
        """The buffer whose address is `args[index]`; `index` is a literal."""
        if not isinstance(index, types.IntegerLiteral) or not isinstance(dtype, DTypeName):
            return None
        scope = index.literal_value if index.literal_value < MAX_SCOPES else -1
        number = ir.Constant(I64, index.literal_value)

        @emitted
        def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
            return _memory(builder, values[0], number, dtype.dtype, checked)

        return BufferType(dtype.dtype, scope, checked)(args, index, dtype), codegen

    return buffer


def _buffer_at(checked: bool) -> Any:
    @intrinsic(prefer_literal=True)
    def buffer_at(
        typingctx: TypingContext, args: types.Type, index: types.Type, dtype: types.Type,
        scope: types.Type,
    ) -> Any:  # fmt: skip
        """The buffer whose address is `args[index]`, its alias scope the literal `scope`."""
        if not isinstance(scope, types.IntegerLiteral) or not isinstance(dtype, DTypeName):
            return None
        number = scope.literal_value if scope.literal_value < MAX_SCOPES else -1
        result = BufferType(dtype.dtype, number, checked)

        @emitted
        def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
            return _memory(builder, values[0], values[1], dtype.dtype, checked)

        return result(args, types.int64, dtype, scope), codegen

    return buffer_at


def _memory(
    builder: ir.IRBuilder, args: ir.Value, index: ir.Value, dtype: str, checked: bool
) -> Any:
    """The buffer at a place in the args, of known length where its accesses are tested."""
    address = builder.load(builder.gep(args, [index]))
    address = builder.inttoptr(address, STORAGE[dtype].as_pointer())
    if not checked:
        return address
    count = numba_bounds.count_of(builder, args, index, WIDTH[dtype])
    return numba_bounds.checked(builder, address, count, args, index)


@intrinsic
def number_at(
    typingctx: TypingContext, args: types.Type, index: types.Type, dtype: types.Type
) -> Any:
    """The float32 or float64 whose bits stand in `args[index]`."""
    if not isinstance(dtype, DTypeName) or dtype.dtype not in ("f32", "f64"):
        return None

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
        word = builder.load(builder.gep(values[0], [values[1]]))
        if dtype.dtype == "f32":
            word = builder.trunc(word, ir.IntType(32))
        return builder.bitcast(word, STORAGE[dtype.dtype])

    return SCALAR[dtype.dtype](args, types.int64, dtype), codegen


def _local(checked: bool, poisoned: bool) -> Any:
    @intrinsic(prefer_literal=True)
    def local(typingctx: TypingContext, count: types.Type, dtype: types.Type) -> Any:
        """Scratch memory on the stack: `count` (a literal) elements, 64-byte aligned."""
        if not isinstance(count, types.IntegerLiteral) or not isinstance(dtype, DTypeName):
            return None

        @emitted
        def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
            size = ir.Constant(I64, count.literal_value)
            with builder.goto_entry_block():
                memory = builder.alloca(STORAGE[dtype.dtype], size=size)
                memory.align = 64
            if poisoned:
                numba_bounds.fill(builder, memory, count.literal_value, WIDTH[dtype.dtype])
            if not checked:
                return memory
            # Kernels are one function, whose third argument is `args`.
            args, number = builder.function.args[2], ir.Constant(I64, bounds.LOCAL)
            return numba_bounds.checked(builder, memory, size, args, number)

        return BufferType(dtype.dtype, -1, checked)(count, dtype), codegen

    return local


@type_callable(operator.getitem)
def _type_load(context: Any) -> Any:
    def typer(memory: types.Type, index: types.Type) -> Any:
        if isinstance(memory, BufferType) and isinstance(index, types.Integer):
            return SCALAR[memory.dtype]
        return None

    return typer


@lower_builtin(operator.getitem, BufferType, types.Integer)
def _load(
    context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: Sequence[Any]
) -> Any:
    memory = signature.args[0]
    index = context.cast(builder, values[1], signature.args[1], types.int64)
    pointer = numba_bounds.element(builder, values[0], index)
    stored = builder.load(pointer, align=WIDTH[memory.dtype])
    mark_alias(builder, stored, memory.scope)
    return to_scalar(builder, memory.dtype, stored)


@type_callable(operator.setitem)
def _type_store(context: Any) -> Any:
    def typer(memory: types.Type, index: types.Type, value: types.Type) -> Any:
        if isinstance(memory, BufferType) and isinstance(index, types.Integer):
            return types.none
        return None

    return typer


@lower_builtin(operator.setitem, BufferType, types.Integer, types.Any)
def _store(
    context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: Sequence[Any]
) -> Any:
    memory = signature.args[0]
    index = context.cast(builder, values[1], signature.args[1], types.int64)
    value = context.cast(builder, values[2], signature.args[2], SCALAR[memory.dtype])
    pointer = numba_bounds.element(builder, values[0], index, is_store=True)
    stored = to_storage(builder, memory.dtype, value)
    mark_alias(builder, builder.store(stored, pointer, align=WIDTH[memory.dtype]), memory.scope)
    return context.get_dummy_value()


@njit(inline="never", error_model="numpy")
def fail(status: Any, site: Any, value: Any, limit: Any) -> None:
    """Record the first error of a run in the status block.

    Of slices that fail at one moment, one takes the block for its own: site and value are of one.
    """
    if taken(status, i64(site)):
        status[1] = i64(value)
        status[2] = i64(limit)


DTYPES = {name: DTypeValue(name) for name in SCALAR}
taken: Any = numba_bounds.taken
i64: Any = DTYPES["i64"]  # in a kernel, a function
NAMES: dict[str, Any] = {
    **DTYPES,
    "buffer": _buffer(False),
    "buffer_at": _buffer_at(False),
    "number_at": number_at,
    "local": _local(False, False),
    "inf": float("inf"),
    "nan": float("nan"),
    **numba_division.NAMES,
    **numba_steps.NAMES,
    "fail": fail,
}


LANES = numba_lanes.names(mark_alias)


def namespace() -> dict[str, Any]:
    """A fresh dict of every name a kernel may use, for `exec` of its source."""
    return {**NAMES, **numba_math.NAMES, **numba_simd.NAMES, **LANES}


def checking(checks: str) -> dict[str, Any]:
    """The names that mean something else in a kernel compiled with `Kernel.checks`."""
    checked, poisoned = "bounds" in checks, "poison" in checks
    found = {"local": _local(checked, poisoned)}
    return {**found, "buffer": _buffer(True), "buffer_at": _buffer_at(True)} if checked else found

"""What the kernel language has besides on CUDA devices: threads, blocks, barriers, shared memory.

    thread_index()          the thread's place in its block
    block_index()           the block's place in the launch
    barrier()               wait for all threads of the block
    shared(count, dtype)    memory of the block: `count` elements, a literal
    shuffle_down(x, away)   the x of the thread `away` lanes further in the warp; past its end, x

A CUDA kernel is the text of the constants `words` (how many arguments it has) and `threads` (of a
block) and of one function `def name(args, lo, hi)`, whose `lo` and `hi` are not used. As plain
Python these names run in `emulate`, which writes the loops over blocks and threads out. Importing
this module imports Numba.
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

from graphc.runtime.language import numba_division, numba_language
from graphc.runtime.language.numba_language import BufferType, DTypeName
from graphc.runtime.language.numba_terms import Term

I32, I64 = ir.IntType(32), ir.IntType(64)
# Address spaces of NVPTX.
GLOBAL, SHARED = 1, 3
FULL_WARP, LAST_LANE = -1, 31


def called(builder: ir.IRBuilder, name: str, result: ir.Type, operands: Sequence[Any] = ()) -> Any:
    """A call of one of LLVM's functions."""
    module = builder.module
    kind = ir.FunctionType(result, [o.type for o in operands])
    return builder.call(module.globals.get(name) or ir.Function(module, kind, name), operands)


def register(builder: ir.IRBuilder, name: str) -> Any:
    """A special register as an int64."""
    return builder.zext(called(builder, f"llvm.nvvm.read.ptx.sreg.{name}", I32), I64)


def _register(name: str) -> Any:
    @intrinsic
    def read(typingctx: TypingContext) -> Any:
        return types.int64(), lambda context, builder, signature, values: register(builder, name)

    return read


@intrinsic
def barrier(typingctx: TypingContext) -> Any:
    """Wait for all threads of the block."""

    def codegen(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: Sequence[Any]
    ) -> Any:
        called(builder, "llvm.nvvm.barrier0", ir.VoidType())
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def shuffle_down(typingctx: TypingContext, x: types.Type, away: types.Type) -> Any:
    """The value of the thread `away` lanes further in the warp; the own one past its end."""
    kind: Any = types.unliteral(x)

    def codegen(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: Sequence[Any]
    ) -> Any:
        value, stored = values[0], values[0].type
        width = {ir.FloatType: 32, ir.DoubleType: 64}.get(type(stored)) or stored.width
        word: Any = ir.IntType(width)
        bits = builder.bitcast(value, word)
        lanes = builder.trunc(values[1], I32)
        parts = [builder.zext(bits, I32)] if width < 32 else [bits]
        if width == 64:
            parts = [builder.trunc(bits, I32)]
            parts.append(builder.trunc(builder.lshr(bits, ir.Constant(I64, 32)), I32))
        moved = [_shuffled(builder, part, lanes) for part in parts]
        if width == 64:
            high = builder.shl(builder.zext(moved[1], I64), ir.Constant(I64, 32))
            moved = [builder.or_(builder.zext(moved[0], I64), high)]
        found = builder.trunc(moved[0], word) if width < 32 else moved[0]
        return builder.bitcast(found, stored)

    return kind(kind, types.int64), codegen


def _shuffled(builder: ir.IRBuilder, word: Any, away: Any) -> Any:
    mask, last = ir.Constant(I32, FULL_WARP), ir.Constant(I32, LAST_LANE)
    return called(builder, "llvm.nvvm.shfl.sync.down.i32", I32, [mask, word, away, last])


@intrinsic(prefer_literal=True)
def shared(typingctx: TypingContext, count: types.Type, dtype: types.Type) -> Any:
    """Memory of the block: `count` (a literal) elements, 16-byte aligned."""
    if not isinstance(count, types.IntegerLiteral) or not isinstance(dtype, DTypeName):
        return None
    element = numba_language.STORAGE[dtype.dtype]

    def codegen(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: Sequence[Any]
    ) -> Any:
        kind = ir.ArrayType(element, count.literal_value)
        name = builder.module.get_unique_name("shared")
        memory = ir.GlobalVariable(builder.module, kind, name, addrspace=SHARED)
        memory.linkage, memory.align = "internal", 16
        memory.initializer = ir.Constant(kind, ir.Undefined)
        return builder.addrspacecast(memory, element.as_pointer())

    return BufferType(dtype.dtype, -1)(count, dtype), codegen


def _global(builder: ir.IRBuilder, args: Any, index: Any, dtype: str) -> Any:
    """A buffer that is known to be in the device's memory, not a block's or a thread's."""
    element = numba_language.STORAGE[dtype]
    address = builder.load(builder.gep(args, [index]))
    pointer = builder.inttoptr(address, ir.PointerType(element, GLOBAL))
    return builder.addrspacecast(pointer, element.as_pointer())


@intrinsic(prefer_literal=True)
def buffer(typingctx: TypingContext, args: types.Type, index: types.Type, dtype: types.Type) -> Any:
    """The buffer whose address is `args[index]` (a literal)."""
    if not isinstance(index, types.IntegerLiteral) or not isinstance(dtype, DTypeName):
        return None
    place = index.literal_value
    scope = place if place < numba_language.MAX_SCOPES else -1

    def codegen(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: Sequence[Any]
    ) -> Any:
        return _global(builder, values[0], ir.Constant(I64, place), dtype.dtype)

    return BufferType(dtype.dtype, scope)(args, index, dtype), codegen


@intrinsic(prefer_literal=True)
def buffer_at(
    typingctx: TypingContext,
    args: types.Type,
    index: types.Type,
    dtype: types.Type,
    scope: types.Type,
) -> Any:
    """`buffer` at an index that is computed."""
    if not isinstance(scope, types.IntegerLiteral) or not isinstance(dtype, DTypeName):
        return None
    place = scope.literal_value
    result = BufferType(dtype.dtype, place if place < numba_language.MAX_SCOPES else -1)

    def codegen(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: Sequence[Any]
    ) -> Any:
        index = context.cast(builder, values[1], signature.args[1], types.int64)
        return _global(builder, values[0], index, dtype.dtype)

    return result(args, types.int64, dtype, scope), codegen


@intrinsic
def fail(
    typingctx: TypingContext,
    status: types.Type,
    site: types.Type,
    value: types.Type,
    limit: types.Type,
) -> Any:
    """Record the first error of a run: the thread that puts its site there writes the rest."""

    def codegen(
        context: BaseContext, builder: ir.IRBuilder, signature: Signature, values: Sequence[Any]
    ) -> Any:
        block, *rest = values
        words = [
            context.cast(builder, word, kind, types.int64)
            for word, kind in zip(rest, signature.args[1:])
        ]
        none = ir.Constant(I64, 0)
        found = builder.cmpxchg(block, none, words[0], "monotonic", "monotonic")
        with builder.if_then(builder.extract_value(found, 1)):
            for k in (1, 2):
                builder.store(words[k], builder.gep(block, [ir.Constant(I64, k)]))
        return context.get_dummy_value()

    return types.void(status, site, value, limit), codegen


def _whole(x: Term, y: Term) -> Term:
    return x.make(x.builder.udiv(x.value, y.call("smax", 1).value))


def _floor(x: Term, y: Term) -> Term:
    y = y.call("smax", 1)
    rounded = x.make(x.builder.sdiv(x.value, y.value))
    return (x - rounded * y < 0).where(rounded - 1, rounded)


NAMES: dict[str, Any] = {
    "thread_index": _register("tid.x"),
    "block_index": _register("ctaid.x"),
    "barrier": barrier,
    "shuffle_down": shuffle_down,
    "shared": shared,
    "buffer": buffer,
    "buffer_at": buffer_at,
    "fail": fail,
    # A CPU divides by way of float64, which is slow where GPUs are not made for it.
    **numba_division.names(_whole, _floor),
}


def namespace() -> dict[str, Any]:
    """A fresh dict of every name a CUDA kernel may use."""
    return numba_language.namespace() | NAMES

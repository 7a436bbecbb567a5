"""Names of the step machine's source: raw memory, atomics, calls through addresses.

Kernels don't get these. All addresses and values are int64; atomics are sequentially consistent.
Importing this module imports Numba.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import Context as TypingContext
from numba.extending import intrinsic

from graphc.runtime.language.emitting import emitted

_I64 = ir.IntType(64)
_WORD = types.int64
_ORDER = "seq_cst"


def _at(builder: ir.IRBuilder, address: ir.Value) -> Any:
    return builder.inttoptr(address, _I64.as_pointer())


@intrinsic
def pointer(typingctx: TypingContext, address: types.Type) -> Any:
    """The int64s at `address`, to be indexed."""
    signature = types.CPointer(_WORD)(_WORD)
    return signature, lambda context, builder, sig, values: _at(builder, values[0])


@intrinsic
def address_of(typingctx: TypingContext, memory: types.Type) -> Any:
    """The inverse of `pointer`."""
    signature = _WORD(types.CPointer(_WORD))
    return signature, lambda context, builder, sig, values: builder.ptrtoint(values[0], _I64)


def _call(builder: ir.IRBuilder, values: Sequence[Any], result: ir.Type) -> None:
    kind = ir.FunctionType(result, [_I64] * (len(values) - 1))
    builder.call(builder.inttoptr(values[0], kind.as_pointer()), values[1:])


@intrinsic
def call(
    typingctx: TypingContext, function: types.Type, args: types.Type, lo: types.Type, hi: types.Type
) -> Any:
    """Call the kernel at `function`."""

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> None:
        _call(builder, values, ir.VoidType())

    return types.void(_WORD, _WORD, _WORD, _WORD), codegen


@intrinsic
def call_c(typingctx: TypingContext, function: types.Type, x: types.Type, y: types.Type) -> Any:
    """Call the C function at `function` with two words (it may take fewer); returns nothing."""

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> None:
        _call(builder, values, ir.IntType(32))

    return types.void(_WORD, _WORD, _WORD), codegen


@intrinsic
def call_routine(typingctx: TypingContext, function: types.Type, words: types.Type) -> Any:
    """Call the C function at `function`, which returns nothing, with the words of a tuple."""

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> None:
        given = cgutils.unpack_tuple(builder, values[1])
        _call(builder, [values[0], *given], ir.VoidType())

    return types.void(_WORD, words), codegen


def _read_modify_write(operation: str) -> Any:
    @intrinsic
    def atomic(typingctx: TypingContext, address: types.Type, value: types.Type) -> Any:
        @emitted
        def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
            return builder.atomic_rmw(operation, _at(builder, values[0]), values[1], _ORDER)

        return _WORD(_WORD, _WORD), codegen

    return atomic


@intrinsic
def replace_if(
    typingctx: TypingContext, address: types.Type, old: types.Type, new: types.Type
) -> Any:
    """Compare and exchange: whether the word at `address` was `old`, and now is `new`."""

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
        at = _at(builder, values[0])
        return builder.extract_value(builder.cmpxchg(at, values[1], values[2], _ORDER, _ORDER), 1)

    return types.boolean(_WORD, _WORD, _WORD), codegen


@intrinsic
def load(typingctx: TypingContext, address: types.Type) -> Any:
    """The word at `address`, which others may write."""
    signature = _WORD(_WORD)
    return signature, lambda context, builder, sig, values: builder.load_atomic(
        _at(builder, values[0]), _ORDER, 8
    )


@intrinsic
def store(typingctx: TypingContext, address: types.Type, value: types.Type) -> Any:
    """Write a word that others may read."""

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> None:
        builder.store_atomic(values[1], _at(builder, values[0]), _ORDER, 8)

    return types.void(_WORD, _WORD), codegen


# How a CPU is told that a loop only waits: its name in LLVM, and its argument.
_PAUSE = {
    "x86_64": ("llvm.x86.sse2.pause", ()),
    "AMD64": ("llvm.x86.sse2.pause", ()),
    "aarch64": ("llvm.aarch64.hint", (1,)),
    "arm64": ("llvm.aarch64.hint", (1,)),
}


@intrinsic
def pause(typingctx: TypingContext) -> Any:
    """Tell the CPU that this loop only waits; nothing where it has no such instruction."""

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> None:
        name, numbers = _PAUSE.get(platform.machine(), ("", ()))
        if name:
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)] * len(numbers))
            function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
            builder.call(function, [ir.Constant(ir.IntType(32), k) for k in numbers])

    return types.void(), codegen


@intrinsic
def byte_at(typingctx: TypingContext, address: types.Type) -> Any:
    """The byte at `address`, as 0 to 255."""

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
        at = builder.inttoptr(values[0], ir.IntType(8).as_pointer())
        return builder.zext(builder.load(at), _I64)

    return _WORD(_WORD), codegen


@intrinsic
def copy_bytes(
    typingctx: TypingContext, target: types.Type, source: types.Type, count: types.Type
) -> Any:
    """Copy `count` bytes between places that do not overlap."""

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> None:
        byte = ir.IntType(8).as_pointer()
        at, origin = (builder.inttoptr(v, byte) for v in values[:2])
        cgutils.raw_memcpy(builder, at, origin, values[2], 1)

    return types.void(_WORD, _WORD, _WORD), codegen


# What a kernel that calls a library has besides the names of all kernels.
CALLS: dict[str, Any] = {"call_routine": call_routine}
NAMES: dict[str, Any] = {
    "pointer": pointer,
    "address_of": address_of,
    "call": call,
    "call_c": call_c,
    "atomic_add": _read_modify_write("add"),
    "atomic_or": _read_modify_write("or"),
    "exchange": _read_modify_write("xchg"),
    "replace_if": replace_if,
    "load": load,
    "store": store,
    "pause": pause,
    "byte_at": byte_at,
    "copy_bytes": copy_bytes,
}


def namespace() -> dict[str, Any]:
    """A fresh dict of every name the machine's source may use."""
    return dict(NAMES)

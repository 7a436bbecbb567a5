"""Elements of buffers as LLVM addresses, tested where the kernel is compiled for that.

A buffer in a kernel is its address. Compiled for GRAPHC_CHECK=bounds it is a checked one: its
address, its count of elements, the address of the step's args (whose words before the first say
where the status block is, see `bounds`), and its number there. An access outside is recorded in
the status block as the first error of the run, and goes to memory of its own; so the kernel goes
on, and nothing faults.

Not here: what the words before the args are (`bounds`), loads and stores (`numba_language`,
`numba_tile`).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import Context as TypingContext
from numba.extending import intrinsic

from graphc.runtime.base import bounds, poison
from graphc.runtime.language.emitting import emitted

I64 = ir.IntType(64)
WORDS = I64.as_pointer()
# Bytes that accesses outside go to: the widest vector.
ASIDE = 64


def checked_type(element: ir.Type) -> ir.Type:
    """The LLVM type of a checked buffer."""
    return ir.LiteralStructType([element.as_pointer(), I64, WORDS, I64])


def is_checked(memory: ir.Value) -> bool:
    """Whether a buffer's value is a checked one."""
    return isinstance(memory.type, ir.LiteralStructType)


def checked(
    builder: ir.IRBuilder, address: ir.Value, count: ir.Value, args: ir.Value, number: object
) -> Any:
    """A checked buffer."""
    found = ir.Constant(checked_type(address.type.pointee), ir.Undefined)
    for k, value in enumerate((address, count, args, number)):
        found = builder.insert_value(found, value, k)
    return found


def count_of(builder: ir.IRBuilder, args: ir.Value, index: ir.Value, width: int) -> Any:
    """How many elements of `width` bytes the argument at `index` has."""
    word = builder.sub(ir.Constant(I64, bounds.NBYTES_OF_FIRST), index)
    nbytes = builder.load(builder.gep(args, [word]))
    return builder.udiv(nbytes, ir.Constant(I64, width))


def element(
    builder: ir.IRBuilder,
    memory: ir.Value,
    index: ir.Value,
    width: object = 1,
    is_store: bool = False,
) -> Any:
    """The address of a buffer's element.

    Args:
        builder: where code goes.
        memory: the buffer.
        index: of the element, int64.
        width: how many elements from it on are accessed, a number or an int64; 0 for none.
        is_store: whether they are written, for the message.
    """
    if not is_checked(memory):
        return builder.gep(memory, [index])
    address, count, args, number = (builder.extract_value(memory, k) for k in range(4))
    width = ir.Constant(I64, width) if isinstance(width, int) else width
    zero = ir.Constant(I64, 0)
    begins = builder.icmp_signed(">=", index, zero)
    ends = builder.icmp_signed("<=", builder.add(index, width), count)
    inside = builder.or_(builder.and_(begins, ends), builder.icmp_signed("==", width, zero))
    with builder.if_then(builder.not_(inside), likely=False):
        beyond = builder.select(builder.icmp_signed("<", index, count), count, index)
        first = builder.select(begins, beyond, index)
        what = builder.or_(
            builder.shl(number, ir.Constant(I64, 1)), ir.Constant(I64, int(is_store))
        )
        builder.call(_report(builder.module), [args, what, first, count])
    aside = builder.bitcast(_aside(builder), address.type)
    return builder.select(inside, builder.gep(address, [index]), aside)


def moving(builder: ir.IRBuilder, memory: ir.Value, start: object) -> Any:
    """A function of (shift, width) that gives the address of the element at `start + shift`."""
    if is_checked(memory):
        return lambda shift, width: element(builder, memory, builder.add(start, shift), width)
    base = builder.gep(memory, [start])
    return lambda shift, width: builder.gep(base, [shift])


def _aside(builder: ir.IRBuilder) -> Any:
    """The memory of a function that accesses outside go to."""
    function = builder.function
    found = getattr(function, "graphc_aside", None)
    if found is None:
        with builder.goto_entry_block():
            found = builder.alloca(ir.ArrayType(ir.IntType(8), ASIDE))
            found.align = ASIDE
            builder.store(ir.Constant(found.type.pointee, [0] * ASIDE), found)
        function.graphc_aside = found
    return found


def _report(module: ir.Module) -> Any:
    """A function that records an access outside, unless the status block has an error already."""
    kind = ir.FunctionType(ir.VoidType(), [WORDS, I64, I64, I64])
    function = cgutils.get_or_insert_function(module, kind, "graphc_report_access")
    if function.blocks:
        return function
    function.linkage = "internal"
    function.attributes.add("noinline")
    args, what, index, count = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    status, code = (
        builder.load(builder.gep(args, [ir.Constant(I64, k)])) for k in (bounds.STATUS, bounds.CODE)
    )
    status = builder.inttoptr(status, WORDS)
    with builder.if_then(_take(builder, status, builder.or_(code, what))):
        for k, value in enumerate((index, count), 1):
            builder.store(value, builder.gep(status, [ir.Constant(I64, k)]))
    builder.ret_void()
    return function


def _take(builder: ir.IRBuilder, status: ir.Value, code: object) -> Any:
    """Put a code into an empty status block; whether this did it, and no other thread."""
    none = ir.Constant(I64, 0)
    found = builder.cmpxchg(status, none, code, "seq_cst", "seq_cst")
    return builder.extract_value(found, 1)


@intrinsic
def taken(typingctx: TypingContext, status: Any, site: types.Type) -> Any:
    """Put a site into an empty status block; whether this did it, and no other thread."""

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
        block = builder.extract_value(values[0], 0) if status.checked else values[0]
        return _take(builder, block, values[1])

    return types.boolean(status, types.int64), codegen


def fill(builder: ir.IRBuilder, memory: ir.Value, count: int, width: int) -> None:
    """Fill scratch memory with the pattern of `poison`: `count` elements of `width` bytes."""
    word = ir.IntType(8 * width)
    byte = (poison.PATTERN >> 8).to_bytes(1, "little")
    pair = poison.PATTERN.to_bytes(2, "little")
    pattern = int.from_bytes(byte if width == 1 else pair * (width // 2), "little")
    start = builder.bitcast(memory, word.as_pointer())
    with cgutils.for_range(builder, ir.Constant(I64, count), intp=I64) as loop:
        builder.store(ir.Constant(word, pattern), builder.gep(start, [loop.index]))

"""Random bits in the kernel language: Philox 4x32-10 as straight-line code.

The definition, on NumPy arrays, is in `graphc.ops.arrays.philox`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing import Context as TypingContext
from numba.extending import intrinsic

from graphc.runtime.language.emitting import emitted
from graphc.runtime.language.numba_terms import I32, I64, Term

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def _block(key: Term, counter: Term) -> list[Term]:
    """The four words of block `counter` under `key`, both 64 bits."""
    k0, k1 = key.resize(I32), key.logical_shift(32).resize(I32)
    c0, c1 = counter.resize(I32), counter.logical_shift(32).resize(I32)
    c2 = c3 = c0.constant(0)
    for turn in range(_ROUNDS):
        first = c0.resize(I64) * _MULTIPLIERS[0]
        second = c2.resize(I64) * _MULTIPLIERS[1]
        r0, r1 = (k + (turn * w & 0xFFFFFFFF) for k, w in zip((k0, k1), _WEYL))
        c0, c2 = (
            second.logical_shift(32).resize(I32) ^ c1 ^ r0,
            first.logical_shift(32).resize(I32) ^ c3 ^ r1,
        )
        c1, c3 = second.resize(I32), first.resize(I32)
    return [c0, c1, c2, c3]


@intrinsic(prefer_literal=True)
def philox_word(
    typingctx: TypingContext, key: types.Type, counter: types.Type, lane: types.Type
) -> Any:
    """Word `lane` (an int literal, 0 to 3) of the Philox block `counter` under `key`, as uint32."""
    if not isinstance(lane, types.IntegerLiteral) or not 0 <= lane.literal_value < 4:
        return None

    @emitted
    def codegen(builder: ir.IRBuilder, *values: ir.Value) -> Any:
        words = _block(Term(builder, values[0]), Term(builder, values[1]))
        return words[lane.literal_value].value

    return types.uint32(types.uint64, types.uint64, lane), codegen


NAMES: dict[str, Any] = {"philox_word": philox_word}

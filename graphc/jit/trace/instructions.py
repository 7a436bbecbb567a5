"""The instructions of a code object, as `dis` gives them, found by their offset.

decoded(f.__code__).at[0]     # the place of the instruction at offset 0
"""

from __future__ import annotations

import dis
import sys
from types import CodeType
from typing import NamedTuple

# The versions of Python whose instructions are understood.
KNOWN_VERSION = (3, 11) <= sys.version_info[:2] <= (3, 13)
_JUMPS = {*dis.hasjrel, *dis.hasjabs}
_ENDS = ("RETURN_VALUE", "RETURN_CONST", "RERAISE", "RAISE_VARARGS", "INTERPRETER_EXIT")


class Instruction(NamedTuple):
    """One instruction."""

    name: str
    arg: int
    value: object  # what the argument stands for: a name, a constant
    shown: str  # the argument in words: an operator
    jumps: bool
    ends: bool
    line: int


class Decoded:
    """A code object's instructions in their order.

    Attributes:
        listed: the instructions.
        at: the place in the list of the instruction at an offset.
    """

    def __init__(self, code: CodeType) -> None:
        self.listed: list[Instruction] = []
        self.at: dict[int, int] = {}
        for each in dis.get_instructions(code):
            self.at[each.offset] = len(self.listed)
            if each.opname in ("CACHE", "EXTENDED_ARG"):
                continue
            line = (each.positions.lineno if each.positions else None) or code.co_firstlineno
            self.listed.append(
                Instruction(
                    each.opname, each.arg or 0, each.argval, each.argrepr,
                    each.opcode in _JUMPS, each.opname in _ENDS, line,
                )
            )  # fmt: skip


# By identity: equal codes hold other code objects inside them.
_DECODED: dict[int, tuple[CodeType, Decoded]] = {}


def decoded(code: CodeType) -> Decoded:
    """The instructions of a code object, taken apart once."""
    found = _DECODED.get(id(code))
    if found is None:
        found = _DECODED[id(code)] = (code, Decoded(code))
    return found[1]


__all__ = ["KNOWN_VERSION", "Decoded", "Instruction", "decoded"]

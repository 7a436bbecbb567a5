"""A user's frame in a run: its instructions are followed with the values that they handle.

Where a value is at hand, so is what the instruction relies on; where none is, only what is known
of its kind may be done with it.
"""

from __future__ import annotations

from types import CellType, CodeType, FrameType, FunctionType
from typing import Any

from graphc.core.ir import Origin
from graphc.jit.trace.instructions import Instruction, decoded
from graphc.jit.trace.lookups import Unknown


class Null:
    """What stands below a callable that is no method."""

    def __repr__(self) -> str:
        return "NULL"


NULL = Null()
NOTHING: Any = object()


class Outer:
    """A closure's cell in the making: one of the run's own, or one from outside."""

    __slots__ = ("cell",)

    def __init__(self, cell: CellType | None) -> None:
        self.cell = cell


class NewFunction(Unknown):
    """A function that the run has just made.

    Attributes:
        code: its code.
        cells: of its closure, by name.
    """

    __slots__ = ("cells", "code")

    def __init__(self, code: CodeType, cells: dict[str, Outer]) -> None:
        super().__init__(FunctionType, True)
        self.code = code
        self.cells = cells


class NewCell(Unknown):
    """A cell on the stack, on its way into a closure."""

    __slots__ = ("name", "outer")

    def __init__(self, name: str, outer: Outer) -> None:
        super().__init__(CellType)
        self.name = name
        self.outer = outer


class Frame:
    """One user's frame.

    Attributes:
        stack: its values, as far as they are known.
        next: the place of the instruction that runs next; -1 before the first.
        returned: what the last call from here returned.
        function: what is run, where that is known.
        cells: of its closure, by name.
        lost: whether its instructions could not be followed.
    """

    __slots__ = (
        "cells", "code", "decoded", "frame", "function", "iterator", "keywords", "locals_", "lost",
        "next", "returned", "stack", "stored",
    )  # fmt: skip

    def __init__(self, frame: FrameType) -> None:
        self.frame = frame
        self.code = frame.f_code
        self.decoded = decoded(frame.f_code)
        self.stack: list[Any] = []
        self.next = -1
        self.returned: Any = NOTHING
        self.function: FunctionType | None = None
        self.cells: dict[str, Outer] = {}
        self.keywords: tuple[str, ...] = ()
        self.lost = False
        self.iterator: Any = None  # what a comprehension goes through
        self.locals_: Any = None
        # Values that were stored in locals, to be compared with what is there.
        self.stored: list[tuple[str, Any]] = []

    def local(self, name: str) -> Any:
        """A local's value now; NOTHING where it has none."""
        if self.locals_ is None:
            self.locals_ = self.frame.f_locals
        return self.locals_.get(name, NOTHING)

    def origin(self, instruction: Instruction | None = None) -> Origin:
        """The line of an instruction."""
        line = instruction.line if instruction else self.code.co_firstlineno
        return Origin(self.code.co_filename, line, self.code.co_name)

    def pending(self) -> Instruction | None:
        """The instruction that is running: one whose call has not returned."""
        return self.decoded.listed[self.next] if self.next >= 0 else None

    def callee(self) -> Any:
        """What the running instruction calls, where it is a call; NOTHING else."""
        instruction = self.pending()
        if instruction is None:
            return NOTHING
        name, count, stack = instruction.name, instruction.arg, self.stack
        try:
            if name in ("CALL", "CALL_KW"):
                base = len(stack) - count - 2 - (name == "CALL_KW")
                return called(stack[base], stack[base + 1])[0] if base >= 0 else NOTHING
            if name == "CALL_FUNCTION_EX":
                base = len(stack) - 2 - (count & 1)
                return stack[base] if stack[base] is not NULL else stack[base - 1]
        except IndexError:
            pass
        return NOTHING


def called(first: Any, second: Any) -> tuple[Any, bool]:
    """Of the two values below a call's arguments the callable, and whether one is `self`."""
    if first is NULL:
        return second, False
    if second is NULL:  # Python 3.13 keeps them in this order
        return first, False
    return first, True


__all__ = [
    "NOTHING", "NULL", "Frame", "NewCell", "NewFunction", "Null", "Outer", "called"
]  # fmt: skip

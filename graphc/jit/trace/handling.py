"""What the functions that follow instructions share: the run, their tables, the stack.

Each instruction has a function that does to a frame's stack what Python did, as far as the values
are known, and notes what the instruction relied on. They stand in files by kind: `variables`,
`attributes`, `building`, `operators`, `loops` and `invoking`; `following` joins their tables.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.jit.trace import known, operations
from graphc.jit.trace.consulted import Consulted
from graphc.jit.trace.frames import NOTHING, Frame, NewFunction, Null, Outer
from graphc.jit.trace.instructions import Instruction
from graphc.jit.trace.lookups import Unknown
from graphc.jit.trace.operations import is_plain, kind, label

# Python 3.13 keeps the place of `self` above the callable, before it was below.
SELF_ABOVE = "CALL_KW" in dis.opmap


class Run:
    """What is known of a run while its instructions are followed.

    Args:
        consulted: what is told of the readings.
        frames: those that are followed, by their identities.

    Attributes:
        consulted: what is told of the readings.
        made: the cells of functions that the run made, by their code.
        iterators: what a comprehension goes through, by its code.
    """

    def __init__(self, consulted: Consulted, frames: dict[int, Frame]) -> None:
        self.consulted = consulted
        self.frames = frames
        self.made: dict[int, dict[str, Outer]] = {}
        self.iterators: dict[int, Any] = {}

    def compare(self, frame: Frame) -> None:
        """Locals that were stored hold what the stack had: else the following went wrong."""
        for name, value in frame.stored:
            actual = frame.local(name)
            if actual is NOTHING:
                continue
            if isinstance(value, Unknown):
                if value.made and type(actual) not in (Null,) and can_be_made(value, actual):
                    self.consulted.made(actual)
            elif actual is not value and not _alike(actual, value):
                self.consulted.refuse(f"{name} is another value than was followed", frame.origin())
        frame.stored.clear()

    def refuse(self, frame: Frame, instruction: Instruction, reason: str) -> None:
        """An instruction is not proven."""
        self.consulted.refuse(reason, frame.origin(instruction))


Handler = Callable[[Run, Frame, Instruction, bool], None]
Handlers = dict[str, Handler]


def entering(table: Handlers) -> Callable[..., Callable[[Handler], Handler]]:
    """A decorator that enters a function in a table, by the instructions that it follows.

    Args:
        table: where to enter it.

    Returns:
        The decorator, which takes the names of the instructions.
    """

    def on(*names: str) -> Callable[[Handler], Handler]:
        def enter(function: Handler) -> Handler:
            for name in names:
                table[name] = function
            return function

        return enter

    return on


def can_be_made(value: Unknown, actual: Any) -> bool:
    """Whether an actual value can be the one that the run is said to have made."""
    return value.type is None or type(actual) is value.type or isinstance(value, NewFunction)


def _alike(a: Any, b: Any) -> bool:
    """Whether two values that were computed twice are the same."""
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b)
    if known.kind_of(type(a)) in (known.SCALAR, known.VALUE, known.BUILTIN, known.METHOD):
        return bool(a == b) or a != a
    return known.kind_of(type(a)) in (known.CONTAINER, known.SUPER, known.FROZEN) or isinstance(
        a, operations.VIEWS
    )


class Parts(Unknown):
    """A tuple that the run made, some of whose items are not at hand.

    Attributes:
        parts: its items.
    """

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Any]) -> None:
        super().__init__(tuple, True)
        self.parts = tuple(parts)


def take(frame: Frame, count: int) -> list[Any]:
    """The topmost values of a stack, taken away."""
    if count == 0:
        return []
    items = frame.stack[-count:]
    if len(items) < count:
        raise IndexError("the stack is empty")
    del frame.stack[-count:]
    return items


def result(frame: Frame) -> Any:
    """What the last call from a frame returned."""
    return Unknown() if frame.returned is NOTHING else frame.returned


def put(run: Run, frame: Frame, each: Instruction, value: object) -> None:
    """A value goes into a container of the run's, in which others may look at it later."""
    if isinstance(value, Unknown):
        return
    if kind(value) == known.CONTAINER:
        operations.contents_are_known(run.consulted, value, f"a {label(value)}", frame.origin(each))
    elif isinstance(value, np.ndarray):
        run.refuse(frame, each, "an array in a container")


def check_key(run: Run, frame: Frame, each: Instruction, key: object) -> None:
    """A value is a key in a container of the run's: its hash is to run no code of the user's."""
    allowed = (known.CLASS, known.FUNCTION, known.TENSOR)
    if not is_plain(key) and kind(key) not in allowed and not isinstance(key, Unknown):
        run.refuse(frame, each, f"a {label(key)} as a key")


__all__ = [
    "SELF_ABOVE", "Handler", "Handlers", "Parts", "Run", "can_be_made", "check_key", "entering",
    "put", "result", "take",
]  # fmt: skip

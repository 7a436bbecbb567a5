"""One call of a run: what is called, with which arguments."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Origin
from graphc.jit.trace.consulted import Consulted
from graphc.jit.trace.frames import NOTHING
from graphc.jit.trace.lookups import Unknown
from graphc.jit.trace.operations import contents_are_known, label


class Method(Unknown):
    """A method of a value that is not at hand.

    Attributes:
        owner: the value.
        name: the method's name.
    """

    __slots__ = ("name", "owner")

    def __init__(self, owner: Unknown, name: str) -> None:
        super().__init__()
        self.owner = owner
        self.name = name


class Call:
    """One call, as its instruction has it.

    Attributes:
        function: what is called.
        args: the arguments in their order.
        keywords: those by name.
        result: what Python code returned, where it ran any; NOTHING else.
        origin: the line.
        frame: the caller's frame, for `super()`.
    """

    __slots__ = ("args", "consulted", "frame", "function", "keywords", "origin", "result")

    def __init__(
        self, consulted: Consulted, function: object, args: list[Any], keywords: dict[str, Any],
        result: object, origin: Origin, frame: Any,
    ) -> None:  # fmt: skip
        self.consulted = consulted
        self.function = function
        self.args = args
        self.keywords = keywords
        self.result = result
        self.origin = origin
        self.frame = frame

    def refuse(self, reason: str) -> Unknown:
        """The call is not proven."""
        self.consulted.refuse(reason, self.origin)
        return Unknown()

    def given(self) -> list[Any]:
        """All arguments."""
        return [*self.args, *self.keywords.values()]

    def arguments_are_known(self) -> bool:
        """Note what the arguments hold; False, and a refusal, where that is not known."""
        name = getattr(self.function, "__name__", "a function")
        for value in self.given():
            if not contents_are_known(self.consulted, value, f"an argument of {name}", self.origin):
                self.refuse(f"a {label(value)} given to {name}")
                return False
        return True

    def returned(self) -> Any:
        """What Python code returned."""
        return Unknown() if self.result is NOTHING else self.result


__all__ = ["Call", "Method"]

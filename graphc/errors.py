"""Errors as values: what is wrong, with which values, where in the user's code, what to do.

Every error a user can cause derives from `GraphcError` and from the built-in that fits, so
`except ValueError` works as well. Internal faults of the compiler are `InternalError`: seeing
one is a bug in graphc. Nothing here formats a traceback.

    ShapeError: matmul: inner sizes differ, 784 and 10
      x: f32[32, 784], made at train.py:12
      w: f32[10, 784], made at train.py:13
      at train.py:41
      hint: transpose w
"""

from __future__ import annotations

from collections.abc import Sequence

MAX_LINES = 12


class GraphcWarning(UserWarning):
    """Something a user should know that did not stop the work."""


class GraphcError(Exception):
    """Base of all graphc errors.

    Args:
        what: one line: what is wrong, with the values.
        details: further lines, one fact each (operands with the lines that made them).
        where: the user's `file:line`, or "" when there is none.
        hint: what to do, or "".
    """

    def __init__(
        self, what: str, details: Sequence[str] = (), *, where: object = "", hint: str = ""
    ) -> None:
        self.what = what
        self.details = tuple(details)
        self.where = str(where) if where else ""
        self.hint = hint
        super().__init__(self.message())

    def message(self) -> str:
        """The whole text, at most 12 lines: surplus details are counted, not shown."""
        tail = [f"at {self.where}"] if self.where else []
        tail += [f"hint: {self.hint}"] if self.hint else []
        room = MAX_LINES - 1 - len(tail)
        details = list(self.details)
        if len(details) > room:
            details = details[: room - 1] + [f"... and {len(details) - room + 1} more"]
        return "\n  ".join([self.what, *details, *tail])


class ShapeError(GraphcError, ValueError):
    """Shapes, axes or symbolic dimensions that do not fit."""


class DTypeError(GraphcError, TypeError):
    """A dtype that an op or an argument does not take."""


class ArgumentError(GraphcError, TypeError):
    """A wrong number, name or kind of argument."""


class AttributeValueError(GraphcError, ValueError):
    """An argument of the right kind with a value out of range."""


class GraphError(GraphcError, ValueError):
    """A graph that is not well formed: unlisted, duplicate or unused inputs."""


class GradientError(GraphcError, ValueError):
    """Something that cannot be differentiated."""


class IndexRangeError(GraphcError, IndexError):
    """An index outside its axis, found while a program ran."""


class CastOverflowError(GraphcError, OverflowError):
    """A value that its new dtype cannot hold."""


class DivisionError(GraphcError, ZeroDivisionError, RuntimeError):
    """An integer divided by 0; a RuntimeError too, as PyTorch's."""


class NonFiniteError(GraphcError, ArithmeticError):
    """A nan or inf found by GRAPHC_CHECK=finite."""


class OutOfMemoryError(GraphcError, MemoryError):
    """An arena that could not be allocated."""


class TraceError(GraphcError, RuntimeError):
    """Python that a static graph cannot hold, met while a function was traced."""


class ParseError(GraphcError, ValueError):
    """Text that is not a graph."""


class StorageError(GraphcError, OSError):
    """A file that cannot be read or written."""


class MissingFileError(StorageError, FileNotFoundError):
    """A file, or the folder for one, that is not there."""


class FormatError(GraphcError, ValueError):
    """A file that is cut short, damaged, or of another format."""


class ArchiveError(FormatError):
    """A saved program that is cut short, damaged, or not well formed."""


class ReentryError(GraphcError, RuntimeError):
    """State that a signal handler wants while the code that it interrupted is changing it."""


class VerifyError(GraphcError, ValueError):
    """A graph that breaks an invariant of the IR."""


class ConfigError(GraphcError, ValueError):
    """A GRAPHC_* setting with a value that it does not take."""


class InternalError(GraphcError, RuntimeError):
    """A fault of the compiler itself."""

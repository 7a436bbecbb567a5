"""The table of ops: what is entered in it, once, under a name that the text of graphs can have."""

from __future__ import annotations

import sys
from typing import Any

from graphc.core.atoms import is_kept
from graphc.core.ir import OPS, Op, caller
from graphc.errors import AttributeValueError, InternalError


def declare(op: Op) -> Op:
    """Enter an op in the table.

    Raises:
        AttributeValueError: the name cannot stand in the text form of graphs.
        InternalError: an op of this name is there already.
    """
    if not (op.name.isidentifier() and is_kept(op.name)):
        raise AttributeValueError(
            f"an op cannot be called {op.name!r}: the text form of graphs could not have it",
            where=caller(),
            hint="a name is an identifier, and no keyword",
        )
    place = _importing()
    if op.name in OPS and not _is_anew(_places.get(op.name), place):
        raise InternalError(f"op {op.name!r} is declared twice")
    _places[op.name] = place
    OPS[op.name] = op
    return op


# The names of the modules that declare ops; the very modules, as they were when they did.
_places: dict[str, dict[str, Any] | None] = {}


def _importing() -> dict[str, Any] | None:
    """The names of the module whose import is under way."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            return frame.f_globals
        frame = frame.f_back
    return None


def _is_anew(before: dict[str, Any] | None, now: dict[str, Any] | None) -> bool:
    """Whether a module is imported a second time, as after an import that was interrupted."""
    if before is None or now is None or before is now:
        return False
    return before.get("__name__") == now.get("__name__") != "__main__"


__all__ = ["declare"]

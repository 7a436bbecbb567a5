"""The user's line: which one led here, and which one the nodes that a pass makes keep."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

_PACKAGE = Path(__file__).resolve().parent.parent
# In a checkout passes/ and runtime/ lie beside graphc/, installed they lie inside it.
_ROOTS = tuple(
    f"{folder}{os.sep}"
    for folder in (_PACKAGE, _PACKAGE.parent / "passes", _PACKAGE.parent / "runtime")
    if folder == _PACKAGE or (_PACKAGE.parent / "pyproject.toml").exists()
)
_INTERNAL: dict[CodeType, bool] = {}
local = threading.local()


@dataclass(frozen=True, slots=True)
class Origin:
    """The user's line that made a node."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        name = Path(self.file).name
        inside = "" if self.function.startswith("<") else f" in {self.function}"
        return f"{name}:{self.line}{inside}"


def is_internal(code: CodeType) -> bool:
    """Whether code is of graphc itself."""
    file = code.co_filename
    return file.startswith(_ROOTS) or file.startswith("<frozen")


def caller() -> Origin | None:
    """The nearest line outside graphc that led here, or the origin set by `at_origin`."""
    forced = getattr(local, "origin", None)
    if forced is not None:
        return forced
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        internal = _INTERNAL.get(code)
        if internal is None:
            internal = _INTERNAL[code] = is_internal(code)
        if not internal:
            return Origin(code.co_filename, frame.f_lineno, code.co_name)
        frame = frame.f_back  # type: ignore[assignment]
    return None


@contextmanager
def at_origin(origin: Origin | None) -> Iterator[None]:
    """Give `origin` to every node built inside: passes keep the user's line this way."""
    before = getattr(local, "origin", None)
    local.origin = origin if origin is not None else before
    try:
        yield
    finally:
        local.origin = before


__all__ = ["Origin", "at_origin", "caller", "is_internal", "local"]

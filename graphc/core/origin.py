"""The user's line that made a node: found when it is built, kept when passes build it again.

y = exp(x)            caller() inside of exp: Origin("model.py", 12, "forward")
with at_origin(node.origin):
    MATMUL(x, y)      has the line that `node` has
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

_PACKAGE = Path(__file__).resolve().parent.parent
# In a checkout passes/ and runtime/ lie beside graphc/, installed they lie inside it.
_ROOTS = tuple(
    f"{folder}{os.sep}"
    for folder in (_PACKAGE, _PACKAGE.parent / "passes", _PACKAGE.parent / "runtime")
    if folder == _PACKAGE or (_PACKAGE.parent / "pyproject.toml").exists()
)
# Where ops' types are inferred and graphs rewritten, by users' own ops and passes too.
_COMPILING = (
    str(_PACKAGE / "core" / "ir.py"),
    *(str(_PACKAGE / name) for name in ("passes", "runtime")),
    *(str(_PACKAGE.parent / name) for name in ("passes", "runtime")),
)
_INTERNAL: dict[CodeType, bool] = {}
_local = threading.local()


@dataclass(frozen=True, slots=True)
class Origin:
    """The user's line that made a node, and what the user called it (see `gc.named`)."""

    file: str
    line: int
    function: str
    label: str = ""

    def __str__(self) -> str:
        name = Path(self.file).name
        inside = "" if self.function.startswith("<") else f" in {self.function}"
        return f"{name}:{self.line}{inside}"


def labelled(origin: Origin | None, label: str) -> Origin | None:
    """A line of a node with another label; "" for what passes build for a node that has one."""
    if origin is None:
        return Origin("<unknown>", 0, "<unknown>", label) if label else None
    return origin if origin.label == label else replace(origin, label=label)


def name_node(node: Any, label: str) -> None:
    """Set what a node is called: like its line this says where it comes from, not what it is."""
    object.__setattr__(node, "origin", labelled(node.origin, label))


def keep_label(node: Any, result: Any) -> None:
    """Call what was built in a node's place as the node is called."""
    if node.label and result is not node and not result.label and result.type == node.type:
        name_node(result, node.label)


def is_internal(code: CodeType) -> bool:
    """Whether code is graphc's own, or Python's import machinery."""
    file = code.co_filename
    return file.startswith(_ROOTS) or file.startswith("<frozen")


def is_asked_by_user(frame: FrameType | None) -> bool:
    """Whether a frame is of a user's code that builds a graph, and not of a pass or an op of his.

    Passes and ops compare forms: what may be equal in some call is not the same for them.
    """
    if frame is None or is_internal(frame.f_code) or _is_ours(frame):
        return False
    while (frame := frame.f_back) is not None:
        if frame.f_code.co_filename.startswith(_COMPILING):
            return False
    return True


def _is_ours(frame: FrameType) -> bool:
    # Methods that dataclasses write are in no file.
    return str(frame.f_globals.get("__name__")).split(".")[0] in ("graphc", "passes", "runtime")


def caller() -> Origin | None:
    """The nearest line outside graphc that led here, or the origin set by `at_origin`."""
    forced = getattr(_local, "origin", None)
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
    before = getattr(_local, "origin", None)
    _local.origin = labelled(origin, "") or before
    try:
        yield
    finally:
        _local.origin = before


@contextmanager
def made_for() -> Iterator[Callable[[Any], None]]:
    """`at_origin` for one node after another: call what it gives with the node to build for."""
    before = getattr(_local, "origin", None)

    def begin(node: Any) -> None:
        _local.origin = labelled(node.origin, "") or before

    try:
        yield begin
    finally:
        _local.origin = before


@contextmanager
def recording() -> Iterator[list[Any]]:
    """The nodes built inside, in order: what a function made, told apart from what it was given."""
    before = getattr(_local, "made", None)
    made: list[Any] = []
    _local.made = made
    try:
        yield made
    finally:
        _local.made = before
        if before is not None:
            before.extend(made)


def record(node: Any) -> None:
    """Enter a node that was built in the list of `recording`."""
    made = getattr(_local, "made", None)
    if made is not None:
        made.append(node)


__all__ = [
    "Origin", "at_origin", "caller", "is_asked_by_user", "is_internal", "keep_label", "labelled",
    "made_for", "name_node", "record", "recording",
]  # fmt: skip

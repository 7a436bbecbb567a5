"""The user's line that made a node: found when it is built, kept when passes build it again.

y = exp(x)            caller() inside of exp: Origin("model.py", 12, "forward")
with at_origin(node.origin):
    MATMUL(x, y)      has the line that `node` has

A node's origin also has its scope, the calls of modules and functions in which the line ran, and
its phase: forward, backward or optimizer. Both are read from the stack when a node is built, so
that eager calls of modules pay nothing for them.
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
PHASES = ("", "backward", "optimizer")  # of a training step; the first is forward
# Code of calls that have a scope of their own: what a frame of it gives is (the scope's name, the
# object that is called, its phase), or the origin of the node whose derivative is built there.
Scope = tuple[str, Any, str]
_SCOPED: dict[CodeType, Callable[[FrameType], Scope | Origin]] = {}
_COMPUTING = ("graphc.nn.functional.", "graphc.ops.arrays.", "graphc.ops.network.")
# Of a deep recursion the outermost calls are no scopes.
_MOST_FRAMES = 200


@dataclass(frozen=True, slots=True)
class Origin:
    """The user's line that made a node, and what the user called it (see `gc.named`).

    Attributes:
        scope: the calls around the line, the outermost first: `layers.0` for a module by its name
            in the module around it, `attention():12` for a function called in line 12.
        phase: "" (forward), "backward" or "optimizer".
    """

    file: str
    line: int
    function: str
    label: str = ""
    scope: tuple[str, ...] = ()
    phase: str = ""

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


def move_node(node: object, origin: Origin | None) -> None:
    """Set where a node that was just made comes from."""
    object.__setattr__(node, "origin", origin)


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


def _known_internal(code: CodeType) -> bool:
    internal = _INTERNAL.get(code)
    if internal is None:
        internal = _INTERNAL[code] = is_internal(code)
    return internal


def caller() -> Origin | None:
    """The nearest line outside graphc that led here, or the origin set by `at_origin`."""
    forced = getattr(_local, "origin", None)
    if forced is not None:
        return forced
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if not _known_internal(code):
            return Origin(code.co_filename, frame.f_lineno, code.co_name)
        frame = frame.f_back  # type: ignore[assignment]
    return None


def builder() -> Origin | None:
    """What `caller` gives, with the scope and the phase of what is built there."""
    if getattr(_local, "origin", None) is not None:
        return _local.origin
    found = caller()
    if found is None:
        return None
    scope, phase = _scope_of(sys._getframe(1))
    return replace(found, scope=scope, phase=phase)


def _scope_of(frame: FrameType | None) -> tuple[tuple[str, ...], str]:
    calls: list[tuple[str, Any]] = []
    phase = ""
    for _ in range(_MOST_FRAMES):
        if frame is None or frame.f_code.co_name == "<module>":
            break
        code = frame.f_code
        if (describe := _SCOPED.get(code)) is not None:
            found = describe(frame)
            if isinstance(found, Origin):
                return (*found.scope, *_names(calls)), "backward"
            name, called, part = found
            if name:
                calls.append((name, called))
            phase = phase or part
        elif _is_public(frame) if _known_internal(code) else _is_scope(code):
            line = frame.f_back.f_lineno if frame.f_back is not None else 0
            if calls and _known_internal(code) and calls[-1][0].startswith(f"{code.co_name}():"):
                calls.pop()  # one function in two modules: its face and what computes
            calls.append((f"{code.co_name}():{line}", None))
        frame = frame.f_back
    return tuple(_names(calls)), phase


def _is_scope(code: CodeType) -> bool:
    # A module's `forward` is the module's scope; comprehensions and lambdas are lines of theirs.
    return code.co_name != "forward" and not code.co_name.startswith("<")


def _is_public(frame: FrameType) -> bool:
    """Whether a frame is a call of a function of graphc that computes and that users know."""
    module = str(frame.f_globals.get("__name__"))
    if not module.startswith(_COMPUTING) or frame.f_code.co_name.startswith("_"):
        return False
    return frame.f_code.co_name in frame.f_globals.get("__all__", ())


def _names(calls: list[tuple[str, Any]]) -> Iterator[str]:
    """The names of calls, the outermost first: a part by its name in the nearest whole."""
    whole: Any = None
    for name, called in reversed(calls):
        if called is not None and called is whole:
            continue
        inside = getattr(whole, "named_modules", None) if called is not None else None
        names = [path for path, part in inside() if part is called] if inside else []
        yield names[0] if names and names[0] else name
        whole = called if called is not None else whole


def scoped(code: CodeType, describe: Callable[[FrameType], Scope | Origin]) -> None:
    """Give calls of some code a scope.

    Args:
        code: of a function of graphc.
        describe: gives of a call's frame the scope's name ("" for none), the object that is called
            or None, and its phase; or the origin of a node beside which the call builds.
    """
    _SCOPED[code] = describe


def backward_of(origin: Origin | None) -> Origin | None:
    """The origin of what the derivative of a node needs: beside it, in the backward phase."""
    if origin is None or origin.phase:
        return origin
    return replace(origin, phase="backward")


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


def record(node: object) -> None:
    """Enter a node that was built in the list of `recording`."""
    made = getattr(_local, "made", None)
    if made is not None:
        made.append(node)


__all__ = [
    "PHASES", "Origin", "at_origin", "backward_of", "builder", "caller", "is_asked_by_user",
    "is_internal", "keep_label", "labelled", "made_for", "move_node", "name_node", "record",
    "recording", "scoped",
]  # fmt: skip

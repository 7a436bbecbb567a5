"""Follows imports and attributes: those that are read, assigned and deleted."""

from __future__ import annotations

import dis
from types import FunctionType
from typing import Any

from graphc.jit.trace import imports, known
from graphc.jit.trace.arguments import Method
from graphc.jit.trace.frames import NOTHING, NULL, Frame
from graphc.jit.trace.handling import SELF_ABOVE, Handlers, Run, entering
from graphc.jit.trace.instructions import Instruction
from graphc.jit.trace.lookups import Runs, Unknown, in_class, look_up
from graphc.jit.trace.operations import kind, label
from graphc.jit.trace.readings import MISSING

HANDLERS: Handlers = {}
_on = entering(HANDLERS)


@_on("IMPORT_NAME")
def _import_name(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    names, level = frame.stack.pop(), frame.stack.pop()
    origin = frame.origin(each)
    found = imports.imported(run.consulted, str(each.value), names, level, origin)
    frame.stack.append(found)


@_on("IMPORT_FROM")
def _import_from(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.append(_attribute(run, frame, each, frame.stack[-1], str(each.value)))


def _attribute(run: Run, frame: Frame, each: Instruction, owner: Any, name: str) -> Any:
    if isinstance(owner, Unknown):
        which = kind(owner)
        if which == known.TENSOR:
            return Unknown() if frame.returned is NOTHING else frame.returned
        if owner.type is not None and which in (
            known.SCALAR, known.FROZEN, known.CONTAINER
        ) and in_class(owner.type, name) is not MISSING:  # fmt: skip
            return Method(owner, name)
        run.refuse(frame, each, f".{name} of a value that is not known")
        return Unknown()
    found = look_up(run.consulted, owner, name, frame.origin(each))
    if isinstance(found, Runs):
        return Unknown() if frame.returned is NOTHING else frame.returned
    return found


@_on("LOAD_ATTR", "LOAD_METHOD")
def _load_attr(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    owner = frame.stack.pop()
    value = _attribute(run, frame, each, owner, str(each.value))
    method = each.name == "LOAD_METHOD" or (_HAS_SUPER and each.arg & 1)
    frame.stack.extend([value] if not method else [value, NULL] if SELF_ABOVE else [NULL, value])


_HAS_SUPER = "LOAD_SUPER_ATTR" in dis.opmap


@_on("LOAD_SUPER_ATTR", "LOAD_SUPER_METHOD", "LOAD_ZERO_SUPER_ATTR", "LOAD_ZERO_SUPER_METHOD")
def _load_super(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    owner, class_ = frame.stack.pop(), frame.stack.pop()
    frame.stack.pop()
    try:
        given: Any = super(class_, owner)
    except TypeError:
        run.refuse(frame, each, "super() of a value that is not known")
        given = Unknown()
    value = _attribute(run, frame, each, given, str(each.value))
    method = each.arg & 1
    frame.stack.extend([value] if not method else [value, NULL] if SELF_ABOVE else [NULL, value])


@_on("STORE_ATTR")
def _store_attr(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    owner, value = frame.stack.pop(), frame.stack.pop()
    name = str(each.value)
    which = kind(owner)
    if which == known.CONTEXT or (isinstance(owner, Unknown) and owner.made):
        return
    replaces = kind(value) == known.TENSOR or value is None
    if which == known.TENSOR and name in ("grad", "data") and replaces:
        return
    if run.consulted.is_made(owner) and which == known.OBJECT:
        own = in_class(type(owner), "__setattr__")
        if own is object.__setattr__ and not hasattr(in_class(type(owner), name), "__set__"):
            return
        if isinstance(own, FunctionType) or isinstance(in_class(type(owner), name), property):
            return  # whose own code is followed
        if own is object.__setattr__:
            return
    run.refuse(frame, each, f".{name} of a {label(owner)} is assigned")


@_on("DELETE_ATTR")
def _delete_attr(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    run.refuse(frame, each, f".{each.value} of a {label(frame.stack.pop())} is deleted")


__all__ = ["HANDLERS"]

"""Follows new tuples, lists, sets, dicts, texts and slices."""

from __future__ import annotations

from graphc.jit.trace import known, operations
from graphc.jit.trace.frames import NOTHING, Frame
from graphc.jit.trace.handling import Handlers, Parts, Run, check_key, entering, put, take
from graphc.jit.trace.instructions import Instruction
from graphc.jit.trace.lookups import Unknown
from graphc.jit.trace.operations import kind, label

HANDLERS: Handlers = {}
_on = entering(HANDLERS)


@_on("BUILD_TUPLE")
def _build_tuple(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    items = take(frame, each.arg)
    for value in items:
        put(run, frame, each, value)
    exact = not any(isinstance(v, Unknown) for v in items)
    frame.stack.append(tuple(items) if exact else Parts(items))


_BUILT = {"BUILD_LIST": list, "BUILD_SET": set, "BUILD_STRING": str}


@_on("BUILD_LIST", "BUILD_SET", "BUILD_STRING")
def _build(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    items = take(frame, each.arg)
    for value in items:
        put(run, frame, each, value)
    if each.name == "BUILD_STRING" and all(isinstance(v, str) for v in items):
        frame.stack.append("".join(items))
        return
    if each.name == "BUILD_LIST":
        frame.stack.append(operations.Copy(items))
        return
    frame.stack.append(Unknown(_BUILT[each.name], True))


@_on("BUILD_MAP", "BUILD_CONST_KEY_MAP")
def _build_map(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    items = take(frame, each.arg * 2 if each.name == "BUILD_MAP" else each.arg + 1)
    for value in items:
        put(run, frame, each, value)
    for key in items[::2] if each.name == "BUILD_MAP" else ():
        check_key(run, frame, each, key)
    frame.stack.append(Unknown(dict, True))


@_on("BUILD_SLICE")
def _build_slice(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    parts = take(frame, each.arg)
    exact = not any(isinstance(v, Unknown) for v in parts)
    frame.stack.append(slice(*parts) if exact else Unknown(slice))


@_on("LIST_APPEND", "SET_ADD")
def _append(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    value = frame.stack.pop()
    put(run, frame, each, value)
    into = frame.stack[-each.arg]
    if isinstance(into, operations.Copy):
        into.values.append(value)


@_on("MAP_ADD")
def _map_add(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    put(run, frame, each, frame.stack.pop())
    check_key(run, frame, each, frame.stack.pop())


@_on("LIST_EXTEND", "SET_UPDATE", "DICT_UPDATE", "DICT_MERGE")
def _extend(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    value = frame.stack.pop()
    if each.name in ("LIST_EXTEND", "SET_UPDATE"):
        found = operations.iterate(run.consulted, value, NOTHING, frame.origin(each))
        into = frame.stack[-each.arg]
        if isinstance(into, operations.Copy):
            if isinstance(found, operations.Twin):
                into.values.extend(found.values)
            else:  # nobody knows how many
                frame.stack[-each.arg] = Unknown(list, True)
    elif kind(value) != known.CONTAINER:
        run.refuse(frame, each, f"** of a {label(value)}")
    elif not isinstance(value, Unknown):
        run.consulted.content(value, f"a {label(value)}", frame.origin(each))


@_on("LIST_TO_TUPLE")
def _list_to_tuple(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    value = frame.stack[-1]
    frame.stack[-1] = (
        Parts(value.values) if isinstance(value, operations.Copy) else Unknown(tuple, True)
    )


@_on("CALL_INTRINSIC_1")
def _intrinsic(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    if each.arg == 6:
        _list_to_tuple(run, frame, each, jumped)
        return
    value = frame.stack.pop()
    if each.arg == 5:  # + in front of a value
        frame.stack.append(
            operations.unary(run.consulted, "+", value, frame.returned, frame.origin(each))
        )
    else:
        run.refuse(frame, each, f"an instruction {each.name} {each.shown}")
        frame.stack.append(Unknown())


__all__ = ["HANDLERS"]

"""Follows the instructions of the user's code in a run, with the values that they handle.

Each instruction has a function here that does to a frame's stack what Python did, as far as the
values are known, and notes what the instruction relied on. An instruction that has none makes the
run unproven.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from graphc.jit.trace import imports, known, operations
from graphc.jit.trace.calls import Call, Method, call
from graphc.jit.trace.consulted import Consulted
from graphc.jit.trace.frames import (
    NOTHING,
    NULL,
    Frame,
    NewCell,
    NewFunction,
    Null,
    Outer,
    called,
)  # fmt: skip
from graphc.jit.trace.instructions import Instruction
from graphc.jit.trace.lookups import Runs, Unknown, in_class, look_up
from graphc.jit.trace.operations import is_plain, kind, label
from graphc.jit.trace.readings import MISSING

_HANDLERS: dict[str, Callable[[Follower, Frame, Instruction, bool], None]] = {}


def _on(*names: str) -> Any:
    def enter(function: Any) -> Any:
        for name in names:
            _HANDLERS[name] = function
        return function

    return enter


class Follower:
    """Keeps the stacks of a run's frames.

    Args:
        consulted: what is told of the readings.
        made: the cells of functions that the run made, by their code.
    """

    def __init__(self, consulted: Consulted) -> None:
        self.consulted = consulted
        self.made: dict[int, dict[str, Outer]] = {}
        self.iterators: dict[int, Any] = {}

    def advance(self, frame: Frame, offset: int) -> None:
        """The instruction at an offset is next: those before it have run."""
        frame.locals_ = None
        target = frame.decoded.at.get(offset)
        if frame.lost or target is None:
            self._lose(frame)
            return
        try:
            if frame.next < 0:
                self._begin(frame, target)
            else:
                self._advance(frame, target)
        except Exception as error:
            pending = frame.pending()
            name = pending.name if pending else "the start"
            self._lose(frame, f"{name}: {type(error).__name__} {error}")
        frame.returned = NOTHING

    def _advance(self, frame: Frame, target: int) -> None:
        listed = frame.decoded.listed
        place, frame.next = frame.next, target
        while True:
            each = listed[place]
            handler = _HANDLERS.get(each.name)
            if handler is None or each.ends:
                self._lose(frame, f"({each.name})")
                return
            handler(self, frame, each, each.jumps and place + 1 != target)
            place += 1
            if each.jumps or place == target:
                break
        self._compare(frame)

    def _begin(self, frame: Frame, target: int) -> None:
        """A frame's first instructions, which are no statements yet."""
        for each in frame.decoded.listed[:target]:
            if each.name not in _START:
                self._lose(frame, "(a generator from outside)")
                return
        frame.next = target

    def _compare(self, frame: Frame) -> None:
        """Locals that were stored hold what the stack had: else the following went wrong."""
        for name, value in frame.stored:
            actual = frame.local(name)
            if actual is NOTHING:
                continue
            if isinstance(value, Unknown):
                if value.made and type(actual) not in (Null,) and _can_be_made(value, actual):
                    self.consulted.made(actual)
            elif actual is not value and not _alike(actual, value):
                self.consulted.refuse(f"{name} is another value than was followed", frame.origin())
        frame.stored.clear()

    def leaves(self, frame: Frame, value: Any) -> None:
        """A frame returns a value, which may be one that it made."""
        pending = frame.pending()
        if pending is None or pending.name != "RETURN_VALUE" or not frame.stack:
            return
        top = frame.stack[-1]
        if isinstance(top, Unknown) and top.made and _can_be_made(top, value):
            self.consulted.made(value)

    def _lose(self, frame: Frame, why: str = "") -> None:
        if not frame.lost:
            self.consulted.refuse(f"code that could not be followed {why}".strip(), frame.origin())
        frame.lost = True

    def refuse(self, frame: Frame, instruction: Instruction, reason: str) -> None:
        """An instruction is not proven."""
        self.consulted.refuse(reason, frame.origin(instruction))


_START = {
    "RESUME", "COPY_FREE_VARS", "MAKE_CELL", "RETURN_GENERATOR", "POP_TOP", "NOP", "CACHE",
}  # fmt: skip


def _can_be_made(value: Unknown, actual: Any) -> bool:
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


# --- what only moves values


@_on("RESUME", "NOP", "CACHE", "COPY_FREE_VARS", "MAKE_CELL", "PRECALL", "EXTENDED_ARG",
     "JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT")  # fmt: skip
def _nothing(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    pass


@_on("POP_TOP", "POP_JUMP_IF_NONE", "POP_JUMP_IF_NOT_NONE",
     "POP_JUMP_FORWARD_IF_NONE", "POP_JUMP_FORWARD_IF_NOT_NONE", "POP_JUMP_BACKWARD_IF_NONE",
     "POP_JUMP_BACKWARD_IF_NOT_NONE")  # fmt: skip
def _pop(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.pop()


@_on("PUSH_NULL")
def _push_null(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.append(NULL)


@_on("COPY")
def _copy(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.append(frame.stack[-each.arg])


@_on("SWAP")
def _swap(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    stack = frame.stack
    stack[-1], stack[-each.arg] = stack[-each.arg], stack[-1]


@_on("LOAD_CONST")
def _load_const(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.append(each.value)


def _load(frame: Frame, name: str) -> None:
    code = frame.code
    if name in code.co_cellvars or name in code.co_freevars:  # Python 3.13: the cell itself
        _load_closure_of(frame, name)
        return
    value = frame.local(name)
    if name == ".0" or value is NOTHING:
        frame.stack.append(frame.iterator or Unknown(None, name == ".0"))
        return
    frame.stack.append(value)


@_on("LOAD_FAST", "LOAD_FAST_CHECK")
def _load_fast(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    _load(frame, str(each.value))


@_on("LOAD_FAST_AND_CLEAR")
def _load_and_clear(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.append(_CLEARED)


_CLEARED = Unknown()


@_on("LOAD_FAST_LOAD_FAST")
def _load_two(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    for name in each.value:  # type: ignore[attr-defined]
        _load(frame, name)


def _store(frame: Frame, name: str) -> None:
    value = frame.stack.pop()
    if value is not _CLEARED and name not in frame.code.co_cellvars:
        frame.stored.append((name, value))


@_on("STORE_FAST", "STORE_FAST_MAYBE_NULL")
def _store_fast(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    _store(frame, str(each.value))


@_on("STORE_FAST_LOAD_FAST")
def _store_load(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    first, second = each.value  # type: ignore[misc, attr-defined]
    _store(frame, first)
    run._compare(frame)
    _load(frame, second)


@_on("STORE_FAST_STORE_FAST")
def _store_two(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    for name in each.value:  # type: ignore[attr-defined]
        _store(frame, name)


@_on("DELETE_FAST")
def _delete_fast(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    pass


# --- names


@_on("LOAD_GLOBAL")
def _load_global(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    name, names = str(each.value), frame.frame.f_globals
    origin = frame.origin(each)
    run.consulted.item(names, name, f"global {name}", origin)
    value = names.get(name, MISSING)
    if value is MISSING:
        built_in = frame.frame.f_builtins
        run.consulted.item(built_in, name, f"the built-in {name}", origin)
        value = built_in.get(name, MISSING)
    value = Unknown() if value is MISSING else value
    # Python 3.13 keeps the place of `self` above the callable, before it was below.
    pushed = [value] if not each.arg & 1 else [value, NULL] if _ABOVE else [NULL, value]
    frame.stack.extend(pushed)


_ABOVE = "CALL_KW" in dis.opmap


@_on("LOAD_DEREF", "LOAD_CLASSDEREF")
def _load_deref(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    name = str(each.value)
    value = frame.local(name)
    if name in frame.code.co_freevars:
        cell = frame.cells.get(name)
        if cell is None:
            run.refuse(frame, each, f"closure {name} of a function that was not found")
        elif cell.cell is not None:
            run.consulted.cell(cell.cell, name, frame.origin(each))
    frame.stack.append(Unknown() if value is NOTHING else value)


@_on("STORE_DEREF", "DELETE_DEREF")
def _store_deref(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    name = str(each.value)
    if each.name == "STORE_DEREF":
        value = frame.stack.pop()
        if isinstance(value, Unknown) and value.made:
            frame.stored.append((name, value))
    if name in frame.code.co_freevars:
        cell = frame.cells.get(name)
        if cell is None or cell.cell is not None:
            run.refuse(frame, each, f"closure {name} is assigned")


def _load_closure_of(frame: Frame, name: str) -> None:
    outer = frame.cells.get(name) if name in frame.code.co_freevars else Outer(None)
    frame.stack.append(NewCell(name, outer) if outer is not None else Unknown())


@_on("LOAD_CLOSURE")
def _load_closure(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    _load_closure_of(frame, str(each.value))


@_on("STORE_GLOBAL", "DELETE_GLOBAL")
def _store_global(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    if each.name == "STORE_GLOBAL":
        frame.stack.pop()
    run.refuse(frame, each, f"global {each.value} is assigned")


@_on("MAKE_FUNCTION")
def _make_function(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    code = frame.stack.pop()
    cells: dict[str, Outer] = {}
    if not _ABOVE:
        if each.arg & 8:
            cells = _cells(frame.stack.pop())
        for flag in (4, 2, 1):
            if each.arg & flag:
                frame.stack.pop()
    run.made.setdefault(id(code), {}).update(cells)
    frame.stack.append(NewFunction(code, cells))


@_on("SET_FUNCTION_ATTRIBUTE")
def _set_function_attribute(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    function, value = frame.stack.pop(), frame.stack.pop()
    if each.arg == 8 and isinstance(function, NewFunction):
        function.cells.update(_cells(value))
        run.made.setdefault(id(function.code), {}).update(function.cells)
    frame.stack.append(function)


def _cells(given: Any) -> dict[str, Outer]:
    parts = given.parts if isinstance(given, _Parts) else ()
    return {cell.name: cell.outer for cell in parts if isinstance(cell, NewCell)}


class _Parts(Unknown):
    """A tuple that the run made, some of whose items are not at hand."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Any]) -> None:
        super().__init__(tuple, True)
        self.parts = tuple(parts)


@_on("IMPORT_NAME")
def _import_name(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    names, level = frame.stack.pop(), frame.stack.pop()
    origin = frame.origin(each)
    found = imports.imported(run.consulted, str(each.value), names, level, origin)
    frame.stack.append(found)


@_on("IMPORT_FROM")
def _import_from(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.append(_attribute(run, frame, each, frame.stack[-1], str(each.value)))


# --- attributes


def _attribute(run: Follower, frame: Frame, each: Instruction, owner: Any, name: str) -> Any:
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
def _load_attr(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    owner = frame.stack.pop()
    value = _attribute(run, frame, each, owner, str(each.value))
    method = each.name == "LOAD_METHOD" or (_HAS_SUPER and each.arg & 1)
    frame.stack.extend([value] if not method else [value, NULL] if _ABOVE else [NULL, value])


_HAS_SUPER = "LOAD_SUPER_ATTR" in dis.opmap


@_on("LOAD_SUPER_ATTR", "LOAD_SUPER_METHOD", "LOAD_ZERO_SUPER_ATTR", "LOAD_ZERO_SUPER_METHOD")
def _load_super(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    owner, class_ = frame.stack.pop(), frame.stack.pop()
    frame.stack.pop()
    try:
        given = super(class_, owner)
    except TypeError:
        run.refuse(frame, each, "super() of a value that is not known")
        given = Unknown()
    value = _attribute(run, frame, each, given, str(each.value))
    method = each.arg & 1
    frame.stack.extend([value] if not method else [value, NULL] if _ABOVE else [NULL, value])


@_on("STORE_ATTR")
def _store_attr(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    owner, value = frame.stack.pop(), frame.stack.pop()
    name = str(each.value)
    which = kind(owner)
    if which == known.CONTEXT or (isinstance(owner, Unknown) and owner.made):
        return
    if which == known.TENSOR and name in ("grad", "data"):
        if kind(value) == known.TENSOR or value is None:
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
def _delete_attr(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    run.refuse(frame, each, f".{each.value} of a {label(frame.stack.pop())} is deleted")


# --- new containers


@_on("BUILD_TUPLE")
def _build_tuple(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    items = _take(frame, each.arg)
    for value in items:
        _put(run, frame, each, value)
    exact = not any(isinstance(v, Unknown) for v in items)
    frame.stack.append(tuple(items) if exact else _Parts(items))


def _put(run: Follower, frame: Frame, each: Instruction, value: Any) -> None:
    """A value goes into a container of the run's, in which others may look at it later."""
    if isinstance(value, Unknown):
        return
    if kind(value) == known.CONTAINER:
        operations.contents_are_known(run.consulted, value, f"a {label(value)}", frame.origin(each))
    elif isinstance(value, np.ndarray):
        run.refuse(frame, each, "an array in a container")


def _take(frame: Frame, count: int) -> list[Any]:
    if count == 0:
        return []
    items = frame.stack[-count:]
    if len(items) < count:
        raise IndexError("the stack is empty")
    del frame.stack[-count:]
    return items


_BUILT = {"BUILD_LIST": list, "BUILD_SET": set, "BUILD_STRING": str}


@_on("BUILD_LIST", "BUILD_SET", "BUILD_STRING")
def _build(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    items = _take(frame, each.arg)
    for value in items:
        _put(run, frame, each, value)
    if each.name == "BUILD_STRING" and all(isinstance(v, str) for v in items):
        frame.stack.append("".join(items))
        return
    if each.name == "BUILD_LIST":
        frame.stack.append(operations.Copy(items))
        return
    frame.stack.append(Unknown(_BUILT[each.name], True))


@_on("BUILD_MAP", "BUILD_CONST_KEY_MAP")
def _build_map(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    items = _take(frame, each.arg * 2 if each.name == "BUILD_MAP" else each.arg + 1)
    for value in items:
        _put(run, frame, each, value)
    for key in items[::2] if each.name == "BUILD_MAP" else ():
        _check_key(run, frame, each, key)
    frame.stack.append(Unknown(dict, True))


def _check_key(run: Follower, frame: Frame, each: Instruction, key: Any) -> None:
    allowed = (known.CLASS, known.FUNCTION, known.TENSOR)
    if not is_plain(key) and kind(key) not in allowed and not isinstance(key, Unknown):
        run.refuse(frame, each, f"a {label(key)} as a key")


@_on("BUILD_SLICE")
def _build_slice(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    parts = _take(frame, each.arg)
    exact = not any(isinstance(v, Unknown) for v in parts)
    frame.stack.append(slice(*parts) if exact else Unknown(slice))


@_on("LIST_APPEND", "SET_ADD")
def _append(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    value = frame.stack.pop()
    _put(run, frame, each, value)
    into = frame.stack[-each.arg]
    if isinstance(into, operations.Copy):
        into.values.append(value)


@_on("MAP_ADD")
def _map_add(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    _put(run, frame, each, frame.stack.pop())
    _check_key(run, frame, each, frame.stack.pop())


@_on("LIST_EXTEND", "SET_UPDATE", "DICT_UPDATE", "DICT_MERGE")
def _extend(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
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
def _list_to_tuple(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    value = frame.stack[-1]
    frame.stack[-1] = (
        _Parts(value.values) if isinstance(value, operations.Copy) else Unknown(tuple, True)
    )


@_on("CALL_INTRINSIC_1")
def _intrinsic(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
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


# --- operators


def _result(frame: Frame) -> Any:
    return Unknown() if frame.returned is NOTHING else frame.returned


@_on("BINARY_OP")
def _binary_op(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    b, a = frame.stack.pop(), frame.stack.pop()
    origin = frame.origin(each)
    frame.stack.append(operations.binary(run.consulted, each.shown, a, b, _result(frame), origin))


@_on("COMPARE_OP")
def _compare_op(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    b, a = frame.stack.pop(), frame.stack.pop()
    sign = str(each.value)
    found = operations.binary(run.consulted, sign, a, b, _result(frame), frame.origin(each))
    if _ABOVE and each.arg & 16:
        operations.truth(run.consulted, found, frame.origin(each))
        found = Unknown(bool)
    frame.stack.append(found)


@_on("IS_OP")
def _is_op(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    b, a = frame.stack.pop(), frame.stack.pop()
    exact = not (isinstance(a, Unknown) or isinstance(b, Unknown))
    frame.stack.append((a is b) is not bool(each.arg) if exact else Unknown(bool))


@_on("CONTAINS_OP")
def _contains_op(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    container, item = frame.stack.pop(), frame.stack.pop()
    operations.contains(run.consulted, container, item, frame.origin(each))
    frame.stack.append(Unknown(bool))


_SIGNS = {"UNARY_NEGATIVE": "-", "UNARY_POSITIVE": "+", "UNARY_INVERT": "~"}


@_on("UNARY_NEGATIVE", "UNARY_POSITIVE", "UNARY_INVERT")
def _unary(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    value, origin = frame.stack.pop(), frame.origin(each)
    found = operations.unary(run.consulted, _SIGNS[each.name], value, _result(frame), origin)
    frame.stack.append(found)


@_on("UNARY_NOT", "TO_BOOL")
def _unary_not(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    operations.truth(run.consulted, frame.stack.pop(), frame.origin(each))
    frame.stack.append(Unknown(bool))


@_on("POP_JUMP_IF_TRUE", "POP_JUMP_IF_FALSE", "POP_JUMP_FORWARD_IF_TRUE",
     "POP_JUMP_FORWARD_IF_FALSE", "POP_JUMP_BACKWARD_IF_TRUE", "POP_JUMP_BACKWARD_IF_FALSE")  # fmt: skip
def _pop_jump(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    operations.truth(run.consulted, frame.stack.pop(), frame.origin(each))


@_on("JUMP_IF_TRUE_OR_POP", "JUMP_IF_FALSE_OR_POP")
def _jump_or_pop(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    operations.truth(run.consulted, frame.stack[-1], frame.origin(each))
    if not jumped:
        frame.stack.pop()


@_on("FORMAT_VALUE", "FORMAT_SIMPLE", "FORMAT_WITH_SPEC", "CONVERT_VALUE")
def _format(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    spec = each.name == "FORMAT_WITH_SPEC" or (each.name == "FORMAT_VALUE" and each.arg & 4)
    if spec:
        frame.stack.pop()
    value = frame.stack.pop()
    if not is_plain(value):
        run.refuse(frame, each, f"the text of a {label(value)}")
    frame.stack.append(Unknown(str))


@_on("GET_LEN")
def _get_len(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    operations.truth(run.consulted, frame.stack[-1], frame.origin(each))
    frame.stack.append(Unknown(int))


# --- subscripts


@_on("BINARY_SUBSCR")
def _binary_subscr(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    key, owner = frame.stack.pop(), frame.stack.pop()
    found = operations.subscript(run.consulted, owner, key, _result(frame), frame.origin(each))
    frame.stack.append(found)


@_on("BINARY_SLICE")
def _binary_slice(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    stop, start, owner = frame.stack.pop(), frame.stack.pop(), frame.stack.pop()
    exact = not (isinstance(start, Unknown) or isinstance(stop, Unknown))
    key = slice(start, stop) if exact else Unknown(slice)
    found = operations.subscript(run.consulted, owner, key, _result(frame), frame.origin(each))
    frame.stack.append(found)


@_on("STORE_SUBSCR", "STORE_SLICE", "DELETE_SUBSCR")
def _store_subscr(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    keys = [frame.stack.pop() for _ in range(2 if each.name == "STORE_SLICE" else 1)]
    owner = frame.stack.pop()
    value = frame.stack.pop() if each.name != "DELETE_SUBSCR" else None
    which, origin = kind(owner), frame.origin(each)
    made = owner.made if isinstance(owner, Unknown) else run.consulted.is_made(owner)
    if which == known.TENSOR and each.name != "DELETE_SUBSCR":
        parts = (*keys, value)
        if all(operations.contents_are_known(run.consulted, v, "an index", origin) for v in parts):
            return
    if which == known.CONTAINER and made:
        for key in keys:
            _check_key(run, frame, each, key)
        _put(run, frame, each, value)
        return
    run.refuse(frame, each, f"an item of a {label(owner)} is assigned")


# --- loops


@_on("GET_ITER")
def _get_iter(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    value = frame.stack.pop()
    found = operations.iterate(run.consulted, value, _result(frame), frame.origin(each))
    frame.stack.append(found)


@_on("FOR_ITER")
def _for_iter(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    if jumped:
        frame.stack.pop()
        after = frame.decoded.listed[frame.next]
        if after.name == "END_FOR":  # which takes away two values, or one and the next the other
            frame.stack.extend((NULL, NULL))
        return
    top = frame.stack[-1]
    if isinstance(top, operations.Twin):
        frame.stack.append(next(top.values))
        return
    frame.stack.append(_result(frame))


@_on("END_FOR")
def _end_for(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.pop()
    if not _ABOVE:
        frame.stack.pop()


@_on("UNPACK_SEQUENCE")
def _unpack_sequence(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    value = frame.stack.pop()
    if isinstance(value, _Parts) and len(value.parts) == each.arg:
        found = list(value.parts)
    else:
        found = operations.unpack(run.consulted, value, each.arg, frame.origin(each))
    frame.stack.extend(reversed(found))


@_on("UNPACK_EX")
def _unpack_ex(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    value, origin = frame.stack.pop(), frame.origin(each)
    found = operations.unpack(run.consulted, value, each.arg & 255, origin, each.arg >> 8)
    frame.stack.extend(reversed(found))


@_on("YIELD_VALUE")
def _yield_value(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack[-1] = None  # what is sent, by `next`


# --- calls


@_on("KW_NAMES")
def _kw_names(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.keywords = frame.code.co_consts[each.arg]


@_on("CALL", "CALL_KW")
def _call(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    names, frame.keywords = frame.keywords, ()
    if each.name == "CALL_KW":
        names = frame.stack.pop()
    args = _take(frame, each.arg)
    second, first = frame.stack.pop(), frame.stack.pop()
    function, has_self = called(first, second)
    if has_self:
        args = [second, *args]
    keywords = dict(zip(names, args[len(args) - len(names) :])) if names else {}
    args = args[: len(args) - len(names)] if names else args
    _done(run, frame, each, function, args, keywords)


def _done(
    run: Follower, frame: Frame, each: Instruction, function: Any, args: list[Any],
    keywords: dict[str, Any],
) -> None:  # fmt: skip
    if isinstance(function, _Leave):
        frame.stack.append(None)
        return
    origin = frame.origin(each)
    if isinstance(function, NewFunction) and len(args) == 1:
        run.iterators[id(function.code)] = args[0]
    this = Call(run.consulted, function, args, keywords, frame.returned, origin, frame)
    frame.stack.append(call(this))


@_on("CALL_FUNCTION_EX")
def _call_ex(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    keywords = frame.stack.pop() if each.arg & 1 else {}
    args = frame.stack.pop()
    first = frame.stack.pop()
    function = first
    if _ABOVE:
        function = frame.stack.pop() if first is NULL else first
        if first is not NULL:
            raise ValueError("a call in another order")
    else:
        frame.stack.pop()
    parts = args.parts if isinstance(args, _Parts) else args
    given: list[Any] = [parts] if isinstance(parts, Unknown) else list(parts)
    if not isinstance(args, Unknown) and not isinstance(args, tuple):
        operations.iterate(run.consulted, args, NOTHING, frame.origin(each))
    named = {"**": keywords} if isinstance(keywords, Unknown) else dict(keywords)
    _done(run, frame, each, function, given, named)


# --- with


class _Leave(Unknown):
    """The `__exit__` of a mode that graphc records in."""

    __slots__ = ()


@_on("BEFORE_WITH")
def _before_with(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    manager = frame.stack.pop()
    type_ = manager.type if isinstance(manager, Unknown) else type(manager)
    module = getattr(type_, "__module__", "")
    if module != "graphc.eager.engine.mode" or type_.__name__ not in known.MODES:
        run.refuse(frame, each, f"with a {label(manager)}")
    frame.stack.extend((_Leave(), Unknown()))


@_on("LOAD_ASSERTION_ERROR")
def _assertion(run: Follower, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.append(AssertionError)


__all__ = ["Follower"]

"""Follows what moves values, and names: locals, globals, closures and new functions."""

from __future__ import annotations

from typing import Any

from graphc.jit.trace.frames import NOTHING, NULL, Frame, NewCell, NewFunction, Outer
from graphc.jit.trace.handling import SELF_ABOVE, Handlers, Parts, Run, entering
from graphc.jit.trace.instructions import Instruction
from graphc.jit.trace.lookups import Unknown
from graphc.jit.trace.readings import MISSING

HANDLERS: Handlers = {}
_on = entering(HANDLERS)


# --- what only moves values


@_on("RESUME", "NOP", "CACHE", "COPY_FREE_VARS", "MAKE_CELL", "PRECALL", "EXTENDED_ARG",
     "JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT")  # fmt: skip
def _nothing(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    pass


@_on("POP_TOP", "POP_JUMP_IF_NONE", "POP_JUMP_IF_NOT_NONE",
     "POP_JUMP_FORWARD_IF_NONE", "POP_JUMP_FORWARD_IF_NOT_NONE", "POP_JUMP_BACKWARD_IF_NONE",
     "POP_JUMP_BACKWARD_IF_NOT_NONE")  # fmt: skip
def _pop(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.pop()


@_on("PUSH_NULL")
def _push_null(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.append(NULL)


@_on("COPY")
def _copy(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.append(frame.stack[-each.arg])


@_on("SWAP")
def _swap(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    stack = frame.stack
    stack[-1], stack[-each.arg] = stack[-each.arg], stack[-1]


@_on("LOAD_CONST")
def _load_const(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
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
def _load_fast(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    _load(frame, str(each.value))


@_on("LOAD_FAST_AND_CLEAR")
def _load_and_clear(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.append(_CLEARED)


_CLEARED = Unknown()


@_on("LOAD_FAST_LOAD_FAST")
def _load_two(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    names: Any = each.value
    for name in names:
        _load(frame, name)


def _store(frame: Frame, name: str) -> None:
    value = frame.stack.pop()
    if value is not _CLEARED and name not in frame.code.co_cellvars:
        frame.stored.append((name, value))


@_on("STORE_FAST", "STORE_FAST_MAYBE_NULL")
def _store_fast(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    _store(frame, str(each.value))


@_on("STORE_FAST_LOAD_FAST")
def _store_load(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    names: Any = each.value
    first, second = names
    _store(frame, first)
    run.compare(frame)
    _load(frame, second)


@_on("STORE_FAST_STORE_FAST")
def _store_two(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    names: Any = each.value
    for name in names:
        _store(frame, name)


@_on("DELETE_FAST")
def _delete_fast(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    pass


@_on("LOAD_ASSERTION_ERROR")
def _assertion(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.append(AssertionError)


# --- names


@_on("LOAD_GLOBAL")
def _load_global(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
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
    pushed = [value] if not each.arg & 1 else [value, NULL] if SELF_ABOVE else [NULL, value]
    frame.stack.extend(pushed)


@_on("LOAD_DEREF", "LOAD_CLASSDEREF")
def _load_deref(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
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
def _store_deref(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
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
def _load_closure(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    _load_closure_of(frame, str(each.value))


@_on("STORE_GLOBAL", "DELETE_GLOBAL")
def _store_global(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    if each.name == "STORE_GLOBAL":
        frame.stack.pop()
    run.refuse(frame, each, f"global {each.value} is assigned")


@_on("MAKE_FUNCTION")
def _make_function(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    code = frame.stack.pop()
    cells: dict[str, Outer] = {}
    if not SELF_ABOVE:
        if each.arg & 8:
            cells = _cells(frame.stack.pop())
        for flag in (4, 2, 1):
            if each.arg & flag:
                frame.stack.pop()
    run.made.setdefault(id(code), {}).update(cells)
    frame.stack.append(NewFunction(code, cells))


@_on("SET_FUNCTION_ATTRIBUTE")
def _set_function_attribute(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    function, value = frame.stack.pop(), frame.stack.pop()
    if each.arg == 8 and isinstance(function, NewFunction):
        function.cells.update(_cells(value))
        run.made.setdefault(id(function.code), {}).update(function.cells)
    frame.stack.append(function)


def _cells(given: Any) -> dict[str, Outer]:
    parts = given.parts if isinstance(given, Parts) else ()
    return {cell.name: cell.outer for cell in parts if isinstance(cell, NewCell)}


__all__ = ["HANDLERS"]

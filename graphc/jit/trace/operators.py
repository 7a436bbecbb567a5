"""Follows operators, branches on a value's truth, and subscripts."""

from __future__ import annotations

from graphc.jit.trace import known, operations
from graphc.jit.trace.frames import Frame
from graphc.jit.trace.handling import SELF_ABOVE, Handlers, Run, check_key, entering, put, result
from graphc.jit.trace.instructions import Instruction
from graphc.jit.trace.lookups import Unknown
from graphc.jit.trace.operations import is_plain, kind, label

HANDLERS: Handlers = {}
_on = entering(HANDLERS)


@_on("BINARY_OP")
def _binary_op(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    b, a = frame.stack.pop(), frame.stack.pop()
    origin = frame.origin(each)
    frame.stack.append(operations.binary(run.consulted, each.shown, a, b, result(frame), origin))


@_on("COMPARE_OP")
def _compare_op(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    b, a = frame.stack.pop(), frame.stack.pop()
    sign = str(each.value)
    found = operations.binary(run.consulted, sign, a, b, result(frame), frame.origin(each))
    if SELF_ABOVE and each.arg & 16:
        operations.truth(run.consulted, found, frame.origin(each))
        found = Unknown(bool)
    frame.stack.append(found)


@_on("IS_OP")
def _is_op(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    b, a = frame.stack.pop(), frame.stack.pop()
    exact = not (isinstance(a, Unknown) or isinstance(b, Unknown))
    operations.identity(run.consulted, a, b, frame.origin(each))
    frame.stack.append((a is b) is not bool(each.arg) if exact else Unknown(bool))


@_on("CONTAINS_OP")
def _contains_op(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    container, item = frame.stack.pop(), frame.stack.pop()
    operations.contains(run.consulted, container, item, frame.origin(each))
    frame.stack.append(Unknown(bool))


_SIGNS = {"UNARY_NEGATIVE": "-", "UNARY_POSITIVE": "+", "UNARY_INVERT": "~"}


@_on("UNARY_NEGATIVE", "UNARY_POSITIVE", "UNARY_INVERT")
def _unary(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    value, origin = frame.stack.pop(), frame.origin(each)
    found = operations.unary(run.consulted, _SIGNS[each.name], value, result(frame), origin)
    frame.stack.append(found)


@_on("UNARY_NOT", "TO_BOOL")
def _unary_not(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    operations.truth(run.consulted, frame.stack.pop(), frame.origin(each))
    frame.stack.append(Unknown(bool))


@_on("POP_JUMP_IF_TRUE", "POP_JUMP_IF_FALSE", "POP_JUMP_FORWARD_IF_TRUE",
     "POP_JUMP_FORWARD_IF_FALSE", "POP_JUMP_BACKWARD_IF_TRUE",
     "POP_JUMP_BACKWARD_IF_FALSE")  # fmt: skip
def _pop_jump(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    operations.truth(run.consulted, frame.stack.pop(), frame.origin(each))


@_on("JUMP_IF_TRUE_OR_POP", "JUMP_IF_FALSE_OR_POP")
def _jump_or_pop(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    operations.truth(run.consulted, frame.stack[-1], frame.origin(each))
    if not jumped:
        frame.stack.pop()


@_on("FORMAT_VALUE", "FORMAT_SIMPLE", "FORMAT_WITH_SPEC", "CONVERT_VALUE")
def _format(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    spec = each.name == "FORMAT_WITH_SPEC" or (each.name == "FORMAT_VALUE" and each.arg & 4)
    if spec:
        frame.stack.pop()
    value = frame.stack.pop()
    if not is_plain(value):
        run.refuse(frame, each, f"the text of a {label(value)}")
    frame.stack.append(Unknown(str))


@_on("GET_LEN")
def _get_len(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    operations.truth(run.consulted, frame.stack[-1], frame.origin(each))
    frame.stack.append(Unknown(int))


# --- subscripts


@_on("BINARY_SUBSCR")
def _binary_subscr(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    key, owner = frame.stack.pop(), frame.stack.pop()
    found = operations.subscript(run.consulted, owner, key, result(frame), frame.origin(each))
    frame.stack.append(found)


@_on("BINARY_SLICE")
def _binary_slice(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    stop, start, owner = frame.stack.pop(), frame.stack.pop(), frame.stack.pop()
    exact = not (isinstance(start, Unknown) or isinstance(stop, Unknown))
    key = slice(start, stop) if exact else Unknown(slice)
    found = operations.subscript(run.consulted, owner, key, result(frame), frame.origin(each))
    frame.stack.append(found)


@_on("STORE_SUBSCR", "STORE_SLICE", "DELETE_SUBSCR")
def _store_subscr(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
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
            check_key(run, frame, each, key)
        put(run, frame, each, value)
        return
    run.refuse(frame, each, f"an item of a {label(owner)} is assigned")


__all__ = ["HANDLERS"]

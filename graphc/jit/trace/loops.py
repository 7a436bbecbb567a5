"""Follows loops, unpacking and generators."""

from __future__ import annotations

from graphc.jit.trace import operations
from graphc.jit.trace.frames import NULL, Frame
from graphc.jit.trace.handling import SELF_ABOVE, Handlers, Parts, Run, entering, result
from graphc.jit.trace.instructions import Instruction

HANDLERS: Handlers = {}
_on = entering(HANDLERS)


@_on("GET_ITER")
def _get_iter(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    value = frame.stack.pop()
    found = operations.iterate(run.consulted, value, result(frame), frame.origin(each))
    frame.stack.append(found)


@_on("FOR_ITER")
def _for_iter(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
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
    frame.stack.append(result(frame))


@_on("END_FOR")
def _end_for(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack.pop()
    if not SELF_ABOVE:
        frame.stack.pop()


@_on("UNPACK_SEQUENCE")
def _unpack_sequence(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    value = frame.stack.pop()
    if isinstance(value, Parts) and len(value.parts) == each.arg:
        found = list(value.parts)
    else:
        found = operations.unpack(run.consulted, value, each.arg, frame.origin(each))
    frame.stack.extend(reversed(found))


@_on("UNPACK_EX")
def _unpack_ex(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    value, origin = frame.stack.pop(), frame.origin(each)
    found = operations.unpack(run.consulted, value, each.arg & 255, origin, each.arg >> 8)
    frame.stack.extend(reversed(found))


@_on("YIELD_VALUE")
def _yield_value(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.stack[-1] = None  # what is sent, by `next`


__all__ = ["HANDLERS"]

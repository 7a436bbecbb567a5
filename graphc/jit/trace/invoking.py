"""Follows calls, and the modes that a `with` enters; `calls` knows what a call relies on."""

from __future__ import annotations

from typing import Any

from graphc.jit.trace import known, operations
from graphc.jit.trace.arguments import Call
from graphc.jit.trace.calls import call
from graphc.jit.trace.frames import NOTHING, NULL, Frame, NewFunction, called
from graphc.jit.trace.handling import SELF_ABOVE, Handlers, Parts, Run, entering, take
from graphc.jit.trace.instructions import Instruction
from graphc.jit.trace.lookups import Unknown
from graphc.jit.trace.operations import label

HANDLERS: Handlers = {}
_on = entering(HANDLERS)


@_on("KW_NAMES")
def _kw_names(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    frame.keywords = frame.code.co_consts[each.arg]


@_on("CALL", "CALL_KW")
def _call(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    names, frame.keywords = frame.keywords, ()
    if each.name == "CALL_KW":
        names = frame.stack.pop()
    args = take(frame, each.arg)
    second, first = frame.stack.pop(), frame.stack.pop()
    function, has_self = called(first, second)
    if has_self:
        args = [second, *args]
    keywords = dict(zip(names, args[len(args) - len(names) :])) if names else {}
    args = args[: len(args) - len(names)] if names else args
    _done(run, frame, each, function, args, keywords)


def _done(
    run: Run, frame: Frame, each: Instruction, function: Any, args: list[Any],
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
def _call_ex(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    keywords = frame.stack.pop() if each.arg & 1 else {}
    args = frame.stack.pop()
    first = frame.stack.pop()
    function = first
    if SELF_ABOVE:
        function = frame.stack.pop() if first is NULL else first
        if first is not NULL:
            raise ValueError("a call in another order")
    else:
        frame.stack.pop()
    parts = args.parts if isinstance(args, Parts) else args
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
def _before_with(run: Run, frame: Frame, each: Instruction, jumped: bool) -> None:
    manager = frame.stack.pop()
    type_ = manager.type if isinstance(manager, Unknown) else type(manager)
    module = getattr(type_, "__module__", "")
    if module != "graphc.eager.engine.mode" or type_.__name__ not in known.MODES:
        run.refuse(frame, each, f"with a {label(manager)}")
    frame.stack.extend((_Leave(), Unknown()))


__all__ = ["HANDLERS"]

"""The Python functions behind a callable and behind a code."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from graphc.jit.trace.consulted import contents
from graphc.jit.trace.frames import NOTHING
from graphc.jit.trace.lookups import Unknown, in_class


def function_with(candidate: Any, code: CodeType) -> FunctionType | None:
    """The Python function with this code behind a callable."""
    if candidate is NOTHING or isinstance(candidate, Unknown):
        return None
    seen = 0
    while candidate is not None and seen < 8:
        seen += 1
        if isinstance(candidate, FunctionType):
            if candidate.__code__ is code:
                return candidate
            candidate = getattr(candidate, "__wrapped__", None)
        elif isinstance(candidate, type):
            candidate = in_class(candidate, code.co_name)
        else:
            candidate = (
                getattr(candidate, "__func__", None)
                or getattr(candidate, "fget", None)
                or getattr(candidate, "func", None)
                or in_class(type(candidate), code.co_name)
            )
    return None


def holds(outer: CodeType, inner: CodeType) -> bool:
    """Whether a function's code is written inside another's."""
    nested = [c for c in outer.co_consts if isinstance(c, CodeType)]
    return any(c is inner for c in nested) or any(holds(c, inner) for c in nested)


def functions_of(function: object) -> Iterator[FunctionType]:
    """The Python functions behind a callable: itself, its forward, what it closes over."""
    candidates = [function, getattr(function, "__func__", None), getattr(function, "forward", None)]
    candidates.append(vars(type(function)).get("__call__"))
    for each in candidates:
        each = getattr(each, "__func__", each)
        if isinstance(each, FunctionType):
            yield each
            for cell in each.__closure__ or ():
                inner = contents(cell)
                if isinstance(inner, FunctionType):
                    yield inner


__all__ = ["function_with", "functions_of", "holds"]

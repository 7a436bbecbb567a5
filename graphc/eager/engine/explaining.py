"""Arguments that no function takes, said in a word: what Python says of graphc's own code is none.

gc.clamp(x, object())     clamp: an argument is not what it takes
                            it was given <x: f32[3]> and an object
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

from graphc.core.ir import caller
from graphc.core.operators import Operators
from graphc.core.origin import is_internal
from graphc.errors import ArgumentError, GraphcError

# What Python raises where a value is not of the kind that code was written for.
RAW = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def explained(
    name: str, function: Callable[..., Any], args: Sequence[Any], kwargs: Any, error: Exception
) -> Exception:
    """The error to raise for one of Python's: itself where a user's code raised it.

    Args:
        name: of the public function.
        function: whose signature is shown.
        args: what it was given.
        kwargs: by name.
        error: what was raised.
    """
    frames = list(_frames(error))
    if isinstance(error, GraphcError) or not all(map(_is_ours, frames)):
        return error
    shown = [_shown(v) for v in args] + [f"{k}={_shown(v)}" for k, v in kwargs.items()]
    said = str(error).partition("\n")[0][:100]
    if isinstance(error, AttributeError) or "__" in said:
        said = ""  # of graphc's code
    return ArgumentError(
        f"{name}: an argument is not what it takes",
        [f"it was given {', '.join(shown)}", *([said] if said else [])],
        where=caller(),
        hint=f"it takes {name}{_named(function)}",
    )


def _named(function: Callable[..., Any]) -> inspect.Signature:
    """The names of arguments, and what they are where they are not given."""
    signature = inspect.signature(function)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return signature.replace(parameters=bare, return_annotation=signature.empty)


def _is_ours(frame: FrameType) -> bool:
    """Whether a frame is graphc's, or NumPy's that it called."""
    return is_internal(frame.f_code) or frame.f_globals.get("__name__", "").startswith("numpy.")


def _frames(error: Exception) -> Iterator[FrameType]:
    """The frames that an error came through."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _shown(value: object) -> str:
    if isinstance(value, Operators) and value.is_eager:
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, Operators | int | float | str | None):
        return f"{value!r:.50}"
    if isinstance(value, list | tuple):
        inside = ", ".join(map(_shown, value[:4])) + ", ..." * (len(value) > 4)
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    return f"a {type(value).__name__}"


__all__ = ["RAW", "explained"]

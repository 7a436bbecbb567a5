"""What a trace leaves on the tape: the calls of its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from graphc.core import dtypes
from graphc.core.origin import Origin, scoped
from graphc.eager.engine.backward import Pass
from graphc.eager.engine.mode import state
from graphc.eager.engine.signature import Call, function_name, simplified_call
from graphc.eager.engine.signature import trace as trace_call
from graphc.eager.engine.template import SLOT, fill


def symbolic_call(
    calls: dict[Any, Call], function: Callable[..., Any], template: Any, static: Any, types: Any
) -> Call:
    """The call of an operation on types that may have symbolic sizes.

    Args:
        calls: those of the trace; operations that are alike share one, and its derivatives.
    """
    key = None
    if str(getattr(function, "__module__", "")).startswith("graphc."):
        key = _exactly((template, static))
    found = None if key is None else calls.get((function, key, types))
    if found is not None:
        return found

    def build(f: Callable[..., Any], nodes: Sequence[Any]) -> Any:
        return f(*fill(template, nodes), **dict(static))

    inputs, outputs, single = trace_call(function, types, build, False)
    call = simplified_call(function_name(function), inputs, outputs, single)
    if key is not None:
        calls[function, key, types] = call
    return call


def _exactly(value: object) -> Any:
    """A key that only the very same arguments have (1, 1.0 and True are equal); None where some
    may change or are no plain values."""
    if isinstance(value, tuple):
        items = tuple(map(_exactly, value))
        return None if any(item is None for item in items) else items
    if isinstance(value, float):
        return ("float", value.hex())
    if value is SLOT or value is None or isinstance(value, bool | int | str | dtypes.DType):
        return (type(value).__name__, value)
    return None


class recording:
    """Recording for differentiation, on or off."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def __enter__(self) -> None:
        self.before = state.enabled
        state.enabled = self.enabled and state.enabled

    def __exit__(self, *exception: object) -> None:
        state.enabled = self.before


def _beside(frame: FrameType) -> Origin | tuple[str, Any, str]:
    """Where a backward step builds: beside the node whose derivative it is."""
    outputs = getattr(frame.f_locals.get("fn"), "outputs", ())
    for saved in outputs if isinstance(outputs, tuple) else ():
        if saved is not None and saved.node is not None and saved.node.origin is not None:
            return saved.node.origin
    return "", None, "backward"


for _method in (Pass.run, Pass._step):
    scoped(_method.__code__, _beside)


__all__ = ["recording", "symbolic_call"]

"""Sizes as traced Python code sees them: numbers that may be symbolic.

A symbolic size does arithmetic; as soon as Python needs its number (a comparison, `range`,
`float()`), the trace gives it up: `SizeNeeded` tells the trace to start again with fixed shapes,
which then are part of what the program assumes. So no program holds a size that it didn't check.
"""

from __future__ import annotations

from typing import Any

from graphc.core.dims import Dim
from graphc.core.ir import Origin, caller
from graphc.eager.engine.size import Size


class SizeNeeded(BaseException):
    """Python asked for the number of a symbolic size; no user code catches this by accident."""

    def __init__(self, size: Any, origin: Origin | None) -> None:
        super().__init__(str(size))
        self.size = size
        self.origin = origin


class TracedSize:
    """A symbolic size: adds, multiplies and divides; everything else needs its number."""

    __slots__ = ("dim",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, dim: Dim) -> None:
        self.dim = dim

    def _needed(self, *others: Any) -> Any:
        raise SizeNeeded(self.dim, caller())

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _needed
    __bool__ = __int__ = __float__ = __index__ = _needed
    __pow__ = __rpow__ = __round__ = __format__ = __str__ = __repr__ = _needed

    def __neg__(self) -> Any:
        return wrapped(-self.dim)


def _arithmetic(name: str) -> Any:
    def method(self: TracedSize, other: Any) -> Any:
        value = other.dim if isinstance(other, TracedSize) else other
        if isinstance(value, bool) or not isinstance(value, int | Dim):
            if isinstance(value, float):
                raise SizeNeeded(self.dim, caller())
            return NotImplemented
        return wrapped(getattr(self.dim, name)(value))

    return method


def _divided(self: TracedSize, other: Any) -> Any:
    raise SizeNeeded(self.dim, caller())


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "floordiv", "rfloordiv", "mod", "rmod"):
    setattr(TracedSize, f"__{_name}__", _arithmetic(f"__{_name}__"))
setattr(TracedSize, "__truediv__", _divided)  # noqa: B010
setattr(TracedSize, "__rtruediv__", _divided)  # noqa: B010  # type: ignore[attr-defined]


def wrapped(size: Any) -> Any:
    """A size as Python code gets it."""
    return TracedSize(size) if isinstance(size, Dim) else size


def unwrapped(size: Any) -> Any:
    """A size as the graph has it."""
    return size.dim if isinstance(size, TracedSize) else size


def shape_of(shape: tuple[Any, ...]) -> Size:
    """The shape of a traced tensor as Python code gets it."""
    return Size(wrapped(s) for s in shape)

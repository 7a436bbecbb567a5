"""Sizes as traced Python code sees them: numbers that may be symbolic.

A symbolic size does arithmetic, and compares where the comparison holds for every value. As soon
as Python needs its number (`range`, `float()`, a comparison that depends on it) the trace makes
the graph so far once more with the call's own sizes, which then are part of what the program
assumes. So no program holds a size that it didn't check.
"""

from __future__ import annotations

import math
import operator
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.dims import Dim
from graphc.core.ir import Origin
from graphc.eager.engine.size import Size


class SizeNeeded(BaseException):
    """A body of control flow needs the number of a symbolic size: it is traced again with it."""

    def __init__(self, size: Any, origin: Origin | None) -> None:
        super().__init__(str(size))
        self.size = size
        self.origin = origin


class TracedSize:
    """A symbolic size: adds, multiplies and divides; everything else needs its number."""

    __slots__ = ("__weakref__", "_trace", "dim")

    def __init__(self, dim: Dim, trace: Any) -> None:
        self.dim = dim
        self._trace = trace
        trace.python_sizes.append(weakref.ref(self))

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """A size is an int to `isinstance`, as it is eagerly."""
        return int

    @property
    def number(self) -> int:
        """The number in this call; while the trace is under way, asking for it fixes the sizes."""
        return self._trace.number_of(self.dim)

    def __index__(self) -> int:
        return self.number

    __int__ = __index__

    def __float__(self) -> float:
        return float(self.number)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.number, dtype)

    def __bool__(self) -> bool:
        return bool(self != 0)

    def __hash__(self) -> int:
        return hash(self.number)

    def __neg__(self) -> Any:
        return wrapped(-self.dim, self._trace)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return abs(self.number)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __repr__(self) -> str:
        return repr(self.number)

    def __str__(self) -> str:
        return str(self.number)

    def __format__(self, spec: str) -> str:
        return format(self.number, spec)

    def __round__(self, digits: Any = None) -> Any:
        return round(self.number) if digits is None else round(self.number, digits)

    def __trunc__(self) -> int:
        return self.number

    __floor__ = __ceil__ = __trunc__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.number, name)


def _is_number(size: TracedSize) -> bool:
    """Whether a size is a number by now: where sizes are fixed, and where its run is over."""
    return bool(size._trace.root.is_fixed or size._trace.has_ended)


def _in_trace(value: Any, trace: Any) -> Any:
    """An operand beside a size of a trace; a size of another trace is a number."""
    if not isinstance(value, TracedSize):
        return value
    return value.dim if value._trace is trace else value.number


def _arithmetic(name: str) -> Any:
    plain = getattr(int, f"__{name}__")

    def method(self: TracedSize, other: object) -> Any:
        value = _in_trace(other, self._trace)
        if _is_number(self) or isinstance(value, bool) or value.__class__ is float:
            left = float(self.number) if value.__class__ is float else self.number
            right = other.number if isinstance(other, TracedSize) else other
            return getattr(left, f"__{name}__")(right)
        if not isinstance(value, int | Dim):
            return NotImplemented
        if name in ("floordiv", "mod") and value == 0:
            return plain(self.number, 0)
        return wrapped(getattr(self.dim, f"__{name}__")(value), self._trace)

    return method


def _by_number(name: str) -> Any:
    def method(self: TracedSize, other: object, *rest: Any) -> Any:
        other = other.number if isinstance(other, TracedSize) else other
        number: Any = float(self.number) if isinstance(other, float) else self.number
        found = getattr(number, f"__{name}__", None)
        return NotImplemented if found is None else found(other, *rest)

    return method


def _compared(name: str, decide: Callable[[Any, Any], bool]) -> Any:
    def method(self: TracedSize, other: object) -> Any:
        value = _in_trace(other, self._trace)
        if not isinstance(value, int | float | Dim):
            return NotImplemented
        if not _is_number(self) and isinstance(value, int | Dim):
            known = _known(name, self.dim - value)
            if known is not None:
                return known
        right = other.number if isinstance(other, TracedSize) else other
        return decide(self.number, right)

    return method


def _known(name: str, difference: Any) -> bool | None:
    """What a comparison with 0 gives for every value of the symbols; None where it depends."""
    ends = (difference, difference) if isinstance(difference, int) else dims.bounds(difference)
    low = -math.inf if ends[0] is None else ends[0]
    high = math.inf if ends[1] is None else ends[1]
    if low == high:
        return bool(getattr(operator, name)(low, 0))
    if name in ("eq", "ne"):
        return (name == "ne") if low > 0 or high < 0 else None
    found = {bool(getattr(operator, name)(low, 0)), bool(getattr(operator, name)(high, 0))}
    return found.pop() if len(found) == 1 else None


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "floordiv", "rfloordiv", "mod", "rmod"):
    setattr(TracedSize, f"__{_name}__", _arithmetic(_name))
for _name in ("truediv", "rtruediv", "pow", "rpow", "lshift", "rlshift", "rshift", "rrshift",
              "and", "rand", "or", "ror", "xor", "rxor"):  # fmt: skip
    setattr(TracedSize, f"__{_name}__", _by_number(_name))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(TracedSize, f"__{_name}__", _compared(_name, getattr(operator, _name)))
TracedSize.__hash__ = lambda self: hash(self.number)  # type: ignore[method-assign]


def wrapped(size: Any, trace: Any) -> Any:
    """A size as Python code gets it."""
    return TracedSize(size, trace) if isinstance(size, Dim) else size


def shape_of(shape: tuple[Any, ...], trace: Any) -> Size:
    """The shape of a traced tensor as Python code gets it."""
    return Size(wrapped(s, trace) for s in shape)


__all__ = ["SizeNeeded", "TracedSize", "shape_of", "wrapped"]

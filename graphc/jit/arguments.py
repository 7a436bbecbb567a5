"""The arguments of a call: their tensors, and everything else about them.

Containers are looked into (lists, tuples, dicts and their common kinds), all other values are what
they are. `form` tells calls apart by structure alone: where tensors stand, which of them are one
and the same. `key` also has the values that are no tensors.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Sequence
from operator import is_
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor
from graphc.errors import TraceError
from graphc.jit.trace.watching import fingerprint

_MAPPINGS = (dict, OrderedDict, defaultdict)
_LISTS = (list, tuple, deque)
_MOST_WAITED = 60.0  # seconds


class Arguments:
    """One call's arguments.

    Attributes:
        tensors: each tensor once, in the order in which they are met.
        form: the structure, with the places of tensors; hashable.
        key: the structure and the values that are no tensors; hashable.
    """

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs
        self.tensors: list[Tensor] = []
        self._places: dict[int, int] = {}
        self._containers: dict[int, int] = {}  # numbers of lists and dicts, by identity
        self._lent: list[tuple[Any, list[Any], list[Any]]] = []  # (container, before, lent)
        self._tuples: dict[int, tuple[Any, Any]] = {}  # (the caller's, the trace's)
        self._values: list[Any] = []
        self._key: Any = None
        lends = -1
        while lends != _lends.count:  # else a container was lent while it was looked into
            lends = _lends.count
            for each in (self.tensors, self._places, self._containers, self._values):
                each.clear()
            self.form = (self._walk(args), self._walk(kwargs))

    @property
    def key(self) -> Any:
        """What tells calls apart, values included."""
        if self._key is None:
            self._key = (self.form, tuple(fingerprint(v) for v in self._values))
        return self._key

    def _walk(self, value: Any) -> Any:
        kind = value.__class__
        if isinstance(value, Tensor):
            place = self._places.get(id(value))
            if place is None:
                place = self._places[id(value)] = len(self.tensors)
                self.tensors.append(value)
            return place
        if kind is tuple or (isinstance(value, tuple) and hasattr(value, "_fields")):
            return (kind, *map(self._walk, value))
        if kind not in _LISTS and kind not in _MAPPINGS:
            self._values.append(value)
            return ("value", kind)
        if _lent:
            _wait_for(value)
        number = self._containers.get(id(value))
        if number is not None:
            return ("again", number)
        self._containers[id(value)] = len(self._containers)
        if kind in _LISTS:
            return (kind, *map(self._walk, value))
        return (kind, tuple(map(_hashable, value)), *map(self._walk, value.values()))

    def lend(self, stand_ins: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with other tensors in their places, until `take_back` or `undo`.

        Lists and dicts stay the caller's own: all who hold one see what becomes of it.
        """
        args = tuple(self._replaced(a, stand_ins) for a in self.args)
        return args, {k: self._replaced(v, stand_ins) for k, v in self.kwargs.items()}

    def _replaced(self, value: Any, stand_ins: Sequence[Tensor]) -> Any:
        kind = value.__class__
        place = self._places.get(id(value))
        if place is not None:
            return stand_ins[place]
        if isinstance(value, tuple) and (kind is tuple or hasattr(value, "_fields")):
            items = [self._replaced(v, stand_ins) for v in value]
            if all(map(is_, items, value)):
                return value
            new = tuple(items) if kind is tuple else kind(*items)
            self._tuples[id(new)] = (value, new)
            return new
        if (kind in _LISTS or kind in _MAPPINGS) and self._holds_tensors(value):
            if not self._lent and not _lending.acquire(timeout=_MOST_WAITED):
                raise _in_use()
            _lent.add(id(value))
            _lends.count += 1
            before = _contents(value)
            place = len(self._lent)
            self._lent.append((value, before, before))
            _put(value, [self._replaced(item, stand_ins) for item in _values(value)])
            self._lent[place] = (value, before, _contents(value))
        return value

    def _holds_tensors(self, value: Any) -> bool:
        if id(value) in self._places:
            return True
        kind = value.__class__
        if kind in _MAPPINGS:
            return any(self._holds_tensors(v) for v in value.values())
        if kind in _LISTS or (isinstance(value, tuple) and hasattr(value, "_fields")):
            return any(self._holds_tensors(v) for v in value)
        return False

    def take_back(self, real: Any) -> bool:
        """Let the caller's containers have the caller's tensors again.

        Args:
            real: gives the caller's tensor for a traced argument, and anything else as it is.

        Returns:
            Whether any of them changed.
        """
        is_changed = False
        for own, _, lent in self._lent:
            now = _contents(own)
            is_changed = is_changed or len(now) != len(lent) or not all(map(is_, now, lent))
            _put(own, [restored(v, real) for v in _values(own)])
        self._let_go()
        return is_changed

    def tuple_of(self, value: object) -> Any:
        """The caller's tuple for one that the trace had in its place; else the value."""
        return self._tuples.get(id(value), (value,))[0]

    def undo(self) -> None:
        """Let the caller's containers be what they were."""
        for own, before, _ in self._lent:
            own.clear()
            if isinstance(own, dict):
                own.update(zip(before, before[len(before) // 2 :]))
            else:
                own.extend(before)
        self._let_go()

    def _let_go(self) -> None:
        if self._lent:
            _lent.difference_update([id(own) for own, _, _ in self._lent])
            self._lent.clear()
            _lending.release()


# Containers that hold traced tensors while a run is under way, by identity. One run at a time
# lends some; calls in other threads that are given one wait.
_lent: set[int] = set()


class _Lends:
    """How often a container was lent."""

    count = 0


_lends = _Lends()
_lending = threading.RLock()


def _wait_for(container: object) -> None:
    """Wait until a call in another thread has given a container back."""
    if id(container) in _lent:
        if not _lending.acquire(timeout=_MOST_WAITED):
            raise _in_use()
        _lending.release()


def _in_use() -> TraceError:
    return TraceError(
        "a list or dict among the arguments is in use by a compiled function that another thread "
        f"called and that has not ended in {_MOST_WAITED:.0f} seconds",
        where=caller(),
        hint="give each thread containers of its own",
    )


def _unlock() -> None:
    global _lending
    _lent.clear()
    _lending = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def _values(container: Any) -> list[Any]:
    return list(container.values() if isinstance(container, dict) else container)


def _put(container: Any, items: Sequence[Any]) -> None:
    """Let a container hold other items in the places of its own."""
    places = list(container) if isinstance(container, dict) else range(len(container))
    for place, item in zip(places, items):
        container[place] = item


def _contents(container: Any) -> list[Any]:
    """What a container holds, in order; a mapping's keys too."""
    if isinstance(container, dict):
        return [*container, *container.values()]
    return list(container)


def _hashable(key: Any) -> Any:
    return (key.__class__, key)


def restored(value: Any, real: Any) -> Any:
    """A result with the caller's tensors in place of traced arguments."""
    kind = value.__class__
    if kind is Tensor:
        return real(value)
    if kind in (list, deque):
        for k, item in enumerate(value):
            new = restored(item, real)
            if new is not item:
                value[k] = new
        return value
    if isinstance(value, tuple):
        own = real(value)
        if own is not value:
            return own
        items = [restored(v, real) for v in value]
        if all(a is b for a, b in zip(items, value)):
            return value
        return kind(*items) if hasattr(value, "_fields") else kind(items)
    if isinstance(value, dict):
        for key in list(value):
            new = restored(value[key], real)
            if new is not value[key]:
                value[key] = new
        return value
    attributes = getattr(value, "__dict__", None)
    if hasattr(kind, "__dataclass_fields__") and attributes is not None:
        for name in list(attributes):
            new = restored(attributes[name], real)
            if new is not attributes[name]:
                object.__setattr__(value, name, new)
        return value
    return real(value)


__all__ = ["Arguments", "restored"]

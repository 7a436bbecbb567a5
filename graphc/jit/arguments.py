"""The arguments of a call: their tensors, and everything else about them.

Containers are looked into (lists, tuples, dicts and their common kinds), all other values are what
they are. `form` tells calls apart by structure alone: where tensors stand, which of them are one
and the same. `key` also has the values that are no tensors.
"""

from __future__ import annotations

import copy
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Sequence
from typing import Any

from graphc.eager.engine.tensor import Tensor
from graphc.jit.replacing import Kept
from graphc.jit.trace.watching import fingerprint

_MAPPINGS = (dict, OrderedDict, defaultdict)
_LISTS = (list, tuple, deque)


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
        self._copies: list[tuple[Any, Any, Any]] = []  # (the caller's, the trace's, what it held)
        self._values: list[Any] = []
        self.form = (self._walk(args), self._walk(kwargs))
        self._key: Any = None

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
        if kind in _LISTS or (isinstance(value, tuple) and hasattr(value, "_fields")):
            return (kind, *map(self._walk, value))
        if kind in _MAPPINGS:
            return (kind, tuple(map(_hashable, value)), *map(self._walk, value.values()))
        self._values.append(value)
        return ("value", kind)

    def replaced(self, stand_ins: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with other tensors in their places, in containers of their own."""
        args = tuple(self._replaced(a, stand_ins) for a in self.args)
        return args, {k: self._replaced(v, stand_ins) for k, v in self.kwargs.items()}

    def _replaced(self, value: Any, stand_ins: Sequence[Tensor]) -> Any:
        kind = value.__class__
        place = self._places.get(id(value))
        if place is not None:
            return stand_ins[place]
        if kind is tuple:
            return tuple([self._replaced(v, stand_ins) for v in value])
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return kind(*[self._replaced(v, stand_ins) for v in value])
        if kind not in _LISTS and kind not in _MAPPINGS:
            return value
        if not self._holds_tensors(value):
            return value
        new = copy.copy(value)
        if kind in _MAPPINGS:
            for key, item in value.items():
                new[key] = self._replaced(item, stand_ins)
        else:
            for k, item in enumerate(value):
                new[k] = self._replaced(item, stand_ins)
        self._copies.append((value, new, _contents(new)))
        return new

    def _holds_tensors(self, value: Any) -> bool:
        if id(value) in self._places:
            return True
        kind = value.__class__
        if kind in _MAPPINGS:
            return any(self._holds_tensors(v) for v in value.values())
        if kind in _LISTS or (isinstance(value, tuple) and hasattr(value, "_fields")):
            return any(self._holds_tensors(v) for v in value)
        return False

    def write_back(self, real: Any) -> bool:
        """Let the caller's containers have what the traced code made of its copies.

        Args:
            real: gives the caller's tensor for a traced argument, and anything else as it is.

        Returns:
            Whether any of them changed.
        """
        is_changed = False
        for own, new, before in self._copies:
            after = _contents(new)
            if len(after) == len(before) and all(a is b for a, b in zip(after, before)):
                continue
            is_changed = True
            own.clear()
            if isinstance(own, dict):
                own.update({k: restored(v, real) for k, v in new.items()})
            else:
                own.extend(restored(v, real) for v in new)
        return is_changed

    def container(self, value: object) -> Any:
        """The caller's container for one that the trace had in its place; anything else is
        itself."""
        return next((own for own, new, _ in self._copies if new is value), value)

    def let_go(self, kept: Kept) -> None:
        """Let Python have the caller's containers where it kept those of the trace."""
        pairs = [(own, new) for own, new, _ in self._copies]
        self._copies.clear()
        known = tuple(map(id, pairs))
        for own, new in reversed(pairs):
            # A pair, a variable, an argument; and other containers of the trace's.
            count = 3 + _times_inside(new, pairs)
            if sys.getrefcount(new) > count:
                kept.replace_at_hand(new, own)
                if sys.getrefcount(new) > count:
                    kept.replace(new, own, known)


def _times_inside(value: object, pairs: Sequence[tuple[Any, Any]]) -> int:
    """How often something stands in containers of the trace's."""
    return sum(item is value for _, other in pairs for item in _contents(other))


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
    if kind in (list, deque) or isinstance(value, dict):
        own = real(value)
        if own is not value:
            return own
    if kind in (list, deque):
        for k, item in enumerate(value):
            new = restored(item, real)
            if new is not item:
                value[k] = new
        return value
    if isinstance(value, tuple):
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

"""What a program assumes of Python's values: where each is found, and what it was.

    reading = Reading("global SCALE", lambda: names["SCALE"], 2.0, origin)
    reading.holds()              # whether names["SCALE"] still is 2.0

A `Reading` is compared at every call, unless it is `owned`: then whatever changes it is counted in
`changes`, and a program looks again only after that count has moved.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any

import numpy as np

from graphc.core.ir import Origin

MISSING: Any = object()
SCALARS = (bool, int, float, complex, str, bytes, type(None))
_MOST_ITEMS = 256


class Reading:
    """One value that traced code read: where it is found, and what it was.

    Attributes:
        what: how a person names it: "global SCALE", "closure k", "Net.training".
        find: gives the value now.
        seen: its fingerprint when it was traced.
        place: ("item", mapping, key), ("attribute", object, name), ("class", class, name),
            ("code", function, ""), ("type", object, "") or ("cell", cell, ""): where a quick look
            finds the value; or None.
        owned: whether its changes are counted in `changes`.
        definition: whether it is a function, class or module and no value.
    """

    __slots__ = (
        "definition", "find", "fixed", "origin", "owned", "place", "seen", "value", "what",
    )  # fmt: skip

    def __init__(
        self, what: str, find: Callable[[], Any], value: Any, origin: Origin, place: Any = None,
        owned: bool = False, definition: bool = False,
    ) -> None:  # fmt: skip
        self.what = what
        self.find = find
        self.seen = fingerprint(value)
        # What cannot change without being another object is compared by identity, at once.
        self.fixed = isinstance(value, SCALARS) or self.seen[0] == "object"
        self.value = value
        self.origin = origin
        self.place = place
        self.owned = owned
        self.definition = definition

    def holds(self) -> bool:
        """Whether the value is still what the trace saw."""
        value = self.find()
        if value is self.value and self.fixed:
            return True
        if value is MISSING or self.value is MISSING:
            return False
        return fingerprint(value) == self.seen

    def __str__(self) -> str:
        return f"{self.what} = {shown(self.seen)}"


class Same:
    """An object, equal only to itself; kept, so that no other gets its identity."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value


class _Items:
    """The items of a container with too many to look into, compared by identity."""

    __slots__ = ("items",)

    def __init__(self, container: Any) -> None:
        # Kept, so that nothing else gets their identities.
        keys, values = (), container
        if isinstance(container, Mapping):
            keys, values = tuple(container), tuple(container.values())
        self.items = (*keys, *values)

    def __len__(self) -> int:
        return len(self.items)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Items)
            and len(other.items) == len(self.items)
            and all(map(operator.is_, self.items, other.items))
        )

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.items)))


def fingerprint(value: object, depth: int = 3) -> Any:
    """What of a value a program may depend on: scalars by type and value, containers by their
    items, everything else by identity."""
    if isinstance(value, SCALARS):
        return _scalar(value)
    if isinstance(value, np.generic):
        return ("numpy", value.dtype.str, value.tobytes(), value.item())
    if depth and isinstance(value, list | tuple | set | frozenset) and len(value) <= _MOST_ITEMS:
        # A set in the order in which Python goes through it.
        return (type(value).__name__, tuple(fingerprint(v, depth - 1) for v in value))
    if depth and isinstance(value, dict) and len(value) <= _MOST_ITEMS:
        return (
            "dict",
            tuple((fingerprint(k, 0), fingerprint(v, depth - 1)) for k, v in value.items()),
        )
    if isinstance(value, list | tuple | dict | set | frozenset) and depth:
        return (type(value).__name__, _Items(value))
    if isinstance(value, np.random.Generator):
        return ("generator", str(value.bit_generator.state))
    if isinstance(value, MethodType):
        return ("method", Same(value.__func__), Same(value.__self__))
    return ("object", Same(value), type(value).__name__)


def _scalar(value: object) -> Any:
    """0.0 and -0.0, True and 1 told apart; nan the same as itself."""
    name = type(value).__name__
    if value != value or (isinstance(value, float | complex) and value == 0):
        return (name, repr(value), None if value != value else value)
    return (name, value)


def shown(seen: Any) -> str:
    """A fingerprint in a message."""
    if isinstance(seen, tuple) and seen and seen[0] in ("list", "tuple", "dict", "set"):
        return f"a {seen[0]} of {len(seen[1])}"
    if isinstance(seen, tuple) and seen and seen[0] == "object":
        return f"this {seen[2]}"
    if isinstance(seen, tuple) and seen and seen[0] == "method":
        return "this method"
    if isinstance(seen, tuple) and len(seen) == 3:
        return seen[1]
    return repr(seen[-1]) if isinstance(seen, tuple) else repr(seen)


__all__ = ["Same", "MISSING", "SCALARS", "Reading", "fingerprint", "shown"]

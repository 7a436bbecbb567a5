"""Puts an object in another's place, wherever that one is held: what a trace handed to Python in
place of something else, and that Python kept.
"""

from __future__ import annotations

import gc
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from types import CellType, FrameType
from typing import Any

from graphc.eager.engine.size import Size
from graphc.jit.reach import slots
from graphc.jit.trace.caches import CACHE

# What is made of these is a program's, or is gone soon.
_OWN = ("graphc.jit", "graphc.core", "graphc.program", "graphc.eager.engine.tape")


class Kept:
    """What Python kept of earlier calls, and will keep of later ones.

    To find all that holds an object takes long; objects that held one before are asked first.

    Attributes:
        caches: functions behind `functools.lru_cache` that go by what was to be replaced.
    """

    def __init__(self) -> None:
        self._holders: list[Callable[[], Any]] = []
        self._found_once: set[int] = set()
        self.caches: list[Any] = []

    def replace_at_hand(self, old: object, new: object) -> None:
        """Let what held something before hold another object in place of one."""
        for ref in self._holders:
            holder = ref()
            if holder is not None:
                _replace_in(holder, old, new)

    def replace(
        self, old: Sequence[object], new: Sequence[object], known: tuple[int, ...] = ()
    ) -> None:
        """Let all that holds objects hold others in place of them.

        The variables of functions that are running keep what they have.

        Args:
            old, new: the objects, and what comes in place of each.
            known: identities of what may go on holding the old ones.
        """
        known = (*known, id(old), id(new))
        # One search for all of them: it looks at every object of the process.
        for holder in gc.get_referrers(*old):
            if id(holder) in known:
                continue
            held = {id(each) for each in gc.get_referents(holder)}
            pairs = [(each, other) for each, other in zip(old, new) if id(each) in held]
            self._replace_in(holder, pairs)

    def _replace_in(self, holder: Any, pairs: Sequence[tuple[object, object]]) -> None:
        kind = type(holder)
        if kind is FrameType or kind.__module__.startswith(_OWN):
            return
        if kind is CACHE:
            self.caches.append(holder)
            return
        if kind is tuple or kind is Size:
            # All at once: another tuple takes this one's place.
            others = {id(old): new for old, new in pairs}
            self.replace([holder], [kind([others.get(id(item), item) for item in holder])])
            return
        owners = gc.get_referrers(holder) if kind is dict else ()
        if any(type(owner) is CACHE for owner in owners):
            return  # the cache is a holder itself
        for old, new in pairs:
            _replace_in(holder, old, new)
        for owner in owners:
            if getattr(owner, "__dict__", None) is holder:
                holder = owner
                break
        self._remember(holder)

    def _remember(self, holder: Any) -> None:
        found: Callable[[], Any] = lambda: holder  # noqa: E731
        if hasattr(holder, "__weakref__"):
            found = weakref.ref(holder)
        elif id(holder) not in self._found_once:
            # A list or a dict is held only once it has shown that it lasts.
            if len(self._found_once) >= _MOST_SEEN:
                self._found_once.clear()
            self._found_once.add(id(holder))
            return
        self._holders.append(found)
        del self._holders[:-_MOST]


_MOST, _MOST_SEEN = 8, 256


def _replace_in(holder: Any, old: object, new: object) -> None:
    kind = type(holder)
    if isinstance(holder, dict):
        for key, value in list(holder.items()):
            if value is old:
                holder[key] = new
        if any(key is old for key in holder):
            items = [(new if key is old else key, value) for key, value in holder.items()]
            holder.clear()
            holder.update(items)
    elif kind is list or kind is deque:
        for place, value in enumerate(holder):
            if value is old:
                holder[place] = new
    elif kind is set:
        holder.discard(old)
        holder.add(new)
    elif kind is CellType:
        holder.cell_contents = new
    else:
        for name, value in slots(holder).items():
            if value is old:
                object.__setattr__(holder, name, new)
        if isinstance(getattr(holder, "__dict__", None), dict):
            _replace_in(vars(holder), old, new)


__all__ = ["Kept"]

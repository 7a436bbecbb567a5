"""Puts an object in another's place, wherever that one is held: what a trace handed to Python in
place of something else, and that Python kept.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Container
from types import CellType, FrameType
from typing import Any

from graphc.eager.engine.size import Size
from graphc.jit.reach import slots


def replace(old: object, new: object, known: Container[int] = ()) -> bool:
    """Let all that holds one object hold another.

    The variables of functions that are running keep what they have.

    Args:
        old, new: the two.
        known: identities of what may go on holding the old one.

    Returns:
        Whether anything held it.
    """
    is_held = False
    for holder in gc.get_referrers(old):
        if id(holder) not in known:  # no closure: its cell would hold the old one too
            is_held |= _replace_in(holder, old, new)
    return is_held


def _replace_in(holder: Any, old: object, new: object) -> bool:
    kind = type(holder)
    if kind is FrameType:
        return False
    if kind is tuple or kind is Size:
        return replace(holder, kind([new if item is old else item for item in holder]))
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
    return True


__all__ = ["replace"]

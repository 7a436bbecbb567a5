"""Putting back who watches calls: a Python function, or a profiler such as cProfile's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def put_back(before: object) -> None:
    """Let `before` see calls again, after `sys.setprofile` was used for something else.

    Args:
        before: what `sys.getprofile` gave: None, a function, or a profiler written in C, which is
            no function; only its own `enable` makes it go on.
    """
    sys.setprofile(None)
    if callable(before):
        sys.setprofile(before)
    elif before is not None and hasattr(before, "enable"):
        before.enable()


def unwatched(function: Callable[..., Any], *args: object, **kwargs: Any) -> Any:
    """Call a function while nobody watches calls, which costs more than many of them do."""
    before = sys.getprofile()
    if before is None:
        return function(*args, **kwargs)
    try:
        sys.setprofile(None)
        return function(*args, **kwargs)
    finally:
        put_back(before)

"""Putting back who watches calls: a Python function, or a profiler such as cProfile's."""

from __future__ import annotations

import sys
from typing import Any


def put_back(before: Any) -> None:
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

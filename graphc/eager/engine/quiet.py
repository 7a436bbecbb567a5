"""NumPy without its floating-point warnings: 1 / 0 is inf, as tensors have it, and no message.

`np.errstate` costs more than the addition of two small arrays. Running a function in a context
that was prepared once costs little; NumPy keeps its error state in a context variable.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

import numpy as np


class _Quiet(threading.local):
    """A prepared context for each thread: a context cannot be entered twice at once."""

    def __init__(self) -> None:
        context = contextvars.copy_context()
        context.run(np.seterr, all="ignore")
        self.run = context.run


local = _Quiet()


def run(function: Callable[..., Any], *arrays: object) -> Any:
    """`function(*arrays)` without floating-point warnings; may be nested."""
    try:
        return local.run(function, *arrays)
    except RuntimeError as error:
        # A finalizer that computes may come in between: the context is entered already.
        if "cannot enter context" not in str(error):
            raise
        return function(*arrays)

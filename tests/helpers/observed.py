"""Programs that note what can be seen, and where two runs of one differ."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gc
from graphc.jit.observation import Observation, first_difference

Wrap = Callable[..., Any]
Note = Callable[..., None]
Body = Callable[[Wrap, Note], None]


def observed(body: Body, wrap: Wrap) -> list[Observation]:
    """What a program notes, from one state of all random numbers.

    Args:
        body: the program: it gets what compiles a function, and what notes observations.
        wrap: takes a function, and settings of `gc.jit.compile`.
    """
    gc.manual_seed(1234)
    np.random.seed(0)
    random.seed(0)
    found: list[Observation] = []
    body(wrap, lambda *values: found.append(Observation({"noted": list(values)})))
    return found


def difference(body: Body, **settings: Any) -> str | None:
    """Where a program notes something else compiled than eagerly; None where it does not."""
    wanted = observed(body, lambda function, **_: function)
    own = observed(body, lambda function, **more: gc.jit.compile(function, **{**more, **settings}))
    if len(own) != len(wanted):
        return f"{len(own)} notes, not {len(wanted)}"
    each = (first_difference(a, b) for a, b in zip(wanted, own))
    return next((f"note {k}: {d}" for k, d in enumerate(each) if d is not None), None)

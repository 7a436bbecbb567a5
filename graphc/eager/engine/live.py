"""Numbers that a program reads anew at each call: a learning rate, a momentum.

Eagerly `live_scalar(group, "lr")` is just a 0-d tensor of `group["lr"]`. While a training step
is traced it becomes an input of the program, whose value is looked up again at every call, so a
schedule changes the number and no program is compiled again.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import numpy as np

from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.tensor import Tensor, wrap


def live_scalar(group: MutableMapping[str, Any], key: str, index: int | None = None) -> Tensor:
    """The number `group[key]` (or `group[key][index]`) as a 0-d float64 tensor.

    Args:
        group: where the number is found, now and at later calls of a traced step.
        key: its name.
        index: its place, when the value is a sequence.

    Returns:
        A 0-d tensor; the value itself when it is one already.
    """
    value = group[key] if index is None else group[key][index]
    if isinstance(value, Tensor):
        return value
    if hot.slow and tracing.trace is not None:
        return tracing.trace.live(group, key, index)
    return wrap(np.array(value, np.float64))


__all__ = ["live_scalar"]

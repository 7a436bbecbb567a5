"""New state: zeros beside a parameter, and 0-d counters.

These are values even while a step is traced: state outlives the trace that needs it first.
"""

from __future__ import annotations

import numpy as np

from graphc.eager.engine.tensor import Tensor, wrap

# Entries that count or multiply up over steps: 0-d float32, whatever the parameters' dtype is.
COUNTERS = ("step", "mu_product")


def beside(param: Tensor, value: float) -> Tensor:
    """A tensor like the parameter, filled."""
    return wrap(np.full(tuple(param.shape), value, param.dtype.numpy))


def scalar(value: float) -> Tensor:
    """A counter."""
    return wrap(np.array(value, np.float32))


def entry(name: str, param: Tensor, value: float) -> Tensor:
    """A new state entry of a parameter."""
    return scalar(value) if name in COUNTERS else beside(param, value)

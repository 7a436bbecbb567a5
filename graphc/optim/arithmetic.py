"""What the optimizers' arithmetic shares: precision, weight decay, averages.

Hyperparameters and what follows from them and the step count (bias corrections, step sizes) are
0-d and computed in float64; only the final factor is rounded to the parameter's dtype. Parameters
and moments in float16 and bfloat16 are computed in float32 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from graphc.core import dtypes
from graphc.core.dtypes import DType
from graphc.core.ir import Node
from graphc.eager.engine.composite import composite
from graphc.ops.declare import is_tensor
from graphc.ops.elementwise.cast import cast
from graphc.ops.source import full


def update(body: Callable[..., tuple[Any, ...]]) -> Any:
    """Make one parameter's update a composite.

    `body(param, grad, *state, *numbers, **static)` returns `(param, *state)`: the new value for
    each, in that order and None where the state is None.
    """

    @wraps(body)
    def run(param: Any, grad: Any, *rest: Any, **static: Any) -> tuple[Any, ...]:
        results = body(*map(_widened, (param, grad, *rest)), **static)
        pairs = zip(results, (param, *rest))
        return tuple(_as(result, old.dtype) for result, old in pairs if result is not None)

    return composite(run)


def _widened(value: Any) -> Any:
    return _as(value, value.dtype.compute) if is_tensor(value) else value


def _as(value: Node, dtype: DType) -> Node:
    return value if value.dtype is dtype else cast(value, dtype)


def precise(value: Node | float) -> Node:
    """A hyperparameter or a step count as a 0-d float64."""
    if isinstance(value, Node):
        return _as(value, dtypes.float64)
    return full((), value, dtypes.float64)


def rounded(value: Node, like: Node) -> Node:
    """A float64 factor in the dtype of the tensor that it is for."""
    return _as(value, like.dtype)


def ascending(grad: Node, *, maximize: bool) -> Node:
    """The gradient of what is to be minimized."""
    return -grad if maximize else grad


def decayed(grad: Node, param: Node, weight_decay: Node) -> Node:
    """The gradient with the L2 penalty's own added."""
    return grad + rounded(precise(weight_decay), grad) * param


def shrunk(param: Node, lr: Node, weight_decay: Node) -> Node:
    """The parameter after decoupled weight decay."""
    return param * rounded(1 - lr * precise(weight_decay), param)


def averaged(average: Node, new: Node, kept: Node) -> Node:
    """A running average of which `kept` is kept. Exact where that is 0 or 1."""
    return average * rounded(kept, average) + rounded(1 - kept, average) * new

"""SparseAdam: Adam that changes only the rows that have a gradient, as embeddings' tables have."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Node, tensor_type
from graphc.core.operators import FUNCTIONS
from graphc.ops.arrays.shaping import broadcast_to
from graphc.ops.elementwise.logic import where
from graphc.ops.elementwise.power import power, sqrt
from graphc.optim.arithmetic import ascending, precise, rounded, update
from graphc.optim.optimizer import Params
from graphc.optim.rule import RuleOptimizer
from graphc.optim.settings import Rate, settings


@update
def sparse_adam_update(
    param: Node, grad: Node, step: Node, exp_avg: Node, exp_avg_sq: Node,
    lr: Node, beta1: Node, beta2: Node, eps: Node, *, maximize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """One step on one parameter; what is added is 0 in rows whose gradient is, moments too."""
    lr, beta1, beta2 = precise(lr), precise(beta1), precise(beta2)
    step = step + 1
    count = precise(step)
    shape = tensor_type(grad).shape
    touched = grad != 0
    if len(shape) > 1:
        axes = tuple(range(1, len(shape)))
        touched = broadcast_to(FUNCTIONS["any"](touched, axes, keepdims=True), shape)
    grad = ascending(grad, maximize=maximize)
    first = where(touched, (grad - exp_avg) * rounded(1 - beta1, grad), 0.0)
    second = where(touched, (grad * grad - exp_avg_sq) * rounded(1 - beta2, grad), 0.0)
    exp_avg, exp_avg_sq = exp_avg + first, exp_avg_sq + second
    size = rounded(lr * sqrt(1 - power(beta2, count)) / (1 - power(beta1, count)), grad)
    change = where(touched, size * exp_avg / (sqrt(exp_avg_sq) + rounded(precise(eps), grad)), 0.0)
    return param - change, step, exp_avg, exp_avg_sq


class SparseAdam(RuleOptimizer):
    """Adam of rows: a row whose gradient is 0 stays as it is, its moments too.

    In programs, 32 rows of a table of any size take the time of 32 rows; see `Optimizer.updates`.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of a group's `params` and settings.
        lr: the learning rate, a number or a tensor with one element.
        betas: how much of the two running averages each step keeps.
        eps: added to the denominator.
        maximize: climb instead of descend.

    Raises:
        AttributeValueError: a setting out of range.

    Example:
        >>> import graphc as gc
        >>> table = gc.nn.Embedding(4, 1)
        >>> optimizer = gc.optim.SparseAdam(table.parameters(), lr=0.1)
        >>> before = table.weight.detach().clone()
        >>> table(gc.tensor([1, 3])).sum().backward()
        >>> optimizer.step()
        >>> (before - table.weight).detach().flatten()
        tensor([0.0000, 0.1000, 0.0000, 0.1000])
    """

    _composite = staticmethod(sparse_adam_update)

    def __init__(
        self, params: Params, lr: Rate = 1e-3, betas: tuple[Rate, Rate] = (0.9, 0.999),
        eps: float = 1e-8, maximize: bool = False,
    ) -> None:  # fmt: skip
        given = settings(self, locals())
        given["betas"] = tuple(betas)
        super().__init__(params, given)


__all__ = ["SparseAdam"]

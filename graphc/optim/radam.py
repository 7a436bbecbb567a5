"""RAdam: Adam that divides only once its second moment can be trusted."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Node
from graphc.ops.elementwise.extremes import maximum
from graphc.ops.elementwise.logic import where
from graphc.ops.elementwise.power import power, sqrt
from graphc.optim.arithmetic import (
    ascending,
    averaged,
    decayed,
    precise,
    rounded,
    shrunk,
    update,
)
from graphc.optim.optimizer import Params
from graphc.optim.rule import RuleOptimizer
from graphc.optim.settings import Rate, settings

# Below this length of the simple moving average the variance of the step has no bound.
SHORTEST = 5.0


@update
def radam_update(
    param: Node, grad: Node, step: Node, exp_avg: Node, exp_avg_sq: Node,
    lr: Node, beta1: Node, beta2: Node, eps: Node, weight_decay: Node,
    *, decays: bool, decoupled: bool, maximize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """One step of RAdam on one parameter."""
    lr, beta1, beta2 = precise(lr), precise(beta1), precise(beta2)
    step = step + 1
    count = precise(step)
    grad = ascending(grad, maximize=maximize)
    if decays and decoupled:
        param = shrunk(param, lr, weight_decay)
    elif decays:
        grad = decayed(grad, param, weight_decay)
    exp_avg = averaged(exp_avg, grad, beta1)
    exp_avg_sq = exp_avg_sq * rounded(beta2, grad) + rounded(1 - beta2, grad) * grad * grad
    left = power(beta2, count)
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * count * left / (1 - left)
    trusted = maximum(length, SHORTEST)
    rectified = sqrt(
        (trusted - 4) * (trusted - 2) * longest / ((longest - 4) * (longest - 2) * trusted)
    )
    adaptive = rounded(sqrt(1 - left), grad) / (sqrt(exp_avg_sq) + rounded(precise(eps), grad))
    direction = exp_avg / rounded(1 - power(beta1, count), grad) * rounded(lr, grad)
    divided = direction * adaptive * rounded(rectified, grad)
    param = param - where(length > SHORTEST, divided, direction)
    return param, step, exp_avg, exp_avg_sq


class RAdam(RuleOptimizer):
    """RAdam (Liu and others, 2020): Adam with a rectified variance.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of a group's `params` and settings.
        lr: the learning rate, a number or a tensor with one element.
        betas: how much of the two running averages each step keeps.
        eps: added to the denominator.
        weight_decay: the decay's factor.
        decoupled_weight_decay: shrink the parameters themselves, as AdamW does.
        maximize: climb instead of descend.
        foreach, capturable: accepted; every step is one fused kernel in any case.
        differentiable: must be False.

    Raises:
        AttributeValueError: a setting out of range.

    Example:
        >>> import graphc as gc
        >>> w = gc.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = gc.optim.RAdam([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(value, 4) for value in w.tolist()]
        [0.8, -1.6]
    """

    _composite = staticmethod(radam_update)

    def __init__(
        self, params: Params, lr: Rate = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, decoupled_weight_decay: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        order = (
            "lr betas eps weight_decay maximize foreach capturable "
            "decoupled_weight_decay differentiable"
        )
        super().__init__(params, settings(self, locals(), order))

"""Adamax: Adam with the infinity norm for its second moment."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Node
from graphc.ops.elementwise.arithmetic import absolute
from graphc.ops.elementwise.extremes import maximum
from graphc.ops.elementwise.power import power
from graphc.optim.arithmetic import ascending, averaged, decayed, precise, rounded, update
from graphc.optim.optimizer import Params
from graphc.optim.rule import RuleOptimizer
from graphc.optim.settings import Rate, settings


@update
def adamax_update(
    param: Node, grad: Node, step: Node, exp_avg: Node, exp_inf: Node,
    lr: Node, beta1: Node, beta2: Node, eps: Node, weight_decay: Node,
    *, decays: bool, maximize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """One step of Adamax on one parameter."""
    beta1 = precise(beta1)
    step = step + 1
    grad = ascending(grad, maximize=maximize)
    if decays:
        grad = decayed(grad, param, weight_decay)
    exp_avg = averaged(exp_avg, grad, beta1)
    size = absolute(grad) + rounded(precise(eps), grad)
    exp_inf = maximum(exp_inf * rounded(precise(beta2), grad), size)
    rate = rounded(precise(lr) / (1 - power(beta1, precise(step))), grad)
    return param - rate * exp_avg / exp_inf, step, exp_avg, exp_inf


class Adamax(RuleOptimizer):
    """Adamax (Kingma and Ba, 2015).

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of a group's `params` and settings.
        lr: the learning rate, a number or a tensor with one element.
        betas: how much of the running average and of the running maximum each step keeps.
        eps: added to the gradient's size.
        weight_decay: the L2 penalty's factor.
        maximize: climb instead of descend.
        foreach, capturable: accepted; every step is one fused kernel in any case.
        differentiable: must be False.

    Raises:
        AttributeValueError: a setting out of range.

    Example:
        >>> import graphc as gc
        >>> w = gc.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = gc.optim.Adamax([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(value, 4) for value in w.tolist()]
        [0.9, -1.9]
    """

    _composite = staticmethod(adamax_update)

    def __init__(
        self, params: Params, lr: Rate = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, settings(self, locals()))

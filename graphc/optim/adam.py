"""Adam: moments of the gradient, corrected for their start at zero."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Node
from graphc.ops.elementwise.extremes import maximum
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


@update
def adam_update(
    param: Node, grad: Node, step: Node, exp_avg: Node, exp_avg_sq: Node,
    max_exp_avg_sq: Node | None,
    lr: Node, beta1: Node, beta2: Node, eps: Node, weight_decay: Node,
    *, decays: bool, decoupled: bool, maximize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """One step of Adam on one parameter; AMSGrad where `max_exp_avg_sq` is given."""
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
    second = exp_avg_sq
    if max_exp_avg_sq is not None:
        second = max_exp_avg_sq = maximum(max_exp_avg_sq, exp_avg_sq)
    scale = rounded(sqrt(1 - power(beta2, count)), grad)
    denominator = sqrt(second) / scale + rounded(precise(eps), grad)
    size = rounded(lr / (1 - power(beta1, count)), grad)
    param = param - size * exp_avg / denominator
    return param, step, exp_avg, exp_avg_sq, max_exp_avg_sq


class Adam(RuleOptimizer):
    """Adam (Kingma and Ba, 2015), with AMSGrad and coupled or decoupled weight decay.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of a group's `params` and settings.
        lr: the learning rate, a number or a tensor with one element.
        betas: how much of the two running averages each step keeps.
        eps: added to the denominator.
        weight_decay: the L2 penalty's factor.
        amsgrad: whether to divide by the largest second moment so far.
        maximize: climb instead of descend.
        decoupled_weight_decay: shrink the parameters themselves, as AdamW does.
        foreach, capturable, fused: accepted; every step is one fused kernel in any case.
        differentiable: must be False.

    Raises:
        AttributeValueError: a setting out of range.

    Example:
        >>> import graphc as gc
        >>> w = gc.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = gc.optim.Adam([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(value, 4) for value in w.tolist()]
        [0.9, -1.9]
    """

    _composite = staticmethod(adam_update)

    def __init__(
        self, params: Params, lr: Rate = 1e-3, betas: tuple[Rate, Rate] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, amsgrad: bool = False, *,
        maximize: bool = False, foreach: bool | None = None, capturable: bool = False,
        differentiable: bool = False, fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        given = settings(self, locals())
        given["betas"] = tuple(betas)
        super().__init__(params, given)

    def is_used(self, name: str, group: dict[str, Any]) -> bool:
        """See `RuleOptimizer.is_used`."""
        return name != "max_exp_avg_sq" or group["amsgrad"]

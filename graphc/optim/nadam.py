"""NAdam: Adam that looks ahead along its momentum."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Node
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


def _scheduled(beta1: Node, count: Node, momentum_decay: Node) -> Node:
    """The momentum of a step: from half of beta1 up to beta1."""
    return beta1 * (1 - 0.5 * power(0.96, count * momentum_decay))


@update
def nadam_update(
    param: Node, grad: Node, step: Node, mu_product: Node, exp_avg: Node, exp_avg_sq: Node,
    lr: Node, beta1: Node, beta2: Node, eps: Node, weight_decay: Node, momentum_decay: Node,
    *, decays: bool, decoupled: bool, maximize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """One step of NAdam on one parameter."""
    lr, beta1, beta2 = precise(lr), precise(beta1), precise(beta2)
    momentum_decay = precise(momentum_decay)
    step = step + 1
    count = precise(step)
    grad = ascending(grad, maximize=maximize)
    if decays and decoupled:
        param = shrunk(param, lr, weight_decay)
    elif decays:
        grad = decayed(grad, param, weight_decay)
    mu = _scheduled(beta1, count, momentum_decay)
    mu_next = _scheduled(beta1, count + 1, momentum_decay)
    mu_product = mu_product * rounded(mu, mu_product)
    product = precise(mu_product)
    exp_avg = averaged(exp_avg, grad, beta1)
    exp_avg_sq = exp_avg_sq * rounded(beta2, grad) + rounded(1 - beta2, grad) * grad * grad
    corrected = exp_avg_sq / rounded(1 - power(beta2, count), grad)
    denominator = sqrt(corrected) + rounded(precise(eps), grad)
    param = param - rounded(lr * (1 - mu) / (1 - product), grad) * grad / denominator
    ahead = rounded(lr * mu_next / (1 - product * mu_next), grad)
    param = param - ahead * exp_avg / denominator
    return param, step, mu_product, exp_avg, exp_avg_sq


class NAdam(RuleOptimizer):
    """NAdam (Dozat, 2016): Adam with Nesterov's momentum.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of a group's `params` and settings.
        lr: the learning rate, a number or a tensor with one element.
        betas: how much of the two running averages each step keeps.
        eps: added to the denominator.
        weight_decay: the decay's factor.
        momentum_decay: how fast the momentum grows to its full value.
        decoupled_weight_decay: shrink the parameters themselves, as AdamW does.
        maximize: climb instead of descend.
        foreach, capturable: accepted; every step is one fused kernel in any case.
        differentiable: must be False.

    Raises:
        AttributeValueError: a setting out of range.

    Example:
        >>> import graphc as gc
        >>> w = gc.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = gc.optim.NAdam([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(value, 4) for value in w.tolist()]
        [0.8944, -1.8944]
    """

    _composite = staticmethod(nadam_update)

    def __init__(
        self, params: Params, lr: Rate = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False, *, maximize: bool = False,
        foreach: bool | None = None, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, settings(self, locals()))

    def initial(self, name: str, group: dict[str, Any]) -> float:
        """See `RuleOptimizer.initial`."""
        return 1.0 if name == "mu_product" else 0.0

"""Adagrad: the gradient over the root of the sum of all its squares."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Node
from graphc.ops.elementwise.power import sqrt
from graphc.optim.arithmetic import ascending, decayed, precise, rounded, update
from graphc.optim.optimizer import Params
from graphc.optim.rule import RuleOptimizer
from graphc.optim.settings import Rate, settings


@update
def adagrad_update(
    param: Node, grad: Node, step: Node, sum: Node,
    lr: Node, lr_decay: Node, eps: Node, weight_decay: Node,
    *, decays: bool, maximize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """One step of Adagrad on one parameter."""
    grad = ascending(grad, maximize=maximize)
    if decays:
        grad = decayed(grad, param, weight_decay)
    size = precise(lr) / (1 + precise(step) * precise(lr_decay))
    sum = sum + grad * grad
    root = sqrt(sum) + rounded(precise(eps), grad)
    return param - rounded(size, grad) * grad / root, step + 1, sum


class Adagrad(RuleOptimizer):
    """Adagrad (Duchi, Hazan and Singer, 2011). Its state exists from the start.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of a group's `params` and settings.
        lr: the learning rate, a number or a tensor with one element.
        lr_decay: step `t` uses `lr / (1 + t * lr_decay)`, counted from 0.
        weight_decay: the L2 penalty's factor.
        initial_accumulator_value: what the sum of squares begins with.
        eps: added to the denominator.
        maximize: climb instead of descend.
        foreach, fused: accepted; every step is one fused kernel in any case.
        differentiable: must be False.

    Raises:
        AttributeValueError: a setting out of range.

    Example:
        >>> import graphc as gc
        >>> w = gc.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = gc.optim.Adagrad([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(value, 4) for value in w.tolist()]
        [0.9, -1.9]
    """

    _composite = staticmethod(adagrad_update)

    def __init__(
        self, params: Params, lr: Rate = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        order = (
            "lr lr_decay eps weight_decay initial_accumulator_value foreach maximize "
            "differentiable fused"
        )
        super().__init__(params, settings(self, locals(), order))
        for group in self.param_groups:
            for param in group["params"]:
                self.fill_state(("step", "sum"), param, group)

    def initial(self, name: str, group: dict[str, Any]) -> float:
        """See `RuleOptimizer.initial`."""
        return group["initial_accumulator_value"] if name == "sum" else 0.0

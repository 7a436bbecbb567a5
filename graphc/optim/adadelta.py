"""Adadelta: steps in the units of earlier steps, without a learning rate of their own."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Node
from graphc.ops.elementwise.power import sqrt
from graphc.optim.arithmetic import ascending, decayed, precise, rounded, update
from graphc.optim.optimizer import Params
from graphc.optim.rule import RuleOptimizer
from graphc.optim.settings import Rate, settings


@update
def adadelta_update(
    param: Node, grad: Node, step: Node, square_avg: Node, acc_delta: Node,
    lr: Node, rho: Node, eps: Node, weight_decay: Node,
    *, decays: bool, maximize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """One step of Adadelta on one parameter."""
    rho, eps = precise(rho), rounded(precise(eps), grad)
    kept, taken = rounded(rho, grad), rounded(1 - rho, grad)
    grad = ascending(grad, maximize=maximize)
    if decays:
        grad = decayed(grad, param, weight_decay)
    square_avg = square_avg * kept + taken * grad * grad
    delta = sqrt(acc_delta + eps) / sqrt(square_avg + eps) * grad
    acc_delta = acc_delta * kept + taken * delta * delta
    return param - rounded(precise(lr), grad) * delta, step + 1, square_avg, acc_delta


class Adadelta(RuleOptimizer):
    """Adadelta (Zeiler, 2012).

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of a group's `params` and settings.
        lr: a factor on the step, a number or a tensor with one element.
        rho: how much of the running averages each step keeps, 0 to 1.
        eps: added below both roots.
        weight_decay: the L2 penalty's factor.
        maximize: climb instead of descend.
        foreach, capturable: accepted; every step is one fused kernel in any case.
        differentiable: must be False.

    Raises:
        AttributeValueError: a setting out of range.

    Example:
        >>> import graphc as gc
        >>> w = gc.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = gc.optim.Adadelta([w])
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(value, 4) for value in w.tolist()]
        [0.9968, -1.9968]
    """

    _composite = staticmethod(adadelta_update)

    def __init__(
        self, params: Params, lr: Rate = 1.0, rho: float = 0.9, eps: float = 1e-6,
        weight_decay: float = 0, foreach: bool | None = None, *, capturable: bool = False,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        order = "lr rho eps weight_decay maximize capturable foreach differentiable"
        super().__init__(params, settings(self, locals(), order))

"""SGD: steepest descent, with momentum."""

from __future__ import annotations

import math
from typing import Any

from graphc.core.ir import Node, caller
from graphc.errors import AttributeValueError
from graphc.ops.elementwise.compare import isnan
from graphc.ops.elementwise.logic import where
from graphc.optim.arithmetic import ascending, decayed, precise, rounded, update
from graphc.optim.optimizer import Params
from graphc.optim.rule import RuleOptimizer
from graphc.optim.settings import Rate, settings


@update
def sgd_update(
    param: Node, grad: Node, momentum_buffer: Node | None,
    lr: Node, momentum: Node, dampening: Node, weight_decay: Node,
    *, decays: bool, dampened: bool, nesterov: bool, maximize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """One step of SGD on one parameter; with momentum where the buffer is given.

    A new buffer is zeros; where there is dampening, which the first step leaves out, nan.
    """
    grad = ascending(grad, maximize=maximize)
    if decays:
        grad = decayed(grad, param, weight_decay)
    direction = grad
    if momentum_buffer is not None:
        kept = rounded(precise(momentum), grad)
        moved = momentum_buffer * kept
        if dampened:
            moved = moved + rounded(1 - precise(dampening), grad) * grad
            momentum_buffer = where(isnan(momentum_buffer), grad, moved)
        else:
            momentum_buffer = moved + grad
        direction = grad + kept * momentum_buffer if nesterov else momentum_buffer
    return param - rounded(precise(lr), grad) * direction, momentum_buffer


class SGD(RuleOptimizer):
    """Stochastic gradient descent, with momentum (Nesterov's too) and weight decay.

    The first step's momentum is the gradient itself, not dampened.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of a group's `params` and settings.
        lr: the learning rate, a number or a tensor with one element.
        momentum: how much of the last step's direction is kept.
        dampening: how much of the gradient momentum leaves out.
        weight_decay: the L2 penalty's factor.
        nesterov: whether to look ahead along the momentum.
        maximize: climb instead of descend.
        foreach, fused: accepted; every step is one fused kernel in any case.
        differentiable: must be False.

    Raises:
        AttributeValueError: a setting out of range.

    Example:
        >>> import graphc as gc
        >>> w = gc.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = gc.optim.SGD([w], lr=0.25)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [0.5, -1.0]
    """

    _composite = staticmethod(sgd_update)

    def __init__(
        self, params: Params, lr: Rate = 1e-3, momentum: float = 0, dampening: float = 0,
        weight_decay: float = 0, nesterov: bool = False, *, maximize: bool = False,
        foreach: bool | None = None, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        given = settings(self, locals())
        name = type(self).__name__
        if nesterov and (momentum <= 0 or dampening != 0):
            raise AttributeValueError(
                f"{name}: nesterov needs a momentum above 0 and no dampening, got "
                f"momentum={momentum} and dampening={dampening}",
                where=caller(),
            )
        super().__init__(params, given)

    def is_used(self, name: str, group: dict[str, Any]) -> bool:
        """See `RuleOptimizer.is_used`."""
        return group["momentum"] != 0

    def initial(self, name: str, group: dict[str, Any]) -> float:
        """See `RuleOptimizer.initial`."""
        return math.nan if group["dampening"] != 0 else 0.0

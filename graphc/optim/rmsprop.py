"""RMSprop: the gradient over a running root mean square of itself."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Node
from graphc.ops.elementwise.power import sqrt
from graphc.optim.arithmetic import ascending, averaged, decayed, precise, rounded, update
from graphc.optim.optimizer import Params
from graphc.optim.rule import RuleOptimizer
from graphc.optim.settings import Rate, settings


@update
def rmsprop_update(
    param: Node, grad: Node, step: Node, square_avg: Node,
    momentum_buffer: Node | None, grad_avg: Node | None,
    lr: Node, alpha: Node, eps: Node, weight_decay: Node, momentum: Node,
    *, decays: bool, maximize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """One step of RMSprop on one parameter.

    With momentum where its buffer is given, centered where the gradient's average is.
    """
    lr, alpha = rounded(precise(lr), grad), precise(alpha)
    grad = ascending(grad, maximize=maximize)
    if decays:
        grad = decayed(grad, param, weight_decay)
    square_avg = square_avg * rounded(alpha, grad) + rounded(1 - alpha, grad) * grad * grad
    variance = square_avg
    if grad_avg is not None:
        grad_avg = averaged(grad_avg, grad, alpha)
        variance = square_avg - grad_avg * grad_avg
    root = sqrt(variance) + rounded(precise(eps), grad)
    if momentum_buffer is None:
        param = param - lr * grad / root
    else:
        momentum_buffer = momentum_buffer * rounded(precise(momentum), grad) + grad / root
        param = param - lr * momentum_buffer
    return param, step + 1, square_avg, momentum_buffer, grad_avg


class RMSprop(RuleOptimizer):
    """RMSprop (Hinton's lecture notes), also centered (Graves, 2013) and with momentum.

    Args:
        params: tensors, `(name, tensor)` pairs, or dicts of a group's `params` and settings.
        lr: the learning rate, a number or a tensor with one element.
        alpha: how much of the running average each step keeps.
        eps: added to the denominator.
        weight_decay: the L2 penalty's factor.
        momentum: how much of the last step's direction is kept.
        centered: divide by the gradient's standard deviation, not its root mean square.
        maximize: climb instead of descend.
        capturable, foreach: accepted; every step is one fused kernel in any case.
        differentiable: must be False.

    Raises:
        AttributeValueError: a setting out of range.

    Example:
        >>> import graphc as gc
        >>> w = gc.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = gc.optim.RMSprop([w], lr=0.01)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(value, 4) for value in w.tolist()]
        [0.9, -1.9]
    """

    _composite = staticmethod(rmsprop_update)

    def __init__(
        self, params: Params, lr: Rate = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0, momentum: float = 0, centered: bool = False,
        capturable: bool = False, foreach: bool | None = None, maximize: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        order = (
            "lr momentum alpha eps centered weight_decay capturable foreach maximize differentiable"
        )
        super().__init__(params, settings(self, locals(), order))

    def is_used(self, name: str, group: dict[str, Any]) -> bool:
        """See `RuleOptimizer.is_used`."""
        if name == "momentum_buffer":
            return group["momentum"] > 0
        return name != "grad_avg" or group["centered"]

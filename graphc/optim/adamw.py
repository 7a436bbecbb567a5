"""AdamW: Adam with decoupled weight decay."""

from __future__ import annotations

from typing import Any

from graphc.optim.adam import Adam
from graphc.optim.optimizer import Params
from graphc.optim.settings import Rate


class AdamW(Adam):
    """AdamW (Loshchilov and Hutter, 2019): the decay shrinks the parameters, not the gradient.

    Arguments and errors are `Adam`'s; `weight_decay` is 0.01 unless given.

    Example:
        >>> import graphc as gc
        >>> w = gc.tensor([1.0], requires_grad=True)
        >>> optimizer = gc.optim.AdamW([w], lr=0.1, weight_decay=0.5)
        >>> w.grad = gc.zeros(1)
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.95
    """

    def __init__(
        self, params: Params, lr: Rate = 1e-3, betas: tuple[Rate, Rate] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *,
        maximize: bool = False, foreach: bool | None = None, capturable: bool = False,
        differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize,
            capturable=capturable, differentiable=differentiable, fused=fused,
            decoupled_weight_decay=True,
        )  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True

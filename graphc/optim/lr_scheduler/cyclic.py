"""`CyclicLR`: the learning rate up and down between two values."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

from graphc.core.ir import caller
from graphc.errors import AttributeValueError
from graphc.optim.lr_scheduler import momentum
from graphc.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, put, spread
from graphc.optim.optimizer import Optimizer

MODES = ("triangular", "triangular2", "exp_range")


class CyclicLR(LRScheduler):
    """Moves the learning rate up and down in straight lines (Smith, 2017).

    Args:
        optimizer: whose learning rates are set.
        base_lr: the least learning rate, or a list with one for each group.
        max_lr: the greatest, likewise.
        step_size_up: how many steps up.
        step_size_down: how many down; as many as up unless given.
        mode: "triangular", "triangular2" (half the height in each further cycle), "exp_range"
            (`gamma` to the power of the step times the height).
        gamma: for "exp_range".
        scale_fn: the height's factor, instead of the mode's.
        scale_mode: whether scale_fn takes the number of the "cycle" or of "iterations".
        cycle_momentum: whether momentum moves the other way.
        base_momentum: the least momentum, or a list.
        max_momentum: the greatest, or a list.
        last_epoch: see `LRScheduler`.

    Raises:
        AttributeValueError: an unknown mode, a list of another length, no momentum to cycle.

    Example:
        >>> import graphc as gc
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
        >>> scheduler = gc.optim.lr_scheduler.CyclicLR(optimizer, 1.0, 2.0, step_size_up=2)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [1.0, 1.5, 2.0, 1.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = check_optimizer("CyclicLR", optimizer)
        if mode not in MODES and scale_fn is None:
            raise AttributeValueError(
                f"CyclicLR: mode is {mode!r}; it must be one of {', '.join(map(repr, MODES))}, or "
                "scale_fn given",
                where=caller(),
            )
        base_lrs = spread("CyclicLR", "base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs):
                put(group, "lr", lr)
        self.max_lrs = spread("CyclicLR", "max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        by_iteration = mode == "exp_range" and scale_fn is None
        own = "iterations" if by_iteration else "cycle"
        self.scale_mode = own if scale_fn is None else scale_mode
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = momentum.uses_beta1("CyclicLR", optimizer)
            self.base_momentums, self.max_momentums = momentum.begin(
                "CyclicLR", optimizer, base_momentum, max_momentum,
                beta1=self.use_beta1, anew=last_epoch == -1,
            )  # fmt: skip
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height's factor, by the number of the cycle (from 1) or of the step.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
            >>> cyclic = gc.optim.lr_scheduler.CyclicLR(optimizer, 0.1, 1.0, mode="triangular2")
            >>> cyclic.scale_fn(1), cyclic.scale_fn(2)
            (1.0, 0.5)
        """
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self) -> list[Any]:
        """See `LRScheduler.get_lr`. Sets the momentum too."""
        self._warn_outside_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        rising = x <= self.step_ratio
        height = x / self.step_ratio if rising else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            pairs = zip(self.base_momentums, self.max_momentums, strict=True)
            for group, (least, most) in zip(self.optimizer.param_groups, pairs):
                value = most - (most - least) * height * scale
                momentum.set_momentum(group, value, beta1=self.use_beta1)
        return [
            least + (most - least) * height * scale
            for least, most in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and scale_fn; a callable object's attributes are in."""
        state = super().state_dict()
        function = self._scale_fn_custom
        plain = function is None or isinstance(function, FunctionType)
        state["_scale_fn_custom"] = None if plain else dict(function.__dict__)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave; scale_fn stays."""
        function = self._scale_fn_custom
        super().load_state_dict(state_dict)
        self._scale_fn_custom = function
        attributes = state_dict.get("_scale_fn_custom")
        if attributes is not None and function is not None:
            function.__dict__.update(attributes)

"""`ReduceLROnPlateau`: a smaller learning rate when a figure stops improving."""

from __future__ import annotations

import math
from typing import Any

from graphc.core.ir import caller
from graphc.errors import AttributeValueError
from graphc.optim.lr_scheduler.scheduler import (
    LRScheduler,
    check_optimizer,
    put,
    values,
    warn_epoch,
)
from graphc.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the learning rate by `factor` after `patience` steps without improvement.

    Args:
        optimizer: whose learning rates are set.
        mode: "min" where a smaller figure is better, "max" where a larger is.
        factor: below 1.
        patience: how many steps without improvement are borne.
        threshold: how much better counts as an improvement.
        threshold_mode: "rel" for a share of the best figure, "abs" for a difference.
        cooldown: how many steps after a reduction are not counted.
        min_lr: the least learning rate, or a list with one for each group.
        eps: a smaller change than this is not made.

    Raises:
        AttributeValueError: a setting out of range.

    Example:
        >>> import graphc as gc
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = gc.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
        >>> rates = []
        >>> for loss in (3.0, 2.0, 2.0, 2.0, 1.0):
        ...     scheduler.step(loss)
        ...     rates += scheduler.get_last_lr()
        >>> rates
        [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: list[float] | float = 0,
        eps: float = 1e-8,
    ) -> None:
        self.optimizer = check_optimizer("ReduceLROnPlateau", optimizer)
        if factor >= 1.0:
            raise AttributeValueError(
                f"ReduceLROnPlateau: factor is {factor}; it must be below 1", where=caller()
            )
        for key, value, allowed in (
            ("mode", mode, ("min", "max")), ("threshold_mode", threshold_mode, ("rel", "abs"))
        ):  # fmt: skip
            if value not in allowed:
                raise AttributeValueError(
                    f"ReduceLROnPlateau: {key} is {value!r}; it must be {allowed[0]!r} or "
                    f"{allowed[1]!r}",
                    where=caller(),
                )
        self.factor = factor
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.min_lrs = self._least(min_lr)
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = values(optimizer, "lr")
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    def _least(self, min_lr: Any) -> list[float]:
        """The least learning rate of each group."""
        count = len(self.optimizer.param_groups)
        listed = list(min_lr) if isinstance(min_lr, list | tuple) else [min_lr] * count
        if len(listed) != count:
            raise AttributeValueError(
                f"ReduceLROnPlateau: min_lr has {len(listed)} values; the optimizer has {count} "
                "parameter groups",
                where=caller(),
                hint="one number serves all groups, those added later too",
            )
        return listed

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Look at a figure, and reduce the learning rates when it is due.

        Args:
            metrics: a number, or a tensor with one element.
            epoch: deprecated: the number of this step.
        """
        current = float(metrics)
        if epoch is not None:
            warn_epoch(self)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = values(self.optimizer, "lr")

    def _reduce(self) -> None:
        listed = self.min_lrs if self.default_min_lr is None else self.default_min_lr
        self.min_lrs = self._least(listed)
        for group, least in zip(self.optimizer.param_groups, self.min_lrs):
            old = float(group["lr"])
            new = max(old * self.factor, least)
            if old - new > self.eps:
                put(group, "lr", new)

    @property
    def in_cooldown(self) -> bool:
        """Whether steps are not counted now.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1)
            >>> gc.optim.lr_scheduler.ReduceLROnPlateau(optimizer).in_cooldown
            False
        """
        return self.cooldown_counter > 0

    def _is_better(self, figure: float, best: float) -> bool:
        if self.threshold_mode == "abs":
            margin = self.threshold if self.mode == "max" else -self.threshold
            bound = best + margin
        else:
            share = 1.0 + self.threshold if self.mode == "max" else 1.0 - self.threshold
            bound = best * share
        return figure > bound if self.mode == "max" else figure < bound

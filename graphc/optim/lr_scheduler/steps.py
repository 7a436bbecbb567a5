"""Schedules by a factor: `StepLR`, `MultiStepLR`, `ExponentialLR`."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any

from graphc.optim.lr_scheduler.scheduler import LRScheduler
from graphc.optim.optimizer import Optimizer


class StepLR(LRScheduler):
    """Multiplies the learning rate by `gamma` every `step_size` steps.

    Args:
        optimizer: whose learning rates are set.
        step_size: how many steps apart.
        gamma: the factor.
        last_epoch: see `LRScheduler`.

    Example:
        >>> import graphc as gc
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = gc.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [1.0, 1.0, 0.5, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """See `LRScheduler.get_lr`."""
        due = self.last_epoch != 0 and self.last_epoch % self.step_size == 0
        return self._scaled(self.gamma) if due else self._same()

    def _get_closed_form_lr(self) -> list[Any]:
        factor = self.gamma ** (self.last_epoch // self.step_size)
        return [base * factor for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Multiplies the learning rate by `gamma` at each milestone.

    Args:
        optimizer: whose learning rates are set.
        milestones: steps; one listed twice counts twice.
        gamma: the factor.
        last_epoch: see `LRScheduler`.

    Example:
        >>> import graphc as gc
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = gc.optim.lr_scheduler.MultiStepLR(optimizer, [1, 3], gamma=0.5)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [1.0, 0.5, 0.5, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """See `LRScheduler.get_lr`."""
        times = self.milestones[self.last_epoch]
        return self._scaled(self.gamma**times) if times else self._same()

    def _get_closed_form_lr(self) -> list[Any]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [base * self.gamma**passed for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Multiplies the learning rate by `gamma` at every step.

    Args:
        optimizer: whose learning rates are set.
        gamma: the factor.
        last_epoch: see `LRScheduler`.

    Example:
        >>> import graphc as gc
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = gc.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [1.0, 0.5, 0.25, 0.125]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """See `LRScheduler.get_lr`."""
        return self._same() if self._is_initial else self._scaled(self.gamma)

    def _get_closed_form_lr(self) -> list[Any]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]

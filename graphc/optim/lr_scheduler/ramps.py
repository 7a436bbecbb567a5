"""Schedules over a fixed number of steps: `ConstantLR`, `LinearLR`, `PolynomialLR`."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.errors import AttributeValueError
from graphc.optim.lr_scheduler.scheduler import LRScheduler
from graphc.optim.optimizer import Optimizer


class ConstantLR(LRScheduler):
    """Multiplies the learning rate by `factor` for the first `total_iters` steps.

    Args:
        optimizer: whose learning rates are set.
        factor: from 0 to 1.
        total_iters: for how many steps.
        last_epoch: see `LRScheduler`.

    Raises:
        AttributeValueError: the factor is out of range.

    Example:
        >>> import graphc as gc
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = gc.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [0.5, 0.5, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 <= factor <= 1:
            raise AttributeValueError(
                f"ConstantLR: factor is {factor}; it must be from 0 to 1", where=caller()
            )
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """See `LRScheduler.get_lr`."""
        if self.last_epoch == 0:
            return self._scaled(self.factor)
        return (
            self._scaled(1 / self.factor) if self.last_epoch == self.total_iters else self._same()
        )

    def _get_closed_form_lr(self) -> list[Any]:
        over = self.last_epoch >= self.total_iters
        return [base * (self.factor + over * (1 - self.factor)) for base in self.base_lrs]


class LinearLR(LRScheduler):
    """Moves the learning rate's factor from `start_factor` to `end_factor` in equal steps.

    Args:
        optimizer: whose learning rates are set.
        start_factor: above 0, up to 1.
        end_factor: from 0 to 1.
        total_iters: over how many steps.
        last_epoch: see `LRScheduler`.

    Raises:
        AttributeValueError: a factor is out of range.

    Example:
        >>> import graphc as gc
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = gc.optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise AttributeValueError(
                f"LinearLR: start_factor is {start_factor}; it must be above 0 and at most 1",
                where=caller(),
            )
        if not 0 <= end_factor <= 1:
            raise AttributeValueError(
                f"LinearLR: end_factor is {end_factor}; it must be from 0 to 1", where=caller()
            )
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """See `LRScheduler.get_lr`."""
        if self.last_epoch == 0:
            return self._scaled(self.start_factor)
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._same()
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return self._scaled(1.0 + rise / before)

    def _get_closed_form_lr(self) -> list[Any]:
        rise = self.end_factor - self.start_factor
        done = min(self.total_iters, self.last_epoch)
        return [
            base * (self.start_factor + rise * done / self.total_iters) for base in self.base_lrs
        ]


class PolynomialLR(LRScheduler):
    """Takes the learning rate to 0 over `total_iters` steps, as a power of what is left.

    Args:
        optimizer: whose learning rates are set.
        total_iters: over how many steps.
        power: the exponent.
        last_epoch: see `LRScheduler`.

    Example:
        >>> import graphc as gc
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = gc.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates.append(round(scheduler.get_last_lr()[0], 4))
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [1.0, 0.75, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """See `LRScheduler.get_lr`."""
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._same()
        left = 1.0 - self.last_epoch / self.total_iters
        before = 1.0 - (self.last_epoch - 1) / self.total_iters
        return self._scaled((left / before) ** self.power)

    def _get_closed_form_lr(self) -> list[Any]:
        left = 1.0 - min(self.total_iters, self.last_epoch) / self.total_iters
        return [base * left**self.power for base in self.base_lrs]

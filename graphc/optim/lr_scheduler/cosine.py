"""Schedules along a cosine: `CosineAnnealingLR`, `CosineAnnealingWarmRestarts`."""

from __future__ import annotations

import math
from typing import Any

from graphc.core.ir import caller
from graphc.errors import ArgumentError, AttributeValueError
from graphc.optim.lr_scheduler.scheduler import LRScheduler
from graphc.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """Takes the learning rate down to `eta_min` along half a cosine over `T_max` steps.

    After that it comes up again, the same way. Without warm restarts (Loshchilov and Hutter,
    2017).

    Args:
        optimizer: whose learning rates are set.
        T_max: over how many steps.
        eta_min: the least learning rate.
        last_epoch: see `LRScheduler`.

    Example:
        >>> import graphc as gc
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = gc.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=3)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates.append(round(scheduler.get_last_lr()[0], 4))
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [1.0, 0.75, 0.25, 0.0]
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """See `LRScheduler.get_lr`."""
        if self._is_initial:
            return self._same()
        self._warn_outside_step()
        if self._step_count == 1 and self.last_epoch > 0:
            return self._get_closed_form_lr()
        groups = self.optimizer.param_groups
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # At the lowest point the ratio below would be 0 / 0.
            first = (1 - math.cos(math.pi / self.T_max)) / 2
            return [
                group["lr"] + (base - self.eta_min) * first
                for base, group in zip(self.base_lrs, groups, strict=True)
            ]
        ratio = self._height(self.last_epoch) / self._height(self.last_epoch - 1)
        return [ratio * (group["lr"] - self.eta_min) + self.eta_min for group in groups]

    def _height(self, step: int) -> float:
        return 1 + math.cos(math.pi * step / self.T_max)

    def _get_closed_form_lr(self) -> list[Any]:
        height = self._height(self.last_epoch)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Takes the learning rate down along half a cosine, again and again (SGDR, 2017).

    Args:
        optimizer: whose learning rates are set.
        T_0: how many steps the first descent takes.
        T_mult: how many times longer each descent is than the one before.
        eta_min: the least learning rate.
        last_epoch: see `LRScheduler`.

    Raises:
        AttributeValueError: T_0 or T_mult is no whole number from 1 up.
        ArgumentError: eta_min is no number.

    Example:
        >>> import graphc as gc
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = gc.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates.append(round(scheduler.get_last_lr()[0], 4))
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [1.0, 0.5, 1.0, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        for key, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise AttributeValueError(
                    f"CosineAnnealingWarmRestarts: {key} is {value!r}; it must be a whole number "
                    "from 1 up",
                    where=caller(),
                )
        if not isinstance(eta_min, float | int):
            raise ArgumentError(
                f"CosineAnnealingWarmRestarts: eta_min is {eta_min!r:.60}, not a number",
                where=caller(),
            )
        self.T_0 = self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """See `LRScheduler.get_lr`."""
        self._warn_outside_step()
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Set the next learning rates.

        Args:
            epoch: where to go, fractions included; the next step unless given.

        Raises:
            AttributeValueError: it is negative.
        """
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            self._go_to(epoch)
        self.last_epoch = math.floor(epoch)
        with self._within_step():
            found = self.get_lr()
        self._set(found)

    def _go_to(self, epoch: float) -> None:
        """Set which descent an epoch is in, and where in it."""
        if epoch < 0:
            raise AttributeValueError(
                f"CosineAnnealingWarmRestarts.step: epoch is {epoch}; it must be 0 or more",
                where=caller(),
            )
        if epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            scale = self.T_mult - 1
            before = int(math.log(epoch / self.T_0 * scale + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**before - 1) / scale
            self.T_i = self.T_0 * self.T_mult**before

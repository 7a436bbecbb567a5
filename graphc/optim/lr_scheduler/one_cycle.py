"""`OneCycleLR`: the learning rate up once and far down (super-convergence)."""

from __future__ import annotations

import math
from typing import Any

from graphc.core.ir import caller
from graphc.errors import AttributeValueError
from graphc.optim.lr_scheduler import momentum
from graphc.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, spread
from graphc.optim.optimizer import Optimizer


class OneCycleLR(LRScheduler):
    """One cycle over the whole training (Smith and Topin, 2019); step it after every batch.

    Args:
        optimizer: whose learning rates are set.
        max_lr: the greatest learning rate, or a list with one for each group.
        total_steps: how many steps the cycle has; or else
        epochs, steps_per_epoch: two numbers whose product it is.
        pct_start: the share of the steps on the way up.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether momentum moves the other way.
        base_momentum: the least momentum, or a list.
        max_momentum: the greatest, or a list.
        div_factor: the first learning rate is max_lr divided by this,
        final_div_factor: and the last is the first divided by this.
        three_phase: come down to the first learning rate before going on to the last.
        last_epoch: see `LRScheduler`.

    Raises:
        AttributeValueError: a setting out of range; at `step`, more steps than the cycle has.

    Example:
        >>> import graphc as gc
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
        >>> scheduler = gc.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
        >>> rates = []
        >>> for batch in range(9):
        ...     rates.append(round(scheduler.get_last_lr()[0], 2))
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [0.04, 0.52, 1.0, 0.95, 0.81, 0.61, 0.39, 0.19, 0.05]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = check_optimizer("OneCycleLR", optimizer)
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise AttributeValueError(
                f"OneCycleLR: pct_start is {pct_start!r}; it must be a float from 0 to 1",
                where=caller(),
            )
        if anneal_strategy not in ("cos", "linear"):
            raise AttributeValueError(
                f"OneCycleLR: anneal_strategy is {anneal_strategy!r}; it must be 'cos' or 'linear'",
                where=caller(),
            )
        self._schedule_phases = _phases(self.total_steps, pct_start, three=three_phase)
        self._anneal_func_type = anneal_strategy
        max_lrs = spread("OneCycleLR", "max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, most in zip(optimizer.param_groups, max_lrs):
                group["initial_lr"] = most / div_factor
                group["max_lr"] = most
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = momentum.uses_beta1("OneCycleLR", optimizer)
            momentum.begin(
                "OneCycleLR", optimizer, base_momentum, max_momentum,
                beta1=self.use_beta1, anew=last_epoch == -1,
            )  # fmt: skip
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """See `LRScheduler.get_lr`. Sets the momentum too."""
        self._warn_outside_step()
        step = self.last_epoch
        if step > self.total_steps:
            raise AttributeValueError(
                f"OneCycleLR.step: step {step} of a cycle of {self.total_steps}",
                where=caller(),
                hint="give the number of all steps as total_steps, or epochs and steps_per_epoch",
            )
        start = 0.0
        for phase in self._schedule_phases[:-1]:
            if step <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        share = (step - start) / (phase["end_step"] - start)
        found = []
        for group in self.optimizer.param_groups:
            found.append(self._between(group[phase["start_lr"]], group[phase["end_lr"]], share))
            if self.cycle_momentum:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                value = self._between(*ends, share)
                momentum.set_momentum(group, value, beta1=self.use_beta1)
        return found

    def _between(self, start: Any, end: Any, share: float) -> Any:
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)


def _total(total: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    """How many steps a cycle has."""
    if total is None and (epochs is None or steps_per_epoch is None):
        raise AttributeValueError(
            "OneCycleLR: neither total_steps nor both of epochs and steps_per_epoch are given",
            where=caller(),
        )
    given = (("total_steps", total),)
    if total is None:
        given = (("epochs", epochs), ("steps_per_epoch", steps_per_epoch))  # type: ignore[assignment]
    product = 1
    for key, value in given:
        if not isinstance(value, int) or value <= 0:
            raise AttributeValueError(
                f"OneCycleLR: {key} is {value!r}; it must be a whole number from 1 up",
                where=caller(),
            )
        product *= value
    return product


def _phases(total: int, share: float, *, three: bool) -> list[dict[str, Any]]:
    """The phases of a cycle: where each ends, and between which of a group's settings it moves."""
    up = _phase(float(share * total) - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")
    if not three:
        down = _phase(total - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")
        return [up, down]
    end = float(2 * share * total) - 2
    down = _phase(end, "max_lr", "initial_lr", "base_momentum", "max_momentum")
    last = _phase(total - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum")
    return [up, down, last]


def _phase(
    end: float, start_lr: str, end_lr: str, start_momentum: str, end_momentum: str
) -> dict[str, Any]:
    return {
        "end_step": end, "start_lr": start_lr, "end_lr": end_lr,
        "start_momentum": start_momentum, "end_momentum": end_momentum,
    }  # fmt: skip

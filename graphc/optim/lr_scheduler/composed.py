"""Schedules made of schedules: `SequentialLR` (in turn), `ChainedScheduler` (at once)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from graphc.core.ir import caller
from graphc.errors import ArgumentError, AttributeValueError
from graphc.optim.lr_scheduler.plateau import ReduceLROnPlateau
from graphc.optim.lr_scheduler.scheduler import LRScheduler, put, values
from graphc.optim.optimizer import Optimizer


class _Composed(LRScheduler):
    """A schedule that steps others."""

    _schedulers: list[LRScheduler]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, the schedulers' state dicts included."""
        state = super().state_dict()
        state["_schedulers"] = [scheduler.state_dict() for scheduler in self._schedulers]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave, in this scheduler and in its own."""
        schedulers = self._schedulers
        super().load_state_dict(state_dict)
        self._schedulers = schedulers
        for scheduler, state in zip(schedulers, state_dict["_schedulers"]):
            scheduler.load_state_dict(state)


class SequentialLR(_Composed):
    """One schedule after the other.

    Args:
        optimizer: whose learning rates are set.
        schedulers: made for that optimizer; each begins anew when its turn comes.
        milestones: at which step each but the first begins.
        last_epoch: see `LRScheduler`.

    Raises:
        ArgumentError: something in the list is no scheduler.
        AttributeValueError: no schedulers, one of another optimizer, a ReduceLROnPlateau, another
            number of milestones.

    Example:
        >>> import graphc as gc
        >>> from graphc.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> warmup = ConstantLR(optimizer, factor=0.1, total_iters=2)
        >>> decay = ExponentialLR(optimizer, gamma=0.5)
        >>> scheduler = SequentialLR(optimizer, [warmup, decay], milestones=[2])
        >>> rates = []
        >>> for epoch in range(5):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [0.1, 0.1, 1.0, 0.5, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        _check("SequentialLR", optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise AttributeValueError(
                f"SequentialLR: {len(milestones)} milestones for {len(schedulers)} schedulers; "
                "there must be one fewer than schedulers",
                where=caller(),
            )
        self.optimizer = optimizer
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            put(group, "lr", group["initial_lr"])
        # Each scheduler took its first step when it was made.
        _undo(self)
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self) -> None:  # type: ignore[override]
        """Set the next learning rates, by the scheduler whose turn it is."""
        self.last_epoch += 1
        position = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[position]
        if position > 0 and self._milestones[position - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Composed):
    """Several schedules at once: each changes what the one before has set.

    Args:
        schedulers: made for one optimizer.
        optimizer: that optimizer; the first scheduler's unless given.

    Raises:
        ArgumentError: something in the list is no scheduler.
        AttributeValueError: no schedulers, one of another optimizer, a ReduceLROnPlateau.

    Example:
        >>> import graphc as gc
        >>> from graphc.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> warmup = ConstantLR(optimizer, factor=0.5, total_iters=2)
        >>> scheduler = ChainedScheduler([warmup, ExponentialLR(optimizer, gamma=0.5)])
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [0.5, 0.25, 0.25, 0.125]
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        if optimizer is None and schedulers:
            optimizer = getattr(schedulers[0], "optimizer", None)
        _check("ChainedScheduler", optimizer, schedulers)
        assert optimizer is not None
        self._schedulers = list(schedulers)
        self.optimizer = optimizer
        self._last_lr = values(optimizer, "lr")

    def step(self) -> None:  # type: ignore[override]
        """Step all schedulers, in their order."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = values(self.optimizer, "lr")


def _undo(scheduler: LRScheduler) -> None:
    """Take back the count of the steps that schedulers took when they were made."""
    if isinstance(scheduler, _Composed):
        for inner in scheduler._schedulers:
            _undo(inner)
    else:
        scheduler.last_epoch -= 1


def _check(name: str, optimizer: Any, schedulers: Sequence[Any]) -> None:
    """Refuse what cannot be composed."""
    if not schedulers:
        raise AttributeValueError(f"{name}: no schedulers", where=caller())
    for position, scheduler in enumerate(schedulers):
        if not isinstance(scheduler, LRScheduler):
            raise ArgumentError(
                f"{name}: scheduler {position} is a {type(scheduler).__name__}, not an LRScheduler",
                where=caller(),
            )
        if isinstance(scheduler, ReduceLROnPlateau):
            raise AttributeValueError(
                f"{name}: scheduler {position} is a ReduceLROnPlateau, whose step needs a figure",
                where=caller(),
                hint="step it by itself",
            )
        if scheduler.optimizer is not optimizer:
            raise AttributeValueError(
                f"{name}: scheduler {position}, {type(scheduler).__name__}, belongs to another "
                "optimizer",
                where=caller(),
            )

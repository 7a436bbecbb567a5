"""`LRScheduler`: the base of schedulers, which set the groups' learning rates from step to step.

Learning rates are read by each step of the optimizer, a compiled one too: nothing is compiled anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError, AttributeValueError, GraphcWarning
from graphc.optim.optimizer import Optimizer


class LRScheduler:
    """Sets each group's `lr` when made and at each `step`. A subclass defines `get_lr`.

    Args:
        optimizer: whose learning rates are set.
        last_epoch: how many steps were made already less one; -1 begins anew. Another number
            needs groups with an `initial_lr`, as a resumed optimizer's have.

    Raises:
        ArgumentError: `optimizer` is none.
        AttributeValueError: a group has no `initial_lr` where one is needed.

    Example:
        >>> import graphc as gc
        >>> class Halving(gc.optim.lr_scheduler.LRScheduler):
        ...     def get_lr(self):
        ...         return [base / 2**self.last_epoch for base in self.base_lrs]
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = Halving(optimizer)
        >>> for epoch in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.125]
    """

    _get_lr_called_within_step = False
    _is_initial = False
    optimizer: Optimizer
    last_epoch: int
    base_lrs: list[Any]

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = check_optimizer(type(self).__name__, optimizer)
        for position, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise AttributeValueError(
                    f"{type(self).__name__}: last_epoch is {last_epoch}, but parameter group "
                    f"{position} has no 'initial_lr'",
                    where=caller(),
                    hint="load the optimizer's state dict first, or begin anew with last_epoch=-1",
                )
        self.base_lrs = values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        """Set the learning rates of the first step."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, to be saved.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1)
            >>> gc.optim.lr_scheduler.StepLR(optimizer, 5).state_dict()["last_epoch"]
            0
        """
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave. The learning rates are in the optimizer's own.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1)
            >>> scheduler = gc.optim.lr_scheduler.StepLR(optimizer, 5)
            >>> scheduler.load_state_dict({**scheduler.state_dict(), "last_epoch": 7})
            >>> scheduler.last_epoch
            7
        """
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list[Any]:
        """Each group's learning rate, as it was set last.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1)
            >>> gc.optim.lr_scheduler.StepLR(optimizer, 5).get_last_lr()
            [0.1]
        """
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """Each group's next learning rate; called by `step`. See `get_last_lr`.

        Example:
            >>> import graphc as gc
            >>> class Constant(gc.optim.lr_scheduler.LRScheduler):
            ...     def get_lr(self):
            ...         return self.base_lrs
            >>> Constant(gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1)).get_last_lr()
            [0.1]
        """
        raise NotImplementedError(f"{type(self).__name__} defines no get_lr()")

    def step(self, epoch: int | None = None) -> None:
        """Set the next learning rates.

        Args:
            epoch: deprecated: go to this step instead of the next.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1)
            >>> scheduler = gc.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
            >>> optimizer.step()
            >>> scheduler.step()
            >>> scheduler.get_last_lr()
            [0.05]
        """
        if self._step_count == 1 and not self.optimizer._opt_called:
            warnings.warn(
                f"{type(self).__name__}.step() was called before optimizer.step(), so the first "
                "learning rate of the schedule is never used; call optimizer.step() first",
                GraphcWarning,
                stacklevel=2,
            )
        self._step_count += 1
        if epoch is not None:
            warn_epoch(self)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        """Go to the next step, or to the given one: by the closed form, where there is one."""
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed = None if epoch is None else getattr(self, "_get_closed_form_lr", None)
        with self._within_step():
            found = self.get_lr() if closed is None else closed()
        self._set(found)

    def _set(self, found: list[Any]) -> None:
        for group, lr in zip(self.optimizer.param_groups, found, strict=True):
            put(group, "lr", lr)
        self._last_lr = values(self.optimizer, "lr")

    @contextmanager
    def _within_step(self) -> Iterator[None]:
        self._get_lr_called_within_step = True
        try:
            yield
        finally:
            self._get_lr_called_within_step = False

    def _scaled(self, factor: float) -> list[Any]:
        """The groups' learning rates, multiplied."""
        self._warn_outside_step()
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _same(self) -> list[Any]:
        """The groups' learning rates as they are."""
        self._warn_outside_step()
        return values(self.optimizer, "lr")

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                f"{type(self).__name__}.get_lr() computes the next learning rates from the "
                "present ones; get_last_lr() returns the present ones",
                GraphcWarning,
                stacklevel=3,
            )


def warn_epoch(scheduler: LRScheduler) -> None:
    """Say that `step(epoch)` is deprecated."""
    warnings.warn(
        f"{type(scheduler).__name__}.step(epoch) is deprecated: call step()",
        GraphcWarning,
        stacklevel=3,
    )


def check_optimizer(name: str, optimizer: Any) -> Any:
    """The optimizer.

    Raises:
        ArgumentError: it is none.
    """
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            f"{name}: optimizer is a {type(optimizer).__name__}, not an Optimizer", where=caller()
        )
    return optimizer


def copied(value: Any) -> Any:
    """A setting, a tensor's copy."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def values(optimizer: Optimizer, key: str) -> list[Any]:
    """Each group's setting."""
    return [copied(group[key]) for group in optimizer.param_groups]


def put(group: dict[str, Any], key: str, value: Any) -> None:
    """Set a group's setting, in the tensor where it is one."""
    if isinstance(group[key], Tensor):
        group[key].fill_(float(value))
    else:
        group[key] = value


def spread(name: str, key: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """One value for each group, from one for all or a list.

    Raises:
        AttributeValueError: the list has another length.
    """
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [copied(value) for _ in range(count)]
    if len(value) != count:
        raise AttributeValueError(
            f"{name}: {key} has {len(value)} values; the optimizer has {count} parameter groups",
            where=caller(),
        )
    return list(map(copied, value))

"""Schedules by a user's function: `LambdaLR`, `MultiplicativeLR`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from graphc.core.ir import caller
from graphc.errors import ArgumentError
from graphc.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, spread
from graphc.optim.optimizer import Optimizer

Factor = Callable[[int], float]


class _FunctionLR(LRScheduler):
    """A schedule by one function a group."""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1
    ) -> None:
        name = type(self).__name__
        check_optimizer(name, optimizer)
        self.lr_lambdas = spread(name, "lr_lambda", optimizer, lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise ArgumentError(
                    f"{name}: lr_lambda is a {type(function).__name__}, not a function of the step",
                    where=caller(),
                )
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and the functions; callable objects' attributes are in."""
        state = super().state_dict()
        state["lr_lambdas"] = [
            None if isinstance(function, FunctionType) else dict(function.__dict__)
            for function in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave; the functions stay."""
        functions = self.lr_lambdas
        super().load_state_dict(state_dict)
        self.lr_lambdas = functions
        for function, attributes in zip(functions, state_dict["lr_lambdas"]):
            if attributes is not None:
                function.__dict__.update(attributes)


class LambdaLR(_FunctionLR):
    """Multiplies the first learning rate by a function of the step.

    Args:
        optimizer: whose learning rates are set.
        lr_lambda: the function, or a list with one for each group.
        last_epoch: see `LRScheduler`.

    Raises:
        ArgumentError: it is no function.
        AttributeValueError: the list's length is not the number of groups.

    Example:
        >>> import graphc as gc
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = gc.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates.append(round(scheduler.get_last_lr()[0], 4))
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [1.0, 0.5, 0.3333, 0.25]
    """

    def get_lr(self) -> list[Any]:
        """See `LRScheduler.get_lr`."""
        self._warn_outside_step()
        return [
            base * function(self.last_epoch)
            for function, base in zip(self.lr_lambdas, self.base_lrs, strict=True)
        ]


class MultiplicativeLR(_FunctionLR):
    """Multiplies the present learning rate by a function of the step.

    Args:
        optimizer: whose learning rates are set.
        lr_lambda: the function, or a list with one for each group.
        last_epoch: see `LRScheduler`.

    Raises:
        ArgumentError: it is no function.
        AttributeValueError: the list's length is not the number of groups.

    Example:
        >>> import graphc as gc
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = gc.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda step: 0.5)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [1.0, 0.5, 0.25, 0.125]
    """

    def get_lr(self) -> list[Any]:
        """See `LRScheduler.get_lr`."""
        if self._is_initial:
            return self._same()
        self._warn_outside_step()
        return [
            group["lr"] * function(self.last_epoch)
            for function, group in zip(self.lr_lambdas, self.optimizer.param_groups, strict=True)
        ]

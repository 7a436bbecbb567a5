"""Momentum that moves against the learning rate, as cyclical schedules have it."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.errors import AttributeValueError
from graphc.optim.lr_scheduler.scheduler import spread
from graphc.optim.optimizer import Optimizer


def uses_beta1(name: str, optimizer: Optimizer) -> bool:
    """Whether the optimizer's momentum is the first of its betas.

    Raises:
        AttributeValueError: it has no momentum.
    """
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise AttributeValueError(
            f"{name}: cycle_momentum is True, but {type(optimizer).__name__} has neither momentum "
            "nor betas",
            where=caller(),
            hint="pass cycle_momentum=False",
        )
    return "betas" in optimizer.defaults


def set_momentum(group: dict[str, Any], momentum: Any, *, beta1: bool) -> None:
    """Set a group's momentum."""
    if beta1:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def begin(
    name: str, optimizer: Optimizer, base: Any, most: Any, *, beta1: bool, anew: bool
) -> tuple[list[Any], list[Any]]:
    """Each group's least and greatest momentum; entered in the groups where a schedule begins."""
    bases = spread(name, "base_momentum", optimizer, base)
    mosts = spread(name, "max_momentum", optimizer, most)
    if anew:
        for group, least, greatest in zip(optimizer.param_groups, bases, mosts):
            set_momentum(group, greatest, beta1=beta1)
            group["max_momentum"] = greatest
            group["base_momentum"] = least
    return bases, mosts

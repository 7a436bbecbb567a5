"""Optimizers' settings: checked by their names, in the order in which groups have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor
from graphc.errors import AttributeValueError

# A number, or a tensor of one element.
Rate: TypeAlias = float | Tensor


def settings(optimizer: Any, given: Mapping[str, Any], order: str = "") -> dict[str, Any]:
    """A group's settings, each checked.

    Args:
        optimizer: for messages.
        given: values by name: the `locals()` of an `__init__`, before it has more.
        order: the names in the order in which a group has them; that of the signature unless given.

    Raises:
        AttributeValueError: a setting out of range, or switches that contradict each other.
    """
    name = type(optimizer).__name__
    names = order.split() or [key for key in given if key not in _NO_SETTINGS]
    found = {key: given[key] for key in names}
    for key, check in CHECKS.items():
        if key in found:
            check(name, key, found[key])
    if found.get("foreach") and found.get("fused"):
        raise AttributeValueError(
            f"{name}: foreach and fused are both True; at most one may be",
            where=caller(),
            hint="leave both out: every step is one fused kernel",
        )
    return found


def check_lr(name: str, key: str, value: Rate) -> None:
    """Refuse a negative learning rate, and a tensor of several.

    Raises:
        AttributeValueError: it is one of these.
    """
    if isinstance(value, Tensor) and value.numel() != 1:
        raise AttributeValueError(
            f"{name}: lr is a tensor of shape {tuple(value.shape)}; it must have one element",
            where=caller(),
            hint="for a learning rate of its own, give each parameter group its own lr",
        )
    check_least(name, key, value)


def check_least(name: str, key: str, value: Rate) -> None:
    """Refuse a setting below 0, and nan.

    Raises:
        AttributeValueError: it is one of these.
    """
    if not float(value) >= 0:
        raise AttributeValueError(f"{name}: {key} is {value}; it must be 0 or more", where=caller())


def check_range(name: str, key: str, value: Rate) -> None:
    """Refuse a setting outside 0 to 1, ends included.

    Raises:
        AttributeValueError: it is outside.
    """
    if not 0 <= float(value) <= 1:
        raise AttributeValueError(
            f"{name}: {key} is {value}; it must be from 0 to 1", where=caller()
        )


def check_betas(name: str, key: str, betas: Any) -> None:
    """Refuse betas that are no pair of numbers from 0 to below 1, or of tensors of one.

    Raises:
        AttributeValueError: they are not.
    """
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise AttributeValueError(
            f"{name}: betas is {betas!r}; it must be a pair of numbers", where=caller()
        )
    for position, beta in enumerate(betas):
        if isinstance(beta, Tensor) and beta.numel() != 1:
            raise AttributeValueError(
                f"{name}: betas[{position}] is a tensor of shape {tuple(beta.shape)}; it must "
                "have one element",
                where=caller(),
            )
        if not 0 <= float(beta) < 1:
            raise AttributeValueError(
                f"{name}: betas[{position}] is {beta}; it must be from 0 to below 1",
                where=caller(),
            )


def check_differentiable(name: str, key: str, value: bool) -> None:
    """Refuse a switch that no optimizer here has.

    Raises:
        AttributeValueError: it is on.
    """
    if value:
        raise AttributeValueError(
            f"{name}: differentiable=True is not supported: a step changes parameters in place "
            "and records nothing",
            where=caller(),
            hint="to differentiate through updates, write them with tensors: w = w - lr * grad",
        )


# What settings are held to, by their names, in the order in which they are looked at.
CHECKS = {
    "lr": check_lr, "rho": check_range, "alpha": check_least, "eps": check_least,
    "initial_accumulator_value": check_least, "lr_decay": check_least, "momentum": check_least,
    "momentum_decay": check_least, "weight_decay": check_least, "betas": check_betas,
    "differentiable": check_differentiable,
}  # fmt: skip
_NO_SETTINGS = ("self", "params", "__class__")

"""Checks of optimizers' settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor
from graphc.errors import AttributeValueError


def check_lr(name: str, lr: Any) -> None:
    """Refuse a negative learning rate, and a tensor of several.

    Raises:
        AttributeValueError: it is one of these.
    """
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise AttributeValueError(
            f"{name}: lr is a tensor of shape {tuple(lr.shape)}; it must have one element",
            where=caller(),
            hint="for a learning rate of its own, give each parameter group its own lr",
        )
    at_least_zero(name, lr=lr)


def at_least_zero(name: str, **settings: Any) -> None:
    """Refuse settings below 0, and nan.

    Raises:
        AttributeValueError: naming the first such.
    """
    for key, value in settings.items():
        if not float(value) >= 0:
            raise AttributeValueError(
                f"{name}: {key} is {value}; it must be 0 or more", where=caller()
            )


def check_range(name: str, key: str, value: Any) -> None:
    """Refuse a setting outside 0 to 1, ends included.

    Raises:
        AttributeValueError: it is outside.
    """
    if not 0 <= float(value) <= 1:
        raise AttributeValueError(
            f"{name}: {key} is {value}; it must be from 0 to 1", where=caller()
        )


def check_betas(name: str, betas: Sequence[Any]) -> None:
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


def check_switches(
    name: str, *, foreach: bool | None, differentiable: bool, fused: bool | None = None
) -> None:
    """Refuse switches that contradict each other or that no optimizer here has.

    Raises:
        AttributeValueError: naming them.
    """
    if differentiable:
        raise AttributeValueError(
            f"{name}: differentiable=True is not supported: a step changes parameters in place "
            "and records nothing",
            where=caller(),
            hint="to differentiate through updates, write them with tensors: w = w - lr * grad",
        )
    if foreach and fused:
        raise AttributeValueError(
            f"{name}: foreach and fused are both True; at most one may be",
            where=caller(),
            hint="leave both out: every step is one fused kernel",
        )

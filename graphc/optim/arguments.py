"""Optimizers' settings: checked by their names, in the order in which groups have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor
from graphc.errors import AttributeValueError

# Settings that are numbers from 0 on, whichever optimizer has them.
_FROM_ZERO = frozenset(
    ("alpha", "eps", "initial_accumulator_value", "lr_decay", "momentum", "momentum_decay")
    + ("weight_decay",)
)


def settings(name: str, given: Mapping[str, Any], order: str) -> dict[str, Any]:
    """A group's settings, each checked.

    Args:
        name: of the optimizer, for messages.
        given: values by name, more than those of settings: the `locals()` of an `__init__`.
        order: the names of the settings, in the order in which a group has them.

    Raises:
        AttributeValueError: a setting out of range, or switches that contradict each other.
    """
    found = {key: given[key] for key in order.split()}
    check_lr(name, found["lr"])
    if "rho" in found:
        check_range(name, "rho", found["rho"])
    at_least_zero(name, **{k: v for k, v in given.items() if k in _FROM_ZERO})
    if "betas" in found:
        check_betas(name, found["betas"])
    switches = ("foreach", "fused", "differentiable")
    check_switches(name, **{key: found[key] for key in switches if key in found})
    return found


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
    name: str, *, foreach: bool | None = None, differentiable: bool = False,
    fused: bool | None = None,
) -> None:  # fmt: skip
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

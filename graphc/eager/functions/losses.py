"""Losses that PyTorch also has outside of nn.functional, with the arguments they have there."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine.registry import call, eager, named
from graphc.errors import AttributeValueError

_REDUCTIONS = {0: "none", 1: "mean", 2: "sum", "none": "none", "mean": "mean", "sum": "sum"}


@named("BinaryCrossEntropyWithLogitsBackward0")
def _logits_loss(
    x: Operators, target: Operators, *weights: Any, weighted: bool, reduction: str
) -> Any:
    given = list(weights)
    weight = given.pop(0) if weighted else None
    near, far = FUNCTIONS["softplus"](-x), FUNCTIONS["softplus"](x)
    losses = target * (given[0] * near if given else near) + (1 - target) * far
    losses = losses if weight is None else losses * weight
    return losses if reduction == "none" else FUNCTIONS[reduction](losses)


@eager()
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, pos_weight: Any = None, reduction: Any = 0
) -> Any:
    """The binary cross-entropy of sigmoid(input), element by element unless told otherwise.

    `gc.nn.functional.binary_cross_entropy_with_logits` takes the mean unless told otherwise.

    Args:
        input: floats.
        target: floats that broadcast with input.
        weight: a factor for each loss, or None.
        pos_weight: a factor for what target says is positive, or None.
        reduction: 0, 1 or 2, for "none", "mean" or "sum".

    Example:
        >>> import graphc as gc
        >>> gc.binary_cross_entropy_with_logits(gc.zeros(2), gc.ones(2))
        tensor([0.6931, 0.6931])
    """
    if reduction not in _REDUCTIONS:
        raise AttributeValueError(
            f"binary_cross_entropy_with_logits: reduction={reduction!r}",
            where=caller(),
            hint="0, 1 or 2, for none, mean or sum",
        )
    weights = [w for w in (weight, pos_weight) if w is not None]
    return call(
        _logits_loss, input, target, *weights, weighted=weight is not None,
        reduction=_REDUCTIONS[reduction],
    )  # fmt: skip

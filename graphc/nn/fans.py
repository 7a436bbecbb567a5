"""How wide initial values should spread: by the nonlinearity, and by how many units are joined."""

from __future__ import annotations

import math
from typing import Any

from graphc.core.ir import caller
from graphc.errors import AttributeValueError, ShapeError

_LINEAR = (
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "sigmoid",
)  # fmt: skip


def calculate_gain(nonlinearity: str, param: Any = None) -> float:
    """The factor by which weights before a nonlinearity are larger, so that variances stay.

    Args:
        nonlinearity: "linear", "conv1d" .. "conv_transpose3d", "sigmoid": 1; "tanh": 5/3;
            "relu": sqrt(2); "leaky_relu": sqrt(2 / (1 + param**2)); "selu": 3/4.
        param: the negative slope of leaky_relu, 0.01 unless given.

    Raises:
        AttributeValueError: the nonlinearity is not among these, or param is not a number.

    Example:
        >>> import graphc as gc
        >>> gc.nn.init.calculate_gain("leaky_relu", 0.2)
        1.3867504905630728
    """
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise AttributeValueError(
                f"calculate_gain: a negative slope is a number, not {slope!r:.60}", where=caller()
            )
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        # Found by experiment, as in PyTorch; "linear" is what the theory asks for.
        return 3.0 / 4
    raise AttributeValueError(
        f"calculate_gain: the nonlinearity {nonlinearity!r:.60} is not known",
        where=caller(),
        hint='such as "relu", "leaky_relu", "tanh", "sigmoid", "selu", "linear", "conv2d"',
    )


def _calculate_fan_in_and_fan_out(tensor: Any) -> tuple[int, int]:
    """How many inputs a unit has, and how many units an input feeds.

    Raises:
        ShapeError: the tensor has fewer than two axes.
    """
    if tensor.ndim < 2:
        raise ShapeError(
            f"fan in and fan out of a tensor of shape {tuple(tensor.shape)}: it needs two axes or "
            "more",
            where=caller(),
            hint="fill vectors such as biases with zeros_, uniform_ or normal_",
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _calculate_correct_fan(tensor: Any, mode: str) -> int:
    """Fan in or fan out, whichever `mode` says."""
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise AttributeValueError(
            f"mode={mode!r} is not known", where=caller(), hint='use "fan_in" or "fan_out"'
        )
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return fan_in if mode == "fan_in" else fan_out


__all__ = ["calculate_gain"]

"""Activation functions with a slope or a gate: prelu, rrelu, glu."""

from __future__ import annotations

import math
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.composite import composite
from graphc.eager.engine.registry import named
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.functions.random import draw_key
from graphc.errors import AttributeValueError, ShapeError
from graphc.nn.functional.activation import leaky_relu
from graphc.nn.functional.common import applied
from graphc.nn.functional.operation import operation
from graphc.ops.arrays.random import uniform
from graphc.ops.arrays.shaping import reshape
from graphc.ops.declare import check_axis
from graphc.ops.elementwise.exponential import sigmoid as _sigmoid
from graphc.ops.elementwise.logic import where


@operation("PreluBackward0")
def prelu(input: AnyTensor, weight: AnyTensor) -> Any:
    """input where it is positive, else input times a weight.

    Args:
        input: floats; channels on axis 1.
        weight: one number, or one for each channel.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.prelu(gc.tensor([-1.0, 2.0]), gc.tensor([0.25]))
        tensor([-0.2500,  2.0000])
    """
    shape = input.shape
    count = math.prod(weight.shape)
    if count != 1:
        channels = shape[1] if len(shape) > 1 else (shape[0] if shape else 1)
        if len(weight.shape) != 1 or count != channels:
            raise ShapeError(
                f"prelu: a weight of shape {weight.shape} for {channels} channels; "
                "it takes one number, or one for each channel",
                where=caller(),
            )
    # A single weight has no axis to line up with; several stand along axis 1.
    wide = (count, *(1,) * (len(shape) - 2)) if count != 1 else (1,) * min(len(shape), 1)
    return where(input > 0, input, input * reshape(weight, wide))


@composite
@named("RreluWithNoiseBackward0")
def _rrelu(x: Any, key: Any, *, lower: float, upper: float) -> Any:
    slope = uniform(x.type.shape, lower, upper, dtype=x.type.dtype, key=key)
    return where(x > 0, x, x * slope)


def rrelu(
    input: AnyTensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Any:
    """Leaky relu with a slope drawn for each element in training, the mean slope otherwise.

    Args:
        input: floats.
        lower: the least slope.
        upper: the greatest slope.
        training: whether slopes are drawn.
        inplace: write the result into the tensor itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.rrelu(gc.tensor([-1.0, 2.0]), 0.25, 0.75)
        tensor([-0.5000,  2.0000])
    """
    if lower > upper:
        raise AttributeValueError(f"rrelu: lower {lower} exceeds upper {upper}", where=caller())
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)

    def rrelu_(x: AnyTensor) -> Any:
        return _rrelu(x, draw_key(of=x), lower=lower, upper=upper)

    return applied(rrelu_, input, inplace)


@operation("GluBackward0")
def glu(input: AnyTensor, dim: int = -1) -> Any:
    """The first half of an axis times the sigmoid of the second.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.glu(gc.tensor([3.0, 0.0]))
        tensor([1.5000])
    """
    shape = input.shape
    at = check_axis("glu", dim, len(shape)) if shape else 0
    if not shape or shape[at] % 2:
        raise ShapeError(
            f"glu: axis {dim} must have an even size, x has shape {shape}", where=caller()
        )
    half = shape[at] // 2
    ends = (slice(None),) * at
    return input[(*ends, slice(0, half))] * _sigmoid(input[(*ends, slice(half, None))])


__all__ = ["glu", "prelu", "rrelu"]

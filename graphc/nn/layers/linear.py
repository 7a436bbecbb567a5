"""Linear layers: Identity, Linear, Bilinear."""

from __future__ import annotations

import math
from dataclasses import InitVar
from typing import Any

from graphc.core.ir import caller
from graphc.core.typing import DTypeLike
from graphc.eager.engine.device import DeviceLike
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.functions.creation import empty
from graphc.errors import AttributeValueError
from graphc.nn import functional as F
from graphc.nn.init import kaiming_uniform_, uniform_
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module
from graphc.nn.parameter import Parameter


class Identity(Module):
    """The input itself, whatever the arguments.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Identity(54)(gc.ones(1))
        tensor([1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: AnyTensor) -> Any:
        """The input."""
        return input


@layer(F.linear, text="in_features={in_features}, out_features={out_features}, bias={bias}")
class Linear(Module):
    """input @ weight.T + bias.

    Weights and biases start uniform within 1 / sqrt(in_features) of 0.

    Args:
        in_features: the size of the input's last axis.
        out_features: the size of the result's.
        bias: whether there is one.
        device: "cpu".
        dtype: of the parameters.

    Attributes:
        weight: (out_features, in_features).
        bias: (out_features,) or None.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Linear(20, 30)(gc.randn(128, 20)).shape
        graphc.Size([128, 30])
    """

    in_features: int
    out_features: int
    bias: InitVar[bool] = True
    device: InitVar[DeviceLike | None] = None
    dtype: InitVar[DTypeLike | None] = None

    def __post_init__(self, bias: bool, device: DeviceLike | None, dtype: DTypeLike | None) -> None:
        shape = (self.out_features, self.in_features)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        self.bias = Parameter(empty(shape[:1], device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters again.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.Linear(2, 1)
            >>> _ = nn.init.zeros_(layer.weight)
            >>> layer.reset_parameters()
            >>> bool(layer.weight.any())
            True
        """
        kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            uniform_(self.bias, -bound, bound)


@layer(
    F.bilinear,
    "input1 input2",
    text="in1_features={in1_features}, in2_features={in2_features}, out_features={out_features}, "
    "bias={bias}",
)
class Bilinear(Module):
    """For each output k, input1 @ weight[k] @ input2, plus bias.

    Args:
        in1_features: the size of the first input's last axis.
        in2_features: the size of the second's.
        out_features: the size of the result's.
        bias: whether there is one.
        device: "cpu".
        dtype: of the parameters.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Bilinear(2, 3, 4)(gc.randn(5, 2), gc.randn(5, 3)).shape
        graphc.Size([5, 4])
    """

    in1_features: int
    in2_features: int
    out_features: int
    bias: InitVar[bool] = True
    device: InitVar[DeviceLike | None] = None
    dtype: InitVar[DTypeLike | None] = None

    def __post_init__(self, bias: bool, device: DeviceLike | None, dtype: DTypeLike | None) -> None:
        if self.in1_features <= 0:
            raise AttributeValueError(
                f"Bilinear: in1_features={self.in1_features} must be greater than 0",
                where=caller(),
            )
        shape = (self.out_features, self.in1_features, self.in2_features)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        self.bias = Parameter(empty(shape[:1], device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters again.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.Bilinear(2, 2, 1)
            >>> _ = nn.init.zeros_(layer.weight)
            >>> layer.reset_parameters()
            >>> bool(layer.weight.any())
            True
        """
        bound = 1 / math.sqrt(self.in1_features)
        uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            uniform_(self.bias, -bound, bound)


__all__ = ["Bilinear", "Identity", "Linear"]

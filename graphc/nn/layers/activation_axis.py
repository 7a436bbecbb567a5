"""Activation layers over an axis, with a gate or with slopes of their own."""

from __future__ import annotations

from dataclasses import InitVar
from typing import Any

from graphc.core.ir import caller
from graphc.core.typing import DTypeLike
from graphc.eager.engine.device import DeviceLike
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.functions.creation import empty
from graphc.errors import ShapeError
from graphc.nn import functional as F
from graphc.nn.init import constant_
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module
from graphc.nn.parameter import Parameter


@layer(F.glu)
class GLU(Module):
    """The first half of an axis times the sigmoid of the second.

    Args:
        dim: the axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.GLU()(gc.tensor([3.0, 0.0]))
        tensor([1.5000])
    """

    dim: int = -1


@layer(F.softmax)
class Softmax(Module):
    """exp(input) divided by its sum along an axis.

    Args:
        dim: the axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Softmax(dim=0)(gc.zeros(2))
        tensor([0.5000, 0.5000])
    """

    dim: int | None = None


@layer(F.log_softmax)
class LogSoftmax(Module):
    """The logarithm of softmax along an axis.

    Args:
        dim: the axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.LogSoftmax(dim=0)(gc.zeros(2))
        tensor([-0.6931, -0.6931])
    """

    dim: int | None = None


@layer(F.softmin)
class Softmin(Module):
    """softmax of -input along an axis.

    Args:
        dim: the axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Softmin(dim=0)(gc.zeros(2))
        tensor([0.5000, 0.5000])
    """

    dim: int | None = None


class Softmax2d(Module):
    """softmax over the channels of (N, C, H, W) or (C, H, W).

    Example:
        >>> import graphc as gc
        >>> gc.nn.Softmax2d()(gc.zeros(1, 2, 1, 1)).flatten()
        tensor([0.5000, 0.5000])
    """

    def forward(self, input: AnyTensor) -> Any:
        """See `functional.softmax`."""
        if input.ndim not in (3, 4):
            raise ShapeError(
                f"Softmax2d: the input must be (N, C, H, W) or (C, H, W), not {input.shape}",
                where=caller(),
            )
        return F.softmax(input, -3)


@layer(F.rrelu)
class RReLU(Module):
    """Leaky relu with a slope drawn for each element in training, the mean slope otherwise.

    Args:
        lower: the least slope.
        upper: the greatest slope.
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.RReLU(0.25, 0.75).eval()(gc.tensor([-1.0, 2.0]))
        tensor([-0.5000,  2.0000])
    """

    lower: float = 1.0 / 8
    upper: float = 1.0 / 3
    inplace: bool = False


@layer(F.prelu, text="num_parameters={num_parameters}")
class PReLU(Module):
    """The input where it is positive, else the input times a weight that is trained.

    Args:
        num_parameters: 1, or the number of channels.
        init: the weight's first value.
        device: "cpu".
        dtype: of the weight.

    Example:
        >>> import graphc as gc
        >>> gc.nn.PReLU()(gc.tensor([-1.0, 2.0])).detach()
        tensor([-0.2500,  2.0000])
    """

    num_parameters: int = 1
    init: float = 0.25
    device: InitVar[DeviceLike | None] = None
    dtype: InitVar[DTypeLike | None] = None

    def __post_init__(self, device: DeviceLike | None, dtype: DTypeLike | None) -> None:
        self.weight = Parameter(empty(self.num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Give the weight its first value.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.PReLU(init=0.1)
            >>> _ = nn.init.zeros_(layer.weight)
            >>> layer.reset_parameters()
            >>> layer.weight.tolist() == gc.tensor([0.1]).tolist()
            True
        """
        constant_(self.weight, self.init)


__all__ = [
    "GLU", "LogSoftmax", "PReLU", "RReLU", "Softmax", "Softmax2d", "Softmin",
]  # fmt: skip

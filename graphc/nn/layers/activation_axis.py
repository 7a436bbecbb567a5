"""Activation layers over an axis, with a gate or with slopes of their own."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.eager.functions.creation import empty
from graphc.errors import ShapeError
from graphc.nn import functional as F
from graphc.nn.init import constant_
from graphc.nn.module.module import Module
from graphc.nn.parameter import Parameter


class GLU(Module):
    """The first half of an axis times the sigmoid of the second.

    Args:
        dim: the axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.GLU()(gc.tensor([3.0, 0.0]))
        tensor([1.5000])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        """See `functional.glu`."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"dim={self.dim}"


class Softmax(Module):
    """exp(input) divided by its sum along an axis.

    Args:
        dim: the axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Softmax(dim=0)(gc.zeros(2))
        tensor([0.5000, 0.5000])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        """See `functional.softmax`."""
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of softmax along an axis.

    Args:
        dim: the axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.LogSoftmax(dim=0)(gc.zeros(2))
        tensor([-0.6931, -0.6931])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        """See `functional.log_softmax`."""
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"dim={self.dim}"


class Softmin(Module):
    """softmax of -input along an axis.

    Args:
        dim: the axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Softmin(dim=0)(gc.zeros(2))
        tensor([0.5000, 0.5000])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        """See `functional.softmin`."""
        return F.softmin(input, self.dim)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"dim={self.dim}"


class Softmax2d(Module):
    """softmax over the channels of (N, C, H, W) or (C, H, W).

    Example:
        >>> import graphc as gc
        >>> gc.nn.Softmax2d()(gc.zeros(1, 2, 1, 1)).flatten()
        tensor([0.5000, 0.5000])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.softmax`."""
        if input.ndim not in (3, 4):
            raise ShapeError(
                f"Softmax2d: the input must be (N, C, H, W) or (C, H, W), not {input.shape}",
                where=caller(),
            )
        return F.softmax(input, -3)


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

    def __init__(
        self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False
    ) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """See `functional.rrelu`."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"lower={self.lower}, upper={self.upper}{', inplace=True' if self.inplace else ''}"


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

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(empty(num_parameters, device=device, dtype=dtype))
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

    def forward(self, input: Any) -> Any:
        """See `functional.prelu`."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"num_parameters={self.num_parameters}"


__all__ = [
    "GLU", "LogSoftmax", "PReLU", "RReLU", "Softmax", "Softmax2d", "Softmin",
]  # fmt: skip

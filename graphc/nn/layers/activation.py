"""Activation layers; their functions are in `functional.activation`."""

from __future__ import annotations

from typing import Any

from graphc.nn import functional as F
from graphc.nn.module.module import Module


class _InPlace(Module):
    """A layer whose only setting is whether it writes into its input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return "inplace=True" if self.inplace else ""


def _in_place_text(module: Any) -> str:
    return ", inplace=True" if module.inplace else ""


class ReLU(_InPlace):
    """The input where it is positive, else 0.

    Args:
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ReLU()(gc.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.relu`."""
        return F.relu(input, self.inplace)


class SELU(_InPlace):
    """The scaled elu of self-normalizing networks.

    Args:
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.SELU()(gc.tensor([0.0, 1.0]))
        tensor([0.0000, 1.0507])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.selu`."""
        return F.selu(input, self.inplace)


class SiLU(_InPlace):
    """input * sigmoid(input).

    Args:
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.SiLU()(gc.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7311])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.silu`."""
        return F.silu(input, self.inplace)


class Mish(_InPlace):
    """input * tanh(softplus(input)).

    Args:
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Mish()(gc.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8651])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.mish`."""
        return F.mish(input, self.inplace)


class Sigmoid(Module):
    """1 / (1 + exp(-input)).

    Example:
        >>> import graphc as gc
        >>> gc.nn.Sigmoid()(gc.zeros(1))
        tensor([0.5000])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.sigmoid`."""
        return F.sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Tanh()(gc.ones(1))
        tensor([0.7616])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.tanh`."""
        return F.tanh(input)


class LogSigmoid(Module):
    """log(sigmoid(input)), without overflow.

    Example:
        >>> import graphc as gc
        >>> gc.nn.LogSigmoid()(gc.zeros(1))
        tensor([-0.6931])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.logsigmoid`."""
        return F.logsigmoid(input)


class Softsign(Module):
    """input / (1 + |input|).

    Example:
        >>> import graphc as gc
        >>> gc.nn.Softsign()(gc.tensor([3.0]))
        tensor([0.7500])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.softsign`."""
        return F.softsign(input)


class Tanhshrink(Module):
    """input - tanh(input).

    Example:
        >>> import graphc as gc
        >>> gc.nn.Tanhshrink()(gc.ones(1))
        tensor([0.2384])
    """

    def forward(self, input: Any) -> Any:
        """See `functional.tanhshrink`."""
        return F.tanhshrink(input)


class ELU(Module):
    """input where it is positive, else alpha * (exp(input) - 1).

    Args:
        alpha: the limit on the left, negated.
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ELU()(gc.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """See `functional.elu`."""
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"alpha={self.alpha}{_in_place_text(self)}"


class CELU(Module):
    """input where it is positive, else alpha * (exp(input / alpha) - 1).

    Args:
        alpha: the limit on the left, negated.
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.CELU(2.0)(gc.tensor([-1.0, 2.0]))
        tensor([-0.7869,  2.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """See `functional.celu`."""
        return F.celu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"alpha={self.alpha}{_in_place_text(self)}"


class LeakyReLU(Module):
    """input where it is positive, else input times a slope.

    Args:
        negative_slope: the slope.
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.LeakyReLU(0.5)(gc.tensor([-1.0, 2.0]))
        tensor([-0.5000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """See `functional.leaky_relu`."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"negative_slope={self.negative_slope}{_in_place_text(self)}"


class GELU(Module):
    """input times the normal distribution's probability of a lesser value.

    Args:
        approximate: "none" or "tanh".

    Example:
        >>> import graphc as gc
        >>> gc.nn.GELU()(gc.tensor([-1.0, 1.0]))
        tensor([-0.1587,  0.8413])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Any) -> Any:
        """See `functional.gelu`."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"approximate={self.approximate!r}"


class Softplus(Module):
    """log(1 + exp(beta * input)) / beta, linear past a threshold.

    Args:
        beta: the sharpness.
        threshold: where beta * input is past it, the result is input.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Softplus()(gc.zeros(1))
        tensor([0.6931])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Any) -> Any:
        """See `functional.softplus`."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"beta={self.beta}, threshold={self.threshold}"


__all__ = [
    "CELU", "ELU", "GELU", "LeakyReLU", "LogSigmoid", "Mish", "ReLU", "SELU", "SiLU", "Sigmoid",
    "Softplus", "Softsign", "Tanh", "Tanhshrink",
]  # fmt: skip

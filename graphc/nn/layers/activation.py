"""Activation layers; their functions are in `functional.activation`."""

from __future__ import annotations

from graphc.nn import functional as F
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module


@layer
class _InPlace(Module):
    """A layer whose only setting is whether it writes into its input."""

    inplace: bool = False


@layer(F.relu)
class ReLU(_InPlace):
    """The input where it is positive, else 0.

    Args:
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ReLU()(gc.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """


@layer(F.selu)
class SELU(_InPlace):
    """The scaled elu of self-normalizing networks.

    Args:
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.SELU()(gc.tensor([0.0, 1.0]))
        tensor([0.0000, 1.0507])
    """


@layer(F.silu)
class SiLU(_InPlace):
    """input * sigmoid(input).

    Args:
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.SiLU()(gc.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7311])
    """


@layer(F.mish)
class Mish(_InPlace):
    """input * tanh(softplus(input)).

    Args:
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Mish()(gc.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8651])
    """


@layer(F.sigmoid)
class Sigmoid(Module):
    """1 / (1 + exp(-input)).

    Example:
        >>> import graphc as gc
        >>> gc.nn.Sigmoid()(gc.zeros(1))
        tensor([0.5000])
    """


@layer(F.tanh)
class Tanh(Module):
    """The hyperbolic tangent.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Tanh()(gc.ones(1))
        tensor([0.7616])
    """


@layer(F.logsigmoid)
class LogSigmoid(Module):
    """log(sigmoid(input)), without overflow.

    Example:
        >>> import graphc as gc
        >>> gc.nn.LogSigmoid()(gc.zeros(1))
        tensor([-0.6931])
    """


@layer(F.softsign)
class Softsign(Module):
    """input / (1 + |input|).

    Example:
        >>> import graphc as gc
        >>> gc.nn.Softsign()(gc.tensor([3.0]))
        tensor([0.7500])
    """


@layer(F.tanhshrink)
class Tanhshrink(Module):
    """input - tanh(input).

    Example:
        >>> import graphc as gc
        >>> gc.nn.Tanhshrink()(gc.ones(1))
        tensor([0.2384])
    """


@layer(F.elu)
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

    alpha: float = 1.0
    inplace: bool = False


@layer(F.celu)
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

    alpha: float = 1.0
    inplace: bool = False


@layer(F.leaky_relu)
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

    negative_slope: float = 0.01
    inplace: bool = False


@layer(F.gelu)
class GELU(Module):
    """input times the normal distribution's probability of a lesser value.

    Args:
        approximate: "none" or "tanh".

    Example:
        >>> import graphc as gc
        >>> gc.nn.GELU()(gc.tensor([-1.0, 1.0]))
        tensor([-0.1587,  0.8413])
    """

    approximate: str = "none"


@layer(F.softplus)
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

    beta: float = 1.0
    threshold: float = 20.0


__all__ = [
    "CELU", "ELU", "GELU", "LeakyReLU", "LogSigmoid", "Mish", "ReLU", "SELU", "SiLU", "Sigmoid",
    "Softplus", "Softsign", "Tanh", "Tanhshrink",
]  # fmt: skip

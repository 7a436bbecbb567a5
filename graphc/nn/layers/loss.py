"""Losses of numbers against numbers, as layers."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar

from graphc.eager.engine.tensor import Tensor
from graphc.nn import functional as F
from graphc.nn.functional.common import reduction_of
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module


class Loss(Module):
    """What losses have in common: a reduction, and weights, which are buffers.

    Example:
        >>> import graphc as gc
        >>> gc.nn.MSELoss(reduction="sum").reduction
        'sum'
    """

    reduction: str

    def __post_init__(
        self, size_average: bool | None = None, reduce: bool | None = None, **buffers: Tensor | None
    ) -> None:
        self.reduction = reduction_of(size_average, reduce, self.reduction)
        for name, value in buffers.items():
            self.register_buffer(name, value)

    def extra_repr(self) -> str:
        """Nothing: PyTorch's losses show no settings."""
        return ""


@layer
class ReducedLoss(Loss):
    """A loss whose first settings are the old ones and the reduction."""

    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(F.mse_loss, "input target")
class MSELoss(ReducedLoss):
    """The square of input - target.

    Args:
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.MSELoss()(gc.tensor([1.0, 2.0]), gc.tensor([1.0, 4.0]))
        tensor(2.)
    """


@layer(F.l1_loss, "input target")
class L1Loss(ReducedLoss):
    """|input - target|.

    Args:
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.L1Loss()(gc.tensor([1.0, 2.0]), gc.tensor([1.0, 4.0]))
        tensor(1.)
    """


@layer(F.smooth_l1_loss, "input target")
class SmoothL1Loss(ReducedLoss):
    """Half the square of input - target over beta where it is below beta, else linear.

    Args:
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".
        beta: where the square ends.

    Example:
        >>> import graphc as gc
        >>> gc.nn.SmoothL1Loss()(gc.tensor([1.0, 2.0]), gc.tensor([1.0, 4.0]))
        tensor(0.7500)
    """

    beta: float = 1.0


@layer(F.huber_loss, "input target")
class HuberLoss(Loss):
    """Half the square of input - target where it is below delta, else linear.

    Args:
        reduction: "mean", "sum" or "none".
        delta: where the square ends.

    Example:
        >>> import graphc as gc
        >>> gc.nn.HuberLoss(delta=2.0)(gc.tensor([1.0]), gc.tensor([4.0]))
        tensor(4.)
    """

    reduction: str = "mean"
    delta: float = 1.0


@layer(F.binary_cross_entropy, "input target")
class BCELoss(Loss):
    """-(t log(p) + (1 - t) log(1 - p)) for probabilities p.

    Args:
        weight: a factor for each element, or None.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.BCELoss()(gc.tensor([0.5]), gc.tensor([1.0]))
        tensor(0.6931)
    """

    weight: InitVar[Tensor | None] = None
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(F.binary_cross_entropy_with_logits, "input target")
class BCEWithLogitsLoss(Loss):
    """`BCELoss` of sigmoid(input), without overflow.

    Args:
        weight: a factor for each element, or None.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".
        pos_weight: a factor for the target's share, or None.

    Example:
        >>> import graphc as gc
        >>> gc.nn.BCEWithLogitsLoss()(gc.zeros(1), gc.ones(1))
        tensor(0.6931)
    """

    weight: InitVar[Tensor | None] = None
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"
    pos_weight: InitVar[Tensor | None] = None


@layer(F.kl_div, "input target")
class KLDivLoss(ReducedLoss):
    """The Kullback-Leibler divergence: target (log(target) - input).

    Args:
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "batchmean" (the mathematical one), "mean", "sum" or "none".
        log_target: whether target holds logarithms.

    Example:
        >>> import graphc as gc
        >>> gc.nn.KLDivLoss(reduction="batchmean")(gc.tensor([[-1.0]]), gc.ones(1, 1))
        tensor(1.)
    """

    log_target: bool = False


@layer(F.poisson_nll_loss, "input target")
class PoissonNLLLoss(Loss):
    """The negative log likelihood of counts under Poisson distributions.

    Args:
        log_input: whether input holds logarithms.
        full: whether the term log(target!) is added.
        size_average: old; use reduction.
        eps: added to input before the logarithm.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.PoissonNLLLoss()(gc.zeros(1), gc.tensor([3.0]))
        tensor(1.)
    """

    log_input: bool = True
    full: bool = False
    size_average: InitVar[bool | None] = None
    eps: float = 1e-8
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(F.gaussian_nll_loss, "input target var")
class GaussianNLLLoss(Loss):
    """The negative log likelihood of numbers under normal distributions.

    Args:
        full: whether the constant term is added.
        eps: the least variance.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.GaussianNLLLoss()(gc.zeros(1), gc.tensor([2.0]), gc.ones(1))
        tensor(2.)
    """

    _: KW_ONLY
    full: bool = False
    eps: float = 1e-6
    reduction: str = "mean"


__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "GaussianNLLLoss", "HuberLoss", "KLDivLoss", "L1Loss",
    "MSELoss", "PoissonNLLLoss", "SmoothL1Loss",
]  # fmt: skip

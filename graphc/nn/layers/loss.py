"""Losses of numbers against numbers, as layers."""

from __future__ import annotations

from typing import Any

from graphc.nn import functional as F
from graphc.nn.functional.common import reduction_of
from graphc.nn.module.module import Module


class Loss(Module):
    """A module with a reduction: what losses have in common.

    Args:
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.MSELoss(reduction="sum").reduction
        'sum'
    """

    def __init__(
        self, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
    ) -> None:
        super().__init__()
        self.reduction = reduction_of(size_average, reduce, reduction)


class MSELoss(Loss):
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

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)

    def forward(self, input: Any, target: Any) -> Any:
        """See `functional.mse_loss`."""
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
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

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)

    def forward(self, input: Any, target: Any) -> Any:
        """See `functional.l1_loss`."""
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(Loss):
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

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Any:
        """See `functional.smooth_l1_loss`."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


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

    def __init__(
        self,
        reduction: str = "mean",
        delta: float = 1.0,
    ) -> None:
        super().__init__(None, None, reduction)
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Any:
        """See `functional.huber_loss`."""
        return F.huber_loss(input, target, self.reduction, self.delta)


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

    def __init__(
        self,
        weight: Any = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Any, target: Any) -> Any:
        """See `functional.binary_cross_entropy`."""
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


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

    def __init__(
        self,
        weight: Any = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        pos_weight: Any = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Any, target: Any) -> Any:
        """See `functional.binary_cross_entropy_with_logits`."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class KLDivLoss(Loss):
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

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Any, target: Any) -> Any:
        """See `functional.kl_div`."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


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

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: Any = None,
        eps: float = 1e-8,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, input: Any, target: Any) -> Any:
        """See `functional.poisson_nll_loss`."""
        return F.poisson_nll_loss(
            input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction
        )


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

    def __init__(
        self,
        *,
        full: bool = False,
        eps: float = 1e-6,
        reduction: str = "mean",
    ) -> None:
        super().__init__(None, None, reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Any, target: Any, var: Any) -> Any:
        """See `functional.gaussian_nll_loss`."""
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "GaussianNLLLoss", "HuberLoss", "KLDivLoss", "L1Loss",
    "MSELoss", "PoissonNLLLoss", "SmoothL1Loss",
]  # fmt: skip

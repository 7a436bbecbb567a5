"""Layers of two inputs: CosineSimilarity, PairwiseDistance."""

from __future__ import annotations

from typing import Any

from graphc.nn import functional as F
from graphc.nn.module.module import Module


class CosineSimilarity(Module):
    """The cosine of the angle between vectors along an axis.

    Args:
        dim: the axis.
        eps: the least length to divide by.

    Example:
        >>> import graphc as gc
        >>> gc.nn.CosineSimilarity()(gc.tensor([[3.0, 4.0]]), gc.tensor([[1.0, 0.0]]))
        tensor([0.6000])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Any, x2: Any) -> Any:
        """See `functional.cosine_similarity`."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of the difference of two inputs along the last axis.

    Args:
        p: the norm's exponent.
        eps: added to the difference.
        keepdim: keep the axis, with size 1.

    Example:
        >>> import graphc as gc
        >>> gc.nn.PairwiseDistance()(gc.tensor([[3.0, 4.0]]), gc.zeros(1, 2))
        tensor([5.0000])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Any, x2: Any) -> Any:
        """See `functional.pairwise_distance`."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


__all__ = ["CosineSimilarity", "PairwiseDistance"]

"""Layers of two inputs: CosineSimilarity, PairwiseDistance."""

from __future__ import annotations

from dataclasses import InitVar
from typing import Any

from graphc.eager.engine.tensor import AnyTensor
from graphc.nn import functional as F
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module


@layer(F.cosine_similarity, "x1 x2", text="")
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

    dim: int = 1
    eps: float = 1e-8


@layer(text="")
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

    p: InitVar[float] = 2.0
    eps: float = 1e-6
    keepdim: bool = False

    def __post_init__(self, p: float) -> None:
        self.norm = p

    def forward(self, x1: AnyTensor, x2: AnyTensor) -> Any:
        """See `functional.pairwise_distance`."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


__all__ = ["CosineSimilarity", "PairwiseDistance"]

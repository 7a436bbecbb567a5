"""Losses over classes, and of vectors by their distances, as layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, InitVar
from typing import Any

from graphc.eager.engine.tensor import Tensor
from graphc.nn import functional as F
from graphc.nn.layers.distance import PairwiseDistance
from graphc.nn.layers.loss import Loss, ReducedLoss
from graphc.nn.module.layer import layer


@layer(F.cross_entropy, "input target")
class CrossEntropyLoss(Loss):
    """The negative logarithm of the probability that softmax(input) gives to the target.

    Args:
        weight: (classes,) or None; a mean is over the sum of the targets' weights.
        size_average: old; use reduction.
        ignore_index: targets of this value do not count.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".
        label_smoothing: the share of the target that is spread over all classes.

    Example:
        >>> import graphc as gc
        >>> gc.nn.CrossEntropyLoss()(gc.zeros(1, 2), gc.tensor([1]))
        tensor(0.6931)
    """

    weight: InitVar[Tensor | None] = None
    size_average: InitVar[bool | None] = None
    ignore_index: int = -100
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"
    label_smoothing: float = 0.0


@layer(F.nll_loss, "input target")
class NLLLoss(Loss):
    """The negative of the logarithm of probability that input has for each class index.

    Args:
        weight: (classes,) or None; a mean is over the sum of the targets' weights.
        size_average: old; use reduction.
        ignore_index: targets of this value do not count.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.NLLLoss()(gc.tensor([[-1.0, -2.0]]), gc.tensor([1]))
        tensor(2.)
    """

    weight: InitVar[Tensor | None] = None
    size_average: InitVar[bool | None] = None
    ignore_index: int = -100
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(F.multi_margin_loss, "input target")
class MultiMarginLoss(Loss):
    """The mean over other classes of max(0, margin - input[target] + input[other]) ** p.

    Args:
        p: 1 or 2.
        margin: the margin.
        weight: (classes,) or None.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.MultiMarginLoss()(gc.zeros(1, 4), gc.tensor([0]))
        tensor(0.7500)
    """

    p: int = 1
    margin: float = 1.0
    weight: InitVar[Tensor | None] = None
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(F.multilabel_margin_loss, "input target")
class MultiLabelMarginLoss(ReducedLoss):
    """The sum of max(0, 1 - input[target] + input[other]) over targets and others, per class.

    Args:
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.MultiLabelMarginLoss()(gc.zeros(4), gc.tensor([0, -1, 1, 1]))
        tensor(0.7500)
    """


@layer(F.multilabel_soft_margin_loss, "input target")
class MultiLabelSoftMarginLoss(Loss):
    """The mean over classes of `BCEWithLogitsLoss`.

    Args:
        weight: (classes,) or None.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.MultiLabelSoftMarginLoss()(gc.zeros(1, 2), gc.ones(1, 2))
        tensor(0.6931)
    """

    weight: InitVar[Tensor | None] = None
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(F.cosine_embedding_loss, "input1 input2 target")
class CosineEmbeddingLoss(Loss):
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1.

    Args:
        margin: the margin.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> x, y = gc.tensor([[3.0, 4.0]]), gc.tensor([[1.0, 0.0]])
        >>> gc.nn.CosineEmbeddingLoss()(x, y, gc.tensor([1]))
        tensor(0.4000)
    """

    margin: float = 0.0
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(F.triplet_margin_loss, "anchor positive negative")
class TripletMarginLoss(Loss):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d a p-norm distance.

    Args:
        margin: greater than 0.
        p: the norm's exponent.
        eps: added to differences.
        swap: whether d(positive, negative) stands in where it is less.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(1, 2)
        >>> gc.nn.TripletMarginLoss()(x, x, x)
        tensor(1.)
    """

    margin: float = 1.0
    p: float = 2.0
    eps: float = 1e-6
    swap: bool = False
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(F.triplet_margin_with_distance_loss, "anchor positive negative")
class TripletMarginWithDistanceLoss(Loss):
    """`TripletMarginLoss` with a distance of one's own.

    Args:
        distance_function: of two inputs; the Euclidean one unless given.
        margin: greater than 0.
        swap: whether d(positive, negative) stands in where it is less.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(1, 2)
        >>> gc.nn.TripletMarginWithDistanceLoss(margin=0.5)(x, x, x)
        tensor(0.5000)
    """

    _: KW_ONLY
    distance_function: Callable[..., Any] | None = None
    margin: float = 1.0
    swap: bool = False
    reduction: str = "mean"

    def __post_init__(self, *old: bool | None, **buffers: Tensor | None) -> None:
        if self.distance_function is None:
            self.distance_function = PairwiseDistance()


@layer(F.margin_ranking_loss, "input1 input2 target")
class MarginRankingLoss(Loss):
    """max(0, -target (input1 - input2) + margin).

    Args:
        margin: the margin.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.MarginRankingLoss()(gc.zeros(1), gc.ones(1), gc.ones(1))
        tensor(1.)
    """

    margin: float = 0.0
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(F.hinge_embedding_loss, "input target")
class HingeEmbeddingLoss(Loss):
    """input where the target is 1, max(0, margin - input) where it is -1.

    Args:
        margin: the margin.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.HingeEmbeddingLoss()(gc.zeros(2), gc.tensor([1.0, -1.0]))
        tensor(0.5000)
    """

    margin: float = 1.0
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(F.soft_margin_loss, "input target")
class SoftMarginLoss(ReducedLoss):
    """log(1 + exp(-target * input)), for targets 1 and -1.

    Args:
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.SoftMarginLoss()(gc.zeros(1), gc.ones(1))
        tensor(0.6931)
    """


__all__ = [
    "CosineEmbeddingLoss", "CrossEntropyLoss", "HingeEmbeddingLoss", "MarginRankingLoss",
    "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss",
    "SoftMarginLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss",
]  # fmt: skip

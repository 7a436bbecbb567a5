"""Distances and similarities of vectors, and the losses made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.ir import Node, caller
from graphc.eager.engine.composite import composite
from graphc.eager.engine.registry import named
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import AttributeValueError, ShapeError
from graphc.nn.functional.common import (
    above_zero,
    averaged,
    check_reduction,
    show,
)
from graphc.nn.functional.length import norm_of
from graphc.nn.functional.operation import operation
from graphc.ops.arrays.lookup import take
from graphc.ops.arrays.statistics import sum as sum_
from graphc.ops.declare import conform
from graphc.ops.elementwise.arithmetic import square
from graphc.ops.elementwise.exponential import softplus
from graphc.ops.elementwise.extremes import maximum, minimum
from graphc.ops.elementwise.logic import where
from graphc.ops.elementwise.power import sqrt


@operation("DivBackward0")
def cosine_similarity(x1: AnyTensor, x2: AnyTensor, dim: int = 1, eps: float = 1e-8) -> Any:
    """The cosine of the angle between vectors along an axis.

    Args:
        x1: floats.
        x2: floats; the shapes broadcast.
        dim: the axis.
        eps: the least length to divide by.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.cosine_similarity(gc.tensor([[3.0, 4.0]]), gc.tensor([[1.0, 0.0]]))
        tensor([0.6000])
    """
    x, y = conform("cosine_similarity", [x1, x2], "float")
    x = x / maximum(norm_of(x, 2, dim, keepdims=True), eps)
    y = y / maximum(norm_of(y, 2, dim, keepdims=True), eps)
    product = x * y
    return sum_(product, dim) if product.type.shape else product


@operation("NormBackward1")
def pairwise_distance(
    x1: AnyTensor, x2: AnyTensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Any:
    """The p-norm of x1 - x2 + eps along the last axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.pairwise_distance(gc.tensor([[3.0, 4.0]]), gc.zeros(1, 2))
        tensor([5.0000])
    """
    return norm_of(x1 - x2 + eps, p, -1, keepdims=keepdim)


@operation("PdistBackward0")
def pdist(input: AnyTensor, p: float = 2) -> Any:
    """The p-norm distances of all pairs of rows, in the order of an upper triangle.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.pdist(gc.tensor([[0.0, 0.0], [3.0, 4.0]]))
        tensor([5.])
    """
    if len(input.shape) != 2 or not isinstance(input.shape[0], int):
        raise ShapeError(
            f"pdist: the input must be (N, M), its shape is {show(input.shape)}", where=caller()
        )
    n = input.shape[0]
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    first, second = (np.array([pair[k] for pair in pairs], np.int64) for k in (0, 1))
    return norm_of(take(input, first, 0) - take(input, second, 0), p, -1)


@operation("MeanBackward0")
def cosine_embedding_loss(
    input1: AnyTensor,
    input2: AnyTensor,
    target: AnyTensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1.

    Args:
        input1: (N, D) or (D,).
        input2: of the same shape.
        target: (N,) or (): 1 or -1.
        margin: between -1 and 1.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> x, y = gc.tensor([[3.0, 4.0]]), gc.tensor([[1.0, 0.0]])
        >>> gc.nn.functional.cosine_embedding_loss(x, y, gc.tensor([1]))
        tensor(0.4000)
    """
    name = "cosine_embedding_loss"
    check_reduction(name, reduction)
    shape = input1.shape
    if input2.shape != shape or len(shape) not in (1, 2) or target.shape != shape[:-1]:
        raise ShapeError(
            f"{name}: the inputs must be (N, D), the target (N,); they are {show(shape)}, "
            f"{show(input2.shape)} and {show(target.shape)}",
            where=caller(),
        )
    lengths = (sum_(square(input1), -1) + 1e-12) * (sum_(square(input2), -1) + 1e-12)
    cosine = sum_(input1 * input2, -1) / sqrt(lengths)
    apart = where(target == -1, above_zero(cosine - margin), 0)
    return averaged(where(target == 1, 1 - cosine, apart), reduction)


@operation("MeanBackward0")
def triplet_margin_loss(
    anchor: AnyTensor,
    positive: AnyTensor,
    negative: AnyTensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d the p-norm of a difference.

    Args:
        anchor: (N, D) or (D,).
        positive: of the same shape.
        negative: of the same shape.
        margin: greater than 0.
        p: the norm's exponent.
        eps: added to differences.
        swap: whether d(positive, negative) stands in where it is less.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.triplet_margin_loss(gc.zeros(1, 2), gc.zeros(1, 2), gc.zeros(1, 2))
        tensor(1.)
    """
    if margin <= 0:
        raise AttributeValueError(
            f"triplet_margin_loss: margin={margin} must be greater than 0", where=caller()
        )
    check_reduction("triplet_margin_loss", reduction)
    near = norm_of(anchor - positive + eps, p, -1)
    far = norm_of(anchor - negative + eps, p, -1)
    if swap:
        far = minimum(far, norm_of(positive - negative + eps, p, -1))
    return averaged(above_zero(near - far + margin), reduction)


@composite
@named("MeanBackward0")
def _ranked(near: Node, far: Node, between: Node | None, *, margin: float, reduction: str) -> Any:
    check_reduction("triplet_margin_with_distance_loss", reduction)
    far = far if between is None else minimum(far, between)
    return averaged(above_zero(near - far + margin), reduction)


def triplet_margin_with_distance_loss(
    anchor: AnyTensor,
    positive: AnyTensor,
    negative: AnyTensor,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """`triplet_margin_loss` with a distance of one's own.

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(1, 2)
        >>> gc.nn.functional.triplet_margin_with_distance_loss(x, x, x, margin=0.5)
        tensor(0.5000)
    """
    if margin <= 0:
        raise AttributeValueError(
            f"triplet_margin_with_distance_loss: margin={margin} must be greater than 0",
            where=caller(),
        )
    distance = pairwise_distance if distance_function is None else distance_function
    between = distance(positive, negative) if swap else None
    near, far = distance(anchor, positive), distance(anchor, negative)
    return _ranked(near, far, between, margin=margin, reduction=reduction)


@operation("MeanBackward0")
def margin_ranking_loss(
    input1: AnyTensor,
    input2: AnyTensor,
    target: AnyTensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """max(0, -target (input1 - input2) + margin): target 1 wants input1 greater, -1 input2.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.margin_ranking_loss(gc.zeros(1), gc.ones(1), gc.ones(1))
        tensor(1.)
    """
    check_reduction("margin_ranking_loss", reduction)
    return averaged(above_zero(-target * (input1 - input2) + margin), reduction)


@operation("MeanBackward0")
def hinge_embedding_loss(
    input: AnyTensor,
    target: AnyTensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """input where the target is 1, max(0, margin - input) where it is -1.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.hinge_embedding_loss(gc.zeros(2), gc.tensor([1.0, -1.0]))
        tensor(0.5000)
    """
    check_reduction("hinge_embedding_loss", reduction)
    far = where(target == 1, 0, above_zero(margin - input))
    return averaged(far + where(target == -1, 0, input), reduction)


@operation("SoftMarginLossBackward0")
def soft_margin_loss(
    input: AnyTensor,
    target: AnyTensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """log(1 + exp(-target * input)), for targets 1 and -1.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.soft_margin_loss(gc.zeros(1), gc.ones(1))
        tensor(0.6931)
    """
    check_reduction("soft_margin_loss", reduction)
    return averaged(softplus(-target * input), reduction)


__all__ = [
    "cosine_embedding_loss", "cosine_similarity", "hinge_embedding_loss", "margin_ranking_loss",
    "pairwise_distance", "pdist", "soft_margin_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]  # fmt: skip

"""Distances and similarities of vectors, and the losses made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.ir import Node, caller
from graphc.core.operators import Operators
from graphc.eager.engine.composite import composite
from graphc.eager.engine.registry import named
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import AttributeValueError, ShapeError
from graphc.nn.functional.common import (
    above_zero,
    averaged,
    check_reduction,
    reduction_of,
    show,
)
from graphc.nn.functional.length import norm_of
from graphc.ops.arrays.lookup import take
from graphc.ops.arrays.statistics import sum as sum_
from graphc.ops.declare import conform
from graphc.ops.elementwise.arithmetic import square
from graphc.ops.elementwise.exponential import softplus
from graphc.ops.elementwise.extremes import maximum, minimum
from graphc.ops.elementwise.logic import where
from graphc.ops.elementwise.power import sqrt


@composite
@named("DivBackward0")
def _cosine_similarity(x: Operators, y: Operators, *, dim: int, eps: float) -> Any:
    x, y = conform("cosine_similarity", [x, y], "float")
    x = x / maximum(norm_of(x, 2, dim, keepdims=True), eps)
    y = y / maximum(norm_of(y, 2, dim, keepdims=True), eps)
    product = x * y
    return sum_(product, dim) if product.type.shape else product


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
    return _cosine_similarity(x1, x2, dim=dim, eps=eps)


@composite
@named("NormBackward1")
def _pairwise_distance(x: Node, y: Node, *, p: float, eps: float, keepdim: bool) -> Any:
    return norm_of(x - y + eps, p, -1, keepdims=keepdim)


def pairwise_distance(
    x1: AnyTensor, x2: AnyTensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Any:
    """The p-norm of x1 - x2 + eps along the last axis.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.pairwise_distance(gc.tensor([[3.0, 4.0]]), gc.zeros(1, 2))
        tensor([5.0000])
    """
    return _pairwise_distance(x1, x2, p=p, eps=eps, keepdim=keepdim)


@composite
@named("PdistBackward0")
def _pdist(x: Any, *, p: float) -> Any:
    if len(x.type.shape) != 2 or not isinstance(x.type.shape[0], int):
        raise ShapeError(
            f"pdist: the input must be (N, M), its shape is {show(x.type.shape)}", where=caller()
        )
    n = x.type.shape[0]
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    first, second = (np.array([pair[k] for pair in pairs], np.int64) for k in (0, 1))
    return norm_of(take(x, first, 0) - take(x, second, 0), p, -1)


def pdist(input: AnyTensor, p: float = 2) -> Any:
    """The p-norm distances of all pairs of rows, in the order of an upper triangle.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.pdist(gc.tensor([[0.0, 0.0], [3.0, 4.0]]))
        tensor([5.])
    """
    return _pdist(input, p=p)


@composite
@named("MeanBackward0")
def _cosine_embedding_loss(x: Any, y: Any, target: Any, *, margin: float, reduction: str) -> Any:
    name = "cosine_embedding_loss"
    check_reduction(name, reduction)
    shape = x.type.shape
    if y.type.shape != shape or len(shape) not in (1, 2) or target.type.shape != shape[:-1]:
        raise ShapeError(
            f"{name}: the inputs must be (N, D), the target (N,); they are {show(shape)}, "
            f"{show(y.type.shape)} and {show(target.type.shape)}",
            where=caller(),
        )
    lengths = (sum_(square(x), -1) + 1e-12) * (sum_(square(y), -1) + 1e-12)
    cosine = sum_(x * y, -1) / sqrt(lengths)
    apart = where(target == -1, above_zero(cosine - margin), 0)
    return averaged(where(target == 1, 1 - cosine, apart), reduction)


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
    reduction = reduction_of(size_average, reduce, reduction)
    return _cosine_embedding_loss(input1, input2, target, margin=margin, reduction=reduction)


@composite
@named("MeanBackward0")
def _triplet_margin_loss(
    anchor: Node,
    positive: Node,
    negative: Node,
    *,
    margin: float,
    p: float,
    eps: float,
    swap: bool,
    reduction: str,
) -> Any:
    check_reduction("triplet_margin_loss", reduction)
    near = norm_of(anchor - positive + eps, p, -1)
    far = norm_of(anchor - negative + eps, p, -1)
    if swap:
        far = minimum(far, norm_of(positive - negative + eps, p, -1))
    return averaged(above_zero(near - far + margin), reduction)


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
    reduction = reduction_of(size_average, reduce, reduction)
    return _triplet_margin_loss(
        anchor, positive, negative, margin=margin, p=p, eps=eps, swap=swap, reduction=reduction
    )


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


@composite
@named("MeanBackward0")
def _margin_ranking_loss(x: Node, y: Node, target: Node, *, margin: float, reduction: str) -> Any:
    check_reduction("margin_ranking_loss", reduction)
    return averaged(above_zero(-target * (x - y) + margin), reduction)


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
    reduction = reduction_of(size_average, reduce, reduction)
    return _margin_ranking_loss(input1, input2, target, margin=margin, reduction=reduction)


@composite
@named("MeanBackward0")
def _hinge_embedding_loss(x: Node, target: Node, *, margin: float, reduction: str) -> Any:
    check_reduction("hinge_embedding_loss", reduction)
    far = where(target == 1, 0, above_zero(margin - x))
    return averaged(far + where(target == -1, 0, x), reduction)


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
    reduction = reduction_of(size_average, reduce, reduction)
    return _hinge_embedding_loss(input, target, margin=margin, reduction=reduction)


@composite
@named("SoftMarginLossBackward0")
def _soft_margin_loss(x: Node, target: Node, *, reduction: str) -> Any:
    check_reduction("soft_margin_loss", reduction)
    return averaged(softplus(-target * x), reduction)


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
    reduction = reduction_of(size_average, reduce, reduction)
    return _soft_margin_loss(input, target, reduction=reduction)


__all__ = [
    "cosine_embedding_loss", "cosine_similarity", "hinge_embedding_loss", "margin_ranking_loss",
    "pairwise_distance", "pdist", "soft_margin_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]  # fmt: skip

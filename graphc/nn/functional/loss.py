"""Losses of numbers against numbers; those over classes are in `loss_classes`."""

from __future__ import annotations

import math
import warnings
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import AttributeValueError, GraphcWarning, ShapeError
from graphc.nn.functional.common import (
    averaged,
    check_reduction,
    same_shapes,
    show,
)
from graphc.nn.functional.operation import operation
from graphc.ops.arrays.shaping import broadcast_to, expand_dims
from graphc.ops.arrays.statistics import sum as sum_
from graphc.ops.control import stop_gradient
from graphc.ops.declare import conform
from graphc.ops.elementwise.arithmetic import absolute, square
from graphc.ops.elementwise.cast import cast
from graphc.ops.elementwise.exponential import exp, log, softplus
from graphc.ops.elementwise.extremes import maximum
from graphc.ops.elementwise.logic import where
from graphc.ops.network import activations


def _pair(name: str, x: Any, target: Any) -> tuple[Any, Any]:
    """Two tensors of one type; broadcasting, which is seldom meant, is warned of."""
    if x.type.shape != target.type.shape:
        warnings.warn(
            f"{name}: the input has shape {show(x.type.shape)}, the target "
            f"{show(target.type.shape)}: broadcast, which is seldom meant",
            GraphcWarning,
            stacklevel=2,
        )
        # As in PyTorch: after it, a 0-d tensor counts as any other among dtypes.
        wide = conform(name, [x, target])[0].type.shape
        x, target = broadcast_to(x, wide), broadcast_to(target, wide)
    x, target = conform(name, [x, target])
    return x, target


def _weighted(name: str, losses: Any, weight: Any, reduction: str) -> Any:
    """Losses times weights; their mean is over the sum of the weights."""
    check_reduction(name, reduction)
    if weight is None:
        return averaged(losses, reduction)
    losses, weight = conform(name, [losses, weight])
    if reduction == "mean":
        return sum_(losses * weight) / sum_(weight)
    return averaged(losses * weight, reduction)


@operation("MseLossBackward0")
def mse_loss(
    input: AnyTensor,
    target: AnyTensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: AnyTensor | None = None,
) -> Any:
    """The square of input - target.

    Args:
        input: floats.
        target: floats of the same shape.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".
        weight: a factor for each element, or None.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.mse_loss(gc.tensor([1.0, 2.0]), gc.tensor([1.0, 4.0]))
        tensor(2.)
    """
    input, target = _pair("mse_loss", input, target)
    return _weighted("mse_loss", square(input - target), weight, reduction)


@operation("L1LossBackward0")
def l1_loss(
    input: AnyTensor,
    target: AnyTensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: AnyTensor | None = None,
) -> Any:
    """|input - target|; arguments as for `mse_loss`.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.l1_loss(gc.tensor([1.0, 2.0]), gc.tensor([1.0, 4.0]))
        tensor(1.)
    """
    input, target = _pair("l1_loss", input, target)
    return _weighted("l1_loss", absolute(input - target), weight, reduction)


@operation("SmoothL1LossBackward0")
def smooth_l1_loss(
    input: AnyTensor,
    target: AnyTensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Any:
    """Half the square of input - target over beta where it is below beta, else |...| - beta / 2.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.smooth_l1_loss(gc.tensor([1.0, 2.0]), gc.tensor([1.0, 4.0]))
        tensor(0.7500)
    """
    if beta < 0:
        raise AttributeValueError(f"smooth_l1_loss: beta={beta} is less than 0", where=caller())
    input, target = _pair("smooth_l1_loss", input, target)
    far = absolute(input - target)
    if beta == 0:
        return _weighted("smooth_l1_loss", far, None, reduction)
    is_far = far >= beta
    near = square(where(is_far, 0, input - target)) * (0.5 / beta)
    return _weighted("smooth_l1_loss", where(is_far, far - 0.5 * beta, near), None, reduction)


@operation("HuberLossBackward0")
def huber_loss(
    input: AnyTensor,
    target: AnyTensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: AnyTensor | None = None,
) -> Any:
    """Half the square of input - target where it is below delta, else delta (|...| - delta / 2).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.huber_loss(gc.tensor([1.0]), gc.tensor([4.0]), delta=2.0)
        tensor(4.)
    """
    if delta <= 0:
        raise AttributeValueError(
            f"huber_loss: delta={delta} must be greater than 0", where=caller()
        )
    input, target = _pair("huber_loss", input, target)
    far = absolute(input - target)
    is_far = far > delta
    near = square(where(is_far, 0, input - target)) * 0.5
    losses = where(is_far, (far - 0.5 * delta) * delta, near)
    # Here, and not in the others, the mean is over the number of elements.
    losses = losses if weight is None else losses * weight
    return _weighted("huber_loss", losses, None, reduction)


@operation("BinaryCrossEntropyBackward0")
def binary_cross_entropy(
    input: AnyTensor,
    target: AnyTensor,
    weight: AnyTensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """-(t log(p) + (1 - t) log(1 - p)), logarithms no less than -100.

    Args:
        input: probabilities p.
        target: floats t in [0, 1] of the same shape.
        weight: a factor for each element, broadcast, or None.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.binary_cross_entropy(gc.tensor([0.5]), gc.tensor([1.0]))
        tensor(0.6931)
    """
    same_shapes("binary_cross_entropy", input=input, target=target)
    check_reduction("binary_cross_entropy", reduction)
    losses = activations.binary_cross_entropy(input, target, "none")
    return averaged(losses if weight is None else losses * weight, reduction)


@operation("BinaryCrossEntropyWithLogitsBackward0")
def binary_cross_entropy_with_logits(
    input: AnyTensor,
    target: AnyTensor,
    weight: AnyTensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: AnyTensor | None = None,
) -> Any:
    """`binary_cross_entropy` of sigmoid(input), without overflow.

    Args:
        input: floats.
        target: floats in [0, 1] of the same shape.
        weight: a factor for each element, broadcast, or None.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".
        pos_weight: a factor for the target's share, broadcast, or None.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.binary_cross_entropy_with_logits(gc.zeros(1), gc.ones(1))
        tensor(0.6931)
    """
    name = "binary_cross_entropy_with_logits"
    same_shapes(name, input=input, target=target)
    check_reduction(name, reduction)
    rest = softplus(-input)
    if pos_weight is not None:
        rest = ((pos_weight - 1) * target + 1) * rest
    losses = (1 - target) * input + rest
    if target.dtype.is_float:  # PyTorch writes the losses over 1 - target
        losses = cast(losses, target.dtype)
    return averaged(losses if weight is None else losses * weight, reduction)


@operation("KlDivBackward0")
def kl_div(
    input: AnyTensor,
    target: AnyTensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    """The Kullback-Leibler divergence, element by element: target (log(target) - input).

    Args:
        input: logarithms of probabilities.
        target: probabilities, or their logarithms with log_target.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "batchmean" (the mathematical one), "mean", "sum" or "none".
        log_target: whether target holds logarithms.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.kl_div(gc.tensor([[-1.0]]), gc.ones(1, 1), reduction="batchmean")
        tensor(1.)
    """
    x, y = conform("kl_div", [input, target])
    if log_target:
        losses = exp(y) * (y - x)
    else:
        inside = where(y == 0, 1, y)
        losses = where(y == 0, 0, y * log(inside)) - y * x
    if reduction == "batchmean":
        return sum_(losses) / x.shape[0] if x.shape else losses
    check_reduction("kl_div", reduction)
    return averaged(losses, reduction)


@operation("MeanBackward0")
def poisson_nll_loss(
    input: AnyTensor,
    target: AnyTensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The negative log likelihood of counts under Poisson distributions.

    Args:
        input: logarithms of the expected counts, or the counts themselves.
        target: counts.
        log_input: whether input holds logarithms.
        full: whether the term log(target!) is added, by Stirling's formula.
        size_average: old; use reduction.
        eps: added to input before the logarithm.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.poisson_nll_loss(gc.zeros(1), gc.tensor([3.0]))
        tensor(1.)
    """
    check_reduction("poisson_nll_loss", reduction)
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        inside = where(target <= 1, 1, target)
        stirling = inside * log(inside) - inside + log(inside * (2 * math.pi)) * 0.5
        losses = losses + where(target > 1, stirling, 0)
    return averaged(losses, reduction)


@operation("MeanBackward0")
def gaussian_nll_loss(
    input: AnyTensor,
    target: AnyTensor,
    var: AnyTensor,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Any:
    """The negative log likelihood of numbers under normal distributions.

    Args:
        input: the expected values.
        target: the numbers.
        var: the variances: a number, of input's shape, or without its last axis.
        full: whether the constant term is added.
        eps: the least variance.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.gaussian_nll_loss(gc.zeros(1), gc.tensor([2.0]), gc.ones(1))
        tensor(2.)
    """
    check_reduction("gaussian_nll_loss", reduction)
    shape, wide = input.shape, var.shape
    if wide != shape and wide:
        ones = len(wide) == len(shape) and [a for a, b in zip(wide, shape) if a != b] == [1]
        if wide == shape[:-1]:
            var = expand_dims(var, -1)
        elif not ones:
            raise ShapeError(
                f"gaussian_nll_loss: var has shape {show(wide)}, the input {show(shape)}",
                where=caller(),
            )
    # The bound is no part of the gradient.
    var = var + stop_gradient(maximum(var, eps) - var)
    losses = (log(var) + square(input - target) / var) * 0.5
    return averaged(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "gaussian_nll_loss", "huber_loss",
    "kl_div", "l1_loss", "mse_loss", "poisson_nll_loss", "smooth_l1_loss",
]  # fmt: skip

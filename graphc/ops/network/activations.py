"""What networks apply: relu and its kin, softmax, cross_entropy; compositions of ops.

They are written so that fusion sees plain elementwise ops and row reductions.
"""

from __future__ import annotations

import math
from typing import Any

from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Operand
from graphc.errors import AttributeValueError, DTypeError, ShapeError
from graphc.ops.arrays.indexing import from_start
from graphc.ops.arrays.reduce import MAX, SUM
from graphc.ops.arrays.statistics import kept
from graphc.ops.declare import as_tensor, check_axis, conform, describe, public, rounded_once


def _floats(name: str, x: Operand) -> Any:
    return conform(name, [x], "float")[0]


@public
def relu(x: Operand) -> Any:
    """x where it is positive, else 0; nan stays nan. The gradient at 0 is 0, as in PyTorch.

    Args:
        x: a tensor of numbers.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([-1.0, 2.0])
        >>> gc.relu(x)
        tensor([0., 2.])
    """
    x = as_tensor(x, "relu")
    if not x.type.dtype.is_float:
        return FUNCTIONS["maximum"](x, 0)
    return FUNCTIONS["where"](x <= 0, 0, x)


@public
def relu6(x: Operand) -> Any:
    """x where it lies between 0 and 6, else the nearer of them; no gradient at either.

    Example:
        >>> import graphc as gc
        >>> gc.relu6(gc.tensor([-1.0, 2.0, 8.0]))
        tensor([0., 2., 6.])
    """
    x = as_tensor(x, "relu6")
    low = relu(x)
    return FUNCTIONS["where"](low >= 6, 6, low)


@public
def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """x where it is positive, else x times a slope; at 0 the gradient is the slope, as in PyTorch.

    Args:
        x: floats.
        negative_slope: a number.

    Example:
        >>> import graphc as gc
        >>> gc.leaky_relu(gc.tensor([-1.0, 2.0]), 0.1)
        tensor([-0.1000,  2.0000])
    """
    x = _floats("leaky_relu", x)
    return FUNCTIONS["where"](x > 0, x, x * negative_slope)


@public
def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else alpha * (exp(x) - 1).

    Args:
        x: floats.
        alpha: a number.

    Example:
        >>> import graphc as gc
        >>> gc.elu(gc.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """
    x = _floats("elu", x)
    # exp sees no positive x: its overflow would turn the gradient there to nan.
    below = FUNCTIONS["expm1"](FUNCTIONS["where"](x > 0, 0, x))
    return FUNCTIONS["where"](x > 0, x, below * alpha)


@public
def selu(x: Operand) -> Any:
    """The scaled elu of Klambauer et al., "Self-normalizing neural networks", 2017.

    Example:
        >>> import graphc as gc
        >>> gc.selu(gc.tensor([-1.0, 1.0]))
        tensor([-1.1113,  1.0507])
    """
    return elu(x, 1.6732632423543772) * 1.0507009873554805


@public
@rounded_once
def silu(x: Operand) -> Any:
    """x * sigmoid(x).

    Example:
        >>> import graphc as gc
        >>> gc.silu(gc.tensor([-1.0, 1.0]))
        tensor([-0.2689,  0.7311])
    """
    x = _floats("silu", x)
    return x * FUNCTIONS["sigmoid"](x)


@public
@rounded_once
def gelu(x: Any, approximate: str = "none") -> Any:
    """x times the normal distribution's probability of a value below x.

    Args:
        x: floats.
        approximate: "none" uses erf, "tanh" the formula of Hendrycks and Gimpel, "Gaussian error
            linear units", 2016.

    Example:
        >>> import graphc as gc
        >>> gc.gelu(gc.tensor([-1.0, 1.0]))
        tensor([-0.1587,  0.8413])
    """
    x = _floats("gelu", x)
    if approximate == "none":
        return x * 0.5 * (1 + FUNCTIONS["erf"](x * math.sqrt(0.5)))
    if approximate != "tanh":
        raise AttributeValueError(
            f"gelu: approximate={approximate!r}", where=caller(), hint='use "none" or "tanh"'
        )
    # 0.5 * (1 + tanh(z)) is sigmoid(2 * z), which does not cancel where x is below 0.
    inner = (x + x * x * x * 0.044715) * math.sqrt(8 / math.pi)
    return x * FUNCTIONS["sigmoid"](inner)


@public
def log_sigmoid(x: Operand) -> Any:
    """log(sigmoid(x)), without overflow.

    Example:
        >>> import graphc as gc
        >>> gc.log_sigmoid(gc.tensor([0.0, -100.0]))
        tensor([  -0.6931, -100.0000])
    """
    return -FUNCTIONS["softplus"](-_floats("log_sigmoid", x))


@public
@rounded_once
def mish(x: Operand) -> Any:
    """x * tanh(softplus(x)).

    Example:
        >>> import graphc as gc
        >>> gc.mish(gc.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8651])
    """
    x = _floats("mish", x)
    return x * FUNCTIONS["tanh"](FUNCTIONS["softplus"](x))


def _shifted(name: str, x: Any, axis: int) -> tuple[Any, tuple[int, ...]]:
    """x less its greatest element along an axis, which changes no softmax, and the axis."""
    x = _floats(name, x)
    axes = (check_axis(name, axis, len(x.type.shape)),)
    if x.type.shape[axes[0]] == 0:
        return x, axes  # no element has a greatest one beside it
    top = FUNCTIONS["stop_gradient"](MAX(x, axes=axes))
    return x - kept(top, x, axes), axes


@public
@rounded_once
def softmax(x: Operand, axis: int = -1) -> Any:
    """exp(x) / sum(exp(x)) along an axis, without overflow.

    Args:
        x: floats.
        axis: the axis whose elements then sum to 1.
    """
    y, axes = _shifted("softmax", x, axis)
    e = FUNCTIONS["exp"](y)
    return e / kept(SUM(e, axes=axes), e, axes)


@public
@rounded_once
def log_softmax(x: Operand, axis: int = -1) -> Any:
    """The logarithm of `softmax`, without loss of accuracy.

    Args:
        x: floats.
        axis: the axis.
    """
    y, axes = _shifted("log_softmax", x, axis)
    total = SUM(FUNCTIONS["exp"](y), axes=axes)
    return y - kept(FUNCTIONS["log"](total), y, axes)


def _averaged(name: str, losses: object, reduction: str) -> Any:
    if reduction not in ("mean", "sum", "none"):
        raise AttributeValueError(
            f"{name}: reduction={reduction!r}", where=caller(), hint='"mean", "sum" or "none"'
        )
    return losses if reduction == "none" else FUNCTIONS[reduction](losses)


@public
def cross_entropy(logits: Operand, labels: Any, reduction: str = "mean") -> Any:
    """The negative logarithm of the probability that softmax gives to each label.

    Args:
        logits: (n, classes), or (n, classes, *more) as in PyTorch; floats.
        labels: (n,) or (n, *more); integers from 0 to classes - 1.
        reduction: "mean", "sum", or "none" for one loss each.

    Returns:
        A scalar; the labels' shape with "none".

    Raises:
        ShapeError: the shapes do not fit.
        DTypeError: the labels are no integers.
        CastOverflowError, IndexRangeError: when the program runs, for a label that is negative,
            or not less than the number of classes.

    Example:
        >>> import graphc as gc
        >>> gc.cross_entropy(gc.zeros(1, 4), gc.tensor([2]))  # log(4): all labels alike
        tensor(1.3863)
    """
    logits, labels = as_tensor(logits, "cross_entropy"), as_tensor(labels, "cross_entropy")
    shape = logits.type.shape
    if len(shape) < 2 or labels.type.shape != (shape[0], *shape[2:]):
        raise ShapeError(
            f"cross_entropy: logits {logits.type} and labels {labels.type} do not fit",
            [describe(logits), describe(labels)],
            where=caller(),
            hint="logits are (n, classes), labels (n,)",
        )
    if not labels.type.dtype.is_integer:
        raise DTypeError(
            f"cross_entropy: labels must be integers, not {labels.type}",
            [describe(labels)],
            where=caller(),
        )
    place = FUNCTIONS["expand_dims"](from_start(labels), 1)
    chosen = FUNCTIONS["take_along_axis"](log_softmax(logits, 1), place, 1)
    losses = FUNCTIONS["reshape"](-chosen, labels.type.shape)
    return _averaged("cross_entropy", losses, reduction)


@public
def binary_cross_entropy(probability: Any, target: Operand, reduction: str = "mean") -> Any:
    """-(t * log(p) + (1 - t) * log(1 - p)), logarithms no less than -100, as in PyTorch.

    Args:
        probability: floats in [0, 1].
        target: floats of the same shape.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.binary_cross_entropy(gc.tensor([0.9, 0.2]), gc.tensor([1.0, 0.0]))
        tensor(0.1643)
    """
    p, t = conform("binary_cross_entropy", [probability, target], "float")
    losses = -(t * _bounded_log(p) + (1 - t) * _bounded_log(1 - p))
    return _averaged("binary_cross_entropy", losses, reduction)


def _bounded_log(p: Operators) -> Any:
    """log(p), no less than -100; the gradient at 0 is 0."""
    where = FUNCTIONS["where"]
    value = FUNCTIONS["log"](where(p == 0, 1, p))
    return where(p == 0, -100.0, FUNCTIONS["clip"](value, -100.0, None))


@public
def binary_cross_entropy_with_logits(
    logits: Operand, target: Operand, reduction: str = "mean"
) -> Any:
    """`binary_cross_entropy` of sigmoid(logits), without overflow.

    Args:
        logits: floats.
        target: floats of the same shape.
        reduction: "mean", "sum" or "none".
    """
    x, t = conform("binary_cross_entropy_with_logits", [logits, target], "float")
    losses = FUNCTIONS["softplus"](x) - x * t
    return _averaged("binary_cross_entropy_with_logits", losses, reduction)


@public
def mse_loss(x: Operand, target: Operand, reduction: str = "mean") -> Any:
    """(x - target)**2.

    Args:
        x: floats.
        target: floats of the same shape.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.mse_loss(gc.tensor([1.0, 2.0]), gc.tensor([1.0, 4.0]))
        tensor(2.)
    """
    x, target = conform("mse_loss", [x, target], "float")
    return _averaged("mse_loss", FUNCTIONS["square"](x - target), reduction)

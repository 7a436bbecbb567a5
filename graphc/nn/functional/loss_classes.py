"""Losses over classes: cross entropy, negative log likelihood, margins."""

from __future__ import annotations

from typing import Any

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import AttributeValueError, DTypeError, ShapeError
from graphc.nn.functional.common import averaged, check_reduction, show
from graphc.nn.functional.operation import operation
from graphc.ops.arrays.cumulative import cumprod
from graphc.ops.arrays.filled import arange, zeros
from graphc.ops.arrays.indexing import from_start
from graphc.ops.arrays.lookup import scatter_add, take, take_along_axis
from graphc.ops.arrays.shaping import expand_dims, reshape
from graphc.ops.arrays.statistics import mean
from graphc.ops.arrays.statistics import sum as sum_
from graphc.ops.elementwise.cast import cast
from graphc.ops.elementwise.exponential import softplus
from graphc.ops.elementwise.logic import where
from graphc.ops.elementwise.power import power
from graphc.ops.network import activations


def _class_axis(name: str, x: Any, target: Any, weight: Any) -> int:
    """The axis of classes: 1, or 0 of a single sample; shapes and dtypes checked."""
    shape = x.type.shape
    if not shape:
        raise ShapeError(f"{name}: the input needs an axis of classes", where=caller())
    axis = 0 if len(shape) == 1 else 1
    if weight is not None and weight.type.shape != (shape[axis],):
        raise ShapeError(
            f"{name}: weight has shape {show(weight.type.shape)}, "
            f"the input has {shape[axis]} classes",
            where=caller(),
        )
    of_places = (*shape[:axis], *shape[axis + 1 :])
    if target.type.shape != of_places:
        raise ShapeError(
            f"{name}: the input has shape {show(shape)}, so the target must have "
            f"{show(of_places)}, not {show(target.type.shape)}",
            where=caller(),
            hint="the input is (N, classes, ...), the target (N, ...) of class indices",
        )
    if not target.type.dtype.is_integer:
        raise DTypeError(
            f"{name}: class indices must be integers, not {target.type.dtype.name}",
            where=caller(),
            hint="use target.long()",
        )
    return axis


def _of_indices(
    name: str,
    logs: Any,
    target: Any,
    weight: AnyTensor | None,
    ignore_index: int,
    smoothing: float,
    reduction: str,
) -> Any:
    """The losses of class indices, given the logarithms of probabilities."""
    axis = _class_axis(name, logs, target, weight)
    counts = target != ignore_index
    safe = from_start(where(counts, target, 0))
    chosen = take_along_axis(logs, expand_dims(safe, axis), axis)
    losses = -reshape(chosen, target.type.shape)
    share = None
    if weight is not None:
        share = take(weight, safe, 0)
        losses = losses * share
    if smoothing:
        classes = logs.type.shape[axis]
        every = logs if weight is None else logs * _along(weight, logs, axis)
        losses = losses * (1 - smoothing) - sum_(every, axis) * (smoothing / classes)
    losses = where(counts, losses, 0)
    if reduction != "mean":
        return averaged(losses, reduction)
    ones = cast(counts, losses.type.dtype)
    return sum_(losses) / sum_(ones if share is None else share * ones)


def _along(weight: Any, x: Any, axis: int) -> Any:
    """One number a class, lined up with the axis of classes."""
    return reshape(weight, [weight.type.size if a == axis else 1 for a in range(x.type.rank)])


@operation("NllLossBackward0")
def nll_loss(
    input: AnyTensor,
    target: AnyTensor,
    weight: AnyTensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The negative of the logarithm of probability that input has for each class index.

    Args:
        input: (N, classes, ...) or (classes,): logarithms of probabilities.
        target: (N, ...) or (): class indices.
        weight: (classes,) or None; the mean is then over the sum of the weights.
        size_average: old; use reduction.
        ignore_index: targets of this value do not count.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.nll_loss(gc.tensor([[-1.0, -2.0]]), gc.tensor([1]))
        tensor(2.)
    """
    check_reduction("nll_loss", reduction)
    return _of_indices("nll_loss", input, target, weight, ignore_index, 0.0, reduction)


@operation("NllLossBackward0")
def cross_entropy(
    input: AnyTensor,
    target: AnyTensor,
    weight: AnyTensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """The negative logarithm of the probability that softmax(input) gives to the target.

    Args:
        input: (N, classes, ...) or (classes,): unnormalized.
        target: class indices, (N, ...) or (); or probabilities of input's shape.
        weight: (classes,) or None; the mean is then over the sum of the targets' weights.
        size_average: old; use reduction.
        ignore_index: class indices of this value do not count.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".
        label_smoothing: the share of the target that is spread over all classes.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.cross_entropy(gc.zeros(1, 2), gc.tensor([1]))
        tensor(0.6931)
    """
    if not 0.0 <= label_smoothing <= 1.0:
        raise AttributeValueError(
            f"cross_entropy: label_smoothing={label_smoothing} must lie between 0 and 1",
            where=caller(),
        )
    name = "cross_entropy"
    check_reduction(name, reduction)
    if not input.shape:
        raise ShapeError(f"{name}: the input needs an axis of classes", where=caller())
    axis = 0 if len(input.shape) == 1 else 1
    logs = activations.log_softmax(input, axis)
    if not (target.dtype.is_float and target.shape == input.shape):
        return _of_indices(name, logs, target, weight, ignore_index, label_smoothing, reduction)
    if weight is not None:
        logs = logs * _along(weight, logs, axis)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[axis]
    return averaged(-sum_(logs * target, axis), reduction)


def _rows(name: str, x: Any, target: Any, like_input: bool) -> tuple[Any, Any, bool]:
    """(N, classes) and its target from these or from a single sample; whether it was single."""
    shape = x.type.shape
    wanted = shape if like_input else shape[:-1]
    if len(shape) not in (1, 2) or target.type.shape != wanted:
        raise ShapeError(
            f"{name}: the input must be (N, classes) or (classes,), the target "
            f"{show(wanted)}; they are {show(shape)} and {show(target.type.shape)}",
            where=caller(),
        )
    if len(shape) == 2:
        return x, target, False
    return expand_dims(x, 0), expand_dims(target, 0), True


@operation("MultiMarginLossBackward0")
def multi_margin_loss(
    input: AnyTensor,
    target: AnyTensor,
    p: int = 1,
    margin: float = 1.0,
    weight: AnyTensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The mean over other classes of max(0, margin - input[target] + input[other]) ** p.

    Args:
        input: (N, classes) or (classes,).
        target: (N,) or (): class indices.
        p: 1 or 2.
        margin: the margin.
        weight: (classes,) or None.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.multi_margin_loss(gc.zeros(1, 4), gc.tensor([0]))
        tensor(0.7500)
    """
    if p not in (1, 2):
        raise AttributeValueError(f"multi_margin_loss: p={p} must be 1 or 2", where=caller())
    check_reduction("multi_margin_loss", reduction)
    input, target, single = _rows("multi_margin_loss", input, target, False)
    classes = input.shape[1]
    place = expand_dims(from_start(target), 1)
    short = input - take_along_axis(input, place, 1) + margin
    short = where(short > 0, short, 0)  # at 0 no gradient flows; a nan counts for nothing
    short = short if p == 1 else power(short, p)
    if weight is not None:
        short = short * take(weight, place, 0)
    own = expand_dims(target, 1) == arange(classes)
    losses = sum_(where(own, 0, short), 1) / classes
    return averaged(reshape(losses, ()) if single else losses, reduction)


@operation("MultilabelMarginLossBackward0")
def multilabel_margin_loss(
    input: AnyTensor,
    target: AnyTensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The sum over target and other classes of max(0, 1 - input[target] + input[other]) / classes.

    Args:
        input: (N, classes) or (classes,).
        target: of the same shape: class indices, ended by -1.
        size_average: old; use reduction.
        reduce: old; use reduction.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.multilabel_margin_loss(gc.zeros(4), gc.tensor([0, -1, 1, 1]))
        tensor(0.7500)
    """
    check_reduction("multilabel_margin_loss", reduction)
    input, target, single = _rows("multilabel_margin_loss", input, target, True)
    n, classes = input.shape
    # Targets end at the first negative one.
    listed = cumprod(cast(target >= 0, dtypes.int64), 1) > 0
    place = where(listed, target, 0)
    marks = zeros((n, classes), dtypes.int64)
    is_target = scatter_add(marks, place, cast(listed, dtypes.int64), 1) > 0
    own = expand_dims(take_along_axis(input, place, 1), 2)
    short = 1 - (own - expand_dims(input, 1))
    short = where(short > 0, short, 0)  # at 0 no gradient flows; a nan counts for nothing
    counts = expand_dims(listed, 2) & expand_dims(~is_target, 1)
    losses = sum_(where(counts, short, 0), (1, 2)) / classes
    return averaged(reshape(losses, ()) if single else losses, reduction)


@operation("MeanBackward0")
def multilabel_soft_margin_loss(
    input: AnyTensor,
    target: AnyTensor,
    weight: AnyTensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The mean over classes of `binary_cross_entropy_with_logits`.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.multilabel_soft_margin_loss(gc.zeros(1, 2), gc.ones(1, 2))
        tensor(0.6931)
    """
    check_reduction("multilabel_soft_margin_loss", reduction)
    losses = softplus(input) - input * target
    return averaged(mean(losses if weight is None else losses * weight, -1), reduction)


__all__ = [
    "cross_entropy", "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss",
    "nll_loss",
]  # fmt: skip

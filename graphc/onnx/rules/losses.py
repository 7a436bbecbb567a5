"""Losses of classes."""

from __future__ import annotations

from typing import Any

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.ir import Node
from graphc.onnx.table import Use, rule
from graphc.ops.source import full


def _reduced(a: Use, loss: Any, weight: Any) -> Any:
    how = a.reduction or "mean"
    if how == "none":
        return loss
    whole = gc.sum(loss)
    return whole if how == "sum" else whole / gc.sum(weight)


def _negative(a: Use, x: Node, target: Any, weight: Any) -> Any:
    """The negative of what x has at each target, weighted."""
    target = gc.cast(target, dtypes.int64)
    ignored = None
    if a.ignore_index is not None:
        ignored = target == a.ignore_index
        target = gc.where(ignored, 0, target)
    chosen = gc.squeeze(gc.take_along_axis(x, gc.expand_dims(target, 1), 1), 1)
    own = full(target.shape, 1, x.dtype) if weight is None else gc.take(weight, target, 0)
    if ignored is not None:
        own = gc.where(ignored, own * 0.0, own)
        chosen = gc.where(ignored, chosen * 0.0, chosen)
    return gc.cast(_reduced(a, -chosen * own, own), x.dtype)


@rule("NegativeLogLikelihoodLoss")
def negative_log_likelihood(a: Use, x: Node, target: Node, weight: Node | None = None) -> Any:
    return _negative(a, x, target, weight)


@rule("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy(a: Use, x: Node, target: Node, weight: Node | None = None) -> Any:
    logs = gc.log_softmax(x, axis=1)
    loss = _negative(a, logs, target, weight)
    return (loss, logs)[: a.count] if a.count > 1 else loss

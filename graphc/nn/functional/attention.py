"""`scaled_dot_product_attention`, and attention in a graph, which all attention here is.

The scores, their masks, softmax, dropout and the weighted sum are one operation. A query that may
attend to nothing gets zeros.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from graphc.core import dtypes
from graphc.core.ir import Node, caller
from graphc.eager.engine.composite import composite
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.functions.random import draw_key
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.nn.functional.common import check_probability
from graphc.ops.arrays.random import dropout
from graphc.ops.arrays.shaping import broadcast_to, expand_dims, reshape, swapaxes
from graphc.ops.arrays.statistics import max as max_
from graphc.ops.arrays.statistics import sum as sum_
from graphc.ops.contract.matmul import matmul
from graphc.ops.control import stop_gradient
from graphc.ops.elementwise.exponential import exp
from graphc.ops.elementwise.logic import where
from graphc.ops.source import iota

INFINITY = float("inf")


def softmax_or_zeros(scores: AnyTensor) -> Any:
    """The softmax along the last axis, with zeros where every score is -inf."""
    top = stop_gradient(max_(scores, axis=-1, keepdims=True))
    powers = exp(scores - where(top == -INFINITY, 0.0, top))
    total = sum_(powers, axis=-1, keepdims=True)
    return powers / where(total == 0.0, 1.0, total)


def attended(
    query: Any, key: AnyTensor, value: AnyTensor, masks: Sequence[Any], draw: Any, *, p: float,
    is_causal: bool, scale: float | None,
) -> tuple[Any, Any]:  # fmt: skip
    """Attention in a graph.

    Args:
        query: (..., steps, features).
        key: (..., keys, features).
        value: (..., keys, values).
        masks: that broadcast to (..., steps, keys): bools, true where a key may be attended to,
            or floats that are added to the scores.
        draw: the random key of the dropout, or None.
        p: its probability.
        is_causal: whether a step sees no key after its own place.
        scale: of the scores; 1 / sqrt(features) unless given.

    Returns:
        (..., steps, values) and the weights, (..., steps, keys), after the dropout.
    """
    size = query.type.shape[-1]
    factor = 1.0 / math.sqrt(size) if scale is None else scale
    scores = matmul(query * factor, swapaxes(key, -1, -2))
    if is_causal:
        steps, keys = scores.type.shape[-2:]
        scores = where(expand_dims(iota(steps), 1) >= expand_dims(iota(keys), 0), scores, -INFINITY)
    for mask in masks:
        masked = mask.type.dtype is dtypes.bool_
        scores = where(mask, scores, -INFINITY) if masked else scores + mask
    weights = softmax_or_zeros(scores)
    if draw is not None:
        weights = dropout(weights, p, True, draw)
    return matmul(weights, value), weights


@composite
def _scaled_dot_product_attention(
    query: Node, key: Node, value: Node, mask: Node | None, draw: Node, *, p: float,
    is_causal: bool, scale: float | None, grouped: bool,
) -> Any:  # fmt: skip
    name = "scaled_dot_product_attention"
    _check_operands(name, query, key, value)
    if grouped:
        key, value = (_repeated(name, t, query) for t in (key, value))
    if mask is not None:
        check_mask(name, "attn_mask", mask, query)
    masks = () if mask is None else (mask,)
    return attended(query, key, value, masks, draw, p=p, is_causal=is_causal, scale=scale)[0]


def scaled_dot_product_attention(
    query: AnyTensor, key: AnyTensor, value: AnyTensor, attn_mask: AnyTensor | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:  # fmt: skip
    """softmax(query @ key.T * scale + mask) @ value, as one operation.

    Args:
        query: (..., steps, features).
        key: (..., keys, features).
        value: (..., keys, values).
        attn_mask: broadcasts to (..., steps, keys): bools, True where a key takes part, or floats
            that are added to the scores.
        dropout_p: the probability of dropping a weight, applied whenever it is above 0.
        is_causal: whether step i sees keys 0 to i only; excludes attn_mask.
        scale: 1 / sqrt(features) unless given.
        enable_gqa: whether key and value may have fewer heads (axis -3) than query, each then
            serving several of them.

    Returns:
        (..., steps, values); zeros for a step that no key takes part in.

    Raises:
        ArgumentError: both attn_mask and is_causal are given.
        ShapeError: the operands' or the mask's shapes do not fit.
        DTypeError: the mask is neither bool nor of the query's dtype.

    Example:
        >>> import graphc as gc
        >>> q, k, v = gc.zeros(2, 4, 8), gc.randn(2, 5, 8), gc.ones(2, 5, 3)
        >>> gc.nn.functional.scaled_dot_product_attention(q, k, v).shape
        graphc.Size([2, 4, 3])
    """
    if attn_mask is not None and is_causal:
        raise ArgumentError(
            "scaled_dot_product_attention: attn_mask and is_causal=True are both given",
            where=caller(),
            hint="leave is_causal out and put the causal mask into attn_mask",
        )
    check_probability("scaled_dot_product_attention", dropout_p)
    return _scaled_dot_product_attention(
        query, key, value, attn_mask, draw_key(of=query) if dropout_p > 0 else None, p=dropout_p,
        is_causal=is_causal, scale=None if scale is None else float(scale), grouped=enable_gqa,
    )  # fmt: skip


def _check_operands(name: str, query: Any, key: Any, value: Any) -> None:
    shapes = [t.type.shape for t in (query, key, value)]
    text = [f"{w}: {t.type}" for w, t in zip(("query", "key", "value"), (query, key, value))]
    if min(map(len, shapes)) < 2:
        raise ShapeError(
            f"{name}: query, key and value must have 2 axes or more", text, where=caller()
        )
    if shapes[0][-1] != shapes[1][-1]:
        raise ShapeError(
            f"{name}: the query has {shapes[0][-1]} features, the key {shapes[1][-1]}",
            text,
            where=caller(),
        )
    if shapes[1][-2] != shapes[2][-2]:
        raise ShapeError(
            f"{name}: there are {shapes[1][-2]} keys and {shapes[2][-2]} values",
            text,
            where=caller(),
        )
    if len({t.type.dtype for t in (query, key, value)}) > 1:
        raise DTypeError(f"{name}: query, key and value must have one dtype", text, where=caller())


def check_mask(name: str, label: str, mask: Any, query: Any) -> None:
    """Refuse a mask that is neither bool nor of the query's dtype.

    Raises:
        DTypeError: it is not.
    """
    dtype = mask.type.dtype
    if dtype is not dtypes.bool_ and dtype is not query.type.dtype:
        raise DTypeError(
            f"{name}: {label} has dtype {dtype.name}; it must be bool or the query's, "
            f"{query.type.dtype.name}",
            where=caller(),
        )


def _repeated(name: str, x: Any, query: Any) -> Any:
    """Key or value with each head as often as it serves heads of the query."""
    shape, heads = x.type.shape, query.type.shape[-3]
    if len(shape) < 3 or heads % shape[-3] != 0:
        raise ShapeError(
            f"{name}: the query's {heads} heads are no multiple of the {shape[-3]} of {x.type}",
            where=caller(),
        )
    times = heads // shape[-3]
    x = expand_dims(x, -3)
    x = broadcast_to(x, (*shape[:-2], times, *shape[-2:]))
    return reshape(x, (*shape[:-3], heads, *shape[-2:]))


__all__ = ["scaled_dot_product_attention"]

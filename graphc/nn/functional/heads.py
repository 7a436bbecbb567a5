"""`multi_head_attention_forward`: projections, attention in heads, a projection of the result.

The projections of query, key and value are one operation, the attention of all heads is another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core import dtypes
from graphc.core.ir import Node, caller
from graphc.eager.engine.composite import composite
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.facade import FACE
from graphc.eager.functions.random import draw_key
from graphc.errors import ArgumentError, AttributeValueError, ShapeError
from graphc.nn.functional.attention import attended, check_mask
from graphc.nn.functional.common import show
from graphc.nn.functional.linear import linear
from graphc.ops.arrays.joining import concat, pad
from graphc.ops.arrays.shaping import broadcast_to, reshape, transpose
from graphc.ops.arrays.statistics import mean
from graphc.ops.contract.matmul import matmul
from graphc.ops.source import full


@composite
def _project_same(x: Node, weight: Any, bias: Node | None) -> tuple[Any, Any, Any]:
    y = matmul(x, transpose(weight))
    y = y if bias is None else y + bias
    size = weight.type.shape[0] // 3
    return tuple(y[..., k * size : (k + 1) * size] for k in range(3))


@composite
def _project_each(
    query: Any, key: Any, value: Any, weight: Any, q_weight: Any, k_weight: Any, v_weight: Any,
    bias: Any,
) -> tuple[Any, Any, Any]:  # fmt: skip
    size = q_weight.type.shape[0] if weight is None else weight.type.shape[0] // 3
    weights = (q_weight, k_weight, v_weight)
    if weight is not None:
        weights = tuple(weight[k * size : (k + 1) * size] for k in range(3))
    found = []
    for k, (x, w) in enumerate(zip((query, key, value), weights)):
        if x.type.shape[-1] != w.type.shape[-1]:
            label = ("query", "key", "value")[k]
            raise ShapeError(
                f"multi_head_attention: the {label} has {x.type.shape[-1]} features, its "
                f"projection takes {w.type.shape[-1]}",
                [f"the {label}: {x.type}"],
                where=caller(),
            )
        y = matmul(x, transpose(w))
        found.append(y if bias is None else y + bias[k * size : (k + 1) * size])
    return tuple(found)


def _with_rows(x: Any, row: Any, axis: int) -> Any:
    """x with one more step along an axis, the same for all batches; None is a row of zeros."""
    shape = list(x.type.shape)
    shape[axis] = 1
    row = full(tuple(shape), 0, x.type.dtype) if row is None else broadcast_to(row, tuple(shape))
    return concat([x, row], axis)


@composite
def _heads(
    q: Any, k: Any, v: Any, attn_mask: Any, padding_mask: Any, bias_k: Any, bias_v: Any,
    static_k: Any, static_v: Any, draw: Any, *, heads: int, batch_first: bool, add_zero: bool,
    p: float, weights: str,
) -> Any:  # fmt: skip
    """Attention in heads over projected tensors, the heads joined again.

    `weights` is "none", "mean" (over heads) or "each".
    """
    steps_axis, batch_axis = (1, 0) if batch_first else (0, 1)
    batch, steps, size = (q.type.shape[a] for a in (batch_axis, steps_axis, 2))
    keys = k.type.shape[steps_axis]
    if bias_k is not None:
        k, v = (_with_rows(t, b, steps_axis) for t, b in ((k, bias_k), (v, bias_v)))

    def split(x: Any) -> Any:
        x = reshape(x, (*x.type.shape[:2], heads, size // heads))
        return transpose(x, (0, 2, 1, 3) if batch_first else (1, 2, 0, 3))

    q = split(q)
    k, v = (
        split(t) if s is None else reshape(s, (batch, heads, *s.type.shape[1:]))
        for t, s in ((k, static_k), (v, static_v))
    )
    if add_zero:
        k, v = _with_rows(k, None, 2), _with_rows(v, None, 2)
    more = (bias_k is not None) + add_zero
    if static_k is not None:
        keys = static_k.type.shape[1]
    given = _mask_arranged(attn_mask, padding_mask, (batch, heads, steps, keys), q)
    masks = []
    for mask in given:
        if more:
            mask = pad(mask, [(0, 0)] * 3 + [(0, more)])
        # Here True in a mask of bools keeps a key out.
        masks.append(~mask if mask.type.dtype is dtypes.bool_ else mask)
    result, shares = attended(q, k, v, masks, draw, p=p, is_causal=False, scale=None)
    result = transpose(result, (0, 2, 1, 3) if batch_first else (2, 0, 1, 3))
    result = reshape(result, (*result.type.shape[:2], size))
    if weights == "none":
        return result
    return result, (mean(shares, axis=1) if weights == "mean" else shares)


def _mask_arranged(
    attn_mask: Any, padding_mask: Any, sizes: tuple[Any, ...], query: AnyTensor
) -> list[Any]:
    """The masks as 4-d tensors: batch, head, step, key."""
    batch, heads, steps, keys = sizes
    found = []
    name = "multi_head_attention"
    if attn_mask is not None:
        check_mask(name, "attn_mask", attn_mask, query)
        shape = tuple(attn_mask.type.shape)
        if shape == (steps, keys):
            found.append(reshape(attn_mask, (1, 1, steps, keys)))
        elif len(shape) == 3 and shape == (batch * heads, steps, keys):
            found.append(reshape(attn_mask, sizes))
        else:
            raise ShapeError(
                f"{name}: attn_mask has shape {show(shape)}; it must have "
                f"{show((steps, keys))}, which is (steps, keys), or "
                f"{show((batch * heads, steps, keys))}, which is (batch * heads, steps, keys)",
                where=caller(),
            )
    if padding_mask is not None:
        check_mask(name, "key_padding_mask", padding_mask, query)
        shape = tuple(padding_mask.type.shape)
        if shape != (batch, keys):
            raise ShapeError(
                f"{name}: key_padding_mask has shape {show(shape)}; it must have "
                f"{show((batch, keys))}, which is (batch, keys)",
                where=caller(),
            )
        found.append(reshape(padding_mask, (batch, 1, 1, keys)))
    return found


def attention_in_heads(
    query: Any, key: Any, value: Any, heads: int, in_proj: Sequence[Any], bias_kv: Sequence[Any],
    add_zero_attn: bool, dropout_p: float, out_proj: Sequence[Any], *, batch_first: bool,
    key_padding_mask: AnyTensor | None = None, attn_mask: AnyTensor | None = None,
    weights: str = "mean", static: Sequence[Any] = (None, None),
) -> tuple[Any, Any]:  # fmt: skip
    """Multi-head attention for either order of axes.

    Args:
        query, key, value: 3-d, or 2-d without a batch.
        heads: how many.
        in_proj: the weight for all three or None, three weights or None, the bias or None.
        bias_kv: bias_k and bias_v, or None.
        add_zero_attn: whether a key and value of zeros is added.
        dropout_p: 0 when not training.
        out_proj: weight and bias or None.
        batch_first: whether batches come first.
        key_padding_mask, attn_mask: as `multi_head_attention_forward` has them.
        weights: "none", "mean" or "each".
        static: static_k and static_v.

    Returns:
        The output in the form of query, and the weights or None.
    """
    single = query.ndim == 2
    rank = query.ndim
    if rank not in (2, 3) or key.ndim != rank or value.ndim != rank:
        raise ShapeError(
            "multi_head_attention: query, key and value must all have 3 axes, or 2 without a batch",
            [f"{w}: {t.type}" for w, t in zip(("query", "key", "value"), (query, key, value))],
            where=caller(),
        )
    weight, q_weight, k_weight, v_weight, bias = in_proj
    if query is key and key is value and weight is not None:
        _check_features(query, weight)
        q, k, v = _project_same(query, weight, bias)
    else:
        q, k, v = _project_each(query, key, value, weight, q_weight, k_weight, v_weight, bias)
    if single:
        axis = 0 if batch_first else 1
        q, k, v = (FACE["expand_dims"](t, axis) for t in (q, k, v))
        if key_padding_mask is not None:
            key_padding_mask = FACE["expand_dims"](key_padding_mask, 0)
    draw = draw_key(of=q) if dropout_p > 0 else None
    found = _heads(
        q, k, v, attn_mask, key_padding_mask, *bias_kv, *static, draw, heads=heads,
        batch_first=batch_first, add_zero=add_zero_attn, p=dropout_p, weights=weights,
    )  # fmt: skip
    output, shares = (found, None) if weights == "none" else found
    output = linear(output, *out_proj)
    if single:
        output = FACE["squeeze"](output, axis)
        shares = None if shares is None else FACE["squeeze"](shares, 0)
    return output, shares


def _check_features(x: Any, weight: Any) -> None:
    size, wanted = x.type.shape[-1], weight.type.shape[-1]
    if size != wanted:
        raise ShapeError(
            f"multi_head_attention: the query has {size} features, its projection takes {wanted}",
            [f"the query: {x.type}"],
            where=caller(),
        )


def multi_head_attention_forward(
    query: Any, key: AnyTensor, value: AnyTensor, embed_dim_to_check: int, num_heads: int,
    in_proj_weight: Any, in_proj_bias: Any, bias_k: AnyTensor | None, bias_v: AnyTensor | None,
    add_zero_attn: bool, dropout_p: float, out_proj_weight: AnyTensor,
    out_proj_bias: AnyTensor | None, training: bool = True,
    key_padding_mask: AnyTensor | None = None, need_weights: bool = True,
    attn_mask: AnyTensor | None = None, use_separate_proj_weight: bool = False,
    q_proj_weight: AnyTensor | None = None, k_proj_weight: AnyTensor | None = None,
    v_proj_weight: AnyTensor | None = None, static_k: AnyTensor | None = None,
    static_v: AnyTensor | None = None, average_attn_weights: bool = True, is_causal: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """Attention in several heads; what `nn.MultiheadAttention` computes.

    Args:
        query: (steps, batch, embed), or (steps, embed).
        key: (keys, batch, its features).
        value: (keys, batch, its features).
        embed_dim_to_check: the query's features.
        num_heads: how many heads share them.
        in_proj_weight: (3 * embed, embed), for all three.
        in_proj_bias: (3 * embed,), or None.
        bias_k: (1, 1, embed), one more key, or None.
        bias_v: (1, 1, embed), its value, or None.
        add_zero_attn: whether a key and value of zeros is added.
        dropout_p: the probability of dropping a weight in training.
        out_proj_weight: (embed, embed).
        out_proj_bias: (embed,), or None.
        training: whether to drop weights.
        key_padding_mask: (batch, keys): bools, True for a key to leave out, or floats to add.
        need_weights: whether to return the weights.
        attn_mask: (steps, keys) or (batch * heads, steps, keys): bools, True for a pair to leave
            out, or floats to add to the scores.
        use_separate_proj_weight: whether the next three are used, not in_proj_weight.
        q_proj_weight, k_proj_weight, v_proj_weight: (embed, features of each).
        static_k, static_v: (batch * heads, keys, embed / heads), used as they are.
        average_attn_weights: whether the weights are averaged over heads.
        is_causal: a hint that attn_mask is causal; the mask is applied in any case.

    Returns:
        The output, (steps, batch, embed), and the weights, (batch, steps, keys) or with heads
        (batch, heads, steps, keys); None where they are not needed.

    Raises:
        ShapeError: shapes that do not fit.
        DTypeError: a mask that is neither bool nor of the query's dtype.
        ArgumentError: is_causal without attn_mask; a weight is missing.

    Example:
        >>> import graphc as gc
        >>> x = gc.randn(4, 2, 8)
        >>> w, u = gc.randn(24, 8), gc.randn(8, 8)
        >>> output, shares = gc.nn.functional.multi_head_attention_forward(
        ...     x, x, x, 8, 2, w, None, None, None, False, 0.0, u, None)
        >>> output.shape, shares.shape
        (graphc.Size([4, 2, 8]), graphc.Size([2, 4, 4]))
    """
    name = "multi_head_attention_forward"
    check_causal(name, attn_mask, is_causal)
    size = query.type.shape[-1]
    if size != embed_dim_to_check:
        raise ShapeError(
            f"{name}: the query has {size} features, {embed_dim_to_check} were expected",
            [f"the query: {query.type}"],
            where=caller(),
        )
    check_heads(name, embed_dim_to_check, num_heads)
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    needed = separate if use_separate_proj_weight else (in_proj_weight,)
    if any(w is None for w in needed):
        label = "q, k and v_proj_weight" if use_separate_proj_weight else "in_proj_weight"
        raise ArgumentError(
            f"{name}: use_separate_proj_weight is {use_separate_proj_weight}, so {label} must be "
            "given",
            where=caller(),
        )
    if (bias_k is None) != (bias_v is None):
        raise ArgumentError(
            f"{name}: bias_k and bias_v must both be given or both be None", where=caller()
        )
    if use_separate_proj_weight:
        in_proj = (None, *separate, in_proj_bias)
    else:
        in_proj = (in_proj_weight, None, None, None, in_proj_bias)
    return attention_in_heads(
        query, key, value, num_heads, in_proj, (bias_k, bias_v), add_zero_attn,
        dropout_p if training else 0.0, (out_proj_weight, out_proj_bias), batch_first=False,
        key_padding_mask=key_padding_mask, attn_mask=attn_mask,
        weights=weights_wanted(need_weights, average_attn_weights), static=(static_k, static_v),
    )  # fmt: skip


def weights_wanted(need_weights: bool, average: bool) -> str:
    """How `attention_in_heads` is asked for the weights."""
    return "none" if not need_weights else "mean" if average else "each"


def check_causal(name: str, attn_mask: Any, is_causal: bool) -> None:
    """Refuse the hint that a mask is causal where there is no mask.

    Raises:
        ArgumentError: there is none.
    """
    if is_causal and attn_mask is None:
        raise ArgumentError(
            f"{name}: is_causal=True is a hint about attn_mask, and there is no attn_mask",
            where=caller(),
            hint="pass nn.Transformer.generate_square_subsequent_mask(steps) as attn_mask",
        )


def check_heads(name: str, embed_dim: int, num_heads: int) -> None:
    """Refuse a number of heads that does not divide the features.

    Raises:
        AttributeValueError: it does not.
    """
    if embed_dim <= 0 or num_heads <= 0 or embed_dim % num_heads != 0:
        raise AttributeValueError(
            f"{name}: embed_dim is {embed_dim} and num_heads is {num_heads}; embed_dim must be a "
            "positive multiple of num_heads",
            where=caller(),
        )


__all__ = ["multi_head_attention_forward"]

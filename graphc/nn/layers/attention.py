"""`MultiheadAttention`."""

from __future__ import annotations

from typing import Any

from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.functions.creation import empty
from graphc.nn import init
from graphc.nn.functional.heads import (
    attention_in_heads,
    check_causal,
    check_heads,
    weights_wanted,
)
from graphc.nn.layers.linear import Linear
from graphc.nn.module.module import Module
from graphc.nn.parameter import Parameter


class NonDynamicallyQuantizableLinear(Linear):
    """A `Linear`, under the name that PyTorch's printed attention modules have."""


class MultiheadAttention(Module):
    """Attention in several heads, each on its own share of the features.

    Args:
        embed_dim: features of the query and of the output.
        num_heads: how many heads share them; embed_dim is a multiple of it.
        dropout: the probability of dropping an attention weight in training.
        bias: whether the projections have biases.
        add_bias_kv: whether there is one more, learned, key and value.
        add_zero_attn: whether there is one more key and value of zeros.
        kdim: features of the key; embed_dim unless given.
        vdim: features of the value; embed_dim unless given.
        batch_first: whether tensors are (batch, steps, features).
        device: "cpu".
        dtype: of the parameters; float32 unless given.

    Shapes:
        query: (steps, batch, embed_dim), or (steps, embed_dim).
        key, value: (keys, batch, kdim or vdim), or without the batch.
        key_padding_mask: (batch, keys), or (keys,); bools, True for a key to leave out, or floats
            that are added to the scores.
        attn_mask: (steps, keys) or (batch * num_heads, steps, keys), as key_padding_mask.
        results: the output, as query; the weights, (batch, steps, keys), or with
            average_attn_weights=False (batch, num_heads, steps, keys), or None.

    Raises:
        AttributeValueError: num_heads does not divide embed_dim.
        ShapeError: tensors or masks of other shapes.

    Example:
        >>> import graphc as gc
        >>> attention = gc.nn.MultiheadAttention(16, 4, batch_first=True)
        >>> x = gc.randn(2, 5, 16)
        >>> output, weights = attention(x, x, x)
        >>> output.shape, weights.shape
        (graphc.Size([2, 5, 16]), graphc.Size([2, 5, 5]))
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
        add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: int | None = None,
        vdim: int | None = None, batch_first: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        check_heads("MultiheadAttention", embed_dim, num_heads)
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads

        def parameter(*shape: int) -> Any:
            return Parameter(empty(shape, device=device, dtype=dtype))

        together = self._qkv_same_embed_dim
        own = {"q": embed_dim, "k": self.kdim, "v": self.vdim}
        for letter, size in own.items():
            weight = None if together else parameter(embed_dim, size)
            self.register_parameter(f"{letter}_proj_weight", weight)
        weight = parameter(3 * embed_dim, embed_dim) if together else None
        self.register_parameter("in_proj_weight", weight)
        self.register_parameter("in_proj_bias", parameter(3 * embed_dim) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(
            embed_dim, embed_dim, bias=bias, device=device, dtype=dtype
        )
        for name in ("bias_k", "bias_v"):
            row = parameter(1, 1, embed_dim) if add_bias_kv else None
            self.register_parameter(name, row)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            weight = getattr(self, name)
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for row in (self.bias_k, self.bias_v):
            if row is not None:
                init.xavier_normal_(row)

    def forward(
        self, query: AnyTensor, key: AnyTensor, value: AnyTensor,
        key_padding_mask: AnyTensor | None = None, need_weights: bool = True,
        attn_mask: AnyTensor | None = None, average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Any, Any]:  # fmt: skip
        """The output and, where they are needed, the attention weights."""
        check_causal("MultiheadAttention", attn_mask, is_causal)
        in_proj = (
            self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight,
            self.in_proj_bias,
        )  # fmt: skip
        return attention_in_heads(
            query, key, value, self.num_heads, in_proj, (self.bias_k, self.bias_v),
            self.add_zero_attn, self.dropout if self.training else 0.0,
            (self.out_proj.weight, self.out_proj.bias), batch_first=self.batch_first,
            key_padding_mask=key_padding_mask, attn_mask=attn_mask,
            weights=weights_wanted(need_weights, average_attn_weights),
        )  # fmt: skip


__all__ = ["MultiheadAttention"]

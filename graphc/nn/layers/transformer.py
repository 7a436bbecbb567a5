"""The layers and stacks of "Attention Is All You Need": encoder, decoder, `Transformer`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.dtypes import as_dtype
from graphc.core.ir import caller
from graphc.core.typing import DTypeLike
from graphc.eager.engine.device import DeviceLike
from graphc.eager.engine.promotion import get_default_dtype
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.functions.creation import finish
from graphc.errors import AttributeValueError, ShapeError
from graphc.nn import init
from graphc.nn.functional.activation import gelu, relu
from graphc.nn.layers.attention import MultiheadAttention
from graphc.nn.layers.dropout import Dropout
from graphc.nn.layers.linear import Linear
from graphc.nn.layers.norm import LayerNorm
from graphc.nn.module.containers import ModuleList
from graphc.nn.module.module import Module

Activation = str | Callable[[Any], Any]


def _activation(name: str, activation: Activation) -> Callable[[Any], Any]:
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise AttributeValueError(
            f"{name}: activation is {activation!r}; it must be 'relu', 'gelu' or a function",
            where=caller(),
        )
    return relu if activation == "relu" else gelu


def _copies(layer: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(layer) for _ in range(count)])


class TransformerEncoderLayer(Module):
    """Self-attention and a feed-forward network, each with dropout, residual and layer norm.

    Args:
        d_model: features.
        nhead: heads of the attention; they divide d_model.
        dim_feedforward: features inside the feed-forward network.
        dropout: the probability of all dropouts, of attention weights too.
        activation: of the feed-forward network: "relu", "gelu" or a function of a tensor.
        layer_norm_eps: added to variances.
        batch_first: whether tensors are (batch, steps, features).
        norm_first: whether norms come before attention and feed-forward, and not after.
        bias: whether linear layers and norms have biases.
        device: "cpu".
        dtype: of the parameters; float32 unless given.

    Shapes:
        src: (steps, batch, d_model), or (steps, d_model).
        src_mask: (steps, steps) or (batch * nhead, steps, steps); bools, True for a pair to leave
            out, or floats that are added to the scores.
        src_key_padding_mask: (batch, steps) or (steps,), as src_mask.
        result: as src.

    Raises:
        AttributeValueError: nhead does not divide d_model; another name of an activation.
        ShapeError: tensors or masks of other shapes.

    Example:
        >>> import graphc as gc
        >>> layer = gc.nn.TransformerEncoderLayer(16, 4, dim_feedforward=32, batch_first=True)
        >>> layer(gc.randn(2, 5, 16)).shape
        graphc.Size([2, 5, 16])
    """

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        place = {"device": device, "dtype": dtype}
        super().__init__()
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **place
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **place)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = _activation(type(self).__name__, activation)

    def forward(
        self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None,
        is_causal: bool = False,
    ) -> Any:  # fmt: skip
        """The layer's output. `is_causal` is a hint that src_mask is causal."""
        x = src
        masks = (src_mask, src_key_padding_mask, is_causal)
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), *masks)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(x + self._sa_block(x, *masks))
        return self.norm2(x + self._ff_block(x))

    def _sa_block(
        self, x: AnyTensor, mask: Any, padding_mask: AnyTensor | None, is_causal: bool
    ) -> Any:
        x, _ = self.self_attn(
            x, x, x, key_padding_mask=padding_mask, need_weights=False, attn_mask=mask,
            is_causal=is_causal,
        )  # fmt: skip
        return self.dropout1(x)

    def _ff_block(self, x: AnyTensor) -> Any:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerDecoderLayer(Module):
    """Self-attention, attention to a memory and a feed-forward network.

    Args:
        d_model: features.
        nhead: heads of the attentions; they divide d_model.
        dim_feedforward: features inside the feed-forward network.
        dropout: the probability of all dropouts, of attention weights too.
        activation: of the feed-forward network: "relu", "gelu" or a function of a tensor.
        layer_norm_eps: added to variances.
        batch_first: whether tensors are (batch, steps, features).
        norm_first: whether norms come before attention and feed-forward, and not after.
        bias: whether linear layers and norms have biases.
        device: "cpu".
        dtype: of the parameters; float32 unless given.

    Shapes:
        tgt: (steps, batch, d_model), or (steps, d_model).
        memory: (keys, batch, d_model), or (keys, d_model).
        tgt_mask, memory_mask: (steps, steps) and (steps, keys), or each with a first axis of
            batch * nhead; bools, True for a pair to leave out, or floats that are added.
        tgt_key_padding_mask, memory_key_padding_mask: (batch, steps) and (batch, keys).
        result: as tgt.

    Raises:
        AttributeValueError: nhead does not divide d_model; another name of an activation.
        ShapeError: tensors or masks of other shapes.

    Example:
        >>> import graphc as gc
        >>> layer = gc.nn.TransformerDecoderLayer(16, 4, dim_feedforward=32)
        >>> layer(gc.randn(5, 2, 16), gc.randn(7, 2, 16)).shape
        graphc.Size([5, 2, 16])
    """

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        place = {"device": device, "dtype": dtype}
        super().__init__()
        attention = {"dropout": dropout, "bias": bias, "batch_first": batch_first, **place}
        self.self_attn = MultiheadAttention(d_model, nhead, **attention)
        self.multihead_attn = MultiheadAttention(d_model, nhead, **attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **place)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
        self.norm3 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = _activation(type(self).__name__, activation)

    def forward(
        self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None,
        tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False, memory_is_causal: bool = False,
    ) -> Any:  # fmt: skip
        """The layer's output. `..._is_causal` are hints that the masks are causal."""
        x = tgt
        own = (tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        other = (memory, memory_mask, memory_key_padding_mask, memory_is_causal)
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), *own)
            x = x + self._mha_block(self.norm2(x), *other)
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(x + self._sa_block(x, *own))
        x = self.norm2(x + self._mha_block(x, *other))
        return self.norm3(x + self._ff_block(x))

    def _sa_block(
        self, x: AnyTensor, mask: Any, padding_mask: AnyTensor | None, is_causal: bool
    ) -> Any:
        x, _ = self.self_attn(
            x, x, x, key_padding_mask=padding_mask, need_weights=False, attn_mask=mask,
            is_causal=is_causal,
        )  # fmt: skip
        return self.dropout1(x)

    def _mha_block(
        self, x: AnyTensor, memory: Any, mask: AnyTensor | None, padding_mask: AnyTensor | None,
        is_causal: bool,
    ) -> Any:  # fmt: skip
        x, _ = self.multihead_attn(
            x, memory, memory, key_padding_mask=padding_mask, need_weights=False, attn_mask=mask,
            is_causal=is_causal,
        )  # fmt: skip
        return self.dropout2(x)

    def _ff_block(self, x: AnyTensor) -> Any:
        return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoder(Module):
    """A stack of encoder layers.

    Args:
        encoder_layer: copied num_layers times, parameters and all.
        num_layers: how many copies.
        norm: a module for the output, or None.
        enable_nested_tensor: accepted for PyTorch's sake; there are no nested tensors.
        mask_check: accepted for PyTorch's sake.

    Example:
        >>> import graphc as gc
        >>> layer = gc.nn.TransformerEncoderLayer(16, 4, dim_feedforward=32)
        >>> encoder = gc.nn.TransformerEncoder(layer, num_layers=2)
        >>> encoder(gc.randn(5, 2, 16)).shape
        graphc.Size([5, 2, 16])
    """

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None,
        enable_nested_tensor: bool = True, mask_check: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check

    def forward(
        self, src: Any, mask: Any = None, src_key_padding_mask: Any = None,
        is_causal: bool | None = None,
    ) -> Any:  # fmt: skip
        """The last layer's output, after the norm. Masks are as the layers have them."""
        output = src
        for layer in self.layers:
            output = layer(
                output,
                src_mask=mask,
                src_key_padding_mask=src_key_padding_mask,
                is_causal=bool(is_causal),
            )
        return output if self.norm is None else self.norm(output)


class TransformerDecoder(Module):
    """A stack of decoder layers.

    Args:
        decoder_layer: copied num_layers times, parameters and all.
        num_layers: how many copies.
        norm: a module for the output, or None.

    Example:
        >>> import graphc as gc
        >>> layer = gc.nn.TransformerDecoderLayer(16, 4, dim_feedforward=32)
        >>> decoder = gc.nn.TransformerDecoder(layer, num_layers=2)
        >>> decoder(gc.randn(5, 2, 16), gc.randn(7, 2, 16)).shape
        graphc.Size([5, 2, 16])
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None,
        tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Any:  # fmt: skip
        """The last layer's output, after the norm. Masks are as the layers have them."""
        output = tgt
        for layer in self.layers:
            output = layer(
                output,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=bool(tgt_is_causal),
                memory_is_causal=memory_is_causal,
            )
        return output if self.norm is None else self.norm(output)


class Transformer(Module):
    """Encoder and decoder.

    Args:
        d_model: features.
        nhead: heads of all attentions; they divide d_model.
        num_encoder_layers: layers of the encoder.
        num_decoder_layers: layers of the decoder.
        dim_feedforward: features inside the feed-forward networks.
        dropout: the probability of all dropouts.
        activation: "relu", "gelu" or a function of a tensor.
        custom_encoder: a module in the encoder's place, or None.
        custom_decoder: a module in the decoder's place, or None.
        layer_norm_eps: added to variances.
        batch_first: whether tensors are (batch, steps, features).
        norm_first: whether norms come before attention and feed-forward, and not after.
        bias: whether linear layers and norms have biases.
        device: "cpu".
        dtype: of the parameters; float32 unless given.

    Shapes:
        src: (keys, batch, d_model), or (keys, d_model).
        tgt: (steps, batch, d_model), or (steps, d_model).
        masks: as `TransformerEncoderLayer` and `TransformerDecoderLayer` have them.
        result: as tgt.

    Raises:
        ShapeError: src and tgt differ in batch, or their features are not d_model.

    Example:
        >>> import graphc as gc
        >>> model = gc.nn.Transformer(16, 4, 1, 1, dim_feedforward=32)
        >>> model(gc.randn(7, 2, 16), gc.randn(5, 2, 16)).shape
        graphc.Size([5, 2, 16])
    """

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6,
        num_decoder_layers: int = 6, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = relu, custom_encoder: Any = None, custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False,
        bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        place = {"device": device, "dtype": dtype}
        options = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias,
        )  # fmt: skip

        def norm() -> LayerNorm:
            return LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)

        if custom_encoder is None:
            layer = TransformerEncoderLayer(*options, **place)
            custom_encoder = TransformerEncoder(layer, num_encoder_layers, norm())
        self.encoder = custom_encoder
        if custom_decoder is None:
            other = TransformerDecoderLayer(*options, **place)
            custom_decoder = TransformerDecoder(other, num_decoder_layers, norm())
        self.decoder = custom_decoder
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self, src: Any, tgt: Any, src_mask: Any = None, tgt_mask: Any = None,
        memory_mask: Any = None, src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None, tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:  # fmt: skip
        """The decoder's output for tgt, with the encoder's for src as its memory."""
        axis = 0 if self.batch_first else 1
        shapes = src.type.shape, tgt.type.shape
        if src.ndim == 3 and tgt.ndim == 3 and shapes[0][axis] != shapes[1][axis]:
            raise ShapeError(
                f"Transformer: src has a batch of {shapes[0][axis]}, tgt of {shapes[1][axis]}",
                [f"src: {src.type}", f"tgt: {tgt.type}"],
                where=caller(),
            )
        for label, x in (("src", src), ("tgt", tgt)):
            size = x.type.shape[-1]
            if size != self.d_model:
                raise ShapeError(
                    f"Transformer: {label} has {size} features; d_model is {self.d_model}",
                    [f"{label}: {x.type}"],
                    where=caller(),
                )
        memory = self.encoder(
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, device: DeviceLike | None = None, dtype: DTypeLike | None = None
    ) -> Any:
        """The causal mask of floats: -inf for keys after a step's own place, 0 elsewhere.

        Args:
            sz: the number of steps.
            device: "cpu".
            dtype: float32 unless given.

        Returns:
            (sz, sz).

        Example:
            >>> import graphc as gc
            >>> gc.nn.Transformer.generate_square_subsequent_mask(2)
            tensor([[0., -inf],
                    [0., 0.]])
        """
        kind = get_default_dtype() if dtype is None else as_dtype(dtype)
        mask = np.zeros((sz, sz), kind.numpy)
        mask[np.triu_indices(sz, 1)] = -np.inf
        return finish(mask, device)


__all__ = [
    "Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder",
    "TransformerEncoderLayer",
]  # fmt: skip

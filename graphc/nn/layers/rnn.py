"""Recurrent layers: `RNN`, `LSTM`, `GRU`, over padded or packed sequences."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.errors import AttributeValueError
from graphc.nn.layers.rnn_base import RNNBase


class RNN(RNNBase):
    """An Elman network: `h = tanh(x @ W_ih.T + b_ih + h @ W_hh.T + b_hh)` at each step.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        num_layers: layers, each on the outputs of the one before.
        nonlinearity: "tanh" or "relu".
        bias: whether there are biases.
        batch_first: whether input and output are (batch, steps, features).
        dropout: the probability of dropping an output of every layer but the last in training.
        bidirectional: whether a second direction runs from the last step to the first.
        device: "cpu".
        dtype: of the parameters; float32 unless given.

    Shapes:
        input: (steps, batch, input_size), (steps, input_size), or a `PackedSequence`.
        hx: (num_layers * directions, batch, hidden_size); zeros unless given.
        results: the outputs, (steps, batch, directions * hidden_size), and the last h, as hx.

    Raises:
        AttributeValueError: an option out of range.
        ShapeError: an input or state of another shape.

    Example:
        >>> import graphc as gc
        >>> rnn = gc.nn.RNN(10, 20, num_layers=2)
        >>> output, h = rnn(gc.randn(5, 3, 10))
        >>> output.shape, h.shape
        (graphc.Size([5, 3, 20]), graphc.Size([2, 3, 20]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh",
        bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
        bidirectional: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if nonlinearity not in ("tanh", "relu"):
            raise AttributeValueError(
                f"RNN: nonlinearity is {nonlinearity!r}; it must be 'tanh' or 'relu'",
                where=caller(),
            )
        super().__init__(
            f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias, batch_first,
            dropout, bidirectional, 0, device, dtype,
        )  # fmt: skip
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory, with an optional projection of h.

    Args:
        input_size: features of the input.
        hidden_size: features of c, and of h where there is no projection.
        num_layers: layers, each on the outputs of the one before.
        bias: whether there are biases.
        batch_first: whether input and output are (batch, steps, features).
        dropout: the probability of dropping an output of every layer but the last in training.
        bidirectional: whether a second direction runs from the last step to the first.
        proj_size: features of h where it is projected; 0 for no projection.
        device: "cpu".
        dtype: of the parameters; float32 unless given.

    Shapes:
        input: (steps, batch, input_size), (steps, input_size), or a `PackedSequence`.
        hx: the pair (h_0, c_0): (num_layers * directions, batch, proj_size or hidden_size) and
            (num_layers * directions, batch, hidden_size); zeros unless given.
        results: the outputs, (steps, batch, directions * (proj_size or hidden_size)), and the
            last (h, c), as hx.

    Raises:
        AttributeValueError: an option out of range.
        ShapeError: an input or state of another shape.

    Example:
        >>> import graphc as gc
        >>> lstm = gc.nn.LSTM(10, 20, batch_first=True, bidirectional=True)
        >>> output, (h, c) = lstm(gc.randn(3, 5, 10))
        >>> output.shape, h.shape
        (graphc.Size([3, 5, 40]), graphc.Size([2, 3, 20]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
        proj_size: int = 0, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, proj_size, device, dtype,
        )  # fmt: skip


class GRU(RNNBase):
    """Gated recurrent units; the reset gate acts after the matrix product.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        num_layers: layers, each on the outputs of the one before.
        bias: whether there are biases.
        batch_first: whether input and output are (batch, steps, features).
        dropout: the probability of dropping an output of every layer but the last in training.
        bidirectional: whether a second direction runs from the last step to the first.
        device: "cpu".
        dtype: of the parameters; float32 unless given.

    Shapes:
        input: (steps, batch, input_size), (steps, input_size), or a `PackedSequence`.
        hx: (num_layers * directions, batch, hidden_size); zeros unless given.
        results: the outputs, (steps, batch, directions * hidden_size), and the last h, as hx.

    Raises:
        AttributeValueError: an option out of range.
        ShapeError: an input or state of another shape.

    Example:
        >>> import graphc as gc
        >>> gru = gc.nn.GRU(10, 20)
        >>> output, h = gru(gc.randn(5, 10))
        >>> output.shape, h.shape
        (graphc.Size([5, 20]), graphc.Size([1, 20]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, 0, device, dtype,
        )  # fmt: skip


__all__ = ["GRU", "LSTM", "RNN"]

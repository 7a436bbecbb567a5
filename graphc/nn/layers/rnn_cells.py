"""One step of a recurrent layer as a module: `RNNCell`, `LSTMCell`, `GRUCell`."""

from __future__ import annotations

import math
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.mode import no_grad
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.functions.creation import empty
from graphc.errors import ArgumentError, AttributeValueError, ShapeError
from graphc.nn import init
from graphc.nn.functional.common import show
from graphc.nn.functional.recurrent import gru_cell, lstm_cell, rnn_cell, zero_state
from graphc.nn.module.module import Module
from graphc.nn.parameter import Parameter


class RNNCellBase(Module):
    """What the cells share: parameters and checks.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether there are bias_ih and bias_hh.
        num_chunks: how many gates there are.
        device: "cpu".
        dtype: of the parameters; float32 unless given.

    Example:
        >>> import graphc as gc
        >>> import graphc.nn as nn
        >>> issubclass(nn.GRUCell, nn.RNNCellBase), nn.GRUCell(2, 4).hidden_size
        (True, 4)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gates = num_chunks * hidden_size
        shapes = {"weight_ih": (gates, input_size), "weight_hh": (gates, hidden_size)}
        for name, shape in shapes.items():
            setattr(self, name, Parameter(empty(shape, device=device, dtype=dtype)))
        for name in ("bias_ih", "bias_hh"):
            value = Parameter(empty(gates, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters uniformly from ±1 / sqrt(hidden_size).

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> cell = nn.RNNCell(2, 4)
            >>> cell.reset_parameters()
            >>> all(bool((p.abs() <= 0.5).all()) for p in cell.parameters())
            True
        """
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        """Sizes, and the options that are not the default."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    def _prepared(self, input: Any, states: Any, labels: tuple[str, ...]) -> list[Any]:
        """Input and states, each with a batch axis; zeros for states not given."""
        name = type(self).__name__
        shape = input.type.shape
        if len(shape) not in (1, 2) or shape[-1] != self.input_size:
            raise ShapeError(
                f"{name}: the input has shape {show(shape)}; it must have (batch, "
                f"{self.input_size}) or ({self.input_size},)",
                where=caller(),
            )
        single = input.ndim == 1
        x = input.reshape(1, self.input_size) if single else input
        if states is None:
            with no_grad():
                zeros = zero_state(x, batch_axis=0, size=self.hidden_size)
            return [x, *[zeros] * len(labels)]
        # Sizes as the user sees them: where a trace cannot tell, it is made for this call's.
        wanted = (*input.shape[:-1], self.hidden_size)
        for label, state in zip(labels, states):
            if tuple(state.shape) != wanted:
                raise ShapeError(
                    f"{name}: {label} has shape {show(state.type.shape)}; it must have "
                    f"{show(wanted)}, as the input has {show(shape)}",
                    where=caller(),
                )
        if single:
            states = [state.reshape(1, self.hidden_size) for state in states]
        return [x, *states]

    def _run(self, cell: Any, *args: Any, **settings: Any) -> Any:
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return cell(*args, *weights, **settings)


class RNNCell(RNNCellBase):
    """One step of an Elman network: `tanh(x @ W_ih.T + b_ih + h @ W_hh.T + b_hh)`.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether there are biases.
        nonlinearity: "tanh" or "relu".
        device: "cpu".
        dtype: of the parameters; float32 unless given.

    Shapes:
        input: (batch, input_size) or (input_size,).
        hx: (batch, hidden_size) or (hidden_size,); zeros unless given.
        result: the next h, as hx.

    Example:
        >>> import graphc as gc
        >>> cell = gc.nn.RNNCell(10, 20)
        >>> cell(gc.randn(3, 10)).shape
        graphc.Size([3, 20])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if nonlinearity not in ("tanh", "relu"):
            raise AttributeValueError(
                f"RNNCell: nonlinearity is {nonlinearity!r}; it must be 'tanh' or 'relu'",
                where=caller(),
            )
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: AnyTensor, hx: AnyTensor | None = None) -> Any:
        """The next h."""
        x, h = self._prepared(input, None if hx is None else (hx,), ("hx",))
        h = self._run(rnn_cell, x, h, nonlinearity=self.nonlinearity)
        return h if input.ndim == 2 else h.reshape(self.hidden_size)


class LSTMCell(RNNCellBase):
    """One step of an LSTM.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether there are biases.
        device: "cpu".
        dtype: of the parameters; float32 unless given.

    Shapes:
        input: (batch, input_size) or (input_size,).
        hx: the pair (h, c), each (batch, hidden_size) or (hidden_size,); zeros unless given.
        result: the next (h, c).

    Example:
        >>> import graphc as gc
        >>> cell = gc.nn.LSTMCell(10, 20)
        >>> h, c = cell(gc.randn(3, 10))
        >>> h.shape
        graphc.Size([3, 20])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: AnyTensor, hx: AnyTensor | None = None) -> tuple[Any, Any]:
        """The next (h, c)."""
        if hx is not None and (not isinstance(hx, tuple | list) or len(hx) != 2):
            raise ArgumentError("LSTMCell: hx must be the pair (h, c)", where=caller())
        x, h, c = self._prepared(input, hx, ("h", "c"))
        h, c = self._run(lstm_cell, x, h, c)
        if input.ndim == 1:
            h, c = h.reshape(self.hidden_size), c.reshape(self.hidden_size)
        return h, c


class GRUCell(RNNCellBase):
    """One step of a GRU.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether there are biases.
        device: "cpu".
        dtype: of the parameters; float32 unless given.

    Shapes:
        input: (batch, input_size) or (input_size,).
        hx: (batch, hidden_size) or (hidden_size,); zeros unless given.
        result: the next h, as hx.

    Example:
        >>> import graphc as gc
        >>> cell = gc.nn.GRUCell(10, 20)
        >>> cell(gc.randn(10)).shape
        graphc.Size([20])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: AnyTensor, hx: AnyTensor | None = None) -> Any:
        """The next h."""
        x, h = self._prepared(input, None if hx is None else (hx,), ("hx",))
        h = self._run(gru_cell, x, h)
        return h if input.ndim == 2 else h.reshape(self.hidden_size)


__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]

"""What the recurrent layers share: options, parameters, states, layers and directions."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.eager.engine.composite import composite
from graphc.eager.engine.mode import no_grad
from graphc.eager.engine.tensor import AnyTensor, Tensor, wrap
from graphc.eager.facade import FACE
from graphc.eager.functions.creation import empty
from graphc.errors import (
    ArgumentError,
    AttributeValueError,
    DTypeError,
    GraphcWarning,
    ShapeError,
)
from graphc.nn import init
from graphc.nn.functional.common import show
from graphc.nn.functional.dropout import dropout
from graphc.nn.functional.recurrent import run, zero_state
from graphc.nn.module.module import Module
from graphc.nn.parameter import Parameter
from graphc.nn.utils.rnn import PackedSequence
from graphc.ops.arrays.joining import concat, stack

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


@composite
def _side_by_side(xs: Any) -> Any:
    return concat(list(xs), -1)


@composite
def _stacked(xs: Any) -> Any:
    return stack(list(xs), 0)


class RNNBase(Module):
    """What RNN, LSTM and GRU share: options, parameters, layers and directions.

    Args:
        mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU".
        input_size: features of the input.
        hidden_size: features of the state.
        num_layers: layers, each on the outputs of the one before.
        bias: whether there are bias_ih and bias_hh.
        batch_first: whether input and output are (batch, steps, features); states never are.
        dropout: the probability of dropping an output of every layer but the last in training.
        bidirectional: whether a second direction runs from the last step to the first.
        proj_size: for LSTM, features of h where it is projected; 0 for no projection.
        device: "cpu".
        dtype: of the parameters; float32 unless given.

    Raises:
        AttributeValueError: an option out of range.
        ArgumentError: an option of the wrong kind.

    Example:
        >>> import graphc as gc
        >>> import graphc.nn as nn
        >>> issubclass(nn.LSTM, nn.RNNBase), nn.LSTM(2, 4).mode
        (True, 'LSTM')
    """

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1,
        bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
        bidirectional: bool = False, proj_size: int = 0, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        name = type(self).__name__
        _check_options(
            name, bias=bias, batch_first=batch_first, dropout=dropout, input_size=input_size,
            hidden_size=hidden_size, num_layers=num_layers, proj_size=proj_size,
        )  # fmt: skip
        if mode not in _GATES:
            raise AttributeValueError(
                f"{name}: mode {mode!r} must be one of {', '.join(_GATES)}", where=caller()
            )
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"{name}: dropout={dropout} acts between layers, and there is one layer only",
                GraphcWarning,
                stacklevel=3,
            )
        gates, out_size = _GATES[mode] * hidden_size, proj_size or hidden_size
        directions = 2 if bidirectional else 1
        self._names: list[tuple[str, ...]] = []
        for layer in range(num_layers):
            in_size = input_size if layer == 0 else out_size * directions
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (gates, in_size),
                "weight_hh": (gates, out_size),
            }
            if bias:
                shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for suffix in ("", "_reverse")[:directions]:
                names = {kind: f"{kind}_l{layer}{suffix}" for kind in shapes}
                for kind, shape in shapes.items():
                    value = empty(shape, device=device, dtype=dtype)
                    setattr(self, names[kind], Parameter(value))
                self._names.append(tuple(names.values()))
        self.reset_parameters()

    @property
    def all_weights(self) -> list[list[Any]]:
        """The parameters of each layer and direction.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> [[tuple(w.shape) for w in weights] for weights in nn.RNN(2, 4).all_weights]
            [[(4, 2), (4, 4), (4,), (4,)]]
        """
        return [[getattr(self, name) for name in names] for names in self._names]

    def reset_parameters(self) -> None:
        """Draw all parameters uniformly from ±1 / sqrt(hidden_size).

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.RNN(2, 4)
            >>> layer.reset_parameters()
            >>> all(bool((p.abs() <= 0.5).all()) for p in layer.parameters())
            True
        """
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Accepted for PyTorch's sake; nothing needs to be done.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> nn.RNN(2, 4).flatten_parameters()
        """

    def extra_repr(self) -> str:
        """The options that are not the default."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size != 0:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if self.batch_first is not False:
            text += f", batch_first={self.batch_first}"
        if self.dropout != 0:
            text += f", dropout={self.dropout}"
        if self.bidirectional is not False:
            text += f", bidirectional={self.bidirectional}"
        return text

    def forward(self, input: Any, hx: Any = None) -> Any:
        """See the class."""
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        if input.ndim not in (2, 3):
            raise ShapeError(
                f"{type(self).__name__}: the input has {input.ndim} axes; it must have 3, or 2 "
                "for one sequence without a batch",
                [f"the input: {input.type}"],
                where=caller(),
            )
        single = input.ndim == 2
        axis = 0 if self.batch_first else 1
        x = FACE["expand_dims"](input, axis) if single else input
        self._check_input(x, input)
        if self.batch_first:
            x = FACE["swapaxes"](x, 0, 1)
        if x.type.shape[0] == 0:
            raise ShapeError(
                f"{type(self).__name__}: the sequence has no steps",
                [f"the input: {input.type}"],
                where=caller(),
            )
        first = self._first(x, x.shape[1], hx, single)
        output, last = self._layers(x, None, first)
        if self.batch_first:
            output = FACE["swapaxes"](output, 0, 1)
        if single:
            output = FACE["squeeze"](output, axis)
            last = tuple(FACE["squeeze"](s, 1) for s in last)
        return output, (last if self.mode == "LSTM" else last[0])

    def _packed(self, input: PackedSequence, hx: AnyTensor | None) -> Any:
        data, order = input.data, input.sorted_indices
        if data.ndim != 2:
            raise ShapeError(
                f"{type(self).__name__}: packed data must have 2 axes",
                [f"the data: {data.type}"],
                where=caller(),
            )
        self._check_input(data, data)
        sizes = input.batch_sizes.tolist()
        first = self._first(data, sizes[0], hx, False, order)
        output, last = self._layers(data, sizes, first)
        if order is not None:
            last = tuple(s.index_select(1, input.unsorted_indices) for s in last)
        packed = PackedSequence(output, input.batch_sizes, order, input.unsorted_indices)
        return packed, (last if self.mode == "LSTM" else last[0])

    def _layers(self, x: AnyTensor, sizes: Any, first: list[Any]) -> tuple[Any, tuple[Any, ...]]:
        """All layers: the last one's outputs, and the last states stacked as PyTorch does."""
        directions = 2 if self.bidirectional else 1
        ends: list[tuple[Any, ...]] = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                x = dropout(x, self.dropout, True)
            outputs = []
            for direction in range(directions):
                place = layer * directions + direction
                output, end = run(
                    self.mode, x, sizes, first[place], self._weights(place), direction == 1
                )
                outputs.append(output)
                ends.append(end)
            x = outputs[0] if directions == 1 else _side_by_side(outputs)
        return x, tuple(_stacked(list(states)) for states in zip(*ends))

    def _weights(self, place: int) -> Any:
        names = self._names[place]
        found = [getattr(self, name) for name in names]
        projection = found.pop() if self.proj_size else None
        biases = found[2:] if self.bias else (None, None)
        return (*found[:2], *biases, projection)

    def _check_input(self, x: Any, given: Any) -> None:
        name = type(self).__name__
        weight = getattr(self, self._names[0][0])
        if x.dtype is not weight.dtype:
            raise DTypeError(
                f"{name}: the input has dtype {x.dtype.name}, the weights {weight.dtype.name}",
                where=caller(),
                hint=f"convert the input, input.to(gc.{weight.dtype.name}), or the layer, "
                f"layer.to(gc.{x.dtype.name})",
            )
        if x.type.shape[-1] != self.input_size:
            raise ShapeError(
                f"{name}: the input has {x.type.shape[-1]} features, the layer takes "
                f"{self.input_size}",
                [f"the input: {given.type}"],
                where=caller(),
            )

    def _first(
        self, x: Any, batch: Any, hx: Any, single: bool, order: Any = None
    ) -> list[tuple[Any, ...]]:
        """The state before the first step, for each layer and direction."""
        count = len(self._names)
        sizes = [self.proj_size or self.hidden_size]
        if self.mode == "LSTM":
            sizes.append(self.hidden_size)
        if hx is None:
            return [tuple(_zeros(x, batch, size) for size in sizes)] * count
        given = hx if self.mode == "LSTM" else (hx,)
        if not isinstance(given, tuple | list) or len(given) != len(sizes):
            raise ArgumentError(
                f"{type(self).__name__}: hx must be the pair (h_0, c_0)", where=caller()
            )
        states = []
        for label, state, size in zip(("h_0", "c_0"), given, sizes):
            self._check_state(label, state, (count, batch, size), single)
            state = FACE["expand_dims"](state, 1) if single else state
            states.append(state if order is None else state.index_select(1, order))
        return [tuple(state[k] for state in states) for k in range(count)]

    def _check_state(self, label: str, state: Any, wanted: tuple[Any, ...], single: bool) -> None:
        if single:
            wanted = (wanted[0], wanted[2])
        if tuple(state.shape) != wanted:
            form = "(layers, hidden)" if single else "(layers, batch, hidden)"
            raise ShapeError(
                f"{type(self).__name__}: {label} has shape {show(state.type.shape)}; it must have "
                f"{show(wanted)}, which is {form}",
                where=caller(),
            )


def _zeros(x: AnyTensor, batch: Any, size: int) -> Any:
    """A state of zeros for x, whose axis 1 is the batch, or for packed data of a fixed batch."""
    if (isinstance(x, Tensor) and x._node is None) or x.ndim == 2:
        return wrap(np.zeros((batch, size), x.dtype.numpy))
    with no_grad():
        return zero_state(x, batch_axis=1, size=size)


def _check_options(name: str, **options: Any) -> None:
    """Refuse options out of range or of the wrong kind."""
    for key in ("bias", "batch_first"):
        if not isinstance(options[key], bool):
            raise ArgumentError(
                f"{name}: {key} is {options[key]!r}; it must be True or False", where=caller()
            )
    for key in ("input_size", "hidden_size", "num_layers"):
        value = options[key]
        if isinstance(value, bool) or not isinstance(value, int):
            raise ArgumentError(f"{name}: {key} is {value!r}; it must be an int", where=caller())
        if value <= 0:
            raise AttributeValueError(
                f"{name}: {key} is {value}; it must be above 0", where=caller()
            )
    rate = options["dropout"]
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
        raise AttributeValueError(
            f"{name}: dropout is {rate!r}; it must be a probability from 0 to 1", where=caller()
        )
    if not 0 <= options["proj_size"] < options["hidden_size"]:
        raise AttributeValueError(
            f"{name}: proj_size is {options['proj_size']}; it must be 0, for no projection, or "
            f"below hidden_size, {options['hidden_size']}",
            where=caller(),
        )


__all__ = ["RNNBase"]

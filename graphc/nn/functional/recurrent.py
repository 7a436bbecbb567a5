"""Recurrent layers as functions: one step of RNN, LSTM and GRU, and a sequence of steps.

A step is one operation: its matrix product and all its gates. What a step takes from the input
does not depend on the state, so it is computed for all steps at once, before the first
(`project`). Eagerly a sequence is a loop over rows, the first step's first, with the number of
rows of each step:

    rows, sizes = (steps * batch, features), [batch] * steps

which is also how packed sequences of different lengths are held, so both run the same way. In a
graph, and where there is much to compute, it is a `scan` (`sequence`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from graphc.core.ir import Node
from graphc.eager.engine.composite import composite
from graphc.eager.engine.mode import enable_grad, no_grad, state
from graphc.eager.engine.tape import GradFn
from graphc.eager.engine.tensor import AnyTensor, Tensor, wrap
from graphc.ops.arrays.joining import concat
from graphc.ops.arrays.shaping import transpose
from graphc.ops.contract.matmul import matmul
from graphc.ops.elementwise.exponential import sigmoid
from graphc.ops.elementwise.trigonometric import tanh
from graphc.ops.flow.loops import scan
from graphc.ops.network.activations import relu
from graphc.ops.source import full

State = tuple[Any, ...]
Step = Callable[[Any, State], State]
Weights = tuple[Any, Any, Any, Any, Any]
# Elements of all steps' gates: from here on the eager face runs kernels, no NumPy.
COMPILED_ABOVE = 1 << 9


@composite
def project(x: Node, weight_ih: Node, bias_ih: Node | None, bias_hh: Node | None) -> Any:
    """What the gates take from the input, for all steps at once.

    Args:
        x: (rows, features).
        weight_ih: (gates, features).
        bias_ih: (gates,), or None.
        bias_hh: (gates,), or None; added here where the gates only add it.

    Returns:
        (rows, gates).
    """
    y = matmul(x, transpose(weight_ih))
    y = y if bias_ih is None else y + bias_ih
    return y if bias_hh is None else y + bias_hh


def _gates(x_projected: Any, h: AnyTensor, weight_hh: AnyTensor, bias_hh: AnyTensor | None) -> Any:
    y = x_projected + matmul(h, transpose(weight_hh))
    return y if bias_hh is None else y + bias_hh


@composite
def rnn_step(
    x_projected: Node, h: Node, weight_hh: Node, bias_hh: Node | None, *, nonlinearity: str
) -> Any:
    """One step of an Elman network: `f(x + h @ weight_hh.T + bias_hh)`.

    Args:
        x_projected: (batch, hidden), from `project`.
        h: (batch, hidden).
        weight_hh: (hidden, hidden).
        bias_hh: (hidden,), or None.
        nonlinearity: "tanh" or "relu".

    Returns:
        The next h.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.functional.recurrent import project, rnn_step
        >>> w, u = gc.randn(5, 4), gc.randn(5, 5)
        >>> x = project(gc.randn(3, 4), w, None, None)
        >>> rnn_step(x, gc.zeros(3, 5), u, None, nonlinearity="tanh").shape
        graphc.Size([3, 5])
    """
    gates = _gates(x_projected, h, weight_hh, bias_hh)
    return tanh(gates) if nonlinearity == "tanh" else relu(gates)


@composite
def lstm_step(
    x_projected: Node,
    h: Node,
    c: Any,
    weight_hh: Node,
    bias_hh: Node | None,
    weight_hr: Node | None = None,
) -> tuple[Any, Any]:
    """One step of an LSTM.

    Args:
        x_projected: (batch, 4 * hidden), from `project`: input, forget, cell and output gate.
        h: (batch, hidden), or (batch, projected) where there is a projection.
        c: (batch, hidden).
        weight_hh: (4 * hidden, hidden or projected).
        bias_hh: (4 * hidden,), or None.
        weight_hr: (projected, hidden), or None.

    Returns:
        The next h and c.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.functional.recurrent import project, lstm_step
        >>> w, u = gc.randn(20, 4), gc.randn(20, 5)
        >>> x = project(gc.randn(3, 4), w, None, None)
        >>> lstm_step(x, gc.zeros(3, 5), gc.zeros(3, 5), u, None)[0].shape
        graphc.Size([3, 5])
    """
    gates = _gates(x_projected, h, weight_hh, bias_hh)
    n = c.type.shape[-1]
    i, f, g, o = (gates[..., k * n : (k + 1) * n] for k in range(4))
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return (h if weight_hr is None else matmul(h, transpose(weight_hr))), c


@composite
def gru_step(x_projected: Node, h: Any, weight_hh: Node, bias_hh: Node | None) -> Any:
    """One step of a GRU; the reset gate acts after the matrix product, as in cuDNN.

    Args:
        x_projected: (batch, 3 * hidden), from `project`: reset, update and new gate.
        h: (batch, hidden).
        weight_hh: (3 * hidden, hidden).
        bias_hh: (3 * hidden,), or None.

    Returns:
        The next h.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.functional.recurrent import project, gru_step
        >>> w, u = gc.randn(15, 4), gc.randn(15, 5)
        >>> x = project(gc.randn(3, 4), w, None, None)
        >>> gru_step(x, gc.zeros(3, 5), u, None).shape
        graphc.Size([3, 5])
    """
    n = h.type.shape[-1]
    from_h = matmul(h, transpose(weight_hh))
    from_h = from_h if bias_hh is None else from_h + bias_hh
    rx, zx, nx = (x_projected[..., k * n : (k + 1) * n] for k in range(3))
    rh, zh, nh = (from_h[..., k * n : (k + 1) * n] for k in range(3))
    z = sigmoid(zx + zh)
    new = tanh(nx + sigmoid(rx + rh) * nh)
    return new + z * (h - new)


@composite
def rnn_cell(
    x: Node, h: Node, weight_ih: Node, weight_hh: Node, bias_ih: Node | None, bias_hh: Node | None,
    *, nonlinearity: str,
) -> Any:  # fmt: skip
    """`project` and `rnn_step` as one operation."""
    projected = project(x, weight_ih, bias_ih, bias_hh)
    return rnn_step(projected, h, weight_hh, None, nonlinearity=nonlinearity)


@composite
def lstm_cell(
    x: Node,
    h: Node,
    c: Node,
    weight_ih: Node,
    weight_hh: Node,
    bias_ih: Node | None,
    bias_hh: Node | None,
) -> tuple[Any, Any]:
    """`project` and `lstm_step` as one operation."""
    return lstm_step(project(x, weight_ih, bias_ih, bias_hh), h, c, weight_hh, None)


@composite
def gru_cell(
    x: Node, h: Node, weight_ih: Node, weight_hh: Node, bias_ih: Node | None, bias_hh: Node | None
) -> Any:
    """`project` and `gru_step` as one operation."""
    return gru_step(project(x, weight_ih, bias_ih, None), h, weight_hh, bias_hh)


@composite
def zero_state(x: Any, *, batch_axis: int, size: int) -> Any:
    """Zeros of (batch, size), as many rows as x has along an axis."""
    return full((x.type.shape[batch_axis], size), 0, x.type.dtype)


class SplitBackward(GradFn):
    """The backward step of `pieces`: the parts' cotangents one after the other."""

    __slots__ = ("columns", "dtype", "sizes")
    name = "SplitWithSizesBackward0"

    def __init__(self, rows: Tensor, sizes: Sequence[int]) -> None:
        super().__init__((rows._edge,))
        self.sizes = tuple(sizes)
        self.columns = tuple(rows.shape[1:])
        self.dtype = rows.dtype

    @property
    def results(self) -> int:
        """How many parts there are."""
        return len(self.sizes)

    def apply(self, cts: Sequence[Any], create_graph: bool) -> list[Any]:
        """The cotangent of the whole; parts that were not used have zeros."""
        parts = [self._zeros(n) if ct is None else ct for n, ct in zip(self.sizes, cts)]
        with enable_grad() if create_graph else no_grad():
            return [joined(parts)]

    def _zeros(self, size: int) -> Tensor:
        return wrap(np.zeros((size, *self.columns), self.dtype.numpy))


@composite
def joined(parts: Node) -> Any:
    """Rows one after the other."""
    return concat(list(parts), 0)


def pieces(rows: AnyTensor, sizes: Sequence[int]) -> list[Any]:
    """Rows cut into parts of the given sizes, without a copy.

    One backward step joins all the cotangents, where a slice each would add up as many arrays of
    the size of the whole.
    """
    places = list(accumulate(sizes, initial=0))
    if not isinstance(rows, Tensor) or rows._node is not None:
        return [rows[a:b] for a, b in pairwise(places)]
    if rows._drawn is not None:
        return [rows[a:b] for a, b in pairwise(places)]
    parts = [wrap(rows._array[a:b]) for a, b in pairwise(places)]
    if rows._edge is not None and state.enabled:
        fn = SplitBackward(rows, sizes)
        for k, part in enumerate(parts):
            part._edge = (fn, k)
    return parts


def _is_one_loop(x: AnyTensor, weight_hh: AnyTensor) -> bool:
    """Whether a sequence is run as a loop of the graph: always in a graph, and where it is large.

    A compiled loop is many times faster than Python's, and small sequences do not pay for it.
    """
    if not isinstance(x, Tensor) or x._node is not None:
        return True
    steps, batch = x._array.shape[:2]
    return steps > 2 and steps * batch * weight_hh.shape[0] >= COMPILED_ABOVE


def _stepped(
    mode: str, projected: Any, now: State, weight_hh: AnyTensor, bias_hh: Any, weight_hr: AnyTensor
) -> State:
    if mode == "LSTM":
        return lstm_step(projected, *now, weight_hh, bias_hh, weight_hr)
    if mode == "GRU":
        return (gru_step(projected, *now, weight_hh, bias_hh),)
    nonlinearity = "relu" if mode == "RNN_RELU" else "tanh"
    return (rnn_step(projected, *now, weight_hh, bias_hh, nonlinearity=nonlinearity),)


def run(
    mode: str, x: AnyTensor, sizes: Sequence[int] | None, first: State, weights: Weights,
    reverse: bool = False,
) -> tuple[Any, State]:  # fmt: skip
    """Run one layer in one direction.

    Args:
        mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU".
        x: (steps, batch, features); or, with sizes, (sum of sizes, features).
        sizes: the number of rows of each step, none larger than the one before; or None.
        first: the state before the first step: h, or h and c; as many rows as the first step.
        weights: weight_ih, weight_hh, bias_ih, bias_hh, weight_hr; None for what there is not.
        reverse: start with the last step.

    Returns:
        The outputs, in the form of x, and the state after each row's own last step.
    """
    weight_ih, weight_hh, bias_ih, bias_hh, weight_hr = weights
    if sizes is None and _is_one_loop(x, weight_hh):
        c = first[1] if mode == "LSTM" else None
        outputs, *last = sequence(x, first[0], c, *weights, mode=mode, reverse=reverse)
        return outputs, tuple(last)
    shape = ()
    if sizes is None:
        steps, batch, features = shape = tuple(x.shape)
        x, sizes = x.reshape(steps * batch, features), [batch] * steps
    inside = bias_hh if mode == "GRU" else None
    rows = project(x, weight_ih, bias_ih, None if mode == "GRU" else bias_hh)

    def step(part: Any, now: State) -> State:
        return _stepped(mode, part, now, weight_hh, inside, weight_hr)

    outputs, last = (_backward if reverse else _forward)(step, pieces(rows, sizes), sizes, first)
    return (outputs.reshape(*shape[:2], outputs.shape[1]) if shape else outputs), last


def _forward(step: Step, parts: list[Any], sizes: Sequence[int], now: State) -> Any:
    outputs, ended = [], []
    for k, part in enumerate(parts):
        if k and sizes[k] < sizes[k - 1]:
            ended.append(tuple(s[sizes[k] :] for s in now))
            now = tuple(s[: sizes[k]] for s in now)
        now = step(part, now)
        outputs.append(now[0])
    if ended:
        ended.append(now)
        now = tuple(joined(list(states)) for states in zip(*reversed(ended)))
    return joined(outputs), now


def _backward(step: Step, parts: list[Any], sizes: Sequence[int], first: State) -> Any:
    outputs = []
    have = sizes[-1]
    now = first if have == sizes[0] else tuple(s[:have] for s in first)
    for part, size in zip(reversed(parts), reversed(sizes)):
        if size > have:
            now = tuple(joined([s, f[have:size]]) for s, f in zip(now, first))
            have = size
        now = step(part, now)
        outputs.append(now[0])
    return joined(outputs[::-1]), now


@composite
def sequence(
    x: Node, h: Node, c: Node | None, weight_ih: Node, weight_hh: Node, bias_ih: Node | None,
    bias_hh: Node | None, weight_hr: Node, *, mode: str, reverse: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """One layer in one direction as a loop of the graph, whose size does not grow with the steps.

    Args:
        x: (steps, batch, features); the number of steps may be symbolic.
        h, c: the state before the first step; c is None but for LSTM.
        weight_ih, weight_hh, bias_ih, bias_hh, weight_hr: the weights, or None.
        mode: as in `run`.
        reverse: start with the last step.

    Returns:
        The outputs, (steps, batch, hidden), and the last state.
    """
    inside = bias_hh if mode == "GRU" else None
    rows = project(x, weight_ih, bias_ih, None if mode == "GRU" else bias_hh)

    def step(now: State, part: Any) -> tuple[State, Any]:
        new = _stepped(mode, part, now, weight_hh, inside, weight_hr)
        return new, new[0]

    last, outputs = scan(step, (h,) if c is None else (h, c), rows, reverse=reverse)
    return outputs, *last

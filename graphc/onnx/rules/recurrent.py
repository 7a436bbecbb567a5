"""Recurrent layers, as scans over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.ir import Node
from graphc.onnx.rules.indexing import reversed_parts
from graphc.onnx.table import Use, rule
from graphc.ops.source import full

# Of a tensor and the two numbers that an activation may have.
ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "relu": lambda x, a, b: gc.maximum(x, 0.0),
    "tanh": lambda x, a, b: gc.tanh(x),
    "sigmoid": lambda x, a, b: gc.sigmoid(x),
    "affine": lambda x, a, b: x * (1.0 if a is None else a) + (0.0 if b is None else b),
    "leakyrelu": lambda x, a, b: gc.where(x < 0, x * (0.01 if a is None else a), x),
    "thresholdedrelu": lambda x, a, b: gc.where(x > (1.0 if a is None else a), x, x * 0.0),
    "scaledtanh": lambda x, a, b: (
        (1.0 if a is None else a) * gc.tanh((1.0 if b is None else b) * x)
    ),
    "hardsigmoid": lambda x, a, b: gc.clip(
        x * (0.2 if a is None else a) + (0.5 if b is None else b), 0.0, 1.0
    ),
    "elu": lambda x, a, b: gc.where(
        x < 0, (1.0 if a is None else a) * gc.expm1(gc.minimum(x, 0.0)), x
    ),
    "softsign": lambda x, a, b: x / (1.0 + gc.abs(x)),
    "softplus": lambda x, a, b: gc.softplus(x),
}


def _activations(a: Use, defaults: list[str], directions: int) -> list[list[Callable[[Any], Any]]]:
    """The activations of each direction, clipped where the node says so."""
    names = a.activations or defaults * directions
    alphas, betas = list(a.activation_alpha or []), list(a.activation_beta or [])
    made = []
    for name in names:
        key = name.lower()
        if key not in ACTIVATIONS:
            raise ValueError(f"no activation {name!r}")
        has_alpha = key in (
            "affine",
            "leakyrelu",
            "thresholdedrelu",
            "scaledtanh",
            "hardsigmoid",
            "elu",
        )
        alpha = alphas.pop(0) if has_alpha and alphas else None
        beta = betas.pop(0) if key in ("affine", "scaledtanh", "hardsigmoid") and betas else None
        made.append(_activation(ACTIVATIONS[key], alpha, beta, a.clip))
    count = len(defaults)
    return [made[k * count : (k + 1) * count] for k in range(directions)]


def _activation(apply: Any, alpha: Any, beta: Any, clip: Any) -> Callable[[Any], Any]:
    if not clip:
        return lambda x: apply(x, alpha, beta)
    return lambda x: apply(gc.clip(x, -clip, clip), alpha, beta)


def _layer(a: Use, xs: Any, step: Any, defaults: list[str], carries: int) -> Any:
    """All directions of a recurrent layer.

    Args:
        xs: the node's inputs: X, W, R, B, sequence_lens, initial_h, and more.
        step: makes the function of (carry, projected x) of one direction.
        carries: how many states there are (h, and c).
    """
    given: list[Any] = [*xs, *[None] * (8 - len(xs))]
    x, w, r, b, lengths, h0, c0, peepholes = given
    if a.layout:
        x = gc.transpose(x, 0, 1)
        h0, c0 = (None if v is None else gc.transpose(v, 0, 1) for v in (h0, c0))
    hidden, directions = r.shape[-1], w.shape[0]
    activations = _activations(a, defaults, directions)
    batch = x.shape[1]
    outputs, lasts = [], []
    for k in range(directions):
        is_back = (a.direction or "forward") == "reverse" or k == 1
        seen = _reversed(x, lengths) if is_back else x
        bias = None if b is None else b[k]
        projected = gc.matmul(seen, gc.transpose(w[k], 0, 1))
        begin = [
            full((batch, hidden), 0, x.dtype) if v is None else v[k] for v in (h0, c0)[:carries]
        ]
        p = None if peepholes is None else peepholes[k]
        body = step(r[k], bias, activations[k], hidden, p)
        carry, ys = _scanned(body, begin, projected, lengths)
        outputs.append(_reversed(ys, lengths) if is_back else ys)
        lasts.append(carry)
    y = gc.stack(outputs, 1)
    states = [gc.stack([last[k] for last in lasts], 0) for k in range(carries)]
    if a.layout:
        y = gc.permute(y, (2, 0, 1, 3))
        states = [gc.transpose(s, 0, 1) for s in states]
    return (y, *states)[: a.count]


def _reversed(x: Node, lengths: Any) -> Any:
    return gc.flip(x, 0) if lengths is None else reversed_parts(x, lengths, 0, 1)


def _scanned(body: Any, begin: list[Any], xs: Any, lengths: Any) -> Any:
    """A scan over time; beyond a sequence's end, its states stay and its outputs are 0."""
    if xs.shape[0] == 1 and lengths is None:
        carry = body(tuple(begin), xs[0])
        return carry, gc.expand_dims(carry[0], 0)
    if lengths is None:

        def plain(carry: Any, x: Node) -> Any:
            new = body(carry, x)
            return new, new[0]

        return gc.scan(plain, tuple(begin), xs)
    own = gc.expand_dims(gc.cast(lengths, dtypes.int64), 1)

    def masked(carry: Any, x: Node) -> Any:
        step, *states = carry
        new = body(tuple(states), x)
        is_on = step < own
        kept = tuple(gc.where(is_on, n, s) for n, s in zip(new, states))
        return (step + 1, *kept), gc.where(is_on, new[0], new[0] * 0.0)

    start = gc.constant(0)
    carry, ys = gc.scan(masked, (start, *begin), xs)
    return carry[1:], ys


def _halves(bias: Any, size: int) -> tuple[Any, Any]:
    return (None, None) if bias is None else (bias[:size], bias[size:])


def _plus(x: Node, bias: Any) -> Any:
    return x if bias is None else x + bias


@rule("RNN")
def rnn(a: Use, *xs: Node) -> Any:
    def step(r: Any, bias: Any, acts: Any, hidden: int, p: Any) -> Any:
        left, right = _halves(bias, hidden)
        whole = None if bias is None else left + right
        weight = gc.transpose(r, 0, 1)
        return lambda carry, x: (acts[0](_plus(x + gc.matmul(carry[0], weight), whole)),)

    return _layer(a, xs, step, ["Tanh"], 1)


@rule("GRU")
def gru(a: Use, *xs: Node) -> Any:
    def step(r: Any, bias: Any, acts: Any, hidden: int, p: Any) -> Any:
        left, right = _halves(bias, 3 * hidden)
        both, last = gc.transpose(r[: 2 * hidden], 0, 1), gc.transpose(r[2 * hidden :], 0, 1)
        gate_bias = None if bias is None else left[: 2 * hidden] + right[: 2 * hidden]
        own_bias = None if bias is None else left[2 * hidden :]
        state_bias = None if bias is None else right[2 * hidden :]

        def body(carry: Any, x: Node) -> Any:
            h = carry[0]
            gates = acts[0](_plus(x[:, : 2 * hidden] + gc.matmul(h, both), gate_bias))
            z, reset = gates[:, :hidden], gates[:, hidden:]
            own = _plus(x[:, 2 * hidden :], own_bias)
            if a.linear_before_reset:
                inner = own + reset * _plus(gc.matmul(h, last), state_bias)
            else:
                inner = own + _plus(gc.matmul(reset * h, last), state_bias)
            new = acts[1](inner)
            return ((1.0 - z) * new + z * h,)

        return body

    return _layer(a, xs, step, ["Sigmoid", "Tanh"], 1)


@rule("LSTM")
def lstm(a: Use, *xs: Node) -> Any:
    def step(r: Any, bias: Any, acts: Any, hidden: int, p: Any) -> Any:
        left, right = _halves(bias, 4 * hidden)
        whole = None if bias is None else left + right
        weight = gc.transpose(r, 0, 1)
        cuts = [slice(k * hidden, (k + 1) * hidden) for k in range(4)]
        holes = [None] * 3 if p is None else [p[cuts[k]] for k in range(3)]

        def body(carry: Any, x: Node) -> Any:
            h, c = carry
            gates = _plus(x + gc.matmul(h, weight), whole)
            i, o, f, g = (gates[:, cut] for cut in cuts)
            if p is not None:
                i, f = i + holes[0] * c, f + holes[2] * c
            i = acts[0](i)
            f = 1.0 - i if a.input_forget else acts[0](f)
            new = f * c + i * acts[1](g)
            o = acts[0](o if p is None else o + holes[1] * new)
            return o * acts[2](new), new

        return body

    return _layer(a, xs, step, ["Sigmoid", "Tanh", "Tanh"], 2)

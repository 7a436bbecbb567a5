"""Bodies whose kernels are kept as text in `tests/golden/kernels`: one of every kind of loop nest.

Each is a function of no arguments that gives the outputs of a graph; its inputs are found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import graphc as gc
from graphc.core.ir import Graph, Node, toposort
from graphc.ops.source import INPUT_OP

N, M = gc.dim("n"), gc.dim("m")
Body = Callable[[], Any]
BODIES: dict[str, Body] = {}


def body(function: Body) -> Body:
    """Enter a body under its function's name."""
    BODIES[function.__name__] = function
    return function


def graph_of(name: str) -> Graph:
    """The graph of a body, as it was written."""
    found = BODIES[name]()
    outputs = list(found) if isinstance(found, Sequence) else [found]
    return Graph.of(name, [n for n in toposort(outputs) if n.op is INPUT_OP], outputs)


def x(*shape: Any, dtype: Any = gc.float32, name: str = "x") -> Node:
    return gc.input(name, shape, dtype)


@body
def elementwise_chain() -> Any:
    a = x(N, 16)
    return gc.tanh(a * 2.0 + 1.0) * gc.sigmoid(a)


@body
def elementwise_two_results() -> Any:
    a, b = x(N), x(N, name="y")
    product = a * b
    return product, gc.exp(product)


@body
def elementwise_on_half() -> Any:
    return gc.exp(x(N, dtype=gc.float16)) + 1


@body
def elementwise_on_integers() -> Any:
    a, b = x(N, dtype=gc.int64), x(N, dtype=gc.int64, name="y")
    return gc.where(a > b, a ^ b, a & b) % 7


@body
def checked_division() -> Any:
    return x(N, dtype=gc.int32) // x(N, dtype=gc.int32, name="y")


@body
def cast_to_smaller_integers() -> Any:
    return gc.cast(x(N), gc.int8)


@body
def scalars_only() -> Any:
    return gc.sqrt(x()) * 2.0


@body
def broadcast_of_rows_and_columns() -> Any:
    return x(N, 1) * x(1, M, name="y") + x(M, name="z")


@body
def transposed_and_flipped() -> Any:
    return gc.flip(gc.transpose(x(N, M)), axis=0) + 1.0


@body
def slices_and_pads() -> Any:
    return gc.pad(x(N, 8)[1:, ::2], ((1, 0), (0, 2)), 3.0)


@body
def joined_pieces() -> Any:
    a, b = x(N, 4), x(M, 4, name="y")
    return gc.concat([a, b * 2.0, a], axis=0)


@body
def stacked_pieces() -> Any:
    a, b = x(N), x(N, name="y")
    return gc.stack([a, b, a + b], axis=1)


@body
def a_row_taken() -> Any:
    return gc.take(x(N, 8), x(M, dtype=gc.int64, name="rows"), axis=0) * 2.0


@body
def sum_of_everything() -> Any:
    return gc.sum(x(N, M) ** 2)


@body
def sums_of_rows() -> Any:
    return gc.sum(x(N, M), axis=1)


@body
def sums_of_columns() -> Any:
    return gc.sum(x(N, M), axis=0)


@body
def sum_over_a_middle_axis() -> Any:
    return gc.sum(x(N, 5, M), axis=1)


@body
def greatest_of_rows_and_where() -> Any:
    a = x(N, M)
    return gc.max(a, axis=1), gc.argmax(a, axis=1)


@body
def variance_of_rows() -> Any:
    return gc.var(x(N, M), axis=1, correction=0)


@body
def softmax() -> Any:
    return gc.softmax(x(N, 10), axis=1)


@body
def logsumexp() -> Any:
    return gc.logsumexp(x(N, M), axis=1)


@body
def layer_norm() -> Any:
    a = x(N, 64)
    centred = a - gc.mean(a, axis=1, keepdims=True)
    spread = gc.mean(centred**2, axis=1, keepdims=True)
    return centred * gc.rsqrt(spread + 1e-5) * x(64, name="weight") + x(64, name="bias")


@body
def cross_entropy() -> Any:
    return gc.cross_entropy(x(N, 10), x(N, dtype=gc.int64, name="labels"))


@body
def cross_entropy_gradient() -> Any:
    logits = x(N, 10)
    return gc.grad(gc.cross_entropy(logits, x(N, dtype=gc.int64, name="labels")), logits)


@body
def columns_beside_elements() -> Any:
    a = x(N, 32)
    hidden = gc.relu(a)
    return hidden, gc.sum(hidden, axis=0)


@body
def a_loss_with_a_penalty() -> Any:
    a, b = x(N, 8), x(8, name="bias")
    return gc.sum(gc.logsumexp(a + b, axis=1)) + gc.sum(b**2)


@body
def whitened_columns() -> Any:
    a = x(N, 6)
    return (a - gc.mean(a, axis=0)) / gc.std(a, axis=0, correction=0)


@body
def cumulative_sum() -> Any:
    return gc.cumsum(x(N, M), axis=1)


@body
def added_into_rows() -> Any:
    return gc.index_add(x(N, 4), x(M, dtype=gc.int64, name="rows"), x(M, 4, name="values"))


@body
def sorted_rows() -> Any:
    return gc.sort(x(N, M), axis=1)


@body
def windows_of_pictures() -> Any:
    return gc.max_pool(x(N, 3, 8, 8), (2, 2))

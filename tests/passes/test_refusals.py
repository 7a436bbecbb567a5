"""What stays apart has a reason: every pair of neighbours in two kernels, with bytes and advice."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import pytest

import graphc as gc
from graphc import nn
from graphc.core.ir import Graph, Kind, Node, is_item
from graphc.passes.fusion.fuse import _Fusion, explain
from graphc.passes.pipeline import optimize


@functools.cache
def _graph(name: str) -> Graph:
    return GRAPHS[name]()


def _step(model: nn.Module, shape: tuple[int, ...]) -> Graph:
    x = gc.input("x", shape)
    loss = gc.mean(model(x) ** 2)
    updates = gc.optim.SGD(model.parameters(), lr=1e-3).updates(loss)
    program = gc.compile([x], loss, updates=updates, target="reference")
    return optimize(program.graph, "O1")[0]


def _convolutions() -> Graph:
    return _step(
        nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 2, 3)),
        (2, 2, 8, 8),
    )


def _transformer() -> Graph:
    gc.manual_seed(0)
    return _step(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), (2, 5, 8))


def _sorted() -> Graph:
    x = gc.input("x", (4, 6))
    values = gc.sort(gc.exp(x), axis=1)
    return Graph.of("sorted", [x], [gc.cumsum(values * 2, axis=0) + gc.concat([x, x])[:4]])


GRAPHS: dict[str, Callable[[], Graph]] = {
    "convolutions": _convolutions,
    "transformer": _transformer,
    "sorted": _sorted,
}


@pytest.mark.parametrize("name", GRAPHS)
def test_every_two_kernels_beside_each_other_have_a_reason(name: str) -> None:
    graph = _graph(name)
    fusion = _Fusion(graph)
    told = {tuple(fusion.of.get(n, n) for n in (r.producer, r.consumer)) for r in explain(graph)}
    apart = {(fusion.of.get(a, a), fusion.of.get(b, b)) for a, b in _neighbours(fusion)}
    pairs = {(a, b) for a, b in apart if a is not b}
    assert pairs and pairs <= told


def _neighbours(fusion: _Fusion) -> Iterator[tuple[Node, Node]]:
    """What is computed, and what reads it, through views or not."""
    for node in fusion.graph.nodes:
        if is_item(node) or not (node in fusion.of or node not in fusion.views | fusion.literals):
            continue
        for operand in node.inputs:
            base = fusion._base(operand)
            if base.op.kind is not Kind.SOURCE and base not in fusion.literals:
                yield base, node


@pytest.mark.parametrize("name", GRAPHS)
def test_a_reason_has_advice_and_bytes(name: str) -> None:
    found = explain(_graph(name))
    assert len({(r.producer, r.consumer) for r in found}) == len(found)
    for refusal in found:
        assert refusal.reason and refusal.advice, refusal
        assert refusal.saved >= refusal.producer.type.nbytes  # type: ignore[union-attr]


def test_one_kernel_would_save_the_write_too_where_nobody_else_reads() -> None:
    x = gc.input("x", (8, 8))
    y = gc.named("y", x @ x)
    for others, times in ((), 2), ((y,), 1):
        (refusal,) = explain(Graph.of("g", [x], [gc.exp(y), *others]))
        assert (refusal.producer, refusal.saved) == (y, times * 8 * 8 * 4)

"""Fusion: what runs as one kernel, what stays apart and why, values unchanged."""

from __future__ import annotations

import random

import networkx
import numpy as np
import pytest
from counting import calls_of
from lowering import run_lowered
from simulated import random_graph

import graphc as gc
from graphc import text
from graphc.core.interpret import run
from graphc.core.ir import OPS, Graph, Kind, Node
from graphc.ops.source import Bound
from graphc.passes.cse import cse
from graphc.passes.fusion.fuse import explain, fuse
from graphc.passes.simplify import simplify
from graphc.verify import verify

N = gc.dim("n", min=1)
ROWS = gc.input("x", (N, 40))
CT = gc.input("ct", (N, 40))
TARGET = gc.input("t", (N,), gc.int64)


def graph_of(inputs: list[Node], outputs: list[Node]) -> Graph:
    """A graph as fusion meets it."""
    graph = Graph.of("g", inputs, outputs)
    bound = [n for n in graph.nodes if isinstance(n, Bound)]
    graph = Graph.of("g", [*inputs, *bound], outputs)
    for _ in range(4):
        graph = cse(simplify(graph))
    return graph


def kernels(graph: Graph) -> list[Node]:
    """The nodes of a graph that compute."""
    return [n for n in graph.nodes if n.op.kind not in (Kind.SOURCE, Kind.CONTROL)]


def arrays_for(graph: Graph, seed: int = 0) -> list[np.ndarray]:
    """Values for the inputs, n being 7."""
    rng = np.random.default_rng(seed)
    found = []
    for node in graph.inputs:
        shape = [7 if s is N else s for s in node.type.shape]  # type: ignore[union-attr]
        dtype = node.type.dtype.numpy  # type: ignore[union-attr]
        if dtype.kind == "i":
            found.append(rng.integers(0, 40, shape).astype(dtype))
        else:
            found.append(np.asarray(rng.standard_normal(shape)).astype(dtype))
    return found


def agrees(graph: Graph, rtol: float = 2e-5) -> Graph:
    """Fuse a graph; its kernels as plain Python give what the interpreter gives unfused."""
    fused = verify(fuse(graph))
    arrays = arrays_for(graph)
    wanted = run(graph, arrays)
    found, status = run_lowered(fused, arrays, {"n": 7}, parts=3)
    assert not status.any()
    for ours, reference in zip(found, wanted):
        np.testing.assert_allclose(ours, reference, rtol=rtol, atol=1e-5)
    return fused


def layer_norm(x: Node, scale: Node, shift: Node) -> Node:
    centred = x - gc.mean(x, -1, keepdims=True)
    variance = gc.mean(centred * centred, -1, keepdims=True)
    return centred / gc.sqrt(variance + 1e-5) * scale + shift


def _layer_norm_backward() -> tuple[list[Node], list[Node]]:
    scale, shift = gc.input("scale", (40,)), gc.input("shift", (40,))
    y = layer_norm(ROWS, scale, shift)
    inputs = [ROWS, scale, shift, CT]
    return inputs, [y, *gc.grad(gc.sum(y * CT), [ROWS, scale, shift])]


def _cross_entropy() -> tuple[list[Node], list[Node]]:
    loss = gc.cross_entropy(ROWS, TARGET)
    return [ROWS, TARGET], [loss, gc.grad(loss, ROWS)]


CASES = {
    "softmax": lambda: ([ROWS], [gc.softmax(ROWS, -1)]),
    "log_softmax": lambda: ([ROWS], [gc.log_softmax(ROWS, -1)]),
    "softmax_backward": lambda: (
        [ROWS, CT], [gc.grad(gc.sum(gc.softmax(ROWS, -1) * CT), ROWS)]),
    "layer_norm": lambda: (
        [ROWS, s := gc.input("s", (40,)), b := gc.input("b", (40,))], [layer_norm(ROWS, s, b)]),
    "layer_norm_backward": _layer_norm_backward,
    "cross_entropy_backward": _cross_entropy,
    "chain": lambda: ([ROWS], [gc.tanh(gc.exp(ROWS) * 2 + 1)]),
    "diamond": lambda: ([ROWS], [(y := gc.exp(ROWS)) + 1, y * y]),
    "bias_gradient": lambda: (
        [ROWS, CT], [g := gc.where(ROWS > 0, CT, 0), gc.sum(g, 0)]),
    "mean": lambda: ([ROWS], [gc.mean(gc.square(ROWS))]),
    "channel_statistics": lambda: (
        [x := gc.input("im", (N, 3, 4, 4))], [gc.sum(x, (0, 2, 3)), gc.sum(x * x, (0, 2, 3))]),
    "reshaped": lambda: ([ROWS], [gc.reshape(gc.exp(ROWS), (N, 8, 5)) * 2]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_is_one_kernel(name: str) -> None:
    inputs, outputs = CASES[name]()
    fused = agrees(graph_of(inputs, outputs))
    assert len(kernels(fused)) == 1, [str(r) for r in explain(graph_of(inputs, outputs))]


def test_all_updates_are_one_kernel() -> None:
    parameters = [gc.parameter(f"w{k}", np.ones((4 + k, 3), np.float32)) for k in range(4)]
    grads = [gc.input(f"g{k}", (4 + k, 3)) for k in range(4)]
    momenta = [gc.parameter(f"m{k}", np.ones((4 + k, 3), np.float32)) for k in range(4)]
    new = [0.9 * m + g for m, g in zip(momenta, grads)]
    outputs = [*new, *(w - 0.1 * m for w, m in zip(parameters, new))]
    inputs = [*grads, *momenta, *parameters]
    graph = Graph.of("g", inputs, outputs, [(k, 4 + k) for k in range(8)])
    assert len(kernels(fuse(graph))) == 1
    agrees(graph)


def test_an_update_never_shares_a_kernel_with_an_op_that_can_fail() -> None:
    w = gc.parameter("w", np.ones(40, np.float32))
    taken = gc.take(w, TARGET)
    new = w - gc.sum(taken)
    graph = Graph.of("g", [TARGET, w], [new], [(0, 1)])
    for node in kernels(fuse(graph)):
        if node.op.kind is Kind.FUSED:
            body = node.attr("body")
            kinds = {n.op.name for n in body.nodes}
            assert not {"take", "subtract"} <= kinds


def test_every_refusal_has_a_reason() -> None:
    w = gc.input("w", (40, 40))
    y = gc.exp(ROWS) @ w
    graph = graph_of([ROWS, w], [gc.relu(y), gc.softmax(y, 0)])
    refusals = explain(graph)
    assert any("contraction" in r.reason for r in refusals)
    assert any("does not lie in one piece" in r.reason for r in refusals)
    assert all(r.reason for r in refusals)


def test_a_large_row_is_not_read_twice() -> None:
    x = gc.input("x", (8, 1 << 18))
    refusals = explain(graph_of([x], [gc.softmax(x, -1)]))
    assert any("a row of 262144 elements does not fit in cache" in r.reason for r in refusals)


def test_overlapping_windows_do_not_repeat_costly_work() -> None:
    x = gc.input("x", (N, 1, 9, 9))
    fused = agrees(graph_of([x], [gc.max_pool(gc.exp(x), 3, 1)]))
    assert len(kernels(fused)) == 2


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_keep_their_values(seed: int) -> None:
    graph = random_graph(random.Random(seed))
    fused = verify(fuse(graph))
    arrays = arrays_for(graph, seed)
    wanted = run(graph, arrays)
    for ours, reference in zip(run(fused, arrays), wanted):
        np.testing.assert_allclose(ours, reference, rtol=1e-5, atol=1e-5)
    found, _ = run_lowered(fused, arrays, parts=2)
    for ours, reference in zip(found, wanted):
        np.testing.assert_allclose(ours, reference, rtol=1e-4, atol=1e-4)


def _large(nodes: int) -> Graph:
    chosen = random.Random(0)
    x, w = gc.input("x", (8, 8)), gc.input("w", (8, 8))
    live, count = [x, w], 0
    while count < nodes:
        a, b, kind = chosen.choice(live[-6:]), chosen.choice(live[-6:]), chosen.random()
        if kind < 0.1:
            s = OPS["sum"](a, axes=(1,))
            live.append(OPS["broadcast"](s, axes=(1,), shape=(8, 8)) * b)
            count += 2
        else:
            name = "matmul" if kind < 0.15 else "add" if kind < 0.6 else "multiply"
            live.append(OPS[name](a, b))
        count += 1
    return Graph.of("g", [x, w], live[-6:])


def test_fusing_a_large_graph_takes_work_linear_in_its_nodes() -> None:
    graph, larger = _large(2_500), _large(10_000)
    assert calls_of(lambda: fuse(larger)) < 5 * calls_of(lambda: fuse(graph))
    assert len(fuse(graph).nodes) < len(graph.nodes)


def _with_library_nodes(seed: int) -> Graph:
    """A random graph of maps and sums, with ops between that are never fused."""
    rng = random.Random(seed)
    values: list[Node] = [gc.input("x", (4, 4)), gc.input("y", (4, 4))]
    for _ in range(25):
        x, y = rng.choice(values[-6:]), rng.choice(values)
        values.append(
            rng.choice([gc.exp, gc.tanh])(x)
            if rng.random() < 0.4
            else gc.cumsum(x, axis=0)
            if rng.random() < 0.4
            else x * y
        )
    return Graph.of("g", values[:2], values[-3:])


@pytest.mark.parametrize("seed", range(30))
def test_a_cycle_that_is_a_reason_is_one(seed: int) -> None:
    graph = _with_library_nodes(seed)
    arrows, names = gc.to_networkx(graph), text.names(graph)
    for refusal in explain(graph):
        if not refusal.reason.startswith("it would make a cycle"):
            continue
        consumer = names[refusal.consumer]
        ops = refusal.reason.rpartition(": ")[2].split(" -> ")
        assert len(ops) > 2 and ops[-1] == refusal.consumer.op.name
        ways = _ways(arrows, consumer, ops)
        assert ways
        for way in ways:  # a kernel of both ends would need itself
            together = networkx.contracted_nodes(arrows, way[0], consumer, self_loops=False)
            assert not networkx.is_directed_acyclic_graph(together)


def _ways(arrows: networkx.MultiDiGraph, end: str, ops: list[str]) -> list[list[str]]:
    """The paths to a node whose ops are these."""
    ways = [[end]]
    for op in reversed(ops[:-1]):
        ways = [
            [before, *way]
            for way in ways
            for before in arrows.predecessors(way[0])
            if arrows.nodes[before]["op"] == op
        ]
    return ways


@pytest.mark.parametrize("seed", range(30))
def test_kernels_need_each_other_in_no_circle(seed: int) -> None:
    graph = _with_library_nodes(seed)
    fused = fuse(graph)
    assert networkx.is_directed_acyclic_graph(gc.to_networkx(fused))
    place = {node: k for k, node in enumerate(fused.nodes)}
    assert all(place[i] < place[node] for node in fused.nodes for i in node.inputs)
    # Each op that is no view or number is in one kernel, or alone.
    inside = [n for k in fused.nodes if k.op.kind is Kind.FUSED for n in k.attr("body").nodes]
    computed = [n for n in (*fused.nodes, *inside) if n.op.kind is Kind.ELEMENTWISE]
    assert len(computed) == sum(n.op.kind is Kind.ELEMENTWISE for n in graph.nodes)

"""What becomes one kernel by the general rule, what stays apart, and the reason given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.interpret import run
from graphc.core.ir import Graph, Kind, Node
from graphc.passes.fusion.fuse import explain, fuse
from graphc.passes.pipeline import O1
from graphc.passes.pipeline import run as run_passes
from graphc.text import parse, show
from graphc.verify import verify

N = gc.dim("n", min=1)


def _settled(inputs: list[Any], outputs: list[Any], aliases: Any = ()) -> Graph:
    return run_passes(Graph.of("g", inputs, outputs, aliases), O1)[0]


def _kernels(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.op.kind is Kind.FUSED]


def _fused(inputs: list[Any], outputs: list[Any], aliases: Any = ()) -> Graph:
    """Fuse, check that the graph is sound and reads back, and that values are the same."""
    before = _settled(inputs, outputs, aliases)
    after = verify(fuse(before))
    assert show(parse(show(after))) == show(after)
    rng = np.random.default_rng(0)
    arrays = []
    for node in before.inputs:
        shape = [d if isinstance(d, int) else 5 for d in node.shape]
        kind = node.dtype
        draw = rng.standard_normal(shape) if kind.is_float else rng.integers(0, 3, shape)
        arrays.append(np.asarray(draw, kind.numpy))
    for ours, wanted in zip(run(after, arrays), run(before, arrays), strict=True):
        np.testing.assert_array_equal(ours, wanted)
    return after


def test_a_chain_of_elementwise_ops_is_one_kernel() -> None:
    x = gc.input("x", (N, 4))
    assert len(_kernels(_fused([x], [gc.tanh(x * 2.0 + 1.0) - x]))) == 1


def test_a_diamond_with_several_results_is_one_kernel() -> None:
    x = gc.input("x", (N, 4))
    e = gc.exp(x)
    (kernel,) = _kernels(_fused([x], [e, e * x + e, gc.sin(e)]))
    assert len(kernel.attr("body").outputs) == 3


def test_movement_is_folded_into_the_reader() -> None:
    x, b = gc.input("x", (6, 4)), gc.input("b", (6,))
    y = gc.flip(x.T, axis=0)[:, 1:5] * b[1:5] + 1.0
    assert len(_kernels(_fused([x, b], [y]))) == 1


def test_softmax_and_its_gradient_are_one_kernel_each() -> None:
    x, ct = gc.input("x", (N, 10)), gc.input("ct", (N, 10))
    y = gc.softmax(x, axis=-1)
    assert len(_kernels(_fused([x], [y]))) == 1
    assert len(_kernels(_fused([x, ct], [gc.grad(gc.sum(y * ct), x)]))) == 1


def test_layer_norm_forward_and_backward_is_one_kernel() -> None:
    x, ct = gc.input("x", (N, 8)), gc.input("ct", (N, 8))
    scale, shift = gc.input("scale", (8,)), gc.input("shift", (8,))
    centred = x - gc.mean(x, axis=-1, keepdims=True)
    y = centred / gc.sqrt(gc.mean(centred * centred, axis=-1, keepdims=True) + 1e-5)
    y = y * scale + shift
    slopes = gc.grad(gc.sum(y * ct), [x, scale, shift])
    assert len(_kernels(_fused([x, ct, scale, shift], [y, *slopes]))) == 1


def test_softmax_cross_entropy_forward_and_backward_shares_one_kernel() -> None:
    x, t = gc.input("x", (N, 10)), gc.input("t", (N,), gc.int64)
    loss = gc.cross_entropy(x, t)
    kernels = _kernels(_fused([x, t], [loss, gc.grad(loss, x)]))
    rows = [k for k in kernels if any(n.op.name == "exp" for n in k.attr("body").nodes)]
    assert len(rows) == 1 and len(kernels) <= 2


def test_a_bias_gradient_is_summed_beside_the_elementwise_work() -> None:
    x, ct = gc.input("x", (N, 8)), gc.input("ct", (N, 8))
    masked = gc.where(x > 0, ct, 0.0)
    assert len(_kernels(_fused([x, ct], [masked, gc.sum(masked, axis=0)]))) == 1


def test_all_parameter_updates_are_one_kernel() -> None:
    shapes = [(3, 4), (4,), (2, 3), ()]
    slopes = [gc.input(f"g{k}", s) for k, s in enumerate(shapes)]
    weights = [gc.parameter(f"w{k}", np.ones(s, np.float32)) for k, s in enumerate(shapes)]
    outputs = [w - 0.1 * g for w, g in zip(weights, slopes)]
    aliases = [(k, len(slopes) + k) for k in range(len(weights))]
    assert len(_kernels(_fused([*slopes, *weights], outputs, aliases))) == 1


def test_an_op_that_can_fail_shares_no_kernel_with_an_update() -> None:
    w = gc.parameter("w", np.ones(4, np.float32))
    k = gc.input("k", (4,), gc.int64)
    graph = _fused([k, w], [w - gc.take(w, k)], [(0, 1)])
    updating = graph.outputs[0]
    names = {node.op.name for node in updating.attr("body").nodes}
    assert "take" not in names and "subtract" in names


REASONS = {
    "is a contraction": lambda x: gc.exp(x @ x.T),
    "library": lambda x: gc.sort(gc.exp(x), axis=0),
}


@pytest.mark.parametrize("words", sorted(REASONS))
def test_what_is_not_fused_carries_its_reason(words: str) -> None:
    x = gc.input("x", (4, 4))
    refusals = explain(_settled([x], [REASONS[words](x)]))
    assert any(words in refusal.reason for refusal in refusals), list(map(str, refusals))


def test_a_row_too_long_for_the_cache_is_not_joined_to_its_elements_again() -> None:
    x = gc.input("x", (4, 1_000_000))
    graph = _settled([x], [gc.softmax(x, axis=-1)])
    assert len(_kernels(verify(fuse(graph)))) > 1
    assert any("does not fit in cache" in refusal.reason for refusal in explain(graph))


def test_a_path_through_a_contraction_makes_no_cycle() -> None:
    x = gc.input("x", (4, 4))
    a = gc.exp(x)
    graph = _fused([x], [a * (gc.tanh(a) @ a)])
    assert [n.op.kind for n in graph.nodes].count(Kind.CONTRACT) == 1


def test_fusing_20000_nodes_is_linear() -> None:
    x = gc.input("x", (8, 8))
    y = x
    for k in range(5000):
        y = y * 0.5 + x if k % 50 else gc.softmax(y @ x, axis=-1)
    graph = Graph.of("deep", [x], [y])
    assert len(_kernels(fuse(graph))) < len(graph.nodes) / 4

"""Rematerialisation: values stay, the peak falls, and nothing happens where it would not."""

from __future__ import annotations

import random

import numpy as np
import pytest
from simulated import fuse_runs, random_graph

import graphc as gc
from graphc.core.interpret import run
from graphc.core.ir import OPS, Graph, Node
from graphc.ops.control import FUSED
from graphc.ops.source import INPUT_OP
from graphc.passes.memory.plan import plan
from graphc.passes.memory.rematerialise import rematerialise, rematerialise_more
from graphc.verify import verify


def _across_a_peak(keep: Node, x: Node) -> Graph:
    """`keep` is used, then large values live, then it is used again."""
    early = OPS["sum"](keep, axes=(0, 1))
    wide = OPS["exp"](OPS["broadcast"](x, axes=(0,), shape=(8, *x.shape)))
    middle = OPS["sum"](OPS["exp"](wide), axes=(0,))
    late = OPS["multiply"](middle, keep)
    nodes = list(Graph.of("g", [x], [early, late]).nodes)
    return Graph("g", (x,), tuple(nodes), (early, late))


def _peak(graph: Graph) -> int:
    return plan(graph).place({}).total


def test_a_cheap_value_is_computed_again_after_the_peak() -> None:
    x = gc.input("x", (64, 64))
    graph = _across_a_peak(x + x, x)
    after = verify(rematerialise(graph))
    assert sum(n.op is OPS["add"] for n in after.nodes) == 2
    assert _peak(after) == _peak(graph) - 64 * 64 * 4
    arrays = [np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)]
    for left, right in zip(run(graph, arrays), run(after, arrays), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_costly_value_is_kept() -> None:
    x = gc.input("x", (64, 64))
    graph = _across_a_peak(gc.exp(x), x)
    assert rematerialise(graph) is graph
    assert rematerialise_more(graph) is graph


def test_chains_are_computed_again_at_the_highest_level_only() -> None:
    x = gc.input("x", (64, 64))
    p = INPUT_OP(name="p0", type=x.type)
    body = Graph.of("body", [p], [(p + p) * p - p])
    graph = _across_a_peak(FUSED(x, body=body), x)
    assert rematerialise(graph) is graph
    assert _peak(rematerialise_more(graph)) < _peak(graph)


def test_a_value_whose_operand_would_live_longer_is_kept() -> None:
    x = gc.input("x", (64, 64))
    graph = _across_a_peak(OPS["negative"](gc.exp(x)), x)
    assert rematerialise(graph) is graph


def test_nothing_is_done_for_little() -> None:
    x = gc.input("x", (64, 64))
    small = OPS["broadcast"](gc.full((), 2.0, "float32"), axes=(0, 1), shape=(1, 1))
    early = OPS["negative"](small)
    middle = OPS["sum"](OPS["exp"](OPS["exp"](x)), axes=(0, 1))
    late = OPS["multiply"](OPS["reshape"](middle, shape=(1, 1)), small)
    graph = Graph.of("g", [x], [early, late])
    assert rematerialise(graph) is graph


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_keep_their_values_and_never_need_more(seed: int) -> None:
    rng = random.Random(seed)
    plain = random_graph(rng, 40)
    graph = fuse_runs(plain, rng)
    after = verify(rematerialise_more(graph))
    values = np.random.default_rng(seed)
    arrays = [values.standard_normal(n.type.shape) for n in plain.inputs]  # type: ignore[union-attr]
    for left, right in zip(run(graph, arrays), run(after, arrays), strict=True):
        np.testing.assert_array_equal(left, right)

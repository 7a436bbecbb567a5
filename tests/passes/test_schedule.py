"""Scheduling: operands before users, the peak falls, and otherwise the order stays."""

from __future__ import annotations

import random

import numpy as np
import pytest
from simulated import fuse_runs, random_graph

import graphc as gc
from graphc.core.interpret import run
from graphc.core.ir import OPS, Graph
from graphc.passes.memory.plan import live_bytes, plan
from graphc.passes.memory.schedule import schedule
from graphc.verify import verify


def test_values_are_used_up_before_others_are_made() -> None:
    inputs = [gc.input(f"x{k}", (64,)) for k in range(6)]
    wide = [gc.exp(x) for x in inputs]
    sums = [OPS["sum"](v, axes=(0,)) for v in wide]
    nodes = (*inputs, *wide, *sums)
    graph = Graph("g", tuple(inputs), nodes, tuple(sums))
    after = verify(schedule(graph))
    assert plan(graph).place({}).total == 6 * 256
    assert plan(after).place({}).total == 256


def test_an_order_that_is_good_is_kept() -> None:
    x = gc.input("x", (64,))
    graph = Graph.of("g", [x], [gc.exp(gc.sin(gc.exp(x)))])
    assert schedule(graph) is graph


@pytest.mark.parametrize("seed", range(80))
def test_random_graphs_keep_their_values_and_never_need_more(seed: int) -> None:
    rng = random.Random(seed)
    graph = random_graph(rng, 40)
    graph = fuse_runs(graph, rng) if seed % 2 else graph
    after = verify(schedule(graph))
    assert max(live_bytes(after)) <= max(live_bytes(graph))
    values = np.random.default_rng(seed)
    arrays = [values.standard_normal(n.type.shape) for n in graph.inputs]  # type: ignore[union-attr]
    for left, right in zip(run(graph, arrays), run(after, arrays), strict=True):
        np.testing.assert_array_equal(left, right)

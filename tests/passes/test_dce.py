"""Dead code goes, inputs and the order of what is left stay."""

from __future__ import annotations

import graphc as gc
from graphc.core.ir import Graph
from graphc.passes.dce import dce
from graphc.text import parse, show


def test_nodes_that_no_output_needs_go_and_inputs_stay() -> None:
    before = """\
def g(x: f32[3], y: f32[3], w: parameter(f32[3])):
    v0: f32[3] = exp(y)
    v1: f32[3] = negative(x)
    v2: f32[3] = add(v0, v1)
    v3: f32[3] = exp(v1)
    return v1, (w := v3)
"""
    after = """\
def g(x: f32[3], y: f32[3], w: parameter(f32[3])):
    v0: f32[3] = negative(x)
    v1: f32[3] = exp(v0)
    return v0, (w := v1)
"""
    assert show(dce(parse(before))) == after


def test_a_graph_without_dead_code_is_returned_itself() -> None:
    x = gc.input("x", (3,))
    graph = Graph.of("g", [x], [gc.exp(x)])
    assert dce(graph) is graph

"""The verifier: each broken invariant is found and named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import graphc as gc
from graphc.core.ir import OPS, Graph, Node
from graphc.core.types import TensorType
from graphc.errors import VerifyError
from graphc.verify import verify

x = gc.input("x", (2,), gc.float32)
w = gc.parameter("w", np.zeros(2, np.float32))
y = gc.exp(x)
z = y + x


def test_a_sound_graph_passes() -> None:
    graph = Graph("g", (x, w), (x, w, y, z), (z, y), ((1, 1),))
    assert verify(graph) is graph


wrong_type = Node(y.op, y.inputs, y.attrs, TensorType(gc.float64, (2,)))
foreign_op = Node(replace(y.op, doc="another"), y.inputs, y.attrs, y.type)
unordered = Node(
    OPS["full"], (), (("value", 1.0), ("shape", ()), ("dtype", gc.float32)),
    TensorType(gc.float32, ()),
)  # fmt: skip
fused_body = Graph.of("kernel", (x,), (y,))
misfit = Node(OPS["fused"], (gc.input("d", (2,), gc.float64),), (("body", fused_body),), y.type)
misplaced = Node(
    OPS["fused"], (x,), (("body", Graph.of("kernel", (x,), (gc.sum(x),))), ("inplace", ((0, 0),))),
    TensorType(gc.float32, ()),
)  # fmt: skip

BROKEN = {
    "an input is listed twice": Graph("g", (x, x), (x, y), (y,)),
    "stands twice": Graph("g", (x,), (x, y, y), (y,)),
    "is not among the inputs": Graph("g", (), (x, y), (y,)),
    "is no placeholder": Graph("g", (x, y), (x, y), (y,)),
    "is not defined above it": Graph("g", (x,), (x, z, y), (z,)),
    "is not the op of that name in the table": Graph("g", (x,), (x, foreign_op), (foreign_op,)),
    "the attributes of": Graph("g", (), (unordered,), (unordered,)),
    "is annotated f64[2] but infers f32[2]": Graph("g", (x,), (x, wrong_type), (wrong_type,)),
    "is not among the nodes": Graph("g", (x, w), (x, y), (y,)),
    "output <add: f32[2]> is not in the graph": Graph("g", (x,), (x, y), (z,)),
    "names no output and input": Graph("g", (x, w), (x, w, y), (y,), ((3, 1),)),
    "cannot be the new value of": Graph("g", (x, w), (x, w, y), (y,), ((0, 0),)),
    "takes other types than its operands'": Graph(
        "g", misfit.inputs, (*misfit.inputs, misfit), (misfit,)
    ),
    "in place: f32[()] cannot be written over f32[2]": Graph(
        "g", (x,), (x, misplaced), (misplaced,)
    ),
}


@pytest.mark.parametrize("message", sorted(BROKEN))
def test_a_broken_invariant_is_named(message: str) -> None:
    with pytest.raises(VerifyError, match="graph 'g'") as caught:
        verify(BROKEN[message])
    assert message in str(caught.value)

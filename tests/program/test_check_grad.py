"""`gc.check_grad`: right gradients pass, wrong ones are named by input, element and both values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.ir import OPS, Kind, Node, Op, Scalar
from graphc.errors import ArgumentError, GradientError

RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 3))


def _network() -> tuple[Any, Any]:
    x = gc.input("x", (gc.dim("n"), 3))
    w = gc.parameter("w", RNG.normal(size=(3, 2)).astype(np.float32))
    h = gc.softmax(gc.tanh(x @ w), axis=1) + gc.randn(2, dtype=gc.float32)
    last, ys = gc.scan(lambda c, v: (gc.tanh(c * v), {"y": c.sum()}), gc.ones((2,)), h)
    return x, {"last": last, "ys": ys, "count": x.shape[0]}


def test_right_gradients_of_graphs_and_programs_pass_whatever_is_drawn() -> None:
    x, outputs = _network()
    gc.check_grad(outputs, {x: A})
    gc.check_grad(outputs, {"x": A.astype(np.float32)}, wrt=x)
    program = gc.compile([x], outputs)
    gc.check_grad(program, [A])
    gc.check_grad(program.graph, [A], elements=3)


def _square(node: Node, ct: Any) -> tuple[Any]:
    return (ct * node.inputs[0] * 2.5,)  # the right factor is 2


@pytest.fixture
def wrong() -> Any:
    op = Op(
        "wrong_square", Kind.ELEMENTWISE, lambda x: x, np.square, _square, Scalar("{0} * {0}"),
    )  # fmt: skip
    OPS[op.name] = op
    yield op
    del OPS[op.name]


def test_a_wrong_gradient_is_told_with_the_element_and_both_values(wrong: Op) -> None:
    x, y = gc.input("x", (2, 2)), gc.input("y", ())
    outputs = wrong(x) * y
    values = {x: [[0.0, 3.0], [0.0, 0.0]], y: 2.0}
    with pytest.raises(GradientError, match="the gradient by 'x' is not that of finite") as raised:
        gc.check_grad(outputs.sum(), values)
    text = str(raised.value)
    assert "1 of 4 elements that were checked differ" in text and "x[0, 1]: gc.grad gives " in text
    line = next(line for line in text.splitlines() if "x[0, 1]" in line)
    got, expected = (float(part.split()[-1]) for part in line.partition("]")[2].split(","))
    assert got / expected == pytest.approx(2.5 / 2)
    assert len(text.splitlines()) <= 12
    gc.check_grad(outputs, values, wrt=[y])


def test_float64_is_computed_whatever_the_graph_has() -> None:
    x = gc.input("x", (3,), gc.float16)
    y = gc.exp(x).astype(gc.float32) * gc.sum(x.astype(gc.bfloat16)).astype(gc.float32)
    gc.check_grad(y, {x: [0.5, 1.0, -2.0]}, rtol=1e-7)


def test_what_cannot_be_checked_is_refused() -> None:
    x, k = gc.input("x", (3,)), gc.input("k", (3,), gc.int64)
    with pytest.raises(ArgumentError, match=r"check_grad\(loss, \{x: array\}\)"):
        gc.check_grad(x * 2.0)
    with pytest.raises(ArgumentError, match="gc.autograd.gradcheck"):
        gc.check_grad(lambda v: v, [A])
    with pytest.raises(ArgumentError, match="no float output"):
        gc.check_grad(k + 1, {k: [1, 2, 3]})
    with pytest.raises(ArgumentError, match="no float input"):
        gc.check_grad(x * k, {x: [1.0, 2.0, 3.0], k: [1, 2, 3]}, wrt=[k])

"""Gradients of whole graphs: against closed forms and finite differences, and their errors."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.interpret import run
from graphc.core.ir import OPS, Graph, Kind, Node, NoGradient, Op
from graphc.errors import ArgumentError, GradientError
from graphc.ops.control import STOP_GRADIENT
from graphc.passes.grad import grad, value_and_grad, vjp
from graphc.passes.jacobian import hessian, hvp, jacobian

X = np.array([0.5, -1.25, 2.0])


def _values(inputs: list[Node], outputs: list[Node], *arrays: Any) -> list[np.ndarray]:
    return list(run(Graph.of("g", inputs, outputs), [np.asarray(a) for a in arrays]))


def _x() -> Node:
    return gc.input("x", (3,), gc.float64)


def test_the_gradient_of_a_polynomial() -> None:
    x = _x()
    (found,) = _values([x], [grad(gc.sum(x * x * x), x)], X)
    np.testing.assert_allclose(found, 3 * X**2, rtol=1e-14)


def test_derivatives_of_any_order() -> None:
    x = gc.input("x", (), gc.float64)
    derivatives = [gc.exp(x * 2.0)]
    for _ in range(4):
        derivatives.append(grad(derivatives[-1], x))
    found = _values([x], derivatives, 0.3)
    wanted = [2.0**k * np.exp(0.6) for k in range(5)]
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


def test_a_value_used_many_times_gets_the_sum() -> None:
    x = _x()
    y = gc.sin(x)
    (found,) = _values([x], [grad(gc.sum(y * y + y * x + y), x)], X)
    wanted = 2 * np.sin(X) * np.cos(X) + np.sin(X) + X * np.cos(X) + np.cos(X)
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


def _network(x: Node, t: Node, w1: Node, b1: Node, w2: Node) -> Node:
    hidden = gc.tanh(x @ w1 + b1)
    return gc.cross_entropy(hidden @ w2, t)


def test_a_network_agrees_with_finite_differences_to_second_order() -> None:
    rng = np.random.default_rng(0)
    shapes = {"x": (6, 4), "w1": (4, 5), "b1": (5,), "w2": (5, 3)}
    nodes = {k: gc.input(k, s, gc.float64) for k, s in shapes.items()}
    t = gc.input("t", (6,), gc.int64)
    loss = _network(nodes["x"], t, nodes["w1"], nodes["b1"], nodes["w2"])
    wrt = [nodes[k] for k in ("w1", "b1", "w2")]
    arrays = {k: rng.standard_normal(s) for k, s in shapes.items()}
    arrays["t"] = rng.integers(0, 3, 6)  # type: ignore[assignment]
    directions = [rng.standard_normal(n.shape) for n in wrt]
    slopes = grad(loss, wrt)
    products = hvp(loss, wrt, directions)
    inputs, outputs = [nodes["x"], t, *wrt], [loss, *slopes, *products]
    held = [n for n in Graph.of("g", inputs, outputs).nodes if n.op.name == "constant"]
    graph = Graph.of("g", [*inputs, *held], outputs)

    def at(step: float) -> list[np.ndarray]:
        moved = [arrays[n.name] + step * d for n, d in zip(wrt, directions)]
        values = [arrays["x"], arrays["t"], *moved, *(n.state.array for n in held)]  # type: ignore[attr-defined]
        return list(run(graph, values))

    h = 1e-5
    high, low, here = at(h), at(-h), at(0.0)
    slope = sum(float((g * d).sum()) for g, d in zip(here[1:4], directions))
    np.testing.assert_allclose((high[0] - low[0]) / (2 * h), slope, rtol=1e-7)
    for k in range(3):
        numeric = (high[1 + k] - low[1 + k]) / (2 * h)
        np.testing.assert_allclose(numeric, here[4 + k], rtol=1e-5, atol=1e-8)


def test_jacobian_and_hessian() -> None:
    x = _x()
    y = gc.input("y", (2,), gc.float64)
    output = x[:2] * y * y
    by_x, by_y = jacobian(output, [x, y])
    blocks = hessian(gc.sum(x[:2] * y * y), [x, y])
    a, b = X, np.array([3.0, -2.0])
    found = _values([x, y], [by_x, by_y, blocks[0][1], blocks[1][1], blocks[0][0]], a, b)
    wanted_x = np.zeros((2, 3))
    wanted_x[[0, 1], [0, 1]] = b**2
    mixed = np.zeros((3, 2))
    mixed[[0, 1], [0, 1]] = 2 * b
    np.testing.assert_allclose(found[0], wanted_x)
    np.testing.assert_allclose(found[1], np.diag(2 * a[:2] * b))
    np.testing.assert_allclose(found[2], mixed)
    np.testing.assert_allclose(found[3], np.diag(2 * a[:2]))
    np.testing.assert_array_equal(found[4], np.zeros((3, 3)))


def test_the_hessian_times_a_vector_is_hvp() -> None:
    x, v = _x(), gc.input("v", (3,), gc.float64)
    loss = gc.sum(gc.exp(x)) * gc.sum(x * x)
    found = _values([x, v], [hessian(loss, x), hvp(loss, x, v)], X, [1.0, 2.0, -3.0])
    np.testing.assert_allclose(found[0] @ [1.0, 2.0, -3.0], found[1], rtol=1e-13)


def test_a_jacobian_of_nothing_is_empty() -> None:
    x = _x()
    assert jacobian(x[:0], x).shape == (0, 3)


def test_results_have_the_form_of_the_request() -> None:
    x, y = _x(), _x()
    loss = gc.sum(x * y)
    assert isinstance(grad(loss, x), Node)
    assert isinstance(grad(loss, [x]), list) and len(grad(loss, (x, y))) == 2
    value, slope = value_and_grad(loss, x)
    assert value is loss and slope.type == x.type


def test_a_tensor_without_influence_has_a_gradient_of_zeros() -> None:
    x, y = _x(), _x()
    (found,) = _values([x, y], [grad(gc.sum(x), y)], X, X)
    np.testing.assert_array_equal(found, np.zeros(3))


def test_stop_gradient_cuts_the_flow() -> None:
    x = _x()
    (found,) = _values([x], [grad(gc.sum(x * gc.stop_gradient(x * x)), x)], X)
    np.testing.assert_allclose(found, X * X)


def test_gradients_by_intermediate_tensors() -> None:
    x = _x()
    y = x * 3.0
    by_y, by_x = grad(gc.sum(y * y), [y, x])
    found = _values([x], [by_y, by_x], X)
    np.testing.assert_allclose(found, [6 * X, 18 * X])


def test_integers_on_the_way_carry_no_gradient() -> None:
    x = _x()
    choice = gc.take(x, gc.argmax(x, axis=0), axis=0)
    (found,) = _values([x], [grad(choice * choice, x)], X)
    np.testing.assert_allclose(found, [0.0, 0.0, 4.0])


def test_a_chain_of_20000_nodes_is_differentiated() -> None:
    x = gc.input("x", (), gc.float64)
    y = x
    for _ in range(20_000):
        y = -y
    (found,) = _values([x], [grad(y, x)], 1.0)
    assert found == 1.0


def test_nodes_of_the_gradient_carry_the_line_of_the_forward_node() -> None:
    x = _x()
    line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    y = gc.sin(x)
    slope = grad(gc.sum(y), x)
    assert slope.origin is not None and slope.origin.line == line


def _plateau(x: Node) -> Node:
    op = Op("plateau", Kind.ELEMENTWISE, lambda t: t, lambda a: a, NoGradient("it is flat"))
    return op(x)


def test_an_op_without_gradient_is_named_with_the_path_to_it() -> None:
    x = _x()
    with pytest.raises(GradientError) as caught:
        grad(gc.sum(_plateau(x * 2.0) * 3.0), x)
    lines = str(caught.value).splitlines()
    assert lines[0] == "plateau has no gradient: it is flat"
    steps = [line.strip().split(":")[0] for line in lines[2:-2]]
    assert steps == ["sum", "multiply", "plateau", "multiply", "x"]
    assert lines[-1].strip() == (
        "hint: gc.stop_gradient(...) on its operand makes the gradient zero"
    )
    assert "test_grad.py" in lines[-2]


def test_a_long_path_is_cut_to_twelve_lines() -> None:
    x = _x()
    y = x
    for _ in range(50):
        y = gc.sin(y)
    y = _plateau(y)
    for _ in range(50):
        y = gc.cos(y)
    with pytest.raises(GradientError) as caught:
        grad(gc.sum(y), x)
    text = str(caught.value)
    assert len(text.splitlines()) <= 12
    assert "plateau: f64[3]" in text and "  x: f64[3]" in text and "more" in text


def _message(build: Any) -> str:
    with pytest.raises((GradientError, ArgumentError)) as caught:
        build()
    return str(caught.value).splitlines()[0]


def test_what_cannot_be_differentiated_is_refused() -> None:
    x, i = _x(), gc.input("i", (3,), gc.int32)
    assert _message(lambda: grad(x, x)) == "the loss must be a scalar, not f64[3]"
    assert _message(lambda: grad(gc.sum(x), i)) == (
        "no gradient with respect to 'i': i32[3] is not of a float dtype"
    )
    assert _message(lambda: grad(gc.sum(i), x)) == (
        "i64[()] cannot be differentiated: it is not of a float dtype"
    )
    assert _message(lambda: grad(gc.sum(x), 3)) == (
        "a gradient is with respect to tensors of the graph, not int"
    )
    assert _message(lambda: hvp(gc.sum(x), x, gc.input("v", (3,)))) == (
        "hvp: the vector is f32[3], its tensor f64[3]"
    )
    assert _message(lambda: hvp(gc.sum(x), [x], [])) == "hvp: 0 vectors for 1 tensors"


def test_a_rule_that_gives_a_wrong_type_is_blamed() -> None:
    op = Op(
        "shrink", Kind.ELEMENTWISE, lambda t: t, lambda a: a,
        lambda n, ct: (gc.sum(ct),),
    )  # fmt: skip
    x = _x()
    with pytest.raises(GradientError, match="the gradient of shrink gave f64"):
        grad(gc.sum(op(x)), x)


def test_vjp_takes_cotangents_of_several_outputs() -> None:
    x = _x()
    ones, twos = (gc.ops.source.full((3,), k, gc.float64) for k in (1, 2))
    (found,) = vjp([x * x, STOP_GRADIENT(x), OPS["negative"](x)], [ones, ones, twos], [x])
    np.testing.assert_allclose(_values([x], [found], X)[0], 2 * X - 2)

"""Forms of `gc.grad`: structures of parameters, known gradients, constants, disconnected tensors;
Jacobians and Hessians whose rows are a loop, beside derivatives worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, AttributeValueError, GradientError

RNG = np.random.default_rng(7)
X, W, B = RNG.standard_normal((5, 4)), RNG.standard_normal((4, 3)), RNG.standard_normal(3)
F64 = gc.float64


def test_gradients_of_structures_have_their_form() -> None:
    x = gc.input("x", (5, 4), F64)
    params: Any = {"w": gc.parameter("w", W), "rest": [gc.parameter("b", B), None]}
    loss: Any = gc.sum((x @ params["w"] + params["rest"][0]) ** 2)
    value, grads = gc.value_and_grad(loss, params)
    assert value is loss
    assert grads["rest"][1] is None
    got = gc.compile([x], [grads["w"], grads["rest"][0]])(X)
    y = 2 * (X @ W + B)
    np.testing.assert_allclose(got[0], X.T @ y, rtol=1e-12)
    np.testing.assert_allclose(got[1], y.sum(0), rtol=1e-12)


def test_known_gradients_take_the_place_of_what_the_loss_says() -> None:
    x, ct = gc.input("x", (4,), F64), gc.input("ct", (4,), F64)
    h = gc.exp(x)
    alone = gc.grad(None, x, known_grads={h: ct})
    loss = gc.sum(h * h) + gc.sum(x)
    replaced = gc.grad(loss, [x, h], known_grads={h: ct})
    ones = gc.grad(None, x, known_grads={h: np.ones(4), gc.sum(x): 2.0})
    got = gc.compile([x, ct], [alone, *replaced, ones])(X[0], X[1])
    e = np.exp(X[0])
    for value, want in zip(got, (X[1] * e, X[1] * e + 1, X[1], e + 2)):
        np.testing.assert_allclose(value, want, rtol=1e-12)


def test_no_gradient_flows_through_what_is_considered_constant() -> None:
    x = gc.input("x", (4,), F64)
    h = gc.exp(x)
    by = gc.grad(gc.sum(h * x), [x, h], consider_constant=[h])
    got = gc.compile([x], by)(X[0])
    np.testing.assert_allclose(got[0], np.exp(X[0]), rtol=1e-12)
    np.testing.assert_allclose(got[1], X[0], rtol=1e-12)
    value, slope = gc.value_and_grad(gc.sum(h), x, consider_constant=[h], disconnected="none")
    assert slope is None
    assert value.shape == ()


def test_what_the_loss_does_not_depend_on_is_zeros_none_or_an_error() -> None:
    x, y = gc.input("x", (4,), F64), gc.input("y", (2, 2), F64)
    loss = gc.sum(x * x)
    zero = gc.grad(loss, {"x": x, "y": y})["y"]
    np.testing.assert_array_equal(gc.compile([], zero)(), np.zeros((2, 2)))
    assert gc.grad(loss, {"x": x, "y": y}, disconnected="none")["y"] is None
    with pytest.raises(GradientError, match="'sum' does not depend on 'y'"):
        gc.grad(loss, [x, y], disconnected="raise")
    through_int = gc.sum(gc.cast(gc.cast(x, gc.int64), F64))
    with pytest.raises(GradientError, match="does not depend on 'x'"):
        gc.grad(through_int, x, disconnected="raise")


def test_wrong_words_and_values_are_errors() -> None:
    x = gc.input("x", (4,), F64)
    with pytest.raises(AttributeValueError, match="disconnected is 'ignore'"):
        gc.grad(gc.sum(x), x, disconnected="ignore")
    with pytest.raises(GradientError, match="the cotangent is"):
        gc.grad(None, x, known_grads={gc.exp(x): np.ones(3)})
    with pytest.raises(ArgumentError, match="not NoneType"):
        gc.grad(None, x)
    with pytest.raises(ArgumentError, match="not str"):
        gc.grad(gc.sum(x), x, consider_constant=["x"])  # type: ignore[list-item]


@pytest.mark.parametrize("size", [0, 1, 3, 9, 64, 65, 130])
def test_jacobians_in_one_block_of_rows_and_in_several_are_alike(size: int) -> None:
    x, rows = gc.input("x", (4,), F64), RNG.standard_normal((size, 4))
    slopes = gc.jacobian(gc.tanh(gc.constant(rows) @ x), [x])
    slopes[0] = slopes[0] + 0.0 * x  # so that none of them does without it
    (got,) = gc.compile([x], slopes)(X[0])
    want = (1 - np.tanh(rows @ X[0]) ** 2)[:, None] * rows
    np.testing.assert_allclose(got, want, rtol=1e-11)


def test_jacobians_of_symbolic_sizes_and_by_structures() -> None:
    n = gc.dim("n")
    x, w = gc.input("x", (n, 4), F64), gc.parameter("w", W)
    y = gc.exp(x @ w)
    by = gc.jacobian(y, {"x": x, "w": w})
    got = gc.compile([x], by)(X)
    e = np.exp(X @ W)
    want_w = np.einsum("ij,ik,jl->ijkl", e, X, np.eye(3))
    want_x = np.einsum("ij,kj,il->ijlk", e, W, np.eye(5))
    np.testing.assert_allclose(got["w"], want_w, rtol=1e-11)
    np.testing.assert_allclose(got["x"], want_x, rtol=1e-11)


def test_hessians_of_structures_and_their_gradients() -> None:
    x, w = gc.input("x", (6,), F64), gc.input("w", (6,), F64)
    loss = gc.sum(x * x * w)
    blocks = gc.hessian(loss, {"a": x, "b": w})
    rows = [blocks["a"]["a"], blocks["a"]["b"], blocks["b"]["b"]]
    third = gc.grad(gc.sum(gc.hessian(gc.sum(x * x * x * w), x) * 0.5), x)
    a, b = RNG.standard_normal((2, 6))
    got = gc.compile([x, w], [*rows, third])(a, b)
    for value, want in zip(got, (np.diag(2 * b), np.diag(2 * a), np.zeros((6, 6)), 3 * b)):
        np.testing.assert_allclose(value, want, rtol=1e-11, atol=1e-13)


def test_a_hessian_of_many_compiles_in_a_graph_that_does_not_grow() -> None:
    def nodes(size: int) -> int:
        x = gc.input("x", (size,), F64)
        graph = gc.Graph.of("f", [x], [gc.hessian(gc.sum(gc.sin(x) * gc.sum(x)), x)])
        return len(graph.nodes)

    assert nodes(500) == nodes(5000) and nodes(20) == nodes(50)


def test_products_with_structures_of_vectors() -> None:
    x, w = gc.input("x", (4,), F64), gc.input("w", (4,), F64)
    v: Any = {"x": X[1], "w": X[2]}
    product = gc.hvp(gc.sum(x * x * w), {"x": x, "w": w}, v)
    got = gc.compile([x, w], product)(X[0], X[3])
    np.testing.assert_allclose(got["x"], 2 * X[3] * X[1] + 2 * X[0] * X[2], rtol=1e-12)
    np.testing.assert_allclose(got["w"], 2 * X[0] * X[1], rtol=1e-12)

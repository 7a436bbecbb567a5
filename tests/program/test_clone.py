"""Graphs built again with other nodes in the places of some, beside NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc

RNG = np.random.default_rng(3)
X, W = RNG.standard_normal((4, 3)), RNG.standard_normal((3, 3))
F64 = gc.float64


def test_structures_of_outputs_keep_their_form() -> None:
    x, y = gc.input("x", (4, 3), F64), gc.input("y", (4, 3), F64)
    h = gc.tanh(x)
    single = gc.clone(h, replace={x: 2.0 * y})
    listed = gc.clone([h, gc.sum(h)], {x: y})
    nested = gc.clone({"h": h, "more": (gc.exp(h), None)}, {x: y})
    assert type(listed) is list
    assert nested["more"][1] is None
    program = gc.compile([y], [single, *listed, nested["h"], nested["more"][0]])
    t = np.tanh(X)
    for got, want in zip(program(X), (np.tanh(2 * X), t, t.sum(), t, np.exp(t))):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_all_are_replaced_at_once_and_what_is_new_is_used_as_it_is() -> None:
    x, y = gc.input("x", (3,), F64), gc.input("y", (3,), F64)
    swapped = gc.clone(x - 2.0 * y, {x: y, y: x})
    grown = gc.clone(gc.exp(x), {x: x * x})
    a, b = X[0], X[1]
    got = gc.compile([x, y], [swapped, grown])(a, b)
    np.testing.assert_allclose(got[0], b - 2 * a)
    np.testing.assert_allclose(got[1], np.exp(a * a))


def test_a_node_in_the_middle_numbers_and_arrays() -> None:
    x = gc.input("x", (3,), F64)
    h = gc.exp(x)
    y = gc.sum(h * x)
    fixed = gc.clone(y, {h: 2})
    given = gc.clone(y, {x: X[0]})
    np.testing.assert_allclose(gc.compile([x], fixed)(X[0]), 2 * X[0].sum())
    np.testing.assert_allclose(gc.compile([], given)(), (np.exp(X[0]) * X[0]).sum())


def test_what_nothing_replaced_leads_to_is_shared() -> None:
    x, y = gc.input("x", (3,)), gc.input("y", (3,))
    other = gc.exp(y)
    z = gc.clone(x + other, {x: y})
    assert z.inputs[1] is other
    assert gc.clone(other) is other


def test_loops_and_branches_read_the_new_nodes() -> None:
    x, h0 = gc.input("x", (4, 3), F64), gc.input("h0", (3,), F64)
    w = gc.parameter("w", W)

    def step(h: Any, row: Any) -> Any:
        return gc.cond(gc.sum(row) > 0, lambda: gc.tanh(h @ w + row), lambda: h - row)

    last, _ = gc.scan(lambda h, row: (step(h, row), h), h0, x)
    v = gc.input("v", (3, 3), F64)
    turned = gc.clone(last, {w: v, h0: gc.zeros((3,), dtype=F64)})
    h = np.zeros(3)
    for row in X:
        h = np.tanh(h @ (W + 1) + row) if row.sum() > 0 else h - row
    np.testing.assert_allclose(gc.compile([x, v], turned)(X, W + 1), h, rtol=1e-12)
    slope = gc.grad(gc.sum(turned), v)
    assert gc.compile([x, v], slope)(X, W).shape == (3, 3)


def test_symbolic_sizes_become_what_the_new_tensor_has_also_in_loops() -> None:
    n, m = gc.dim("n"), gc.dim("m")
    x = gc.input("x", (n, 3), F64)
    mean = gc.sum(x, axis=0) / n
    total, _ = gc.scan(lambda s, row: (s + row * n, s + gc.zeros((3,), dtype=F64)), mean, x)
    y, z = gc.input("y", (4, 3), F64), gc.input("z", (m, 3), F64)
    fixed = gc.clone(total, {x: y})
    renamed = gc.clone(total, {x: z})
    doubled = gc.clone(total, {x: gc.concat([z, z], 0)})
    want = X.mean(0) + X.sum(0) * 4
    np.testing.assert_allclose(gc.compile([y], fixed)(X), want, rtol=1e-12)
    np.testing.assert_allclose(gc.compile([z], renamed)(X), want, rtol=1e-12)
    np.testing.assert_allclose(gc.compile([z], doubled)(X[:2]), X[:2].mean(0) + X[:2].sum(0) * 8)


def test_gradients_of_clones_are_gradients_of_the_function() -> None:
    x, y = gc.input("x", (3,), F64), gc.input("y", (3,), F64)
    z = gc.clone(gc.sum(x * x * x), {x: gc.exp(y)})
    np.testing.assert_allclose(gc.compile([y], gc.grad(z, y))(X[0]), 3 * np.exp(3 * X[0]))


def test_updates_of_shared_parameters_may_be_cloned() -> None:
    x = gc.input("x", (3,), F64)
    w = gc.parameter("w", np.ones(3))
    loss = gc.sum(w * x)
    step = gc.compile([], gc.clone(loss, {x: X[0]}), updates={w: gc.clone(w - x, {x: X[0]})})
    np.testing.assert_allclose(step(), X[0].sum())
    np.testing.assert_allclose(w.value, 1 - X[0])


@pytest.mark.parametrize(
    ("replace", "error", "what"),
    [
        (lambda x, n: {x: gc.input("y", (3, 3))}, gc.errors.DTypeError, "f32[3, 3]"),
        (lambda x, n: {x: gc.input("y", (3,), F64)}, gc.errors.ShapeError, "f64[3]"),
        (lambda x, n: {x: gc.input("y", (3, 4), F64)}, gc.errors.ShapeError, "f64[3, 4]"),
        (lambda x, n: {x: gc.input("y", (9, 3), F64)}, gc.errors.ShapeError, "max=8"),
        (lambda x, n: {x: gc.input("y", (2, 3), F64)}, gc.errors.ShapeError, "replace t as well"),
        (lambda x, n: {gc.input("o", ()): 1.0}, gc.errors.GraphError, "no output depends on it"),
        (lambda x, n: {"x": 1.0}, gc.errors.ArgumentError, "a str"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_an_error_with_both_types_and_the_line(
    replace: Any, error: type[Exception], what: str
) -> None:
    n = gc.dim("n", max=8)
    x, t = gc.input("x", (n, 3), F64), gc.input("t", (n, 3), F64)
    with pytest.raises(error) as raised:
        gc.clone(x + t, replace=replace(x, n))
    assert what in str(raised.value)
    assert str(raised.value).startswith("clone: ")
    assert Path(__file__).name in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 12


def test_a_value_inside_a_loop_cannot_be_replaced_from_outside() -> None:
    x = gc.input("x", (4, 3), F64)
    kept: list[Any] = []

    def step(h: Any, row: Any) -> Any:
        kept.append(gc.exp(row))
        return h + kept[0], h

    last, _ = gc.scan(step, gc.zeros((3,), dtype=F64), x)
    with pytest.raises(gc.errors.GraphError, match="inside the body of a scan"):
        gc.clone(last, {kept[0]: 1.0})
    with pytest.raises(gc.errors.ArgumentError, match=r"outputs\[1\] is a str"):
        gc.clone([last, "x"])


def test_an_eager_tensor_is_copied() -> None:
    tensor = gc.tensor([1.0, 2.0])
    copy = gc.clone(tensor)
    copy[0] = 5.0
    assert tensor.tolist() == [1.0, 2.0] and copy.tolist() == [5.0, 2.0]

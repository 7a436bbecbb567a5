"""Gradients through branches and loops: against differences, Python loops and JAX; twice over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.interpret import run
from graphc.core.ir import Graph, Node, all_nodes
from graphc.errors import GradientError
from graphc.ops.arrays.filled import zeros
from graphc.ops.flow.branching import cond
from graphc.ops.flow.looping import SCAN
from graphc.ops.flow.loops import map as map_
from graphc.ops.flow.loops import scan, while_loop
from graphc.verify import verify

RNG = np.random.default_rng(1)
STEP = 1e-6
Loss = Callable[..., Node]


def _inputs(arrays: list[np.ndarray]) -> list[Node]:
    return [gc.input(f"x{k}", a.shape, a.dtype) for k, a in enumerate(arrays)]


def _slope(graph: Graph, arrays: list[np.ndarray], way: list[np.ndarray]) -> float:
    ahead, behind = (
        float(run(graph, [a + s * STEP * w for a, w in zip(arrays, way)])[0]) for s in (1, -1)
    )
    return (ahead - behind) / (2 * STEP)


def _check(loss_of: Loss, *shapes: tuple[int, ...], twice: bool = True) -> Any:
    """The gradient along a random direction, and that of a function of the gradient; compiled
    values equal interpreted ones."""
    arrays = [RNG.standard_normal(shape) for shape in shapes]
    inputs = _inputs(arrays)
    loss = loss_of(*inputs)
    program = None
    for _ in range(2 if twice else 1):
        gradients = gc.grad(loss, inputs)
        graph = verify(Graph.of("g", inputs, [loss, *gradients]))
        values = run(graph, arrays)
        way = [RNG.standard_normal(shape) for shape in shapes]
        wanted = _slope(Graph.of("f", inputs, [loss]), arrays, way)
        found = sum(float((v * w).sum()) for v, w in zip(values[1:], way))
        assert abs(wanted - found) < 1e-5 * max(1, abs(wanted))
        for level in ("O0", "O2"):
            compiled = gc.compile(inputs, [loss, *gradients], level=level)
            program = compiled
            for left, right in zip(compiled(*arrays), values, strict=True):
                np.testing.assert_allclose(left, right, rtol=1e-8, atol=1e-10)
        loss = gc.sum(gc.concat([gc.reshape(g * g * g, (-1,)) for g in gradients]))
    return program


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_branchs_gradient_is_that_of_the_branch_that_ran(sign: float) -> None:
    def loss(x: Node, w: Node) -> Node:
        y = cond(
            gc.sum(x) * sign > gc.sum(x) * sign - 1 + sign,
            lambda x: {"a": gc.tanh(x * w), "b": gc.sum(x)},
            lambda x: {"a": gc.exp(x), "b": gc.sum(w * w)},
            x,
        )
        return gc.sum(y["a"] * y["a"]) + y["b"] * y["b"]

    _check(loss, (3,), (3,))


def test_a_recurrent_network() -> None:
    def loss(x: Node, h: Node, w: Node, b: Node) -> Node:
        last, ys = scan(lambda h, row: (gc.tanh(h @ w + row + b), h * row), h, x)
        return gc.sum(last * last) + gc.sum(ys * ys * ys)

    _check(loss, (5, 3), (3,), (3, 3), (3,))


@pytest.mark.parametrize("reverse", [False, True])
def test_structures_several_slices_and_unused_results(reverse: bool) -> None:
    def loss(x: Node, y: Node, c: Node, w: Node) -> Node:
        def step(s: dict[str, Node], xy: tuple[Node, Node]) -> Any:
            a = gc.sin(s["a"] * xy[0]) + gc.sum(xy[1])
            return {"a": a, "n": s["n"] + 1, "fixed": s["fixed"]}, (a * w, s["n"])

        last, (ys, _) = scan(step, {"a": c, "n": 0, "fixed": w}, (x, y), reverse=reverse)
        return gc.sum(last["a"]) + gc.sum(ys * ys) + gc.sum(last["fixed"] * c)

    _check(loss, (4, 3), (4, 2), (3,), (3,))


def test_an_lstm() -> None:
    def loss(x: Node, w: Node, u: Node) -> Node:
        def step(state: tuple[Node, Node], xt: Node) -> tuple[tuple[Node, Node], Node]:
            h, c = state
            z = xt @ w + h @ u
            i, f, o, g = (z[:, 3 * k : 3 * k + 3] for k in range(4))
            c = gc.sigmoid(f) * c + gc.sigmoid(i) * gc.tanh(g)
            h = gc.sigmoid(o) * gc.tanh(c)
            return (h, c), h

        start = zeros((2, 3), dtype=gc.float64)
        (_, c), ys = scan(step, (start, start), x)
        return gc.sum(ys * ys) + gc.sum(c)

    program = _check(loss, (4, 2, 4), (4, 12), (3, 12), twice=False)
    for _, graph in program.history[-1:]:
        assert sum(n.op is SCAN for n in graph.nodes) <= 2


def test_the_gradient_merges_its_loop_with_the_first() -> None:
    x, h = gc.input("x", (6, 3)), gc.input("h", (3,))
    last, ys = scan(lambda c, row: (gc.tanh(c * row), c), h, x)
    loss = gc.sum(last) + gc.sum(ys)
    program = gc.compile([x, h], [loss, *gc.grad(loss, [x, h])])
    scans = [n for n in program.history[-1][1].nodes if n.op is SCAN]
    assert [s.attr("reverse") for s in scans] == [False, True]


def test_a_map_and_a_loop_in_a_loop() -> None:
    def loss(x: Node, w: Node) -> Node:
        def row_loss(row: Node) -> Node:
            return scan(lambda c, v: (gc.tanh(gc.sum(c * w) + v), None), gc.sum(w), row)[0]

        return gc.sum(map_(lambda row: gc.sum(row_loss(row)), x))

    _check(loss, (3, 4), (2,))


def test_a_bounded_while_loop() -> None:
    def loss(x: Node, w: Node) -> Node:
        v, _ = while_loop(
            lambda s: gc.sum(s[0] * s[0]) < 30.0,
            lambda s: (s[0] * (1.5 + w * w) + x, s[1] + 1),
            (x, 0),
            max_steps=6,
        )
        return gc.sum(v * v)

    _check(loss, (3,), (3,))


def test_a_branch_in_a_loop() -> None:
    def loss(x: Node, h: Node) -> Node:
        def step(c: Node, row: Node) -> tuple[Node, Node]:
            return cond(gc.sum(row) > 0, lambda: (c * row, gc.sum(c)), lambda: (gc.sin(c), c[0]))

        last, ys = scan(step, h, x)
        return gc.sum(last) + gc.sum(ys * ys)

    _check(loss, (5, 3), (3,))


def test_a_loop_in_a_branch() -> None:
    def loss(x: Node, h: Node) -> Node:
        return cond(
            gc.sum(h) > -100.0,
            lambda: gc.sum(scan(lambda c, row: (gc.tanh(c + row), None), h, x)[0]),
            lambda: gc.sum(h),
        )

    _check(loss, (4, 3), (3,))


def test_an_empty_scan_has_the_gradient_of_its_carry() -> None:
    x, h = gc.input("x", (gc.dim("n"), 3), "float64"), gc.input("h", (3,), "float64")
    last, ys = scan(lambda c, row: (gc.tanh(c * row), c), h, x)
    loss = gc.sum(last * last) + gc.sum(ys)
    program = gc.compile([x, h], gc.grad(loss, [x, h]))
    a = RNG.standard_normal(3)
    dx, dh = program(np.zeros((0, 3)), a)
    assert dx.shape == (0, 3)
    np.testing.assert_allclose(dh, 2 * a)


def test_gradients_of_parameters_that_bodies_use() -> None:
    x = gc.input("x", (7, 4))
    w = gc.parameter("w", RNG.standard_normal((4, 4)).astype(np.float32) * 0.3)
    last, _ = scan(lambda h, row: (gc.tanh(h @ w + row), None), zeros((4,)), x)
    loss = gc.sum(last * last)
    program = gc.compile([x], loss, updates={w: w - 0.05 * gc.grad(loss, w)})
    a = RNG.standard_normal((7, 4)).astype(np.float32)
    values = [float(program(a)) for _ in range(60)]
    assert values[-1] < 0.6 * values[0]


def test_an_unbounded_while_loop_has_none_and_says_so() -> None:
    x = gc.input("x", ())
    y = while_loop(lambda v: v < 9, lambda v: v * 2, x)
    with pytest.raises(GradientError) as caught:
        gc.grad(y, x)
    text = str(caught.value).splitlines()
    assert text[0] == (
        "while_loop has no gradient: it is not known how often it runs, so what its gradient "
        "needs cannot be kept"
    )
    assert text[-1] == "  hint: give it max_steps=..., or use gc.scan"
    assert "test_control_gradients.py" in text[-2]


def test_an_op_without_a_gradient_in_a_body_is_named() -> None:
    x, h = gc.input("x", (4, 3)), gc.input("h", (3,))
    last, _ = scan(lambda c, row: (gc.nextafter(c, row), None), h, x)
    with pytest.raises(GradientError, match="nextafter has no gradient"):
        gc.grad(gc.sum(last), h)
    # What does not matter for the tensor asked for is not looked at.
    fine, _ = scan(lambda c, row: (c + gc.nextafter(row, 1.0), None), h, x)
    gc.grad(gc.sum(fine), h)


def test_a_weights_cotangent_is_one_product_after_the_loop() -> None:
    x, w = gc.input("x", (gc.dim("n"), 8, 5)), gc.parameter("w", RNG.standard_normal((5, 5)))

    def step(h: Node, row: Node) -> tuple[Node, None]:
        return gc.tanh(h @ w + row.astype("float64") @ gc.transpose(w) + h @ w.T), None

    last, _ = scan(step, zeros((8, 5), dtype="float64"), x)
    loss = gc.sum(last * last)
    program = gc.compile([x], [loss, gc.grad(loss, w)])
    (back,) = (n for n in program.history[-1][1].nodes if n.op is SCAN and n.attr("reverse"))
    shapes = [str([*t.shape]) for t in back.type.items]  # type: ignore[union-attr]
    assert "[5, 5]" not in shapes, "nothing is summed in the loop"
    for length in (0, 1, 6):
        a = RNG.standard_normal((length, 8, 5)).astype(np.float32)
        for left, right in zip(program(a), gc.interpret(program, a)):
            np.testing.assert_allclose(left, right, rtol=1e-8, atol=1e-10)
        # Against the same sum made by hand.
        h, steps = np.zeros((8, 5)), []
        for row in a.astype(np.float64):
            steps.append((h, row, np.tanh(h @ w.value + row @ w.value.T + h @ w.value.T)))
            h = steps[-1][2]
        ct, total = 2 * h, np.zeros((5, 5))
        for h, row, new in reversed(steps):
            dz = ct * (1 - new**2)
            total += h.T @ dz + dz.T @ row + dz.T @ h
            ct = dz @ w.value.T + dz @ w.value
        np.testing.assert_allclose(program(a)[1], total, rtol=1e-7, atol=1e-10)


def test_residuals_are_what_cannot_be_found_again() -> None:
    """The way back reads x and w as they are, and of the way forth what tanh gave."""
    x, h, w = gc.input("x", (9, 3)), gc.input("h", (3,)), gc.input("w", (3, 3))
    last, _ = scan(lambda c, row: (gc.tanh(c @ w + row * 2 + 1), None), h, x)
    loss = gc.sum(last)
    graph = Graph.of("g", [x, h, w], [loss, *gc.grad(loss, [x, h, w])])
    wide = max((n for n in graph.nodes if n.op is SCAN), key=lambda n: len(n.type.items))  # type: ignore[union-attr]
    assert len([t for t in wide.type.items if t.shape == (9, 3)]) >= 2  # type: ignore[union-attr]
    kept = [n for n in graph.nodes if n.op is SCAN and not n.attr("reverse")][-1]
    assert len(kept.attr("body").outputs) == 3  # the carry, and stacks of c and of tanh
    assert all(n.op.name != "tanh" for s in graph.nodes if s.op is SCAN and s.attr("reverse")
               for n in all_nodes(s.attr("body")))  # fmt: skip


# JAX ---------------------------------------------------------------------------------------------


@pytest.fixture
def jax() -> Any:
    module = pytest.importorskip("jax", reason="JAX is not installed")
    module.config.update("jax_enable_x64", True)
    return module


def _compare(jax: Any, ours: Loss, theirs: Callable[..., Any], *shapes: tuple[int, ...]) -> None:
    arrays = [RNG.standard_normal(shape) for shape in shapes]
    inputs = _inputs(arrays)
    loss = ours(*inputs)
    first = gc.grad(loss, inputs)
    second = gc.grad(gc.sum(gc.concat([gc.reshape(gc.sin(g), (-1,)) for g in first])), inputs)
    found = gc.compile(inputs, [loss, *first, *second])(*arrays)
    places = tuple(range(len(arrays)))

    def of_gradient(*args: Any) -> Any:
        grads = jax.grad(theirs, places)(*args)
        return sum(jax.numpy.sin(g).sum() for g in grads)

    wanted = [
        theirs(*arrays),
        *jax.grad(theirs, places)(*arrays),
        *jax.grad(of_gradient, places)(*arrays),
    ]
    for left, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(left, np.asarray(right), rtol=1e-7, atol=1e-9)


def test_scan_is_jaxs(jax: Any) -> None:
    lax, jnp = jax.lax, jax.numpy

    def ours(x: Node, h: Node, w: Node) -> Node:
        last, ys = scan(lambda c, r: (gc.tanh(c @ w + r), c * r), h, x, reverse=True)
        return gc.sum(last * last) + gc.sum(ys * ys)

    def theirs(x: Any, h: Any, w: Any) -> Any:
        last, ys = lax.scan(lambda c, r: (jnp.tanh(c @ w + r), c * r), h, x, reverse=True)
        return (last * last).sum() + (ys * ys).sum()

    _compare(jax, ours, theirs, (6, 3), (3,), (3, 3))


def test_cond_and_map_are_jaxs(jax: Any) -> None:
    lax, jnp = jax.lax, jax.numpy

    def ours(x: Node, w: Node) -> Node:
        return gc.sum(
            map_(lambda r: cond(r[0] > 0, lambda r: gc.sin(r * w), lambda r: r * r * r, r), x)
        )

    def theirs(x: Any, w: Any) -> Any:
        return lax.map(
            lambda r: lax.cond(r[0] > 0, lambda r: jnp.sin(r * w), lambda r: r * r * r, r), x
        ).sum()

    _compare(jax, ours, theirs, (6, 3), (3,))


def test_while_loop_is_jaxs(jax: Any) -> None:
    x = RNG.standard_normal(3)
    node = gc.input("x", (3,), "float64")

    def go(v: Any) -> Any:
        return (v[0] * 1.5 + 1, v[1] + 1)

    ours = while_loop(lambda v: v[0][0] < 50.0, go, (node, 0))
    theirs = jax.lax.while_loop(lambda v: v[0][0] < 50.0, go, (x, 0))
    for left, right in zip(gc.compile([node], list(ours))(x), theirs):
        np.testing.assert_allclose(left, np.asarray(right), rtol=1e-12)

"""Scans of random bodies against the same steps written out: values, gradients, second ones."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.interpret import run
from graphc.core.ir import Graph, Node
from graphc.core.operators import FUNCTIONS
from graphc.ops.flow.branching import cond
from graphc.ops.flow.loops import scan

STEPS = 4
SHAPES = {"x": (STEPS, 3), "h": (3,), "g": (3,), "w": (3,), "m": (3, 3)}


def _body(rng: random.Random) -> Callable[..., Any]:
    """A body of two carries and two stacked results, of random operations."""
    plan = [(rng.randint(0, 6), rng.random(), rng.random()) for _ in range(rng.randint(2, 9))]
    shown = rng.random()

    def body(carry: Any, x: Any, w: Any, m: Any) -> Any:
        values = [*carry, x, w]
        for kind, first, second in plan:
            p, q = (values[int(place * len(values))] for place in (first, second))
            values.append(_operation(kind, p, q, w, m))
        carry = gc.tanh(values[-1]), values[-2] * 0.9
        return carry, (values[int(shown * len(values))], values[-1] * x)

    return body


def _operation(kind: int, p: Any, q: Any, w: Any, m: Any) -> Any:
    if kind == 0:
        return gc.tanh(p + q)
    if kind == 1:
        return gc.sin(p) * q
    if kind == 2:
        return gc.tanh(p @ m)
    if kind == 3:
        return p * 0.5 - q
    if kind == 4:
        return cond(gc.sum(p) > gc.sum(q), lambda: gc.sin(p) * w, lambda: q * 0.3)
    if kind == 5:
        return p[::-1] * q[0]
    return gc.reshape(gc.tanh(gc.reshape(p, (1, 3)) @ m @ gc.transpose(m)), (3,))


def _written_out(body: Callable[..., Any], nodes: list[Node], reverse: bool) -> list[Node]:
    x, h, g, w, m = nodes
    carry, results = (h, g), []
    for t in reversed(range(STEPS)) if reverse else range(STEPS):
        carry, result = body(carry, x[t], w, m)
        results.append(result)
    results = results[::-1] if reverse else results
    rows = [[FUNCTIONS["reshape"](r[k], (1, 3)) for r in results] for k in range(2)]
    return [*carry, *(FUNCTIONS["concat"](r, 0) for r in rows)]


def _outputs(parts: list[Node], nodes: list[Node]) -> list[Node]:
    a, b, y, z = parts
    loss = gc.sum(a * a) + gc.sum(b) + gc.sum(y * y * y) + gc.sum(z)
    for node in nodes:
        loss = loss + gc.sum(node * node)
    first = gc.grad(loss, nodes)
    total = gc.sum(gc.sin(first[0]))
    for slope in first[1:]:
        total = total + gc.sum(gc.sin(slope))
    return [loss, *first, *gc.grad(total, nodes)]


@pytest.mark.parametrize("seed", range(12))
def test_a_scan_is_its_steps_written_out(seed: int) -> None:
    rng, draw = random.Random(seed), np.random.default_rng(seed)
    body, reverse = _body(rng), rng.random() < 0.5
    nodes = [gc.input(name, shape, "float64") for name, shape in SHAPES.items()]
    x, h, g, w, m = nodes
    carry, ys = scan(lambda c, row: body(c, row, w, m), (h, g), x, reverse=reverse)
    outputs = _outputs([*carry, *ys], nodes)
    wanted = _outputs(_written_out(body, nodes, reverse), nodes)
    arrays = [draw.standard_normal(shape) for shape in SHAPES.values()]
    plain = run(Graph.of("steps", nodes, wanted), arrays)
    found = [run(Graph.of("loop", nodes, outputs), arrays)]
    if seed % 4 == 0:
        found.append(gc.compile(nodes, outputs)(*arrays))
    for results in found:
        for left, right in zip(results, plain, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-8)

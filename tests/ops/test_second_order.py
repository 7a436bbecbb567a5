"""Derivatives of derivatives of a whole network: a ConvNet's Hessian-vector product compiles."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gc


def _normal(y: Any) -> Any:
    mean = gc.mean(y, axis=(0, 2, 3), keepdims=True)
    return (y - mean) / gc.sqrt(gc.var(y, axis=(0, 2, 3), keepdims=True) + 1e-5)


def test_a_convnets_hessian_vector_product_agrees_with_differences_of_its_gradient() -> None:
    rng = np.random.default_rng(0)
    x = gc.input("x", (2, 1, 4, 4), gc.float64)
    labels = gc.input("labels", (2,), gc.int64)
    first = gc.input("first", (2, 1, 3, 3), gc.float64)
    second = gc.input("second", (3, 2, 3, 3), gc.float64)
    linear = gc.input("linear", (5, 3), gc.float64)
    direction = gc.input("direction", (3, 2, 3, 3), gc.float64)
    y = gc.max_pool(gc.tanh(_normal(gc.conv(x, first, padding=1))), 2)
    y = gc.max_pool(gc.tanh(_normal(gc.conv(y, second, padding=1))), 2)
    loss = gc.cross_entropy(y.reshape(2, -1) @ linear.T, labels)
    inputs = [x, labels, first, second, linear, direction]
    outputs = {"slope": gc.grad(loss, second), "curve": gc.hvp(loss, second, direction)}
    program = gc.compile(inputs, outputs)

    arrays = [rng.standard_normal(node.shape) for node in inputs]
    arrays[1] = rng.integers(0, 5, 2)  # type: ignore[assignment]
    step = 1e-5

    def slope(sign: int) -> np.ndarray:
        moved = list(arrays)
        moved[3] = arrays[3] + sign * step * arrays[5]
        return program(*moved)["slope"]

    differences = (slope(1) - slope(-1)) / (2 * step)
    curve = program(*arrays)["curve"]
    np.testing.assert_allclose(curve, differences, rtol=1e-5, atol=1e-7 * np.abs(curve).max())

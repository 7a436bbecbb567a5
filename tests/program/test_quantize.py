"""Quantised programs: near the float ones, of integer products, with the bounds rounding has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc

RNG = np.random.default_rng(11)


def _layer(target: str = "reference", seed: int = 1) -> tuple[Any, np.ndarray]:
    normal = np.random.default_rng(seed).normal(size=(24, 7))
    w = (normal * np.linspace(0.01, 3, 7)).astype(np.float32)
    x, weight = gc.input("x", (gc.dim("n"), 24)), gc.parameter("w", w)
    return gc.compile([x], {"y": x @ weight + 1.0}, target=target), w


def _names(program: Any) -> list[str]:
    return [node.op.name for node in program.history[0][1].nodes]


@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize("form", ["integer", "qdq"])
def test_a_product_is_within_half_a_step_of_each_operand(is_signed: bool, form: Any) -> None:
    program, w = _layer()
    x = RNG.uniform(-1 if is_signed else 0, 1, (5, 24)).astype(np.float32)
    found = gc.quantize(program, [x], form=form)
    assert _names(found).count("matmul_integer") == (form == "integer")
    step_x = np.abs(x).max() / (127 if is_signed else 255)
    step_w = np.abs(w).max(0) / 127
    bound = np.abs(x).sum(1)[:, None] * step_w / 2 + np.abs(w).sum(0) * step_x / 2
    bound = bound + 24 * step_x * step_w / 4 + 1e-5
    exact = x.astype(np.float64) @ w + 1.0
    assert (np.abs(found(x)["y"] - exact) <= bound).all()
    assert np.abs(found(x)["y"] - exact).max() > 0


def test_compiled_is_the_reference() -> None:
    x = RNG.normal(size=(9, 24)).astype(np.float32)
    for data in ([x], None):
        found, wanted = (
            gc.quantize(_layer(target)[0], data)(x)["y"] for target in ("cpu", "reference")
        )
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_without_data_each_row_has_its_own_scale() -> None:
    program, w = _layer()
    x = RNG.normal(size=(4, 24)).astype(np.float32)
    scaled = x * np.array([[1e-6], [1], [1e4], [0]], np.float32)
    found, exact = gc.quantize(program)(scaled)["y"] - 1.0, scaled.astype(np.float64) @ w
    assert (np.abs(found - exact)[1:3] / np.abs(exact)[1:3].max(1, keepdims=True) < 0.05).all()
    assert (found[3] == 0).all()


@pytest.mark.parametrize("method", ["percentile", "entropy"])
def test_an_outlier_does_not_widen_the_range(method: Any) -> None:
    program, w = _layer()
    data = RNG.normal(size=(2000, 24)).astype(np.float32)
    data[0, 0] = 1000.0
    x = RNG.normal(size=(50, 24)).astype(np.float32)
    exact = x @ w
    errors = [
        np.abs(gc.quantize(program, [data], method=m, percentile=99.9)(x)["y"] - 1 - exact).mean()
        for m in ("minmax", method)
    ]
    assert errors[1] < errors[0] / 5


def test_a_convolution_and_what_reads_one_activation() -> None:
    x = gc.input("x", (gc.dim("n"), 3, gc.dim("h"), 8))
    w = gc.parameter("w", RNG.normal(size=(8, 3, 3, 3)).astype(np.float32))
    v = gc.parameter("v", RNG.normal(size=(8, 3, 3, 3)).astype(np.float32))
    program = gc.compile(
        [x], (gc.conv(x, w, padding=1), gc.conv(x, v, padding=1)), target="reference"
    )
    image = RNG.normal(size=(2, 3, 6, 8)).astype(np.float32)
    for data in ([(image,)], None):
        small = gc.quantize(program, data)
        names = _names(small)
        assert names.count("matmul_integer") == 2 and names.count("rint") == 1
        for found, wanted in zip(small(image), program(image)):
            assert np.abs(found - wanted).max() < 0.03 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("kernel", "groups"), [((4, 1, 3, 3), 4), ((9, 4, 6, 5), 1), ((2, 4, 3, 3), 1)]
)
def test_convolutions_that_gain_nothing_stay(kernel: Any, groups: int) -> None:
    x, v = gc.input("x", (1, 4, 8, 8)), gc.parameter("v", np.ones((8, 3), np.float32))
    w = gc.parameter("w", np.ones(kernel, np.float32))
    y = gc.conv(x, w, groups=groups), gc.matmul(x, v)
    names = _names(gc.quantize(gc.compile([x], y, target="reference")))
    assert names.count("conv") == 1 and names.count("matmul_integer") == 1


def test_structured_arguments_and_defaults_stay() -> None:
    x, scale = gc.input("x", (2, 3)), gc.input("scale", ())
    w = gc.parameter("w", np.eye(3, dtype=np.float32))
    program = gc.compile({"x": x, "scale": scale}, [(x @ w) * scale], defaults={scale: 2.0})
    small = gc.quantize(program, [np.ones((2, 3), np.float32)])
    (found,) = small(x=np.ones((2, 3), np.float32))
    np.testing.assert_allclose(found, 2.0, rtol=1e-5)


def test_weights_alone_are_rounded() -> None:
    program, w = _layer()
    small = gc.quantize(program, form="weights")
    assert "matmul_integer" not in _names(small)
    x = np.eye(24, dtype=np.float32)
    assert (np.abs(small(x)["y"] - 1.0 - w) <= np.abs(w).max(0) / 254 * 1.01 + 1e-6).all()
    assert small.summary == "quantised: 1 of 1 products; their weights 672 bytes -> 196"


def test_what_cannot_be_quantised_is_an_error() -> None:
    x, w = gc.input("x", (2, 3)), gc.parameter("w", np.ones((3, 4), np.float32))
    with pytest.raises(gc.errors.ArgumentError, match="has updates"):
        gc.quantize(gc.compile([x], x @ w, updates={w: w * 0.5}))
    with pytest.raises(gc.errors.ArgumentError, match="no float32 product"):
        gc.quantize(gc.compile([x], gc.exp(x)))
    with pytest.raises(gc.errors.ArgumentError, match="data is empty"):
        gc.quantize(gc.compile([x], x @ w), [])
    with pytest.raises(gc.errors.AttributeValueError, match="method 'mean'"):
        gc.quantize(gc.compile([x], x @ w), [], method="mean")  # type: ignore[arg-type]
    with pytest.raises(gc.errors.AttributeValueError, match="form 'int4'"):
        gc.quantize(gc.compile([x], x @ w), [], form="int4")  # type: ignore[arg-type]
    w.value = np.full((3, 4), np.nan, np.float32)
    with pytest.raises(gc.errors.ArgumentError, match="a weight is not finite"):
        gc.quantize(gc.compile([x], x @ w))

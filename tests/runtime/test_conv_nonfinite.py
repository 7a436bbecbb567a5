"""nan and inf in convolutions: the padding is zeros, a place that has no cotangent is nothing.

Every stride, padding, dilation, number of groups and dtype, with a nan or an inf at the ends and in
the middle of either operand, against a definition with loops: compiled kernels and the reference.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from plans import run_plan

import graphc as gc
from graphc.core.ir import OPS
from graphc.runtime.contract.conv_kernel import ConvSpec, lower_conv

DTYPES = {"f16": np.float16, "f32": np.float32, "f64": np.float64}
KINDS = ("conv", "conv_input", "conv_weight")
SIZES = {1: ((9,), (3,)), 2: ((5, 20), (2, 3))}

GEOMETRIES = [
    (rank, stride, padding, dilation, groups)
    for rank, stride, padding, dilation, groups in itertools.product(
        (1, 2), (1, 2, 3), (0, 1, 3), (1, 2), (1, 2)
    )
]


def _define(kind: str, x: Any, w: Any, y: Any, how: Any) -> np.ndarray:
    """The contraction in float64, one pixel of the result and one kernel element at a time."""
    stride, padding, dilation, groups = how
    image = np.pad(x, ((0, 0), (0, 0), *((padding,) * 2,) * (x.ndim - 2)))
    out = {"conv": y, "conv_input": image, "conv_weight": w}[kind] * 0.0
    out[...] = 0
    for o, i in itertools.product(range(w.shape[0]), range(w.shape[1])):
        c = o // (w.shape[0] // groups) * w.shape[1] + i
        for p in np.ndindex(*y.shape[2:]):
            for k in np.ndindex(*w.shape[2:]):
                at = tuple(a * stride + b * dilation for a, b in zip(p, k))
                if kind == "conv":
                    out[:, o, *p] += image[:, c, *at] * w[o, i, *k]
                elif kind == "conv_input":
                    out[:, c, *at] += y[:, o, *p] * w[o, i, *k]
                else:
                    out[o, i, *k] += (image[:, c, *at] * y[:, o, *p]).sum()
    if kind == "conv_input":
        out = out[:, :, *(slice(padding, padding + n) for n in x.shape[2:])]
    return out


def _operands(kind: str, geometry: Any) -> tuple[ConvSpec, dict[str, np.ndarray]]:
    rank, stride, padding, dilation, groups = geometry
    sizes, kernel = SIZES[rank]
    each = ((stride,) * rank, (padding,) * rank, (dilation,) * rank)
    spec = ConvSpec(kind, "f32", 2, 2 * groups, 2 * groups, sizes, kernel, *each, groups)
    shapes = {
        "x": (2, 2 * groups, *sizes),
        "w": (2 * groups, 2, *kernel),
        "y": (2, 2 * groups, *spec.out),
    }
    rng = np.random.default_rng(3)
    return spec, {name: rng.integers(1, 4, shape).astype("f8") for name, shape in shapes.items()}


def _check(kind: str, geometry: Any, value: float, end: int) -> None:
    spec, arrays = _operands(kind, geometry)
    names = {"conv": "xwy", "conv_input": "ywx", "conv_weight": "xyw"}[kind]
    for spoilt in names[:2]:
        held = {name: a.copy() for name, a in arrays.items()}
        flat = held[spoilt].reshape(-1)
        flat[(0, flat.size // 2, flat.size - 1)[end]] = value
        with np.errstate(invalid="ignore"):
            expected = _define(kind, held["x"], held["w"], held["y"], geometry[1:])
            found = _all_results(kind, spec, names, held)
        for what, got in found:
            np.testing.assert_array_equal(got, expected, f"{what} {kind} {geometry} {spoilt}")


def _all_results(kind: str, spec: ConvSpec, names: str, held: Any) -> Any:
    """By the kernels and the reference of every dtype; the numbers are small and whole."""
    shape = held[names[2]].shape
    how = {"stride": spec.stride, "padding": spec.padding, "dilation": spec.dilation}
    how |= {"conv_input": {"shape": spec.image}, "conv_weight": {"kernel": spec.kernel}}.get(  # type: ignore[call-overload]
        kind, {}
    )
    for name, dtype in DTYPES.items():
        left, right = (held[n].astype(dtype) for n in names[:2])
        out = np.full(shape, 77, dtype)
        fields = {f: getattr(spec, f) for f in spec.__dataclass_fields__}
        plan = lower_conv(ConvSpec(**{**fields, "dtype": name}))
        run_plan(plan, {"x": left, "y": right, "out": out})
        yield name, out
        yield f"{name} reference", OPS[kind].numpy(left, right, groups=spec.groups, **how)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_reaches_what_it_meets(kind: str, value: float) -> None:
    for number, geometry in enumerate(GEOMETRIES):
        _check(kind, geometry, value, number % 3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", [0, 1, 2])
def test_at_every_end(kind: str, end: int) -> None:
    for geometry, value in itertools.product(GEOMETRIES, (np.nan, -np.inf)):
        _check(kind, geometry, value, end)


def test_a_transposed_convolution_and_its_gradients_are_those_of_the_interpreter() -> None:
    x, w = gc.input("x", (2, 2, 5)), gc.input("w", (2, 3, 3))
    y = gc.conv_transpose(x, w, stride=2, padding=1)
    both = gc.grad(gc.sum(y * y), [x, w])
    program = gc.compile([x, w], [y, *both])
    a, b = np.ones((2, 2, 5), "f"), np.ones((2, 3, 3), "f")
    b[1, 1, 0] = np.nan
    expected = gc.interpret(program.graph, a, b)
    assert np.isnan(expected[0]).sum() == 2 * 4 and np.isfinite(expected[0]).any()
    for got, want in zip(program(a, b), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)

"""Kernels that differ in constants alone are one, which finds them among its arguments."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.runtime.base.kernel import generated
from graphc.runtime.base.step import Number, Step
from graphc.runtime.fused.constants import constants, share_kernels

RNG = np.random.default_rng(0)


def _step(lines: str) -> Step:
    x = gc.input("x", (4,))
    return Step(generated("label", lines), (Number(1), Number(2)), 1, x)


TEXTS = {
    "    v0 = p0[i0 * 8 + 3]\n": ["3"],
    "    v0 = p0[5]\n    p10[7] = v0\n": ["5", "7"],
    "    if 5 <= i0 * 2 and i0 * 2 < 7:\n": ["5", "7"],
    "    if i0 - 3 == 5:\n": ["3", "5"],
    "    v0 = f32(0.5) * f64(-1e-05) + f32(nan)\n": ["0.5", "-1e-05"],
    "    p0 = buffer(args, 3, f32)\n    n0 = args[5]\n    t0 = local(64, f32)\n": [],
    "    for i0 in range(0, 64):\n": [],
    "    v0 = quotient(i0, 64) * 5 + remainder(i0, 64)\n": [],
    "    v0 = i64(3)\n": [],
}


@pytest.mark.parametrize("lines", sorted(TEXTS))
def test_offsets_bounds_and_floats_may_become_arguments(lines: str) -> None:
    assert [constant.text for constant in constants(generated("label", lines))] == TEXTS[lines]


def test_only_what_varies_becomes_an_argument_and_once() -> None:
    line = "    p1[i0] = p0[i0 + {0}] * f32({1}) + p0[i0 + {0}] + p0[i0 + 9]\n"
    steps = share_kernels([_step(line.format(k, k / 4)) for k in (1, 2, 3)])
    assert len({step.kernel for step in steps}) == 1
    assert "p0[i0 + c0] * c1 + p0[i0 + c0] + p0[i0 + 9]" in steps[0].kernel.source
    assert "c0 = args[2]" in steps[0].kernel.source
    words = [step.args[2:] for step in steps]
    bits = [int(np.float32(k / 4).view(np.int32)) for k in (1, 2, 3)]
    assert words == [(Number(k), Number(b)) for k, b in zip((1, 2, 3), bits)]


def test_a_kernel_alone_of_its_kind_stays() -> None:
    steps = [_step("    p1[i0] = p0[i0 + 1]\n"), _step("    p1[i0] = p0[i0 + 1] + p0[i0]\n")]
    assert share_kernels(steps) == steps


def test_extents_and_factors_tell_kernels_apart() -> None:
    lines = "    for i0 in range(0, {}):\n        p1[i0] = p0[i0 * {}]\n"
    steps = [_step(lines.format(4, 2)), _step(lines.format(8, 2)), _step(lines.format(4, 3))]
    assert share_kernels(steps) == steps


@pytest.mark.parametrize("dtype", [gc.float32, gc.float64, gc.float16])
@pytest.mark.parametrize("level", ["O0", "O2"])
def test_reads_at_many_offsets_with_many_factors(dtype: gc.DType, level: str) -> None:  # type: ignore[name-defined]
    x = gc.input("x", (3, 40, 5), dtype)
    count = 40 if level == "O0" else 12
    results = [gc.tanh(x[:, k] * (k * 0.37)) for k in range(count)]
    sums = [gc.sum(x[:, k : k + 2] * (k * 0.5), axis=0) for k in range(count - 2)]
    program = gc.compile([x], [*results, *sums], level=level)
    array = RNG.standard_normal((3, 40, 5)).astype(dtype.numpy)
    found = program(array)
    exact = array.astype(np.float64)
    tolerance = {gc.float16: 5e-3, gc.float32: 3e-6, gc.float64: 1e-14}[dtype]
    for k in range(count):
        wanted = np.tanh(exact[:, k] * k * 0.37)
        np.testing.assert_allclose(found[k], wanted, rtol=tolerance, atol=tolerance)
    for k in range(count - 2):
        wanted = (exact[:, k : k + 2] * k * 0.5).sum(0)
        np.testing.assert_allclose(found[count + k], wanted, rtol=tolerance, atol=20 * tolerance)
    assert len(program.kernels) < 16


def _unrolled(steps: int) -> gc.Program:
    """A training step of a recurrent network, written out."""
    x = gc.input("x", (2, steps, 3))
    w, u = (
        gc.parameter(n, RNG.standard_normal(s) * 0.3) for n, s in (("w", (3, 4)), ("u", (4, 4)))
    )
    w, u = (gc.parameter(p.name, p.value.astype(np.float32)) for p in (w, u))
    every = [gc.tanh(x[:, 0] @ w)]
    for k in range(1, steps):
        every.append(gc.tanh(x[:, k] @ w + every[-1] @ u))
    loss = gc.mean(gc.stack(every, 1) ** 2)
    slopes = gc.grad(loss, [w, u])
    return gc.compile([x], loss, {p: p - 0.1 * g for p, g in zip((w, u), slopes)})


def test_an_unrolled_network_has_as_many_kernels_whatever_its_length() -> None:
    assert len(_unrolled(40).kernels) <= len(_unrolled(12).kernels) + 4

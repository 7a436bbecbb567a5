"""GRAPHC_CHECK=bounds: an access outside a buffer is an error that names it, and nothing faults."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import InternalError
from graphc.runtime import targets
from graphc.runtime.base.bounds import checked
from graphc.runtime.base.kernel import Kernel, key
from graphc.runtime.base.step import Step
from graphc.runtime.lower import lower


def _compile(inputs: Any, outputs: Any, **options: Any) -> gc.Program:
    # Without 1: the verifier of lowered programs would find what is planted before it runs.
    with gc.config.override(check=["bounds"]):
        return gc.compile(inputs, outputs, **options)


def _plant(monkeypatch: pytest.MonkeyPatch, op: str, change: Callable[[str], str]) -> None:
    """Change the source of the kernels of an op."""

    def changed(step: Step) -> Step:
        source = change(step.kernel.source) if step.node.op.name == op else step.kernel.source
        return replace(step, kernel=replace(step.kernel, source=source))

    monkeypatch.setattr(targets, "lower", lambda graph: [changed(s) for s in lower(graph)])


@pytest.mark.parametrize(
    ("access", "index"), [(r"\1 + 2", 6), (r"\1 - 9", -9), (r"\1 + 10**17", 10**17)]
)
def test_a_read_outside_is_named(monkeypatch: pytest.MonkeyPatch, access: str, index: int) -> None:
    _plant(monkeypatch, "fused", lambda s: re.sub(r"p0\[(i\d+)\]", f"p0[{access}]", s))
    x = gc.input("x", (6,))
    program = _compile([x], gc.exp(x) * 2 + 1)
    with pytest.raises(InternalError) as caught:
        program(np.zeros(6, np.float32))
    what, made, computes, where = str(caught.value).splitlines()
    assert what.startswith("kernel exp_multiply_add_")
    assert what.endswith(f" reads p0[{index}], which has 6 elements")
    assert made.startswith("  x: f32[6], made at test_bounds.py:")
    assert computes.startswith("  computes fused: f32[6], made at test_bounds.py:")
    assert where.startswith("  at test_bounds.py:")


def test_a_write_outside_is_named_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, "fused", lambda s: re.sub(r"r0\[(i\d+)\] =", r"r0[\1 + 3] =", s))
    x = gc.input("x", (6,))
    program = _compile([x], gc.exp(x) * 2 + 1)
    memory = np.zeros(10, np.float32)
    with pytest.raises(InternalError, match=r"writes r0\[6\], which has 6 elements"):
        program(np.zeros(6, np.float32), out=memory[:6])
    np.testing.assert_array_equal(memory[6:], 0)


def test_state_is_not_written_after_an_access_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, "matmul", lambda s: s.replace("x_at = first * x_m", "x_at = 1000"))
    x = gc.input("x", (6, 6))
    w = gc.parameter("w", np.zeros((6, 6), np.float32))
    program = _compile([x], gc.sum(x @ w), updates={w: w + 1})
    with pytest.raises(InternalError, match=r"kernel matmul_f32 reads x\[1000\], which has 36 el"):
        program(np.zeros((6, 6), np.float32))
    np.testing.assert_array_equal(program.state()["w"], 0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("y_at = column * y_n", "y_at = column * y_n + 1", r"reads y\[\d+\], which has"),
        ("out_at = (matrix * m + first) * n + column", "out_at = 37", r"writes out\[\d+\], which"),
        ("packed, p * ", "packed, 10**6 + p * ", r"writes a local buffer\[\d+\], which has"),
    ],
)
@pytest.mark.parametrize("n", [3, 16, 40])
def test_tiles_are_tested(
    monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str, n: int
) -> None:
    _plant(monkeypatch, "matmul", lambda s: s.replace(old, new))
    x, y = gc.input("x", (70, 5)), gc.input("y", (5, n))
    program = _compile([x, y], x @ y)
    with pytest.raises(InternalError, match=message):
        program(np.ones((70, 5), np.float32), np.ones((5, n), np.float32))


def test_an_access_outside_in_a_loop_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphc.runtime import lower as lowering

    original = lowering.lower_body

    def planted(*args: Any) -> list[Step]:
        steps = original(*args)
        kernels = [
            replace(s.kernel, source=s.kernel.source.replace("p0[", "p0[9000 + ")) for s in steps
        ]
        return [replace(s, kernel=k) for s, k in zip(steps, kernels)]

    monkeypatch.setattr(lowering.Native, "body", staticmethod(planted))
    h = gc.input("h", (40, 40))  # too large for a loop that is one kernel
    program = _compile([h], gc.while_loop(lambda c: gc.sum(c) < 9, lambda c: gc.exp(c), h))
    with pytest.raises(InternalError, match=r"reads p0\[\d+\], which has 1600 elements"):
        program(np.zeros((40, 40), np.float32))


def test_values_are_those_of_kernels_without_tests() -> None:
    x, w = gc.input("x", (2, 3, 9, 9)), gc.input("w", (4, 3, 3, 3))
    y = gc.relu(gc.conv(x, w, padding=1))
    grads = gc.grad(gc.sum(y * y), [x, w])
    outputs = [y, *grads, gc.argsort(x, 1), gc.cumsum(x, 2), gc.softmax(gc.reshape(y, (8, 81)), 1)]
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(n.type.shape).astype(np.float32) for n in (x, w)]  # type: ignore[union-attr]
    for threads in (1, 2):
        tested = _compile([x, w], outputs, threads=threads)(*arrays)
        with gc.config.override(check=[]):
            plain = gc.compile([x, w], outputs, threads=threads)(*arrays)
        for left, right in zip(tested, plain):
            np.testing.assert_allclose(left, right, 1e-5, 1e-5)


def test_kernels_that_test_have_keys_of_their_own() -> None:
    kernel = Kernel("k", "def k(args, lo, hi):\n    x = local(4, f32)\n")
    words = [frozenset(w) for w in ((), ("bounds",), ("poison",), ("bounds", "poison"))]
    assert len({key(checked(kernel, w)) for w in words}) == 4
    assert checked(kernel, frozenset({"1", "2", "finite"})) is kernel
    plain = Kernel("k", "def k(args, lo, hi):\n    x = 1\n")
    assert checked(plain, frozenset({"poison"})) is plain
    machine = replace(kernel, language="machine")
    assert checked(machine, frozenset({"bounds", "poison"})) is machine

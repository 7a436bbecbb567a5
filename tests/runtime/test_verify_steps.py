"""The verifier of lowered programs fires on planted faults, and names node and line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import graphc as gc
from graphc.core.ir import Graph
from graphc.errors import InternalError
from graphc.passes.fusion.fuse import fuse
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Step, Workspace
from graphc.runtime.checks.touched import touched
from graphc.runtime.checks.verify_steps import verify_lowering
from graphc.runtime.lower import lower


def _product() -> tuple[Graph, list[Step]]:
    """A softmax of a product: two kernels at least."""
    x, w = gc.input("x", (6, 5)), gc.input("w", (5, 4))
    graph = fuse(Graph.of("g", [x, w], [gc.softmax(x @ w, 1)]))
    return graph, lower(graph)


def test_a_sound_program_passes() -> None:
    graph, steps = _product()
    verify_lowering(graph, steps)


def test_a_step_that_reads_what_nobody_wrote() -> None:
    graph, steps = _product()
    assert len(steps) == 2
    with pytest.raises(InternalError) as caught:
        verify_lowering(graph, steps[1:])
    first, *rest = str(caught.value).splitlines()
    assert first == "fused reads matmul, which no step before it writes"
    assert rest[0].startswith("  kernel ") and "softmax" not in rest[0]
    assert rest[1].startswith("  reads matmul: f32[6, 4], made at test_verify_steps.py:")
    assert rest[2].startswith("  at test_verify_steps.py:")


def test_a_step_that_comes_too_early() -> None:
    graph, steps = _product()
    with pytest.raises(InternalError, match="fused reads matmul, which no step before it writes"):
        verify_lowering(graph, steps[::-1])


def test_a_result_that_is_never_written() -> None:
    graph, steps = _product()
    with pytest.raises(InternalError, match=r"output 0 of g is never written: fused"):
        verify_lowering(graph, steps[:1])


def test_a_kernel_that_has_a_result_and_never_stores_it() -> None:
    graph, (product, rows) = _product()
    lines = rows.kernel.source.splitlines()
    kept = [line for line in lines if not line.lstrip().startswith("r0[")]
    assert len(kept) < len(lines)
    fault = replace(rows, kernel=replace(rows.kernel, source="\n".join(kept)))
    with pytest.raises(InternalError, match=r"output 0 of g is never written"):
        verify_lowering(graph, [product, fault])


def test_scratch_memory_that_is_read_unwritten() -> None:
    graph, steps = _product()
    node = steps[1].node
    kernel = Kernel("k", "def k(args, lo, hi):\n    s = buffer(args, 0, f32)\n    x = s[0]\n")
    fault = Step(kernel, (Workspace(node, "parts", 64),), 1, node)
    with pytest.raises(InternalError, match="fused reads its scratch memory 'parts', which no"):
        verify_lowering(graph, [*steps, fault])


def test_a_value_that_was_overwritten_when_it_is_read() -> None:
    x = gc.input("x", (8, 8))
    w = gc.parameter("w", np.zeros((8, 8), np.float32))
    program = gc.compile([x], x @ w, updates={w: w - 0.5})
    graph = program.history[-1][1]
    product, update = lower(graph)
    verify_lowering(graph, [product, update])
    with pytest.raises(InternalError, match="matmul reads w, which has been overwritten by then"):
        verify_lowering(graph, [update, product])


def test_bodies_of_loops_are_looked_at() -> None:
    h = gc.input("h", (4, 4))
    looped = gc.while_loop(lambda c: gc.sum(c) < 9, lambda c: gc.exp(c @ c), h)
    graph = Graph.of("g", [h], [looped])
    (step,) = lower(graph)
    verify_lowering(graph, [step])
    child = next(a for a in step.args if getattr(a, "key", "") == "body")
    fault = replace(child, steps=child.steps[1:])  # type: ignore[arg-type, union-attr]
    args = tuple(fault if a is child else a for a in step.args)
    with pytest.raises(InternalError, match="reads matmul, which no step before it writes"):
        verify_lowering(graph, [replace(step, args=args)])


def test_compile_verifies_what_it_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphc.runtime import targets

    monkeypatch.setattr(targets, "lower", lambda graph: lower(graph)[:-1])
    x = gc.input("x", (6, 5))
    with gc.config.override(check=["1"]), pytest.raises(InternalError, match="never written"):
        gc.compile([x], gc.exp(x))
    with gc.config.override(check=[]):
        gc.compile([x], gc.exp(x))


SOURCE = """
def k(args, lo, hi):
    x = buffer(args, 0, f32)
    y = buffer(args, 1, f32)
    out = either(args[3] != 0, buffer(args, 2, f32), y)
    own = local(64, f32)
    status = buffer(args, 4, i64)
    acc = tile_dot(1, 1, 3, x, 0, 1, 1, own, 0, 0)
    tile_update(acc, out, 0, 0, 0, 1, True)
    own[0] = f32(1)
    fail(status, 0, 0, 0)
"""


def test_what_a_kernel_touches_is_read_off_its_source() -> None:
    found = touched(Kernel("k", SOURCE))
    assert (found.reads, found.writes) == ({0}, {1, 2})
    added = touched(Kernel("k", SOURCE + "    y[0] += f32(2)\n    buffer(args, 5, f32)[0] = x[1]"))
    assert (added.reads, added.writes) == ({0, 1}, {1, 2, 5})


def test_values_are_as_before() -> None:
    x = gc.input("x", (3,))
    np.testing.assert_array_equal(gc.compile([x], x + x)(np.ones(3, np.float32)), 2)


def test_a_variable_called_row_makes_no_table() -> None:
    x, w = gc.input("x", (2, 4, 6)), gc.input("w", (3, 4, 2))
    result = gc.conv(x, w, padding=1)
    program = gc.compile([x, w], gc.grad(gc.sum(result * result), w))
    assert program.kernels


def test_nothing_can_be_overwritten_where_nothing_is() -> None:
    x, w = gc.input("x", (17, 8, 0)), gc.input("w", (0,))
    _, rows = gc.scan(lambda c, s: (gc.tanh(c + s), gc.tanh(s + c)), gc.sum(x, axis=0), x)
    v = gc.tanh(rows)
    program = gc.compile([x, w], (v - gc.remainder(v, v)) @ w, level="O2")
    found = program(np.zeros((17, 8, 0), np.float32), np.zeros(0, np.float32))
    np.testing.assert_array_equal(found, np.zeros((17, 8)))

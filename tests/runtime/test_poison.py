"""GRAPHC_CHECK=poison: unwritten memory shows, writes past an end are named, state is as before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import graphc as gc
from graphc.core.ir import Node
from graphc.errors import InternalError
from graphc.runtime import targets
from graphc.runtime.base import poison
from graphc.runtime.base.step import Step
from graphc.runtime.lower import lower


def _planted(monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str]) -> None:
    """Change the source of fused kernels."""

    def changed(step: Step) -> Step:
        if step.node.op.name != "fused":
            return step
        source = change(step.kernel.source)
        assert source != step.kernel.source
        return replace(step, kernel=replace(step.kernel, source=source))

    monkeypatch.setattr(targets, "lower", lambda graph: [changed(s) for s in lower(graph)])


def _compile(inputs: list[Node], outputs: object, **options: object) -> gc.Program:
    # Without 1: the verifier of lowered programs would find what is planted before it runs.
    with gc.config.override(check=["poison"]):
        return gc.compile(inputs, outputs, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [gc.float16, gc.float32, gc.float64])
def test_the_pattern_is_nan(dtype: gc.DType) -> None:  # type: ignore[name-defined]
    array = np.zeros(5, dtype.numpy)
    poison.fill(array)
    assert np.isnan(array).all()


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "uint16", "uint32", "uint64"])
def test_the_pattern_is_extreme_or_no_bool(dtype: str) -> None:
    array = np.zeros(3, dtype)
    poison.fill(array)
    assert (array.astype(np.float64) > np.iinfo(dtype).max / 2.01).all()
    bools = np.zeros(3, np.uint8)
    poison.fill(bools)
    assert (bools > 1).all()


def _half(source: str) -> str:
    """The kernel without the second half of its range."""
    return source.replace("range(lo, hi)", "range(lo, hi - 2)")


def test_elements_that_no_kernel_writes_are_nan_at_every_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _planted(monkeypatch, _half)
    x = gc.input("x", (6,))
    program = _compile([x], gc.exp(x) * 2 + 1)
    out = np.zeros(6, np.float32)
    for given in (None, None, out):
        found = program(np.zeros(6, np.float32), out=given)
        assert np.isnan(found).tolist() == [False] * 4 + [True] * 2
    assert np.isnan(out[4:]).all()


def test_intermediate_values_that_no_kernel_writes_spoil_the_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _planted(monkeypatch, _half)
    x = gc.input("x", (6, 6))
    program = _compile([x], gc.exp(x) @ x)
    for _ in range(3):
        found = program(np.ones((6, 6), np.float32))
        assert np.isnan(found).any()


def _beyond(source: str) -> str:
    return source.replace("range(lo, hi)", "range(lo, hi + 2)")


def test_a_write_past_a_result_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _planted(monkeypatch, _beyond)
    x = gc.input("x", (6,))
    program = _compile([x], {"left": gc.exp(x) * 2 + 1})
    with pytest.raises(InternalError) as caught:
        program(np.zeros(6, np.float32))
    what, made, where, hint = str(caught.value).splitlines()
    assert what == "a kernel wrote past the end of output 'left' of program"
    assert made.startswith("  add: f32[6], made at test_poison.py:")
    assert where.startswith("  at test_poison.py:")
    assert hint == "  hint: GRAPHC_CHECK=bounds names the kernel"


def test_a_write_past_a_buffer_of_the_arena_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _planted(monkeypatch, _beyond)
    x = gc.input("x", (6, 6))
    program = _compile([x], gc.exp(x) @ x)
    with pytest.raises(InternalError, match="wrote past the end of result 0 of fused") as caught:
        program(np.ones((6, 6), np.float32))
    assert "fused: f32[6, 6], made at test_poison.py:" in str(caught.value)


def test_a_write_past_a_buffer_inside_a_loop_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    h = gc.input("h", (4, 4))
    looped = gc.while_loop(lambda c: gc.sum(c) < 9, lambda c: (c @ c) @ c + 1, h)
    value = np.zeros((4, 4), np.float32)
    np.testing.assert_array_equal(_compile([h], looped)(value), 1)
    program = _compile([h], looped)
    call = program._executable.bind({})
    inner = [zone for zone in call.red_zones.zones if "matmul" in zone.what]
    arena = np.empty(call.arena_nbytes, np.uint8)
    poison.fill(arena)
    call.red_zones.check(arena)
    arena[inner[0].start + 1] = 0
    with pytest.raises(InternalError, match="wrote past the end of result 0 of matmul"):
        call.red_zones.check(arena)


def test_red_zones_stand_where_no_buffer_ever_lies() -> None:
    x = gc.input("x", (30, 30))
    y = x
    for _ in range(6):
        y = gc.exp(y @ x)
    program = _compile([x], y)
    call = program._executable.bind({})
    program(np.zeros((30, 30), np.float32))
    assert call.red_zones.zones
    assert call.arena_nbytes < 3 * (3600 + 2 * poison.RED_ZONE + 64)


def test_state_is_updated_or_left_as_it_was() -> None:
    x, i = gc.input("x", (4,)), gc.input("i", (1,), gc.int64)
    w = gc.parameter("w", np.zeros(4, np.float32))
    program = _compile([x, i], gc.take(x, i), updates={w: w + x})
    ones = np.ones(4, np.float32)
    program(ones, np.array([2]))
    with pytest.raises(gc.errors.IndexRangeError):
        program(ones, np.array([9]))
    np.testing.assert_array_equal(program.state()["w"], ones)


def test_without_the_setting_nothing_is_filled() -> None:
    x = gc.input("x", (6,))
    with gc.config.override(check=[]):
        program = gc.compile([x], x + 1)
    assert not program._executable.is_poisoned
    assert program._executable.bind({}).red_zones.zones == []
    assert program(np.zeros(6, np.float32)).base is None

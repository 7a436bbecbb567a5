"""Results that are computed alike share one kernel and a table of tensors: `runtime.many`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lowering import run_lowered

import graphc as gc
from graphc.core.ir import Graph
from graphc.passes.fusion.fuse import fuse
from graphc.passes.memory.inplace import inplace
from graphc.passes.pipeline import O1
from graphc.passes.pipeline import run as run_passes

SHAPES = [(7,), (5, 13), (), (64,), (1,), (3, 1, 43), (65,), (0, 4), (2, 2000)]
RATE = 0.05


def _sgd(p: Any, g: Any, state: list[Any], numbers: list[Any], lib: Any) -> list[Any]:
    return [p - RATE * g]


def _momentum(p: Any, g: Any, state: list[Any], numbers: list[Any], lib: Any) -> list[Any]:
    """With weight decay and a clipping factor, which all tensors share."""
    (buffer,) = state
    new = 0.9 * buffer + (g * numbers[0] + 0.01 * p)
    return [p - RATE * new, new]


def _amsgrad(p: Any, g: Any, state: list[Any], numbers: list[Any], lib: Any) -> list[Any]:
    m, v, most = state
    m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
    most = lib.maximum(most, v)
    return [p - numbers[0] * m / (lib.sqrt(most) + 1e-8), m, v, most]


RULES: dict[str, tuple[Callable[..., Any], int]] = {
    "sgd": (_sgd, 0),
    "momentum": (_momentum, 1),
    "amsgrad": (_amsgrad, 3),
}


def _program(
    rule: str, shapes: list[Any], dtype: Any = gc.float32, threads: int | None = None
) -> tuple[gc.Program, list[np.ndarray], dict[str, np.ndarray]]:
    """A program that updates parameters, gradients for it, and the state wanted after a call."""
    update, entries = RULES[rule]
    rng = np.random.default_rng(0)
    factor = gc.input("factor", (), dtype)
    slopes, updates, wanted, given = [], {}, {}, [np.asarray(0.5, dtype.numpy)]  # type: ignore[var-annotated]
    for k, shape in enumerate(shapes):
        values = [rng.random(shape).astype(dtype.numpy) for _ in range(2 + entries)]
        p = gc.parameter(f"p{k}", values[0])
        state = [gc.parameter(f"s{k}{j}", value) for j, value in enumerate(values[2:])]
        slopes.append(gc.input(f"g{k}", shape, dtype))
        given.append(values[1])
        updates.update(zip([p, *state], update(p, slopes[-1], state, [factor], gc)))
        exact = [value.astype(np.float64) for value in values]
        new = update(exact[0], exact[1], exact[2:], [0.5], np)
        wanted.update(zip([p.name, *(s.name for s in state)], new))
    outputs = [gc.sum(slopes[0]), factor * 1.0]
    return gc.compile([factor, *slopes], outputs, updates, threads=threads), given, wanted


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rule", sorted(RULES))
def test_tensors_of_all_shapes_are_updated_by_one_step(rule: str, threads: int) -> None:
    program, given, wanted = _program(rule, SHAPES, threads=threads)
    program(*given)
    for name, value in program.state().items():
        np.testing.assert_allclose(value, wanted[name], rtol=2e-6, atol=1e-6, err_msg=name)
    many = [name for name in program.kernels if name.startswith("many_")]
    assert len(many) == 1
    assert "by a table" in program.explain()


@pytest.mark.parametrize("dtype", [gc.float16, gc.float64])
def test_other_floats(dtype: Any) -> None:
    program, given, wanted = _program("momentum", SHAPES[:4], dtype)
    program(*given)
    tolerance = 2e-3 if dtype is gc.float16 else 1e-15
    for name, value in program.state().items():
        np.testing.assert_allclose(value, wanted[name], rtol=tolerance, atol=tolerance)
    assert any(name.startswith("many_") for name in program.kernels)


def _many(program: gc.Program) -> dict[str, str]:
    return {n: source for n, source in program.kernels.items() if n.startswith("many_")}


def test_the_kernel_depends_on_neither_number_nor_shapes_nor_rates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = _many(_program("amsgrad", [(3,), (4, 5)])[0])
    monkeypatch.setitem(globals(), "RATE", 0.25)
    assert few == _many(_program("amsgrad", [(k + 1, 2) for k in range(40)])[0])
    assert _many(_program("sgd", [(3,), (4,)])[0]) == _many(_program("sgd", [(9,)] * 30)[0])


def test_numbers_that_all_read_do_not_tie_tensors_together() -> None:
    """Of one shape, they share even what spreads a number over it."""
    program, given, wanted = _program("amsgrad", [(9, 4)] * 5 + [(6,)] * 3)
    program(*given)
    for name, value in program.state().items():
        np.testing.assert_allclose(value, wanted[name], rtol=2e-6, atol=1e-6, err_msg=name)
    assert len(_many(program)) == 1
    assert "8 tensors, by a table" in program.explain()


def test_new_values_are_computed_from_old_ones() -> None:
    """Two parameters are swapped, a third takes what a fourth had, whose own value changes."""
    a, b, c, d = (gc.parameter(n, np.full(70, v, np.float32)) for n, v in zip("abcd", (1, 2, 3, 4)))
    x = gc.input("x", ())
    program = gc.compile([x], x * 1.0, {a: b + x, b: a + x, c: d + x, d: d + x})
    program(np.float32(10))
    state = {name: set(value.tolist()) for name, value in program.state().items()}
    assert state == {"a": {12.0}, "b": {11.0}, "c": {14.0}, "d": {14.0}}
    program(np.float32(0))
    state = {name: set(value.tolist()) for name, value in program.state().items()}
    assert state == {"a": {11.0}, "b": {12.0}, "c": {14.0}, "d": {14.0}}


def test_a_gradient_that_two_parameters_share() -> None:
    g = gc.input("g", (100,))
    a, b = (gc.parameter(n, np.arange(100, dtype=np.float32)) for n in "ab")
    program = gc.compile([g], gc.sum(g), {a: a - g, b: b - g})
    program(np.ones(100, np.float32))
    for value in program.state().values():
        np.testing.assert_array_equal(value, np.arange(100) - 1)
    assert _many(program)


def test_counters_and_masters_of_other_dtypes() -> None:
    """Integer counters, and float16 weights that follow float32 masters."""
    updates, slopes = {}, []
    for k, size in enumerate((5, 200)):
        half = gc.parameter(f"h{k}", np.zeros(size, np.float16))
        master = gc.parameter(f"m{k}", np.arange(size, dtype=np.float32))
        count = gc.parameter(f"n{k}", np.int64(k))
        slopes.append(gc.input(f"g{k}", (size,), gc.float16))
        new = master - slopes[-1].astype(gc.float32) * 0.5
        updates.update({master: new, half: new.astype(gc.float16), count: count + 1})
    program = gc.compile(slopes, gc.sum(slopes[0]), updates)
    program(np.ones(5, np.float16), np.ones(200, np.float16))
    state = program.state()
    for k, size in enumerate((5, 200)):
        np.testing.assert_array_equal(state[f"m{k}"], np.arange(size) - 0.5)
        np.testing.assert_array_equal(state[f"h{k}"], (np.arange(size) - 0.5).astype(np.float16))
        assert state[f"n{k}"] == k + 1
    assert len(_many(program)) == 2


def test_what_reads_a_row_or_reduces_stays_apart() -> None:
    """A column of factors and a sum are no business of one element; they are still right."""
    updates, wanted = {}, {}
    scale = gc.input("scale", (4,))
    for k in range(3):
        w = gc.parameter(f"w{k}", np.full((3, 4), k, np.float32))
        v = gc.parameter(f"v{k}", np.full(6, k, np.float32))
        updates.update({w: w * scale, v: v + 1.0})
        wanted.update({f"w{k}": np.full((3, 4), k) * np.arange(4), f"v{k}": np.full(6, k + 1)})
    program = gc.compile([scale], gc.sum(scale), updates)
    program(np.arange(4, dtype=np.float32))
    for name, value in program.state().items():
        np.testing.assert_array_equal(value, wanted[name])
    assert len(_many(program)) == 1


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("parts", [1, 2, 5, 64])
def test_any_cut_of_the_range_gives_every_element_once(compiled: bool, parts: int) -> None:
    shapes = [(130,), (1,), (64,), (7, 11), (200,)]
    slopes = [gc.input(f"g{k}", s) for k, s in enumerate(shapes)]
    weights = [gc.parameter(f"w{k}", np.zeros(s, np.float32)) for k, s in enumerate(shapes)]
    outputs = [w - 0.5 * g for w, g in zip(weights, slopes)]
    aliases = [(k, len(slopes) + k) for k in range(len(shapes))]
    traced = Graph.of("g", [*slopes, *weights], outputs, aliases)
    graph = fuse(run_passes(traced, O1)[0])
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 50, node.type.shape).astype(np.float32) for node in graph.inputs]  # type: ignore[union-attr]
    results, _ = run_lowered(graph, arrays, compiled=compiled, parts=parts)
    for k, result in enumerate(results):
        np.testing.assert_array_equal(result, arrays[len(shapes) + k] - 0.5 * arrays[k])
    assert inplace(graph).nodes  # the pairs that the driver would write in place exist


def test_kernels_of_updates_do_not_grow() -> None:
    small, large = (_program("amsgrad", [(k + 2, 3) for k in range(n)])[0] for n in (4, 120))
    assert small.kernels.keys() == large.kernels.keys()
    assert max(len(source.splitlines()) for source in large.kernels.values()) < 60


def _mlp(depth: int) -> gc.Program:
    """An Adam step of an MLP of square layers."""
    x = gc.input("x", (4, 6))
    hidden, parameters = x, []
    for k in range(depth):
        w = gc.parameter(f"w{k}", np.eye(6, dtype=np.float32))
        b = gc.parameter(f"b{k}", np.zeros(6, np.float32))
        hidden = gc.relu(hidden @ w + b)
        parameters += [w, b]
    loss = gc.mean(hidden * hidden)
    updates = {}
    for p, g in zip(parameters, gc.grad(loss, parameters)):
        m, v = (gc.parameter(f"{p.name}{n}", np.zeros(p.shape, np.float32)) for n in "mv")
        new, second = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        updates.update({m: new, v: second, p: p - 0.0001 * new / (gc.sqrt(second) + 1e-8)})
    return gc.compile([x], loss, updates)


def test_a_deep_training_step_has_the_kernels_of_a_shallow_one() -> None:
    """So compile time beside the passes' own does not grow with depth."""
    shallow, deep = _mlp(10), _mlp(80)
    assert shallow.kernels == deep.kernels
    assert sum(name.startswith("many_") for name in deep.kernels) == 1
    given = np.random.default_rng(0).random((4, 6)).astype(np.float32)
    losses = [float(deep(given)) for _ in range(3)]
    np.testing.assert_allclose(losses[0], (given.astype(np.float64) ** 2).mean(), rtol=1e-5)
    assert losses[2] < losses[1] < losses[0]


def _calls_to_compile(depth: int) -> int:
    """How many Python functions are called to compile an MLP: time, but the same everywhere."""
    count = 0

    def counted(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(counted)
    try:
        _mlp(depth)
    finally:
        sys.setprofile(None)
    return count


def test_the_work_of_a_compilation_grows_as_the_depth() -> None:
    _mlp(4)
    first, second, third = map(_calls_to_compile, (20, 40, 80))
    assert third - second < 2.1 * (second - first)

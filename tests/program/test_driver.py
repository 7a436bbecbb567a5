"""Compiling and interpreting: what is found by itself, levels, settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc.ops.arrays import random
from graphc.verify import verify

TARGETS = ("cpu", "reference")
X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("target", TARGETS)
def test_parameters_and_constants_are_found(target: str) -> None:
    x = gc.input("x", (2, 3))
    w = gc.parameter("w", np.ones((2, 3), np.float32))
    shift = gc.constant(np.full((2, 3), 5, np.float32))
    program = gc.compile(x, x * w + shift, target=target)
    np.testing.assert_array_equal(program(X), X + 5)
    assert [node.name for node in program.graph.inputs] == ["x", "w", "constant"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_parameter_may_be_written_without_being_read(target: str) -> None:
    x = gc.input("x", (2, 3))
    last = gc.parameter("last", np.zeros((2, 3), np.float32))
    program = gc.compile([x], [], updates={last: x}, target=target)
    assert program(X) == []
    np.testing.assert_array_equal(last.value, X)


def test_the_generator_is_advanced_by_programs_that_draw() -> None:
    program = gc.compile([], gc.uniform((3,)), target="reference")
    assert random.GENERATOR.name in program.state()
    assert len(program.graph.aliases) == 1
    keyed = gc.compile([], gc.uniform((3,), key=gc.random_key(1)), target="reference")
    assert keyed.graph.aliases == () and keyed.state() == {}


@pytest.mark.parametrize("level", ["O0", "O1", "O2", "O3"])
@pytest.mark.parametrize("fast_math", [False, True])
def test_every_level_gives_the_value_and_a_sound_history(level: str, fast_math: bool) -> None:
    n = gc.dim("n")
    x = gc.input("x", (n, 3))
    w = gc.parameter("w", np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2))
    y = gc.softmax(gc.relu(x @ w) * 1.0, axis=-1)
    program = gc.compile([x], y, level=level, fast_math=fast_math)
    for _, graph in program.history:
        verify(graph)
    assert (len(program.history) == 1) == (level == "O0")
    h = np.maximum(X.astype(np.float64) @ w.value, 0)
    wanted = np.exp(h) / np.exp(h).sum(-1, keepdims=True)
    np.testing.assert_allclose(program(X), wanted, rtol=1e-5)


def test_skipped_passes_are_not_in_the_history() -> None:
    x = gc.input("x", (3,))
    with gc.config.override(skip=["cse", "fold"]):
        program = gc.compile([x], gc.exp(x) + gc.exp(x))
    names = [name for name, _ in program.history]
    assert "simplify" in names and "cse" not in names and "fold" not in names
    np.testing.assert_allclose(program(np.zeros(3, np.float32)), 2)


def test_passes_are_checked_by_value_when_asked() -> None:
    x = gc.input("x", (gc.dim("n"), 3))
    with gc.config.override(check=["1", "2"]):
        program = gc.compile([x], gc.softmax(x * 2.0 + 0.0, axis=-1))
    np.testing.assert_allclose(program(X).sum(-1), 1, rtol=1e-6)


def test_graphs_are_dumped_when_asked(tmp_path: Path) -> None:
    x = gc.input("x", (3,))
    with gc.config.override(dump=str(tmp_path / "dump")):
        gc.compile([x], gc.negative(-x))
    assert (tmp_path / "dump" / "00-traced.py").is_file()


def test_threads_do_not_change_results() -> None:
    x = gc.input("x", (300, 700))
    y = gc.sum(gc.softmax(x, axis=-1) * x, axis=0)
    array = np.random.default_rng(0).standard_normal((300, 700)).astype(np.float32)
    first = gc.compile([x], y, threads=1)(array)
    for threads in (2, 4):
        np.testing.assert_array_equal(gc.compile([x], y, threads=threads)(array), first)


def test_interpret_takes_a_graph_or_a_program() -> None:
    x = gc.input("x", (3,))
    w = gc.parameter("w", np.array([1, 2, 3], np.float32))
    graph = gc.Graph.of("g", [x, w], [x * w, x])
    product, same = gc.interpret(graph, [1, 1, 2])
    np.testing.assert_array_equal(product, [1, 2, 6])
    np.testing.assert_array_equal(same, [1, 1, 2])
    other = np.array([2, 2, 2], np.float32)
    np.testing.assert_array_equal(gc.interpret(graph, other, other)[0], [4, 4, 4])
    program = gc.compile([x], x * w, updates={w: w + 1.0}, target="reference")
    product, new = gc.interpret(program, other)
    np.testing.assert_array_equal(product, [2, 4, 6])
    np.testing.assert_array_equal(new, [2, 3, 4])
    np.testing.assert_array_equal(w.value, [1, 2, 3])


def test_a_training_step_learns() -> None:
    n = gc.dim("n", min=1)
    x, t = gc.input("x", (n, 3)), gc.input("t", (n,))
    w = gc.parameter("w", np.zeros(3, np.float32))
    error = x @ w - t
    loss = gc.mean(error * error)
    step = gc.compile([x, t], loss, updates={w: w - 0.1 * gc.grad(loss, w)})
    true = np.array([1.5, -2.0, 0.5], np.float32)
    rng = np.random.default_rng(0)
    for k in range(200):
        batch = rng.standard_normal((16 + k % 5, 3)).astype(np.float32)
        value = step(batch, batch @ true)
    assert value < 1e-6
    np.testing.assert_allclose(w.value, true, atol=1e-3)

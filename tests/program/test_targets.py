"""Targets: what is registered is found by name, is asked whether it can be used, and runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import graphc as gc
from graphc.core.ir import Graph
from graphc.errors import ArgumentError, AttributeValueError
from graphc.runtime import targets
from graphc.runtime.interpreter import Interpreter


class Counting(targets.Reference):
    """NumPy, with the graphs that it was given."""

    name = "counting"
    is_optimized = True

    def __init__(self) -> None:
        self.graphs: list[Graph] = []
        self.missing = ""

    def refusal(self) -> str:
        return self.missing

    def program(self, graph: Graph, threads: int | None) -> Interpreter:
        self.graphs.append(graph)
        return super().program(graph, threads)


@pytest.fixture
def counting() -> Iterator[Counting]:
    target = Counting()
    targets.register(target)
    yield target
    del targets._TARGETS[target.name]


def test_a_registered_target_runs_what_the_passes_leave(counting: Counting) -> None:
    x = gc.input("x", (gc.dim("n"),), gc.float32)
    program = gc.compile([x], gc.exp(x) * 1.0 + 0.0, target="counting")
    values = np.linspace(-1, 1, 5, dtype=np.float32)
    np.testing.assert_allclose(program(values), np.exp(values), rtol=1e-6)
    (graph,) = counting.graphs
    assert len(graph.nodes) < len(program.graph.nodes)
    assert program.kernels == {} and program.stats.launches == 0
    assert "reference" in program.explain()


def test_updates_and_out_work_on_a_registered_target(counting: Counting) -> None:
    w = gc.parameter("w", np.ones(3, np.float32))
    step = gc.compile([], [w + 1.0], updates={w: w * 2.0}, target="counting")
    out = np.empty(3, np.float32)
    (found,) = step(out=[out])
    assert found is out
    np.testing.assert_array_equal(out, [2, 2, 2])
    np.testing.assert_array_equal(step.state()["w"], [2, 2, 2])


def test_a_target_that_cannot_be_used_says_why(counting: Counting) -> None:
    counting.missing = "there is no such machine"
    with pytest.raises(AttributeValueError, match="'counting' cannot be used here: there is no"):
        gc.compile([], gc.constant(np.ones(2)), target="counting")


def test_names_that_no_target_has_are_refused() -> None:
    with pytest.raises(AttributeValueError, match="'gpu' is not a target(?s:.*)one of cpu, ref"):
        gc.compile([], gc.constant(np.ones(2)), target="gpu")


@pytest.mark.parametrize("name", ["cpu", "no name", 3])
def test_names_that_are_taken_or_none_are_not_registered(name: object) -> None:
    class Other(targets.Reference):
        pass

    Other.name = name  # type: ignore[assignment]
    with pytest.raises(ArgumentError):
        targets.register(Other())
    assert targets.names() == ("cpu", "reference", "cuda")

"""The pipeline: levels, settings, observers, golden results, and time that grows with size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from counting import calls_of
from golden_files import compare

import graphc as gc
from graphc import config
from graphc.core.interpret import run
from graphc.core.ir import OPS, Graph, Node
from graphc.errors import ArgumentError, InternalError
from graphc.ops.sampling import sample_arrays
from graphc.passes import pipeline
from graphc.passes.cse import cse
from graphc.passes.dce import dce
from graphc.passes.observers import close, sample_sizes
from graphc.passes.pipeline import LEVELS, Repeat, optimize
from graphc.text import parse, show


def _training_step() -> Graph:
    """Logistic regression with momentum: forward, backward and update."""
    n = gc.dim("n", min=1)
    x, t = gc.input("x", (n, 4)), gc.input("t", (n,))
    w = gc.parameter("w", np.zeros(4, np.float32))
    v = gc.parameter("v", np.zeros(4, np.float32))
    p = gc.sigmoid(gc.sum(x * w, axis=1))
    loss = gc.mean((p - t) ** 2)
    new_v = 0.9 * v + gc.grad(loss, w)
    return Graph.of("step", [x, t, w, v], [loss, w - 0.1 * new_v, new_v], [(1, 2), (2, 3)])


def test_a_training_step_at_o1_is_as_it_was_read() -> None:
    after, _ = optimize(_training_step(), "O1", observers=())
    compare("training_step_o1.py", show(after))


def test_every_level_keeps_the_values() -> None:
    graph = _training_step()
    sizes = sample_sizes(graph)
    arrays = sample_arrays(graph, sizes)
    wanted = run(graph, arrays)
    for level in LEVELS:
        for fast_math in (False, True):
            after, _ = optimize(graph, level, fast_math, observers=())
            for left, right in zip(run(after, arrays), wanted, strict=True):
                np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-7)


def test_the_history_begins_as_traced_and_ends_with_the_result() -> None:
    graph = _training_step()
    after, history = optimize(graph, "O1", observers=())
    assert history[0] == ("traced", graph) or history[0][1] is graph
    assert [name for name, _ in history][:5] == ["traced", "simplify", "fold", "cse", "dce"]
    assert history[-1][1] is after


def test_o0_is_the_graph_itself() -> None:
    graph = _training_step()
    after, history = optimize(graph, "O0", observers=())
    assert after is graph and len(history) == 1


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ArgumentError, match="'O4' is no level"):
        optimize(_training_step(), "O4")


def test_settled_graphs_do_not_change() -> None:
    after, _ = optimize(_training_step(), "O1", observers=())
    again, _ = optimize(after, "O1", observers=())
    assert again is after


def test_settings_leave_passes_out() -> None:
    with config.override(skip=["cse", "simplify"]):
        _, history = optimize(_training_step(), "O1", fast_math=True, observers=())
    assert {"cse", "simplify"}.isdisjoint(name for name, _ in history)


def test_inputs_and_updates_are_kept() -> None:
    graph = _training_step()
    for level in LEVELS:
        after, _ = optimize(graph, level, observers=())
        assert after.aliases == graph.aliases
        assert all(a is b for a, b in zip(after.inputs, graph.inputs, strict=True))


def test_passes_that_go_in_circles_are_named() -> None:
    def turn(graph: Graph) -> Graph:
        return Graph(graph.name, graph.inputs, graph.nodes, graph.outputs, graph.aliases)

    settled, _ = optimize(_training_step(), "O1", observers=())
    with pytest.raises(InternalError, match="turn, dce do not settle in 32 rounds: no rule fires"):
        pipeline.run(settled, (Repeat((turn, dce)),))


def _wrong(graph: Graph) -> Graph:
    """A pass that turns the first addition into a multiplication."""
    new = {}  # type: ignore[var-annotated]
    for node in graph.nodes:
        changed = node.with_inputs([new.get(i, i) for i in node.inputs])
        if node.op is OPS["add"] and not any(n.op is OPS["add"] for n in new):
            changed = OPS["multiply"](*changed.inputs)
        new[node] = changed
    outputs = tuple(new[o] for o in graph.outputs)
    return Graph(graph.name, graph.inputs, tuple(new.values()), outputs, graph.aliases)


def test_a_pass_that_changes_values_is_blamed_with_both_graphs() -> None:
    x = gc.input("x", (3,))
    graph = Graph.of("g", [x], [gc.exp(x + 1.0)])
    with config.override(check=["2"]), pytest.raises(InternalError) as caught:
        pipeline.run(graph, (cse, _wrong, dce), pipeline.from_settings())
    assert str(caught.value).startswith("the pass _wrong changed output 0 of g by up to ")
    notes = "\n".join(caught.value.__notes__)
    assert "before _wrong:\ndef g(x" in notes and "= multiply(" in notes


def test_a_pass_that_breaks_the_graph_is_blamed() -> None:
    def broken(graph: Graph) -> Graph:
        return Graph(graph.name, graph.inputs, graph.nodes[::-1], graph.outputs, graph.aliases)

    x = gc.input("x", (3,))
    graph = Graph.of("g", [x], [gc.exp(gc.exp(x))])
    with config.override(check=["1"]), pytest.raises(InternalError, match="after the pass broken"):
        pipeline.run(graph, (broken,), pipeline.from_settings())


def test_checks_by_value_accept_all_levels() -> None:
    with config.override(check=["1", "2"]):
        for level in LEVELS:
            optimize(_training_step(), level)


def test_dumps_are_numbered_and_read_back(tmp_path: Path) -> None:
    with config.override(dump=str(tmp_path), check=[]):
        after, _ = optimize(_training_step(), "O1")
        optimize(_training_step(), "O0")
    names = sorted(p.name for p in tmp_path.glob("*.py"))
    assert names[:3] == ["00-traced.py", "01-simplify.py", "02-fold.py"]
    assert (tmp_path / "00-traced.dot").read_text().startswith("digraph")
    assert show(parse((tmp_path / names[-1]).read_text())) == show(after)
    assert (tmp_path / "step-1" / "00-traced.py").exists()


def test_the_table_of_passes_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with config.override(debug=1, check=[]):
        optimize(_training_step(), "O1")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("graphc: step, ") and lines[0].endswith(" nodes")
    assert lines[1].startswith("graphc: simplify") and lines[1].endswith(" ms")


def test_results_are_compared_to_within_rounding() -> None:
    ones = np.ones(3, np.float32)
    assert close(ones, ones + np.float32(1e-6)) and not close(ones, ones + np.float32(1e-2))
    assert close(np.array([np.nan, np.inf]), np.array([np.nan, np.inf]))
    assert not close(np.array([np.inf]), np.array([-np.inf]))
    assert not close(np.array([1]), np.array([2])) and not close(ones, np.ones(2, np.float32))


def _large(count: int) -> Graph:
    """Chains, diamonds, reductions and products, with work for every pass."""
    x, w = gc.input("x", (64, 64)), gc.input("w", (64, 64))
    v: Node = x
    nodes, k = 0, 0
    while nodes < count:
        a = gc.exp(v * 0.5) + v
        b = gc.tanh(a) - 1.0
        v = gc.maximum(a * b, 0.0) * 1.0
        if k % 7 == 0:
            v = v @ w
        if k % 11 == 0:
            v = v - gc.sum(v, axis=1, keepdims=True)
        nodes, k = nodes + 12, k + 1
    return Graph.of("large", [x, w], [gc.sum(v)])


def test_the_whole_pipeline_takes_work_linear_in_the_nodes() -> None:
    graph, larger = _large(2_500), _large(10_000)
    assert len(larger.nodes) >= 10_000
    more = calls_of(lambda: optimize(larger, "O3", observers=()))
    assert more < 5 * calls_of(lambda: optimize(graph, "O3", observers=()))
    after, _ = optimize(graph, "O3", observers=())
    assert len(after.nodes) < len(graph.nodes)


@pytest.mark.parametrize("level", LEVELS)
def test_gathered_values_are_there_when_a_convolution_looks_through_a_reshape(level: str) -> None:
    x, w = gc.input("x", (2, 3, 6, 4)), gc.input("w", (5, 3, 3))
    index = gc.input("index", (2, 3, 6, 1), gc.int64)
    picked = gc.reshape(gc.take_along_axis(x, index, axis=3), (2, 3, 6))
    step = gc.compile([x, index, w], gc.conv(picked, w, padding=1), level=level)
    rng = np.random.default_rng(0)
    a, k = rng.standard_normal((2, 3, 6, 4)), rng.standard_normal((5, 3, 3))
    at = rng.integers(0, 4, (2, 3, 6, 1))
    rows = np.pad(np.take_along_axis(a, at, 3)[..., 0], ((0, 0), (0, 0), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(rows, 3, axis=2)
    wanted = np.einsum("ncik,ock->noi", windows, k)
    found = step(a.astype(np.float32), at, k.astype(np.float32))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)

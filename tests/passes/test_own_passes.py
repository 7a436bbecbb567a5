"""Passes of users: their places, options and contracts; graphs that were read or made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, AttributeValueError, ConfigError, PassError
from graphc.passes.own import REGISTERED
from graphc.passes.rewrite import Rule, ops, rewrite, var

X = np.array([[1.0, 4.0, 9.0]], np.float32)
PLACES = [
    ({}, "O2", ["dce", "mine", "rows"]),
    ({}, "O1", ["dce", "mine"]),
    ({}, "O0", ["traced", "mine"]),
    ({"after": "simplify"}, "O2", ["simplify", "mine", "fold"]),
    ({"before": "cse"}, "O2", ["fold", "mine", "cse"]),
    ({"after": "fuse"}, "O2", ["fuse", "mine", "schedule"]),
    ({"after": "fuse"}, "O1", ["dce", "mine"]),
    ({"replace": "fold"}, "O2", ["simplify", "mine", "cse"]),
]


def _same(graph: gc.Graph, **_: Any) -> gc.Graph:
    return graph


def _names(level: str, passes: Any) -> list[str]:
    x = gc.input("x", (1, 3))
    program = gc.compile([x], gc.sqrt(x) + 1.0, level=level, passes=passes)
    np.testing.assert_allclose(program(X), np.sqrt(X) + 1, rtol=1e-6)
    return [name for name, _ in program.history]


@pytest.mark.parametrize(("place", "level", "wanted"), PLACES)
def test_a_pass_stands_where_it_says(place: Any, level: str, wanted: list[str]) -> None:
    names = _names(level, [gc.graph_pass(_same, name="mine", **place)])
    at = names.index("mine")
    assert names[at - 1 : at - 1 + len(wanted)] == wanted


def test_passes_of_one_place_run_in_their_order() -> None:
    one, two = (gc.graph_pass(_same, name=n, after="fuse") for n in ("one", "two"))
    names = _names("O2", [one, two, gc.graph_pass(_same, name="three", before="schedule")])
    assert names[names.index("fuse") :][:5] == ["fuse", "one", "two", "three", "schedule"]
    names = _names("O2", [two, one])
    assert names.index("two") < names.index("one")


def test_at_level_0_the_passes_given_are_all_that_run() -> None:
    names = _names("O0", ["cse", _same, "fuse"])
    assert names[-3:] == ["cse", "_same", "fuse"] and "simplify" not in names


def test_a_pass_changes_the_program_and_takes_options() -> None:
    x, y = var("x"), var("y")
    rule = Rule("divide-by-root", x / ops.sqrt(y), lambda x, y: x * gc.rsqrt(y), exact=False)

    @gc.graph_pass(after="simplify")
    def fast_roots(graph: gc.Graph, *, is_on: bool = False) -> gc.Graph:
        return rewrite(graph, (rule,)) if is_on else graph

    a = gc.input("a", (1, 3))
    found = {}
    for given in (fast_roots, fast_roots.with_options(is_on=True)):
        program = gc.compile([a], 3.0 / gc.sqrt(a), passes=[given])
        np.testing.assert_allclose(program(X), 3 / np.sqrt(X), rtol=1e-6)
        found[given] = "rsqrt" in gc.text.show(program.history[-1][1])
    assert [*found.values()] == [False, True]
    assert REGISTERED.pop("fast_roots") is fast_roots
    with pytest.raises(ArgumentError, match=r"fast_roots.*speed"):
        fast_roots.with_options(speed=1)


def _step() -> tuple[Any, Any, Any, dict[Any, Any]]:
    w = gc.parameter("w", np.ones(4, np.float32))
    v = gc.parameter("v", np.full(4, 2, np.float32))
    z = gc.input("z", (4,))
    return z, w, v, {w: w + z, v: v * 2}


def _rebuilt(graph: gc.Graph, **changed: Any) -> gc.Graph:
    parts = {name: getattr(graph, name) for name in ("name", "inputs", "nodes", "outputs")}
    return gc.Graph(**{**parts, "aliases": graph.aliases, **changed})


def _swapped(graph: gc.Graph) -> gc.Graph:
    (a, i), (b, j) = graph.aliases
    return _rebuilt(graph, aliases=((a, j), (b, i)))


def _retyped(graph: gc.Graph) -> gc.Graph:
    first, *others = graph.outputs
    new = gc.cast(first, gc.float64)
    return gc.Graph.of(graph.name, graph.inputs, [new, *others], graph.aliases)


def _unsound(graph: gc.Graph) -> gc.Graph:
    return _rebuilt(graph, nodes=graph.nodes[:-1])


BROKEN: list[tuple[Callable[[gc.Graph], Any], str]] = [
    (lambda graph: None, "returned a NoneType, not a graph"),
    (lambda graph: graph.outputs, "returned a tuple, not a graph"),
    (_swapped, "changed the updates"),
    (lambda graph: _rebuilt(graph, aliases=graph.aliases[:1]), "changed the updates"),
    (lambda graph: _rebuilt(graph, outputs=graph.outputs[:1], aliases=()), "changed the outputs"),
    (lambda graph: _rebuilt(graph, inputs=graph.inputs[1:]), "changed the inputs"),
    (_retyped, "changed the outputs"),
    (_unsound, "is not sound"),
]


@pytest.mark.parametrize(("broken", "told"), BROKEN)
def test_a_pass_that_breaks_what_passes_keep_is_named(
    broken: Callable[[gc.Graph], Any], told: str
) -> None:
    z, w, _, updates = _step()
    with pytest.raises(PassError, match=f"pass mine.*{told}"):
        gc.compile([z], gc.sum(w * z), updates=updates,
                   passes=[gc.graph_pass(broken, name="mine")])  # fmt: skip
    assert w.value.tolist() == [1, 1, 1, 1]


SPECIAL = {
    "of 0 or inf": lambda x: (x / x, gc.ones_like(x)),
    "of inf": lambda x: (x * 0.0, gc.zeros_like(x)),
    "of negative": lambda x: (gc.sqrt(x * x), x),
    "of nan": lambda x: (gc.where(x > 0.0, x, gc.zeros_like(x)), gc.maximum(x, 0.0)),
    "of large": lambda x: ((x * 1e30) * 1e-30, x),
}


@pytest.mark.parametrize("values", SPECIAL)
def test_check_2_blames_a_pass_that_is_wrong_on_special_values(values: str) -> None:
    x = gc.input("x", (16,))
    written, wrong = SPECIAL[values](x)

    def replaced(graph: gc.Graph) -> gc.Graph:
        return gc.Graph.of(graph.name, graph.inputs, [wrong])

    with (
        gc.config.override(check="2"),
        pytest.raises(gc.errors.InternalError, match="pass mine changed output 0"),
    ):
        gc.compile([x], written, level="O0", passes=[
            gc.graph_pass(replaced, name="mine")])  # fmt: skip


@pytest.mark.parametrize("give", ["graph", "text", "nodes"])
def test_a_graph_with_updates_compiles(give: str) -> None:
    z, w, v, updates = _step()
    program = gc.compile([z], gc.sum(w * z), updates=updates)
    graph = program.graph
    values = np.arange(4, dtype=np.float32)
    if give == "nodes":
        parsed = gc.text.parse(gc.text.show(graph))
        taken = gc.compile(list(parsed.inputs), list(parsed.outputs))
        loss, new_w, new_v = taken(values, np.ones(4, np.float32), np.full(4, 2, np.float32))
        assert (loss, new_w.tolist(), new_v.tolist()) == (6, [1, 2, 3, 4], [4] * 4)
        return
    if give == "text":
        with pytest.warns(gc.errors.GraphcWarning, match="start as 0: w, v"):
            again = gc.compile(gc.text.parse(gc.text.show(graph)))
        again.load_state(program.state())
    else:
        again = gc.compile(graph)
    assert again(values)[0] == 6
    assert again.state()["w"].tolist() == [1, 2, 3, 4] and again.state()["v"].tolist() == [4] * 4


def test_a_constant_that_a_text_has_no_value_of_is_refused() -> None:
    x = gc.input("x", (2,))
    graph = gc.compile([x], x + gc.constant(np.ones(2, np.float32))).graph
    with pytest.raises(gc.errors.GraphError, match="constant 'constant' has no value"):
        gc.compile(gc.text.parse(gc.text.show(graph)))


def test_unknown_names_of_passes_are_errors_that_suggest() -> None:
    x = gc.input("x", (2,))
    with pytest.raises(AttributeValueError, match="did you mean 'fuse'"):
        gc.compile([x], x * 2.0, passes=["fusee"])
    with pytest.raises(AttributeValueError, match="did you mean 'schedule'"):
        gc.compile([x], x * 2.0, passes=[gc.graph_pass(_same, name="m", after="shedule")])
    with gc.config.override(skip="fusee"), pytest.raises(ConfigError, match="did you mean 'fuse'"):
        gc.compile([x], x * 2.0)
    with gc.config.override(skip="mine"):
        names = _names("O2", [gc.graph_pass(_same, name="mine")])
    assert "mine" not in names


def test_settings_that_are_not_there_are_errors_that_suggest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value, told in (
        ("GRAPHC_DEBUGG", "1", "did you mean 'GRAPHC_DEBUG'"),
        ("GRAPHC_THREADS", "0", "not a whole number of 1 or more"),
    ):
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            with pytest.raises(ConfigError, match=told):
                gc.config.from_environment()


@pytest.mark.parametrize("given", ["fuse", 3, [3], [object()]])
def test_what_is_no_list_of_passes_is_refused(given: Any) -> None:
    x = gc.input("x", (2,))
    with pytest.raises(ArgumentError, match="passes"):
        gc.compile([x], x * 2.0, passes=given)

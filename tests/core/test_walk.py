"""Walks over graphs, compared with networkx on random ones, and on chains that are long."""

from __future__ import annotations

import random
import sys

import networkx
import numpy as np
import pytest

import graphc as gc
from graphc.core import walk
from graphc.core.ir import Graph, Node, caller

SEEDS = range(8)


def _graph(seed: int, size: int = 60) -> Graph:
    """A random graph of which some nodes are dead."""
    rng = random.Random(seed)
    inputs = [gc.input(f"x{k}", (3,)) for k in range(3)]
    nodes: list[Node] = list(inputs)
    for _ in range(size):
        x, y = rng.choice(nodes), rng.choice(nodes[-10:])
        nodes.append(gc.exp(y) if rng.random() < 0.3 else rng.choice([gc.add, gc.multiply])(x, y))
    outputs = tuple(rng.sample(nodes[-12:], 3))
    return Graph("random", tuple(inputs), tuple(nodes), outputs)


def _names(nodes: set[Node]) -> set[int]:
    return set(map(id, nodes))


@pytest.mark.parametrize("seed", SEEDS)
def test_an_order_has_what_roots_need_and_no_operand_after_its_user(seed: int) -> None:
    graph = _graph(seed)
    arrows = graph.to_networkx()
    expected = set(graph.outputs).union(*(networkx.ancestors(arrows, o) for o in graph.outputs))
    order = list(walk.toposort(graph.outputs))
    assert len(order) == len(expected) and _names(set(order)) == _names(expected)
    place = {node: k for k, node in enumerate(order)}
    assert all(place[i] < place[node] for node in order for i in node.inputs)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_order_is_that_of_a_depth_first_search_from_the_first_root(seed: int) -> None:
    graph = _graph(seed)
    # Backwards, with operands from left to right: networkx keeps the order in which arrows came.
    arrows = networkx.DiGraph()
    arrows.add_nodes_from(graph.nodes)
    arrows.add_edges_from((node, i) for node in graph.nodes for i in node.inputs)
    expected = dict.fromkeys(
        n for o in graph.outputs for n in networkx.dfs_postorder_nodes(arrows, o)
    )
    assert list(map(id, walk.toposort(graph.outputs))) == list(map(id, expected))


@pytest.mark.parametrize("seed", SEEDS)
def test_dependents_are_descendants_and_the_needed_are_ancestors(seed: int) -> None:
    graph = _graph(seed)
    arrows = graph.to_networkx()
    source = random.Random(seed).choice(graph.nodes)
    below = networkx.descendants(arrows, source) | {source}
    assert _names(walk.dependents(graph.nodes, [source])) == _names(below)
    above = networkx.ancestors(arrows, source) | {source}
    assert _names(walk.needed(graph.nodes, [source])) == _names(above)
    assert _names(set(walk.reach([source], lambda n: n.inputs))) == _names(above)
    assert _names(set(walk.reach([source], graph.users().__getitem__))) == _names(below)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_order_stops_at_nodes_that_it_still_has(seed: int) -> None:
    graph = _graph(seed)
    stops = set(random.Random(seed).sample(graph.nodes, 10))
    open_ends = graph.to_networkx()
    open_ends.remove_edges_from([(i, node) for node in stops for i in node.inputs] * 2)
    expected = set(graph.outputs).union(*(networkx.ancestors(open_ends, o) for o in graph.outputs))
    order = walk.toposort(graph.outputs, stop=stops.__contains__)
    assert _names(set(order)) == _names(expected)


def test_an_order_that_is_extended_is_not_looked_at_again() -> None:
    x = gc.input("x", (3,))
    y = gc.exp(x)
    order = {y: None}
    assert list(map(id, walk.toposort([y + y, y], order))) == [id(y), id(list(order)[1])]
    assert len(order) == 2


@pytest.mark.parametrize("seed", SEEDS)
def test_substituted_nodes_compute_what_the_function_does_on_others(seed: int) -> None:
    graph = _graph(seed)
    others = [gc.input(f"y{k}", (3,)) for k in range(3)]
    results = walk.substitute(graph.outputs, dict(zip(graph.inputs, others)))
    arrays = [np.linspace(-1, 0.5, 3, dtype=np.float32) * k for k in range(3)]
    with np.errstate(all="ignore"):
        expected = gc.interpret(Graph.of("before", graph.inputs, graph.outputs), *arrays)
        found = gc.interpret(Graph.of("after", others, results), *arrays)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not set(walk.toposort(results)) & set(graph.inputs)


def test_substitution_keeps_what_depends_on_nothing_replaced() -> None:
    x, y = gc.input("x", (3,)), gc.input("y", (3,))
    kept = gc.exp(x)
    new = {y: gc.negative(x)}
    (found,) = walk.substitute([kept + y], new)
    assert found.inputs[0] is kept
    assert found.inputs[1] is new[y]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_graph_made_again_of_its_own_nodes_is_the_same(seed: int) -> None:
    graph = _graph(seed)
    again = walk.rebuild(graph, lambda node: node)
    assert list(map(id, again.nodes)) == list(map(id, graph.nodes))
    assert again.name == graph.name and again.aliases == graph.aliases


def test_new_operands_stand_just_before_the_node_that_brings_them() -> None:
    x = gc.input("x", (3,))
    first, second = gc.exp(x), gc.negative(x)
    graph = Graph("g", (x,), (x, first, second), (first, second))

    def visit(node: Node) -> Node:
        return gc.log(gc.abs(node)) if node is second else node

    names = [node.op.name for node in walk.rebuild(graph, visit).nodes]
    assert names == ["input", "exp", "negative", "absolute", "log"]


def test_a_node_for_which_nothing_stands_is_left_out() -> None:
    x = gc.input("x", (3,))
    dropped = gc.exp(x)
    kept = gc.negative(dropped)
    graph = Graph("g", (x,), (x, dropped, kept), (kept,))

    def make(node: Node, new: dict[Node, Node]) -> Node | None:
        return None if node is dropped else gc.log(new[x])

    assert [node.op.name for node in walk.remake(graph, make).nodes] == ["input", "log"]


def test_what_a_visit_builds_has_the_line_of_the_node_it_is_for() -> None:
    x = gc.input("x", (3,))
    y = gc.exp(x)
    graph = Graph.of("g", (x,), (y,))
    again = walk.rebuild(graph, lambda node: gc.log(x))
    assert again.outputs[0].origin == y.origin
    assert caller().line != y.origin.line  # type: ignore[union-attr]


def test_an_error_in_a_visit_leaves_later_nodes_their_own_lines() -> None:
    x = gc.input("x", (3,))
    graph = Graph.of("g", (x,), (gc.exp(x),))
    with pytest.raises(ZeroDivisionError):
        walk.rebuild(graph, lambda node: 1 // 0)  # type: ignore[arg-type, return-value]
    here = caller()
    assert gc.exp(x).origin.line == here.line + 1  # type: ignore[union-attr]


def test_a_hundred_thousand_nodes_in_a_row_need_no_recursion() -> None:
    x, y = gc.input("x", (3,)), gc.input("y", (3,))
    chain = x
    for _ in range(100_000):
        chain = gc.negative(chain)
    assert sys.getrecursionlimit() < 100_000
    order = walk.toposort([chain])
    assert len(order) == 100_001
    (again,) = walk.substitute([chain], {x: y})
    assert sum(1 for _ in walk.reach([again], lambda node: node.inputs)) == 100_001
    graph = Graph.of("long", [x], [chain])
    assert len(walk.rebuild(graph, lambda node: node).nodes) == 100_001


def test_each_node_is_visited_once_however_often_it_is_used() -> None:
    x = gc.input("x", (3,))
    wide = x
    for _ in range(40):  # 2**40 paths
        wide = wide + wide
    asked: list[Node] = []

    def stop(node: Node) -> bool:
        asked.append(node)
        return False

    walk.toposort([wide, wide], stop=stop)
    assert len(asked) == 41

"""In-place pairs: never a wrong value in a simulated memory, and there where they should be."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest
from simulated import execute, fuse_runs, random_graph

import graphc as gc
from graphc.core.interpret import run
from graphc.core.ir import OPS, Graph, Node
from graphc.ops.control import FUSED, ITEM
from graphc.ops.source import INPUT_OP, input, parameter
from graphc.passes.memory.inplace import inplace
from graphc.verify import verify


def _fused(operands: list[Node], build: object, **attrs: object) -> Node:
    inner = [INPUT_OP(name=f"p{k}", type=n.type) for k, n in enumerate(operands)]
    results = build(*inner)  # type: ignore[operator]
    results = results if isinstance(results, tuple) else (results,)
    return FUSED(*operands, body=Graph.of("body", inner, results), **attrs)


def _pairs(graph: Graph) -> list[tuple[tuple[int, int], ...]]:
    return [dict(n.attrs).get("inplace", ()) for n in inplace(graph).nodes if n.op is FUSED]


@pytest.mark.parametrize("seed", range(200))
def test_random_graphs_compute_the_same_in_shared_memory(seed: int) -> None:
    rng = random.Random(seed)
    plain = random_graph(rng, 40 if seed % 2 else 12)
    graph = verify(inplace(fuse_runs(plain, rng)))
    values = np.random.default_rng(seed)
    arrays = [values.standard_normal(n.type.shape) for n in plain.inputs]  # type: ignore[union-attr]
    before = [a.copy() for a in arrays]
    wanted = run(plain, arrays)
    shown, memory = execute(graph, arrays, rng)
    aliased = dict(plain.aliases)
    for left, right in zip(shown, [w for k, w in enumerate(wanted) if k not in aliased]):
        np.testing.assert_array_equal(left, right)
    after = {place: wanted[k] for k, place in plain.aliases}
    for place, array in enumerate(memory):
        np.testing.assert_array_equal(array, after.get(place, before[place]))


def test_a_dead_operand_is_written_over() -> None:
    x = input("x", (4,), "float64")
    first = _fused([x], lambda p: OPS["exp"](p))
    second = _fused([first], lambda p: OPS["negative"](p))
    third = _fused([second], lambda p: OPS["exp"](p))
    assert _pairs(Graph.of("g", [x], [third])) == [(), ((0, 0),), ((0, 0),)]


def test_inputs_and_values_that_are_read_later_are_kept() -> None:
    x = input("x", (4,), "float64")
    first = _fused([x], lambda p: OPS["exp"](p))
    second = _fused([first], lambda p: OPS["negative"](p))
    third = _fused([first, second], lambda p, q: OPS["multiply"](p, q))
    assert _pairs(Graph.of("g", [x], [third])) == [(), (), ((0, 0),)]


def test_results_of_the_program_are_kept() -> None:
    x = input("x", (4,), "float64")
    first = _fused([x], lambda p: OPS["exp"](p))
    second = _fused([first], lambda p: OPS["negative"](p))
    assert _pairs(Graph.of("g", [x], [first, second])) == [(), ()]


def test_an_operand_read_at_other_places_is_kept() -> None:
    x = input("x", (4,), "float64")
    flip = {"starts": (3,), "sizes": (4,), "steps": (-1,)}
    first = _fused([x], lambda p: OPS["exp"](p))
    second = _fused([first], lambda p: OPS["slice"](p, **flip))
    assert _pairs(Graph.of("g", [x], [second])) == [(), ()]


def test_an_operand_that_results_read_along_different_axes_is_kept() -> None:
    x, c = input("x", (4, 4), "float64"), input("c", (4,), "float64")
    first = _fused([x], lambda p: OPS["exp"](p))

    def scaled(p: Node, q: Node) -> tuple[Node, ...]:
        each = (OPS["broadcast"](q, shape=(4, 4), axes=(axis,)) for axis in (1, 0))
        return tuple(OPS["multiply"](p, factors) for factors in each)

    second = _fused([first, c], scaled)
    rows, columns = (ITEM(second, index=k) for k in range(2))
    assert _pairs(Graph.of("g", [x, c], [rows, columns])) == [(), ()]


def test_memory_that_a_later_kernel_reads_through_movement_is_kept() -> None:
    x = input("x", (3, 3), "float64")
    first = _fused([x], lambda p: OPS["exp"](p))
    turned = OPS["transpose"](first, axes=(1, 0))
    second = _fused([first], lambda p: OPS["negative"](p))
    third = OPS["matmul"](turned, second)
    graph = Graph("g", (x,), (x, first, turned, second, third), (third,))
    assert _pairs(graph) == [(), ()]


def test_an_operand_also_read_through_movement_is_kept() -> None:
    x, w = input("x", (3, 3), "float64"), parameter("w", np.zeros((3, 3)))
    turned = OPS["transpose"](w, axes=(1, 0))
    update = _fused([w, turned], lambda p, q: OPS["add"](p, q))
    assert _pairs(Graph.of("g", [x, w], [update], [(0, 1)])) == [()]


def test_an_operand_of_another_type_is_kept() -> None:
    x = input("x", (4,), "float64")
    first = _fused([x], lambda p: OPS["exp"](p))
    second = _fused([first], lambda p: OPS["broadcast"](p, axes=(0,), shape=(2, 4)))
    assert _pairs(Graph.of("g", [x], [second])) == [(), ()]


def test_updates_write_into_their_parameters() -> None:
    x = input("x", (4,), "float64")
    w, m = parameter("w", np.zeros(4)), parameter("m", np.zeros(4))

    def momentum(p: Node, q: Node, g: Node) -> tuple[Node, ...]:
        new = OPS["add"](q, g)
        return OPS["add"](p, OPS["negative"](new)), new

    step = _fused([w, m, x], momentum)
    new_w, new_m = (ITEM(step, index=k) for k in (0, 1))
    graph = Graph.of("g", [x, w, m], [new_w, new_m], [(0, 1), (1, 2)])
    assert _pairs(graph) == [((0, 0), (1, 1))]


def test_an_update_comes_after_the_other_readers_of_its_parameter() -> None:
    x, w = input("x", (4,), "float64"), parameter("w", np.zeros(4))
    update = _fused([w, x], lambda p, q: OPS["add"](p, q))
    reader = _fused([w, x], lambda p, q: OPS["multiply"](p, q))
    graph = Graph("g", (x, w), (x, w, update, reader), (update, reader), ((0, 1),))
    final = inplace(graph)
    assert final.nodes[-1].attr("inplace") == ((0, 0),)
    assert final.outputs[0] is final.nodes[-1]


def test_a_swap_of_parameters_is_left_to_copies() -> None:
    v, w = parameter("v", np.zeros(4)), parameter("w", np.zeros(4))
    new_v = _fused([v, w], lambda p, q: OPS["add"](p, q))
    new_w = _fused([v, w], lambda p, q: OPS["multiply"](p, q))
    graph = Graph.of("g", [v, w], [new_v, new_w], [(0, 0), (1, 1)])
    assert sorted(_pairs(graph)) == [(), ((0, 1),)]


def test_an_update_that_is_also_a_result_is_left_to_a_copy() -> None:
    x, w = input("x", (4,), "float64"), parameter("w", np.zeros(4))
    update = _fused([w, x], lambda p, q: OPS["add"](p, q))
    assert _pairs(Graph.of("g", [x, w], [update, update], [(0, 1)])) == [()]


def test_a_lone_elementwise_node_over_a_dead_operand_becomes_a_fused_node() -> None:
    x = input("x", (4,), "float64")
    first = OPS["exp"](x)
    graph = inplace(Graph.of("g", [x], [OPS["multiply"](first, first)]))
    assert [n.op.name for n in graph.nodes] == ["input", "exp", "fused"]
    assert graph.nodes[-1].attr("inplace") == ((0, 0),)


def test_pairs_are_chosen_anew_and_a_second_run_changes_nothing() -> None:
    x = input("x", (4,), "float64")
    first = _fused([x], lambda p: OPS["exp"](p))
    second = _fused([first], lambda p: OPS["negative"](p), inplace=((0, 0),))
    graph = inplace(Graph.of("g", [x], [second, first]))
    assert _pairs(graph) == [(), ()]
    assert inplace(graph) is graph


def test_updates_in_two_steps_that_wait_for_each_other() -> None:
    """Each parameter anew from two, in two steps that could both lie over a parameter."""
    given = [np.array(row) for row in ([-4, -6, -7, 2], [1, -5, -3, -6], [8, 1, -4, 8])]
    at, more = np.array([0, 1]), np.array([3, 5])

    def spread(x: Any) -> Any:
        if isinstance(x, Node):
            return gc.index_add(x, gc.constant(at), gc.constant(more), axis=0)
        return np.concatenate([x[:2] + more, x[2:]])

    forms = (
        lambda own, other: spread(own) - other,
        lambda own, other: other - spread(own),
        lambda own, other: spread(other) - own,
        lambda own, other: other * 2,
    )
    ways = list(itertools.product(itertools.product(forms, (1, 2)), repeat=3))
    for case in ways[::11]:
        held = [parameter(f"p{k}", value) for k, value in enumerate(given)]
        new = [form(held[k], held[(k + turn) % 3]) for k, (form, turn) in enumerate(case)]
        gc.compile([], None, updates=dict(zip(held, new, strict=True)), threads=1)()
        for k, (form, turn) in enumerate(case):
            np.testing.assert_array_equal(held[k].value, form(given[k], given[(k + turn) % 3]))

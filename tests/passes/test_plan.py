"""The memory plan: live buffers never overlap, dead ones are used again, sizes may be symbolic."""

from __future__ import annotations

import itertools
import random

import networkx
import pytest

from graphc.core.dims import dim
from graphc.core.ir import OPS, Graph
from graphc.ops.source import input
from graphc.passes.memory import plan as module
from graphc.passes.memory.plan import ALIGNMENT, Buffer, MemoryPlan, plan, readable

X = input("x", (4,))


def _buffers(count: int, seed: int) -> list[Buffer]:
    rng = random.Random(seed)
    found = []
    for k in range(count):
        first = rng.randint(0, count)
        size = rng.choice([0, 1, 64, 65, 1000, 4096, rng.randint(1, 1 << 20)])
        found.append(Buffer(k, size, first, first + rng.randint(0, 9), X))
    return found


def _check(buffers: list[Buffer], offsets: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    for i, a in enumerate(buffers):
        assert offsets[i] % ALIGNMENT == 0
        for j in range(i):
            b = buffers[j]
            together = a.first <= b.last and b.first <= a.last
            apart = offsets[i] + sizes[i] <= offsets[j] or offsets[j] + sizes[j] <= offsets[i]
            assert apart or not together or not sizes[i] or not sizes[j]


@pytest.mark.parametrize("seed", range(40))
def test_live_buffers_never_overlap(seed: int) -> None:
    buffers = _buffers(1 + seed * 3, seed)
    found = MemoryPlan(tuple(buffers)).place({})
    _check(buffers, found.offsets, found.sizes)
    assert found.total >= max(o + s for o, s in zip(found.offsets, found.sizes))


@pytest.mark.parametrize("method", [module._by_size, module._by_time])
@pytest.mark.parametrize("seed", range(20))
def test_each_placement_alone_is_sound(method: object, seed: int) -> None:
    buffers = _buffers(80, seed)
    sizes = tuple(b.nbytes for b in buffers)
    _check(buffers, tuple(method(buffers, sizes)), sizes)  # type: ignore[arg-type, operator]


@pytest.mark.parametrize("seed", range(20))
def test_the_arena_is_near_the_largest_sum_of_live_buffers(seed: int) -> None:
    buffers = _buffers(100, seed)
    total = MemoryPlan(tuple(buffers)).place({}).total
    padded = {b.key: -(-b.nbytes // 64) * 64 for b in buffers}  # type: ignore[operator]
    peak = max(sum(padded[b.key] for b in buffers if b.first <= t <= b.last) for t in range(120))
    assert peak <= total <= 1.3 * peak


def test_a_chain_needs_two_buffers() -> None:
    node = x = input("x", (1024,))
    for _ in range(10):
        node = OPS["exp"](node)
    found = plan(Graph.of("chain", [x], [OPS["negative"](node)]))
    assert len(found.buffers) == 10
    assert found.place({}).total == 2 * 4096
    assert found.unshared({}) == 10 * 4096


def test_sizes_are_bound_late() -> None:
    n = dim("n")
    x = input("x", (n, 8))
    node = OPS["exp"](OPS["exp"](OPS["exp"](x)))
    found = plan(Graph.of("g", [x], [node]))
    assert [found.place({"n": k}).total for k in (0, 1, 100)] == [0, 128, 6400]


def test_workspaces_live_while_their_node_runs() -> None:
    x = input("x", (1024,))
    first = OPS["exp"](x)
    second = OPS["exp"](first)
    graph = Graph.of("g", [x], [OPS["exp"](second)])
    scratch = {first: [("scratch", lambda sizes: 4096)], second: [("scratch", 64)]}
    found = plan(graph, scratch)  # type: ignore[arg-type]
    placed = found.place({})
    _check(list(found.buffers), placed.offsets, placed.sizes)
    assert placed.total == 2 * 4096 + 64
    assert found.position[(second, "scratch")] == 3


def test_only_needed_values_take_memory() -> None:
    x = input("x", (1024,))
    first = OPS["exp"](x)
    graph = Graph.of("g", [x], [OPS["exp"](OPS["exp"](first))])
    assert [b.key for b in plan(graph, needed=[(first, 0)]).buffers] == [(first, 0)]


def test_the_report_names_the_largest_buffers() -> None:
    x = input("x", (1024,))
    graph = Graph.of("g", [x], [OPS["negative"](OPS["exp"](x))])
    assert plan(graph).report({})[0] == "arena 4.0 kB for 1 buffers of 4.0 kB altogether"
    assert plan(graph).report({})[1].startswith("4.0 kB for exp, steps 1 to 2, made at test_plan")


def test_bytes_are_readable() -> None:
    assert [readable(n) for n in (0, 1023, 1536, 3 << 30)] == ["0 B", "1023 B", "1.5 kB", "3.0 GB"]


@pytest.mark.parametrize("seed", range(20))
def test_what_interferes_lies_apart_and_no_clique_is_larger_than_the_arena(seed: int) -> None:
    buffers = [b for b in _buffers(30, seed) if b.nbytes]
    placed = MemoryPlan(tuple(buffers)).place({})
    interference = networkx.Graph()
    for k, buffer in enumerate(buffers):
        interference.add_node(k, nbytes=-(-buffer.nbytes // ALIGNMENT) * ALIGNMENT)  # type: ignore[operator]
    steps = range(max(b.last for b in buffers) + 1)
    for step in steps:
        live = [k for k, b in enumerate(buffers) if b.first <= step <= b.last]
        interference.add_edges_from(itertools.combinations(live, 2))
    for i, j in interference.edges:
        first, second = sorted((i, j), key=placed.offsets.__getitem__)
        assert placed.offsets[first] + placed.sizes[first] <= placed.offsets[second]
    _, least = networkx.max_weight_clique(interference, weight="nbytes")
    assert least <= placed.total
    apart = networkx.complement(interference)
    shared = sum(
        placed.offsets[i] < placed.offsets[j] + placed.sizes[j]
        and placed.offsets[j] < placed.offsets[i] + placed.sizes[i]
        for i, j in apart.edges
    )
    assert shared or placed.total == sum(d for _, d in interference.nodes(data="nbytes"))

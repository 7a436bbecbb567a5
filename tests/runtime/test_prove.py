"""Proofs for all sizes: right kernels are proven, and what running them refutes never is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from mutating import mutants

import graphc as gc
from graphc.core import dims
from graphc.core.atoms import Symbol
from graphc.core.ir import Graph, Node
from graphc.errors import InternalError
from graphc.passes.fusion.fuse import fuse
from graphc.runtime.base import homes
from graphc.runtime.base.step import Step
from graphc.runtime.checks.coverage import check_elements
from graphc.runtime.checks.inequality import Known, never_negative
from graphc.runtime.checks.reach import Unproved
from graphc.runtime.checks.verify_steps import unproved_steps
from graphc.runtime.checks.walk import Given, Walk
from graphc.runtime.lower import lower

Outputs = tuple[list[Node], list[Node]]


def _softmax() -> Outputs:
    x = gc.input("x", (gc.dim("n"), 5))
    return [x], [gc.softmax(x, 1)]


def _columns() -> Outputs:
    x = gc.input("x", (gc.dim("n"), 3))
    return [x], [gc.exp(x), gc.sum(x * x, 0)]


def _pieces() -> Outputs:
    n, m = gc.dim("n"), gc.dim("m")
    x, y = gc.input("x", (n, 4)), gc.input("y", (n, m))
    joined: Node = gc.concat([y, x], 1)
    return [x, y], [joined, gc.transpose(y, (1, 0)) + 1]


def _padded() -> Outputs:
    x = gc.input("x", (gc.dim("n"), gc.dim("m")))
    return [x], [gc.pad(x, ((1, 0), (0, 2)))]


def _cut() -> Outputs:
    x = gc.input("x", (gc.dim("n"), gc.dim("m")))
    return [x], [x[1:] * 2, gc.flip(x, 1)]


def _total() -> Outputs:
    x = gc.input("x", (gc.dim("n"), gc.dim("m")))
    return [x], [gc.sum(gc.exp(x))]


def _greatest() -> Outputs:
    """Chunks' partial results are halved until one is left."""
    x = gc.input("x", (gc.dim("n"), 3))
    return [x], [gc.max(x, 0)]


def _taken() -> Outputs:
    x, i = gc.input("x", (gc.dim("n"), gc.dim("m"))), gc.input("i", (gc.dim("k"),), gc.int64)
    return [x, i], [gc.take(x, i, 0)]


def _in_place() -> Outputs:
    x = gc.input("x", (gc.dim("n"), 6))
    return [x], [gc.exp(gc.cumsum(x, 1)) * 2]


def _several() -> Outputs:
    n, m = gc.dim("n"), gc.dim("m")
    x, y = gc.input("x", (n, 3)), gc.input("y", (m,))
    return [x, y], [gc.sum(x, 1), gc.exp(y)]


def _turned() -> Outputs:
    x = gc.input("x", (gc.dim("n"), 3, gc.dim("m")))
    return [x], [gc.reshape(gc.transpose(x, (2, 0, 1)), (gc.dim("m"), gc.dim("n") * 3))]


def _scanned() -> Outputs:
    """Each turn stores three elements of a row."""
    x, h = gc.input("x", (gc.dim("n"), 3)), gc.input("h", (3,))
    last, ys = gc.scan(lambda c, v: (c * v, gc.flip(c, 0)), h, x, reverse=True)
    return [x, h], [last, ys]


PROGRAMS = [
    _softmax, _columns, _pieces, _padded, _cut, _total, _greatest, _taken, _in_place, _several,
    _turned, _scanned,
]  # fmt: skip


def _lowered(program: Callable[[], Outputs]) -> tuple[Graph, list[Step]]:
    inputs, outputs = program()
    graph = fuse(Graph.of("g", inputs, outputs))
    return graph, lower(graph)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__.strip("_"))
def test_generated_kernels_are_proven_for_all_sizes(program: Callable[[], Outputs]) -> None:
    graph, steps = _lowered(program)
    assert not unproved_steps(graph, homes.settle(graph, steps))


def _runs(graph: Graph, steps: Sequence[Step], every: Sequence[dict[str, int]]) -> bool:
    """Whether steps do what they should on shadow memory, at all of some sizes."""
    for sizes in every:
        try:
            if check_elements(graph, homes.settle(graph, steps), sizes, limit=100_000):
                return False  # Python refuses what the kernel does
        except InternalError:
            return False
    return True


SIZES = [{"n": 3, "m": 4, "k": 2}, {"n": 1, "m": 1, "k": 1}, {"n": 2, "m": 7, "k": 3}]


def scores(program: Callable[[], Outputs], every: int) -> tuple[int, int, list[str]]:
    """Mutants that proof and run refuse, that they let be, and that are proven and refuted."""
    graph, steps = _lowered(program)
    refused, harmless, wrong, number = 0, 0, [], 0
    for place, step in enumerate(steps):
        for what, mutant in mutants(step):
            number += 1
            if number % every:
                continue
            changed = [*steps[:place], mutant, *steps[place + 1 :]]
            is_proven = not unproved_steps(graph, homes.settle(graph, changed))
            if _runs(graph, changed, SIZES):
                harmless += 1
            elif is_proven:
                wrong.append(what)
            else:
                refused += 1
    return refused, harmless, wrong


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__.strip("_"))
def test_no_kernel_that_a_run_refutes_is_proven(program: Callable[[], Outputs]) -> None:
    refused, _, wrong = scores(program, every=7)
    assert not wrong
    assert refused > 0


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__.strip("_"))
def test_no_mutant_that_a_run_refutes_is_proven(program: Callable[[], Outputs]) -> None:
    refused, _, wrong = scores(program, every=1)
    assert not wrong
    assert refused > 10


def test_inequalities() -> None:
    n, m = gc.dim("n"), gc.dim("m")
    i, j = (dims.symbol(Symbol(f"@{k}")) for k in (1, 2))
    si, sj = Symbol("@1"), Symbol("@2")
    known = Known().bounded(si, [0], [n - 1]).bounded(sj, [0], [m - 1])
    assert never_negative(n * m - 1 - (i * m + j), known)
    assert not never_negative(n * m - 2 - (i * m + j), known)
    assert not never_negative(n * m - 1 - (i * n + j), known)
    assert never_negative(dims.maximum(n - 1, 0) - n + 1, Known())
    assert not never_negative(dims.minimum(n - 1, m), Known())
    assert never_negative(n - 4 * (n // 4), Known())
    assert not never_negative(n - 4 * (n // 4) - 1, Known())
    assert never_negative(j - 2, known.given([j - i, i - 2]))


LOOPS = {
    "left = half": True,
    "left = bigger": False,
    "left = less": False,
    "left = left": True,
    "left = unknown": False,
}


@pytest.mark.parametrize("last", LOOPS)
def test_what_a_loop_assumes_of_its_variable_is_shown_of_every_turn(last: str) -> None:
    source = f"""def f(args, lo, hi):
    w = buffer(args, 0, f32)
    n = args[1]
    left = n
    while left > 1:
        half = quotient(left + 1, 2)
        bigger = left + 1
        less = 0 - left
        unknown = i64(w[0])
        w[left - 1] = w[0]
        {last}
"""
    n = gc.dim("n", min=1)
    walk = Walk(1, [Given(0, 4 * n, False), n])
    if LOOPS[last]:
        walk.whole(source)
        return
    with pytest.raises(Unproved, match="left never grows in its loop"):
        walk.whole(source)


def test_a_proof_says_what_it_could_not_show() -> None:
    from graphc.runtime.checks.prove import prove

    x, w = gc.input("x", (gc.dim("n"), 4)), gc.input("w", (4, 4))
    (step,) = lower(Graph.of("g", [x, w], [x @ w]))[:1]
    with pytest.raises(Unproved, match="a range that calls compute"):
        prove(step)

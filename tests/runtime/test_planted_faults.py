"""The verifier of lowered programs finds faults that were once made, and stores left out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mutating import mutants

import graphc as gc
from graphc.core.ir import OPS, Graph, Node
from graphc.errors import InternalError
from graphc.ops.control import FUSED, ITEM
from graphc.ops.source import INPUT_OP
from graphc.passes.fusion.fuse import fuse
from graphc.runtime.base import homes
from graphc.runtime.checks.verify_steps import unproved_steps, verify_lowering
from graphc.runtime.fused.emit import Emitter
from graphc.runtime.lower import lower


@pytest.mark.parametrize("size", [5, 40])
def test_elements_kept_for_a_row_that_are_read_in_front_of_it(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = gc.input("x", (size, size), gc.float32)
    columns = gc.sum(x * gc.mean(x, axis=-1, keepdims=True), axis=0)
    loss = gc.sum(x) + gc.mean(gc.absolute(gc.softmax(columns, axis=-1)))
    graph = fuse(Graph.of("g", [x], gc.grad(loss, [x])))
    assert verify_lowering(graph, lower(graph)) == []
    monkeypatch.setattr(Emitter, "_precedes", lambda self, stored: True)
    with pytest.raises(InternalError, match="of local memory before anything writes it"):
        verify_lowering(graph, lower(graph))


@pytest.mark.parametrize("beside", [1, 100_000])
def test_a_result_over_an_operand_that_another_reads_along_other_axes(beside: int) -> None:
    x, c, large = gc.input("x", (4, 4)), gc.input("c", (4,)), gc.input("large", (beside,))

    def fused(operands: list[Node], results: Callable[..., list[Node]], **attrs: object) -> Node:
        inner = [INPUT_OP(name=f"p{k}", type=n.type) for k, n in enumerate(operands)]
        return FUSED(*operands, body=Graph.of("body", inner, results(*inner)), **attrs)

    def scaled(p: Node, q: Node) -> list[Node]:
        each = [OPS["broadcast"](q, shape=(4, 4), axes=(axis,)) for axis in (1, 0)]
        return [OPS["multiply"](p, factors) for factors in each]

    first = fused([x], lambda p: [OPS["exp"](p)])
    for pairs, is_right in (((), True), (((0, 0),), False)):
        second = fused([first, c], scaled, inplace=pairs)
        graph = Graph.of(
            "g", [x, c, large], [*(ITEM(second, index=k) for k in (0, 1)), gc.exp(large)]
        )
        if is_right:
            assert verify_lowering(graph, lower(graph)) == []
            continue
        with pytest.raises(InternalError, match="after it has overwritten it"):
            verify_lowering(graph, lower(graph))


Outputs = tuple[list[Node], list[Node]]


def _padded() -> Outputs:
    x = gc.input("x", (30, 40))
    return [x], [gc.exp(gc.pad(x[::-1, 2:], ((1, 2), (0, 3)), mode="reflect")) * 2]


def _sorted() -> Outputs:
    x = gc.input("x", (20, 40))
    return [x], [gc.argsort(x, 1)]


PROGRAMS = [_padded, _sorted]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__.strip("_"))
def test_a_store_that_is_left_out_of_a_kernel_that_is_not_proven(
    program: Callable[[], Outputs],
) -> None:
    inputs, outputs = program()
    graph = fuse(Graph.of("g", inputs, outputs))
    steps = lower(graph)
    assert verify_lowering(graph, steps) == []
    open_nodes = {step.node for step, _ in unproved_steps(graph, homes.settle(graph, steps))}
    refused, passed = 0, []
    for place, step in enumerate(steps):
        changes = mutants(step) if step.node in open_nodes else ()
        for what, mutant in changes:
            if not what.endswith("a store is dropped"):
                continue
            try:
                if not verify_lowering(graph, [*steps[:place], mutant, *steps[place + 1 :]]):
                    passed.append(what)
            except InternalError:
                refused += 1
    assert not passed
    assert refused

"""Several traced paths of one function as one program: their results chosen by `cond`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.core.ir import Graph, Kind, Node, at_origin, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.walk import substitute, toposort
from graphc.eager.engine.signature import late
from graphc.errors import TraceError
from graphc.jit.trace.branches import Script
from graphc.jit.variant import Plan, Variant
from graphc.ops.source import INPUT_OP


def merged(
    name: str, types: Sequence[Any], runs: Sequence[tuple[tuple[bool, ...], Any, Script]],
    options: Any, because: str,
) -> Variant:  # fmt: skip
    """A variant that computes the path that each call's values choose.

    Args:
        name: of the program.
        types: of the inputs.
        runs: for each path its outcomes, what was recorded, and the conditions met.
        options: see `gc.jit.compile`.
        because: why shapes are fixed, or "".

    Raises:
        TraceError: the paths return results of different forms.
    """
    plans = {outcomes: Plan(run, options.keep_grads) for outcomes, run, _ in runs}
    first = plans[runs[0][0]]
    for outcomes, plan in plans.items():
        _check_alike(first, plan, outcomes, name)
    conditions = {
        outcomes[:k]: node for outcomes, _, script in runs
        for k, node in enumerate(script.predicates)
    }  # fmt: skip
    updated = list(dict.fromkeys(n for p in plans.values() for n in (*p.updates, *p.generators)))

    def results(prefix: tuple[bool, ...]) -> list[Node]:
        plan = plans.get(prefix)
        if plan is not None:
            values = {**plan.updates, **plan.generators}
            return [*plan.outputs, *(values.get(node, node) for node in updated)]
        return _choose(conditions[prefix], results((*prefix, True)), results((*prefix, False)))

    together = results(())
    count = len(first.outputs)
    run = runs[0][1]
    for _, other, _ in runs[1:]:
        for key, touched in other.trace.touched.items():
            run.trace.touched.setdefault(key, touched)
        run.watch.readings += [
            r for r in other.watch.readings if all(r.what != s.what for s in run.watch.readings)
        ]
    first.touched = list(run.trace.touched.values())
    generators = {n for p in plans.values() for n in p.generators}
    first.outputs = together[:count]
    values = dict(zip(updated, together[count:]))
    first.updates = {n: v for n, v in values.items() if n not in generators}
    first.generators = {n: v for n, v in values.items() if n in generators}
    first.needs_grad = [any(p.needs_grad[k] for p in plans.values()) for k in range(count)]
    return Variant(name, types, first, run, options, because)


def _choose(condition: Node, true: list[Node], false: list[Node]) -> list[Node]:
    """Results of the arm that the condition chooses; what both arms compute is outside of it."""
    predicate = FUNCTIONS["reshape"](FUNCTIONS["cast"](condition, "bool"), ())
    roots = [predicate, *true, *false]
    inputs = [n for n in toposort(roots) if not n.inputs and n.op is INPUT_OP]
    # The runs built what comes before the branch once each: equal nodes become one.
    shared = late("passes.cse").cse(Graph.of("paths", inputs, roots))
    predicate, *results = shared.outputs
    true, false = results[: len(true)], results[len(true) :]
    places = [k for k, (a, b) in enumerate(zip(true, false)) if a is not b]
    if not places:
        return true
    of_true = toposort([predicate, *(true[k] for k in places)])
    of_false = toposort([predicate, *(false[k] for k in places)])
    before = toposort((predicate,))
    chosen = FUNCTIONS["cond"](
        predicate,
        lambda: _again(
            [true[k] for k in places], {n for n in of_false if n in of_true} | {*before}
        ),
        lambda: _again(
            [false[k] for k in places], {n for n in of_true if n in of_false} | {*before}
        ),
    )
    found = list(true)
    for k, node in zip(places, chosen):
        found[k] = node
    return found


def _again(roots: list[Node], outside: set[Node]) -> tuple[Node, ...]:
    """An arm's own nodes built once more, inside the function that is its body."""

    def make(node: Node, new: Mapping[Node, Node]) -> Node:
        if node.op.kind is Kind.SOURCE:
            return node
        with at_origin(node.origin):
            return Node.build(node.op, [new[i] for i in node.inputs], dict(node.attrs))

    return tuple(substitute(roots, {node: node for node in outside}, make))


def _check_alike(first: Plan, other: Plan, outcomes: tuple[bool, ...], name: str) -> None:
    same = str(first.tree) == str(other.tree) and len(first.outputs) == len(other.outputs)
    if same and all(a.type == b.type for a, b in zip(first.outputs, other.outputs)):
        return
    raise TraceError(
        f"{name}: the arms of a branch return different things",
        [
            f"one returns {first.tree} with {', '.join(str(o.type) for o in first.outputs)}",
            f"on the path {outcomes}: {other.tree} with "
            f"{', '.join(str(o.type) for o in other.outputs)}",
        ],
        where=caller(),
        hint='return the same form from both, or use on_branch="specialise"',
    )

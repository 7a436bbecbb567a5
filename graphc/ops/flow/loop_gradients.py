"""The gradients of loops.

A scan's gradient is a scan in the other direction. The cotangents of the carries are carried
back; those of what the body captured are summed (see `loop_sums`). What a step back needs of its
step forward (the residuals) is stacked by one more scan forward: the same loop with more results,
which the compiler merges with the first. Values that follow from what is there anyway are computed
again instead.

    h' = tanh(h @ w + x)      keeps: h, h'      back: dz = dh' * (1 - h'**2); dx = dz
                                                      dw = dw + h.T @ dz;     dh = dz @ w.T

A bounded `while_loop` is differentiated as a scan whose steps do nothing once it has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from graphc.core import dtypes
from graphc.core.ir import OPS, Graph, Kind, Node, is_checked, is_item, is_literal, tensor_type
from graphc.core.operators import FUNCTIONS
from graphc.core.typing import Pullback
from graphc.core.walk import reach, substitute, toposort
from graphc.ops.control import ITEM
from graphc.ops.flow.branching import COND, PRED
from graphc.ops.flow.closures import (
    inline,
    is_no_smaller,
    placeholder,
    reached_from,
)
from graphc.ops.flow.loop_sums import products, total


def _is_float(node: Node) -> bool:
    return tensor_type(node).dtype.is_float


class _Places(NamedTuple):
    """The results of a scan's body whose cotangents are used, its inputs that get one: indices."""

    carries: list[int]  # carried back
    stacks: list[int]
    sequences: list[int]
    captured: list[int]

    @classmethod
    def of(cls, node: Node, cts: Sequence[Any], wanted: Sequence[bool]) -> _Places:
        """Those of a scan; arguments as in `scan_vjp`."""
        body, k, m = node.attr("body"), node.attr("carries"), node.attr("sequences")
        moving = _moving(body, k, wanted)
        asked = [*moving, *wanted[k:]]
        reached = reached_from(body, [n for n, is_asked in zip(body.inputs, asked) if is_asked])
        stacks = range(k, len(body.outputs))
        return cls(
            [j for j in range(k) if moving[j]],
            [j for j in stacks if cts[j] is not None and body.outputs[j] in reached],
            [j for j in range(k, k + m) if wanted[j]],
            [j for j in range(k + m, len(body.inputs)) if wanted[j]],
        )


def scan_vjp(node: Node, cts: Sequence[Any], wanted: Sequence[bool], vjp: Pullback) -> list[Any]:
    """The cotangents of a scan's operands.

    Args:
        node: the scan.
        cts: of its results, None where nothing depends on one.
        wanted: which operands need theirs.
        vjp: differentiates a body: `vjp(outputs, cotangents, wrt)`.
    """
    body = node.attr("body")
    captured = body.inputs[node.attr("carries") + node.attr("sequences") :]
    outs, stacks, xs, fixed = _Places.of(node, cts, wanted)
    seeds = {j: placeholder(f"ct{j}", tensor_type(body.outputs[j])) for j in (*outs, *stacks)}
    wrt = [body.inputs[j] for j in (*outs, *xs, *fixed)]
    grads = vjp([body.outputs[j] for j in seeds], list(seeds.values()), wrt)
    own, of_captured = grads[: len(outs) + len(xs)], dict(zip(fixed, grads[len(outs) + len(xs) :]))
    whole = {
        j: parts
        for j, grad in of_captured.items()
        if (parts := products(grad, set(captured).__contains__)) is not None
    }
    summed = [j for j in of_captured if j not in whole]
    factors = dict.fromkeys(
        f.node for ps in whole.values() for p in ps for f in (p.left, p.right)
    )  # fmt: skip
    sums = [placeholder(f"sum{j}", tensor_type(body.inputs[j])) for j in summed]
    totals = [FUNCTIONS["add"](s, of_captured[j]) for s, j in zip(sums, summed)]
    there = set(body.nodes)
    made = [f for f in factors if f not in there]
    roots = [*own[: len(outs)], *totals, *own[len(outs) :], *made]
    kept = _kept(node, roots, factors)
    stacked = _stacked(node, kept)
    carried = {seeds[j]: cts[j] if cts[j] is not None else _zeros(node.inputs[j]) for j in outs}
    carried.update(zip(sums, (_zeros(node.inputs[j]) for j in summed)))
    sliced = {seeds[j]: cts[j] for j in stacks}
    sliced.update((kept.get(r, r), stack) for r, stack in stacked.items())
    inputs = [*carried, *sliced, *captured]
    back = Graph.of(f"{body.name}_grad", inputs, substitute(roots, dict(kept)))
    given = [*carried.values(), *sliced.values(), *node.inputs[len(body.inputs) - len(captured) :]]
    scan = _like(node, given, back, (len(carried), len(sliced)), not node.attr("reverse"))
    results = {j: ITEM(scan, index=n) for n, j in enumerate((*outs, *summed, *xs)) if wanted[j]}
    count = len(roots) - len(made)
    stacked.update((f, ITEM(scan, index=count + n)) for n, f in enumerate(made))
    length = node.attr("length")
    results |= {j: total(parts, stacked.__getitem__, length) for j, parts in whole.items()}
    return [results.get(j) for j in range(len(node.inputs))]


def _like(
    node: Node, given: Sequence[Any], body: Graph, counts: tuple[int, int], reverse: bool
) -> Node:
    """A scan of another one's length; `counts` are of carries and sequences."""
    carries, sequences = counts
    length = node.attr("length")
    how = {"carries": carries, "length": length, "reverse": reverse, "sequences": sequences}
    return OPS["scan"](*given, body=body, **how)


def _kept(node: Node, roots: Sequence[Node], factors: Iterable[Node]) -> dict[Node, Node]:
    """Placeholders for what the way back needs of a step: of each value, its slice."""
    body = node.attr("body")
    own, there = set(body.nodes), set(body.inputs[node.attr("carries") :])
    residuals = _residuals(roots, own, there)
    residuals += [f for f in factors if f in own and f not in {*residuals, *there}]
    return {r: placeholder(f"r{n}", tensor_type(r)) for n, r in enumerate(residuals)}


def _stacked(node: Node, kept: Mapping[Node, Node]) -> dict[Node, Any]:
    """Stacks of what is kept of a scan's steps, by one that gives them too, and its sequences."""
    body, k, m = node.attr("body"), node.attr("carries"), node.attr("sequences")
    more = Graph.of(body.name, body.inputs, [*body.outputs, *kept])
    forward = _like(node, node.inputs, more, (k, m), node.attr("reverse"))
    count = len(body.outputs)
    stacked = {r: ITEM(forward, index=count + n) for n, r in enumerate(kept)}
    return stacked | dict(zip(body.inputs[k : k + m], node.inputs[k : k + m]))


def _zeros(node: Node) -> Node:
    type_ = tensor_type(node)
    return FUNCTIONS["full"](type_.shape, 0, type_.dtype)


def _moving(body: Graph, carries: int, wanted: Sequence[bool]) -> list[bool]:
    """Which float carries depend on an operand that needs its cotangent."""
    moving = [wanted[j] for j in range(carries)]
    rest = [n for j, n in enumerate(body.inputs) if j >= carries and wanted[j]]
    while True:
        reached = reached_from(body, [*rest, *(n for n, on in zip(body.inputs, moving) if on)])
        now = [
            on or (out in reached and _is_float(out))
            for on, out in zip(moving, body.outputs[:carries])
        ]
        if now == moving:
            return moving
        moving = now


def _residuals(roots: Sequence[Node], own: set[Node], there: set[Node]) -> list[Node]:
    """The nodes of a body whose values are kept for the way back.

    Args:
        roots: what the way back computes.
        own: the nodes of the body.
        there: those that the way back has anyway.
    """

    def is_there(node: Node) -> bool:
        return node in there or is_literal(node)

    def near(node: Node) -> Sequence[Node]:
        return node.inputs if not is_there(node) and _is_derived(node, there) else ()

    asked = reach(_boundary(roots, own), near)
    return [n for n in asked if not is_there(n) and not _is_derived(n, there)]


def _is_derived(node: Node, there: set[Node]) -> bool:
    """Whether it is better to compute a value again than to keep it."""
    if not node.inputs or is_item(node) or is_checked(node) or not node.op.pure:
        return False
    if node.op.kind is Kind.MOVEMENT:
        return all(is_no_smaller(node, i) for i in node.inputs)
    if node.op.kind is Kind.ELEMENTWISE:
        return all(i in there or is_literal(i) for i in node.inputs)
    return False


def _boundary(roots: Sequence[Node], own: set[Node]) -> list[Node]:
    """The nodes of a body that the way back reads."""
    found: dict[Node, None] = dict.fromkeys(r for r in roots if r in own)
    order = toposort(roots, dict.fromkeys(own))
    for node in order:
        if node not in own:
            found.update(dict.fromkeys(i for i in node.inputs if i in own))
    return list(found)


def while_vjp(node: Node, cts: Sequence[Any], wanted: Sequence[bool], vjp: Pullback) -> list[Any]:
    """The cotangents of a bounded loop's operands: those of the scan that does the same."""
    body, cond, k = node.attr("body"), node.attr("cond"), node.attr("carries")
    going = placeholder("going", PRED)
    stays = Graph.of("stay", body.inputs, body.inputs[:k])
    step = COND(going, *body.inputs, true=body, false=stays)
    new = [ITEM(step, index=j) for j in range(k)]
    ended = Graph.of("ended", cond.inputs, [FUNCTIONS["full"]((), False, dtypes.bool_)])
    again = ITEM(COND(going, *new, *body.inputs[k:], true=cond, false=ended), index=0)
    fixed = body.inputs[k:]
    scan = OPS["scan"](
        *inline(cond, node.inputs),
        *node.inputs,
        body=Graph.of(body.name, [going, *body.inputs[:k], *fixed], [again, *new]),
        carries=k + 1,
        length=node.attr("max_steps"),
        reverse=False,
        sequences=0,
    )
    return scan_vjp(scan, [None, *cts], [False, *wanted], vjp)[1:]

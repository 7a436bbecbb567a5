"""What branches and loops compute that nobody uses is dropped, and so are operands nobody reads.

    v0 = scan(h, x, w, body=..., carries=1)       of which only item(v0, index=0) is used:
    v1 = item(v0, index=0)                        the body stacks nothing any more

A carry stays while a result that is used, another carry that stays, or a loop's condition needs
it. A branch whose condition is a constant is replaced by what it computes.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.core.ir import Graph, Kind, Node, bodies, effects, is_item, rank
from graphc.core.walk import remade, remake
from graphc.ops.control import ITEM
from graphc.ops.flow.branching import COND
from graphc.ops.flow.closures import inline, needed_for
from graphc.ops.flow.looping import SCAN, WHILE
from graphc.passes.rewrite.engine import uniform

Trimmed = tuple[Node, list[int]]


def prune(graph: Graph) -> Graph:
    """Trim every branch and loop; the graph itself when there is nothing to trim."""
    if not any(n.op.kind is Kind.CONTROL and bodies(n) for n in graph.nodes):
        return graph
    used: dict[Node, set[int]] = {}
    for node in graph.nodes:
        if is_item(node):
            used.setdefault(node.inputs[0], set()).add(node.attr("index"))
    trimmed: dict[Node, Trimmed | list[Node]] = {}

    def make(node: Node, new: dict[Node, Node]) -> Node | None:
        if is_item(node) and node.inputs[0] in trimmed:
            found, index = trimmed[node.inputs[0]], node.attr("index")
            if isinstance(found, list):
                return found[index]
            return ITEM(found[0], index=found[1].index(index))
        again = remade(node, new)
        if node.op.kind is not Kind.CONTROL or not bodies(node):
            return again
        # What has an effect gives something, so that it is still there.
        result = _trimmed(again, sorted(used.get(node, () if rank(node) is None else (0,))))
        if result is None:
            return again
        trimmed[node] = result
        return None if isinstance(result, list) else result[0]

    changed = remake(graph, make)
    return changed if trimmed else graph


def _trimmed(node: Node, used: list[int]) -> Trimmed | list[Node] | None:
    """A node that gives only the results used, with their old positions; or, for a branch that
    is decided, its results; None when there is nothing to trim."""
    if node.op is COND:
        chosen = uniform(node.inputs[0])
        if chosen is not None:
            return inline(node.attr("true" if chosen else "false"), node.inputs[1:])
        return _branch(node, used)
    if node.op is SCAN or node.op is WHILE:
        return _loop(node, used)
    return None


def _branch(node: Node, used: list[int]) -> Trimmed | None:
    graphs = [node.attr("true"), node.attr("false")]
    wanted = [[g.outputs[k] for k in used] for g in graphs]
    needs = [needed_for(g, [*w, *effects(g.nodes)]) for g, w in zip(graphs, wanted)]
    kept = [
        k
        for k in range(len(node.inputs) - 1)
        if any(g.inputs[k] in n for g, n in zip(graphs, needs))
    ]
    kept_all = len(kept) == len(node.inputs) - 1
    if kept_all and len(used) == len(graphs[0].outputs):
        return None
    true, false = (
        Graph.of(g.name, [g.inputs[k] for k in kept], w, kept=effects(g.nodes))
        for g, w in zip(graphs, wanted)
    )
    operands = [node.inputs[0], *(node.inputs[k + 1] for k in kept)]
    return COND(*operands, true=true, false=false), used


def _loop(node: Node, used: list[int]) -> Trimmed | None:
    body: Graph = node.attr("body")
    carries: int = node.attr("carries")
    cond: Graph | None = node.attr("cond") if node.op is WHILE else None
    kept, needed = _carries(body, carries, used, cond)
    stacked = [k for k in used if k >= carries]
    outputs = [*kept, *stacked]
    fixed = [
        k for k in range(carries, len(body.inputs))
        if body.inputs[k] in needed or (cond is not None and _reads(cond, k))
    ]  # fmt: skip
    inputs = [*kept, *fixed]
    if len(inputs) == len(body.inputs) and len(outputs) == len(body.outputs):
        return None
    if not inputs:
        return None
    attrs = dict(node.attrs)
    attrs["carries"] = len(kept)
    attrs["body"] = _part(body, inputs, outputs)
    if cond is not None:
        attrs["cond"] = _part(cond, inputs, [0])
    else:
        last = carries + node.attr("sequences")
        attrs["sequences"] = sum(k < last for k in fixed)
    return node.op(*(node.inputs[k] for k in inputs), **attrs), outputs


def _part(graph: Graph, inputs: Sequence[int], outputs: Sequence[int]) -> Graph:
    results = [graph.outputs[k] for k in outputs]
    return Graph.of(
        graph.name, [graph.inputs[k] for k in inputs], results, kept=effects(graph.nodes)
    )


def _reads(graph: Graph, place: int) -> bool:
    return graph.inputs[place] in needed_for(graph, [*graph.outputs, *effects(graph.nodes)])


def _carries(
    body: Graph, carries: int, used: list[int], cond: Graph | None
) -> tuple[list[int], set[Node]]:
    """The carries that stay, and the nodes of the body that are needed then."""
    kept = {k for k in used if k < carries}
    if cond is not None:
        kept |= {k for k in range(carries) if _reads(cond, k)}
    while True:
        roots = [body.outputs[k] for k in sorted({*kept, *used})]
        needed = needed_for(body, [*roots, *effects(body.nodes)])
        more = {k for k in range(carries) if body.inputs[k] in needed} | kept
        if more == kept:
            return sorted(kept), needed
        kept = more

"""Rematerialisation: cheap values are computed again where they would be kept through the peak.

    v0 = greater(x, 0)                 v0 = greater(x, 0)
    ...    (the peak: v0 is kept)      ...    (the peak: v0 is gone)
    v9 = where(v0, ct, 0)              v8 = greater(x, 0)
                                       v9 = where(v8, ct, 0)

A value is computed again after the peak when nothing near the peak uses it, it is cheap (sources,
movement, and a few operations without transcendental functions), and its operands are there
anyway: they are inputs, or live until then. So the memory in use rises nowhere, and the graph is
kept only if its peak, with results in place, falls noticeably.
"""

from __future__ import annotations

import dataclasses

from graphc.core.facts import costly_calls, template
from graphc.core.ir import Graph, Kind, Node, Scalar, effects, is_checked
from graphc.core.types import TensorType
from graphc.core.walk import remade, remake
from graphc.passes.memory.inplace import inplace
from graphc.passes.memory.lifetime import Value, readers, spans, value_of
from graphc.passes.memory.plan import live_bytes, value_bytes

WORTH = 0.02  # the part of the peak that must be saved
SMALLEST = 0.01  # the part of the peak below which a value is not worth a step


def rematerialise(graph: Graph) -> Graph:
    """Compute values of one or two cheap operations again to lower the peak memory.

    Args:
        graph: after fusion, before results are written in place.

    Returns:
        The graph with clones of cheap nodes; the graph itself when the peak would not fall.
    """
    return _lowered(graph, operations=2)


def rematerialise_more(graph: Graph) -> Graph:
    """As `rematerialise`, with chains of up to a dozen cheap operations."""
    return _lowered(graph, operations=12)


def rematerialise_most(graph: Graph) -> Graph:
    """As `rematerialise`, with whatever one kernel computes of what is there: time for memory."""
    return _lowered(graph, operations=None, worth=0.0)


def _lowered(graph: Graph, operations: int | None, worth: float = WORTH) -> Graph:
    rounds = 64 if len(graph.nodes) < 2000 else 8
    cheap = {node for node in graph.nodes if _is_cheap(node, operations)}
    best = live_bytes(graph)
    changed = graph
    for _ in range(rounds):
        peak = max(range(len(best)), key=best.__getitem__, default=0)
        found = _candidate(changed, peak, cheap, int(best[peak] * SMALLEST)) if best else None
        if found is None:
            break
        changed = _recomputed(changed, found, peak, cheap)
        best = live_bytes(changed)
    if changed is graph:
        return graph
    before, after = (max(live_bytes(inplace(g)), default=0) for g in (graph, changed))
    return changed if before - after > worth * before else graph


def _is_cheap(node: Node, operations: int | None) -> bool:
    if not isinstance(node.type, TensorType) or not node.op.pure or is_checked(node):
        return False
    if operations is None:
        return node.op.kind is not Kind.CONTROL and not effects([node])
    nodes = node.attr("body").nodes if node.op.kind is Kind.FUSED else (node,)
    work = [n for n in nodes if n.op.kind is Kind.ELEMENTWISE]
    maps = (Kind.ELEMENTWISE, Kind.MOVEMENT, Kind.SOURCE)
    return (
        len(work) <= operations
        and all(n.op.kind in maps for n in nodes)
        and all(map(_is_simple, work))
    )


def _is_simple(node: Node) -> bool:
    """Whether an elementwise op calls nothing that takes long."""
    fact = node.op.lowering
    return isinstance(fact, Scalar) and not costly_calls(template(node, fact.template))


def _candidate(graph: Graph, peak: int, cheap: set[Node], most: int) -> Node | None:
    """The largest cheap value, of more than `most` bytes, kept through the peak for later users
    alone."""
    position = {node: k for k, node in enumerate(graph.nodes)}
    uses = readers(graph)
    lifetimes = spans(graph, {})
    largest: Node | None = None
    for (node, index), nbytes in value_bytes(graph).items():
        first, last = lifetimes[(node, index)]
        if node not in cheap or not first < peak < last or nbytes <= most:
            continue
        users = uses.get((node, index), ())
        if not all(any(i is node for i in user.inputs) for user in users):
            continue  # read through a view, which keeps it alive
        places = [position[user] for user in users]
        after = [place for place in places if place > peak]
        if peak in places or not after or len(after) == len(places):
            continue
        later = min(after)
        if all(_is_there(value_of(i), lifetimes, later) for i in node.inputs):
            largest, most = node, nbytes
    return largest


def _is_there(value: Value, lifetimes: dict[Value, tuple[int, int]], step: int) -> bool:
    """Whether a value is kept until a step anyway."""
    is_placeholder = value[0].op.kind is Kind.SOURCE and not value[0].op.pure
    return is_placeholder or lifetimes[value][1] >= step


def _recomputed(graph: Graph, node: Node, peak: int, cheap: set[Node]) -> Graph:
    """The graph whose nodes after the peak use a clone of `node`, made before the first of them."""
    later = set(graph.nodes[peak + 1 :])

    def make(user: Node, new: dict[Node, Node]) -> Node:
        if new.get(node) is node and user in later and any(i is node for i in user.inputs):
            new[node] = dataclasses.replace(node)
            cheap.add(new[node])
        changed = remade(user, new)
        if user in cheap:
            cheap.add(changed)
        return changed

    return remake(graph, make)

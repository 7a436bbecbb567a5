"""Numerics: a graph as it was written, by rules that keep its functions and lose less of them.

    v0 = sigmoid(x)
    v1 = log(v0)            log-scaled: -softplus(-x)

It is what a graph means: `gc.grad` differentiates it, every level of `gc.compile` and
`gc.interpret` compute it. Functions traced by `gc.jit` compute what eager code does, and are left.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphc import config
from graphc.core.ir import Graph, Node
from graphc.core.types import TensorType
from graphc.core.walk import substitute, toposort
from graphc.errors import InternalError
from graphc.ops.source import input
from graphc.passes.nested import everywhere
from graphc.passes.rewrite.engine import rewrite
from graphc.passes.rules.stable import STABLE

ROUNDS = 32  # of the rules before they are taken to go in circles


def stabilise(graph: Graph) -> Graph:
    """The graph with stable forms for unstable ones, in the bodies of its loops too.

    Returns:
        The graph itself when no rule fired, or GRAPHC_SKIP names this pass.
    """
    if "stabilise" in config.current().skip:
        return graph
    for _ in range(ROUNDS):
        after = everywhere(lambda each: rewrite(each, STABLE), graph)
        if after is graph:
            return graph
        graph = after
    raise InternalError(f"stabilise does not settle in {ROUNDS} rounds")


def stabilised(roots: Sequence[Node], kept: Collection[Node]) -> list[Node]:
    """Roots in stable form, in which some tensors are kept.

    Args:
        roots: tensors to differentiate.
        kept: those by which that is done: no rule looks through them. What is no tensor is for
            others to refuse.
    """
    places = {
        node: input(f"kept{k}", node.type.shape, node.type.dtype)
        for k, node in enumerate(kept)
        if isinstance(node, Node) and node.inputs and isinstance(node.type, TensorType)
    }
    opened = substitute(roots, dict(places)) if places else list(roots)
    sources = [node for node in toposort(opened) if not node.inputs]
    before = Graph.of("stabilise", sources, opened)
    after = stabilise(before)
    if after is before:
        return list(roots)
    return substitute(after.outputs, {place: node for node, place in places.items()})

"""Which values of a forward graph are kept for a backward graph: a minimum cut.

    forward     h = x @ w        y = tanh(h)           loss = sum(y * y)
    backward    needs 2 * y and 1 - y * y: keep y, from which both are computed once more

Of each value that the backward graph takes from the forward graph, either it or what it is
computed from is kept. Products, reductions and loops are never computed again; elementwise ops
and movements are, where that keeps fewer bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphc.core import dims
from graphc.core.ir import Graph, Kind, Node, is_item, toposort
from graphc.core.types import TensorType
from graphc.core.walk import substitute
from graphc.eager.engine.signature import late
from graphc.ops.source import CONSTANT_OP, INPUT_OP, PARAMETER_OP

_AGAIN = (Kind.ELEMENTWISE, Kind.MOVEMENT)
_NOMINAL = 256  # elements along an axis whose size is not known
_PLACEHOLDERS = (INPUT_OP, PARAMETER_OP)


class Interned:
    """One representative for all nodes that compute the same."""

    def __init__(self) -> None:
        self._seen: dict[Any, Node] = {}
        self._of: dict[Node, Node] = {}

    def __call__(self, root: Node) -> Node:
        """The representative of a node."""
        frozen = late("passes.merge").frozen
        for node in _new((root,), self._of):
            operands = [id(self._of[i]) for i in node.inputs]
            if node.op.commutative:
                operands.sort()
            attrs = tuple((name, frozen(value)) for name, value in node.attrs)
            key = (node.op, tuple(operands), attrs) if node.op.pure else id(node)
            self._of[node] = self._seen.setdefault(key, node)
        return self._of[root]


def _new(roots: Iterable[Node], known: dict[Node, Node]) -> list[Node]:
    """What the roots need that is not known, operands first."""
    return [n for n in toposort(roots, stop=known.__contains__) if n not in known]


def simplified(name: str, roots: Sequence[Node]) -> list[Node]:
    """A forward and a backward graph in one form, in which what both compute is one node."""
    pipeline = late("passes.pipeline")
    inputs = [n for n in toposort(roots) if n.op is INPUT_OP]
    final, _ = pipeline.run(Graph.of(name, inputs, roots), pipeline.O1)
    return list(final.outputs)


def cut_at(roots: Sequence[Node], stand_ins: dict[Node, Node]) -> list[Node]:
    """The graph with placeholders for the nodes that `stand_ins` has."""
    return substitute(roots, dict(stand_ins))


def early_of(roots: Sequence[Node], late_sources: set[Node]) -> set[Node]:
    """The nodes that depend on none of `late_sources`, which only the backward pass knows."""
    early: set[Node] = set()
    for node in toposort(roots):
        if node not in late_sources and all(i in early for i in node.inputs):
            early.add(node)
    return early


def boundary_of(roots: Sequence[Node], early: set[Node]) -> list[Node]:
    """The early nodes that late ones, or the caller, take."""
    found = {r: None for r in roots if r in early}
    for node in toposort(roots):
        if node not in early:
            found |= {i: None for i in node.inputs if i in early}
    return list(found)


def cut(needed: Sequence[Node], readable: set[Node]) -> list[Node]:
    """The values to keep, of the fewest bytes, so that the needed ones can be computed.

    Args:
        needed: nodes of the forward graph that the backward graph takes.
        readable: placeholders that the backward pass may read at its time.

    Returns:
        Nodes in the order of the forward graph.
    """
    needed = [n for n in needed if n not in readable and not _is_free(n)]
    if not needed:
        return []
    import networkx

    # Values are numbers in it: 2 * k goes in, 2 * k + 1 comes out.
    network = networkx.DiGraph()
    order = list(toposort(needed))
    at = {node: k for k, node in enumerate(order)}
    start, end = -1, -2
    for k, node in enumerate(order):
        if node in readable or _is_free(node):
            continue
        room = {"capacity": _bytes(node.type)} if isinstance(node.type, TensorType) else {}
        network.add_edge(2 * k, 2 * k + 1, **room)
        if not _is_again(node):
            network.add_edge(start, 2 * k)
            continue
        for operand in node.inputs:
            if operand not in readable and not _is_free(operand):
                network.add_edge(2 * at[operand] + 1, 2 * k)
    for node in needed:
        network.add_edge(2 * at[node] + 1, end)
    if start not in network:
        return []
    _, (reached, _) = networkx.minimum_cut(network, start, end)
    return [n for k, n in enumerate(order) if 2 * k in reached and 2 * k + 1 not in reached]


def _is_again(node: Node) -> bool:
    """Whether computing a node once more is cheap."""
    return node.op not in _PLACEHOLDERS and (node.op.kind in _AGAIN or is_item(node))


def _is_free(node: Node) -> bool:
    """Whether a node is there at any time: literals, sizes, constants."""
    return node.op is CONSTANT_OP or (node.op not in _PLACEHOLDERS and not node.inputs)


def _bytes(type_: TensorType) -> int:
    count = 1
    for size in type_.shape:
        count *= (
            size if isinstance(size, int)
            else dims.evaluate(size, dict.fromkeys([s.name for s in dims.symbols(size)], _NOMINAL))
        )  # fmt: skip
    return count * type_.dtype.numpy.itemsize + 1


__all__ = ["Interned", "boundary_of", "cut", "cut_at", "early_of", "simplified"]

"""Scheduling: an order of the nodes in which less memory lives at one time.

    v0 = exp(x)          v0 = exp(x)
    v1 = exp(y)          v2 = sum(v0)         v0 is gone before v1 is made
    v2 = sum(v0)         v1 = exp(y)
    v3 = sum(v1)         v3 = sum(v1)

Greedy: of the nodes that could run next, the one after which the least memory lives; the earliest
of those. The order as written is kept unless the peak falls noticeably, since neighbours in the
text are often neighbours in the cache.
"""

from __future__ import annotations

import heapq
from itertools import pairwise

from graphc.core.ir import Graph, Node, effects
from graphc.passes.memory.lifetime import Value, is_item, results, seen_through
from graphc.passes.memory.plan import live_bytes, value_bytes

WORTH = 0.05  # the part of the peak that must be saved


def schedule(graph: Graph) -> Graph:
    """Reorder the nodes to lower the peak memory.

    Args:
        graph: after fusion, before results are written in place.

    Returns:
        The reordered graph, or the graph itself when the peak would not fall by 5 %.
    """
    nodes = tuple(_Order(graph).run())
    changed = Graph(graph.name, graph.inputs, nodes, graph.outputs, graph.aliases)
    peak = max(live_bytes(graph), default=0)
    return changed if max(live_bytes(changed), default=0) < (1 - WORTH) * peak else graph


class _Order:
    """One run of the greedy choice; a heap holds what could run, by memory that would live."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nbytes = value_bytes(graph)
        self.seen = seen_through(graph)
        self.position = {node: k for k, node in enumerate(graph.nodes)}
        self.users = graph.users()
        needs = {node: set(node.inputs) for node in graph.nodes}
        for before, after in pairwise(effects(graph.nodes)):
            needs[after].add(before)
            self.users[before].append(after)
        self.missing = {node: len(found) for node, found in needs.items()}
        self.reading: dict[Value, set[Node]] = {}
        for node in graph.nodes:
            for value in self._read(node):
                self.reading.setdefault(value, set()).add(node)
        for output in graph.outputs:
            for value in self.seen[output]:
                self.nbytes.pop(value, None)
        self.heap: list[tuple[int, int]] = []

    def run(self) -> list[Node]:
        """The nodes in their new order, inputs first."""
        order: list[Node] = []
        placed: set[Node] = set()
        for node in self.graph.nodes:
            if not self.missing[node]:
                self._offer(node)
        while self.heap:
            cost, place = heapq.heappop(self.heap)
            node = self.graph.nodes[place]
            if node in placed or cost != self._cost(node):
                continue  # an outdated offer; a newer one is in the heap
            placed.add(node)
            order.append(node)
            self._place(node)
        given = set(self.graph.inputs)
        return [*self.graph.inputs, *(node for node in order if node not in given)]

    def _offer(self, node: Node) -> None:
        heapq.heappush(self.heap, (self._cost(node), self.position[node]))

    def _place(self, node: Node) -> None:
        for value in self._read(node):
            left = self.reading[value]
            left.discard(node)
            if len(left) == 1:
                (last,) = left
                if not self.missing[last]:
                    self._offer(last)
        for user in dict.fromkeys(self.users[node]):
            self.missing[user] -= 1
            if not self.missing[user]:
                self._offer(user)

    def _cost(self, node: Node) -> int:
        """How much more memory lives after a node than before it."""
        if is_item(node):
            return -(1 << 60)  # projections cost nothing and let others run
        made = sum(self.nbytes.get((node, k), 0) for k in results(node))
        freed = (v for v in self._read(node) if len(self.reading[v]) == 1)
        return made - sum(self.nbytes.get(v, 0) for v in freed)

    def _read(self, node: Node) -> list[Value]:
        """The values whose memory a node may read, each once, in order."""
        return list(dict.fromkeys(v for operand in node.inputs for v in self.seen[operand]))

"""Nodes in clusters, and the graph in which every cluster is one fused node.

What joins a cluster is decided in `fuse`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from graphc.core.ir import Graph, Kind, Node, effects, is_literal, tensor_type
from graphc.core.origin import labelled
from graphc.core.types import TupleType
from graphc.core.walk import postorder, reach, substitute, toposort
from graphc.loops import views
from graphc.ops.control import FUSED, ITEM
from graphc.ops.source import INPUT_OP
from graphc.passes.fusion.cluster import Cluster


class Clustering:
    """The clusters of one graph.

    Attributes:
        of: the cluster that computes a node.
        views: movement that is an index map alone; every kernel reads through them.
        literals: numbers made of literals alone; every kernel computes them for itself.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.clusters: list[Cluster] = []
        self.of: dict[Node, Cluster] = {}
        self.users = graph.users()
        self.position = {node: k for k, node in enumerate(graph.nodes)}
        self.outputs = set(graph.outputs)
        self.views = {n for n in graph.nodes if n.op.kind is Kind.MOVEMENT and views.is_view(n)}
        self.literals: set[Node] = set()
        self.effects = effects(graph.nodes)
        # Effects happen one after the other, as if each read what the last one gives.
        self.follows = dict(pairwise(reversed(self.effects)))

    def alone(self, node: Node) -> None:
        cluster = Cluster(len(self.clusters), open=False)
        cluster.bits = 1 << cluster.number
        self.clusters.append(cluster)
        cluster.members.append(node)
        self.of[node] = cluster

    def leaves(self, member: Node, own: set[Node] | None = None) -> bool:
        """Whether something outside its cluster, or outside some nodes, needs a member."""
        if member in self.outputs:
            return True
        cluster = self.of.get(member)

        def outside(node: Node) -> list[Node]:
            return [user for user in self.users[node] if not is_inside(user)]

        def is_inside(user: Node) -> bool:
            inside = user in own if own is not None else self.of.get(user) is cluster
            return inside and user not in self.views

        return not all(map(self._is_looked_through, reach(outside(member), outside)))

    def _is_looked_through(self, node: Node) -> bool:
        """Whether kernels read through a node, or compute it for themselves."""
        return (node in self.views or node in self.literals) and node not in self.of

    def rebuilt(self) -> Graph:
        """The graph with each cluster as one node."""
        graph, order = self.graph, self._order()
        new: dict[Node, Node] = {n: n for n in graph.inputs}
        for entry in order:
            if isinstance(entry, Cluster):
                self._build(entry, new)
            elif entry not in self.views and entry not in self.literals:
                # Views that a contraction looks through are made with it.
                substitute([entry], new)
        outputs = substitute(graph.outputs, new)
        kept = substitute(self.effects, new)
        return Graph.of(graph.name, graph.inputs, outputs, graph.aliases, kept)

    def _order(self) -> list[Node | Cluster]:
        """Clusters and lone nodes, each after what it needs."""
        while True:
            order, broken = self._try_order()
            if broken is None:
                return order
            self._dissolve(broken)

    def _try_order(self) -> tuple[list[Node | Cluster], Cluster | None]:
        """An order, or a cluster on a cycle."""
        order: dict[Node | Cluster, None] = {}
        under_way: dict[Node | Cluster, None] = {}

        def needs(entry: Node | Cluster) -> Iterator[Node | Cluster]:
            if entry in under_way:
                raise _CycleError
            under_way[entry] = None
            return reversed(self._needs(entry))

        roots = [self.of.get(n, n) for n in self.graph.nodes if n not in self.views or n in self.of]
        try:
            for entry in postorder(roots, needs, order):
                order[entry] = None
                del under_way[entry]
        except _CycleError:
            cycle = [e for e in under_way if isinstance(e, Cluster)]
            return [], max(cycle, key=lambda c: len(c.members))
        return list(order), None

    def _dissolve(self, cluster: Cluster) -> None:
        """Take a cluster apart that was found on a cycle: a rare case, so its members stay
        alone."""
        for member in cluster.members:
            self.alone(member)

    def _needs(self, entry: Node | Cluster) -> list[Node | Cluster]:
        nodes = entry.members if isinstance(entry, Cluster) else [entry]

        def near(operand: Node) -> Sequence[Node]:
            return operand.inputs if self._is_looked_through(operand) else ()

        first = [self.follows[node] for node in nodes if node in self.follows]
        operands = reach((*first, *(i for node in nodes for i in node.inputs)), near)
        owners = (self.of.get(x, x) for x in operands if not self._is_looked_through(x))
        return list(dict.fromkeys(owner for owner in owners if owner is not entry))

    def _build(self, cluster: Cluster, new: dict[Node, Node]) -> None:
        """Make the fused node of a cluster, and say which results stand for which members."""
        members = set(cluster.members)
        inside = self.inside(cluster.members, members)
        read = [n for n in inside if not self.is_inner(n, members) and not is_literal(n)]
        placeholders = {n: INPUT_OP(name=f"p{k}", type=tensor_type(n)) for k, n in enumerate(read)}
        results = [m for m in cluster.members if self.leaves(m)]
        inner = substitute(results, dict(placeholders))
        if not read:
            new.update(zip(results, inner))
            return
        body = Graph.of(_name(cluster), list(placeholders.values()), inner)
        fused = FUSED(*substitute(read, new), body=body, inplace=())
        origin = results[-1].origin if len(results) == 1 else labelled(results[-1].origin, "")
        fused = Node(fused.op, fused.inputs, fused.attrs, fused.type, origin)
        for position, member in enumerate(results):
            several = isinstance(fused.type, TupleType)
            new[member] = ITEM(fused, index=position) if several else fused

    def is_inner(self, node: Node, members: set[Node]) -> bool:
        """Whether a kernel with these members computes (or reads through) a node itself."""
        return node in members or self._is_looked_through(node)

    def inside(self, ordered: Sequence[Node], members: set[Node]) -> list[Node]:
        """Members, the views they read through, and what those read, operands first."""
        return list(toposort(ordered, stop=lambda node: not self.is_inner(node, members)))


class _CycleError(Exception):
    """Clusters need each other."""


def _name(cluster: Cluster) -> str:
    """The body's ops in a few words."""
    names = list(dict.fromkeys(m.op.name.rstrip("_") for m in cluster.members))
    return "_".join(names if len(names) <= 3 else [*names[:2], "to", names[-1]])

"""Nodes in clusters, and the graph in which every cluster is one fused node.

What joins a cluster is decided in `fuse`.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.core.ir import Graph, Kind, Node, tensor_type, toposort
from graphc.core.types import TupleType
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
        stack = list(self.users[member])
        while stack:
            user = stack.pop()
            inside = user in own if own is not None else self.of.get(user) is cluster
            if inside and user not in self.views:
                continue
            if user in self.of or (user not in self.views and user not in self.literals):
                return True
            stack += self.users[user]
        return False

    def rebuilt(self) -> Graph:
        """The graph with each cluster as one node."""
        order = self._order()
        new: dict[Node, Node] = {n: n for n in self.graph.inputs}
        nodes: dict[Node, None] = dict.fromkeys(self.graph.inputs)
        for entry in order:
            if isinstance(entry, Cluster):
                self._build(entry, new)
            elif entry not in new and entry not in self.views:
                if entry in self.literals:
                    continue
                new[entry] = entry.with_inputs([self._new(i, new) for i in entry.inputs])
        outputs = tuple(self._new(o, new) for o in self.graph.outputs)
        toposort(outputs, nodes)
        graph = self.graph
        return Graph(graph.name, graph.inputs, tuple(nodes), outputs, graph.aliases)

    def _new(self, node: Node, new: dict[Node, Node]) -> Node:
        """What stands for a node; views that a contraction looks through are made on demand."""
        chain = [node]
        while chain[-1] not in new:
            chain.append(chain[-1].inputs[0])
        for view in reversed(chain[:-1]):
            new[view] = view.with_inputs([new[view.inputs[0]], *view.inputs[1:]])
        return new[node]

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
        roots = [self.of.get(n, n) for n in self.graph.nodes if n not in self.views or n in self.of]
        for root in roots:
            stack: list[tuple[Node | Cluster, bool]] = [(root, False)]
            while stack:
                entry, ready = stack.pop()
                if ready:
                    order[entry] = None
                    under_way.pop(entry)
                elif entry in under_way:
                    cycle = [e for e in under_way if isinstance(e, Cluster)]
                    return [], max(cycle, key=lambda c: len(c.members))
                elif entry not in order:
                    under_way[entry] = None
                    stack.append((entry, True))
                    stack += [(need, False) for need in self._needs(entry) if need not in order]
        return list(order), None

    def _dissolve(self, cluster: Cluster) -> None:
        """Take a cluster apart that was found on a cycle: a rare case, so its members stay
        alone."""
        for member in cluster.members:
            self.alone(member)

    def _needs(self, entry: Node | Cluster) -> list[Node | Cluster]:
        nodes = entry.members if isinstance(entry, Cluster) else [entry]
        found: dict[Node | Cluster, None] = {}
        stack = [i for node in nodes for i in node.inputs]
        while stack:
            operand = stack.pop()
            owner = self.of.get(operand)
            if owner is not None:
                if owner is not entry:
                    found[owner] = None
            elif operand in self.views or operand in self.literals:
                stack += operand.inputs
            else:
                found[operand] = None
        return list(found)

    def _build(self, cluster: Cluster, new: dict[Node, Node]) -> None:
        """Make the fused node of a cluster, and say which results stand for which members."""
        inner: dict[Node, Node] = {}
        placeholders: dict[Node, Node] = {}
        members = set(cluster.members)
        for node in self.inside(cluster.members, members):
            if self.is_inner(node, members):
                inner[node] = node.with_inputs([inner[i] for i in node.inputs])
            elif is_inline(node):
                inner[node] = node
            else:
                name = f"p{len(placeholders)}"
                placeholders[node] = inner[node] = INPUT_OP(name=name, type=tensor_type(node))
        results = [m for m in cluster.members if self.leaves(m)]
        body = Graph.of(_name(cluster), list(placeholders.values()), [inner[m] for m in results])
        operands = [self._new(n, new) for n in placeholders]
        fused = FUSED(*operands, body=body, inplace=()) if operands else None
        if fused is None:
            for member in results:
                new[member] = inner[member]
            return
        fused = Node(fused.op, fused.inputs, fused.attrs, fused.type, results[-1].origin)
        for position, member in enumerate(results):
            several = isinstance(fused.type, TupleType)
            new[member] = ITEM(fused, index=position) if several else fused

    def is_inner(self, node: Node, members: set[Node]) -> bool:
        """Whether a kernel with these members computes (or reads through) a node itself."""
        if node in members:
            return True
        return (node in self.views or node in self.literals) and node not in self.of

    def inside(self, ordered: Sequence[Node], members: set[Node]) -> list[Node]:
        """Members, the views they read through, and what those read, operands first."""
        order: dict[Node, None] = {}
        for member in ordered:
            stack = [(member, False)]
            while stack:
                node, ready = stack.pop()
                if node in order:
                    continue
                if ready or not self.is_inner(node, members):
                    order[node] = None
                    continue
                stack.append((node, True))
                stack += [(i, False) for i in reversed(node.inputs)]
        return list(order)


def is_inline(node: Node) -> bool:
    """Whether a node is a literal, a place or a size, which kernels make for themselves."""
    return node.op.kind is Kind.SOURCE and node.op.pure


def _name(cluster: Cluster) -> str:
    """The body's ops in a few words."""
    names = list(dict.fromkeys(m.op.name.rstrip("_") for m in cluster.members))
    return "_".join(names if len(names) <= 3 else [*names[:2], "to", names[-1]])

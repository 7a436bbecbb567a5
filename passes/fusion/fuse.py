"""Fusion: nodes that one kernel can compute together become a `fused` node with a nested graph.

    v0 = exp(x); v1 = sum(v0, axes=(1,)); ...      v0 = fused(x, body=exp_sum_...)

One rule, for chains, diamonds, softmax, layer norm and their gradients alike: a node joins the
cluster of an operand when the two, and what is in the cluster, have loop nests together (see
`loops.nesting`), and none reads another at other places than where the loops are. Views (index
maps without data) belong to nobody: each kernel reads through them. For every pair that stays
apart there is a reason; `explain` lists them.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from graphc.core import dims
from graphc.core.ir import (
    Graph,
    IndexMap,
    Kind,
    Node,
    is_checked,
    is_item,
    is_literal,
    tensor_type,
)
from graphc.core.types import Shape
from graphc.loops import views
from graphc.loops.nesting import Unfit, extent, plan
from graphc.loops.spaces import Spaces, is_gather
from graphc.ops.arrays.shaping import show_shape
from graphc.passes.fusion.cluster import MOST_NODES, MOST_OPERANDS, MOST_SIBLINGS, Cluster
from graphc.passes.fusion.clustering import Clustering
from graphc.passes.fusion.refusal import Refusal, with_way

Planned = tuple[Spaces, Graph]
CYCLE = "it would make a cycle"


# What has a kernel of its own, by kind.
ALONE = {
    Kind.CONTRACT: "a contraction",
    Kind.LIBRARY: "a library kernel",
    Kind.CONTROL: "a loop or a branch",
    Kind.MOVEMENT: "a copy",
}


def fuse(graph: Graph) -> Graph:
    """Group nodes into fused ones."""
    fusion = _Fusion(graph)
    return fusion.rebuilt()


def explain(graph: Graph) -> list[Refusal]:
    """Why producers and consumers of a graph, before fusion, stay apart, each pair once."""
    fusion = _Fusion(graph)
    found: dict[tuple[Node, Node], Refusal] = {}
    for refusal in fusion.refusals:
        producer, consumer = refusal.producer, refusal.consumer
        home = fusion.of.get(producer)
        if home is None or home is not fusion.of.get(consumer):
            found.setdefault((producer, consumer), refusal)
    return [_completed(refusal, fusion) for refusal in found.values()]


def _completed(refusal: Refusal, fusion: _Fusion) -> Refusal:
    """A refusal with the way of a cycle, and what one kernel would save."""
    producer, consumer = refusal.producer, refusal.consumer
    is_written_too = fusion.leaves(producer, {producer, consumer})
    nbytes = tensor_type(producer).nbytes
    refusal = replace(refusal, saved=nbytes if is_written_too else nbytes * 2)
    if refusal.cluster is None or not refusal.reason.startswith(CYCLE):
        return refusal
    return with_way(refusal, fusion.users, fusion.clusters[refusal.cluster.number])


class _Fusion(Clustering):
    """The clusters of one graph."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.refusals: list[Refusal] = []
        # What stands behind views, as long as these are as they are.
        self._bases: dict[Node, Node] = {}
        self.readers: dict[Node, list[Cluster]] = {}
        # Bits of the clusters that a node depends on.
        self.behind: dict[Node, int] = {}
        # What the last successful planning found.
        self.planned: Planned | None = None
        self.commits = {graph.outputs[k] for k, _ in graph.aliases}
        self.late = self._serving_updates()
        for node in graph.nodes:
            self._place(node)
        needed = self._read_from_memory()
        for node in graph.nodes:
            if (node in self.views or node in self.literals) and node in needed:
                self._keep(node)
        self._join_updates()

    # What joins what --------------------------------------------------------------------------

    def _place(self, node: Node) -> None:
        behind = 0
        for operand in node.inputs:
            behind |= self._behind(operand)
        if node in self.follows:
            behind |= self._behind(self.follows[node])
        self.behind[node] = behind
        if self._is_literal(node):
            self.literals.add(node)
            return
        if node in self.views or not _is_fusable(node):
            for operand in node.inputs:
                self._explain_boundary(operand, node)
            return
        chosen: list[Cluster] = []
        accepted = None
        for cluster, producer in self._candidates(node):
            reason = self._cannot_share(node, cluster)
            for other in chosen if not reason else ():
                reason = reason or self._cannot_merge(other, cluster)
            reason = reason or self._cannot_run([*chosen, cluster], node)
            if reason:
                self.refusals.append(Refusal(producer, node, reason, cluster))
            else:
                chosen.append(cluster)
                accepted = self.planned
        if not chosen:
            self._start(node)
            return
        cluster = self._merge(chosen) if len(chosen) > 1 else chosen[0]
        self._join(node, cluster)
        self._note_axes(cluster, node, accepted)

    def _note_axes(self, cluster: Cluster, node: Node, planned: Planned | None) -> None:
        """Keep what planning found, for nodes that run along with what is there."""
        if planned is not None:
            found, graph = planned
            cluster.axes = {n: found.of(n) for n in graph.nodes if n in found.axes}
            cluster.spaces = {found.space(o) for o in graph.outputs}
            return
        known = (cluster.axes.get(x) for x in node.inputs if self.of.get(x) is cluster)
        axes = next((a for a in known if a is not None), None)
        if axes is not None and cluster.shape is None:
            cluster.axes[node] = axes

    def _is_literal(self, node: Node) -> bool:
        if node.op.kind is not Kind.ELEMENTWISE or tensor_type(node).shape or is_checked(node):
            return False
        return node not in self.outputs and all(
            i in self.literals or is_literal(i) for i in node.inputs
        )

    def _behind(self, node: Node) -> int:
        cluster = self.of.get(node)
        if cluster is not None:
            return self.behind[node] | cluster.bits | cluster.before
        return self.behind[node]

    def _explain_boundary(self, operand: Node, node: Node) -> None:
        base = self._base(operand)
        if is_item(node) or node in self.views:
            return
        if base in self.of or _stands_alone(base):
            self.refusals.append(Refusal(base, node, f"{node.op.name} is {ALONE[node.op.kind]}"))

    def _base(self, node: Node) -> Node:
        """The node behind views."""
        if node not in self.views:
            return node
        base = self._bases.get(node)
        if base is None:
            index = views.symbols_of(node, "at")
            base, _ = views.follow(node, index, lambda n: n not in self.views)
            self._bases[node] = base
        return base

    def _candidates(self, node: Node) -> list[tuple[Cluster, Node]]:
        found: dict[Cluster, Node] = {}
        for operand in node.inputs:
            base = self._base(operand)
            cluster = self.of.get(base)
            if cluster is not None and cluster.open:
                found.setdefault(cluster, base)
            elif cluster is None and _stands_alone(base):
                maker = base.inputs[0] if is_item(base) else base
                reason = f"{maker.op.name} is {ALONE[maker.op.kind]}"
                self.refusals.append(Refusal(base, node, reason))
        return list(found.items()) or self._siblings(node)

    def _siblings(self, node: Node) -> list[tuple[Cluster, Node]]:
        """Clusters whose loops read what this node reads: one pass over memory serves both."""
        read = self._read(node)
        # In the operands' order: that of a set of nodes is another in each process.
        for base in dict.fromkeys(self._base(operand) for operand in node.inputs):
            if base not in read or tensor_type(base).rank == 0:
                continue
            for cluster in list(dict.fromkeys(self.readers.get(base, ())))[-MOST_SIBLINGS:]:
                live = self.clusters[cluster.number]
                if live.open:
                    return [(live, base)]
        return []

    def _cannot_share(self, node: Node, cluster: Cluster) -> str:
        """Why a node cannot be in a cluster's kernel, whatever its loops; "" when it can."""
        if len(cluster.members) >= MOST_NODES:
            return f"the kernel has {MOST_NODES} ops already"
        for operand in node.inputs:
            base = self._base(operand)
            if self.of.get(base) is not cluster and self._behind(base) & cluster.bits:
                return f"{CYCLE} through {base!r}"
        if len(self._outside(cluster.operands | self._read(node), cluster)) > MOST_OPERANDS:
            return f"the kernel reads {MOST_OPERANDS} tensors already"
        if is_checked(node) and any(m in self.commits for m in cluster.members):
            return "an op that can fail never shares a kernel with an update"
        if node in self.commits and any(is_checked(m) for m in cluster.members):
            return "an update never shares a kernel with an op that can fail"
        return ""

    def _cannot_run(self, clusters: Sequence[Cluster], node: Node) -> str:
        """Why clusters and a node do not share loops; "" when they do."""
        shape = tensor_type(node).shape
        if node.op.kind is Kind.ELEMENTWISE and all(c.shape == shape for c in clusters):
            inside = (self._base(x) for x in node.inputs if x in self.views)
            if all(self.of.get(base) not in clusters for base in inside):
                return ""
        self.planned = None
        if len(clusters) == 1 and self._runs_along(clusters[0], node):
            return ""
        if node in self.late and any(c.shape is None for c in clusters):
            return "updates run together at the end, where their parameters are read no more"
        if node.op.kind is Kind.REDUCE and any(m in self.late for c in clusters for m in c.members):
            return "updates run together at the end, after what others read"
        for cluster in clusters:
            if cluster.shape is not None and not _leads(cluster.shape, self._domain(node)):
                return f"it would compute {show_shape(cluster.shape)} again for each row"
        members = [m for c in clusters for m in c.members]
        graph = self._trial([*members, node])
        try:
            found, _ = plan(graph)
        except Unfit as reason:
            return str(reason)
        self.planned = (found, graph)
        return self._reads_elsewhere(found, {*members, node}, graph)

    def _runs_along(self, cluster: Cluster, node: Node) -> bool:
        """Whether an elementwise node only adds a result to loops that a cluster has already."""
        if node.op.kind is not Kind.ELEMENTWISE or node in self.late:
            return False
        read = [x for x in node.inputs if self.of.get(self._base(x)) is cluster]
        places = {cluster.axes.get(x) for x in read}
        if len(places) != 1 or None in places:
            return False
        (axes,) = places
        return frozenset(a for axis in axes for a in axis) in cluster.spaces  # type: ignore

    def _domain(self, node: Node) -> Shape:
        """The shape of a node's loops: a reduction's are its operand's."""
        return tensor_type(node.inputs[0] if node.op.kind is Kind.REDUCE else node).shape

    def _trial(self, members: Sequence[Node]) -> Graph:
        """The body that some nodes would have, of the graph's own nodes."""
        own = set(members)
        order = self.inside(sorted(own, key=self.position.__getitem__), own)
        inputs = [n for n in order if not self.is_inner(n, own) and not is_literal(n)]
        results = [m for m in order if m in own and self.leaves(m, own)]
        return Graph("trial", tuple(inputs), tuple(order), tuple(results))

    def _reads_elsewhere(self, found: Spaces, members: set[Node], graph: Graph) -> str:
        """Whether some node reads another at other places than where the loops are."""
        inputs = set(graph.inputs)
        for node in graph.nodes:
            if node in inputs or node not in found.axes:
                continue
            for operand in node.inputs:
                if operand in inputs or operand not in found.axes:
                    continue
                if node in found.reads:
                    around = {a for axis in found.read(node) for a in axis}
                else:
                    around = set(found.space(node))
                apart = found.space(operand) - around
                if apart and not _reads_less(found, node, apart, around - found.space(operand)):
                    return f"{node.op.name} reads {operand!r} at other places than its own"
        return ""

    def _read(self, node: Node) -> set[Node]:
        """What a node reads behind views, literals left out."""
        bases = {self._base(operand) for operand in node.inputs}
        return {b for b in bases if not is_literal(b) and b not in self.literals}

    def _outside(self, nodes: set[Node], *clusters: Cluster) -> list[Node]:
        return [n for n in nodes if self.of.get(n) not in clusters]

    def _cannot_merge(self, first: Cluster, second: Cluster) -> str:
        if first.before & second.bits or second.before & first.bits:
            return "one depends on the other through a third kernel"
        return self._too_many(first, second)

    def _too_many(self, first: Cluster, second: Cluster) -> str:
        if len(first.members) + len(second.members) > MOST_NODES:
            return f"together they have more than {MOST_NODES} ops"
        if len(self._outside(first.operands | second.operands, first, second)) > MOST_OPERANDS:
            return f"together they read more than {MOST_OPERANDS} tensors"
        members = [*first.members, *second.members]
        if any(m in self.commits for m in members) and any(is_checked(m) for m in members):
            return "an update never shares a kernel with an op that can fail"
        return ""

    # Clusters -----------------------------------------------------------------------------------

    def _start(self, node: Node) -> None:
        cluster = Cluster(len(self.clusters))
        if node.op.kind is Kind.ELEMENTWISE:
            cluster.shape = tensor_type(node).shape
        cluster.bits = 1 << cluster.number
        self.clusters.append(cluster)
        self._join(node, cluster)

    def _join(self, node: Node, cluster: Cluster) -> None:
        if node.op.kind is not Kind.ELEMENTWISE or cluster.shape != tensor_type(node).shape:
            cluster.shape = None
        cluster.members.append(node)
        read = self._read(node)
        cluster.operands |= read
        for base in read:
            self.readers.setdefault(base, []).append(cluster)
        cluster.before |= self.behind[node] & ~cluster.bits
        self.of[node] = cluster

    def _merge(self, clusters: Sequence[Cluster]) -> Cluster:
        """Make the first of some clusters all of them."""
        first = clusters[0]
        for other in clusters[1:]:
            for member in other.members:
                self.of[member] = first
            first.operands |= other.operands
            first.bits |= other.bits
            first.before |= other.before
            first.shape = first.shape if first.shape == other.shape else None
            self.clusters[other.number] = first
        members = [m for cluster in clusters for m in cluster.members]
        first.members = sorted(members, key=self.position.__getitem__)
        first.before &= ~first.bits
        return first

    def _keep(self, node: Node) -> None:
        """Put a view that must be in memory into its producer's kernel, or a kernel of its own."""
        base = self._base(node)
        cluster = self.of.get(base) if node in self.views else None
        if cluster is None or not cluster.open:
            self._explain_kept(base, node)
            self.alone(node)
            return
        reason = self._cannot_share(node, cluster)
        self.views.discard(node)
        self._bases.clear()
        reason = reason or self._cannot_run([cluster], node)
        if reason:
            self.views.add(node)
            self._bases.clear()
            self.refusals.append(Refusal(base, node, reason, cluster))
            self.alone(node)
            return
        self._join(node, cluster)
        self._note_axes(cluster, node, self.planned)

    def _explain_kept(self, base: Node, node: Node) -> None:
        if base is not node and base.op.kind is not Kind.SOURCE:
            reason = f"{node.op.name} is a copy, read where it has to lie in memory"
            self.refusals.append(Refusal(base, node, reason))

    def _read_from_memory(self) -> set[Node]:
        """What the program gives back, and what nodes read that are in no cluster: these compute
        nothing for themselves, neither numbers nor views that they don't look through."""
        found = set(self.outputs)
        for node in self.graph.nodes:
            if node not in self.of and node not in self.views and node not in self.literals:
                found.update(views.in_memory(node))
        return found

    def _serving_updates(self) -> set[Node]:
        """New values of parameters, and elementwise nodes that only these need."""
        aliased = dict(self.graph.aliases)
        shown = {o for k, o in enumerate(self.graph.outputs) if k not in aliased}
        late = set(self.commits)
        for node in reversed(self.graph.nodes):
            users = self.users[node]
            movable = node.op.kind is Kind.ELEMENTWISE or node in self.views
            if movable and node not in shown and users and all(user in late for user in users):
                late.add(node)
        return late

    def _join_updates(self) -> None:
        """All clusters that only compute new parameter values become one."""
        updates: list[Cluster] = []
        for cluster in dict.fromkeys(self.clusters):
            produced = [m for m in cluster.members if self.leaves(m)]
            elementwise = all(m.op.kind is Kind.ELEMENTWISE for m in cluster.members)
            if (
                elementwise
                and produced
                and all(
                    m in self.commits
                    and not any(self.of.get(u) is not cluster for u in self.users[m])
                    for m in produced
                )
            ):
                updates.append(cluster)
        if len(updates) > 1:
            self._merge(updates)


def _stands_alone(node: Node) -> bool:
    return node.op.kind in ALONE and not _is_fusable(node)


def _is_fusable(node: Node) -> bool:
    if node.op.kind is Kind.REDUCE or node.op.kind is Kind.ELEMENTWISE:
        return True
    joins = views.joins_many(node)
    return node.op.kind is Kind.MOVEMENT and isinstance(node.op.lowering, IndexMap) and not joins


def _reads_less(found: Spaces, node: Node, apart: Set[int], own: Set[int]) -> bool:
    """Whether a node that reads at the bidding of data needs fewer elements than there are."""
    if node.op.kind is not Kind.MOVEMENT or not is_gather(node):
        return False
    there, here = extent(found, apart), extent(found, own)
    return here == 1 or dims.at_least(there - here, 0)


def _leads(rows: Shape, shape: Shape) -> bool:
    """Whether a shape is that of the first axes of another, or of as many elements."""
    if dims.product(rows) == dims.product(shape):
        return True
    rows = tuple(size for size in rows if size != 1)
    return bool(rows) and tuple(size for size in shape if size != 1)[: len(rows)] == rows

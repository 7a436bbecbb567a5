"""Fusion: nodes that one kernel can compute together become a `fused` node with a nested graph.

    v0 = exp(x); v1 = sum(v0, axes=(1,)); ...      v0 = fused(x, body=exp_sum_...)

One rule, for chains, diamonds, softmax, layer norm and their gradients alike: a node joins the
cluster of an operand when it reads it at its own index, by whatever views, and its loops are the
cluster's: the same domain, or one element a row (see `cluster`). Views (index maps without data)
belong to nobody: each kernel reads through them. For every pair that stays apart there is a
reason; `explain` lists them.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc import views
from graphc.ir import Graph, IndexMap, Kind, Node, Reduction, is_checked, tensor_type, toposort
from graphc.ops.control import FUSED, ITEM
from graphc.ops.source import INPUT_OP
from graphc.passes.cluster import (
    MOST_NODES,
    MOST_OPERANDS,
    ROW_NBYTES,
    Cluster,
    reduced_part,
    strip,
)
from graphc.types import TupleType

PLACEHOLDERS = ("input", "parameter", "constant")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A producer and a consumer that stay in kernels of their own, and why."""

    producer: Node
    consumer: Node
    reason: str

    def __str__(self) -> str:
        return f"{self.producer!r} and {self.consumer!r}: {self.reason}"


def fuse(graph: Graph) -> Graph:
    """Group nodes into fused ones."""
    fusion = _Fusion(graph)
    return fusion.rebuilt()


def explain(graph: Graph) -> list[Refusal]:
    """Why producers and consumers of a graph, before fusion, stay apart."""
    return _Fusion(graph).refusals


class _Fusion:
    """The clusters of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.refusals: list[Refusal] = []
        self.clusters: list[Cluster] = []
        self.of: dict[Node, Cluster] = {}
        self.readers: dict[Node, list[Cluster]] = {}
        # Bits of the clusters that a node depends on.
        self.behind: dict[Node, int] = {}
        self.users = graph.users()
        self.position = {node: k for k, node in enumerate(graph.nodes)}
        self.outputs = set(graph.outputs)
        self.commits = {graph.outputs[k] for k, _ in graph.aliases}
        self.views = {n for n in graph.nodes if n.op.kind is Kind.MOVEMENT and views.is_view(n)}
        # Numbers made of literals alone: every kernel computes them for itself.
        self.literals: set[Node] = set()
        for node in graph.nodes:
            self._place(node)
        for node in graph.nodes:
            if (node in self.views or node in self.literals) and self._is_needed(node):
                self._alone(node)
        self._join_updates()

    # What joins what --------------------------------------------------------------------------

    def _place(self, node: Node) -> None:
        behind = 0
        for operand in node.inputs:
            behind |= self._behind(operand)
        self.behind[node] = behind
        if self._is_literal(node):
            self.literals.add(node)
            return
        if node in self.views or not _is_fusable(node):
            for operand in node.inputs:
                self._explain_boundary(operand, node)
            return
        chosen: list[Cluster] = []
        for cluster, producer in self._candidates(node):
            reason = self._cannot_join(node, cluster)
            for other in chosen if not reason else ():
                reason = reason or self._cannot_merge(other, cluster)
            if reason:
                self.refusals.append(Refusal(producer, node, reason))
            else:
                chosen.append(cluster)
        if not chosen:
            self._start(node)
            return
        for other in chosen[1:]:
            chosen[0] = self._merge(chosen[0], other)
        self._join(node, chosen[0])

    def _is_literal(self, node: Node) -> bool:
        if node.op.kind is not Kind.ELEMENTWISE or tensor_type(node).shape or is_checked(node):
            return False
        return node not in self.outputs and all(
            i in self.literals or _is_inline(i) for i in node.inputs
        )

    def _behind(self, node: Node) -> int:
        cluster = self.of.get(node)
        if cluster is not None:
            return self.behind[node] | cluster.bits | cluster.before
        return self.behind[node]

    def _explain_boundary(self, operand: Node, node: Node) -> None:
        base, _ = self._base(operand)
        if base in self.of and node not in self.views:
            kind = "a contraction" if node.op.kind is Kind.CONTRACT else "a library kernel"
            self.refusals.append(Refusal(base, node, f"{node.op.name} is {kind}"))

    def _base(self, node: Node) -> tuple[Node, tuple]:
        """The node behind views, with the index at which `node`'s own index reads it."""
        index = views.symbols_of(node, "at")
        return views.follow(node, index, lambda n: n not in self.views)

    def _candidates(self, node: Node) -> list[tuple[Cluster, Node]]:
        found: dict[Cluster, Node] = {}
        for operand in node.inputs:
            base, _ = self._base(operand)
            cluster = self.of.get(base)
            if cluster is not None and cluster.open:
                found.setdefault(cluster, base)
            elif cluster is None and base.op.kind is Kind.CONTRACT:
                self.refusals.append(Refusal(base, node, f"{base.op.name} is a contraction"))
        return list(found.items()) or self._siblings(node)

    def _siblings(self, node: Node) -> list[tuple[Cluster, Node]]:
        """Clusters whose loops read what this node reads: one pass over memory serves both."""
        for base in self._read(node):
            for cluster in dict.fromkeys(self.readers.get(base, ())):
                live = self.clusters[cluster.number]
                if live.open and live.level(tensor_type(base).shape) == "full":
                    return [(live, base)]
        return []

    def _cannot_join(self, node: Node, cluster: Cluster) -> str:
        """Why a node cannot join a cluster; "" when it can."""
        if len(cluster.members) >= MOST_NODES:
            return f"the kernel has {MOST_NODES} ops already"
        for operand in node.inputs:
            base, _ = self._base(operand)
            if self.of.get(base) is not cluster and self._behind(base) & cluster.bits:
                return f"it would make a cycle through {base!r}"
        if len(self._outside(cluster.operands | self._read(node), cluster)) > MOST_OPERANDS:
            return f"the kernel reads {MOST_OPERANDS} tensors already"
        if is_checked(node) and any(m in self.commits for m in cluster.members):
            return "an op that can fail never shares a kernel with an update"
        if node in self.commits and any(is_checked(m) for m in cluster.members):
            return "an update never shares a kernel with an op that can fail"
        if isinstance(node.op.lowering, Reduction):
            return self._cannot_reduce(node, cluster)
        return self._cannot_map(node, cluster)

    def _read(self, node: Node) -> set[Node]:
        """What a node reads behind views, literals left out."""
        bases = {self._base(operand)[0] for operand in node.inputs}
        return {b for b in bases if not _is_inline(b) and b not in self.literals}

    def _outside(self, nodes: set[Node], *clusters: Cluster) -> list[Node]:
        return [n for n in nodes if self.of.get(n) not in clusters]

    def _cannot_map(self, node: Node, cluster: Cluster) -> str:
        shape = tensor_type(node).shape
        level = cluster.level(shape)
        if not level and cluster.can_grow(shape):
            level = "full"
        if not level:
            return f"its shape {_show(shape)} is not that of the loops, {_show(cluster.domain)}"
        index = views.symbols_of(node, "at")
        places = _read_places(node, index)
        for position, operand in enumerate(node.inputs):
            place = places.get(position)
            base, at = views.follow(operand, place or index, lambda n: n not in self.views)
            if self.of.get(base) is not cluster:
                continue
            if base in cluster.terminal:
                return f"{base!r} is ready only when all rows are done"
            if place is None:
                if level == "row" and cluster.level(tensor_type(base).shape) == "full":
                    continue
                return f"it reads {base!r} at indices that are data"
            reason = self._misaligned(cluster, node, level, base, at, index)
            if reason:
                return reason
        return ""

    def _misaligned(
        self, cluster: Cluster, node: Node, level: str, base: Node, at: tuple, index: tuple
    ) -> str:
        own = cluster.level(tensor_type(base).shape)
        rows = cluster.rows
        if len(index) > len(cluster.domain) or cluster.can_grow(tensor_type(node).shape):
            own, rows = "row", cluster.stripped()
        if rows is None:
            rows = len(cluster.domain)
        if own == "full" and level == "full":
            same = strip(at, 0) == strip(index, 0)
            return "" if same else f"it reads {base!r} at other places than its own"
        if own == "row":
            if strip(at, 0) != strip(index[:rows], 0):
                return f"it reads {base!r} of other rows than its own"
            row = cluster.row_nbytes()
            if level == "full" and isinstance(row, int) and row > ROW_NBYTES:
                return f"a row of {row} bytes does not fit in cache"
            return ""
        return f"it takes a part of {base!r}"

    def _cannot_reduce(self, node: Node, cluster: Cluster) -> str:
        operand = node.inputs[0]
        index = views.symbols_of(operand, "at")
        base, at = views.follow(operand, index, lambda n: n not in self.views)
        shape = tensor_type(operand).shape
        level = cluster.level(shape)
        if base in cluster.terminal:
            return f"{base!r} is ready only when all rows are done"
        if not level:
            return f"it reduces {_show(shape)}, the loops run over {_show(cluster.domain)}"
        reason = self._misaligned(cluster, node, level, base, at, index)
        if reason:
            return reason
        part, rank = reduced_part(node), tensor_type(node).rank
        kept, count = rank, len(shape) - rank
        if level == "row":
            if part == "all" and cluster.columns in (None, cluster.rows):
                return ""
            return "it reduces what is one element a row"
        if part == "rows":
            if cluster.columns is not None and cluster.columns != kept:
                return "its rows are not those of the column results"
            return "" if cluster.rows in (None, kept) else "its rows are not those of the kernel"
        if part == "columns" or (part == "all" and cluster.rows is None):
            if cluster.columns not in (None, count) or cluster.rows not in (None, count):
                return "its rows are not those of the kernel"
            return ""
        return f"it reduces axes {node.attr('axes')} of {_show(shape)}"

    def _cannot_merge(self, first: Cluster, second: Cluster) -> str:
        if first.before & second.bits or second.before & first.bits:
            return "one depends on the other through a third kernel"
        if first.holds_rows_of(second) or second.holds_rows_of(first):
            return self._too_many(first, second)
        if first.domain != second.domain:
            return f"loops run over {_show(first.domain)} and {_show(second.domain)}"
        for x, y in ((first.rows, second.rows), (first.columns, second.columns),
                     (first.rows, second.columns), (first.columns, second.rows)):  # fmt: skip
            if x is not None and y is not None and x != y:
                return "their rows differ"
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
        source = node.inputs[0] if isinstance(node.op.lowering, Reduction) else node
        cluster = Cluster(len(self.clusters), tensor_type(source).shape)
        cluster.bits = 1 << cluster.number
        self.clusters.append(cluster)
        self._join(node, cluster)
        if isinstance(node.op.lowering, Reduction) and reduced_part(node) == "apart":
            cluster.open = False

    def _alone(self, node: Node) -> None:
        cluster = Cluster(len(self.clusters), tensor_type(node).shape, open=False)
        cluster.bits = 1 << cluster.number
        self.clusters.append(cluster)
        cluster.members.append(node)
        self.of[node] = cluster

    def _join(self, node: Node, cluster: Cluster) -> None:
        shape = tensor_type(node).shape
        if cluster.members and not cluster.level(shape) and cluster.can_grow(shape):
            cluster.rows, cluster.domain = cluster.stripped(), shape
        if isinstance(node.op.lowering, Reduction):
            shape = tensor_type(node.inputs[0]).shape
            part = reduced_part(node)
            if cluster.level(shape) == "row":
                cluster.terminal.add(node)
                cluster.columns = cluster.rows
            elif part == "rows":
                cluster.rows = tensor_type(node).rank
            elif part != "apart":
                cluster.terminal.add(node)
                cluster.columns = len(node.attr("axes"))
        cluster.members.append(node)
        read = self._read(node)
        cluster.operands |= read
        for base in read:
            self.readers.setdefault(base, []).append(cluster)
        cluster.before |= self.behind[node] & ~cluster.bits
        self.of[node] = cluster

    def _merge(self, first: Cluster, second: Cluster) -> Cluster:
        if second.holds_rows_of(first):
            first, second = second, first
        if first.holds_rows_of(second):
            first.rows = first.columns if first.rows is None else first.rows
            second.rows = second.columns = None
        for member in second.members:
            self.of[member] = first
        first.members = sorted([*first.members, *second.members], key=self.position.__getitem__)
        first.terminal |= second.terminal
        first.operands |= second.operands
        first.bits |= second.bits
        first.before = (first.before | second.before) & ~first.bits
        first.rows = second.rows if first.rows is None else first.rows
        first.columns = second.columns if first.columns is None else first.columns
        self.clusters[second.number] = first
        return first

    def _is_needed(self, view: Node) -> bool:
        """Whether something reads a view from memory."""
        if view in self.outputs:
            return True
        inside = (self.of, self.views, self.literals)
        return any(
            not any(user in group for group in inside) and views.read_in_place(view, user) is None
            for user in self.users[view]
        )

    def _join_updates(self) -> None:
        """All clusters that only compute new parameter values become one."""
        updates: list[Cluster] = []
        for cluster in dict.fromkeys(self.clusters):
            produced = [m for m in cluster.members if self._leaves(m)]
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
        for cluster in updates[1:]:
            self._merge(updates[0], cluster)

    def _leaves(self, member: Node) -> bool:
        """Whether something outside its cluster needs a member."""
        if member in self.outputs:
            return True
        cluster = self.of[member]
        stack = list(self.users[member])
        while stack:
            user = stack.pop()
            if user in self.of:
                if self.of[user] is not cluster:
                    return True
            elif user in self.views or user in self.literals:
                stack += self.users[user]
            else:
                return True
        return False

    # The fused graph ----------------------------------------------------------------------------

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
            self._alone(member)

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
        for node in self._inside(cluster, members):
            if self._is_inner(node, members):
                inner[node] = node.with_inputs([inner[i] for i in node.inputs])
            elif _is_inline(node):
                inner[node] = node
            else:
                name = f"p{len(placeholders)}"
                placeholders[node] = inner[node] = INPUT_OP(name=name, type=tensor_type(node))
        results = [m for m in cluster.members if self._leaves(m)]
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

    def _is_inner(self, node: Node, members: set[Node]) -> bool:
        """Whether a kernel with these members computes (or reads through) a node itself."""
        if node in members:
            return True
        return (node in self.views or node in self.literals) and node not in self.of

    def _inside(self, cluster: Cluster, members: set[Node]) -> list[Node]:
        """Members, the views they read through, and what those read, operands first."""
        order: dict[Node, None] = {}
        for member in cluster.members:
            stack = [(member, False)]
            while stack:
                node, ready = stack.pop()
                if node in order:
                    continue
                if ready or not self._is_inner(node, members):
                    order[node] = None
                    continue
                stack.append((node, True))
                stack += [(i, False) for i in reversed(node.inputs)]
        return list(order)


def _is_fusable(node: Node) -> bool:
    if node.op.kind is Kind.REDUCE or node.op.kind is Kind.ELEMENTWISE:
        return True
    return node.op.kind is Kind.MOVEMENT and isinstance(node.op.lowering, IndexMap)


def _read_places(node: Node, index: tuple) -> dict[int, tuple]:
    """Where an element at `index` reads each operand; none for one read at data's bidding."""
    fact = node.op.lowering
    if not isinstance(fact, IndexMap):
        return dict.fromkeys(range(len(node.inputs)), index)
    places: dict[int, tuple] = {}

    def read(operand: int, at: tuple) -> object:
        places[operand] = at
        return 0

    fact.pieces(node, index, read)
    return places


def _is_inline(node: Node) -> bool:
    """Whether a node is a literal, a place or a size, which kernels make for themselves."""
    return node.op.kind is Kind.SOURCE and node.op.name not in PLACEHOLDERS


def _name(cluster: Cluster) -> str:
    """The body's ops in a few words."""
    names = list(dict.fromkeys(m.op.name.rstrip("_") for m in cluster.members))
    return "_".join(names if len(names) <= 3 else [*names[:2], "to", names[-1]])


def _show(shape: tuple) -> str:
    return f"({', '.join(map(str, shape))})"

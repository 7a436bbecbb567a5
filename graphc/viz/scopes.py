"""What a picture of a graph consists of: units in units, by the scopes that nodes were built in.

    picture = picture_of(graph)
    picture.root.children          modules, functions, kernels, loops, single nodes
    picture.edges                  (node, node): which result goes where

A scope is one unit with a part in each lane: forward, backward, optimizer. Numbers and broadcasts
are no units: the nodes that use them say so. A fused kernel is a unit with its body inside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from graphc.core.ir import Graph, Kind, Node, bodies, is_item, is_literal
from graphc.core.origin import PHASES
from graphc.viz.words import cut, described, folded_words, title_of

LANES = ("forward", "backward", "optimizer")
_LANE = {phase: lane for lane, phase in enumerate(PHASES)}


@dataclass(slots=True, eq=False, repr=False)
class Unit:
    """A box of a picture: a node, or a scope with units inside.

    Attributes:
        title: what stands in bold.
        lines: what stands below it.
        node: of a single node, and of a kernel or a loop.
        children: what is inside.
        parent: the unit around it.
        lanes: how many nodes it has in each lane.
        count: for how many equal ones it stands.
        kind: "scope", "body" of a loop, "group", "node", "input", "parameter", "kernel", "control".
        hint: more to read: the user's line, all attributes.
        marks: what becomes of the result: "output 0", "new w".
    """

    title: str
    kind: str
    lines: list[str] = field(default_factory=list)
    node: Node | None = None
    children: list[Unit] = field(default_factory=list)
    parent: Unit | None = None
    lanes: dict[int, int] = field(default_factory=dict)
    count: int = 1
    names: list[str] = field(default_factory=list)
    hint: str = ""
    marks: list[str] = field(default_factory=list)
    key: str = ""

    def walk(self) -> Iterator[Unit]:
        """The unit and all inside, outer ones first."""
        stack = [self]
        while stack:
            unit = stack.pop()
            yield unit
            stack.extend(reversed(unit.children))

    def above(self) -> list[Unit]:
        """The unit and those around it, the innermost first."""
        found = [self]
        while (parent := found[-1].parent) is not None:
            found.append(parent)
        return found


@dataclass(slots=True, eq=False)
class Picture:
    """The units of a graph, and which result goes where.

    Attributes:
        graph: what is drawn.
        root: the unit of all.
        unit_of: the unit of each node that is drawn.
        edges: (producer, user), each once, both drawn.
    """

    graph: Graph
    root: Unit
    unit_of: dict[Node, Unit] = field(default_factory=dict)
    edges: dict[tuple[Node, Node], None] = field(default_factory=dict)


def is_folded(node: Node) -> bool:
    """Whether a node is no box: a number, a broadcast, a name for one of several results."""
    return is_item(node) or is_broadcast(node) or (is_literal(node) and not _is_placeholder(node))


def is_broadcast(node: Node) -> bool:
    """Whether a node only repeats its operand."""
    return node.op.name == "broadcast"


def _is_placeholder(node: Node) -> bool:
    return any(key == "name" for key, _ in node.attrs)


def lane_of(node: Node) -> int:
    """The lane of a node: a kernel is in that of most of its parts."""
    own = _LANE[node.origin.phase] if node.origin is not None else 0
    if node.op.kind is not Kind.FUSED:
        return own
    counts = Counter(
        lane_of(n) for body in bodies(node).values() for n in body.nodes if not is_folded(n)
        and n.inputs
    )  # fmt: skip
    return max(counts, key=lambda lane: (counts[lane], lane), default=own)


def picture_of(graph: Graph) -> Picture:
    """The units of a graph by scopes, not yet grouped further."""
    picture = Picture(graph, Unit(graph.name, "scope"))
    _Reader(picture, graph, picture.root, None).read()
    for output, position in reversed([(o, k) for k, o in enumerate(graph.outputs)]):
        target = dict(graph.aliases).get(position)
        mark = f"output {position}" if target is None else f"new {graph.inputs[target].name}"
        _mark(picture, output, mark)
    finish(picture.root)
    return picture


def _mark(picture: Picture, output: Node, mark: str) -> None:
    while output not in picture.unit_of and output.inputs:
        output = output.inputs[0]
    if output in picture.unit_of:
        picture.unit_of[output].marks.insert(0, mark)


class _Reader:
    """Makes the units of one graph: the whole, or the body of a kernel or a loop."""

    def __init__(self, picture: Picture, graph: Graph, into: Unit, lane: int | None) -> None:
        self.picture, self.graph, self.into, self.lane = picture, graph, into, lane
        self.scopes: dict[tuple[str, ...], Unit] = {(): into}
        self.path_of: dict[Unit, tuple[str, ...]] = {}
        # What stands for a node in edges; nothing for a number.
        self.producers: dict[Node, tuple[Node, ...]] = {}
        # The same for what a kernel computes inside.
        self.inner: dict[Node, tuple[Node, ...]] = {}
        self.users = graph.users()
        self.prefix = 0

    def read(self) -> None:
        """Make the units and the edges."""
        drawn = [n for n in self.graph.nodes if not is_folded(n) and n not in self.producers]
        paths = {node: self._path(node) for node in drawn}
        known = [p for node, p in paths.items() if node.inputs and p is not None]
        self.prefix = _common(known)
        # What is computed comes first: parameters do not say in which order modules are called.
        for node in drawn:
            if not node.inputs:
                self.producers[node] = () if self._is_state(node) else (node,)
        for node in self.graph.nodes:
            if node in self.producers:
                continue
            if is_folded(node):
                self.producers[node] = tuple(p for i in node.inputs for p in self._of(i, node))
                continue
            self.producers[node] = (node,)
            self._add(node, self._near(node, paths[node] or ()))
        for node in drawn:
            if not node.inputs and self.producers[node]:
                self._add(node, paths[node] or ())

    def _of(self, operand: Node, user: Node) -> tuple[Node, ...]:
        """What stands for an operand: of a kernel with several results, what computes this one."""
        if is_item(user) and operand.op.kind is Kind.FUSED:
            body: Graph = operand.attr("body")
            result = body.outputs[user.attr("index")]
            return self.inner.get(result, (operand,))
        return self.producers.get(operand, ())

    def _path(self, node: Node) -> tuple[str, ...] | None:
        """The scope of a node; of a placeholder that of the first node that reads it."""
        if node.inputs or (node.origin is not None and node.origin.phase):
            return _fused_path(node)
        if node.op.name == "input":
            return None
        for user in self._readers(node):
            if lane_of(user) == 0:
                return _fused_path(user)
        return None

    def _is_state(self, node: Node) -> bool:
        """Whether a node is state that forward reads once or never: its readers' boxes name it."""
        if node.op.name == "input" or not _is_placeholder(node):
            return False
        readers = [*self._readers(node)]
        return bool(readers) and sum(lane_of(reader) == 0 for reader in readers) < 2

    def _near(self, node: Node, path: tuple[str, ...]) -> tuple[str, ...]:
        """The scope of a backward node; where none is known, that of what it follows."""
        if len(path) > self.prefix or self.lane is not None or lane_of(node) != 1:
            return path
        units = self.picture.unit_of
        known = (p for i in node.inputs for p in self.producers.get(i, ()))
        before = [units[p] for p in known if p in units]
        around = [self.path_of.get(u.parent, ()) for u in before if 1 in u.lanes and u.parent]
        return around[0] if around and all(around) else path

    def _readers(self, node: Node) -> Iterator[Node]:
        for user in self.users.get(node, ()):
            if is_folded(user):
                yield from self._readers(user)
            else:
                yield user

    def _add(self, node: Node, path: tuple[str, ...]) -> None:
        lane = lane_of(node) if self.lane is None else self.lane
        unit = Unit(title_of(node), _kind(node), described(node), node, hint=hint_of(node))
        unit.lines += folded_words(node, is_folded, lambda n: self._has_arrow(n, lane))
        unit.lanes[lane] = 1
        scope = self._scope(path)
        unit.parent = scope
        scope.children.append(unit)
        self.picture.unit_of[node] = unit
        self._edges(node, lane)
        for name, body in bodies(node).items():
            self._body(node, unit, name, body, lane)

    def _edges(self, node: Node, lane: int) -> None:
        if node.op.kind is Kind.FUSED:
            return  # they go to the nodes inside
        for operand in node.inputs:
            for producer in self.producers.get(operand, ()):
                if self._has_arrow(producer, lane):
                    self.picture.edges[producer, node] = None

    def _has_arrow(self, node: Node, lane: int) -> bool:
        """Whether users in a lane have an arrow from a node: only forward has from state."""
        return bool(node.inputs) or node.op.name == "input" or not (lane or self._is_state(node))

    def _body(self, node: Node, unit: Unit, name: str, body: Graph, lane: int) -> None:
        inner = _Reader(self.picture, body, unit, lane)
        if node.op.kind is Kind.FUSED:
            given = [self.producers.get(operand, ()) for operand in node.inputs]
            for place, nodes in zip(body.inputs, given):
                inner.producers[place] = tuple(n for n in nodes if self._has_arrow(n, lane))
            inner.read()
            own = {n: inner.producers.get(n, ()) for n in body.outputs}
            self.inner.update(own)
            self.producers[node] = own[body.outputs[0]] if body.outputs else (node,)
            return
        part = Unit(name.replace("_", " "), "body", parent=unit)
        unit.children.append(part)
        inner.into, inner.scopes = part, {(): part}
        inner.read()

    def _scope(self, whole: tuple[str, ...]) -> Unit:
        path = whole[self.prefix :]
        for depth in range(1, len(path) + 1):
            if path[:depth] in self.scopes:
                continue
            around = self.scopes[path[: depth - 1]]
            name = path[depth - 1].partition(":")[0]
            # A part of a list is called after the list.
            title = f"{around.title}.{name}" if name.isdigit() and depth > 1 else name
            unit = Unit(cut(title), "scope", parent=around)
            around.children.append(unit)
            self.scopes[path[:depth]] = unit
            self.path_of[unit] = whole[: len(whole) - len(path) + depth]
        return self.scopes[path]


def _fused_path(node: Node) -> tuple[str, ...]:
    """The scope of a node; of a kernel what the scopes of its parts have in common."""
    own = node.origin.scope if node.origin is not None else ()
    if node.op.kind is not Kind.FUSED:
        return own
    lane = lane_of(node)
    inner = [
        n.origin.scope for body in bodies(node).values() for n in body.nodes
        if n.inputs and n.origin is not None and lane_of(n) == lane
    ]  # fmt: skip
    return inner[0][: _common(inner)] if inner else own


def _common(paths: list[tuple[str, ...]]) -> int:
    """How many names all paths begin with."""
    if not paths:
        return 0
    low, high = min(paths), max(paths)
    return next((k for k, (a, b) in enumerate(zip(low, high)) if a != b), min(len(low), len(high)))


def _kind(node: Node) -> str:
    if node.op.kind is Kind.FUSED:
        return "kernel"
    if bodies(node):
        return "control"
    if not node.inputs and _is_placeholder(node):
        return "input" if node.op.name == "input" else "parameter"
    return "node"


def hint_of(node: Node) -> str:
    """All that is known of a node in one line."""
    attrs = ", ".join(f"{k}={v}" for k, v in node.attrs if not isinstance(v, Graph))
    made = f", {node.origin}" if node.origin else ""
    return f"{node.name}({attrs}): {node.type}{made}"[:400]


def finish(root: Unit) -> None:
    """Count what units hold, drop scopes of nothing or of one unit, give each a key."""
    for unit in reversed([*root.walk()]):
        found = [c for c in unit.children if c.children or c.node is not None]
        unit.children = [_alone(c) for c in found]
        if unit.children and unit.kind not in ("kernel", "control"):
            unit.lanes = {}
            for child in unit.children:
                for lane, count in child.lanes.items():
                    unit.lanes[lane] = unit.lanes.get(lane, 0) + count
    for number, unit in enumerate(root.walk()):
        unit.key = f"u{number}"


def _alone(unit: Unit) -> Unit:
    """What stands for a scope: the one unit in it, called after both."""
    if unit.kind != "scope" or len(unit.children) != 1 or unit.count > 1:
        return unit
    assert unit.parent is not None
    inner = unit.children[0]
    inner.parent = unit.parent
    inner.title = cut(unit.title if inner.kind == "scope" else f"{unit.title}: {inner.title}")
    return inner


__all__ = ["LANES", "Picture", "Unit", "finish", "is_folded", "lane_of", "picture_of"]

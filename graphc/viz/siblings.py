"""Equal units drawn once: twelve equal layers are one box with "× 12".

Two units are equal when their nodes have the same ops, attributes, types, phases and scopes and
hang together alike; what comes from outside counts by its type. Equal are merged

    layers.0 ... layers.11         scopes that follow each other and differ in their number
    update w, update b             updates of parameters, wherever they stand
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from graphc.core.ir import Graph, Node
from graphc.text import show
from graphc.viz.scopes import Picture, Unit, lane_of
from graphc.viz.words import cut

_NUMBER = re.compile(r"\d+")
Shape = tuple[tuple[int, int], ...]


def merge_equal(picture: Picture) -> None:
    """Let one of equal siblings stand for all, everywhere in a picture."""
    digests, twins = _Digests(picture), Twins({}, {})
    for scope in [u for u in picture.root.walk() if u.kind == "scope"][::-1]:
        _merge_children(picture, scope, digests, twins)
    twins.apply(picture)


def _merge_children(picture: Picture, scope: Unit, digests: _Digests, twins: Twins) -> None:
    kept: list[Unit] = []
    known: dict[object, Unit] = {}
    for unit in scope.children:
        stem = _stem(unit)
        key = (stem, digests.of(unit)) if stem else None
        other = known.get(key) if key else None
        if other is not None:
            twins.enter(other, unit, digests)
            continue
        kept.append(unit)
        if unit.kind not in ("input", "parameter", "group"):
            # Scopes that do not follow each other stand in different places of the picture.
            known = {k: u for k, u in known.items() if u.kind == "group"}
        if key:
            known[key] = unit
    scope.children = kept
    for unit in kept:
        if unit.count > 1:
            unit.title = _titled(unit)


def _stem(unit: Unit) -> str:
    """What the names of siblings have in common that may be equal; "" for what stands alone."""
    if unit.kind == "group":
        return "update" if unit.title.startswith("update ") else ""
    if unit.kind == "scope" and _NUMBER.search(unit.title):
        return _NUMBER.sub("#", unit.title)
    return ""


def _titled(unit: Unit) -> str:
    if unit.kind == "group":
        parts = [name.removeprefix("update ") for name in unit.names]
        return cut(f"update {', '.join(parts)}")
    return cut(f"{unit.names[0]}–{_NUMBER.findall(unit.names[-1])[-1]}")


@dataclass(slots=True)
class Twins:
    """Which nodes are drawn for which, and which runs of equal units they are of."""

    of: dict[Node, Node]
    runs: dict[Node, Unit]

    def enter(self, kept: Unit, gone: Unit, digests: _Digests) -> None:
        """Draw `kept` for `gone`."""
        kept.names = kept.names or [kept.title]
        kept.names += [gone.title]
        kept.count += 1
        for node, twin in zip(digests.order(gone), digests.order(kept), strict=True):
            self.of[node] = twin
            self.runs[node] = self.runs[twin] = kept

    def apply(self, picture: Picture) -> None:
        """Arrows of what is not drawn become arrows of what is drawn for it."""
        moved: dict[tuple[Node, Node], None] = {}
        for a, b in picture.edges:
            x, y = self._last(a), self._last(b)
            # From one of equal units to the next: they stand in a row, which the title says.
            between = (
                a in self.runs
                and self.runs[a] is self.runs.get(b)
                and (
                    (a in self.of) != (b in self.of)
                    or self._member(a, picture) is not self._member(b, picture)
                )
            )
            if not between:
                moved[x, y] = None
        for node in self.of:
            picture.unit_of[node] = picture.unit_of[self._last(node)]
        picture.edges = moved

    def _member(self, node: Node, picture: Picture) -> Unit | None:
        """Which of the equal units a node is of."""
        run = self.runs[node].parent
        chain = picture.unit_of[node].above()
        return next((u for u in chain if u.parent is run), None)

    def _last(self, node: Node) -> Node:
        while node in self.of:
            node = self.of[node]
        return node


class _Digests:
    """What units are, so that equal ones have equal digests."""

    def __init__(self, picture: Picture) -> None:
        self.operands: dict[Node, list[Node]] = {}
        for a, b in picture.edges:
            self.operands.setdefault(b, []).append(a)
        self._found: dict[Unit, tuple[int, list[Node]]] = {}
        self._bodies: dict[Graph, str] = {}

    def of(self, unit: Unit) -> int:
        """The digest of a unit."""
        return self._of(unit)[0]

    def order(self, unit: Unit) -> list[Node]:
        """Its nodes, those of equal units in the same order."""
        return self._of(unit)[1]

    def _of(self, unit: Unit) -> tuple[int, list[Node]]:
        if unit not in self._found:
            self._found[unit] = self._digest(unit)
        return self._found[unit]

    def _digest(self, unit: Unit) -> tuple[int, list[Node]]:
        nodes = [(inner.node, path) for inner, path in _inside(unit) if inner.node is not None]
        found: dict[Node, int] = {}
        for node, path in nodes:
            operands = tuple(found.get(i, hash(str(i.type))) for i in self.operands.get(node, ()))
            found[node] = hash((path, *self._own(node), operands))
        order = sorted(found, key=lambda n: found[n])
        return hash(tuple(found[n] for n in order)), order

    def _own(self, node: Node) -> tuple[str, ...]:
        attrs = [
            f"{key}={self._body(value) if isinstance(value, Graph) else value}"
            for key, value in node.attrs
            if key != "name"
        ]
        numbers = [str(i.attrs) for i in node.inputs if not i.inputs and "value" in dict(i.attrs)]
        return (node.op.name, str(node.type), str(lane_of(node)), *attrs, *numbers)

    def _body(self, body: Graph) -> str:
        if body not in self._bodies:
            # The first line has its name, which is another one for each kernel.
            self._bodies[body] = show(body).partition("(")[2]
        return self._bodies[body]


def _inside(unit: Unit) -> Iterator[tuple[Unit, tuple[str, ...]]]:
    """All units inside, each with the names of the scopes between."""
    stack: list[tuple[Unit, tuple[str, ...]]] = [(unit, ())]
    while stack:
        inner, path = stack.pop()
        yield inner, path
        below = (*path, inner.title) if inner is not unit and inner.kind == "scope" else path
        stack.extend((child, below) for child in reversed(inner.children))


__all__ = ["merge_equal"]

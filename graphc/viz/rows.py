"""In which row of its scope each unit stands, and in which order: what does not change when units
are opened and closed.

Forward goes down, and backward beside it goes up: a scope's two parts share a row, and a single
backward node stands in the row of what it reads of forward or below it. Arrows that pass a row
have a place in it, so that they pass between boxes. What comes from outside of a scope enters by
a port on its border. The optimizer has rows of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

from graphc.core.ir import Node
from graphc.core.types import TensorType
from graphc.core.walk import postorder, reach
from graphc.viz.scopes import Picture, Unit

SWEEPS = 8


@dataclass(slots=True, eq=False)
class Slot:
    """A place in a row: of a unit, of an arrow that passes, or of a port.

    Attributes:
        row: counted from 1; ports are in row 0 and in the last.
        unit: None for a bend and for a port.
        node: of a port, what comes through it.
    """

    row: int
    unit: Unit | None = None
    node: Node | None = None
    near: list[Slot] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Link:
    """An arrow between neighbours of a scope, or to its border.

    Attributes:
        path: where it passes, the source first.
        nodes: what goes that way.
        forth: whether it goes with its lane: down, or up in the lane of backward.
    """

    path: list[Slot]
    nodes: list[Node]
    forth: bool = True


@dataclass(slots=True, eq=False)
class Lane:
    """One lane of an open scope: its rows from the top, the ports first and last."""

    number: int
    rows: list[list[Slot]]
    links: list[Link]
    ports: dict[tuple[bool, Node], Slot] = field(default_factory=dict)
    slots: dict[Unit, Slot] = field(default_factory=dict)

    @property
    def up(self) -> bool:
        """Whether it goes up."""
        return self.number == 1


@dataclass(slots=True, eq=False)
class Plan:
    """The inside of a unit: its lanes; forward and backward share rows."""

    lanes: dict[int, Lane] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Plans:
    """The plan of every unit that can be opened, and the arrows from lane to lane."""

    of: dict[Unit, Plan]
    across: dict[tuple[Unit, Unit], None]


Inside = dict[tuple[Unit | Node, Unit | Node], list[Node]]


def plans_of(picture: Picture) -> Plans:
    """The rows of every unit with something inside."""
    inside: dict[Unit, dict[int, Inside]] = {
        u: {0: {}, 1: {}, 2: {}} for u in picture.root.walk() if u.children
    }
    across: dict[tuple[Unit, Unit], None] = {}
    saved: dict[Unit, set[tuple[Unit, Unit]]] = {u: set() for u in inside}
    for a, b in picture.edges:
        x, y = picture.unit_of[a], picture.unit_of[b]
        lane, other = (next(iter(u.lanes), 0) for u in (x, y))
        if lane != other:
            across[x, y] = None
            _lift(x, y, saved)
        elif x is not y:
            _thread(a, x, y, {u: inside[u][lane] for u in (*x.above(), *y.above()) if u.children})
    return Plans({u: _plan(u, inside[u], saved[u]) for u in inside}, across)


def _lift(x: Unit, y: Unit, saved: dict[Unit, set[tuple[Unit, Unit]]]) -> None:
    above, chain = set(x.above()), y.above()
    meet = next(k for k, unit in enumerate(chain) if unit in above)
    if meet:
        left = x.above()
        place = left.index(chain[meet])
        if place:
            saved[chain[meet]].add((left[place - 1], chain[meet - 1]))


def _thread(node: Node, x: Unit, y: Unit, inside: dict[Unit, Inside]) -> None:
    """Enter an arrow in each scope that it passes: out of some, across one, into others."""
    left, right = x.above(), y.above()
    common = set(left) & set(right)
    out = [u for u in left if u not in common]
    into = [u for u in right if u not in common]
    if not out or not into:
        return  # a loop and what is inside of it
    for inner, scope in pairwise(out):
        inside[scope].setdefault((inner, node), []).append(node)
    meet = out[-1].parent
    assert meet is not None
    inside[meet].setdefault((out[-1], into[-1]), []).append(node)
    for inner, scope in pairwise(into):
        inside[scope].setdefault((node, inner), []).append(node)


def _plan(unit: Unit, inside: dict[int, Inside], saved: set[tuple[Unit, Unit]]) -> Plan:
    plan = Plan()
    for lanes in ((0, 1), (2,)):
        members = [c for c in unit.children if any(k in c.lanes for k in lanes)]
        if members:
            rows = _rows(members, [inside[k] for k in lanes], saved)
            for lane in lanes:
                if any(lane in member.lanes for member in members):
                    plan.lanes[lane] = _lane(members, rows, lane, inside[lane])
    return plan


def _rows(
    members: Sequence[Unit], inside: Sequence[Inside], saved: Iterable[tuple[Unit, Unit]]
) -> dict[Unit, int]:
    """Rows from 1, by longest paths: an arrow that closes a circle is left out."""
    number = {unit: k for k, unit in enumerate(members)}
    wanted: list[tuple[int, int, int, int]] = []
    for up, links in enumerate(inside):
        for pair, nodes in links.items():
            a, b = reversed(pair) if up else pair
            if isinstance(a, Unit) and isinstance(b, Unit) and a is not b:
                # Where arrows make a circle, those of numbers go against the flow.
                light = all(not _has_axes(node) for node in nodes)
                wanted.append((1 if light else 0, number[a], number[b], 1))
    for a, b in saved:
        if a in number and b in number and 0 not in b.lanes and 1 not in a.lanes:
            wanted.append((2, number[a], number[b], 0))
    below: dict[Unit, dict[Unit, int]] = {unit: {} for unit in members}
    for _, k, m, step in sorted(wanted):
        a, b = members[k], members[m]
        if b not in below[a] and a not in reach([b], below.__getitem__):
            below[a][b] = step
    order = _order(members, below)
    rows = dict.fromkeys(order, 1)
    for unit in order:
        for other, step in below[unit].items():
            rows[other] = max(rows[other], rows[unit] + step)
    above = {other for unit in members for other in below[unit]}
    for unit in reversed(order):
        # What nothing stands above is just above what needs it, not at the top.
        under = [rows[other] - step for other, step in below[unit].items()]
        if unit not in above and under:
            rows[unit] = max(rows[unit], min(under))
        elif unit not in above and 0 not in unit.lanes and 2 not in unit.lanes:
            rows[unit] = max(rows.values())
    used = {row: k for k, row in enumerate(sorted(set(rows.values())), 1)}
    return {unit: used[rows[unit]] for unit in members}


def _has_axes(node: Node) -> bool:
    return not isinstance(node.type, TensorType) or node.type.shape != ()


def _order(members: Sequence[Unit], below: dict[Unit, dict[Unit, int]]) -> list[Unit]:
    """An order from above to below."""
    found: dict[Unit, None] = {}
    for unit in postorder(reversed(members), below.__getitem__, found):
        found[unit] = None
    return [*reversed(found)]


def _lane(members: Sequence[Unit], rows: dict[Unit, int], lane: int, inside: Inside) -> Lane:
    last = max(rows.values()) + 1
    found = Lane(lane, [[] for _ in range(last + 1)], [])
    for unit in members:
        if lane in unit.lanes:
            found.slots[unit] = slot = Slot(rows[unit], unit)
            found.rows[slot.row].append(slot)
    for (source, target), nodes in inside.items():
        ends = [_end(found, end, k == 0, last) for k, end in enumerate((source, target))]
        if ends[0] is not None and ends[1] is not None and source is not target:
            _link(found, ends[0], ends[1], [*dict.fromkeys(nodes)])
    _arrange(found.rows)
    return found


def _end(lane: Lane, end: Unit | Node, enters: bool, last: int) -> Slot | None:
    if isinstance(end, Unit):
        return lane.slots.get(end)
    key = (enters, end)
    if key not in lane.ports:
        row = 0 if enters != lane.up else last
        lane.ports[key] = slot = Slot(row, None, end)
        lane.rows[row].append(slot)
    return lane.ports[key]


def _link(lane: Lane, source: Slot, target: Slot, nodes: list[Node]) -> None:
    step = 1 if target.row > source.row else -1
    link = Link([source], nodes, (step < 0) is lane.up and source.row != target.row)
    if link.forth:
        for row in range(source.row + step, target.row, step):
            bend = Slot(row)
            lane.rows[row].append(bend)
            link.path.append(bend)
    link.path.append(target)
    lane.links.append(link)
    if link.forth:
        for a, b in pairwise(link.path):
            a.near.append(b)
            b.near.append(a)


def _arrange(rows: list[list[Slot]]) -> None:
    """Order each row so that few arrows cross: by the mean place of neighbours, up and down."""
    best, fewest = [list(row) for row in rows], _crossings(rows)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        places = {slot: k / max(1, len(row)) for row in rows for k, slot in enumerate(row)}
        for row in rows if down else reversed(rows):
            wanted = {}
            for slot in row:
                near = [places[s] for s in slot.near if (s.row < slot.row) is down]
                wanted[slot] = fmean(near) if near else places[slot]
            row.sort(key=wanted.__getitem__)
            places.update({slot: k / max(1, len(row)) for k, slot in enumerate(row)})
        crossings = _crossings(rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    for row, kept in zip(rows, best):
        row[:] = kept


def _crossings(rows: list[list[Slot]]) -> int:
    """How many pairs of arrows cross between neighbouring rows."""
    total = 0
    for upper, lower in pairwise(rows):
        place = {slot: k for k, slot in enumerate(lower)}
        ends = [p for slot in upper for p in sorted(place[s] for s in slot.near if s in place)]
        for k, end in enumerate(ends):
            total += sum(other < end for other in ends[k + 1 :])
    return total


__all__ = ["Lane", "Link", "Plan", "Plans", "Slot", "plans_of"]

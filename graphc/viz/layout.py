"""Where everything of a picture stands, given which units are open.

Each row is as high as its highest box, in all lanes; in a lane each box stands as near as its
neighbours in the row let it to the middle of what it is linked with (the nearest such places in
the sense of least squares, which merging neighbours that collide finds). The page does the same
when a unit is opened (`page.js`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphc.core.ir import Node
from graphc.viz.rows import Lane, Plans, Slot, plans_of
from graphc.viz.scopes import Picture, Unit

CHAR, LINE, PAD = 6.7, 14.0, 8.0
GAP_X, GAP_Y, TITLE, LANE_GAP = 16.0, 26.0, 20.0, 70.0
BEND = 8.0  # what an arrow that passes takes of a row
FEW = 16  # boxes: less of a large graph says too little
STACK = 4.0  # how far what stands behind a box of several looks out


@dataclass(slots=True)
class Box:
    """A part of a unit in one lane, as it is drawn."""

    unit: Unit
    lane: int
    is_open: bool
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def middle(self) -> float:
        """The x of its middle."""
        return self.x + self.width / 2


@dataclass(slots=True)
class Arrow:
    """A curve through points; what it is: forth, against the flow of its lane, or across lanes."""

    points: list[tuple[float, float]]
    kind: str
    source: Unit
    target: Unit
    lane: int
    has_head: bool = True


@dataclass(slots=True)
class Layout:
    """All that is drawn, the boxes around others first."""

    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0
    lanes: dict[int, tuple[float, float]] = field(default_factory=dict)


def lines_of(unit: Unit) -> list[str]:
    """The lines below the title of a closed box."""
    if unit.node is not None:
        return [*unit.lines, *(f"→ {mark}" for mark in unit.marks[:2])]
    marks = [m for u in unit.walk() for m in u.marks if m.startswith("output")]
    return [*(f"→ {mark}" for mark in dict.fromkeys(marks[:2]))]


def text_of(unit: Unit, lane: int) -> tuple[str, list[str]]:
    """Title and lines of a unit's box in a lane."""
    title = f"{unit.title} (× {unit.count})" if unit.count > 1 else unit.title
    if unit.node is not None:
        return title, lines_of(unit)
    count = unit.lanes.get(lane, 0)
    return title, [f"{count} operation{'s' if count != 1 else ''}", *lines_of(unit)[: 1 - lane]]


class Placing:
    """Sizes from the inside out, then places from the outside in."""

    def __init__(self, picture: Picture, plans: Plans, opened: set[Unit]) -> None:
        self.root, self.plans, self.opened = picture.root, plans, opened
        self.sizes: dict[tuple[Unit, int], tuple[float, float]] = {}
        self.xs: dict[Slot, float] = {}
        self.tops: dict[tuple[Unit, int], list[float]] = {}
        self.heights: dict[tuple[Unit, int], list[float]] = {}
        self.layout = Layout()
        self.boxes: dict[tuple[Unit, int], Box] = {}

    def run(self) -> Layout:
        """Place everything."""
        visible = self._visible()
        for unit in reversed(visible):
            self._measure(unit)
        x = PAD * 2
        for lane in sorted(self.root.lanes):
            width, _ = self.sizes[self.root, lane]
            self.layout.lanes[lane] = (x, width)
            box = Box(self.root, lane, True, x, TITLE * 2, width, self.sizes[self.root, lane][1])
            self.boxes[self.root, lane] = box
            x += width + LANE_GAP
        for unit in visible:
            if unit in self.opened:
                self._put(unit)
        self.layout.boxes = [box for (u, _), box in self.boxes.items() if u is not self.root]
        self._draw_links(visible)
        self._draw_across()
        self.layout.width = x - LANE_GAP + PAD * 2
        heights = [self.sizes[self.root, lane][1] for lane in self.root.lanes]
        self.layout.height = TITLE * 2 + max(heights, default=0.0) + PAD
        return self.layout

    def _visible(self) -> list[Unit]:
        found, stack = [], [self.root]
        while stack:
            unit = stack.pop()
            found.append(unit)
            if unit in self.opened:
                stack.extend(reversed(unit.children))
        return found

    def _measure(self, unit: Unit) -> None:
        if unit not in self.opened:
            for lane in unit.lanes:
                title, lines = text_of(unit, lane)
                longest = max(len(title) + 1, *(len(line) for line in lines), 6)
                behind = STACK * 2 if unit.count > 1 else 0.0
                height = LINE * (1 + len(lines)) + PAD * 1.25 + behind
                self.sizes[unit, lane] = (longest * CHAR + 2 * PAD + behind, height)
            return
        plan = self.plans.of[unit]
        for lanes in ((0, 1), (2,)):
            present = [k for k in lanes if k in plan.lanes]
            tops, highs = self._tops(present, plan.lanes)
            for k in present:
                self.tops[unit, k], self.heights[unit, k] = tops, highs
                width = self._columns(plan.lanes[k])
                wide = max(width, (len(unit.title) + 6) * CHAR)
                for row in plan.lanes[k].rows:
                    for slot in row:
                        self.xs[slot] += (wide - width) / 2 + PAD
                self.sizes[unit, k] = (wide + 2 * PAD, tops[-1] + PAD)

    def _tops(
        self, present: Sequence[int], lanes: dict[int, Lane]
    ) -> tuple[list[float], list[float]]:
        """The top of each row and its height; last the bottom of all."""
        count = len(lanes[present[0]].rows) if present else 1
        tops, heights, y = [TITLE], [0.0], TITLE + PAD
        for row in range(1, count - 1):
            tops.append(y)
            slots = [(s.unit, k) for k in present for s in lanes[k].rows[row] if s.unit is not None]
            heights.append(max((self.sizes[slot][1] for slot in slots), default=0.0))
            y += heights[-1] + GAP_Y
        return [*tops, y - GAP_Y + PAD], heights

    def _columns(self, lane: Lane) -> float:
        """Set the x of each slot of a lane, from 0; give the width."""
        widths = {
            slot: self.sizes[slot.unit, lane.number][0] if slot.unit is not None else BEND
            for row in lane.rows
            for slot in row
        }
        centres = columns(lane.rows, widths)
        edges = [(centres[s] - widths[s] / 2, centres[s] + widths[s] / 2) for s in widths]
        left = min((a for a, _ in edges), default=0.0)
        for slot, centre in centres.items():
            self.xs[slot] = centre - left
        return max((b for _, b in edges), default=0.0) - left

    def _put(self, unit: Unit) -> None:
        for k, lane in self.plans.of[unit].lanes.items():
            outer, tops = self.boxes[unit, k], self.tops[unit, k]
            for row in lane.rows:
                for slot in row:
                    self.xs[slot] += outer.x
            for child, slot in lane.slots.items():
                width, height = self.sizes[child, k]
                self.boxes[child, k] = Box(
                    child, k, child in self.opened,
                    self.xs[slot] - width / 2, outer.y + tops[slot.row], width, height,
                )  # fmt: skip

    def _draw_links(self, visible: Sequence[Unit]) -> None:
        for unit in visible:
            if unit not in self.opened:
                continue
            for k, lane in self.plans.of[unit].lanes.items():
                for link in lane.links:
                    drawn: set[tuple[float, ...]] = set()
                    for node in link.nodes:
                        points = self._points(unit, k, lane, link.path, node, link.forth)
                        flat = tuple(round(c, 1) for p in points for c in p)
                        if flat not in drawn:
                            drawn.add(flat)
                            ends = [s.unit or unit for s in (link.path[0], link.path[-1])]
                            kind = "forth" if link.forth else "back"
                            has_head = self._ends(link.path[-1].unit, k, node)
                            arrow = Arrow(points, kind, ends[0], ends[1], k, has_head)
                            self.layout.arrows.append(arrow)

    def _ends(self, unit: Unit | None, k: int, node: Node) -> bool:
        """Whether an arrow ends at a unit, and does not go on inside of it."""
        if unit is None or unit not in self.opened:
            return unit is not None
        return (True, node) not in self.plans.of[unit].lanes[k].ports

    def _points(
        self, unit: Unit, k: int, lane: Lane, path: Sequence[Slot], node: Node, forth: bool
    ) -> list[tuple[float, float]]:
        outer, tops = self.boxes[unit, k], self.tops[unit, k]
        bottoms = [top + height for top, height in zip(tops, self.heights[unit, k])]
        points: list[tuple[float, float]] = []
        for place, slot in enumerate(path):
            first, last = place == 0, place == len(path) - 1
            if not (first or last):
                ends = [(self.xs[slot], outer.y + y) for y in (tops[slot.row], bottoms[slot.row])]
                points += reversed(ends) if lane.up else ends
            elif slot.unit is None:
                points.append((self.xs[slot], outer.y if slot.row == 0 else outer.y + outer.height))
            else:
                x, y = self._border(slot.unit, k, node, lane.up is forth, first)
                # Of a box less high than its row the arrow goes straight to the row's end.
                low = (x, outer.y + bottoms[slot.row])
                below = forth and first is not lane.up and low[1] > y
                ends = [(x, y), low] if below else [(x, y)]
                points += ends if first else reversed(ends)
        return points

    def _border(
        self, unit: Unit, k: int, node: Node, up: bool, leaves: bool
    ) -> tuple[float, float]:
        """Where an arrow leaves or meets a box: at a port of an open one, else in the middle."""
        box = self.boxes[unit, k]
        x = box.middle
        if unit in self.opened:
            lane = self.plans.of[unit].lanes.get(k)
            port = lane.ports.get((not leaves, node)) if lane is not None else None
            x = self.xs[port] if port is not None else x
        top = leaves == up
        return x, box.y if top else box.y + box.height

    def _draw_across(self) -> None:
        """Arrows from lane to lane, from side to side of what is visible."""
        seen: dict[tuple[Unit, Unit], None] = {}
        for a, b in self.plans.across:
            x, y = self._shown(a), self._shown(b)
            seen[x, y] = None
            lanes = next(iter(a.lanes), 0), next(iter(b.lanes), 0)
            if (key := (x, lanes[0])) in self.boxes and (y, lanes[1]) in self.boxes:
                left, right = self.boxes[key], self.boxes[y, lanes[1]]
                ends = (left, right) if left.x < right.x else (right, left)
                points = [
                    (ends[0].x + ends[0].width, ends[0].y + ends[0].height / 2),
                    (ends[1].x, ends[1].y + ends[1].height / 2),
                ]
                if ends[0] is right:
                    points.reverse()
                arrow = Arrow(points, "across", x, y, lanes[1])
                if all(arrow.points != other.points for other in self.layout.arrows[-60:]):
                    self.layout.arrows.append(arrow)

    def _shown(self, unit: Unit) -> Unit:
        """The innermost box around a unit that is visible."""
        for inner, outer in zip(chain := unit.above(), chain[1:]):
            if outer in self.opened and all(u in self.opened for u in outer.above()):
                return inner
        return unit


def columns(rows: Sequence[Sequence[Slot]], widths: dict[Slot, float]) -> dict[Slot, float]:
    """The middles of slots, in their order in each row, near to what they are linked with."""
    xs: dict[Slot, float] = {}
    for row in rows:
        xs.update(settle(row, [0.0] * len(row), widths))
    for sweep in range(10):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = []
            for slot in row:
                near = [s for s in slot.near if sweep > 5 or (s.row < slot.row) is (sweep % 2 == 0)]
                wanted.append(sum(xs[s] for s in near) / len(near) if near else xs[slot])
            xs.update(settle(row, wanted, widths))
    return xs


def settle(
    row: Sequence[Slot], wanted: Sequence[float], widths: dict[Slot, float]
) -> dict[Slot, float]:
    """Places nearest to those wanted where nothing overlaps: blocks that collide become one."""
    offsets, at = [], 0.0
    for k, slot in enumerate(row):
        at += (widths[row[k - 1]] + widths[slot]) / 2 + GAP_X if k else 0.0
        offsets.append(at)
    blocks: list[list[float]] = []  # sum of wanted places less offsets, weight, count
    for slot, x, offset in zip(row, wanted, offsets):
        weight = 1.0 if slot.unit is not None else 4.0 if slot.node is None else 0.5
        blocks.append([(x - offset) * weight, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, heavy, count = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + heavy, blocks[-1][2] + count]
    starts = [total / weight for total, weight, count in blocks for _ in range(int(count))]
    return {slot: start + offset for slot, start, offset in zip(row, starts, offsets)}


def placed(picture: Picture, plans: Plans, opened: set[Unit]) -> Layout:
    """Where everything stands when these units are open."""
    return Placing(picture, plans, opened).run()


def at_first_sight(
    picture: Picture, plans: Plans, boxes: int, width: float, height: float
) -> set[Unit]:
    """The units that are open at first.

    All of a small graph; of others as many scopes with scopes inside as fit, the outer ones first.
    """

    def fits(opened: set[Unit]) -> bool:
        if sum(len(c.lanes) for u in opened for c in u.children) > boxes:
            return False
        found = placed(picture, plans, opened)
        return found.width <= width and found.height <= height

    every = {unit for unit in picture.root.walk() if unit.children}
    if len(every) <= boxes and fits(every):
        return every
    opened = {picture.root}
    level = [picture.root]
    while level:
        inside = [c for unit in level for c in unit.children if _is_whole(c)]
        level = []
        for unit in inside:
            if fits(opened | {unit}):
                opened.add(unit)
                level.append(unit)
    while sum(len(c.lanes) for u in opened for c in u.children) < FEW:
        closed = [c for u in opened for c in u.children if c.kind == "scope" and c not in opened]
        fitting = [c for c in closed if c.children and 2 not in c.lanes and fits(opened | {c})]
        if not fitting:
            break
        opened.add(max(fitting, key=lambda c: len(c.children)))
    return opened


def _is_whole(unit: Unit) -> bool:
    """Whether what is inside of a unit has an inside of its own: a module, not a function."""
    return unit.kind == "scope" and any(c.kind in ("scope", "control") for c in unit.children)


__all__ = ["Arrow", "Box", "Layout", "at_first_sight", "placed", "plans_of"]

"""Units that no scope gives: updates of a parameter, and parts of what is too long to look at.

AdamW                    update w, update b, ..., what they share
a chain of 5,000 nodes   parts of about 20, and parts of these, each named by its ops
"""

from __future__ import annotations

import math

from graphc.core.ir import Kind, Node
from graphc.core.types import TensorType
from graphc.viz.scopes import Picture, Unit
from graphc.viz.words import cut, title_of

LONGEST = 100  # boxes of one scope
AT_ROOT = 20  # of them in one lane of the outermost, which is always open


def group(picture: Picture) -> None:
    """Group the updates of parameters."""
    named = _updated(picture)
    for unit in [u for u in picture.root.walk() if u.kind == "scope"]:
        if [*unit.lanes] == [2]:
            _group_updates(picture, unit, named)


def shorten(picture: Picture) -> None:
    """Group what is too long to look at."""
    for unit in [u for u in picture.root.walk() if u.children]:
        _shorten(unit, AT_ROOT if unit is picture.root else LONGEST)


def _updated(picture: Picture) -> dict[Unit, str]:
    """What the units of new values are new values of."""
    found: dict[Unit, str] = {}
    for output, target in picture.graph.aliases:
        node: Node = picture.graph.outputs[output]
        while node not in picture.unit_of and node.inputs:
            node = node.inputs[0]
        if node in picture.unit_of:
            found.setdefault(picture.unit_of[node], picture.graph.inputs[target].name)
    return found


def _group_updates(picture: Picture, scope: Unit, named: dict[Unit, str]) -> None:
    leaves = {u for u in scope.children if u.node is not None}
    roots: dict[Unit, Unit] = {u: u for u in leaves}

    def root(unit: Unit) -> Unit:
        while roots[unit] is not unit:
            roots[unit] = roots[roots[unit]]
            unit = roots[unit]
        return unit

    owner = {inner: leaf for leaf in leaves for inner in leaf.walk()}
    users: dict[Unit, set[Unit]] = {}
    for a, b in picture.edges:
        x, y = (owner.get(picture.unit_of[n]) for n in (a, b))
        if x is None or y is None or x is y:
            continue
        users.setdefault(x, set()).add(y)
        if not (_is_number(x) or _is_number(y)):
            roots[root(x)] = root(y)
    for unit in reversed([u for u in scope.children if u in leaves and _is_number(u)]):
        owners = {root(user) for user in users.get(unit, ())}
        if len(owners) == 1:
            roots[root(unit)] = owners.pop()
    parts: dict[Unit, list[Unit]] = {}
    for unit in scope.children:
        if unit in leaves:
            parts.setdefault(root(unit), []).append(unit)
    if len(parts) < 2:
        return
    others: list[Unit] = []
    grouped: list[Unit] = []
    for members in parts.values():
        names = [name for u in members for inner in u.walk() if (name := named.get(inner))]
        if names and not all(map(_is_number, members)):
            grouped.append(_grouped(f"update {min(names, key=len)}", members, scope))
        else:
            others += members
    if len(others) > 1 and grouped:
        others = [_grouped("steps and rates", others, scope)]
    scope.children = [*(u for u in scope.children if u not in leaves), *others, *grouped]


def _is_number(unit: Unit) -> bool:
    type_ = unit.node.type if unit.node is not None else None
    return not isinstance(type_, TensorType) or type_.shape == ()


def _grouped(title: str, members: list[Unit], around: Unit) -> Unit:
    unit = Unit(cut(title), "group", children=members, parent=around)
    for member in members:
        member.parent = unit
        for lane, count in member.lanes.items():
            unit.lanes[lane] = unit.lanes.get(lane, 0) + count
    return unit


def _shorten(scope: Unit, most: int) -> None:
    """Group units that are many, lane by lane, until few are left."""
    for lane in (0, 1, 2):
        _gather(scope, [u for u in scope.children if [*u.lanes] == [lane]], most)
    _gather(scope, scope.children, most)


def _gather(scope: Unit, units: list[Unit], most: int) -> None:
    while len(units) > most:
        size = math.ceil(len(units) / max(2, min(most, math.isqrt(len(units)))))
        parts = [units[k : k + size] for k in range(0, len(units), size)]
        at = {members[0]: _grouped(_ops(members), members, scope) for members in parts}
        gone = {u for members in parts for u in members[1:]}
        scope.children = [at.get(u, u) for u in scope.children if u not in gone]
        units = [*at.values()]


def _ops(members: list[Unit]) -> str:
    """A name for a part: its ops, the heaviest first."""
    nodes = [u.node for m in members for u in m.walk() if u.node is not None]
    heavy = {Kind.CONTRACT: 0, Kind.FUSED: 0, Kind.CONTROL: 0, Kind.LIBRARY: 1, Kind.REDUCE: 2}
    nodes.sort(key=lambda n: heavy.get(n.op.kind, 3))
    ops = [n.op.name if n.op.kind is not Kind.FUSED else title_of(n) for n in nodes]
    return ", ".join([*dict.fromkeys(ops)][:4])


__all__ = ["LONGEST", "group", "shorten"]

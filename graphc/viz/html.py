"""The picture as one page that needs no network: opened and closed, searched, zoomed, by keys too.

The page gets the units and their rows (`rows`), and makes the layout itself (`page.js`, which does
what `layout` does). All texts reach it as JSON and are shown as text: none is ever markup.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from graphc.core.ir import Node
from graphc.viz.layout import lines_of
from graphc.viz.rows import Lane
from graphc.viz.scopes import LANES, Unit
from graphc.viz.svg import text
from graphc.viz.views import View

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
KEYS = (
    "click or Enter: open and close · drag: move · wheel or + −: zoom · 0: fit · arrows: go · "
    "/: search · e: open all · c: close all · d: dark or light"
)


def html_of(view: View, name: str, note: str) -> str:
    """A page of a view.

    Args:
        view: what is drawn.
        name: of the graph.
        note: what is said beside it.
    """
    model = json.dumps(_model(view), separators=(",", ":"), ensure_ascii=True)
    model = model.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    folder = files(__package__)
    style, script = ((folder / f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{text(name)}</title>
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width"><style>{style}</style></head>
<body><header><h1>{text(name)}</h1><small>{text(note)}</small>
<input id="search" type="search" placeholder="search (/)" aria-label="search">
<button id="fit">fit</button><button id="more">open all</button><button id="less">close all</button>
<button id="theme">dark / light</button></header>
<main><svg id="view" role="application" aria-label="{text(name)}"><defs><marker id="arrow"
markerWidth="7" markerHeight="7" refX="6" refY="3.5" orient="auto"><path d="M0,0 L7,3.5 L0,7 z"/>
</marker></defs><g id="layer"></g></svg><ul id="found"></ul></main>
<footer>{_legend(view)}<small>{KEYS}</small><div id="info" aria-live="polite"></div></footer>
<script type="application/json" id="model">{model}</script>
<script>{script}</script></body></html>
"""


def _legend(view: View) -> str:
    ways = ("solid: forward, goes down", "dashed: backward, goes up beside it", "dotted: optimizer")
    keys = [
        f'<span class="key"><svg width="24" height="12"><rect class="key{lane}" x="1" y="1" '
        f'width="22" height="10" rx="3"/></svg>{ways[lane]}</span>'
        for lane in sorted(view.picture.root.lanes)
    ]
    words = (
        "thick: fused kernel · round: input, parameter · (× n): n equal ones · dotted arrow: used "
        "in another lane · dashed arrow: against the flow · with …: numbers and broadcasts"
    )
    return "".join([*keys, f'<span class="key">{words}</span>'])


def _model(view: View) -> dict[str, Any]:
    units = [*view.picture.root.walk()]
    number = {unit: k for k, unit in enumerate(units)}
    nodes: dict[Node, int] = {}
    return {
        "lanes": LANES,
        "opened": [number[u] for u in view.opened],
        "across": [
            [number[a], next(iter(a.lanes)), number[b], next(iter(b.lanes))]
            for a, b in view.plans.across
        ],
        "units": [_unit(view, unit, number, nodes) for unit in units],
    }


def _unit(
    view: View, unit: Unit, number: dict[Unit, int], nodes: dict[Node, int]
) -> dict[str, Any]:
    plan = view.plans.of.get(unit)
    return {
        "title": unit.title,
        "kind": unit.kind,
        "leaf": unit.node is not None,
        "lines": lines_of(unit),
        "hint": unit.hint,
        "names": unit.names,
        "count": unit.count,
        "parent": number[unit.parent] if unit.parent is not None else None,
        "children": [number[c] for c in unit.children],
        "lanes": unit.lanes,
        "plan": {k: _lane(lane, number, nodes) for k, lane in plan.lanes.items()} if plan else {},
    }


def _lane(lane: Lane, number: dict[Unit, int], nodes: dict[Node, int]) -> dict[str, Any]:
    slots = [slot for row in lane.rows for slot in row]
    place = {slot: k for k, slot in enumerate(slots)}
    enters = {slot: enters for (enters, _), slot in lane.ports.items()}
    return {
        "up": lane.up,
        "rows": [[place[slot] for slot in row] for row in lane.rows],
        "slots": [
            {
                "row": slot.row,
                "u": number[slot.unit] if slot.unit is not None else None,
                "n": nodes.setdefault(slot.node, len(nodes)) if slot.node is not None else None,
                "enters": enters.get(slot),
                "near": [place[other] for other in slot.near],
            }
            for slot in slots
        ],
        "links": [
            {
                "path": [place[slot] for slot in link.path],
                "nodes": [nodes.setdefault(node, len(nodes)) for node in link.nodes],
                "forth": link.forth,
            }
            for link in lane.links
        ],
    }


__all__ = ["html_of"]

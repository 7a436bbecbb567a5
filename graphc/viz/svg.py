"""The picture as SVG: needs no other program, and nothing in it is more than shapes and text."""

from __future__ import annotations

import html

from graphc.viz.layout import CHAR, LINE, PAD, STACK, TITLE, Arrow, Box, Layout, text_of
from graphc.viz.scopes import LANES

# Of a lane: line and filling, by Okabe and Ito, told apart by all; dashes tell them apart too.
COLOURS = (("#0b6aa2", "#e6f1f8"), ("#b84d00", "#fcece0"), ("#00785a", "#e2f4ee"))
DASHES = ("", "6,3", "2,2")
ARROWS = ("↓", "↑", "")
LEGEND_ROWS = 2
HEAD = ' marker-end="url(#arrow)"'

STYLE = """
.box{stroke-width:1.2}.kernel{stroke-width:2.4}.open{fill-opacity:.35}
text{fill:#1b2330}.t{font-weight:bold}.s{fill:#46505f}
.edge{fill:none;stroke:#5b6675;stroke-width:1.1}
.across{stroke:#9aa4b1;stroke-dasharray:1.5,3}.back{stroke-dasharray:7,4}
"""


def text(value: str) -> str:
    """A user's text, escaped for XML, without what XML cannot hold."""
    return html.escape(
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
    )


def svg_of(layout: Layout, name: str, note: str = "") -> str:
    """A layout as SVG.

    Args:
        layout: what stands where.
        name: of the graph.
        note: what the first line says besides.
    """
    legend, wide = _legend(layout)
    width = max(layout.width, wide, (len(name) + len(note) + 6) * CHAR + 4 * PAD)
    height = layout.height + LINE * LEGEND_ROWS + PAD * 3
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="11">',
        f"<title>{text(name)}</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="arrow" markerWidth="7" markerHeight="7" refX="6" refY="3.5" '
        'orient="auto"><path d="M0,0 L7,3.5 L0,7 z" fill="#5b6675"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        f'<text x="{PAD * 2}" y="{LINE + 2}" font-size="13" class="t">{text(name)}'
        f'<tspan dx="12" font-size="11" font-weight="normal" class="s">{text(note)}</tspan></text>',
        *_headings(layout),
    ]
    parts += [_box(box) for box in layout.boxes if box.is_open]
    parts += [_arrow(arrow) for arrow in layout.arrows if arrow.kind == "across"]
    parts += [_arrow(arrow) for arrow in layout.arrows if arrow.kind != "across"]
    parts += [_box(box) for box in layout.boxes if not box.is_open]
    parts += [f'<g transform="translate(0,{layout.height + PAD:.0f})">', *legend, "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _headings(layout: Layout) -> list[str]:
    if set(layout.lanes) == {0}:
        return []
    return [
        f'<text x="{x + PAD:.1f}" y="{TITLE + LINE + 2:.1f}" class="t" '
        f'style="fill:{COLOURS[k][0]}">'
        f"{LANES[k].capitalize()} {ARROWS[k]}</text>"
        for k, (x, _) in layout.lanes.items()
    ]


def _box(box: Box) -> str:
    unit = box.unit
    line, fill = COLOURS[box.lane]
    dash = f' stroke-dasharray="{DASHES[box.lane]}"' if DASHES[box.lane] else ""
    several = unit.count > 1 and not box.is_open
    width, height = box.width - STACK * 2 * several, box.height - STACK * 2 * several
    round_ = height / 2 if unit.kind in ("input", "parameter") and len(unit.lines) < 2 else 5
    colour = "#ffffff" if unit.kind == "parameter" else fill
    kind = "open" if box.is_open else "kernel" if unit.kind == "kernel" else "box"
    title, lines = text_of(unit, box.lane)
    hint = unit.hint or f"{unit.title}: {unit.lanes.get(box.lane, 0)} operations"
    if unit.names:
        hint += ": " + ", ".join(unit.names)
    parts = [f'<g data-unit="{unit.key}" data-lane="{LANES[box.lane]}"><title>{text(hint)}</title>']
    for behind in (2, 1, 0) if several else (0,):
        parts.append(
            f'<rect class="box {kind}" x="{box.x + STACK * behind:.1f}" '
            f'y="{box.y + STACK * behind:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'rx="{round_:.0f}" fill="{colour}" stroke="{line}"{dash}/>'
        )
    shown = [title] if box.is_open else [title, *lines]
    for number, words in enumerate(shown):
        if box.is_open:
            place = f'x="{box.x + PAD:.1f}"'
        else:
            place = f'x="{box.x + width / 2:.1f}" text-anchor="middle"'
        y = box.y + LINE * (number + 1) + 1
        parts.append(
            f'<text {place} y="{y:.1f}" class="{"s" if number else "t"}">{text(words)}</text>'
        )
    return "".join([*parts, "</g>"])


def curve(points: list[tuple[float, float]], sideways: bool) -> str:
    """A smooth path through points: it leaves and meets boxes straight."""
    (x, y), *rest = points
    path = f"M{x:.1f},{y:.1f}"
    for a, b in rest:
        if sideways:
            bend = (a - x) / 2
            path += f" C{x + bend:.1f},{y:.1f} {a - bend:.1f},{b:.1f} {a:.1f},{b:.1f}"
        elif x == a:
            path += f" L{a:.1f},{b:.1f}"
        else:
            bend = (b - y) / 2
            path += f" C{x:.1f},{y + bend:.1f} {a:.1f},{b - bend:.1f} {a:.1f},{b:.1f}"
        x, y = a, b
    return path


def _arrow(arrow: Arrow) -> str:
    kind = "edge" if arrow.kind == "forth" else f"edge {arrow.kind}"
    ends = f'data-from="{arrow.source.key}" data-to="{arrow.target.key}"'
    path = curve(arrow.points, arrow.kind == "across")
    head = HEAD if arrow.has_head else ""
    return f'<path class="{kind}" data-lane="{LANES[arrow.lane]}" {ends} d="{path}"{head}/>'


def _legend(layout: Layout) -> tuple[list[str], float]:
    """What the shapes mean, those that are there; and how wide it is."""
    kinds = {box.unit.kind for box in layout.boxes}
    entries: list[tuple[str, str]] = []
    for lane in layout.lanes:
        line, fill = COLOURS[lane]
        way = ("solid", "dashed", "dotted")[lane]
        shape = f'<rect width="22" height="11" rx="3" fill="{fill}" stroke="{line}" '
        entries.append((shape + f'stroke-dasharray="{DASHES[lane]}"/>', f"{LANES[lane]} ({way})"))
    if "kernel" in kinds:
        entries.append(('<rect width="22" height="11" rx="3" fill="#fff" stroke="#333" '
                        'stroke-width="2.4"/>', "fused kernel"))  # fmt: skip
    if kinds & {"input", "parameter"}:
        entries.append(('<rect width="22" height="11" rx="5.5" fill="#fff" stroke="#333"/>',
                        "input, parameter"))  # fmt: skip
    if any(box.unit.count > 1 for box in layout.boxes):
        entries.append(('<rect x="3" y="3" width="19" height="9" fill="#fff" stroke="#333"/>'
                        '<rect width="19" height="9" fill="#fff" stroke="#333"/>',
                        "× n: n equal ones, drawn once"))  # fmt: skip
    kinds_of_arrow = {arrow.kind for arrow in layout.arrows}
    names = {"forth": "what uses a result", "across": "used in another lane",
             "back": "against the flow"}  # fmt: skip
    for kind in [k for k in names if k in kinds_of_arrow]:
        css = "edge" if kind == "forth" else f"edge {kind}"
        entries.append(
            (f'<path class="{css}" d="M0,6 L22,6" marker-end="url(#arrow)"/>', names[kind])
        )
    entries.append(("", "numbers and broadcasts stand in what uses them (with ...)"))
    return _in_rows(entries, max(layout.width, 480.0))


def _in_rows(entries: list[tuple[str, str]], width: float) -> tuple[list[str], float]:
    parts, x, y, widest = [], PAD * 2, 0.0, 0.0
    for shape, words in entries:
        need = (30 if shape else 0) + len(words) * CHAR + 20
        if x + need > width and x > PAD * 2 and y == 0:
            x, y = PAD * 2, LINE + 4
        label = f'<text x="{30 if shape else 0}" y="10" class="s">{text(words)}</text>'
        parts.append(f'<g transform="translate({x:.0f},{y:.0f})">{shape}{label}</g>')
        x += need
        widest = max(widest, x)
    return parts, widest


__all__ = ["COLOURS", "DASHES", "curve", "svg_of", "text"]

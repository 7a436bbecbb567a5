"""A graph in Graphviz's language: a cluster for each scope, kernel and loop."""

from __future__ import annotations

from graphc.core.ir import Graph
from graphc.viz.scopes import Unit, picture_of
from graphc.viz.svg import COLOURS

_STYLES = ("filled", "filled,dashed", "filled,dotted")


def dot(graph: Graph) -> str:
    """The graph in Graphviz's language, a cluster for each scope, fused kernel and loop.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> print(gc.viz.dot(gc.Graph.of("g", [x], [gc.tanh(x)]))[:11])
        digraph "g"
    """
    picture = picture_of(graph)
    lines = [
        f"digraph {quoted(graph.name)} {{",
        '  node [shape=box, fontname="monospace", fontsize=9];',
    ]
    # What is left to write: a unit, or the end of one.
    stack: list[Unit | str] = [*reversed(picture.root.children)]
    depth = 1
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            depth -= 1
            lines.append("  " * depth + item)
        elif item.children:
            lines.append("  " * depth + f"subgraph cluster_{item.key} {{")
            depth += 1
            lines.append("  " * depth + f"label={quoted(item.title)};")
            if item.kind == "control":
                lines.append("  " * depth + _box(item))
            stack += ["}", *reversed(item.children)]
        else:
            lines.append("  " * depth + _box(item))
    known = {unit.key for unit in picture.root.walk() if not unit.children}
    known |= {unit.key for unit in picture.root.walk() if unit.kind == "control"}
    for a, b in picture.edges:
        keys = picture.unit_of[a].key, picture.unit_of[b].key
        if known.issuperset(keys):
            lines.append(f"  {keys[0]} -> {keys[1]};")
    return "\n".join([*lines, "}", ""])


def _box(unit: Unit) -> str:
    lane = next(iter(unit.lanes), 0)
    marks = [f"-> {mark}" for mark in unit.marks]
    label = quoted("\n".join([unit.title, *unit.lines, *marks]))
    line, fill = COLOURS[lane]
    return (
        f'{unit.key} [label={label}, tooltip={quoted(unit.hint)}, style="{_STYLES[lane]}", '
        f'color="{line}", fillcolor="{fill}"];'
    )


def quoted(text: str) -> str:
    """A text as Graphviz reads it: nothing in it is an escape of its labels."""
    kept = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return '"' + kept.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


__all__ = ["dot", "quoted"]

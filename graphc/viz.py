"""Pictures and text of graphs: `dump(graph_or_program, path)` writes `.py`, `.dot`, `.svg` or
`.graphml`.

The `.py` file is the text form. The `.dot` file has a cluster for each fused kernel. The `.svg`
file needs no other program: a fused kernel is a box with its body drawn inside, each node shows
its op, type, bytes and the user's line. The layout is Sugiyama's: longest-path layers, then a few
sweeps that order each layer by the mean position of its neighbours. In large graphs a stripe shows
which parts hang together. The `.graphml` file is what `gc.to_networkx` gives, for other programs.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from graphc.core import dims
from graphc.core.graphs import graph_of
from graphc.core.ir import Graph, Kind, Node, bodies, is_item
from graphc.core.types import TensorType, TupleType, Type
from graphc.errors import AttributeValueError
from graphc.networks import communities, graphml
from graphc.text import show

COLOURS = {
    Kind.SOURCE: "#e8eef7",
    Kind.ELEMENTWISE: "#eaf6ea",
    Kind.REDUCE: "#fdf0dc",
    Kind.MOVEMENT: "#f3f3f3",
    Kind.CONTRACT: "#f9dfe0",
    Kind.LIBRARY: "#efe3f6",
    Kind.FUSED: "#ffffff",
    Kind.CONTROL: "#f3f3f3",
}
# A graph of so many nodes has stripes, in these colours by turns.
STRIPED = 24
STRIPES = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")
CHAR_WIDTH, LINE_HEIGHT, PADDING, GAP_X, GAP_Y = 6.6, 14.0, 8.0, 18.0, 30.0


def dump(subject: object, path: str | PathLike[str]) -> Path:
    """Write a graph or a program's final graph to a file.

    Args:
        subject: a `Graph`, a `Program`, a tensor of a graph, or a structure of tensors.
        path: a file name that ends in `.py` (text form), `.dot`, `.svg` or `.graphml`.

    Returns:
        The path written.

    Raises:
        AttributeValueError: the ending is another.

    Example:
        dump(program, "step.svg")

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> gc.viz.dump(gc.compile([x], gc.tanh(x)), "tanh.svg").name
        'tanh.svg'
    """
    target = Path(path)
    writers = {
        ".py": lambda g: show(g, origins=True), ".dot": dot, ".svg": svg, ".graphml": graphml,
    }  # fmt: skip
    if target.suffix not in writers:
        raise AttributeValueError(
            f"dump: {target.name!r} does not end in .py, .dot or .svg, nor in .graphml",
            hint="name the format",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(writers[target.suffix](graph_of(subject, "dump")), encoding="utf-8")
    return target


def label(node: Node) -> list[str]:
    """The lines that describe a node in a picture: op and attributes, type, bytes, user line."""
    attrs = [
        f"{key}={value}"
        for key, value in node.attrs
        if not isinstance(value, Graph | TensorType) and key not in ("inplace", "dtype", "name")
    ]
    title = node.name if node.op.kind is Kind.SOURCE else node.op.name
    title = f"{node.label}: {node.op.name}" if node.label else title
    lines = [title, *_wrapped(", ".join(attrs))]
    lines.append(f"{node.type}  {_nbytes(node.type)}")
    if node.origin:
        lines.append(str(node.origin))
    return lines


def _wrapped(text: str, width: int = 44) -> list[str]:
    if not text:
        return []
    return [text if len(text) <= width else text[: width - 1] + "…"]


def _nbytes(type_: Type) -> str:
    items = type_.items if isinstance(type_, TupleType) else (type_,)
    total: Any = 0
    for item in items:
        total = total + item.nbytes
    if isinstance(total, dims.Dim):
        return f"{total} B"
    for unit in ("B", "kB", "MB", "GB"):
        if total < 10_000 or unit == "GB":
            break
        total = total // 1000
    return f"{total} {unit}"


def dot(graph: Graph) -> str:
    """The graph in Graphviz's language, a cluster for each fused kernel.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> print(gc.viz.dot(gc.Graph.of("g", [x], [gc.tanh(x)]))[:11])
        digraph "g"
    """
    lines = [
        f"digraph {_quoted(graph.name)} {{",
        '  node [shape=box, style=filled, fontname="monospace", fontsize=9];',
    ]
    names: dict[Node, str] = {}
    _dot_nodes(graph, "n", "  ", names, lines)
    for position, output in enumerate(graph.outputs):
        lines.append(f"  out{position} [shape=plaintext, label={_quoted(f'output {position}')}];")
        lines.append(f"  {names[output]} -> out{position};")
    return "\n".join([*lines, "}", ""])


def _dot_nodes(
    graph: Graph, prefix: str, indent: str, names: dict[Node, str], lines: list[str]
) -> None:
    for number, node in enumerate(graph.nodes):
        name = f"{prefix}{number}"
        if node.op.kind is Kind.FUSED:
            _dot_cluster(node, name, indent, names, lines)
            continue
        if node in names:
            continue
        if is_item(node):
            # A projection: the arrow starts at the result inside the kernel, or at the loop.
            owner = node.inputs[0]
            fused = owner.op.kind is Kind.FUSED
            result = owner.attr("body").outputs[node.attr("index")] if fused else owner
            names[node] = names[result]
            continue
        names[node] = name
        text = _quoted("\n".join(label(node)))
        colour = COLOURS[node.op.kind]
        lines.append(f'{indent}{name} [label={text}, fillcolor="{colour}"];')
        lines += [f"{indent}{names[i]} -> {name};" for i in node.inputs]
        for number, body in enumerate(bodies(node).values()):
            _dot_nested(body, f"{name}_{number}", indent, lines)


def _dot_cluster(
    node: Node, name: str, indent: str, names: dict[Node, str], lines: list[str]
) -> None:
    body: Graph = node.attr("body")
    names.update(zip(body.inputs, (names[i] for i in node.inputs)))
    lines.append(f"{indent}subgraph cluster_{name} {{")
    lines.append(f"{indent}  label={_quoted(body.name)};")
    _dot_nodes(body, f"{name}_", indent + "  ", names, lines)
    lines.append(f"{indent}}}")
    names[node] = names[body.outputs[0]]


def _dot_nested(body: Graph, name: str, indent: str, lines: list[str]) -> None:
    """The body of a branch or a loop, beside the node: its inputs are its own."""
    names: dict[Node, str] = {}
    lines.append(f"{indent}subgraph cluster_{name} {{")
    lines.append(f"{indent}  label={_quoted(body.name)};")
    _dot_nodes(body, f"{name}_", indent + "  ", names, lines)
    lines.append(f"{indent}}}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@dataclass(slots=True)
class _Box:
    """A node's place in the picture; its box holds the drawings of its nested graphs."""

    node: Node
    lines: list[str]
    inner: list[tuple[Graph, _Drawing]] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    stripe: str = ""


@dataclass(slots=True)
class _Drawing:
    """A laid-out graph: boxes at positions, and its extent."""

    boxes: dict[Node, _Box] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0


def _layout(graph: Graph) -> _Drawing:
    drawing = _Drawing()
    for node in graph.nodes:
        drawing.boxes[node] = _measure(node)
    if len(graph.nodes) >= STRIPED:
        for node, part in communities(graph.to_networkx()).items():
            drawing.boxes[node].stripe = STRIPES[part % len(STRIPES)]
    layers = _layers(graph)
    _order(graph, layers)
    y = PADDING
    drawing.width = max((_layer_width(drawing, layer) for layer in layers), default=0.0)
    for layer in layers:
        x = PADDING + (drawing.width - _layer_width(drawing, layer)) / 2
        for node in layer:
            box = drawing.boxes[node]
            box.x, box.y = x, y
            x += box.width + GAP_X
        y += max(drawing.boxes[node].height for node in layer) + GAP_Y
    drawing.width += 2 * PADDING
    drawing.height = y - GAP_Y + PADDING if layers else 2 * PADDING
    return drawing


def _measure(node: Node) -> _Box:
    nested = bodies(node)
    if not nested:
        box = _Box(node, label(node))
        box.width = max(len(line) for line in box.lines) * CHAR_WIDTH + 2 * PADDING
        box.height = len(box.lines) * LINE_HEIGHT + PADDING
        return box
    names = ", ".join(body.name for body in nested.values())
    own = "" if node.op.kind is Kind.FUSED else f"{node.op.name} "
    title = f"{own}{names}: {node.type}  {_nbytes(node.type)}"
    box = _Box(node, [title], [(body, _layout(body)) for body in nested.values()])
    wide = sum(drawing.width for _, drawing in box.inner)
    box.width = max(wide, len(title) * CHAR_WIDTH + 2 * PADDING)
    box.height = max(drawing.height for _, drawing in box.inner) + LINE_HEIGHT + PADDING
    return box


def _layers(graph: Graph) -> list[list[Node]]:
    import networkx

    generations = networkx.topological_generations(graph.to_networkx())
    depth = {node: k for k, generation in enumerate(generations) for node in generation}
    users = graph.users()
    for node in reversed(graph.nodes):
        # A source stands just above its first user, not at the top of the picture.
        if not node.inputs and users[node]:
            depth[node] = min(depth[u] for u in users[node]) - 1
    layers: list[list[Node]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in graph.nodes:
        layers[depth[node]].append(node)
    return [layer for layer in layers if layer]


def _order(graph: Graph, layers: list[list[Node]], sweeps: int = 4) -> None:
    users = graph.users()
    position = {node: k for layer in layers for k, node in enumerate(layer)}
    for sweep in range(sweeps):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            near = {n: n.inputs if down else tuple(users[n]) for n in layer}
            layer.sort(key=lambda n: _mean([position[m] for m in near[n]], position[n]))
            position.update({node: k for k, node in enumerate(layer)})


def _mean(values: Sequence[int], otherwise: int) -> float:
    return sum(values) / len(values) if values else float(otherwise)


def _layer_width(drawing: _Drawing, layer: list[Node]) -> float:
    return sum(drawing.boxes[n].width for n in layer) + GAP_X * (len(layer) - 1)


def svg(graph: Graph) -> str:
    """The graph as a self-contained SVG picture.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> gc.viz.svg(gc.Graph.of("g", [x], [gc.tanh(x)])).startswith("<svg")
        True
    """
    drawing = _layout(graph)
    width, height = drawing.width, drawing.height + LINE_HEIGHT + PADDING
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="monospace" font-size="11">',
        '<defs><marker id="arrow" markerWidth="7" markerHeight="7" refX="6" refY="3.5" '
        'orient="auto"><path d="M0,0 L7,3.5 L0,7 z" fill="#667"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        f'<text x="{PADDING}" y="{LINE_HEIGHT}" font-weight="bold">{html.escape(graph.name)}'
        "</text>",
        f'<g transform="translate(0,{LINE_HEIGHT + PADDING / 2:.0f})">',
    ]
    _draw(graph, drawing, parts)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _draw(graph: Graph, drawing: _Drawing, parts: list[str]) -> None:
    outputs = {node: k for k, node in reversed(list(enumerate(graph.outputs)))}
    for node in graph.nodes:
        parts += [_edge(drawing.boxes[i], drawing.boxes[node]) for i in node.inputs]
    for node in graph.nodes:
        _draw_box(drawing.boxes[node], node in outputs, parts)


def _draw_box(box: _Box, is_output: bool, parts: list[str]) -> None:
    colour = COLOURS[box.node.op.kind]
    stroke = '#b03a2e" stroke-width="2' if is_output else "#8899aa"
    dash = ' stroke-dasharray="5,3"' if box.inner else ""
    parts.append(
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="4" fill="{colour}" stroke="{stroke}"{dash}/>'
    )
    if box.stripe:
        parts.append(
            f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="4" height="{box.height:.1f}" '
            f'fill="{box.stripe}"/>'
        )
    for number, line in enumerate(box.lines):
        weight = ' font-weight="bold"' if number == 0 else ' fill="#445"'
        parts.append(
            f'<text x="{box.x + PADDING:.1f}" y="{box.y + LINE_HEIGHT * (number + 1):.1f}"{weight}>'
            f"{html.escape(line)}</text>"
        )
    x = box.x
    for body, drawing in box.inner:
        parts.append(f'<g transform="translate({x:.1f},{box.y + LINE_HEIGHT:.1f})">')
        _draw(body, drawing, parts)
        parts.append("</g>")
        x += drawing.width


def _edge(source: _Box, target: _Box) -> str:
    x0, y0 = source.x + source.width / 2, source.y + source.height
    x1, y1 = target.x + target.width / 2, target.y
    bend = max(12.0, (y1 - y0) / 2)
    return (
        f'<path d="M{x0:.1f},{y0:.1f} C{x0:.1f},{y0 + bend:.1f} {x1:.1f},{y1 - bend:.1f} '
        f'{x1:.1f},{y1:.1f}" fill="none" stroke="#667" marker-end="url(#arrow)"/>'
    )


__all__ = ["dot", "dump", "svg"]

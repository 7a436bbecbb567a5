"""A graph as JSON, for other programs: `dump(graph, "graph.json")`.

    {"format": "graphc graph", "version": 1, "text": "def f(x: f32[3]): ...", "graph": {
        "name": "f", "inputs": ["x"], "outputs": ["v0"], "updates": [],
        "nodes": [{"id": "v0", "op": "tanh", "kind": "elementwise", "types": ["f32[3]"],
                   "inputs": ["x"], "attributes": {}, "label": "", "file": "a.py", "line": 3,
                   "function": "f", "scope": ["layers.0"], "phase": "", "bodies": {}}]}}

`id`s are the names of the text form, which `text` holds whole, so that `gc.text.parse` makes the
graph again. `updates` are pairs [output, input] by position: the output is the input's new value.
`attributes` are text as in the text form. `bodies` are nested graphs, of the form of `graph`.
A file of another version has another meaning; fields may be added to this one.
"""

from __future__ import annotations

import json
from typing import Any

from graphc import text
from graphc.core.ir import Graph, Node, bodies
from graphc.core.spelling import literal
from graphc.core.types import TupleType

FORMAT, VERSION = "graphc graph", 1


def json_of(graph: Graph) -> str:
    """A graph as JSON text."""
    found = {
        "format": FORMAT, "version": VERSION, "text": text.show(graph), "graph": _graph(graph),
    }  # fmt: skip
    return json.dumps(found, indent=1) + "\n"


def _graph(graph: Graph) -> dict[str, Any]:
    names = text.names(graph)
    return {
        "name": graph.name,
        "inputs": [names[node] for node in graph.inputs],
        "outputs": [names[node] for node in graph.outputs],
        "updates": [list(pair) for pair in graph.aliases],
        "nodes": [_node(node, names) for node in graph.nodes],
    }


def _node(node: Node, names: dict[Node, str]) -> dict[str, Any]:
    types = node.type.items if isinstance(node.type, TupleType) else (node.type,)
    origin = node.origin
    return {
        "id": names[node],
        "op": node.op.name,
        "kind": str(node.op.kind),
        "types": [str(type_) for type_ in types],
        "inputs": [names[operand] for operand in node.inputs],
        "attributes": {k: literal(v) for k, v in node.attrs if not isinstance(v, Graph)},
        "label": node.label,
        "file": origin.file if origin else "",
        "line": origin.line if origin else 0,
        "function": origin.function if origin else "",
        "scope": list(origin.scope) if origin else [],
        "phase": origin.phase if origin else "",
        "bodies": {name: _graph(body) for name, body in bodies(node).items()},
    }


__all__ = ["FORMAT", "VERSION", "json_of"]

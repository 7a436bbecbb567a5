"""Equality of nested graphs, and loops over the same operands made one.

    v0 = scan(h, x, body=b)              b gives h', y
    v1 = scan(h, x, body=c)              c gives h', y, z: the gradient's, which keeps z
                                         v0 and v1 are item 0, 1 and item 0, 1, 2 of one scan

Two graphs are equal when they compute the same from inputs of the same types, whatever the names.
"""

from __future__ import annotations

import hashlib
from typing import Any

from graphc.core import structure
from graphc.core.ir import Graph, Node, at_origin, effects
from graphc.core.walk import remade, remake, substitute
from graphc.ops.control import ITEM
from graphc.ops.flow.looping import SCAN


def frozen(value: object) -> Any:
    """An attribute as a key; nested graphs that compute the same have one."""
    return structure.frozen(value, digest)


def digest(graph: Graph) -> bytes:
    """What a nested graph computes, in 16 bytes."""
    numbers = numbered(graph)
    text = repr(
        (
            [str(i.type) for i in graph.inputs],
            [numbers[o] for o in graph.outputs],
            graph.aliases,
        )
    )
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def numbered(graph: Graph) -> dict[Node, bytes]:
    """For each node, what it computes from the inputs, in 16 bytes; equal for equal nodes."""
    found = {node: b"input %d" % k for k, node in enumerate(graph.inputs)}
    for position, node in enumerate(graph.nodes):
        if node in found:
            continue
        operands = [found[i] for i in node.inputs]
        if node.op.commutative:
            operands.sort()
        attrs = [(name, _text(frozen(value))) for name, value in node.attrs]
        own = 0 if node.op.pure or node.op.effect else position + 1
        text = repr((node.op.name, operands, attrs, own))
        found[node] = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return found


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))})"
    return value.__name__ if isinstance(value, type) else repr(value)


def merge(graph: Graph) -> Graph:
    """Make scans over the same operands with the same carries one.

    Returns:
        The graph; itself when there are no such scans.
    """
    groups: dict[Any, list[Node]] = {}
    for node in graph.nodes:
        if node.op is SCAN:
            same = tuple(frozen(node.attr(n)) for n in ("carries", "length", "reverse"))
            groups.setdefault((tuple(map(id, node.inputs)), same), []).append(node)
    joined: dict[Node, tuple[Node, list[int]]] = {}
    for group in groups.values():
        if len(group) > 1:
            _join(group, joined)
    if not joined:
        return graph

    def make(node: Node, new: dict[Node, Node]) -> Node | None:
        if node in joined:
            return None
        if not node.inputs or node.inputs[0] not in joined:
            return remade(node, new)
        whole, places = joined[node.inputs[0]]
        if whole not in new:
            new[whole] = remade(whole, new)
        return ITEM(new[whole], index=places[node.attr("index")])

    return remake(graph, make)


def _join(group: list[Node], joined: dict[Node, tuple[Node, list[int]]]) -> None:
    """One scan for those of a group whose carries are computed alike."""
    carries = group[0].attr("carries")
    alike: dict[Any, list[tuple[Node, dict[Node, bytes]]]] = {}
    for node in group:
        body = node.attr("body")
        numbers = numbered(body)
        key = tuple(numbers[o] for o in body.outputs[:carries])
        alike.setdefault(key, []).append((node, numbers))
    for members in alike.values():
        if len(members) < 2:
            continue
        first = members[0][0].attr("body")
        outputs = list(first.outputs)
        known = {members[0][1][o]: k for k, o in reversed(list(enumerate(outputs))) if k >= carries}
        places: list[tuple[Node, list[int]]] = []
        for node, numbers in members:
            body = node.attr("body")
            own = list(range(carries))
            mapping = dict(zip(body.inputs, first.inputs))
            for output in body.outputs[carries:]:
                number = numbers[output]
                if number not in known:
                    known[number] = len(outputs)
                    outputs += substitute([output], mapping)
                own.append(known[number])
            places.append((node, own))
        attrs = dict(members[0][0].attrs)
        attrs["body"] = Graph.of(first.name, first.inputs, outputs, kept=effects(first.nodes))
        with at_origin(members[0][0].origin):
            whole = SCAN(*members[0][0].inputs, **attrs)
        for node, own in places:
            joined[node] = (whole, own)

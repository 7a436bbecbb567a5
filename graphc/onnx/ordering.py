"""The order of an ONNX graph's nodes, and what messages call them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onnx import NodeProto

from graphc.errors import FormatError
from graphc.onnx.files import nested


def place_of(node: NodeProto) -> str:
    """What messages call a node."""
    name = node.name or (node.output[0] if node.output else "")
    return f"node {name!r} ({node.domain + ':' if node.domain else ''}{node.op_type})"


def ordered(nodes: Sequence[NodeProto], scope: Any, label: str) -> list[NodeProto]:
    """Nodes, each after those whose outputs it takes.

    Raises:
        FormatError: a cycle, or an output that two nodes make.
    """
    maker: dict[str, int] = {}
    for k, node in enumerate(nodes):
        for name in node.output:
            if name and name in maker:
                raise FormatError(f"{label}: {name!r} is made by two nodes")
            if name:
                maker[name] = k
    wants = [_needs(node, maker) for node in nodes]
    if all(max(w, default=-1) < k for k, w in enumerate(wants)):
        return list(nodes)
    done: list[int] = []
    users: dict[int, list[int]] = {}
    missing = [len(w) for w in wants]
    for k, w in enumerate(wants):
        for other in w:
            users.setdefault(other, []).append(k)
    ready = [k for k, count in enumerate(missing) if not count]
    while ready:
        k = ready.pop(0)
        done.append(k)
        for user in users.get(k, ()):
            missing[user] -= 1
            if not missing[user]:
                ready.append(user)
    if len(done) < len(nodes):
        stuck = next(nodes[k] for k in range(len(nodes)) if missing[k])
        raise FormatError(f"{label}: {place_of(stuck)} depends on itself")
    return [nodes[k] for k in done]


def _needs(node: NodeProto, maker: Mapping[str, int]) -> set[int]:
    found = {maker[name] for name in node.input if name in maker}
    for graph in nested(node):
        own = {i.name for i in graph.input} | {n for inner in graph.node for n in inner.output}
        for inner in graph.node:
            found |= _needs(inner, {n: k for n, k in maker.items() if n not in own})
        found |= {maker[o.name] for o in graph.output if o.name in maker and o.name not in own}
    return found

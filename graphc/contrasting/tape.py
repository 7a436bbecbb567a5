"""The operations of an eager call as a graph, so that it can be drawn like a static one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.contrasting.observe import Operation
from graphc.core.dtypes import as_dtype
from graphc.core.ir import Graph, Kind, Node, NoGradient, Op
from graphc.core.types import TensorType

_KINDS = {"forward": Kind.ELEMENTWISE, "backward": Kind.REDUCE, "update": Kind.LIBRARY}


def tape(name: str, operations: Sequence[Operation]) -> Graph:
    """A graph of what was dispatched: an edge where an operation used another's result.

    Args:
        name: of the graph.
        operations: in the order in which they ran.

    Returns:
        A graph to look at: it has no meaning for passes. What came from outside is a source;
        operations whose results nothing used are outputs.
    """
    made: dict[int, Node] = {}
    sources: list[Node] = []
    nodes: list[Node] = []
    for operation in operations:
        operands = []
        for array in operation.operands:
            node = _owner(array, made)
            if node is None and not array.ndim:
                continue  # a setting, such as the learning rate: an arrow to every update
            if node is None:
                node = _node("tensor", Kind.SOURCE, (), array, None, len(sources))
                sources.append(node)
                nodes.append(node)
                made[_address(array)] = node
            operands.append(node)
        first = operation.results[0] if operation.results else np.empty(0, np.float32)
        kind = _KINDS[operation.phase]
        operands = list(dict.fromkeys(operands))
        node = _node(operation.name, kind, tuple(operands), first, operation.origin)
        nodes.append(node)
        for result in operation.results:
            made[_address(result)] = node
    used = {id(i) for node in nodes for i in node.inputs}
    ends = [n for n in nodes if id(n) not in used and n.op.kind is not Kind.SOURCE]
    return Graph(name, tuple(sources), tuple(nodes), tuple(ends))


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def _owner(array: np.ndarray, made: dict[int, Node]) -> Node | None:
    """What wrote the memory last. Operations keep their arrays, so an address stays theirs."""
    return made.get(_address(array))


def _node(
    name: str, kind: Kind, operands: tuple[Node, ...], array: np.ndarray, origin: Any,
    number: int = 0,
) -> Node:  # fmt: skip
    type_ = TensorType(as_dtype(array.dtype), array.shape)
    op = Op(name, kind, lambda *_: type_, lambda *_: array, NoGradient("a picture"))
    attrs: tuple[tuple[str, Any], ...] = (("name", f"t{number}"),) if kind is Kind.SOURCE else ()
    return Node(op, operands, attrs, type_, origin)


__all__ = ["tape"]

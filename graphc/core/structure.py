"""What a graph computes from its inputs, as a key: graphs of equal keys differ in names alone.

structure(body) == structure(other)        one kernel serves both
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from graphc.core.ir import Graph


def structure(graph: Graph) -> Any:
    """A graph as a key: its nodes in order, each with its op, attributes, type and operands.

    Args:
        graph: a body, whose inputs are placeholders.

    Example:
        >>> import graphc as gc
        >>> from graphc.core.ir import Graph
        >>> from graphc.core.structure import structure
        >>> graphs = [Graph.of(name, [x := gc.input(name, ())], [x * 2]) for name in "ab"]
        >>> structure(graphs[0]) == structure(graphs[1])
        True
    """
    places = {node: k for k, node in enumerate(graph.inputs)}
    found: list[Any] = [node.type for node in graph.inputs]
    for node in graph.nodes:
        if node not in places:
            places[node] = len(places)
            operands = tuple([places[i] for i in node.inputs])
            attrs = tuple([(name, frozen(value, structure)) for name, value in node.attrs])
            found.append((node.op, node.type, operands, attrs))
    return len(graph.inputs), tuple(found), tuple([places[o] for o in graph.outputs])


def frozen(value: object, of: Callable[[Graph], Any]) -> Any:
    """A hashable stand-in for an attribute that tells apart what Python's `==` does not.

    Args:
        value: an attribute.
        of: the key of a nested graph.
    """
    if isinstance(value, tuple):
        return tuple([frozen(v, of) for v in value])
    if isinstance(value, float):
        return float, struct.pack("<d", value)
    if isinstance(value, Graph):
        return Graph, of(value)
    return type(value), value

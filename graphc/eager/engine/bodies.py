"""Branches and loops of eager code in a graph: the graph's functions, their bodies eager code.

A trace says how a function of tensors is called on a body's nodes; what the eager functions were
given is brought into the order of the graph's here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.core.ir import Node
from graphc.core.operators import FUNCTIONS
from graphc.core.trees import flatten
from graphc.eager.engine.tensor import Tensor

# The arguments of each that are functions; the others are tensors and settings.
_BODIES = {"cond": (1, 2), "while_loop": (0, 1), "scan": (0,), "map": (0,)}


def built(
    name: str,
    arguments: Sequence[Any],
    settings: Mapping[str, Any],
    body: Callable[[Callable[..., Any], Sequence[Any]], Any],
    node_of: Callable[[Tensor], Node],
) -> Any:
    """The results of a branch or a loop as nodes, its bodies traced.

    Args:
        name: "cond", "while_loop", "scan" or "map".
        arguments: the eager function's: functions and structures of tensors.
        settings: its keyword arguments.
        body: calls one of the functions on nodes, and gives nodes.
        node_of: the node of an eager tensor.
    """

    def traced(function: object) -> Any:
        if not callable(function):
            return function

        def run(*nodes: object) -> Any:
            return body(function, nodes)

        run.__name__ = getattr(function, "__name__", "body")
        return run

    given = [
        traced(value) if k in _BODIES[name] else nodes_in(value, node_of)
        for k, value in enumerate(arguments)
    ]
    return FUNCTIONS[name](*given, **settings)


def nodes_in(value: object, node_of: Callable[[Tensor], Node]) -> Any:
    """A structure with nodes for its eager tensors."""
    leaves, tree = flatten(value)
    return tree.restore([node_of(v) if isinstance(v, Tensor) else v for v in leaves])

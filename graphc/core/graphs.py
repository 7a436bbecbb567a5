"""Whatever stands for a graph, as one: what is shown of graphs is shown of tensors too."""

from __future__ import annotations

from graphc.core.ir import Graph, Node, caller
from graphc.core.trees import flatten
from graphc.core.walk import toposort
from graphc.errors import ArgumentError


def graph_of(value: object, name: str) -> Graph:
    """A graph, a program's final one, or what tensors need, its placeholders as inputs.

    Args:
        value: a `Graph`, a `Program`, a function that has one (compiled, traced, loaded), a tensor
            of a graph, or a nested structure of them.
        name: of the function that was given it, for messages.

    Raises:
        ArgumentError: it is something else.
    """
    program = value if hasattr(value, "history") else getattr(value, "program", None)
    if history := getattr(program, "history", None):
        return history[-1][1]
    if isinstance(value, Graph):
        return value
    roots, _ = flatten(value)
    if not roots:
        raise ArgumentError(
            f"{name}: {type(value).__name__} {value!r:.60} has no tensor", where=caller()
        )
    for root in roots:
        if not isinstance(root, Node):
            raise ArgumentError(
                f"{name}: {type(root).__name__} {root!r:.60} is neither a graph nor a tensor",
                where=caller(),
                hint="give a Graph, a Program, a symbolic tensor, or lists and dicts of tensors",
            )
    order = toposort(roots)
    named = [n for n in order if not n.inputs and any(key == "name" for key, _ in n.attrs)]
    return Graph("graph", tuple(named), tuple({**dict.fromkeys(named), **order}), tuple(roots))


__all__ = ["graph_of"]

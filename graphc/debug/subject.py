"""What a user gives to be looked into, as a graph and arrays for its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.core.access import access
from graphc.core.arguments import as_array, bind_sizes
from graphc.core.declared import valued
from graphc.core.interpret import computed
from graphc.core.ir import Graph, Node, caller
from graphc.errors import ArgumentError
from graphc.ops.source import Bound


@dataclass(frozen=True, slots=True)
class Subject:
    """A graph with values.

    Attributes:
        program: that was given, or None.
        graph: as traced.
        history: pairs of a pass's name and the graph after it.
        arrays: of `graph.inputs`, parameters among them.
        sizes: of symbolic dimensions, by name.
    """

    program: Any
    graph: Graph
    history: tuple[tuple[str, Graph], ...]
    arrays: tuple[np.ndarray, ...]
    sizes: dict[str, int]


def program_of(value: Any) -> Any:
    """A program itself, or the one of a compiled, traced or loaded function; else None."""
    return value if hasattr(value, "history") else getattr(value, "program", None)


def subject_of(what: str, value: Any, args: Sequence[Any], named: Mapping[str, Any]) -> Subject:
    """A program, a function that has one, or a graph, with the arguments of a call.

    Args:
        what: the function that was called, for messages.
        value: what the user gave.
        args, named: as in a call.

    Raises:
        ArgumentError: it is something else, or the arguments don't fit.
    """
    program = program_of(value)
    graph = value if isinstance(value, Graph) else getattr(program, "graph", None)
    if graph is None:
        raise ArgumentError(
            f"{what}: {type(value).__name__} is neither a program nor a graph", where=caller()
        )
    free = [node for node in graph.inputs if not isinstance(node, Bound)]
    if program is not None:
        given = program._arrays(args, named)
    elif len(args) == len(free) and not named:
        given = [as_array(node, array) for node, array in zip(free, args)]
    else:
        raise ArgumentError(
            f"{what}: {graph.name} takes {len(free)} arrays, got {len(args)}",
            [node.describe() for node in free[:8]],
            where=caller(),
        )
    values = _values(graph, dict(zip(free, given)))
    sizes = bind_sizes(free, given, valued(free, graph.nodes))
    sizes |= computed(graph, values, sizes)
    history = tuple(program.history) if program is not None else (("traced", graph),)
    return Subject(program, graph, history, tuple(values[n] for n in graph.inputs), sizes)


def _values(graph: Graph, given: Mapping[Node, np.ndarray]) -> dict[Node, np.ndarray]:
    bound = [node for node in graph.inputs if isinstance(node, Bound)]
    with access(reads=[node.state for node in bound]):
        return {**given, **{node: node.state.latest().copy() for node in bound}}


__all__ = ["Subject", "program_of", "subject_of"]

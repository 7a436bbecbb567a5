"""`gc.interpret`: run a graph, or what a program was made of, with NumPy."""

from __future__ import annotations

from typing import Any

from graphc import config
from graphc.core.access import access
from graphc.core.arguments import as_array, bind_sizes
from graphc.core.declared import valued
from graphc.core.interpret import computed
from graphc.core.ir import Graph, caller
from graphc.errors import ArgumentError
from graphc.ops.printing import muted
from graphc.ops.source import Bound
from graphc.passes.stabilise import stabilise
from graphc.runtime.interpreter import run


def interpret(graph: Any, *arrays: Any) -> list[Any]:
    """Run a graph with NumPy, one op at a time: the definition of what it computes.

    Args:
        graph: a `Graph`, or a `Program` (its graph as traced).
        arrays: values of the graph's inputs in order. Parameters and constants may be left out;
            they have their own.

    Returns:
        The outputs as a list; new values of parameters are among them, and no state changes.

    Raises:
        ArgumentError: the number of arrays is neither that of all inputs nor that of those
            without a value.
        ShapeError, DTypeError: an array doesn't fit its declaration.
        IndexRangeError, CastOverflowError, NonFiniteError: see `run`.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> gc.interpret(gc.Graph.of("double", [x], [x + x]), np.array([1, 2, 3], np.float32))
        [array([2., 4., 6.], dtype=float32)]
    """
    first = getattr(getattr(graph, "_build", None), "first", None)
    graph = getattr(graph, "graph", graph)
    if not isinstance(graph, Graph):
        raise ArgumentError(
            f"interpret: {type(graph).__name__} is neither a Graph nor a Program",
            where=caller(),
            hint="make one with gc.Graph.of(name, inputs, outputs)",
        )
    free = [node for node in graph.inputs if not isinstance(node, Bound)]
    if first is not None and len(arrays) == len(free) - first.count:
        named = dict(zip([node.name for node in free], arrays))
        with muted():
            arrays = (*arrays, *interpret(first.program, *[named[name] for name in first.names]))
    given = list(graph.inputs) if len(arrays) == len(graph.inputs) else free
    if len(arrays) != len(given):
        raise ArgumentError(
            f"interpret: {graph.name} has {len(free)} inputs without a value, "
            f"got {len(arrays)} arrays",
            [node.describe() for node in free],
            where=caller(),
        )
    values = {node: as_array(node, value) for node, value in zip(given, arrays)}
    sizes = bind_sizes(given, list(values.values()), valued(given, graph.nodes))
    states = [n.state for n in graph.inputs if n not in values]  # type: ignore[attr-defined]
    with access(reads=states):
        for node in graph.inputs:
            if node not in values:
                values[node] = node.state.latest().copy()  # type: ignore[attr-defined]
    sizes |= computed(graph, values, sizes)
    graph = stabilise(graph)
    ordered = [values[node] for node in graph.inputs]
    return run(graph, ordered, sizes, "finite" in config.current().check)

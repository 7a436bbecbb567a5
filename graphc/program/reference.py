"""Running a graph op by op with NumPy, with the errors that a user should see.

`interpret` defines what ops compute; here its errors get the user's line, and with
`finite=True` the first op that makes a nan or an inf is named. Programs with
`target="reference"` and those compiled under `GRAPHC_CHECK=finite` run this way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc import config
from graphc.core.access import access
from graphc.core.arguments import as_array, bind_sizes
from graphc.core.interpret import located, run_node
from graphc.core.ir import Graph, Kind, Node, caller
from graphc.errors import (
    ArgumentError,
    CastOverflowError,
    IndexRangeError,
    NonFiniteError,
)
from graphc.ops.source import Bound


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
        >>> interpret(Graph.of("double", [x], [x + x]), [1.0, 2.0, 3.0])
        [array([2., 4., 6.], dtype=float32)]
    """
    graph = getattr(graph, "graph", graph)
    if not isinstance(graph, Graph):
        raise ArgumentError(
            f"interpret: {type(graph).__name__} is neither a Graph nor a Program",
            where=caller(),
            hint="make one with gc.Graph.of(name, inputs, outputs)",
        )
    free = [node for node in graph.inputs if not isinstance(node, Bound)]
    given = list(graph.inputs) if len(arrays) == len(graph.inputs) else free
    if len(arrays) != len(given):
        raise ArgumentError(
            f"interpret: {graph.name} has {len(free)} inputs without a value, "
            f"got {len(arrays)} arrays",
            [node.describe() for node in free],
            where=caller(),
        )
    values = {node: as_array(node, value) for node, value in zip(given, arrays)}
    sizes = bind_sizes(given, list(values.values()))
    states = [n.state for n in graph.inputs if n not in values]  # type: ignore[attr-defined]
    with access(reads=states):
        for node in graph.inputs:
            if node not in values:
                values[node] = node.state.array.copy()  # type: ignore[attr-defined]
    ordered = [values[node] for node in graph.inputs]
    return run(graph, ordered, sizes, "finite" in config.current().check)


def run(
    graph: Graph, arrays: Sequence[np.ndarray], sizes: Mapping[str, int], finite: bool = False
) -> list[np.ndarray]:
    """The outputs of a graph, computed with NumPy.

    Args:
        graph: any graph.
        arrays: values of `graph.inputs`, in their order, of the declared types.
        sizes: the sizes of symbolic dimensions, by name.
        finite: check every result.

    Returns:
        The outputs; they may share memory with the arrays.

    Raises:
        IndexRangeError, CastOverflowError: with the op and the user's line.
        NonFiniteError: with `finite`, an op made a nan or an inf from finite values, or an
            input holds a nan.
    """
    values: dict[Node, Any] = dict(zip(graph.inputs, arrays, strict=True))
    if finite:
        for node, array in values.items():
            _check_input(node, array)
    for node in graph.nodes:
        if node in values:
            continue
        operands = [values[i] for i in node.inputs]
        values[node] = _run_node(node, operands, sizes)
        if finite and node.op.kind not in (Kind.SOURCE, Kind.MOVEMENT):
            _check_finite(node, operands, values[node])
    return [values[output] for output in graph.outputs]


def _run_node(node: Node, operands: Sequence[Any], sizes: Mapping[str, int]) -> Any:
    try:
        return run_node(node, operands, sizes)
    except (IndexRangeError, CastOverflowError) as error:
        raise located(error, node) from None


def _is_finite(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_finite, value))
    return value.dtype.kind != "f" or bool(np.isfinite(value).all())


def _check_input(node: Node, array: np.ndarray) -> None:
    if array.dtype.kind == "f" and bool(np.isnan(array).any()):
        raise NonFiniteError(
            f"{node.op.name} {node.name!r} holds {_first(array, np.isnan(array))}",
            where=node.origin,
            hint="the value was nan before the program ran",
        )


def _check_finite(node: Node, operands: Sequence[Any], result: Any) -> None:
    if _is_finite(result) or not all(map(_is_finite, operands)):
        return
    results = result if isinstance(result, tuple) else (result,)
    array = next(r for r in results if not _is_finite(r))
    raise NonFiniteError(
        f"{node.op.name} made {_first(array, ~np.isfinite(array))} from finite values",
        [
            f"operand {_extremes(operand)}: {operand_node.describe()}"
            for operand_node, operand in zip(node.inputs, operands)
        ],
        where=node.origin,
        hint="the state of the program is as it was before the call",
    )


def _first(array: np.ndarray, bad: np.ndarray) -> str:
    position = tuple(int(i) for i in np.argwhere(bad)[0])
    place = f" at index {position if len(position) > 1 else position[0]}" if position else ""
    count = int(bad.sum())
    others = f" (and {count - 1} more)" if count > 1 else ""
    return f"{array[position]}{place}{others}"


def _extremes(array: Any) -> str:
    if isinstance(array, tuple) or not array.size:
        return "empty"
    low, high = array.min(), array.max()
    return f"{low}" if low == high else f"{low} to {high}"

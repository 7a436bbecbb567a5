"""The reference: run a graph with NumPy, one op at a time. It is the definition of every op."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.declared import valued, values_of
from graphc.core.ir import Graph, Node, bodies, map_sizes
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType, TupleType, bind
from graphc.core.walk import toposort
from graphc.errors import (
    AttributeValueError,
    CastOverflowError,
    CheckError,
    DivisionError,
    GraphcError,
    IndexRangeError,
    InternalError,
    LinAlgError,
    ShapeError,
)

# What checked ops raise when a program runs.
AT_RUN_TIME = (
    AttributeValueError, CastOverflowError, CheckError, DivisionError, IndexRangeError, LinAlgError,
    ShapeError,
)  # fmt: skip

After = Callable[[Node, Sequence[Any], Any], None]


def run(graph: Graph, arrays: Sequence[Any]) -> tuple[np.ndarray, ...]:
    """The outputs of a graph for one array for each of its inputs.

    Args:
        graph: any graph, fused or not.
        arrays: values of `graph.inputs`, in their order, of their dtypes.

    Returns:
        The outputs, as fresh or shared arrays of the declared dtypes.

    Raises:
        ShapeError: the arrays' shapes contradict the declared ones.
    """
    declared = {str(k): node.type for k, node in enumerate(graph.inputs)}
    shapes = {str(k): np.shape(a) for k, a in enumerate(arrays)}
    values = {symbol: int(arrays[k]) for k, symbol in valued(graph.inputs, graph.nodes)}
    sizes = bind(declared, shapes, values)  # type: ignore[arg-type]
    sizes |= computed(graph, dict(zip(graph.inputs, arrays)), sizes)
    return run_sized(graph, arrays, sizes)


def computed(graph: Graph, values: Mapping[Node, Any], sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes of a graph that are computed of its inputs, by name.

    Args:
        graph: any graph.
        values: of its inputs.
        sizes: those that are known.
    """
    found = {}
    for symbol in values_of(graph.nodes).values():
        if symbol.name not in sizes and symbol.source is not None:
            order = toposort([symbol.source])
            inputs = [node for node in order if node in values]
            one = Graph.of("size", inputs, [symbol.source])
            (size,) = run(one, [values[node] for node in inputs])
            found[symbol.name] = int(size)
    return found


def run_sized(
    graph: Graph, arrays: Sequence[Any], sizes: Mapping[str, int], after: After | None = None
) -> tuple[np.ndarray, ...]:
    """`run` with the sizes of symbolic dimensions given by name.

    Args:
        graph, arrays: see `run`.
        sizes: the size of every symbol, by name.
        after: called with each node that was run, the values of its operands, and its own.

    Raises:
        IndexRangeError, CastOverflowError: a check failed; they name the op and the user's line.
    """
    values: dict[Node, Any] = {
        node: np.asarray(array) for node, array in zip(graph.inputs, arrays, strict=True)
    }
    for node in graph.nodes:
        if node in values:
            continue
        operands = [values[i] for i in node.inputs]
        try:
            values[node] = run_node(node, operands, sizes)
        except AT_RUN_TIME as error:
            raise located(error, node) from None
        if after is not None:
            after(node, operands, values[node])
    return tuple(values[o] for o in graph.outputs)


def located(error: GraphcError, node: Node) -> GraphcError:
    """A run-time error of an op, with the op's name and the user's line."""
    if getattr(error, "is_located", False):
        return error
    what = error.what
    if what.partition(":")[0] not in FUNCTIONS and not isinstance(error, LinAlgError):
        what = f"{node.op.name}: {what}"
    found = type(error)(what, error.details, where=node.origin or "", hint=error.hint)
    found.is_located = True  # type: ignore[attr-defined]
    return found


def run_node(node: Node, operands: Sequence[Any], sizes: Mapping[str, int]) -> Any:
    """The value of one node from those of its operands."""
    attrs = {
        key: map_sizes(value, lambda size: dims.evaluate(size, sizes)) for key, value in node.attrs
    }
    if bodies(node):
        attrs["sizes"] = sizes
    with np.errstate(all="ignore"):
        result = node.op.numpy(*operands, **attrs)
    if isinstance(node.type, TupleType):
        return result
    return _checked(node, node.type, result, sizes)


def _checked(node: Node, type_: TensorType, result: object, sizes: Mapping[str, int]) -> np.ndarray:
    array = np.asarray(result)
    shape = tuple(dims.evaluate(d, sizes) for d in type_.shape)
    if array.dtype != type_.dtype.numpy or array.shape != shape:
        raise InternalError(
            f"{node.op.name} is declared {type_} but its reference gave "
            f"{array.dtype.name}{list(array.shape)}"
        )
    return array

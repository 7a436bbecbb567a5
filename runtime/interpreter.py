"""A graph run op by op with NumPy, through the interface of compiled programs.

    interpreter = Interpreter(graph, finite=False)
    call = interpreter.bind({"n": 64})
    interpreter.run(call, [x, out])

`core.interpret` defines what ops compute; here its errors get the user's line, and with
`finite=True` the first op that makes a nan or an inf is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core import dims, observing
from graphc.core.access import access
from graphc.core.dtypes import is_float
from graphc.core.interpret import run_sized
from graphc.core.ir import Graph, Kind, Node, tensor_type
from graphc.errors import NonFiniteError
from graphc.ops.source import Bound
from graphc.runtime.machine.call import Call


class Interpreter:
    """The reference: what a program computes, by each op's own definition.

    Args:
        graph: any graph; outputs that are not aliases are the results.
        finite: check every result for nan and inf.

    Attributes: those of `targets.Runnable`; it has no kernels, no steps and no memory to plan.
    """

    is_native = False
    is_poisoned = False
    checks: frozenset[str] = frozenset()
    kernels: Mapping[str, str] = {}
    loaded: Sequence[Any] = ()
    launches: Sequence[Any] = ()
    sites: Sequence[Any] = ()
    children: Sequence[Any] = ()
    nested: Mapping[int, Any] = {}
    workspaces: Mapping[Node, Mapping[str, Any]] = {}
    arena_values: Sequence[Any] = ()
    memory: Any = None

    def __init__(self, graph: Graph, finite: bool = False) -> None:
        self.graph = graph
        self.finite = finite
        aliased = dict(graph.aliases)
        self._kept = [k for k in range(len(graph.outputs)) if k not in aliased]
        self._free = [n for n in graph.inputs if not isinstance(n, Bound)]
        self._states = [n.state for n in graph.inputs if isinstance(n, Bound)]
        self._written = [graph.inputs[k].state for k in aliased.values()]  # type: ignore[attr-defined]

    def bind(self, sizes: Mapping[str, int]) -> Call:
        """The shapes of the results for a set of sizes."""
        call = Call(sizes)
        for k in self._kept:
            type_ = tensor_type(self.graph.outputs[k])
            shape = tuple(dims.evaluate(d, sizes) for d in type_.shape)
            call.outputs.append((shape, type_.dtype.numpy))
        return call

    def find(self, key: object) -> Call | None:
        """None: sizes are bound anew at every call."""
        return None

    def keep(self, key: object, call: Call) -> None:
        """Nothing is kept."""

    def describe(self, sizes: Mapping[str, int]) -> list[tuple[str, int, int, bool]]:
        """No launches."""
        return []

    def profile(
        self, call: Call, arrays: Sequence[np.ndarray], repeat: int
    ) -> tuple[list[int], int]:
        """No launches, so no times."""
        return [], 0

    def run(self, call: Call, arrays: Sequence[np.ndarray], times: list[int] | None = None) -> None:
        """Run the graph once.

        Args:
            call: from `bind`, for these arrays' shapes.
            arrays: inputs, then results, which are written when everything has been computed.
            times: stays empty.

        Raises:
            IndexRangeError, CastOverflowError, NonFiniteError: see `run`; no state was written.
        """
        count = len(self._free)
        given = iter(arrays[:count])
        with access(reads=self._states, writes=self._written):
            inputs = [
                n.state.array if isinstance(n, Bound) else next(given) for n in self.graph.inputs
            ]
            outputs = run(self.graph, inputs, call.sizes, self.finite)
            # Copies first: a result may be a parameter's old value.
            outputs = [np.array(o, order="C", copy=True) for o in outputs]
            for position, parameter in self.graph.aliases:
                self.graph.inputs[parameter].state.array[...] = outputs[position]  # type: ignore[attr-defined]
        for result, k in zip(arrays[count:], self._kept):
            result[...] = outputs[k]


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
    observer = observing.observer
    if observer is not None:
        observer.begun()
    if finite:
        for node, array in zip(graph.inputs, arrays):
            _check_input(node, array)

    def after(node: Node, operands: Sequence[Any], value: object) -> None:
        if observer is not None:
            observer.node(node, operands, value)
        if finite:
            _check_finite(node, operands, value)

    return list(run_sized(graph, arrays, sizes, after if finite or observer else None))


def _is_finite(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_finite, value))
    return not is_float(value.dtype) or bool(np.isfinite(value).all())


def _check_input(node: Node, array: np.ndarray) -> None:
    if is_float(array.dtype) and bool(np.isnan(array).any()):
        raise NonFiniteError(
            f"{node.op.name} {node.name!r} holds {_first(array, np.isnan(array))}",
            where=node.origin,
            hint="the value was nan before the program ran",
        )


def _check_finite(node: Node, operands: Sequence[Any], result: object) -> None:
    if node.op.kind in (Kind.SOURCE, Kind.MOVEMENT):
        return
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

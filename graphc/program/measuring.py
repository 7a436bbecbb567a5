"""Sizes that are values of a call's arrays: bound with those of shapes, or computed before.

x[x > 0]      the number of places is the output of a program of its own, `first`; its value
              is one more input of the program that has tensors of that size
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.arguments import bind_sizes
from graphc.core.declared import symbols_of, valued
from graphc.core.dims import Symbol
from graphc.core.ir import Graph, Node, caller
from graphc.core.types import TensorType
from graphc.core.walk import toposort
from graphc.errors import GraphError
from graphc.ops.printing import muted
from graphc.ops.source import INPUT_OP, Bound


class Sizing:
    """What the sizes of a program's calls are.

    Args:
        graph: as traced.
        first: the program whose results are the last inputs that are not bound, or None.

    Attributes:
        inputs: those that a call gives.
    """

    def __init__(self, graph: Graph, first: Any) -> None:
        self._all = tuple(n for n in graph.inputs if not isinstance(n, Bound))
        self.first = first
        self.inputs = self._all[: len(self._all) - (first is not None and first.count)]
        self.valued = valued(self._all, graph.nodes)

    def completed(self, arrays: list[Any]) -> list[Any]:
        """A call's arrays, and the sizes that are computed of them."""
        if self.first is None:
            return arrays
        return [*arrays, *self.first.sizes(dict(zip([n.name for n in self.inputs], arrays)))]

    def key(self, arrays: Sequence[np.ndarray]) -> Any:
        """What decides all sizes: shapes, and values that are sizes."""
        shapes = tuple([array.shape for array in arrays])
        return (shapes, *(arrays[k].tobytes() for k, _ in self.valued)) if self.valued else shapes

    def bind(self, arrays: Sequence[np.ndarray]) -> dict[str, int]:
        """The size of each symbol, by its name."""
        return bind_sizes(self._all, arrays, self.valued)


class First:
    """A program that computes sizes before another runs.

    Args:
        program: its results are the sizes, as int64; it takes some of the other's inputs.

    Attributes:
        count: of sizes.
    """

    def __init__(self, program: Any) -> None:
        self.program = program
        self.names = [node.name for node in program._inputs]
        self.count = len(program.graph.outputs)

    def sizes(self, given: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The sizes for a call's arrays by name."""
        with muted():  # what it computes, the program that follows computes again, and shows
            found = self.program(*[given[name] for name in self.names])
        return [np.asarray(value) for value in found]


def computed_sizes(nodes: Sequence[Node], inputs: Sequence[Node]) -> list[Symbol]:
    """The sizes of nodes that are values, and not those of inputs.

    Args:
        nodes: of a graph.
        inputs: those that the user listed.

    Raises:
        GraphError: an input whose value is a size is not listed; a name means two sizes.
    """
    listed = {node.name: node for node in inputs}
    symbols = {s for node in nodes for s in symbols_of(node)}
    shaped = {s.name: s for s in symbols if not s.is_value}
    found = []
    for symbol in sorted((s for s in symbols if s.is_value), key=lambda s: s.name):
        node = listed.get(symbol.name)
        source = symbol.source
        is_other = node is not None and source is not None and node is not source
        if symbol.name in shaped or is_other:
            raise GraphError(
                f"compile: {symbol.name} is the name of two sizes, one of which is the value of "
                f"{'an input' if source is None else source.describe()}",
                where=caller(),
                hint="give the input or the gc.dim another name",
            )
        if node is None and (source is None or source.op is INPUT_OP):
            raise GraphError(
                f"compile: the size {symbol.name} is the value of an input, which is not listed",
                [] if source is None else [source.describe()],
                where=caller(),
                hint=f"add {symbol.name} to the inputs",
            )
        if node is None:
            found.append(symbol)
    return found


def measured(symbol: Symbol) -> Node:
    """The input that has a computed size as its value."""
    return INPUT_OP(name=symbol.name, type=TensorType(dtypes.int64, ()))


def inputs_for(
    inputs: Sequence[Node], sizes: Sequence[Node], computed: Sequence[Symbol]
) -> list[Node]:
    """The inputs that a program of sizes takes: what they are computed of, or measured by.

    Args:
        inputs: of the whole program.
        sizes: tensors.
        computed: the symbols that these are.

    Raises:
        GraphError: a size depends on a tensor of this size.
    """
    order = toposort(sizes)
    symbols = {s for node in order for s in symbols_of(node)}
    later = {s for s in computed if s not in symbols}
    if not later:
        raise GraphError(
            "compile: sizes are computed of tensors of these sizes",
            [symbol.source.describe() for symbol in computed[:4]],
            where=caller(),
            hint="declare the input with a gc.dim of its own",
        )
    names = {s.name for s in symbols}
    return [
        node
        for node in inputs
        if node in order
        or node.name in names
        or (symbols_of(node) & symbols and not symbols_of(node) & later)
    ]


__all__ = ["First", "Sizing", "computed_sizes", "inputs_for", "measured"]

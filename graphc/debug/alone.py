"""One node of a final graph as a program of its own: its kernel on operands that are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from graphc.core.ir import Graph, Kind, Node, is_literal
from graphc.core.walk import reach, substitute
from graphc.errors import GraphcError
from graphc.loops import views
from graphc.ops.source import INPUT_OP
from graphc.passes.nested import with_attrs
from graphc.runtime import targets


def alone(node: Node, users: Sequence[Node]) -> tuple[Graph, list[Node]]:
    """A graph of one node and the views that it reads through, and what stands for its inputs.

    Args:
        node: of a final graph.
        users: the node itself, or the items of its results.
    """
    read = reach(node.inputs, lambda n: n.inputs if _is_looked_through(n) else ())
    operands = [n for n in read if not _is_looked_through(n) and not is_literal(n)]
    inputs = [INPUT_OP(name=f"p{k}", type=n.type) for k, n in enumerate(operands)]
    new = dict(zip(operands, inputs))
    (fresh,) = substitute([node], new)
    if "inplace" in dict(node.attrs):
        fresh = with_attrs(fresh, inplace=())  # an input is nobody's to write over
    outputs = substitute(users, {node: fresh})
    return Graph.of("alone", inputs, outputs), operands


def _is_looked_through(node: Node) -> bool:
    return node.op.kind is Kind.MOVEMENT and views.is_view(node)


def run_native(
    graph: Graph, arrays: Sequence[np.ndarray], sizes: Mapping[str, int]
) -> list[np.ndarray]:
    """The outputs of a graph by its kernels, no pass run before.

    Args:
        graph: without parameters.
        arrays: of its inputs.
        sizes: of symbolic dimensions, by name.

    Raises:
        GraphcError: a check failed.
    """
    executable = targets.find("cpu").program(graph, None)
    call = executable.bind(sizes)
    results = [np.empty(shape, dtype) for shape, dtype in call.outputs]
    given = [np.require(array, requirements=["C", "A"]) for array in arrays]
    failure = executable.run(call, [*given, *results])
    if failure is not None:
        raise GraphcError(f"{graph.name}: a check failed, {failure}")
    return results


__all__ = ["alone", "run_native"]

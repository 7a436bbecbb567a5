"""Loops and branches with one more axis in front: their bodies have it, see `ops.batch`.

    scan(f, c, xs)  of a batch     one scan whose carries are all elements' carries

Both say nothing where elements would take different steps: `passes.batch` then loops over them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.core.ir import Graph, Node, bodies, is_checked, rank, tensor_type
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.core.walk import substitute
from graphc.ops.batch import moved, size_of, spread
from graphc.ops.control import ITEM
from graphc.ops.flow.closures import placeholder

# Tensors, and what has the values of some of them along a first axis: to those of the others.
Batched = Callable[[Sequence[Node], dict[Node, Node]], list[Node | None]]


def scan_batch(node: Any, operands: Sequence[Any], has: Sequence[bool], batched: Batched) -> Any:
    """All carries get the axis; sequences have it behind that of the steps."""
    size, carries = size_of(operands, has), node.attr("carries")
    end = carries + node.attr("sequences")
    given = []
    for k, (x, batch) in enumerate(zip(operands, has)):
        if k < carries and not batch:
            x = spread(x, size)
        given.append(moved(x, 0, 1) if carries <= k < end and batch else x)
    types = [tensor_type(x) for x in given]
    types[carries:end] = [t.with_shape(t.shape[1:]) for t in types[carries:end]]
    inner = [True] * carries + [*has[carries:]]
    body = _body(node.attr("body"), types, inner, size, batched)
    made = node.op(*given, **(dict(node.attrs) | {"body": body}))
    results = [ITEM(made, index=k) for k in range(len(made.type.items))]
    return [x if k < carries else moved(x, 1, 0) for k, x in enumerate(results)]


def cond_batch(node: Any, operands: Sequence[Any], has: Sequence[bool], batched: Batched) -> Any:
    """One branch for all; both and a choice, where each chooses and nothing could fail or show."""
    size, (pred, *rest) = size_of(operands, has), operands
    nested = bodies(node)
    inside = [inner for body in nested.values() for inner in body.nodes]
    if has[0] and any(is_checked(inner) or rank(inner) is not None for inner in inside):
        return None
    types = [tensor_type(x) for x in rest]
    both = {name: _body(body, types, has[1:], size, batched) for name, body in nested.items()}
    if not has[0]:
        made = node.op(pred, *rest, **both)
        return [ITEM(made, index=k) for k in range(len(made.type.items))]
    yes, no = (
        substitute(both[name].outputs, dict(zip(both[name].inputs, rest)))
        for name in ("true", "false")
    )
    beside = [FUNCTIONS["reshape"](pred, (size, *[1] * (len(y.shape) - 1))) for y in yes]
    return [FUNCTIONS["where"](*each) for each in zip(beside, yes, no)]


def _body(
    graph: Graph, types: Sequence[TensorType], has: Sequence[bool], size: Any, batched: Batched
) -> Graph:
    """A body whose inputs have these types, some of them with the new axis; all results have it."""
    inputs = [placeholder(i.name, t) for i, t in zip(graph.inputs, types)]
    found = batched(graph.outputs, {o: i for o, i, b in zip(graph.inputs, inputs, has) if b})
    outputs = [
        spread(output, size) if result is None else result
        for output, result in zip(graph.outputs, found)
    ]
    plain = {old: i for old, i, batch in zip(graph.inputs, inputs, has) if not batch}
    return Graph.of(graph.name, inputs, substitute(outputs, plain))


__all__ = ["cond_batch", "scan_batch"]

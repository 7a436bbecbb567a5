"""Batching: a graph computed for each slice of some of its inputs at once, along a new first axis.

    v0: f32[4] = matvec(w, x)            x: f32[n, 4]     v0: f32[n, 4]

Each op's rule stands on the op (`Op.batch`); elementwise ones need none. Loops and branches carry
the axis in their bodies where each element takes the same steps. Whatever is left (a branch that
each element chooses, a loop that each ends by itself, prints, an op of a user's without a rule) is
a loop over the batch: slower, and the same values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.core.ir import Kind, Node, at_origin, caller, is_item
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TupleType, shape_symbols
from graphc.core.walk import toposort
from graphc.errors import ShapeError
from graphc.ops.batch import all_of
from graphc.ops.control import ITEM


def batched(outputs: Sequence[Node], new: Mapping[Node, Node]) -> list[Node | None]:
    """Tensors computed for each slice of some that they depend on.

    Args:
        outputs: of any graph.
        new: for tensors of it, what has their values along a first axis, of one size for all.

    Returns:
        For each output its values along a first axis; None for one that depends on none of them.

    Raises:
        ShapeError: a size depends on a value that differs from slice to slice.
    """
    found: dict[Node, Any] = dict(new)
    for node in toposort(outputs, stop=found.__contains__):
        if node in found or not any(i in found for i in node.inputs):
            _check_sizes(node, found)
            continue
        _check_sizes(node, found)
        with at_origin(node.origin):
            found[node] = found[node.inputs[0]][node.attr("index")] if is_item(node) else _mapped(
                node, [found.get(i, i) for i in node.inputs], [i in found for i in node.inputs]
            )  # fmt: skip
    return [found.get(output) for output in outputs]


def _check_sizes(node: Node, found: Mapping[Node, Any]) -> None:
    """Refuse sizes that are values of a batch: its elements would have different shapes."""
    types = node.type.items if isinstance(node.type, TupleType) else (node.type,)
    for type_ in types:
        for symbol in shape_symbols(type_.shape):
            if symbol.source is not None and symbol.source in found:
                raise ShapeError(
                    f"vmap: the size {symbol.name} of {node!r:.60} differs from element to element",
                    [node.describe()],
                    where=caller(),
                    hint="give it one size for all, such as gc.nonzero(x, size=4)",
                )


def _mapped(node: Node, operands: list[Node], has: list[bool]) -> Any:
    if isinstance(node.type, TupleType):
        rule = node.op.batch
        found = rule(node, operands, has, batched) if rule is not None else None
        return _looped(node, operands, has) if found is None else found
    if node.op.batch is not None:
        found = node.op.batch(node, operands, has)
        return _looped(node, operands, has)[0] if found is None else found
    if node.op.kind is Kind.ELEMENTWISE:
        return node.op(*all_of(operands, has), **dict(node.attrs))
    return _looped(node, operands, has)[0]


def _looped(node: Node, operands: Sequence[Node], has: Sequence[bool]) -> list[Node]:
    """A loop over the batch that computes one node, for each of its results."""

    def one(slices: Sequence[Node]) -> list[Node]:
        given = iter(slices)
        inputs = [next(given) if batch else x for x, batch in zip(operands, has)]
        made = node.op(*inputs, **dict(node.attrs))
        if not isinstance(node.type, TupleType):
            return [made]
        return [ITEM(made, index=k) for k in range(len(node.type.items))]

    return FUNCTIONS["map"](one, [x for x, batch in zip(operands, has) if batch])


__all__ = ["batched"]

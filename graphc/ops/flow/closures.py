"""Functions as nested graphs: a function is called once, with placeholders, and what it makes is
its body. What it uses of the graph around it becomes further inputs of the body.

    w = parameter(...)                     def body(h: f32[4], x: f32[4], w: f32[4, 4]):
    scan(lambda h, x: (h @ w + x, h), ...)     ...

Nodes made inside belong to the body. Where a body runs many times, what does not change from one
run to the next is computed once, before: all of it but movement, which costs nothing inside.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.core import dims
from graphc.core.inner import as_placeholder
from graphc.core.ir import Graph, Kind, Node, caller, is_checked, is_literal, recording, tensor_type
from graphc.core.trees import Tree, flatten
from graphc.core.types import TensorType, TupleType
from graphc.core.walk import dependents, needed, substitute, toposort
from graphc.errors import ArgumentError
from graphc.ops.declare import as_tensor, is_scalar
from graphc.ops.source import INPUT_OP


@dataclass(frozen=True, slots=True)
class Traced:
    """What a function returned for placeholders: leaves, their structure, the nodes it made."""

    leaves: list[Any]
    tree: Tree
    made: frozenset[Node]
    value: Any = None


def trace(name: str, function: Callable[..., Any], *arguments: object) -> Traced:
    """Call a function and keep what it makes.

    Args:
        name: of the op, for messages.
        function: the user's.
        arguments: structures of tensors.

    Returns:
        Its results; Python numbers among them are left as they are, arrays become constants.
    """
    check_function(name, function)
    _check_takes(name, function, arguments)
    with recording() as made:
        value = function(*arguments)
        leaves, tree = flatten(value)
        leaves = [leaf if is_scalar(leaf) else as_tensor(leaf, name) for leaf in leaves]
    return Traced(leaves, tree, frozenset(made), value)


def check_function(name: str, function: object) -> None:
    """Refuse what cannot be called, in place of a function."""
    if not callable(function):
        raise ArgumentError(
            f"{name}: {type(function).__name__} {function!r:.60} is not a function", where=caller()
        )


def _check_takes(name: str, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """Refuse a function that takes another number of arguments than it is called with."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # what is written in C need not say
    try:
        signature.bind(*arguments)
    except TypeError as error:
        of = [flatten(argument)[1] for argument in arguments]
        nested = any(isinstance(argument, tuple | list) for argument in arguments)
        raise ArgumentError(
            f"{name}: the function takes {signature}, and is called with {len(of)}: "
            f"{', '.join(map(str, of))}",
            [f"{error}"],
            where=caller(),
            hint="a structure of tensors is one argument: take it apart inside" if nested else "",
        ) from None


def placeholder(name: str, type_: TensorType) -> Node:
    """A body's input."""
    return as_placeholder(INPUT_OP(name=name, type=type_))


def captured(
    outputs: Iterable[Node], own: Iterable[Node], made: frozenset[Node], hoist: bool
) -> list[Node]:
    """What a body needs of the graph around it, in order.

    Args:
        outputs: the body's results.
        own: its placeholders.
        made: nodes that belong to it.
        hoist: whether what does not depend on its placeholders is computed outside.
    """
    inputs = set(own)
    order = toposort(outputs, stop=lambda n: n not in made or n in inputs)
    inner: set[Node] = set()
    depends = dependents(order, inputs)
    for node in order:
        if node in made and node not in inputs:
            stays = node in depends or node.op.kind is Kind.MOVEMENT or is_checked(node)
            stays = stays or isinstance(node.type, TupleType) or not node.op.pure
            if stays or not hoist:
                inner.add(node)
    reached = toposort(outputs, stop=lambda n: n not in inner)
    return [n for n in reached if n not in inner and n not in inputs and not is_literal(n)]


def close(
    name: str, own: Sequence[Node], outside: Sequence[Node], outputs: Sequence[Node]
) -> Graph:
    """The body with its placeholders, and one more for each captured node."""
    inner = {n: placeholder(name_of(n), tensor_type(n)) for n in outside}
    results = substitute(outputs, dict(inner))
    return Graph.of(name, [*own, *inner.values()], results)


def name_of(node: Node) -> str:
    """A name for what stands for a node in a body."""
    return node.name if node.name.isidentifier() and node.op.kind is Kind.SOURCE else "v"


def inline(graph: Graph, operands: Sequence[Node]) -> list[Node]:
    """The results of a body on operands, as nodes of the graph around it."""
    return substitute(graph.outputs, dict(zip(graph.inputs, operands, strict=True)))


def reached_from(graph: Graph, sources: Iterable[Node]) -> set[Node]:
    """The nodes of a body that depend on any of its inputs `sources`, those included."""
    return dependents(graph.nodes, sources)


def needed_for(graph: Graph, outputs: Iterable[Node]) -> set[Node]:
    """The nodes of a body that some results need."""
    return needed(graph.nodes, outputs)


def name_body(function: Callable[..., Any], otherwise: str) -> str:
    """A body's name: the function's own, where it has one."""
    name = getattr(function, "__name__", "")
    return name if name.isidentifier() else otherwise


def is_no_smaller(node: Node, than: Node) -> bool:
    """Whether a tensor has at least as many bytes as another, as far as facts show."""
    return dims.at_least(tensor_type(node).nbytes - tensor_type(than).nbytes, 0)

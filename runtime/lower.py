"""Lowering: every node of a graph that computes something, as steps.

    steps = lower(graph)

Fused nodes, and single elementwise, movement and reduce nodes, become generated kernels
(`fused_kernel`); contractions and ops with a loop nest of their own have files of theirs. Which
makers these are, a `Lowering` says: `NATIVE` for this host's CPU.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from graphc.core import results
from graphc.core.ir import Graph, Kind, Library, Node, bodies, is_checked, is_literal
from graphc.core.structure import structure
from graphc.errors import InternalError
from graphc.loops import views
from graphc.ops.control import alone
from graphc.runtime.base.step import Argument, Number, StatusBlock, Step, Value, Workspace
from graphc.runtime.contract.lower import lower_contract
from graphc.runtime.fused.constants import share_kernels
from graphc.runtime.fused.fused_kernel import lower_body
from graphc.runtime.fused.joined import joined
from graphc.runtime.fused.turning import turning
from graphc.runtime.machine.control import lower_control
from graphc.runtime.nests.table import NESTS

GENERATED = (Kind.ELEMENTWISE, Kind.MOVEMENT, Kind.REDUCE)
Lower = Callable[[Graph], list[Step]]
ValueOf = Callable[[Node], Value]


class Lowering(Protocol):
    """How the nodes of a graph become steps on one kind of machine."""

    def body(
        self,
        node: Node,
        graph: Graph,
        operands: Sequence[Value],
        inplace: Sequence[tuple[int, int]] = (),
    ) -> list[Step]:
        """The steps of a body of elementwise, movement, reduce and source nodes.

        Args:
            node: whose results they make.
            graph: the body.
            operands: where the body's inputs are.
            inplace: pairs of a result and the operand that it is written over.
        """

    def contract(self, node: Node, value_of: ValueOf) -> list[Step]:
        """The steps of a matrix product, a convolution or one of its gradients."""

    def joined(self, node: Node, value_of: ValueOf) -> list[Step]:
        """The steps of a node that joins more tensors than a body holds."""

    def nest(self, node: Node) -> list[Step]:
        """The steps of an op with a loop nest of its own (`ir.Library`).

        Raises:
            InternalError: there is none for this op.
        """

    def control(self, node: Node, lower: Lower, value_of: ValueOf) -> list[Step]:
        """The steps of a branch or a loop; `lower` makes those of its bodies."""

    def shared(self, steps: list[Step]) -> list[Step]:
        """The same steps, with as few different kernels as will do."""


class Native:
    """Kernels for this host's CPU."""

    body = staticmethod(lower_body)
    contract = staticmethod(lower_contract)
    joined = staticmethod(joined)
    shared = staticmethod(share_kernels)

    def control(self, node: Node, lower: Lower, value_of: ValueOf) -> list[Step]:
        """One kernel, where a loop's steps are a few numbers; see `turning`."""
        whole = turning(node, value_of)
        return lower_control(node, lower, value_of) if whole is None else [whole]

    def nest(self, node: Node) -> list[Step]:
        """See `nests.table`."""
        fact = node.op.lowering
        if not isinstance(fact, Library) or fact.name not in NESTS:
            raise InternalError(f"{node.op.name} has no lowering")
        return NESTS[fact.name](node)


NATIVE = Native()


class Once:
    """A lowering that makes the steps of bodies that compute the same once.

    Args:
        other: makes them.
    """

    def __init__(self, other: Lowering) -> None:
        self.contract, self.joined, self.nest = other.contract, other.joined, other.nest
        self.control, self.shared = other.control, other.shared
        self._body = other.body
        self._known: dict[Any, tuple[Node, Sequence[Value], list[Step]]] = {}

    def body(
        self,
        node: Node,
        graph: Graph,
        operands: Sequence[Value],
        inplace: Sequence[tuple[int, int]] = (),
    ) -> list[Step]:
        """The steps of a body, or those of one like it with this one's operands and results."""
        values = [(id(v.node), v.index) for v in operands]
        key = structure(graph), tuple(inplace), tuple(map(values.index, values))
        if key not in self._known:
            self._known[key] = node, operands, self._body(node, graph, operands, inplace)
            return self._known[key][2]
        like, theirs, steps = self._known[key]
        new = {(id(v.node), v.index): own for v, own in zip(theirs, operands)}
        found = [_moved(step, like, node, new) for step in steps]
        if None in found:
            return self._body(node, graph, operands, inplace)
        return found  # type: ignore[return-value]


def _moved(step: Step, like: Node, node: Node, new: Mapping[Any, Value]) -> Step | None:
    """A step of a node as that of another, whose operands are others; None where it cannot be."""
    args: list[Argument] = []
    for argument in step.args:
        if isinstance(argument, Value):
            key = id(argument.node), argument.index
            if argument.node is not like and key not in new:
                return None
            own = argument.node is like
            args.append(Value(node, argument.index) if own else new[key])
        elif isinstance(argument, Workspace) and argument.node is like:
            args.append(replace(argument, node=node))
        elif isinstance(argument, Number | StatusBlock):
            args.append(argument)
        else:  # what names a node inside, for a message
            return None
    return replace(step, args=tuple(args), node=node)


def lower(graph: Graph, lowering: Lowering = NATIVE) -> list[Step]:
    """The steps that run a graph.

    Args:
        graph: fused or not. Its aliases are not the lowering's concern.
        lowering: how nodes become steps.

    Returns:
        Steps in the graph's order. A node whose result is empty has none.

    Raises:
        InternalError: a node has no lowering.
    """
    steps: list[Step] = []
    lowering = Once(lowering)
    for node in _with_memory(graph):
        steps += lower_node(node, lowering)
    return lowering.shared(steps)


def _with_memory(graph: Graph) -> list[Node]:
    """The nodes that need steps, in order: all but those that every reader computes for itself,
    which are numbers in generated kernels and views that contractions look through."""
    given = set(graph.inputs)
    read = set(graph.outputs)
    found = []
    for node in reversed(graph.nodes):
        by_readers = is_literal(node) or (views.is_view(node) and not is_checked(node))
        if node in given or (by_readers and node not in read):
            continue
        found.append(node)
        if node.op.kind in GENERATED and not views.joins_many(node):
            read.update(i for i in node.inputs if not is_literal(i))
        else:
            read.update(views.in_memory(node))
    return found[::-1]


def lower_node(node: Node, lowering: Lowering = NATIVE) -> list[Step]:
    """The steps of one node."""
    kind = node.op.kind
    if kind is Kind.CONTROL:
        below = functools.partial(lower, lowering=lowering)
        return lowering.control(node, below, value_of) if bodies(node) else []
    if kind is Kind.FUSED:
        operands = [value_of(i) for i in node.inputs]
        return lowering.body(node, node.attr("body"), operands, results.written_over(node))
    if views.joins_many(node):
        return lowering.joined(node, value_of)
    if kind in GENERATED or kind is Kind.SOURCE:
        read = [i for i in dict.fromkeys(node.inputs) if not is_literal(i)]
        return lowering.body(node, alone(node), [value_of(i) for i in read])
    if kind is Kind.CONTRACT:
        return lowering.contract(node, value_of)
    return lowering.nest(node)


def value_of(node: Node) -> Value:
    """Where a node's result is: projections of a node with several point into it."""
    return Value(*results.value_of(node))

"""Lowering: every node of a graph that computes something, as steps.

    steps = lower(graph)

Fused nodes, and single elementwise, movement and reduce nodes, become generated kernels
(`fused_kernel`); contractions and ops with a loop nest of their own have files of theirs.
"""

from __future__ import annotations

from graphc.core.ir import Graph, Kind, Library, Node, bodies, is_checked, is_item, tensor_type
from graphc.errors import InternalError
from graphc.loops import views
from graphc.ops.source import INPUT_OP
from graphc.runtime.base.step import Step, Value
from graphc.runtime.contract.lower import lower_contract
from graphc.runtime.fused.constants import share_kernels
from graphc.runtime.fused.fused_kernel import lower_body
from graphc.runtime.fused.joined import joined
from graphc.runtime.machine.control import lower_control
from graphc.runtime.nests.table import NESTS

GENERATED = (Kind.ELEMENTWISE, Kind.MOVEMENT, Kind.REDUCE)


def lower(graph: Graph) -> list[Step]:
    """The steps that run a graph.

    Args:
        graph: fused or not. Its aliases are not the lowering's concern.

    Returns:
        Steps in the graph's order. A node whose result is empty has none.

    Raises:
        InternalError: a node has no lowering.
    """
    steps: list[Step] = []
    for node in _with_memory(graph):
        steps += lower_node(node)
    return share_kernels(steps)


def _with_memory(graph: Graph) -> list[Node]:
    """The nodes that need steps, in order: all but those that every reader computes for itself,
    which are numbers in generated kernels and views that contractions look through."""
    given = set(graph.inputs)
    read = set(graph.outputs)
    found = []
    for node in reversed(graph.nodes):
        by_readers = _is_inline(node) or (views.is_view(node) and not is_checked(node))
        if node in given or (by_readers and node not in read):
            continue
        found.append(node)
        if node.op.kind in GENERATED and not views.joins_many(node):
            read.update(i for i in node.inputs if not _is_inline(i))
        else:
            read.update(views.in_memory(node))
    return found[::-1]


def _is_inline(node: Node) -> bool:
    """Whether generated kernels compute the node themselves: numbers, counts, sizes."""
    return node.op.kind is Kind.SOURCE and node.op.pure


def lower_node(node: Node) -> list[Step]:
    """The steps of one node."""
    kind = node.op.kind
    if kind is Kind.CONTROL:
        return lower_control(node, lower, value_of) if bodies(node) else []
    if kind is Kind.FUSED:
        inplace = dict(node.attrs).get("inplace", ())
        return lower_body(node, node.attr("body"), [value_of(i) for i in node.inputs], inplace)
    if views.joins_many(node):
        return joined(node, value_of)
    if kind in GENERATED or kind is Kind.SOURCE:
        operands = [i for i in dict.fromkeys(node.inputs) if not _is_inline(i)]
        return lower_body(node, alone(node), [value_of(i) for i in operands])
    if kind is Kind.CONTRACT:
        return lower_contract(node, value_of)
    if isinstance(node.op.lowering, Library) and node.op.lowering.name in NESTS:
        return NESTS[node.op.lowering.name](node)
    raise InternalError(f"{node.op.name} has no lowering")


def value_of(node: Node) -> Value:
    """Where a node's result is: projections of a node with several point into it."""
    index = 0
    while is_item(node):
        index, node = node.attr("index"), node.inputs[0]
    return Value(node, index)


def alone(node: Node) -> Graph:
    """A body of one node."""
    operands = [i for i in dict.fromkeys(node.inputs) if not _is_inline(i)]
    inner = {x: INPUT_OP(name=f"p{k}", type=tensor_type(x)) for k, x in enumerate(operands)}
    result = node.with_inputs([inner.get(x, x) for x in node.inputs])
    return Graph.of("alone", list(inner.values()), [result])

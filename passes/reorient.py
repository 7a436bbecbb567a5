"""Matrix products whose only use is a transpose are computed transposed.

    v0 = matmul(x, y)                    v0 = transpose(y);  v1 = transpose(x)
    v1 = transpose(v0, axes=(1, 0))      v2 = matmul(v0, v1)

The same sums of the same products; kernels look through transposes of operands, but would have to
read a transposed result element by element. Gradients by weights that were used transposed have
this form.
"""

from __future__ import annotations

from graphc.core.ir import Graph, Node, at_origin, tensor_type
from graphc.core.walk import remade, remake
from graphc.ops.arrays.movement import TRANSPOSE
from graphc.ops.contract.matmul import MATMUL


def reorient(graph: Graph) -> Graph:
    """Replace transposes of products that nothing else uses by products of transposes."""
    users = graph.users()
    outputs = set(graph.outputs)
    turned = {
        node.inputs[0]
        for node in graph.nodes
        if node.op is TRANSPOSE
        and node.inputs[0].op is MATMUL
        and node.inputs[0] not in outputs
        and len(users[node.inputs[0]]) == 1
        and _swaps(node)
    }

    def make(node: Node, new: dict[Node, Node]) -> Node | None:
        if node in turned:
            return None
        if node.op is not TRANSPOSE or node.inputs[0] not in turned:
            return remade(node, new)
        product = node.inputs[0]
        x, y = (new[i] for i in product.inputs)
        with at_origin(product.origin):
            return MATMUL(_turn(y, node.attr("axes")), _turn(x, node.attr("axes")))

    return remake(graph, make)


def _turn(node: Node, axes: tuple[int, ...]) -> Node:
    """The transpose of a node; of a transpose by the same axes, what it transposes."""
    if node.op is TRANSPOSE and node.attr("axes") == axes:
        return node.inputs[0]
    return TRANSPOSE(node, axes=axes)


def _swaps(node: Node) -> bool:
    """Whether a transpose swaps the last two axes and leaves the others."""
    rank = tensor_type(node).rank
    return node.attr("axes") == (*range(rank - 2), rank - 1, rank - 2)

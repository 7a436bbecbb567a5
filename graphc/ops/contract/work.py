"""How many additions and multiplications contractions take: `Op.flops`, for figures of reports."""

from __future__ import annotations

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import Node, tensor_type


def of_matmul(node: Node) -> Size:
    """A product and a sum for each element of the result and of the inner axis."""
    return 2 * tensor_type(node).size * tensor_type(node.inputs[0]).shape[-1]


def of_conv(node: Node) -> Size:
    """As for a product: each element of the result is a sum over channels and the kernel."""
    return _convolution(node, node.inputs[1])


def of_conv_input(node: Node) -> Size:
    """As many as the convolution whose result is the first operand."""
    return _convolution(node.inputs[0], node.inputs[1])


def of_conv_weight(node: Node) -> Size:
    """As many as the convolution whose result is the second operand."""
    return _convolution(node.inputs[1], node)


def _convolution(output: Node, weight: Node) -> Size:
    return 2 * tensor_type(output).size * dims.product(tensor_type(weight).shape[1:])


__all__ = ["of_conv", "of_conv_input", "of_conv_weight", "of_matmul"]

"""Contractions as steps: a node's types and attributes, and transposed operands, as specs."""

from __future__ import annotations

from collections.abc import Callable

from graphc.core.dims import Size
from graphc.core.ir import Library, Node, tensor_type
from graphc.errors import InternalError
from graphc.loops import views
from graphc.runtime.base.step import Step, Value
from graphc.runtime.contract.conv_kernel import ConvSpec, lower_conv
from graphc.runtime.contract.integer_kernel import lower_matmul_integer
from graphc.runtime.contract.matmul_kernel import MatmulSpec, lower_matmul


def lower_contract(
    node: Node, value_of: Callable[[Node], Value], is_plain: bool = False
) -> list[Step]:
    """The steps of a matrix product, a convolution or one of its gradients.

    Args:
        node: the contraction.
        value_of: where an operand's value is.
        is_plain: as loops without vector registers.

    Raises:
        InternalError: there is no kernel for the node's op.
    """
    if not isinstance(node.op.lowering, Library):
        raise InternalError(f"{node.op.name} has no kernel")
    if tensor_type(node).size == 0:
        return []
    name = node.op.lowering.name
    if name == "matmul":
        plan = lower_matmul(_product(node), is_plain)
    elif name == "matmul_integer":
        right = tensor_type(node.inputs[1]).dtype.short
        plan = lower_matmul_integer(_product(node), right, is_plain)
    else:
        plan = lower_conv(_convolution(node), is_plain)
    x, y = views.in_memory(node)
    operands = {"x": value_of(x), "y": value_of(y), "out": Value(node)}
    return plan.steps(node, operands)


def _behind(operand: Node, node: Node) -> tuple[Node, tuple[Size, ...] | None]:
    """The node in memory that stands for an operand, and its strides unless row-major."""
    found = views.read_in_place(operand, node)
    if found is None or found[1] == views.contiguous(tensor_type(operand).shape):
        return (operand, None) if found is None else (found[0], None)
    return found


def _product(node: Node) -> MatmulSpec:
    x, y = (tensor_type(i) for i in node.inputs)
    strides = (_behind(i, node)[1] for i in node.inputs)
    return MatmulSpec(x.dtype.short, x.shape[:-2], x.shape[-2], y.shape[-1], x.shape[-1], *strides)


def _fixed(sizes: tuple[Size, ...]) -> tuple[int, ...]:
    """Sizes of a weight, which the op takes only when they are numbers."""
    return tuple(size for size in sizes if isinstance(size, int))


def _convolution(node: Node) -> ConvSpec:
    """The spec of a convolution or a gradient, in terms of the convolution itself."""
    kind = node.op.lowering.name  # type: ignore[union-attr]
    x, y = (tensor_type(i) for i in node.inputs)
    result, groups = tensor_type(node), node.attr("groups")
    if kind == "conv":
        channels, outputs = x.shape[1], result.shape[1]
        image, kernel = x.shape[2:], _fixed(y.shape[2:])
    elif kind == "conv_input":
        channels, outputs = result.shape[1], x.shape[1]
        image, kernel = result.shape[2:], _fixed(y.shape[2:])
    else:
        channels, outputs = x.shape[1], y.shape[1]
        image, kernel = x.shape[2:], _fixed(result.shape[2:])
    how = {name: node.attr(name) for name in ("stride", "padding", "dilation")}
    return ConvSpec(
        kind,
        x.dtype.short,
        x.shape[0],
        channels,
        outputs,
        image,
        _fixed(kernel),
        **how,
        groups=groups,
    )

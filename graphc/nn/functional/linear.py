"""Linear maps: `y = x W^T + b` and its bilinear kin."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Node, caller
from graphc.eager.engine.composite import composite
from graphc.eager.engine.registry import named
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ShapeError
from graphc.nn.functional.common import show
from graphc.ops.arrays.shaping import reshape, transpose
from graphc.ops.arrays.statistics import sum as sum_
from graphc.ops.contract.matmul import matmul
from graphc.ops.elementwise.cast import cast


@composite
@named("AddmmBackward0")
def _linear(x: Any, weight: Any, bias: Any) -> Any:
    shape, wide = x.type.shape, weight.type.shape
    if not 1 <= len(wide) <= 2:
        raise ShapeError(
            f"linear: the weight must be (out, in), but has shape {show(wide)}", where=caller()
        )
    if not shape or shape[-1] != wide[-1]:
        takes = f"(out {wide[0]}, in {wide[1]})" if len(wide) == 2 else show(wide)
        raise ShapeError(
            f"linear: the input has {shape[-1] if shape else 'no'} features, "
            f"the weight {takes} takes {wide[-1]}",
            [f"input {show(shape)}"],
            where=caller(),
        )
    if not x.type.dtype.is_float and weight.type.dtype.is_float:
        x = cast(x, weight.type.dtype)  # as eager tensors are promoted
    y = matmul(x, transpose(weight) if len(wide) == 2 else weight)
    if bias is None:
        return y
    if bias.type.shape not in (wide[:-1], ()):
        raise ShapeError(
            f"linear: the bias has shape {show(bias.type.shape)}, "
            f"the weight {show(wide)} wants {show(wide[:-1])}",
            where=caller(),
        )
    return y + bias


def linear(input: AnyTensor, weight: AnyTensor, bias: AnyTensor | None = None) -> Any:
    """input @ weight.T + bias.

    Args:
        input: (*, in).
        weight: (out, in), or (in,).
        bias: (out,) or None.

    Returns:
        (*, out).

    Raises:
        ShapeError: the number of features does not fit.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.linear(gc.ones(1, 2), gc.tensor([[1.0, 2.0]]), gc.tensor([3.0]))
        tensor([[6.]])
    """
    return _linear(input, weight, bias)


@composite
@named("AddBackward0")
def _bilinear(x: Any, y: Any, weight: Any, bias: Node | None) -> Any:
    out, first, second = weight.type.shape
    given = (x.type.shape[-1:], y.type.shape[-1:])
    if given != ((first,), (second,)) or x.type.shape[:-1] != y.type.shape[:-1]:
        raise ShapeError(
            f"bilinear: inputs {show(x.type.shape)} and {show(y.type.shape)}, "
            f"the weight {show(weight.type.shape)} takes (*, {first}) and (*, {second})",
            where=caller(),
        )
    lead = x.type.shape[:-1]
    table = reshape(transpose(weight, (1, 0, 2)), (first, out * second))
    rows = reshape(matmul(x, table), (*lead, out, second))
    result = sum_(rows * reshape(y, (*lead, 1, second)), -1)
    return result if bias is None else result + bias


def bilinear(
    input1: AnyTensor, input2: AnyTensor, weight: AnyTensor, bias: AnyTensor | None = None
) -> Any:
    """For each output k, input1 @ weight[k] @ input2, plus bias.

    Args:
        input1: (*, in1).
        input2: (*, in2).
        weight: (out, in1, in2).
        bias: (out,) or None.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.bilinear(gc.ones(1, 2), gc.ones(1, 3), gc.ones(4, 2, 3))
        tensor([[6., 6., 6., 6.]])
    """
    return _bilinear(input1, input2, weight, bias)


__all__ = ["bilinear", "linear"]

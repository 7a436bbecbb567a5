"""Linear maps: `y = x W^T + b` and its bilinear kin."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ShapeError
from graphc.nn.functional.common import show
from graphc.nn.functional.operation import operation
from graphc.ops.arrays.shaping import reshape, transpose
from graphc.ops.arrays.statistics import sum as sum_
from graphc.ops.contract.matmul import matmul
from graphc.ops.elementwise.cast import cast


@operation("AddmmBackward0")
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
    shape, wide = input.shape, weight.shape
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
    if not input.dtype.is_float and weight.dtype.is_float:
        input = cast(input, weight.dtype)  # as eager tensors are promoted
    y = matmul(input, transpose(weight) if len(wide) == 2 else weight)
    if bias is None:
        return y
    if bias.shape not in (wide[:-1], ()):
        raise ShapeError(
            f"linear: the bias has shape {show(bias.shape)}, "
            f"the weight {show(wide)} wants {show(wide[:-1])}",
            where=caller(),
        )
    return y + bias


@operation("AddBackward0")
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
    out, first, second = weight.shape
    given = (input1.shape[-1:], input2.shape[-1:])
    if given != ((first,), (second,)) or input1.shape[:-1] != input2.shape[:-1]:
        raise ShapeError(
            f"bilinear: inputs {show(input1.shape)} and {show(input2.shape)}, "
            f"the weight {show(weight.shape)} takes (*, {first}) and (*, {second})",
            where=caller(),
        )
    lead = input1.shape[:-1]
    table = reshape(transpose(weight, (1, 0, 2)), (first, out * second))
    rows = reshape(matmul(input1, table), (*lead, out, second))
    result = sum_(rows * reshape(input2, (*lead, 1, second)), -1)
    return result if bias is None else result + bias


__all__ = ["bilinear", "linear"]

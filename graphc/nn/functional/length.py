"""The p-norm of vectors, and `normalize`, which divides by it."""

from __future__ import annotations

from typing import Any

from graphc.eager.engine.tensor import AnyTensor
from graphc.nn.functional.operation import operation
from graphc.ops.arrays.norms import vector_norm
from graphc.ops.arrays.shaping import expand_dims
from graphc.ops.declare import check_axis
from graphc.ops.elementwise.extremes import maximum


def norm_of(x: Any, p: float, dim: int, keepdims: bool = False) -> Any:
    """The p-norm of a symbolic tensor along an axis; the gradient of a zero vector is 0."""
    if not x.type.shape:
        check_axis("norm", dim, 1)
        return norm_of(expand_dims(x, 0), p, 0)
    return vector_norm(x, p, dim, keepdims)


@operation("DivBackward0")
def normalize(input: AnyTensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Any:
    """input divided by its p-norm along an axis.

    Args:
        input: floats.
        p: the norm's exponent.
        dim: the axis.
        eps: the least number to divide by.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.normalize(gc.tensor([[3.0, 4.0]]))
        tensor([[0.6000, 0.8000]])
    """
    return input / maximum(norm_of(input, p, dim, keepdims=True), eps)


__all__ = ["normalize"]

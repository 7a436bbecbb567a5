"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions import joining
from graphc.errors import ArgumentError, ShapeError


def parameters_to_vector(parameters: Iterable[Any]) -> Tensor:
    """The elements of all parameters, one after the other.

    Args:
        parameters: tensors; gradients flow back to them.

    Returns:
        A vector.

    Raises:
        ArgumentError: there are none.

    Example:
        >>> import graphc as gc
        >>> gc.nn.utils.parameters_to_vector([gc.zeros(2, 2), gc.ones(1)])
        tensor([0., 0., 0., 0., 1.])
    """
    parts = [param.reshape(-1) for param in parameters]
    if not parts:
        raise ArgumentError("parameters_to_vector: there are no parameters", where=caller())
    return joining.cat(parts)


def vector_to_parameters(vec: Tensor, parameters: Iterable[Any]) -> None:
    """Let parameters have the elements of a vector, whose memory they then share.

    Args:
        vec: as `parameters_to_vector` gives it.
        parameters: tensors, changed in place.

    Raises:
        ArgumentError: vec is not a tensor.
        ShapeError: it has more or fewer elements than the parameters.

    Example:
        >>> import graphc as gc
        >>> w = gc.zeros(2)
        >>> gc.nn.utils.vector_to_parameters(gc.tensor([1.0, 2.0]), [w])
        >>> w
        tensor([1., 2.])
    """
    if not isinstance(vec, Tensor):
        raise ArgumentError(
            f"vector_to_parameters: vec is a {type(vec).__name__}, not a tensor", where=caller()
        )
    params = list(parameters)
    wanted = sum(param.numel() for param in params)
    if vec.ndim != 1 or vec.shape[0] != wanted:
        raise ShapeError(
            f"vector_to_parameters: the parameters have {wanted} elements, and vec has shape "
            f"{tuple(vec.shape)}",
            where=caller(),
        )
    start = 0
    for param in params:
        count = param.numel()
        param.data = vec[start : start + count].reshape(tuple(param.shape)).data
        start += count


__all__ = ["parameters_to_vector", "vector_to_parameters"]

"""Derivatives of functions: jacobian, hessian and their products, eagerly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.eager.engine.backward import grad
from graphc.eager.engine.mode import enable_grad
from graphc.eager.engine.registry import EAGER
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import GradientError


def _leaves(inputs: Any) -> tuple[list[Tensor], bool]:
    listed = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
    fresh = [x.detach().requires_grad_() if x._edge is None else x for x in listed]
    return fresh, isinstance(inputs, tuple | list)


def jacobian(func: Callable[..., Any], inputs: Any, create_graph: bool = False) -> Any:
    """All partial derivatives of a function's result, one backward pass for each element.

    Args:
        func: of tensors; returns one tensor.
        inputs: a tensor or a tuple.
        create_graph: record, so that the result can be differentiated.

    Returns:
        For one input a tensor of shape result.shape + input.shape, else a tuple of them.

    Example:
        >>> import graphc as gc
        >>> gc.autograd.functional.jacobian(lambda x: x * x, gc.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    with enable_grad():
        leaves, several = _leaves(inputs)
        output = func(*leaves)
        flat = output.reshape(-1)
        rows: list[list[Any]] = [[] for _ in leaves]
        for k in range(flat.shape[0]):
            ct = wrap(np.eye(1, flat.shape[0], k, dtype=flat._array.dtype)[0])
            found = grad(
                flat, leaves, ct, retain_graph=True, create_graph=create_graph,
                materialize_grads=True,
            )  # fmt: skip
            for row, each in zip(rows, found):
                row.append(each)
        shape = tuple(output.shape)
        blocks = [
            EAGER["stack"](row).reshape((*shape, *leaf.shape)) for row, leaf in zip(rows, leaves)
        ]
    return tuple(blocks) if several else blocks[0]


def hessian(func: Callable[..., Any], inputs: Any, create_graph: bool = False) -> Any:
    """The second derivatives of a scalar function of one tensor.

    Example:
        >>> import graphc as gc
        >>> gc.autograd.functional.hessian(lambda x: (x**3).sum(), gc.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """

    def slope(*values: Any) -> Any:
        return grad(_scalar(func(*values)), values, create_graph=True, materialize_grads=True)

    with enable_grad():
        leaves, several = _leaves(inputs)
        rows = []
        for k in range(len(leaves)):
            row = jacobian(lambda *v, k=k: slope(*v)[k], tuple(leaves), create_graph)
            rows.append(row)
    return tuple(rows) if several else rows[0][0]


def vjp(func: Callable[..., Any], inputs: Any, v: Any = None) -> tuple[Any, Any]:
    """A function's result, and the product of a cotangent with its Jacobian.

    Example:
        >>> import graphc as gc
        >>> gc.autograd.functional.vjp(lambda x: x * x, gc.tensor(3.0))
        (tensor(9.), tensor(6.))
    """
    with enable_grad():
        leaves, several = _leaves(inputs)
        output = func(*leaves)
        found = grad(output, leaves, v, materialize_grads=True)
    return output.detach(), found if several else found[0]


def hvp(func: Callable[..., Any], inputs: Any, v: Any) -> tuple[Any, Any]:
    """A scalar function's result, and the product of its Hessian with a vector.

    Example:
        >>> import graphc as gc
        >>> gc.autograd.functional.hvp(lambda x: (x**3).sum(), gc.tensor([1.0]), gc.tensor([2.0]))
        (tensor(1.), tensor([12.]))
    """
    with enable_grad():
        leaves, several = _leaves(inputs)
        output = _scalar(func(*leaves))
        slopes = grad(output, leaves, create_graph=True, materialize_grads=True)
        found = grad(slopes, leaves, v, materialize_grads=True)
    return output.detach(), found if several else found[0]


def _scalar(output: Any) -> Any:
    if output.type.size != 1:
        raise GradientError(
            f"the function must return a scalar, not {output.type}",
            where=caller(),
            hint="take its sum or mean",
        )
    return output


__all__ = ["hessian", "hvp", "jacobian", "vjp"]

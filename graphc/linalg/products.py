"""Products, powers and parts of matrices and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core.ir import caller, tensor_type
from graphc.core.operators import FUNCTIONS
from graphc.eager.engine.registry import as_axis, call, call_list
from graphc.eager.engine.tensor import AnyTensor, Tensor
from graphc.errors import AttributeValueError
from graphc.functions import diagonal as _diagonal
from graphc.functions import matmul
from graphc.ops.linalg import exponential, systems, values


def _exponential(a: Any) -> Any:
    return exponential.EXPM(a)


def matrix_exp(A: AnyTensor) -> Any:
    """The exponentials of square matrices, computed in float64.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.matrix_exp(gc.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    return call(_exponential, A)


def matrix_power(A: AnyTensor, n: int) -> Any:
    """The n-th powers of square matrices; of their inverses for a negative n.

    Raises:
        LinAlgError: n is negative and a matrix singular.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.matrix_power(gc.tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
        tensor([[1., 5.],
                [0., 1.]])
    """
    return call(systems.power, A, n=as_axis(n))


def multi_dot(tensors: Sequence[AnyTensor]) -> Any:
    """The product of matrices, in the order that takes the fewest multiplications.

    Args:
        tensors: two or more; the first and the last may be vectors.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.multi_dot([gc.ones(2, 3), gc.ones(3, 4), gc.ones(4)])
        tensor([12., 12.])
    """
    given: list[Any] = list(tensors)
    if all(isinstance(t, Tensor) for t in given) and given:
        return call_list(_chain, given)
    return systems.chain(*given)


def _chain(matrices: Sequence[Any]) -> Any:
    return systems.chain(*matrices)


def vander(x: AnyTensor, N: int | None = None) -> Any:
    """The powers 0 ... N - 1 of each element, along a new last axis.

    Args:
        x: (..., n).
        N: how many; n unless given.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.vander(gc.tensor([2, 3]), N=3)
        tensor([[1, 2, 4],
                [1, 3, 9]])
    """
    count = tensor_type(x).shape[-1] if N is None else N
    if isinstance(count, int) and count <= 1:
        raise AttributeValueError(f"linalg.vander: N={count} is less than 2", where=caller())
    return call(systems.powers, x, count=count)


def vecdot(x: AnyTensor, y: AnyTensor, *, dim: int = -1) -> Any:
    """The inner products of vectors along an axis; the others broadcast.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.vecdot(gc.ones(2, 3), gc.tensor([1.0, 2.0, 3.0]))
        tensor([6., 6.])
    """
    return call(_inner, x, y, axis=as_axis(dim))


def _inner(x: Any, y: Any, *, axis: int) -> Any:
    return FUNCTIONS["sum"](x * y, axis)


def cross(input: AnyTensor, other: AnyTensor, *, dim: int = -1) -> Any:
    """The cross products of vectors of three along an axis; the others broadcast.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.cross(gc.tensor([1.0, 0.0, 0.0]), gc.tensor([0.0, 1.0, 0.0]))
        tensor([0., 0., 1.])
    """
    return call(values.cross, input, other, axis=as_axis(dim))


def diagonal(A: AnyTensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The diagonals of matrices, as the last axis.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.diagonal(gc.tensor([[1, 2], [3, 4]]))
        tensor([1, 4])
    """
    return _diagonal(A, offset=offset, dim1=dim1, dim2=dim2)


__all__ = [
    "cross", "diagonal", "matmul", "matrix_exp", "matrix_power", "multi_dot", "vander",
    "vecdot",
]  # fmt: skip

"""Norms of vectors and matrices, ranks and condition numbers."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.core.typing import Axes, DTypeLike
from graphc.eager.engine.registry import as_dims, as_flag, call
from graphc.eager.engine.tensor import AnyTensor, TensorLike
from graphc.errors import AttributeValueError, DTypeError, ShapeError
from graphc.linalg.solutions import _tolerances
from graphc.ops.arrays import norms
from graphc.ops.linalg import values


def _vectors(x: Any, *, p: float, axis: Any, keepdims: bool) -> Any:
    return norms.vector_norm(x, p, axis, keepdims)


def _as_float(name: str, x: AnyTensor, dtype: DTypeLike | None) -> Any:
    x = x if dtype is None else x.to(dtype)
    if not x.dtype.is_float:
        raise DTypeError(
            f"{name}: a tensor of {x.dtype.name} has no norm of its dtype",
            where=caller(),
            hint="convert it: x.float()",
        )
    return x


def vector_norm(
    x: AnyTensor,
    ord: float = 2,
    dim: Axes | None = None,
    keepdim: bool = False,
    *,
    dtype: DTypeLike | None = None,
) -> Any:
    """The norms of vectors: (sum |x|^ord)^(1/ord); 0 counts what is not 0, inf takes the largest.

    Args:
        x: floats.
        ord: a number, inf or -inf.
        dim: the axes of one vector; all unless given.
        keepdim: keep them, with size 1.
        dtype: computes in this dtype.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.vector_norm(gc.tensor([3.0, -4.0]), 1)
        tensor(7.)
    """
    x = _as_float("linalg.vector_norm", x, dtype)
    if isinstance(ord, str):
        raise AttributeValueError(f"linalg.vector_norm: ord={ord!r} is no number", where=caller())
    axes = as_dims(dim)
    axes = None if axes == () or not x.ndim else axes
    return call(_vectors, x, p=float(ord), axis=axes, keepdims=as_flag(keepdim, "keepdim"))


def matrix_norm(
    A: AnyTensor,
    ord: Any = "fro",
    dim: Axes = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: DTypeLike | None = None,
) -> Any:
    """The norms of matrices.

    Args:
        A: floats.
        ord: "fro": of all elements; "nuc": the sum of singular values; 2, -2: the largest, the
            least of them; 1, -1, inf, -inf: the largest and the least sum of a column, of a row.
        dim: the two axes of a matrix.
        keepdim: keep them, with size 1.
        dtype: computes in this dtype.

    Example:
        >>> import graphc as gc
        >>> a = gc.tensor([[3.0, 0.0], [0.0, -4.0]])
        >>> gc.linalg.matrix_norm(a), gc.linalg.matrix_norm(a, "nuc"), gc.linalg.matrix_norm(a, 2)
        (tensor(5.), tensor(7.), tensor(4.))
    """
    x = _as_float("linalg.matrix_norm", A, dtype)
    axes = as_dims(dim)
    if not isinstance(axes, tuple) or len(axes) != 2:
        raise ShapeError(f"linalg.matrix_norm: dim={dim!r} is not two axes", where=caller())
    if x.ndim < 2:
        raise ShapeError(f"linalg.matrix_norm: a tensor of {x.ndim} axes", where=caller())
    p = ord if isinstance(ord, str) else float(ord)
    keep = as_flag(keepdim, "keepdim")
    return call(values.matrix_norm, x, p=p, axes=axes, keepdims=keep, title="linalg.matrix_norm")


def norm(
    A: AnyTensor,
    ord: Any = None,
    dim: Axes | None = None,
    keepdim: bool = False,
    *,
    dtype: DTypeLike | None = None,
) -> Any:
    """The norm of vectors or of matrices: by the number of axes.

    Args:
        A: floats.
        ord: see `vector_norm` and `matrix_norm`; None for the root of the sum of squares.
        dim: one axis, or two for matrices; with an `ord` and no `dim`, A has one axis or two.
        keepdim: keep the axes, with size 1.
        dtype: computes in this dtype.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.norm(gc.tensor([[3.0, 0.0], [0.0, 4.0]]))
        tensor(5.)
    """
    axes = as_dims(dim)
    axes = (axes,) if isinstance(axes, int) else axes
    if ord is None:
        return vector_norm(A, 2, axes, keepdim, dtype=dtype)
    if axes is None and A.ndim not in (1, 2):
        raise ShapeError(
            f"linalg.norm: with ord={ord!r} and no dim the tensor must have 1 or 2 axes, it has "
            f"{A.ndim}",
            where=caller(),
        )
    if (A.ndim if axes is None else len(axes)) == 2:
        return matrix_norm(A, ord, (0, 1) if axes is None else axes, keepdim, dtype=dtype)
    if axes is not None and len(axes) != 1:
        raise ShapeError(f"linalg.norm: dim={dim!r} is not one axis or two", where=caller())
    return vector_norm(A, ord, axes, keepdim, dtype=dtype)


def matrix_rank(
    A: AnyTensor,
    tol: TensorLike | None = None,
    hermitian: bool = False,
    *,
    atol: TensorLike | None = None,
    rtol: TensorLike | None = None,
) -> Any:
    """How many singular values are above a tolerance; see `pinv` for atol and rtol.

    Args:
        A: (..., m, n).
        tol: PyTorch's older name of atol.
        hermitian: take the absolute eigenvalues of symmetric matrices.
        atol: an absolute tolerance; a tensor has one for each matrix.
        rtol: one relative to the largest.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.matrix_rank(gc.ones(3, 3))
        tensor(1)
    """
    how = {"hermitian": as_flag(hermitian, "hermitian")}
    given, tensors = _tolerances(tol if atol is None else atol, rtol, A)
    return call(values.rank_of, A, *tensors, **given, **how)


def cond(A: AnyTensor, p: Any = None) -> Any:
    """The condition numbers of matrices.

    Args:
        A: (..., m, n); square for other norms than None, 2 and -2.
        p: the norm, see `matrix_norm`; None as 2.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.cond(gc.tensor([[4.0, 0.0], [0.0, 2.0]]))
        tensor(2.)
    """
    return call(values.condition, A, p=p if p is None or isinstance(p, str) else float(p))


__all__ = ["cond", "matrix_norm", "matrix_rank", "norm", "vector_norm"]

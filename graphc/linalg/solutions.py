"""Solutions of linear systems, inverses and determinants."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from graphc.core.ir import caller
from graphc.core.operators import Operators
from graphc.eager.engine.registry import EAGER, as_eager, as_flag, call
from graphc.eager.engine.tensor import AnyTensor, TensorLike
from graphc.errors import AttributeValueError
from graphc.linalg.decompositions import svdvals
from graphc.ops.linalg import systems, values

_SolveEx = namedtuple("solveex", ["result", "info"])  # type: ignore[name-match]
_InvEx = namedtuple("invex", ["inverse", "info"])  # type: ignore[name-match]
_Slogdet = namedtuple("slogdet", ["sign", "logabsdet"])  # type: ignore[name-match]
_Lstsq = namedtuple("lstsq", ["solution", "residuals", "rank", "singular_values"])  # type: ignore[name-match]


def solve(A: AnyTensor, B: AnyTensor, *, left: bool = True) -> Any:
    """X with A X = B.

    Args:
        A: (..., n, n).
        B: (..., n, k), or vectors: (n,), or A's shape without its last axis.
        left: False for X A = B.

    Raises:
        LinAlgError: a matrix is singular.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.solve(gc.tensor([[2.0, 0.0], [0.0, 4.0]]), gc.tensor([1.0, 1.0]))
        tensor([0.5000, 0.2500])
    """
    return _solve(A, B, left, True)


def _solve(A: AnyTensor, B: AnyTensor, left: bool, check: bool) -> Any:
    settings: dict[str, Any] = {
        "left": as_flag(left, "left"),
        "title": "linalg.solve",
        "check": check,
    }
    return call(systems.solve, A, B, **settings)


def solve_ex(A: AnyTensor, B: AnyTensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """`solve`, and for each matrix 0 or the number of a pivot that is 0: then X is anything.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.solve_ex(gc.zeros(2, 2), gc.ones(2)).info.item()
        1
    """
    found = _solve(A, B, left, as_flag(check_errors, "check_errors"))
    return _SolveEx(found, call(systems.info_of, A))


def inv(A: AnyTensor) -> Any:
    """The inverses of square matrices.

    Raises:
        LinAlgError: a matrix is singular.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.inv(gc.tensor([[2.0, 0.0], [0.0, 4.0]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
    """
    return call(systems.inverse, A, title="linalg.inv", check=True)


def inv_ex(A: AnyTensor, *, check_errors: bool = False) -> Any:
    """`inv`, and for each matrix 0 or the number of a pivot that is 0: then it has no inverse.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.inv_ex(gc.zeros(2, 2)).info.item()
        1
    """
    check = as_flag(check_errors, "check_errors")
    found = call(systems.inverse, A, title="linalg.inv", check=check)
    return _InvEx(found, call(systems.info_of, A))


def solve_triangular(
    A: AnyTensor, B: AnyTensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Any:
    """X with A X = B for a triangular A; a 0 on its diagonal gives infinities or nan.

    Args:
        A: (..., n, n); one triangle is read.
        B: (..., n, k).
        upper: which.
        left: False for X A = B.
        unitriangular: whether A's diagonal counts as ones.

    Example:
        >>> import graphc as gc
        >>> a = gc.tensor([[2.0, 0.0], [1.0, 1.0]])
        >>> gc.linalg.solve_triangular(a, gc.tensor([[2.0], [3.0]]), upper=False)
        tensor([[1.],
                [2.]])
    """
    settings: dict[str, Any] = {
        "upper": as_flag(upper, "upper"), "left": as_flag(left, "left"),
        "unitriangular": as_flag(unitriangular, "unitriangular"),
    }  # fmt: skip
    return call(systems.triangular, A, B, **settings)


def lu_solve(
    LU: AnyTensor, pivots: AnyTensor, B: AnyTensor, *, left: bool = True, adjoint: bool = False
) -> Any:
    """X with A X = B, from what `lu_factor` gave of A.

    Args:
        LU: (..., n, n).
        pivots: (..., n), from 1 on.
        B: (..., n, k).
        left: False for X A = B.
        adjoint: solve with the transpose of A.

    Example:
        >>> import graphc as gc
        >>> factors = gc.linalg.lu_factor(gc.tensor([[0.0, 2.0], [4.0, 0.0]]))
        >>> gc.linalg.lu_solve(*factors, gc.tensor([[2.0], [4.0]]))
        tensor([[1.],
                [1.]])
    """
    settings: dict[str, Any] = {
        "left": as_flag(left, "left"),
        "adjoint": as_flag(adjoint, "adjoint"),
    }
    return call(systems.lu_solve, LU, pivots, B, **settings)


def det(A: AnyTensor) -> Any:
    """The determinants of square matrices.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.det(gc.tensor([[2.0, 1.0], [0.0, 4.0]]))
        tensor(8.)
    """
    return call(systems.determinant, A, title="linalg.det")


def slogdet(A: AnyTensor) -> Any:
    """The sign and log|det| of square matrices; 0 and -inf for a singular one.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.slogdet(gc.tensor([[0.0, 1.0], [1.0, 0.0]])).sign
        tensor(-1.)
    """
    return _Slogdet(*call(systems.signed_logarithm, A, title="linalg.slogdet"))


def pinv(
    A: AnyTensor,
    rcond: float | None = None,
    hermitian: bool = False,
    *,
    atol: float | None = None,
    rtol: float | None = None,
) -> Any:
    """The pseudo-inverses of matrices; its gradient is that of matrices of one rank.

    Args:
        A: (..., m, n).
        rcond: PyTorch's older name of rtol.
        hermitian: read the lower triangle of symmetric matrices.
        atol: singular values up to it count as 0.
        rtol: those up to it times the largest; unless given the dtype's spacing times A's larger
            size, 0 where atol is given.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.pinv(gc.tensor([[2.0, 0.0]]))
        tensor([[0.5000],
                [0.0000]])
    """
    given: dict[str, Any] = {
        "atol": _tolerance("atol", atol),
        "rtol": _tolerance("rtol", rcond if rtol is None else rtol),
    }
    flag = as_flag(hermitian, "hermitian")
    return call(values.pseudo_inverse, A, **given, hermitian=flag, title="linalg.pinv")


def _tolerances(
    atol: TensorLike | None, rtol: TensorLike | None, A: AnyTensor
) -> tuple[dict[str, Any], list[Any]]:
    """Two tolerances as numbers, or, where one is a tensor, both as tensors.

    Without rtol that is 0 where atol is above 0, else as PyTorch has it, by the matrices' sizes.
    """
    if not any(isinstance(value, Operators) for value in (atol, rtol)):
        return {"atol": _tolerance("atol", atol), "rtol": _tolerance("rtol", rtol)}, []
    least = as_eager(0.0 if atol is None else atol).to(A.dtype)
    if rtol is None:
        usual = max(A.shape[-2:]) * float(A.dtype.finfo.eps)
        rtol = EAGER["where"](least > 0, 0.0, usual)
    return {"atol": None, "rtol": None}, [least, as_eager(rtol).to(A.dtype)]


def _tolerance(name: str, value: TensorLike | None) -> float | None:
    if value is not None and getattr(value, "ndim", None):
        raise AttributeValueError(
            f"{name} must be one number, not one for each matrix", where=caller()
        )
    return None if value is None else float(value)  # type: ignore[arg-type]


def lstsq(
    A: AnyTensor, B: AnyTensor, rcond: float | None = None, *, driver: str | None = None
) -> Any:
    """The X with the least |A X - B|, and among those the least |X|.

    Args:
        A: (..., m, n).
        B: (..., m, k), or (..., m).
        rcond: singular values up to it times the largest count as 0.
        driver: "gelsy" or None, "gels", "gelsd", "gelss": all are computed alike, by singular
            values.

    Returns:
        (solution, residuals, rank, singular_values), where by driver some have no elements, as in
        PyTorch: the sums of squares of A X - B are there for "gels", "gelsd" and "gelss" where
        m > n, the rank for all but "gels", singular values for "gelsd" and "gelss".

    Example:
        >>> import graphc as gc
        >>> a = gc.tensor([[1.0], [1.0]])
        >>> gc.linalg.lstsq(a, gc.tensor([[1.0], [3.0]])).solution
        tensor([[2.0000]])
    """
    if driver not in (None, "gelsy", "gels", "gelsd", "gelss"):
        raise AttributeValueError(f"linalg.lstsq: driver={driver!r}", where=caller())
    found, rest, rank = call(values.least_squares, A, B, rcond=_tolerance("rcond", rcond))
    none = rest[:0].reshape(0)
    if driver == "gels":
        return _Lstsq(found, rest, rank.reshape(-1)[:0], none)
    if driver in ("gelsd", "gelss"):
        return _Lstsq(found, rest, rank, svdvals(A))
    return _Lstsq(found, none, rank, none)


def tensorinv(A: AnyTensor, ind: int = 2) -> Any:
    """The inverse of a tensor as a map of its last axes to its first `ind`.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.tensorinv(gc.eye(6).reshape(2, 3, 6), ind=2).shape
        graphc.Size([6, 2, 3])
    """
    return call(systems.tensor_inverse, A, ind=int(ind))


def tensorsolve(A: AnyTensor, B: AnyTensor, dims: Sequence[int] | None = None) -> Any:
    """X whose product with A, over A's last axes, is B.

    Args:
        A: of B's axes and X's.
        B: a tensor with as many elements as X.
        dims: axes of A that are moved to its end.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.tensorsolve(gc.eye(6).reshape(2, 3, 6), gc.ones(2, 3)).shape
        graphc.Size([6])
    """
    return call(systems.tensor_solve, A, B, axes=None if dims is None else tuple(dims))


__all__ = [
    "det", "inv", "inv_ex", "lstsq", "lu_solve", "pinv",
    "slogdet", "solve", "solve_ex", "solve_triangular", "tensorinv", "tensorsolve",
]  # fmt: skip

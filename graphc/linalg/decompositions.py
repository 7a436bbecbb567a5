"""Factors of matrices: Cholesky, LU, QR, eigenvalues of symmetric ones, singular values."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.registry import as_flag, call
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import AttributeValueError
from graphc.ops.linalg import solving, systems, values

_CholeskyEx = namedtuple("choleskyex", ["L", "info"])  # type: ignore[name-match]
_PLU = namedtuple("plu", ["P", "L", "U"])  # type: ignore[name-match]
_LUFactors = namedtuple("lufactors", ["LU", "pivots"])  # type: ignore[name-match]
_LUFactorsEx = namedtuple("lufactorsex", ["LU", "pivots", "info"])  # type: ignore[name-match]
_QR = namedtuple("qr", ["Q", "R"])  # type: ignore[name-match]
_Eigh = namedtuple("eigh", ["eigenvalues", "eigenvectors"])  # type: ignore[name-match]
_SVD = namedtuple("svd", ["U", "S", "Vh"])  # type: ignore[name-match]


def cholesky(input: AnyTensor, *, upper: bool = False) -> Any:
    """The lower triangular L with A = L L^T, of symmetric positive-definite matrices.

    Args:
        input: (..., n, n); its lower triangle is read.
        upper: give the transpose of L, and read the upper triangle.

    Raises:
        LinAlgError: a matrix is not positive-definite.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.cholesky(gc.tensor([[4.0, 2.0], [2.0, 5.0]]))
        tensor([[2., 0.],
                [1., 2.]])
    """
    return _cholesky(input, upper, True)[0]


def cholesky_ex(input: AnyTensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """`cholesky`, and for each matrix 0 or the order of a block that is not positive-definite.

    Args:
        input: (..., n, n).
        upper: give the transpose.
        check_errors: whether such a matrix is an error.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.cholesky_ex(-gc.eye(2)).info.item()
        1
    """
    return _CholeskyEx(*_cholesky(input, upper, check_errors))


def _cholesky(input: AnyTensor, upper: bool, check: bool) -> Any:
    settings: dict[str, Any] = {"title": "linalg.cholesky", "check": as_flag(check, "check_errors")}
    return call(systems.cholesky, input, upper=as_flag(upper, "upper"), **settings)


def lu(A: AnyTensor, *, pivot: bool = True) -> Any:
    """The factors of A = P L U: a permutation, L with ones on its diagonal, upper triangular U.

    Args:
        A: (..., m, n).
        pivot: whether rows are exchanged; it must be True.

    Example:
        >>> import graphc as gc
        >>> p, l, u = gc.linalg.lu(gc.tensor([[1.0, 2.0], [2.0, 2.0]]))
        >>> u
        tensor([[2., 2.],
                [0., 1.]])
    """
    return _PLU(*call(systems.lu, A, pivot=as_flag(pivot, "pivot")))


def lu_factor(A: AnyTensor, *, pivot: bool = True) -> Any:
    """A's factors as `lu_solve` takes them: L below the diagonal and U, and the rows exchanged.

    Raises:
        LinAlgError: a pivot is 0.

    Example:
        >>> import graphc as gc
        >>> lu, pivots = gc.linalg.lu_factor(gc.tensor([[1.0, 2.0], [2.0, 2.0]]))
        >>> pivots.tolist()
        [2, 2]
    """
    return _LUFactors(*_factors(A, pivot, True)[:2])


def lu_factor_ex(A: AnyTensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """`lu_factor`, and for each matrix 0 or the number of a pivot that is 0.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.lu_factor_ex(gc.ones(2, 2)).info.item()
        2
    """
    return _LUFactorsEx(*_factors(A, pivot, as_flag(check_errors, "check_errors")))


def _factors(A: AnyTensor, pivot: bool, check: bool) -> Any:
    if not as_flag(pivot, "pivot"):
        raise AttributeValueError("linalg.lu_factor: pivot=False is not supported", where=caller())
    return call(solving.factors, A, title="linalg.lu_factor", check=check)


def qr(A: AnyTensor, mode: str = "reduced") -> Any:
    """The factors of A = Q R, with orthonormal columns of Q and upper triangular R.

    Args:
        A: (..., m, n).
        mode: "reduced" for as many columns as A's lesser size; "complete" for a square Q, which
            has no gradient where m > n; "r" for R alone.

    Example:
        >>> import graphc as gc
        >>> q, r = gc.linalg.qr(gc.tensor([[3.0, 1.0], [4.0, 2.0]]))
        >>> gc.allclose(q @ r, gc.tensor([[3.0, 1.0], [4.0, 2.0]]))
        True
    """
    return _QR(*call(systems.qr, A, mode=mode))


def eigh(A: AnyTensor, UPLO: str = "L") -> Any:
    """The eigenvalues, ascending, and eigenvectors of symmetric matrices.

    Where eigenvalues are equal, what eigenvectors are is any choice: a loss that depends on it has
    no gradient.

    Args:
        A: (..., n, n).
        UPLO: the triangle that is read, "L" or "U".

    Raises:
        LinAlgError: the values are not finite.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.eigh(gc.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
        tensor([1., 2.])
    """
    return _Eigh(*call(values.eigen, A, UPLO=UPLO, title="linalg.eigh"))


def eigvalsh(A: AnyTensor, UPLO: str = "L") -> Any:
    """The eigenvalues of symmetric matrices, ascending.

    Args:
        A: (..., n, n).
        UPLO: the triangle that is read, "L" or "U".

    Example:
        >>> import graphc as gc
        >>> gc.linalg.eigvalsh(gc.tensor([[2.0, 0.0], [0.0, 1.0]]))
        tensor([1., 2.])
    """
    return call(values.eigenvalues, A, UPLO=UPLO, title="linalg.eigvalsh")


def svd(A: AnyTensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """The factors of A = U diag(S) Vh: orthonormal columns, S descending, orthonormal rows.

    Columns and rows beyond S complete a basis in any way: a loss that depends on which has no
    gradient.

    Args:
        A: (..., m, n).
        full_matrices: whether U and Vh are square.
        driver: PyTorch's, for graphics cards; it must be None.

    Raises:
        LinAlgError: the values are not finite.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.svd(gc.tensor([[3.0, 0.0], [0.0, -2.0]])).S
        tensor([3., 2.])
    """
    _no_driver("linalg.svd", driver)
    full = as_flag(full_matrices, "full_matrices")
    return _SVD(*call(values.singular, A, full_matrices=full, title="linalg.svd"))


def svdvals(A: AnyTensor, *, driver: str | None = None) -> Any:
    """The singular values, descending.

    Example:
        >>> import graphc as gc
        >>> gc.linalg.svdvals(gc.tensor([[3.0, 0.0], [0.0, -2.0]]))
        tensor([3., 2.])
    """
    _no_driver("linalg.svdvals", driver)
    return call(values.singular_values, A, title="linalg.svdvals")


def _no_driver(name: str, driver: str | None) -> None:
    if driver is not None:
        raise AttributeValueError(f"{name}: driver={driver!r} is for CUDA alone", where=caller())


def householder_product(input: AnyTensor, tau: AnyTensor) -> Any:
    """The first columns of the product of reflections 1 - tau v v^T.

    Args:
        input: (..., m, n): below the diagonal the vectors v, which have 1 on it.
        tau: (..., k).

    Example:
        >>> import graphc as gc
        >>> gc.linalg.householder_product(gc.zeros(2, 2), gc.tensor([2.0]))
        tensor([[-1.,  0.],
                [ 0.,  1.]])
    """
    return call(systems.householder_product, input, tau)


__all__ = [
    "cholesky", "cholesky_ex",
    "eigh", "eigvalsh", "householder_product", "lu", "lu_factor", "lu_factor_ex", "qr", "svd",
    "svdvals",
]  # fmt: skip

"""Linear algebra under PyTorch's names outside `linalg`: det, inverse, cholesky, svd, kron ..."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from graphc.core.ir import caller, tensor_type
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine.registry import as_axis, as_flag, call, eager
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ShapeError
from graphc.ops.linalg import exponential, systems, values

_SlogdetPair = namedtuple("slogdet", ["sign", "logabsdet"])  # type: ignore[name-match]
_QrPair = namedtuple("qr", ["Q", "R"])  # type: ignore[name-match]
_SvdTriple = namedtuple("svd", ["U", "S", "V"])  # type: ignore[name-match]
_TriangularPair = namedtuple("triangular_solve", ["solution", "cloned_coefficient"])  # type: ignore[name-match]
_Unpacked = namedtuple("lu_unpack", ["P", "L", "U"])  # type: ignore[name-match]


@eager()
def det(input: AnyTensor) -> Any:
    """The determinants of square matrices.

    Example:
        >>> import graphc as gc
        >>> gc.det(gc.tensor([[2.0, 1.0], [0.0, 4.0]]))
        tensor(8.)
    """
    return call(systems.determinant, input, title="det")


@eager()
def logdet(input: AnyTensor) -> Any:
    """The logarithms of determinants; nan for a negative one.

    Example:
        >>> import graphc as gc
        >>> gc.logdet(gc.eye(2))
        tensor(0.)
    """
    return call(systems.logarithm, input, title="logdet")


@eager()
def slogdet(input: AnyTensor) -> Any:
    """The sign and log|det| of square matrices; 0 and -inf for a singular one.

    Example:
        >>> import graphc as gc
        >>> gc.slogdet(gc.tensor([[0.0, 1.0], [1.0, 0.0]])).sign
        tensor(-1.)
    """
    return _SlogdetPair(*call(systems.signed_logarithm, input, title="slogdet"))


@eager()
def inverse(input: AnyTensor) -> Any:
    """The inverses of square matrices; a singular one is a `linalg.LinAlgError`.

    Example:
        >>> import graphc as gc
        >>> gc.inverse(gc.tensor([[2.0, 0.0], [0.0, 4.0]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
    """
    return call(systems.inverse, input, title="inverse", check=True)


@eager()
def pinverse(input: AnyTensor, rcond: float = 1e-15) -> Any:
    """The pseudo-inverses of matrices; singular values up to rcond times the largest count as 0.

    Example:
        >>> import graphc as gc
        >>> gc.pinverse(gc.tensor([[2.0, 0.0]]))
        tensor([[0.5000],
                [0.0000]])
    """
    settings: dict[str, Any] = {
        "atol": None,
        "rtol": float(rcond),
        "hermitian": False,
        "title": "pinverse",
    }
    return call(values.pseudo_inverse, input, **settings)


@eager()
def cholesky(input: AnyTensor, upper: bool = False) -> Any:
    """The lower triangular L with A = L L^T; or, for upper, its transpose.

    Example:
        >>> import graphc as gc
        >>> gc.cholesky(gc.tensor([[4.0, 2.0], [2.0, 5.0]]))
        tensor([[2., 0.],
                [1., 2.]])
    """
    flag = as_flag(upper, "upper")
    return call(systems.cholesky, input, upper=flag, title="cholesky", check=True)[0]


@eager()
def cholesky_inverse(input: AnyTensor, upper: bool = False) -> Any:
    """The inverse of the matrix that a Cholesky factor is of.

    Example:
        >>> import graphc as gc
        >>> gc.cholesky_inverse(gc.tensor([[2.0]]))
        tensor([[0.2500]])
    """
    return call(systems.cholesky_inverse, input, upper=as_flag(upper, "upper"))


@eager()
def cholesky_solve(input: AnyTensor, input2: Any, upper: bool = False) -> Any:
    """X with A X = B, from the Cholesky factor of A.

    Args:
        input: B, (..., n, k).
        input2: the factor, (..., n, n).
        upper: whether it is the upper one.

    Example:
        >>> import graphc as gc
        >>> gc.cholesky_solve(gc.tensor([[4.0]]), gc.tensor([[2.0]]))
        tensor([[1.]])
    """
    return call(systems.cholesky_solve, input, input2, upper=as_flag(upper, "upper"))


@eager()
def qr(input: AnyTensor, some: bool = True) -> Any:
    """The factors of A = Q R; Q is square where `some` is False.

    Example:
        >>> import graphc as gc
        >>> gc.qr(gc.eye(2)).Q.shape
        graphc.Size([2, 2])
    """
    mode = "reduced" if as_flag(some, "some") else "complete"
    return _QrPair(*call(systems.qr, input, mode=mode))


@eager()
def svd(input: AnyTensor, some: bool = True, compute_uv: bool = True) -> Any:
    """(U, S, V) with A = U diag(S) V^T; V is not transposed, unlike that of `gc.linalg.svd`.

    Args:
        input: (..., m, n).
        some: False for square U and V.
        compute_uv: False gives zeros for U and V.

    Example:
        >>> import graphc as gc
        >>> gc.svd(gc.tensor([[3.0, 0.0], [0.0, -2.0]])).S
        tensor([3., 2.])
    """
    full = not as_flag(some, "some")
    return _SvdTriple(*call(_svd, input, full=full, vectors=as_flag(compute_uv, "compute_uv")))


def _svd(x: Operators, *, full: bool, vectors: bool) -> Any:
    u, s, vh = values.singular(x, full_matrices=full or not vectors, title="svd")
    v = FUNCTIONS["swapaxes"](vh, -1, -2)
    return (u, s, v) if vectors else (u * 0, s, v * 0)


@eager()
def lu_solve(input: AnyTensor, LU_data: Any, LU_pivots: Any) -> Any:
    """X with A X = B, from what `gc.linalg.lu_factor` gave of A.

    Example:
        >>> import graphc as gc
        >>> gc.lu_solve(gc.tensor([[4.0]]), *gc.linalg.lu_factor(gc.tensor([[2.0]])))
        tensor([[2.]])
    """
    return call(systems.lu_solve, LU_data, LU_pivots, input, left=True, adjoint=False)


@eager()
def lu_unpack(
    LU_data: Any, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True
) -> Any:
    """(P, L, U) of what `gc.linalg.lu_factor` gave; what is not unpacked has no elements.

    Example:
        >>> import graphc as gc
        >>> gc.lu_unpack(*gc.linalg.lu_factor(gc.tensor([[2.0]]))).U
        tensor([[2.]])
    """
    p, lower, upper = call(systems.unpacked, LU_data, LU_pivots)
    none = lower[..., :0, :0].reshape(0)
    data = (lower, upper) if as_flag(unpack_data, "unpack_data") else (none, none)
    return _Unpacked(p if as_flag(unpack_pivots, "unpack_pivots") else none, *data)


@eager()
def triangular_solve(
    input: AnyTensor,
    A: Any,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> Any:
    """(X, A) with A X = B for a triangular A.

    Args:
        input: B, (..., n, k).
        A: (..., n, n).
        upper: which triangle is read.
        transpose: solve with the transpose of that triangle.
        unitriangular: whether A's diagonal counts as ones.

    Example:
        >>> import graphc as gc
        >>> gc.triangular_solve(gc.tensor([[4.0]]), gc.tensor([[2.0]])).solution
        tensor([[2.]])
    """
    turn, high = as_flag(transpose, "transpose"), as_flag(upper, "upper")
    source = A.transpose(-1, -2) if turn else A
    settings: dict[str, Any] = {
        "upper": high != turn,
        "left": True,
        "unitriangular": bool(unitriangular),
    }
    solution = call(systems.triangular, source, input, **settings)
    whole = A.expand((*solution.shape[:-2], *A.shape[-2:]))
    return _TriangularPair(solution, whole.clone())


@eager("matrix_power")
def matrix_power(input: AnyTensor, n: int) -> Any:
    """The n-th powers of square matrices; of their inverses for a negative n.

    Example:
        >>> import graphc as gc
        >>> gc.matrix_power(gc.tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
        tensor([[1., 5.],
                [0., 1.]])
    """
    return call(systems.power, input, n=as_axis(n))


def _exponential(x: Operators) -> Any:
    return exponential.EXPM(x)


@eager("matrix_exp")
def matrix_exp(input: AnyTensor) -> Any:
    """The exponentials of square matrices, computed in float64.

    Example:
        >>> import graphc as gc
        >>> gc.matrix_exp(gc.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    return call(_exponential, input)


@eager("orgqr")
def orgqr(input: AnyTensor, input2: Any) -> Any:
    """The first columns of a product of reflections; see `gc.linalg.householder_product`.

    Example:
        >>> import graphc as gc
        >>> gc.orgqr(gc.zeros(2, 2), gc.tensor([2.0]))
        tensor([[-1.,  0.],
                [ 0.,  1.]])
    """
    return call(systems.householder_product, input, input2)


def _kron(x: Operators, y: Operators) -> Any:
    rank = max(len(x.type.shape), len(y.type.shape))
    sizes = [(1,) * (rank - len(t.type.shape)) + tuple(t.type.shape) for t in (x, y)]
    left = FUNCTIONS["reshape"](x, [d for size in sizes[0] for d in (size, 1)])
    right = FUNCTIONS["reshape"](y, [d for size in sizes[1] for d in (1, size)])
    return FUNCTIONS["reshape"](left * right, [a * b for a, b in zip(*sizes)])


@eager()
def kron(input: AnyTensor, other: Any) -> Any:
    """The Kronecker product: other in the place of each element of input, times that element.

    Example:
        >>> import graphc as gc
        >>> gc.kron(gc.tensor([1, 10]), gc.tensor([[1, 2]]))
        tensor([[ 1,  2, 10, 20]])
    """
    return call(_kron, input, other)


@eager()
def cross(input: AnyTensor, other: Any, dim: int | None = None) -> Any:
    """The cross products of vectors of three along an axis: the first such axis unless given.

    Example:
        >>> import graphc as gc
        >>> gc.cross(gc.tensor([1.0, 0.0, 0.0]), gc.tensor([0.0, 1.0, 0.0]))
        tensor([0., 0., 1.])
    """
    if dim is not None:
        return call(values.cross, input, other, axis=as_axis(dim))
    for axis, size in enumerate(tensor_type(input).shape):
        if size == 3:
            return call(values.cross, input, other, axis=axis)
    raise ShapeError("cross: no axis has 3 elements", where=caller())


@eager()
def vander(x: AnyTensor, N: int | None = None, increasing: bool = False) -> Any:
    """The powers N - 1 ... 0 of each element, as a row.

    Args:
        x: (n,).
        N: how many; n unless given.
        increasing: from 0 on.

    Example:
        >>> import graphc as gc
        >>> gc.vander(gc.tensor([2, 3]))
        tensor([[2, 1],
                [3, 1]])
    """
    if x.ndim != 1:
        raise ShapeError(f"vander: a tensor of {x.ndim} axes; it takes one", where=caller())
    count = tensor_type(x).shape[0] if N is None else N
    return call(systems.powers, x, count=count, increasing=as_flag(increasing, "increasing"))


def _outer_sum(x: Operators, u: Operators, v: Operators, *, beta: float, alpha: float) -> Any:
    grown = FUNCTIONS["outer"](u, v)
    grown = grown if alpha == 1 else grown * alpha
    return grown + (0 if beta == 0 else x if beta == 1 else x * beta)


@eager()
def addr(input: AnyTensor, vec1: Any, vec2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """beta * input + alpha * outer(vec1, vec2).

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2, 2)
        >>> gc.addr(x, gc.tensor([1.0, 2.0]), gc.ones(2))
        tensor([[2., 2.],
                [3., 3.]])
    """
    if vec1.ndim != 1 or vec2.ndim != 1:
        raise ShapeError("addr: vec1 and vec2 must have one axis each", where=caller())
    return call(_outer_sum, input, vec1, vec2, beta=beta, alpha=alpha)


__all__ = ["addr", "cholesky", "cross", "det", "inverse", "kron", "qr", "svd", "vander"]

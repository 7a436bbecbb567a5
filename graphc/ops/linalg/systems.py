"""What is computed with factors: solutions, inverses, determinants; batches broadcast.

Functions of symbolic tensors. Those with `title` and `check` fail as a program runs where a
matrix has no result, by that name, unless `check` is False.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core import dims, dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import broadcast_shapes
from graphc.errors import AttributeValueError, ShapeError
from graphc.ops.arrays.lookup import trusted_along_axis
from graphc.ops.arrays.shaping import broadcast_to, cut, expand_dims, reshape, squeeze
from graphc.ops.contract.matmul import MATMUL
from graphc.ops.control import GRADIENT_AS
from graphc.ops.declare import describe
from graphc.ops.linalg.factors import CHOLESKY, QR, QR_COMPLETE
from graphc.ops.linalg.lapack import check_square, identity, part, turned
from graphc.ops.linalg.solving import SOLVE, TRIANGULAR, factors, permutation


def aligned(name: str, *tensors: Any) -> list[Any]:
    """Batches of matrices with their batches broadcast.

    Raises:
        ShapeError: a tensor is no batch of matrices, or batches do not broadcast.
    """
    shapes = [t.type.shape for t in tensors]
    batch = broadcast_shapes([s[:-2] for s in shapes]) if all(len(s) > 1 for s in shapes) else None
    if batch is None:
        raise ShapeError(
            f"{name}: {' and '.join(str(t.type) for t in tensors)} are not batches of matrices "
            "that broadcast",
            [describe(t) for t in tensors],
            where=caller(),
        )
    return [broadcast_to(t, (*batch, *s[-2:])) for t, s in zip(tensors, shapes)]


def symmetric(a: Operators) -> Any:
    """What reads a lower triangle is given it, with a gradient that both triangles share."""
    return GRADIENT_AS(a, (a + turned(a)) * 0.5)


def solve(a: Operators, b: Operators, *, left: bool, title: str, check: bool) -> Any:
    """X with A X = B, or X A = B; B may be a batch of vectors."""
    check_square(title, a.type)
    is_vector = len(b.type.shape) == 1 or b.type.shape == a.type.shape[:-1]
    if is_vector and not left:
        raise AttributeValueError(f"{title}: left=False with a vector", where=caller())
    columns = expand_dims(b, -1) if is_vector else b
    if not left:
        a, columns = turned(a), turned(columns)
    found = SOLVE(*aligned(title, a, columns), function=title, check=check)
    if is_vector:
        return squeeze(found, -1)
    return found if left else turned(found)


def inverse(a: Operators, *, title: str, check: bool) -> Any:
    """The inverses of square matrices."""
    _, n = check_square(title, a.type)
    return SOLVE(a, identity(a, n), function=title, check=check)


def info_of(a: Operators) -> Any:
    """For each matrix the number of a pivot of its LU factors that is 0, else 0."""
    return factors(a, "linalg.lu_factor", False)[2]


def _signs(pivots: Operators) -> Any:
    """1 or -1 for each permutation: by how many rows were exchanged for another."""
    own = FUNCTIONS["iota"](pivots.type.shape, len(pivots.type.shape) - 1) + 1
    moved = FUNCTIONS["sum"](FUNCTIONS["cast"](pivots != own, dtypes.int64), -1)
    return 1 - 2 * (moved % 2)


def _diagonal(a: Operators) -> Any:
    own = identity(a, a.type.shape[-1]) == 1
    return FUNCTIONS["sum"](FUNCTIONS["where"](own, a, 0), -1)


def determinant(a: Operators, *, title: str) -> Any:
    """The determinants of square matrices; the gradient is right where they are 0 too."""
    check_square(title, a.type)
    lu, pivots, _ = factors(a, title, False)
    product = FUNCTIONS["prod"](_diagonal(lu), -1)
    return product * FUNCTIONS["cast"](_signs(pivots), a.type.dtype)


def signed_logarithm(a: Operators, *, title: str) -> tuple[Any, Any]:
    """(sign, log|det|) of square matrices; 0 and -inf for a singular one."""
    check_square(title, a.type)
    lu, pivots, _ = factors(a, title, False)
    diagonal = _diagonal(lu)
    sign = FUNCTIONS["prod"](FUNCTIONS["sign"](FUNCTIONS["stop_gradient"](diagonal)), -1)
    logs = FUNCTIONS["sum"](FUNCTIONS["log"](FUNCTIONS["absolute"](diagonal)), -1)
    return sign * FUNCTIONS["cast"](_signs(pivots), a.type.dtype), logs


def logarithm(a: Operators, *, title: str) -> Any:
    """log(det) of square matrices; nan where the determinant is negative."""
    sign, logs = signed_logarithm(a, title=title)
    where = FUNCTIONS["where"]
    return where(sign == -1, float("nan"), logs)


def lu(a: Operators, *, pivot: bool = True) -> tuple[Any, Any, Any]:
    """(P, L, U) with A = P L U."""
    if not pivot:
        raise AttributeValueError("linalg.lu: pivot=False is not supported", where=caller())
    packed, pivots, _ = factors(a, "linalg.lu", False)
    return unpacked(packed, pivots)


def unpacked(packed: Operators, pivots: Operators) -> tuple[Any, Any, Any]:
    """(P, L, U) of packed factors and pivots."""
    *batch, m, n = packed.type.shape
    k, rank = dims.minimum(m, n), len(batch)
    lower = FUNCTIONS["tril"](cut(packed, rank + 1, 0, k), -1)
    lower = lower + FUNCTIONS["eye"](m, k, dtype=packed.type.dtype)
    upper = FUNCTIONS["triu"](cut(packed, rank, 0, k))
    order = expand_dims(permutation(pivots, m), -2)
    rows = FUNCTIONS["iota"]((m, 1), 0)
    return FUNCTIONS["cast"](order == rows, packed.type.dtype), lower, upper


def lu_solve(
    packed: Operators, pivots: Operators, b: Operators, *, left: bool, adjoint: bool
) -> Any:
    """X with A X = B, X A = B, or either with A^T, from A's packed factors."""
    name = "linalg.lu_solve"
    _, n = check_square(name, packed.type)
    if not left:
        return turned(lu_solve(packed, pivots, turned(b), left=True, adjoint=not adjoint))
    packed, b = aligned(name, packed, b)
    rows = broadcast_to(permutation(pivots, n), b.type.shape[:-1])
    if adjoint:
        rows = FUNCTIONS["argsort"](rows, -1)
        x = TRIANGULAR(turned(packed), b, upper=False, unit=False)
        x = TRIANGULAR(turned(packed), x, upper=True, unit=True)
        return trusted_along_axis(x, _beside(rows, b), -2)
    x = trusted_along_axis(b, _beside(rows, b), -2)
    x = TRIANGULAR(packed, x, upper=False, unit=True)
    return TRIANGULAR(packed, x, upper=True, unit=False)


def _beside(rows: Any, b: Operators) -> Any:
    return broadcast_to(expand_dims(rows, -1), b.type.shape)


def triangular(a: Operators, b: Operators, *, upper: bool, left: bool, unitriangular: bool) -> Any:
    """X with A X = B, or X A = B, for triangular A."""
    if not left:
        found = triangular(
            turned(a), turned(b), upper=not upper, left=True, unitriangular=unitriangular
        )
        return turned(found)
    a, b = aligned("linalg.solve_triangular", a, b)
    return TRIANGULAR(a, b, upper=upper, unit=unitriangular)


def cholesky(a: Operators, *, upper: bool, title: str, check: bool) -> tuple[Any, Any]:
    """(L, info) with A = L L^T, or the transpose of L."""
    _, n = check_square(title, a.type)
    source = turned(a) if upper else a
    found = CHOLESKY(symmetric(source), function=title, check=check)
    factor, info = part(found, 0, (n, n)), part(found, n * n, ())
    return turned(factor) if upper else factor, FUNCTIONS["cast"](info, dtypes.int32)


def cholesky_solve(b: Operators, factor: Operators, *, upper: bool) -> Any:
    """X with A X = B, from A's factor."""
    b, factor = aligned("cholesky_solve", b, factor)
    lower = turned(factor) if upper else factor
    x = TRIANGULAR(lower, b, upper=False, unit=False)
    return TRIANGULAR(turned(lower), x, upper=True, unit=False)


def cholesky_inverse(factor: Operators, *, upper: bool) -> Any:
    """The inverse of a matrix, from its factor."""
    _, n = check_square("cholesky_inverse", factor.type)
    return cholesky_solve(identity(factor, n), factor, upper=upper)


def qr(a: Operators, *, mode: str) -> tuple[Any, Any]:
    """(Q, R) with A = Q R; Q has no elements for mode "r"."""
    if mode not in ("reduced", "complete", "r"):
        raise AttributeValueError(
            f"linalg.qr: mode={mode!r}", where=caller(), hint='"reduced", "complete" or "r"'
        )
    m, n = a.type.shape[-2:] if len(a.type.shape) > 1 else (0, 0)
    complete = mode == "complete" and not dims.at_least(n - m, 0)
    k = m if complete else dims.minimum(m, n)
    found = (QR_COMPLETE if complete else QR)(a)
    r = part(found, m * k, (k, n))
    if mode == "r":
        return FUNCTIONS["full"]((0,), 0, a.type.dtype), r
    return part(found, 0, (m, k)), r


def householder_product(a: Operators, tau: Operators) -> Any:
    """The first columns of H1 H2 ... Hk, with H = 1 - tau v v^T; v is below A's diagonal."""
    name = "linalg.householder_product"
    if len(a.type.shape) < 2 or not all(isinstance(d, int) for d in tau.type.shape[-1:]):
        raise ShapeError(f"{name}: {a.type}, {tau.type}", where=caller())
    *batch, m, n = a.type.shape
    k = tau.type.shape[-1]
    if not dims.at_least(m - n, 0) or not dims.at_least(n - k, 0):
        raise ShapeError(f"{name}: {a.type} with {k} reflectors", where=caller())
    vectors = FUNCTIONS["tril"](a, -1) + FUNCTIONS["eye"](m, n, dtype=a.type.dtype)
    found = broadcast_to(FUNCTIONS["eye"](m, n, dtype=a.type.dtype), (*batch, m, n))
    for place in reversed(range(k)):
        v = cut(vectors, len(batch) + 1, place, 1)
        scale = expand_dims(cut(tau, len(batch), place, 1), -1)
        found = found - scale * MATMUL(v, MATMUL(turned(v), found))
    return found


def power(a: Operators, *, n: int) -> Any:
    """The n-th power of square matrices; of the inverse for a negative n."""
    _, size = check_square("linalg.matrix_power", a.type)
    if n < 0:
        a, n = inverse(a, title="linalg.matrix_power", check=True), -n
    found = None
    while n:
        if n % 2:
            found = a if found is None else MATMUL(found, a)
        n //= 2
        a = MATMUL(a, a) if n else a
    return identity(a, size) if found is None else found


def chain(*matrices: Any) -> Any:
    """The product of matrices, in the order that takes the fewest multiplications."""
    name = "linalg.multi_dot"
    if len(matrices) < 2:
        raise ShapeError(f"{name}: {len(matrices)} matrices; it takes two or more", where=caller())
    first, last = len(matrices[0].type.shape) == 1, len(matrices[-1].type.shape) == 1
    given = list(matrices)
    given[0] = expand_dims(given[0], 0) if first else given[0]
    given[-1] = expand_dims(given[-1], 1) if last else given[-1]
    if any(len(g.type.shape) != 2 for g in given):
        raise ShapeError(f"{name}: all but the first and the last are matrices", where=caller())
    sizes = [g.type.shape[0] for g in given] + [given[-1].type.shape[1]]
    found = _best(given, sizes)
    axes = [0] * first + [1] * last
    return squeeze(found, tuple(axes)) if axes else found


def _best(given: Sequence[Any], sizes: Sequence[Any]) -> Any:
    matmul = FUNCTIONS["matmul"]
    if not all(isinstance(size, int) for size in sizes):
        found = given[0]
        for matrix in given[1:]:
            found = matmul(found, matrix)
        return found
    count = len(given)
    cost: dict[tuple[int, int], int] = {(i, i): 0 for i in range(count)}
    at: dict[tuple[int, int], int] = {}
    for span in range(1, count):
        for i in range(count - span):
            j = i + span
            at[i, j] = min(range(i, j), key=lambda k: _price(cost, sizes, i, k, j))
            cost[i, j] = _price(cost, sizes, i, at[i, j], j)

    def product(i: int, j: int) -> Any:
        if i == j:
            return given[i]
        return matmul(product(i, at[i, j]), product(at[i, j] + 1, j))

    return product(0, count - 1)


def _price(cost: dict[tuple[int, int], int], sizes: Sequence[int], i: int, k: int, j: int) -> int:
    return cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1]


def tensor_inverse(a: Operators, *, ind: int) -> Any:
    """The inverse of a tensor as a map of its last axes to its first `ind`."""
    shape = a.type.shape
    left, right = dims.product(shape[:ind]), dims.product(shape[ind:])
    if ind <= 0 or left != right:
        raise ShapeError(f"linalg.tensorinv: {a.type} with ind={ind}", where=caller())
    flat = inverse(reshape(a, (left, right)), title="linalg.tensorinv", check=True)
    return reshape(flat, (*shape[ind:], *shape[:ind]))


def tensor_solve(a: Operators, b: Operators, *, axes: tuple[int, ...] | None) -> Any:
    """X whose product with A over A's last axes is B."""
    if axes:
        rank = len(a.type.shape)
        moved = [axis % rank for axis in axes]
        a = FUNCTIONS["transpose"](a, [k for k in range(rank) if k not in moved] + moved)
    shape = a.type.shape[len(b.type.shape) :]
    count = dims.product(shape)
    if count != b.type.size:
        raise ShapeError(f"linalg.tensorsolve: {a.type} and {b.type}", where=caller())
    matrix, column = reshape(a, (count, count)), reshape(b, (count, 1))
    flat = SOLVE(matrix, column, function="linalg.tensorsolve", check=True)
    return reshape(flat, shape)


def powers(x: Operators, *, count: Any, increasing: bool = True) -> Any:
    """The Vandermonde matrices of vectors: x to the powers 0 ... count - 1."""
    exponents = FUNCTIONS["iota"]((count,), 0)
    if not increasing:
        exponents = count - 1 - exponents
    if x.type.dtype.is_float:
        exponents = FUNCTIONS["cast"](exponents, x.type.dtype)
    return expand_dims(x, -1) ** exponents


__all__ = [
    "aligned", "chain", "cholesky", "cholesky_inverse", "cholesky_solve",
    "determinant", "householder_product", "info_of", "inverse", "logarithm", "lu", "lu_solve",
    "power", "powers", "qr", "signed_logarithm", "solve", "symmetric", "tensor_inverse",
    "tensor_solve", "triangular", "unpacked",
]  # fmt: skip

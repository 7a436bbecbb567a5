"""Linear systems: `solve`, `triangular_solve`, and the factors P L U."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.ir import Kind, Library, Node, NoGradient, Op, Sample, caller, tensor_type
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.errors import ShapeError
from graphc.ops.arrays.joining import concat
from graphc.ops.arrays.lookup import trusted_along_axis
from graphc.ops.arrays.shaping import broadcast_to, cut, expand_dims
from graphc.ops.batch import behind
from graphc.ops.contract.matmul import MATMUL
from graphc.ops.declare import declare
from graphc.ops.linalg.lapack import (
    SINGULAR,
    case,
    check_matrices,
    check_square,
    identity,
    library_op,
    matrices,
    packed,
    part,
    refuse,
    routine,
    turned,
)


def _solve_infer(a: TensorType, b: TensorType, *, function: str, check: bool) -> TensorType:
    _, n = check_square(function, a, b)
    if b.shape[-2] != n:
        raise ShapeError(f"{function}: {a} and {b} do not fit", where=caller())
    return b


def _solve_numpy(a: np.ndarray, b: np.ndarray, *, function: str, check: bool) -> np.ndarray:
    if not b.size:
        return b.copy()
    gesv = routine("gesv", a.dtype)
    found = [gesv(x, y) for x, y in zip(matrices(a), matrices(b))]
    if check:
        refuse(function, SINGULAR, a, [info for *_, info in found])
    return np.array([x for _, _, x, _ in found], a.dtype).reshape(b.shape)


def _solve_vjp(node: Node, ct: Node) -> tuple[Any, Any]:
    """X = A^-1 B: dX = A^-1 (dB - dA X)."""
    a, _ = node.inputs
    ct_b = SOLVE(turned(a), ct, **dict(node.attrs))
    return -MATMUL(ct_b, turned(node)), ct_b


SOLVE = library_op(
    "solve", _solve_infer, _solve_numpy, _solve_vjp,
    lambda: [
        *case((3, 3), (3, 2), function="solve", check=True),
        *case((2, 4, 4), (2, 4, 1), function="solve", check=True),
        *case((0, 0), (0, 2), function="solve", check=True),
        *case((1, 1), (1, 3), function="solve", check=False),
    ],
    "X with A X = B, by LU factors with partial pivoting.", SINGULAR,
)  # fmt: skip


def _triangular_infer(a: TensorType, b: TensorType, *, upper: bool, unit: bool) -> TensorType:
    _, n = check_square("linalg.solve_triangular", a, b)
    if b.shape[-2] != n:
        raise ShapeError(f"linalg.solve_triangular: {a} and {b} do not fit", where=caller())
    return b


def _triangular_numpy(a: np.ndarray, b: np.ndarray, *, upper: bool, unit: bool) -> np.ndarray:
    if not b.size:
        return b.copy()
    trsm = routine("trsm", a.dtype, "blas")
    found = [trsm(1.0, x, y, lower=not upper, diag=unit) for x, y in zip(matrices(a), matrices(b))]
    return np.array(found, a.dtype).reshape(b.shape)


def _triangular_vjp(node: Node, ct: Node) -> tuple[Any, Any]:
    a, _ = node.inputs
    upper, unit = node.attr("upper"), node.attr("unit")
    ct_b = TRIANGULAR(turned(a), ct, upper=not upper, unit=unit)
    ct_a = -MATMUL(ct_b, turned(node))
    return FUNCTIONS["triu" if upper else "tril"](ct_a, int(unit) * (1 if upper else -1)), ct_b


TRIANGULAR = library_op(
    "triangular_solve", _triangular_infer, _triangular_numpy, _triangular_vjp,
    lambda: [
        *case((3, 3), (3, 2), domain="nonzero", upper=True, unit=False),
        *case((2, 4, 4), (2, 4, 1), domain="nonzero", upper=False, unit=False),
        *case((3, 3), (3, 2), domain="unit", upper=False, unit=True),
        *case((0, 0), (0, 2), upper=True, unit=False),
    ],
    "X with A X = B, for the triangle of A that `upper` says; with `unit` its diagonal counts as "
    "ones.",
)  # fmt: skip


def _lu_infer(a: TensorType, *, function: str, check: bool) -> TensorType:
    batch, m, n = check_matrices(function, a)
    return a.with_shape((*batch, m * n + dims.minimum(m, n) + 1))


def _lu_numpy(a: np.ndarray, *, function: str, check: bool) -> np.ndarray:
    m, n = a.shape[-2:]
    if 0 in (m, n):
        return np.zeros((*a.shape[:-2], 1), a.dtype)
    found = [routine("getrf", a.dtype)(x) for x in matrices(a)]
    if check:
        refuse(function, SINGULAR, a, [info for *_, info in found])
    rows = [(lu, pivots + 1, info) for lu, pivots, info in found]
    return packed(a, rows, m * n + min(m, n) + 1)


def _lu_vjp(node: Node, ct: Node) -> tuple[Any]:
    """By blocks: dL and dU are the triangles of L^-1 P^T dA U^-1 (Seeger et al., 2017).

    A pivot that is 0 counts as a very small one: so the gradient of a determinant, which is a
    polynomial, is right there too.
    """
    (a,) = node.inputs
    (*batch, m, n), k = tensor_type(a).shape, dims.minimum(*tensor_type(a).shape[-2:])
    lu, pivots = part(node, 0, (m, n)), part(node, m * n, (k,))
    given = part(ct, 0, (m, n))
    lower, upper, ct_l, ct_u = _corners(lu, given, k)
    beside, below = None, None
    if n - k != 0:  # U = [U1 U2], U2 = L^-1 P^T A2
        u2, ct_u2 = (cut(cut(t, len(batch), 0, k), len(batch) + 1, k, n - k) for t in (lu, given))
        beside = TRIANGULAR(turned(lower), ct_u2, upper=True, unit=True)
        ct_l = ct_l - MATMUL(beside, turned(u2))
    if m - k != 0:  # L = [L1; L2], L2 = (P^T A)2 U^-1
        l2, ct_l2 = (cut(cut(t, len(batch) + 1, 0, k), len(batch), k, m - k) for t in (lu, given))
        below = turned(TRIANGULAR(upper, turned(ct_l2), upper=True, unit=False))
        ct_u = ct_u - MATMUL(turned(l2), below)
    tril, triu = FUNCTIONS["tril"], FUNCTIONS["triu"]
    middle = tril(MATMUL(turned(lower), ct_l), -1) + triu(MATMUL(ct_u, turned(upper)))
    middle = TRIANGULAR(turned(lower), middle, upper=True, unit=True)
    found = turned(TRIANGULAR(upper, turned(middle), upper=True, unit=False))
    if beside is not None:
        found = concat([found, beside], len(batch) + 1)
    if below is not None:
        rest = FUNCTIONS["full"]((*batch, m - k, n - k), 0, tensor_type(a).dtype)
        below = below if n - k == 0 else concat([below, rest], len(batch) + 1)
        found = concat([found, below], len(batch))
    order = FUNCTIONS["argsort"](permutation(pivots, m), -1)
    index = broadcast_to(expand_dims(order, -1), (*batch, m, n))
    return (trusted_along_axis(found, index, -2),)


def _corners(lu: Any, given: Any, k: Any) -> tuple[Any, Any, Any, Any]:
    """L and U of the first k rows and columns, with no pivot of 0, and the cotangents of both."""
    rank = len(lu.type.shape)
    lu, given = (cut(cut(t, rank - 2, 0, k), rank - 1, 0, k) for t in (lu, given))
    tril, triu, where = FUNCTIONS["tril"], FUNCTIONS["triu"], FUNCTIONS["where"]
    one = identity(lu, k)
    # Not the largest: of no elements there is none.
    top = FUNCTIONS["sum"](FUNCTIONS["absolute"](triu(lu)), (-2, -1), True)
    top = FUNCTIONS["maximum"](top, 1)
    small = FUNCTIONS["stop_gradient"](top * float(lu.type.dtype.finfo.eps)) * one
    upper = triu(lu) + where((lu == 0) & (one == 1), small, 0)
    return tril(lu, -1) + one, upper, tril(given, -1), triu(given)


LU = library_op(
    "lu", _lu_infer, _lu_numpy, _lu_vjp,
    lambda: [
        *case((3, 3), function="lu", check=False),
        *case((2, 3, 5), function="lu", check=False),
        *case((2, 5, 3), function="lu", check=True),
        *case((1, 1), function="lu", check=False),
    ],
    "The factors of A = P L U: L below the diagonal and U, the rows that were exchanged (from 1 "
    "on), and the number of a pivot that is 0.", SINGULAR,
)  # fmt: skip


def _permutation_infer(pivots: TensorType, *, count: Any) -> TensorType:
    return TensorType(dtypes.int64, (*pivots.shape[:-1], count))


def _permutation_numpy(pivots: np.ndarray, *, count: int) -> np.ndarray:
    rows = pivots.reshape(int(np.prod(pivots.shape[:-1])), pivots.shape[-1])
    found = np.tile(np.arange(count), (len(rows), 1))
    for order, exchanged in zip(found, rows):
        for i, j in enumerate(exchanged.tolist()):
            j = min(max(j - 1, 0), count - 1)
            order[[i, j]] = order[[j, i]]
    return found.reshape(*pivots.shape[:-1], count)


PERMUTATION = declare(
    Op(
        "permutation", Kind.LIBRARY, _permutation_infer, _permutation_numpy,
        NoGradient("the order of rows is of integers"), Library("permutation"), batch=behind(),
        samples=lambda: [
            Sample((((3,), "int32", "nonzero"),), {"count": 3}),
            Sample((((2, 2), "int32", "nonzero"),), {"count": 4}),
        ],
        doc="The order of `count` rows after exchanges, from 1 on: row i with row pivots[i].",
    )
)  # fmt: skip


def permutation(pivots: Any, count: Any) -> Any:
    """The rows of A in the order of P^T A: int64 (*batch, count), from pivots."""
    return PERMUTATION(FUNCTIONS["cast"](pivots, dtypes.int32), count=count)


def factors(a: Any, title: str, check: bool) -> tuple[Any, Any, Any]:
    """(LU, pivots, info) of symbolic matrices, pivots and info as int32."""
    (m, n), found = tensor_type(a).shape[-2:], LU(a, function=title, check=check)
    k, cast = dims.minimum(m, n), FUNCTIONS["cast"]
    pivots, info = part(found, m * n, (k,)), part(found, m * n + k, ())
    return part(found, 0, (m, n)), cast(pivots, dtypes.int32), cast(info, dtypes.int32)

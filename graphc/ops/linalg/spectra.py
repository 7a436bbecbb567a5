"""Eigenvalues of symmetric matrices, singular values, and the pseudo-inverse."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.ir import Node
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.ops.arrays.shaping import cut
from graphc.ops.contract.matmul import MATMUL
from graphc.ops.linalg.lapack import (
    DIVERGED,
    by_columns,
    case,
    check_matrices,
    check_square,
    doubled_lower,
    identity,
    library_op,
    matrices,
    packed,
    part,
    ratio,
    refuse,
    routine,
    turned,
)


def _eigh_infer(a: TensorType, *, function: str, check: bool) -> TensorType:
    batch, n = check_square(function, a)
    return a.with_shape((*batch, n + n * n))


def _eigh_numpy(a: np.ndarray, *, function: str, check: bool) -> np.ndarray:
    n = a.shape[-1]
    if n == 0:
        return np.zeros((*a.shape[:-2], 0), a.dtype)
    found = [routine("syevd", a.dtype)(x, compute_v=1, lower=1) for x in matrices(a)]
    if check:
        refuse(function, DIVERGED, a, [info for *_, info in found])
    return packed(a, [row[:2] for row in found], n + n * n)


def _differences(values: Any) -> Any:
    """values[j] - values[i]."""
    return FUNCTIONS["expand_dims"](values, -2) - FUNCTIONS["expand_dims"](values, -1)


def _eigh_vjp(node: Node, ct: Node) -> tuple[Any]:
    """dA = V dM V^T: dw is M's diagonal, and V^T dV has M[i, j] / (w[j] - w[i]) (Giles, 2008)."""
    n = node.inputs[0].type.shape[-1]  # type: ignore[union-attr]
    w, v = part(node, 0, (n,)), part(node, n, (n, n))
    ct_w, ct_v = part(ct, 0, (n,)), part(ct, n, (n, n))
    one = identity(v, n)
    turning = MATMUL(turned(v), ct_v) * (1 - one)
    inner = ratio(turning, _differences(w)) + by_columns(one, ct_w)
    found = MATMUL(v, MATMUL(inner, turned(v)))
    return (doubled_lower((found + turned(found)) * 0.5),)


EIGH = library_op(
    "eigh", _eigh_infer, _eigh_numpy, _eigh_vjp,
    lambda: [
        *case((3, 3), function="eigh", check=True),
        *case((2, 4, 4), function="eigh", check=True),
        *case((1, 1), function="eigh", check=True),
    ],
    "Eigenvalues, ascending, and eigenvectors, of the symmetric matrix whose lower triangle A has.",
    DIVERGED,
)  # fmt: skip


def _svd_infer(a: TensorType, *, function: str, check: bool, full: bool = False) -> TensorType:
    batch, m, n = check_matrices(function, a)
    k = dims.minimum(m, n)
    sizes = m * m + k + n * n if full else m * k + k + k * n
    return a.with_shape((*batch, sizes))


def _svd_numpy(a: np.ndarray, *, function: str, check: bool, full: bool = False) -> np.ndarray:
    m, n = a.shape[-2:]
    k = min(m, n)
    size = m * m + k + n * n if full else m * k + k + k * n
    if k == 0:
        both = (np.eye(m), np.eye(n)) if full else (np.zeros(0),)
        return packed(a, [both] * len(matrices(a)), size)
    found = [routine("gesdd", a.dtype)(x, full_matrices=full) for x in matrices(a)]
    if check:
        refuse(function, DIVERGED, a, [info for *_, info in found])
    return packed(a, [row[:3] for row in found], size)


def svd_parts(x: Any, m: Any, n: Any) -> tuple[Any, Any, Any]:
    """U, S and V^T of what SVD gave, or of its cotangent."""
    k = dims.minimum(m, n)
    return part(x, 0, (m, k)), part(x, m * k, (k,)), part(x, m * k + k, (k, n))


def _svd_vjp(node: Node, ct: Node) -> tuple[Any]:
    m, n = node.inputs[0].type.shape[-2:]  # type: ignore[union-attr]
    return (_pulled(svd_parts(node, m, n), svd_parts(ct, m, n), m, n),)


def _pulled(parts: Any, cts: Any, m: Any, n: Any) -> Any:
    """A = U S V^T; see Wan and Zhang, "Automatic differentiation for complex valued SVD" (2019)."""
    (u, s, vh), (ct_u, ct_s, ct_vh), k = parts, cts, dims.minimum(m, n)
    column, row = FUNCTIONS["expand_dims"](s, -1), FUNCTIONS["expand_dims"](s, -2)
    apart = (row - column) * (row + column)
    left = MATMUL(turned(u), ct_u)
    right = MATMUL(vh, turned(ct_vh))
    inner = (
        ratio(left - turned(left), apart) * row
        + column * ratio(right - turned(right), apart)
        + by_columns(identity(u, k), ct_s)
    )
    found = MATMUL(u, MATMUL(inner, vh))
    if m - k != 0:
        found = found + MATMUL(ratio(ct_u - MATMUL(u, left), row), vh)
    if n - k != 0:
        rest = ct_vh - MATMUL(turned(right), vh)
        found = found + MATMUL(u, ratio(rest, column))
    return found


SVD = library_op(
    "svd", _svd_infer, _svd_numpy, _svd_vjp,
    lambda: [
        *case((3, 3), function="svd", check=True),
        *case((2, 5, 3), function="svd", check=True),
        *case((3, 5), function="svd", check=True),
        *case((1, 1), function="svd", check=True),
    ],
    "U, S and V^T of A = U S V^T, with as many singular values, descending, as A's lesser size.",
    DIVERGED,
)  # fmt: skip


def _full_infer(a: TensorType, *, function: str, check: bool) -> TensorType:
    return _svd_infer(a, function=function, check=check, full=True)


def _full_numpy(a: np.ndarray, *, function: str, check: bool) -> np.ndarray:
    return _svd_numpy(a, function=function, check=check, full=True)


def _full_vjp(node: Node, ct: Node) -> tuple[Any]:
    """Vectors beyond the singular values span what the others do not: as these turn, those do.

    How they turn among themselves is any choice, of which a loss with a gradient is independent.
    """
    m, n = node.inputs[0].type.shape[-2:]  # type: ignore[union-attr]
    k = dims.minimum(m, n)
    (u, s, vh), (ct_u, ct_s, ct_vh) = (
        (part(x, 0, (m, m)), part(x, m * m, (k,)), part(x, m * m + k, (n, n))) for x in (node, ct)
    )
    own_u, own_ct = _turned_along(u, ct_u, k, m)
    own_v, own_ct_v = _turned_along(turned(vh), turned(ct_vh), k, n)
    parts, cts = (own_u, s, turned(own_v)), (own_ct, ct_s, turned(own_ct_v))
    return (_pulled(parts, cts, m, n),)


def _turned_along(u: Any, ct: Any, k: Any, m: Any) -> tuple[Any, Any]:
    """The first k of m orthonormal columns, and their cotangent with what the others add to it."""
    column = len(u.type.shape) - 1
    first, given = cut(u, column, 0, k), cut(ct, column, 0, k)
    if m - k == 0:
        return first, given
    rest, ct_rest = cut(u, column, k, m - k), cut(ct, column, k, m - k)
    return first, given - MATMUL(rest, MATMUL(turned(ct_rest), first))


SVD_FULL = library_op(
    "svd_full", _full_infer, _full_numpy, _full_vjp,
    lambda: [
        *case((2, 4, 3), function="svd", check=True), *case((2, 3), function="svd", check=True),
    ],
    "U, S and V^T of A = U S V^T, with square U and V.", DIVERGED,
)  # fmt: skip


def _pinv_infer(
    a: TensorType, *, function: str, check: bool, atol: float, rtol: float
) -> TensorType:
    batch, m, n = check_matrices(function, a)
    return a.with_shape((*batch, n, m))


def _pinv_numpy(
    a: np.ndarray, *, function: str, check: bool, atol: float, rtol: float
) -> np.ndarray:
    m, n = a.shape[-2:]
    if not a.size:
        return np.zeros((*a.shape[:-2], n, m), a.dtype)
    found = [routine("gesdd", a.dtype)(x, full_matrices=False) for x in matrices(a)]
    if check:
        refuse(function, DIVERGED, a, [info for *_, info in found])
    rows = []
    for u, s, vh, _ in found:
        kept = s > max(atol, rtol * float(s[0]))
        rows.append((vh[kept].T / s[kept]) @ u[:, kept].T)
    return np.array(rows, a.dtype).reshape(*a.shape[:-2], n, m)


def _pinv_vjp(node: Node, ct: Node) -> tuple[Any]:
    """Golub and Pereyra (1973): with P = A^+, where the rank stays,
    dP = -P dA P + P P^T dA^T (1 - A P) + (1 - P A) dA^T P^T P."""
    (a,) = node.inputs
    p, pt, g = node, turned(node), turned(ct)
    found = -MATMUL(pt, MATMUL(ct, pt))
    left = MATMUL(g, MATMUL(p, pt))
    found = found + left - MATMUL(a, MATMUL(p, left))
    right = MATMUL(MATMUL(pt, p), g)
    return (found + right - MATMUL(MATMUL(right, p), a),)


PINV = library_op(
    "pinv", _pinv_infer, _pinv_numpy, _pinv_vjp,
    lambda: [
        *case((3, 3), function="pinv", check=True, atol=0.0, rtol=1e-12),
        *case((2, 5, 3), function="pinv", check=True, atol=1e-9, rtol=0.0),
        *case((3, 5), function="pinv", check=True, atol=0.0, rtol=1e-12),
        *case((2, 0), function="pinv", check=True, atol=0.0, rtol=1e-12),
    ],
    "The pseudo-inverse; singular values up to max(atol, rtol * the largest) count as 0.", DIVERGED,
)  # fmt: skip

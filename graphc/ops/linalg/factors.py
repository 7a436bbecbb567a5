"""Cholesky and QR factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.ir import Node, NoGradient
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.ops.arrays.joining import concat
from graphc.ops.arrays.shaping import cut
from graphc.ops.contract.matmul import MATMUL
from graphc.ops.linalg.lapack import (
    INDEFINITE,
    case,
    check_matrices,
    check_square,
    doubled_lower,
    identity,
    library_op,
    matrices,
    packed,
    part,
    refuse,
    routine,
    turned,
)
from graphc.ops.linalg.solving import TRIANGULAR


def _cholesky_infer(a: TensorType, *, function: str, check: bool) -> TensorType:
    batch, n = check_square(function, a)
    return a.with_shape((*batch, n * n + 1))


def _cholesky_numpy(a: np.ndarray, *, function: str, check: bool) -> np.ndarray:
    n = a.shape[-1]
    if n == 0:
        return np.zeros((*a.shape[:-2], 1), a.dtype)
    found = [routine("potrf", a.dtype)(x, lower=1, clean=1) for x in matrices(a)]
    if check:
        refuse(function, INDEFINITE, a, [info for _, info in found])
    return packed(a, found, n * n + 1)


def _cholesky_vjp(node: Node, ct: Node) -> tuple[Any]:
    """A = L L^T: L^-1 dA L^-T has twice L^-1 dL in its lower triangle (Murray, 2016)."""
    n = node.inputs[0].type.shape[-1]  # type: ignore[union-attr]
    factor, given = part(node, 0, (n, n)), FUNCTIONS["tril"](part(ct, 0, (n, n)))
    middle = FUNCTIONS["tril"](MATMUL(turned(factor), given))
    middle = middle * (1 - 0.5 * identity(middle, n))
    upper = turned(factor)
    left = TRIANGULAR(upper, middle, upper=True, unit=False)
    found = turned(TRIANGULAR(upper, turned(left), upper=True, unit=False))
    return (doubled_lower((found + turned(found)) * 0.5),)


CHOLESKY = library_op(
    "cholesky", _cholesky_infer, _cholesky_numpy, _cholesky_vjp,
    lambda: [
        *case((3, 3), domain="definite", function="cholesky", check=False),
        *case((2, 4, 4), domain="definite", function="cholesky", check=False),
        *case((1, 1), domain="definite", function="cholesky", check=False),
    ],
    "L with A = L L^T, from A's lower triangle, and the order of a leading block that is not "
    "positive-definite.", INDEFINITE,
)  # fmt: skip


def _qr_infer(a: TensorType, *, complete: bool = False) -> TensorType:
    batch, m, n = check_matrices("linalg.qr", a)
    k = m if complete else dims.minimum(m, n)
    return a.with_shape((*batch, m * k + k * n))


def _qr_numpy(a: np.ndarray, *, complete: bool = False) -> np.ndarray:
    m, n = a.shape[-2:]
    k = m if complete else min(m, n)
    if 0 in (m, n):
        return packed(a, [(np.eye(m, k),)] * len(matrices(a)), m * k + k * n)
    geqrf, orgqr = routine("geqrf", a.dtype), routine("orgqr", a.dtype)
    rows = []
    for x in matrices(a):
        below, tau, _, _ = geqrf(x)
        whole = np.zeros((m, k), a.dtype, order="F")
        whole[:, : min(m, n)] = below[:, : min(m, n)]
        q, _, _ = orgqr(whole, tau)
        rows.append((q, np.triu(below[:k])))
    return packed(a, rows, m * k + k * n)


def _qr_vjp(node: Node, ct: Node) -> tuple[Any]:
    """Walter and Lehmann (2012): A = [X Y], R = [U V], of which X = Q U decides Q."""
    (*batch, m, n), k = node.inputs[0].type.shape, dims.minimum(*node.inputs[0].type.shape[-2:])  # type: ignore[union-attr]
    q, r = part(node, 0, (m, k)), part(node, m * k, (k, n))
    ct_q, ct_r = part(ct, 0, (m, k)), part(ct, m * k, (k, n))
    beside = None
    if n - k != 0:
        a, column = node.inputs[0], len(batch) + 1
        ct_v = cut(ct_r, column, k, n - k)
        beside = MATMUL(q, ct_v)
        ct_q = ct_q + MATMUL(cut(a, column, k, n - k), turned(ct_v))
        r, ct_r = cut(r, column, 0, k), cut(ct_r, column, 0, k)
    tril, triu = FUNCTIONS["tril"], FUNCTIONS["triu"]
    inner = MATMUL(r, turned(triu(ct_r))) - MATMUL(turned(ct_q), q)
    both = tril(inner) + turned(tril(inner, -1))
    given = ct_q + MATMUL(q, both)
    found = turned(TRIANGULAR(r, turned(given), upper=True, unit=False))
    return (found if beside is None else concat([found, beside], len(batch) + 1),)


QR = library_op(
    "qr", _qr_infer, _qr_numpy, _qr_vjp,
    lambda: [*case((3, 3)), *case((2, 5, 3)), *case((3, 5)), *case((2, 1, 1))],
    "Q and R of A = Q R, with as many columns of Q as the lesser size of A.",
)  # fmt: skip
QR_COMPLETE = library_op(
    "qr_complete", lambda a: _qr_infer(a, complete=True), lambda a: _qr_numpy(a, complete=True),
    NoGradient("further columns of Q are any that complete a basis; use mode='reduced'"),
    lambda: [*case((5, 3)), *case((2, 3, 3))],
    "Q and R of A = Q R, with a square Q.",
)  # fmt: skip

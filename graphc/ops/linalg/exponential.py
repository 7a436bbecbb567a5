"""The exponential of a matrix: scaling and squaring over a fraction of polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core.ir import Node
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.ops.arrays.joining import concat
from graphc.ops.arrays.shaping import cut
from graphc.ops.linalg.lapack import case, check_square, library_op, matrices, turned

# Of the fraction of degree 13, and how far its argument's norm may go (Higham, 2005).
COEFFICIENTS = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
    129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0,
    960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
REACH = 5.371920351148152
# A norm beyond 2 ** this has no finite exponential that is of use.
MOST = 1100


def _infer(a: TensorType) -> TensorType:
    check_square("linalg.matrix_exp", a)
    return a


def _one(x: np.ndarray) -> np.ndarray:
    norm = float(np.abs(x).sum(0).max(initial=0))
    halvings = 0
    while norm > REACH and halvings < MOST:
        norm, halvings = norm / 2, halvings + 1
    c, a, one = COEFFICIENTS, x * 0.5**halvings, np.eye(len(x))
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a2 @ a4
    high = a6 @ (c[13] * a6 + c[11] * a4 + c[9] * a2)
    odd = a @ (high + c[7] * a6 + c[5] * a4 + c[3] * a2 + c[1] * one)
    even = a6 @ (c[12] * a6 + c[10] * a4 + c[8] * a2)
    even = even + c[6] * a6 + c[4] * a4 + c[2] * a2 + c[0] * one
    if not np.isfinite(norm):
        return np.full_like(x, np.nan)
    found = np.linalg.solve(even - odd, even + odd)
    for _ in range(halvings):
        found = found @ found
    return found


def _numpy(a: np.ndarray) -> np.ndarray:
    if not a.size:
        return a.copy()
    wide = matrices(a).astype(np.float64)
    return np.array([_one(x) for x in wide]).astype(a.dtype).reshape(a.shape)


def _vjp(node: Node, ct: Node) -> tuple[Any]:
    """The corner of the exponential of [[A^T, ct], [0, A^T]] (Mathias, 1996)."""
    (a,) = node.inputs
    (*batch, n, _), zeros = a.type.shape, FUNCTIONS["full"](a.type.shape, 0, a.type.dtype)  # type: ignore[union-attr]
    row, column = len(batch), len(batch) + 1
    top = concat([turned(a), ct], column)
    both = EXPM(concat([top, concat([zeros, turned(a)], column)], row))
    return (cut(cut(both, row, 0, n), column, n, n),)


EXPM = library_op(
    "matrix_exp", _infer, _numpy, _vjp,
    lambda: [*case((3, 3)), *case((2, 4, 4)), *case((1, 1)), *case((0, 0))],
    "The exponential of square matrices, computed in float64.",
)  # fmt: skip

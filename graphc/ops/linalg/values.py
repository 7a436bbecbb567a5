"""What is computed with eigenvalues and singular values: norms, ranks, pseudo-inverses.

Functions of symbolic tensors.
"""

from __future__ import annotations

import math
from typing import Any

from graphc.core import dims, dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import broadcast_shapes
from graphc.errors import AttributeValueError, ShapeError
from graphc.ops.arrays.norms import vector_norm
from graphc.ops.arrays.shaping import broadcast_to, expand_dims, moveaxis, squeeze
from graphc.ops.contract.matmul import MATMUL
from graphc.ops.control import GRADIENT_AS
from graphc.ops.declare import check_axis
from graphc.ops.linalg.lapack import check_matrices, check_square, part, turned
from graphc.ops.linalg.spectra import EIGH, PINV, SVD, SVD_FULL, svd_parts
from graphc.ops.linalg.systems import aligned, inverse, symmetric


def eigen(a: Operators, *, UPLO: str, title: str) -> tuple[Any, Any]:
    """(eigenvalues, eigenvectors) of symmetric matrices, from one triangle."""
    _, n = check_square(title, a.type)
    if UPLO not in ("L", "U", "l", "u"):
        raise AttributeValueError(f"{title}: UPLO={UPLO!r}", where=caller(), hint='"L" or "U"')
    source = a if UPLO in "Ll" else turned(a)
    found = EIGH(symmetric(source), function=title, check=True)
    return part(found, 0, (n,)), part(found, n, (n, n))


def eigenvalues(a: Operators, *, UPLO: str, title: str) -> Any:
    """The eigenvalues of symmetric matrices, ascending."""
    return eigen(a, UPLO=UPLO, title=title)[0]


def singular(a: Operators, *, full_matrices: bool, title: str) -> tuple[Any, Any, Any]:
    """(U, S, V^T). Columns of U and rows of V^T beyond S complete a basis in any way."""
    m, n = check_matrices(title, a.type)[1:]
    k = dims.minimum(m, n)
    if not full_matrices or (m - k == 0 and n - k == 0):
        return svd_parts(SVD(a, function=title, check=True), m, n)
    found = SVD_FULL(a, function=title, check=True)
    return part(found, 0, (m, m)), part(found, m * m, (k,)), part(found, m * m + k, (n, n))


def singular_values(a: Operators, *, title: str) -> Any:
    """The singular values, descending."""
    return singular(a, full_matrices=False, title=title)[1]


def default_tolerance(a: Operators, atol: float | None, rtol: float | None) -> tuple[float, float]:
    """PyTorch's tolerances: relative to the greatest singular value unless `atol` is given."""
    if rtol is None and (atol is None or atol <= 0):
        sizes = [size for size in a.type.shape[-2:] if isinstance(size, int)]
        if len(sizes) < 2:
            raise ShapeError(
                f"a tolerance for {a.type} depends on sizes that are symbolic",
                where=caller(),
                hint="give rtol=",
            )
        rtol = max(sizes) * float(a.type.dtype.finfo.eps)
    return float(atol or 0), float(rtol or 0)


def pseudo_inverse(
    a: Operators, *, atol: float | None, rtol: float | None, hermitian: bool, title: str
) -> Any:
    """The pseudo-inverse; for `hermitian` of what A's lower triangle stands for."""
    at_most, relative = default_tolerance(a, atol, rtol)
    if hermitian:
        lower = FUNCTIONS["tril"](a)
        # Its gradient is shared by both triangles, as that of eigenvalues is.
        a = GRADIENT_AS(lower + turned(FUNCTIONS["tril"](a, -1)), (a + turned(a)) * 0.5)
    return PINV(a, function=title, check=True, atol=at_most, rtol=relative)


def rank_of(
    a: Operators, *tensors: Operators, atol: float | None, rtol: float | None, hermitian: bool
) -> Any:
    """How many singular values are above the tolerance: of the numbers, or of two tensors."""
    name = "linalg.matrix_rank"
    at_most, relative = (
        [expand_dims(t, -1) for t in tensors] if tensors else default_tolerance(a, atol, rtol)
    )
    if hermitian:
        values = FUNCTIONS["absolute"](eigenvalues(a, UPLO="L", title=name))
    else:
        values = singular_values(a, title=name)
    if values.type.shape[-1] == 0:
        return FUNCTIONS["full"](values.type.shape[:-1], 0, dtypes.int64)
    top = FUNCTIONS["max"](values, -1, True)
    least = FUNCTIONS["maximum"](top * relative, at_most)
    return FUNCTIONS["sum"](FUNCTIONS["cast"](values > least, dtypes.int64), -1)


def least_squares(a: Operators, b: Operators, *, rcond: float | None) -> tuple[Any, Any, Any]:
    """(solution, residuals, rank): the solution of least norm, by the pseudo-inverse."""
    name = "linalg.lstsq"
    is_vector = len(a.type.shape) == len(b.type.shape) + 1 and len(b.type.shape) >= 1
    columns = expand_dims(b, -1) if is_vector else b
    a, columns = aligned(name, a, columns)
    inner = pseudo_inverse(a, atol=None, rtol=rcond, hermitian=False, title=name)
    found = MATMUL(inner, columns)
    rank = rank_of(a, atol=None, rtol=rcond, hermitian=False)
    m, n = a.type.shape[-2:]
    rest = FUNCTIONS["full"]((0,), 0, a.type.dtype)
    if dims.at_least(m - n, 1):
        apart = MATMUL(a, found) - columns
        rest = FUNCTIONS["sum"](apart * apart, -2)
    return squeeze(found, -1) if is_vector else found, rest, rank


def matrix_norm(
    a: Operators, *, p: str | float, axes: tuple[int, int], keepdims: bool, title: str
) -> Any:
    """A norm of the matrices in two axes: "fro", "nuc", 1, -1, 2, -2, inf or -inf."""
    rank = len(a.type.shape)
    row, column = (check_axis(title, axis, rank) for axis in axes)
    if row == column:
        raise ShapeError(f"{title}: one axis twice, {axes}", where=caller())
    if p == "fro":
        return vector_norm(a, 2, (row, column), keepdims)
    if p == "nuc" or p in (2, -2):
        values = singular_values(moveaxis(a, (row, column), (-2, -1)), title=title)
        found = FUNCTIONS["sum" if p == "nuc" else "max" if p == 2 else "min"](values, -1)
    elif p in (1, -1, math.inf, -math.inf):
        first, second = (row, column) if p in (1, -1) else (column, row)
        sums = FUNCTIONS["sum"](FUNCTIONS["absolute"](a), first, True)
        found = FUNCTIONS["max" if p > 0 else "min"](sums, (first, second))
    else:
        raise AttributeValueError(
            f"{title}: {p!r} is no norm of matrices", where=caller(),
            hint='"fro", "nuc", 1, -1, 2, -2, inf or -inf',
        )  # fmt: skip
    return expand_dims(found, tuple(sorted((row, column)))) if keepdims else found


def condition(a: Operators, *, p: Any) -> Any:
    """The norm of A times that of its inverse; of singular values for p None, 2 and -2."""
    name = "linalg.cond"
    if p in (None, 2, -2):
        values = singular_values(a, title=name)
        ends = (FUNCTIONS["max"](values, -1), FUNCTIONS["min"](values, -1))
        return ends[1] / ends[0] if p == -2 else ends[0] / ends[1]
    other = inverse(a, title=name, check=False)
    return _own_norm(a, p) * _own_norm(other, p)


def _own_norm(a: Operators, p: Any) -> Any:
    return matrix_norm(a, p=p, axes=(-2, -1), keepdims=False, title="linalg.cond")


def cross(x: Operators, y: Operators, *, axis: int) -> Any:
    """The cross product of vectors of three along an axis; the others broadcast."""
    name = "linalg.cross"
    shape = broadcast_shapes([x.type.shape, y.type.shape])
    if shape is None:
        raise ShapeError(f"{name}: {x.type} and {y.type} do not broadcast", where=caller())
    axis = check_axis(name, axis, len(shape))
    x, y = broadcast_to(x, shape), broadcast_to(y, shape)
    if shape[axis] != 3:
        raise ShapeError(f"{name}: axis {axis} has {shape[axis]} elements, not 3", where=caller())
    one, two = (FUNCTIONS["roll"](x, -k, axis) for k in (1, 2))
    return one * FUNCTIONS["roll"](y, -2, axis) - two * FUNCTIONS["roll"](y, -1, axis)


__all__ = [
    "condition", "cross", "eigen", "eigenvalues", "least_squares", "matrix_norm", "pseudo_inverse",
    "rank_of", "singular", "singular_values",
]  # fmt: skip

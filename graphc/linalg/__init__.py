"""Linear algebra under PyTorch's names, `torch.linalg`.

    q, r = gc.linalg.qr(a)
    x = gc.linalg.solve(a, b)

Matrices are the last two axes, of float32 or float64; axes before them are batches, and broadcast.
Sizes may be symbolic. LAPACK computes, also in compiled programs; a singular matrix is a
`LinAlgError` that names it.
"""

from graphc.errors import LinAlgError
from graphc.linalg.decompositions import (
    cholesky,
    cholesky_ex,
    eigh,
    eigvalsh,
    householder_product,
    lu,
    lu_factor,
    lu_factor_ex,
    qr,
    svd,
    svdvals,
)
from graphc.linalg.norms import cond, matrix_norm, matrix_rank, norm, vector_norm
from graphc.linalg.products import (
    cross,
    diagonal,
    matmul,
    matrix_exp,
    matrix_power,
    multi_dot,
    vander,
    vecdot,
)
from graphc.linalg.solutions import (
    det,
    inv,
    inv_ex,
    lstsq,
    lu_solve,
    pinv,
    slogdet,
    solve,
    solve_ex,
    solve_triangular,
    tensorinv,
    tensorsolve,
)

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eigh",
    "eigvalsh", "householder_product", "inv", "inv_ex", "lstsq", "lu", "lu_factor", "lu_factor_ex",
    "lu_solve", "matmul", "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot",
    "norm", "pinv", "qr", "slogdet", "solve", "solve_ex", "solve_triangular", "svd", "svdvals",
    "tensorinv", "tensorsolve", "vander", "vecdot", "vector_norm",
]  # fmt: skip

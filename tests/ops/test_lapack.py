"""`gc.linalg` eager, interpreted and compiled, with a symbolic batch: NumPy's and SciPy's values,
exact gradients, and matrices without a result, which are named alike everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from reference import check_gradient

import graphc as gc
from graphc.errors import DTypeError, ShapeError
from graphc.linalg import LinAlgError

RNG = np.random.default_rng(5)
A = RNG.normal(size=(3, 4, 4)) + 3 * np.eye(4)
B = RNG.normal(size=(3, 4, 2))
WIDE, TALL = RNG.normal(size=(3, 3, 5)), RNG.normal(size=(3, 5, 3))
SPD = A @ A.swapaxes(-1, -2)
L = gc.linalg


def _stacked(function: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.stack([function(m) for m in x])


def _projector(q: Any) -> Any:
    return q @ q.swapaxes(-1, -2)


def _with_squares(a: np.ndarray) -> np.ndarray:
    u, s, v = np.linalg.svd(a, full_matrices=False)
    return (u * s[:, None] ** 2) @ v


def _by_factors(a: Any, b: Any, **how: Any) -> Any:
    lu, pivots = L.lu_factor(a)
    return L.lu_solve(lu, pivots, b, **how)


# Of what is any basis, and signs that are a choice, what does not depend on it.
CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "solve": (L.solve, np.linalg.solve, (A, B)),
    "solve from the right": (
        lambda a, b: L.solve(a, b, left=False),
        lambda a, b: b @ np.linalg.inv(a), (A, B.swapaxes(-1, -2).copy()),
    ),
    "inv": (L.inv, np.linalg.inv, (A,)),
    "det": (L.det, np.linalg.det, (A,)),
    "slogdet": (lambda a: L.slogdet(a)[1], lambda a: np.linalg.slogdet(a)[1], (A,)),
    "logdet": (gc.logdet, lambda a: np.linalg.slogdet(a)[1], (SPD,)),
    "cholesky": (lambda a: L.cholesky(a + a.swapaxes(-1, -2)),
                 lambda a: np.linalg.cholesky(a + a.swapaxes(-1, -2)), (SPD,)),
    "qr": (lambda a: L.qr(a)[0] @ L.qr(a)[1], lambda a: a, (WIDE,)),
    "q": (lambda a: L.qr(a)[0], lambda a: np.linalg.qr(a)[0], (TALL,)),
    "r": (lambda a: L.qr(a)[1], lambda a: np.linalg.qr(a)[1], (WIDE,)),
    "svdvals": (L.svdvals, lambda a: np.linalg.svd(a)[1], (TALL,)),
    "svd": (lambda a: (lambda u, s, v: (u * gc.expand_dims(s**2, -2)) @ v)(*L.svd(a, False)),
            _with_squares, (WIDE,)),
    "eigvalsh": (lambda a: L.eigvalsh(a + a.swapaxes(-1, -2)),
                 lambda a: np.linalg.eigvalsh(a + a.swapaxes(-1, -2)), (A,)),
    "eigh": (lambda a: _projector(L.eigh(a + a.swapaxes(-1, -2))[1][:, :, :2]),
             lambda a: _projector(np.linalg.eigh(a + a.swapaxes(-1, -2))[1][:, :, :2]), (A,)),
    "pinv": (lambda a: L.pinv(a, rtol=1e-10), np.linalg.pinv, (TALL,)),
    "lstsq": (lambda a, b: L.lstsq(a, b, 1e-10)[0],
              lambda a, b: np.stack([np.linalg.lstsq(x, y)[0] for x, y in zip(a, b)]),
              (TALL, RNG.normal(size=(3, 5, 2)))),
    "matrix_exp": (L.matrix_exp, scipy.linalg.expm, (A,)),
    "a large matrix_exp": (lambda a: L.matrix_exp(a * -8.0), lambda a: scipy.linalg.expm(-8.0 * a),
                           (SPD,)),
    "matrix_power": (lambda a: L.matrix_power(a, -3),
                     lambda a: np.linalg.matrix_power(a, -3), (A,)),
    "solve_triangular": (
        lambda a, b: L.solve_triangular(a, b, upper=True),
        lambda a, b: np.stack([scipy.linalg.solve_triangular(x, y) for x, y in zip(a, b)]), (A, B),
    ),
    "lu": (lambda a: L.lu(a)[1] + 0, _stacked(lambda m: scipy.linalg.lu(m)[1]), (TALL,)),
    "u": (lambda a: L.lu(a)[2] + 0, _stacked(lambda m: scipy.linalg.lu(m)[2]), (WIDE,)),
    "lu_solve": (_by_factors, np.linalg.solve, (A, B)),
    "lu_solve with the transpose": (
        lambda a, b: _by_factors(a, b, adjoint=True),
        lambda a, b: np.linalg.solve(a.swapaxes(-1, -2), b), (A, B),
    ),
    "cond": (L.cond, np.linalg.cond, (A,)),
    "cond by 1": (lambda a: L.cond(a, 1), lambda a: np.linalg.cond(a, 1), (A,)),
    **{
        f"matrix_norm {p}": (
            lambda a, p=p: L.matrix_norm(a, p),
            lambda a, p=p: np.linalg.norm(a, p, (-2, -1)), (TALL,),
        )
        for p in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    },
}  # fmt: skip
each = pytest.mark.parametrize("name", CASES)


@each
def test_values_are_those_of_numpy_or_scipy_everywhere(name: str) -> None:
    function, reference, arrays = CASES[name]
    wanted = reference(*arrays)
    eager = function(*map(gc.tensor, arrays))
    np.testing.assert_allclose(eager.numpy(), wanted, rtol=1e-7, atol=1e-9)
    n = gc.dim("n")
    nodes = [gc.input(f"x{k}", (n, *a.shape[1:]), a.dtype) for k, a in enumerate(arrays)]
    output = function(*nodes)
    for target in ("cpu", "reference"):
        program = gc.compile(nodes, output, target=target)
        np.testing.assert_allclose(program(*arrays), wanted, rtol=1e-7, atol=1e-9)
        first = [a[:1] for a in arrays]
        np.testing.assert_allclose(program(*first), wanted[:1], rtol=1e-7, atol=1e-9)


@each
def test_gradients_are_the_derivatives(name: str) -> None:
    function, _, arrays = CASES[name]
    check_gradient(function, *[a[:2] for a in arrays])


SINGULAR = np.stack([np.eye(3), np.ones((3, 3))])


@pytest.mark.parametrize(
    "function, array, message",
    [
        (L.inv, SINGULAR, "linalg.inv: matrix 1 of the batch is singular: pivot 2"),
        (L.inv, SINGULAR[1], "linalg.inv: the matrix is singular: pivot 2"),
        (L.cholesky, -SINGULAR, "linalg.cholesky: matrix 0 of the batch is not positive-definite"),
        (L.svdvals, SINGULAR * np.nan, "linalg.svdvals: matrix 0 of the batch has values that are"),
        (lambda a: L.lu_factor(a)[0], SINGULAR, "linalg.lu_factor: matrix 1 of the batch is sing"),
    ],
)
def test_a_matrix_without_a_result_is_named_alike_everywhere(
    function: Any, array: np.ndarray, message: str
) -> None:
    with pytest.raises(LinAlgError, match=message):
        function(gc.tensor(array))
    x = gc.input("x", array.shape, "float64")
    for target in ("cpu", "reference"):
        program = gc.compile([x], function(x), target=target)
        with pytest.raises(LinAlgError, match=message) as caught:
            program(array)
        assert "test_lapack.py" in str(caught.value)
    with pytest.raises(LinAlgError, match=message):
        gc.jit.compile(function)(gc.tensor(array))


def test_without_checks_a_number_says_what_is_wrong() -> None:
    a = gc.tensor(SINGULAR)
    assert L.inv_ex(a).info.tolist() == L.lu_factor_ex(a).info.tolist() == [0, 2]
    assert L.cholesky_ex(-a).info.tolist() == [1, 1]
    np.testing.assert_array_equal(L.inv_ex(a).inverse[0].numpy(), np.eye(3))


def test_the_gradient_of_a_determinant_is_right_where_it_is_0() -> None:
    x = np.array([[1.0, 2, 0], [0, 1, 0], [3, 1, 0]])
    a = gc.tensor(x, requires_grad=True)
    L.det(a).backward()
    cofactors = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(3)]
        for i in range(3)
    ]
    np.testing.assert_allclose(a.grad.numpy(), cofactors, atol=1e-12)


def test_what_is_no_batch_of_float_matrices_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"linalg.inv: the matrices must be square"):
        L.inv(gc.ones(2, 3))
    with pytest.raises(ShapeError, match=r"linalg.det"):
        L.det(gc.ones(3))
    for dtype in (gc.int64, gc.float16):
        with pytest.raises(DTypeError, match="are not supported"):
            L.inv(gc.ones(2, 2).to(dtype))


def test_an_empty_matrix_has_an_inverse_and_the_determinant_1() -> None:
    assert L.inv(gc.zeros(0, 0)).shape == (0, 0)
    assert L.det(gc.zeros(0, 0)).item() == 1
    a = gc.zeros(2, 0, 0, requires_grad=True)
    L.det(a).sum().backward()
    assert a.grad is not None and a.grad.shape == (2, 0, 0)
    assert L.svdvals(gc.zeros(2, 0, 3)).shape == (2, 0)

"""Statistics, running results, distances and shapes beside PyTorch's: values, dtypes, gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc

R = np.random.default_rng(0)
FULL = R.standard_normal((5, 7)).astype("f")
HOLED = FULL.copy()
HOLED[1, 2] = HOLED[3, 4:] = np.nan
VECTOR = R.standard_normal(6).astype("f")
DATA = {
    "A": FULL, "B": R.standard_normal((4, 7)).astype("f"), "N": HOLED, "V": VECTOR,
    "W": R.random(7).astype("f"), "T3": R.standard_normal((3, 4, 2)).astype("f"),
    "M": (np.eye(4) * 3 + np.tril(np.ones((4, 4)))).astype("f"),
}  # fmt: skip
FIXED = {
    "I": R.integers(0, 4, (5, 7)), "F": R.integers(1, 4, 7), "S": np.sort(VECTOR),
    "Q": np.array([0, 0.25, 0.5, 0.9, 1], "f"),
}  # fmt: skip
CALLS = """
    diff(A)                                    diff(A, n=2, dim=0)
    diff(A, 1, -1, A[:, :2], A[:, :1])         diff(A > 0)
    cummax(A, 1)                               cummin(N, 1)
    cummax(I, 0)                               logcumsumexp(A, 1)
    logcumsumexp(V * 500, 0)                   trapezoid(A, B[0])
    trapezoid(A, dim=0, dx=0.5)                cumulative_trapezoid(A, dim=0)
    quantile(A, 0.3)                           quantile(A, Q, 1, True)
    quantile(N, Q, 1)                          quantile(A, Q, 1, interpolation="midpoint")
    quantile(A, Q, 1, interpolation="nearest")
    nanquantile(N, Q, 1)
    nanmedian(N)                               nanmedian(N, 0, True)
    nansum(N, 1)                               nanmean(N, 0)
    mode(I, 0)                                 msort(A)
    cov(A)                                     cov(A, fweights=F, aweights=W)
    corrcoef(A)                                cov(V)
    histc(A.detach(), 10, -1, 1)               histogram(A.detach(), S)
    histogram(A.detach(), 6, range=(-1., 1.), weight=A.detach().abs(), density=True)
    cdist(A, B)                                cdist(A, A, p=1.0)
    cdist(A, B, p=float("inf"))                cdist(A, B, p=3.0)
    dist(A[:4], B)                             renorm(A, 2, 0, 1.0)
    isin(I, I[0, :2])                          isin(I, 2, invert=True)
    bucketize(A, S, right=True)                angle(N)
    atleast_3d(V[0], A)                        column_stack((V, V))
    dstack((A, A))                             hsplit(A, (2, 5))
    rot90(A, 3, (1, 0))                        block_diag(A, V, B)
    cartesian_prod(V, S)                       combinations(V, 3, True)
    broadcast_tensors(A[:, :1], B[0])          diag_embed(A, -2, 0, 2)
    diagflat(A[:2, :2], 1)                     tril_indices(3, 4, -1)
    slice_scatter(A, A[:, :2] * 2, 1, 0, 4, 2)
    diagonal_scatter(A, V[:5])
    select_scatter(A, V[:5], 1, 2)             hamming_window(8)
    kaiser_window(9, False, 3.0)               blackman_window(5)
    triangular_solve(T3, M)                    linalg.solve(M, T3)
    linalg.solve_triangular(M, T3, upper=True)
    linalg.lu_solve(*L.linalg.lu_factor(M), T3.transpose(1, 2), left=False)
    linalg.matrix_rank(T3, atol=L.tensor([1.0, 0.1, 2.0]), rtol=L.tensor(0.1))
    layer_norm(A, (7,))                        conv1d(T3, M[:2, :, None])
"""
LISTED = [part.strip() for line in CALLS.split("\n") for part in line.split("   ") if part.strip()]


def _flat(found: Any) -> list[Any]:
    if isinstance(found, tuple | list):
        return [part for each in found for part in _flat(each)]
    return [found]


def _computed(library: Any, call: str) -> tuple[list[Any], dict[str, np.ndarray]]:
    names = {n: library.tensor(v) for n, v in {**DATA, **FIXED}.items()} | {"L": library}
    for name in DATA:
        names[name].requires_grad_()
    parts = _flat(eval(f"L.{call}", names))
    total = sum(
        (x.nan_to_num() * library.arange(1, x.numel() + 1).reshape(x.shape)).sum()
        for x in parts
        if x.requires_grad
    )
    if hasattr(total, "backward"):
        total.backward()
    grads = {n: names[n].grad.numpy() for n in DATA if names[n].grad is not None}
    return parts, grads


@pytest.mark.parity
@pytest.mark.parametrize("call", LISTED)
def test_values_and_gradients_are_pytorchs(call: str) -> None:
    torch: Any = pytest.importorskip("torch", reason="every value is compared with PyTorch's")
    (own, grads), (theirs, wanted) = _computed(gc, call), _computed(torch, call)
    assert len(own) == len(theirs)
    for part, other in zip(own, theirs):
        assert repr(part.dtype).split(".")[1] == repr(other.dtype).split(".")[1]
        np.testing.assert_allclose(part.detach().numpy(), other.detach().numpy(), 2e-5, 2e-5)
    for name, grad in wanted.items():
        np.testing.assert_allclose(grads[name], grad, 3e-4, 3e-4, err_msg=name)


def test_differences_are_taken_of_tensors_in_every_face() -> None:
    wanted = np.diff(FULL, 2, 0)
    x = gc.from_numpy(FULL)
    node = gc.input("x", FULL.shape)
    for found in (
        gc.diff(x, 2, 0),
        x.diff(2, dim=0),
        gc.jit.compile(lambda x: gc.diff(x, n=2, dim=0))(x),
        gc.compile([node], gc.diff(node, 2, 0))(FULL),
    ):
        np.testing.assert_allclose(np.asarray(found), wanted, 1e-6, 1e-6)


def test_a_dtype_is_written_as_a_name_of_its_module() -> None:
    assert str(gc.zeros(1).dtype) == "graphc.float32"
    assert f"{gc.int64}".split(".")[-1] == "int64"

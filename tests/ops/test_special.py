"""Special functions built of ops: SciPy's values, their edges, PyTorch's gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import graphc as gc
from graphc import special

EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.5, -2.5, 37.0, -37.0, 1e-20, -1e-20, 1e10, -1e10,
         np.inf, -np.inf, np.nan]  # fmt: skip
ONE: dict[str, Callable[..., Any]] = {
    "ndtr": scipy.special.ndtr,
    "log_ndtr": scipy.special.log_ndtr,
    "entr": scipy.special.entr,
    "expit": scipy.special.expit,
    "gammaln": lambda x: np.where(x == -np.inf, np.inf, scipy.special.gammaln(x)),
    "psi": scipy.special.psi,
    "sinc": lambda x: np.where(np.isinf(x), np.nan, np.sinc(x)),
}
TWO = {"xlogy": scipy.special.xlogy, "xlog1py": scipy.special.xlog1py}


def _ways(build: Callable[..., Any], *arrays: np.ndarray) -> list[np.ndarray]:
    """A function compiled, interpreted, and called with eager tensors."""
    nodes = [gc.input(f"x{k}", a.shape, a.dtype) for k, a in enumerate(arrays)]
    value = build(*nodes)
    (interpreted,) = gc.interpret(gc.Graph.of("f", nodes, [value]), *arrays)
    eager = build(*map(gc.tensor, arrays)).numpy()
    return [gc.compile(nodes, value)(*arrays), interpreted, eager]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ONE)
def test_values_of_one_operand_are_scipys(name: str, dtype: str) -> None:
    x = np.concatenate([EDGES, np.linspace(-30, 30, 101)]).astype(dtype)
    with np.errstate(all="ignore"):
        wanted = np.asarray(ONE[name](x.astype(float)))
    eps = float(np.finfo(dtype).eps)
    for found in _ways(getattr(special, name), x):
        assert found.dtype == dtype
        with np.errstate(all="ignore"):
            atol = 8 * eps if name in ("psi", "gammaln", "sinc") else 0
            # Beyond 1 in size, an operand's last place is worth more in erfc's exponent.
            np.testing.assert_allclose(
                found, wanted.astype(dtype), rtol=16 * eps * 40, atol=atol + 2e-38, err_msg=name
            )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", TWO)
def test_values_of_two_operands_are_scipys(name: str, dtype: str) -> None:
    x, y = (a.ravel().astype(dtype) for a in np.meshgrid(EDGES, EDGES))
    with np.errstate(all="ignore"):
        wanted = TWO[name](x, y)
    for found in _ways(getattr(special, name), x, y):
        np.testing.assert_allclose(found, wanted, rtol=4 * float(np.finfo(dtype).eps))


def test_compositions_of_gamma_functions_are_scipys() -> None:
    x, y = np.array([0.5, 2.0, 7.25, 40.0]), np.array([3.0, 0.1, 1.0, 2.5])
    for found in _ways(special.betaln, x, y):
        np.testing.assert_allclose(found, scipy.special.betaln(x, y), rtol=1e-13)
    for p in (1, 2, 3):
        wanted: Any = [scipy.special.multigammaln(v + 1, p) for v in x]
        for found in _ways(lambda v, p=p: special.multigammaln(v, p), x + 1):
            np.testing.assert_allclose(found, wanted, rtol=1e-13)
    for n in (0, 1, 2, 5):
        points = np.array([0.1, 1.0, 3.5, 25.0, -0.5, -3.25, -40.75])
        wanted = np.asarray(
            scipy.special.digamma(points) if n == 0 else scipy.special.polygamma(n, points)
        )
        for found in _ways(lambda v, n=n: special.polygamma(n, v), points):
            np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_settings_that_are_no_whole_numbers_are_refused() -> None:
    x = gc.input("x", (2,))
    wrong: tuple[Any, ...] = (-1, 31, 1.5, True)
    for n in wrong:
        with pytest.raises(gc.errors.ArgumentError, match="polygamma"):
            gc.polygamma(n, x)
    with pytest.raises(gc.errors.ArgumentError, match="multigammaln"):
        gc.multigammaln(x, 0)
    with pytest.raises(gc.errors.GradientError, match="polygamma"):
        gc.grad(gc.sum(gc.zeta(x + 2, x)), x)


@pytest.mark.parity
@pytest.mark.parametrize("name", [
    "lgamma", "digamma", "erfinv", "erfcx", "i0", "i0e", "i1", "i1e", "ndtri", "log_ndtr", "entr",
])  # fmt: skip
def test_slopes_are_those_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    points = [0.1, 0.3, 0.7, 0.95] if name in ("erfinv", "ndtri") else [0.1, 0.5, 1.5, 3.0, 9.0]
    function = getattr(torch, name, None) or getattr(torch.special, name)
    theirs = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    function(theirs).sum().backward()
    ours = gc.tensor(points, dtype=gc.float64, requires_grad=True)
    getattr(gc, name)(ours).sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-9)


def test_where_a_factor_is_0_the_logarithm_has_no_slope() -> None:
    x, y = gc.input("x", (3,), "float64"), gc.input("y", (3,), "float64")
    loss = gc.sum(gc.xlogy(x, y))
    slopes = gc.compile([x, y], list(gc.grad(loss, [x, y])))
    by_x, by_y = slopes(np.array([0.0, 0.0, 2.0]), np.array([0.0, 3.0, 4.0]))
    np.testing.assert_allclose(by_y, [0.0, 0.0, 0.5])
    np.testing.assert_allclose(by_x[2], np.log(4.0))

"""Checks of products and convolutions in the register tiles of another CPU; see `test_lanes`.

    python tests/helpers/other_cpu.py 32 16     # bytes of a vector register, how many there are

A process of its own: Numba keeps what it typed, and a tile's type is this CPU's.
"""

from __future__ import annotations

import sys

import numpy as np
from plans import run_plan

from graphc.runtime.base import lanes
from graphc.runtime.contract.conv_kernel import ConvSpec, lower_conv
from graphc.runtime.contract.matmul_kernel import MatmulSpec, lower_matmul

DTYPES = {"f32": np.float32, "f64": np.float64}


def products(dtype: str) -> None:
    """Compare matrix products with NumPy's."""
    rng = np.random.default_rng(1)
    for m, k, n in ((13, 300, 33), (7, 31, 47), (130, 20, 8)):
        x, y = (rng.standard_normal(s).astype(DTYPES[dtype]) for s in ((m, k), (n, k)))
        for right, strides in ((y.T.copy(), None), (y, (1, k))):
            out = np.full((m, n), np.nan, DTYPES[dtype])
            plan = lower_matmul(MatmulSpec(dtype, (), m, n, k, None, strides))
            run_plan(plan, {"x": x, "y": right, "out": out})
            np.testing.assert_allclose(out, x @ y.T, rtol=1e-4, atol=1e-4)


def convolutions(width: int) -> None:
    """Compare a convolution and its gradients with sums over windows."""
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((3, 5, 6, width)), rng.standard_normal((9, 5, 3, 3))
    how = (3, 5, 9, (6, width), (3, 3), (1, 1), (1, 1), (1, 1), 1)
    y = np.full((3, 9, 6, width), np.nan)
    run_plan(lower_conv(ConvSpec("conv", "f64", *how)), {"x": x, "y": w, "out": y})
    around = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    seen = np.lib.stride_tricks.sliding_window_view(around, (3, 3), (2, 3))
    np.testing.assert_allclose(y, np.einsum("nchwij,ocij->nohw", seen, w), atol=1e-12)
    ct = rng.standard_normal(y.shape)
    gradient, image = np.full(w.shape, np.nan), np.full(x.shape, np.nan)
    plan = lower_conv(ConvSpec("conv_weight", "f64", *how))
    run_plan(plan, {"x": x, "y": ct, "out": gradient})
    expected = np.einsum("nchwij,nohw->ocij", seen, ct)
    np.testing.assert_allclose(gradient, expected, atol=1e-12)
    run_plan(lower_conv(ConvSpec("conv_input", "f64", *how)), {"x": ct, "y": w, "out": image})
    # The transpose of the convolution: both pair an image with a cotangent alike.
    other = rng.standard_normal(x.shape)
    run_plan(lower_conv(ConvSpec("conv", "f64", *how)), {"x": other, "y": w, "out": y})
    np.testing.assert_allclose((image * other).sum(), (ct * y).sum(), atol=1e-9)


if __name__ == "__main__":
    nbytes, count = (int(word) for word in sys.argv[1:])
    lanes._registers = lambda: (nbytes, count)  # type: ignore[assignment]
    for name in DTYPES:
        products(name)
    for size in (4, 7, 13):
        convolutions(size)

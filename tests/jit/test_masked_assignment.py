"""`x[mask] = value` in compiled functions, where a call brings the mask: beside NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3, 4, 5)).astype(np.float32)
GIVEN = {
    "m": A[:, :, 0] > 0, "last": RNG.standard_normal(5) > 0, "v": A[0, 0] * 3, "whole": A > 0.5,
    "i": np.array(3),
}  # fmt: skip
# What is assigned, and the same with NumPy where its rules differ from PyTorch's.
FORMS = (
    "y[m] = v", "y[m] = 0", "y[m] = v[None]", "y[m] = i", "y[m] = v.sum()", "y[whole] = 2",
    "y[0, m[0]] = v", "y[:, m[0]] = v", "y[..., last] = 7", "y[:, m[0], 1:3] = v[:2]",
    "y[None, m] = 2.0", "y[:, m[1], None] = v", "y[m, 1] = 3", "y[0, ..., last] = v[0]",
    "y[m[:, 0]] = v", "y[0][m[0]] = 9", "y[1:][whole[1:]] = -1", "y[m[:, 0]] = y[0].clone()[None]",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_what_a_mask_names_is_replaced_with_its_gradient(form: str) -> None:
    given = [gc.tensor(value) for value in GIVEN.values()]

    def f(x: gc.Tensor, *values: gc.Tensor) -> tuple[gc.Tensor, gc.Tensor]:
        scope = {"y": x * 1, **dict(zip(GIVEN, values))}
        exec(form, {}, scope)
        return (scope["y"] ** 2).sum(), scope["y"]

    found = []
    for run in (f, gc.jit.compile(f)):
        x = gc.tensor(A, requires_grad=True)
        loss, y = run(x, *given)
        loss.backward()
        found.append((y.detach().numpy(), x.grad.numpy()))
    wanted = A.copy()
    exec(form.replace(".clone()", ".copy()"), {}, {"y": wanted, **GIVEN})
    changed = A.copy()
    exec(form.partition(" = ")[0] + " = np.nan", {"np": np}, {"y": changed, **GIVEN})
    kept = ~np.isnan(changed)
    for y, gradient in found:
        np.testing.assert_array_equal(y, wanted)
        if "y[0].clone()" not in form:
            np.testing.assert_array_equal(gradient, np.where(kept, 2 * A, 0))


def test_a_value_for_each_true_place_of_a_computed_mask_says_what_to_write() -> None:
    @gc.jit.compile
    def f(x: gc.Tensor, v: gc.Tensor) -> gc.Tensor:
        y = x * 1
        y[y > 0] = v
        return y

    with pytest.raises(gc.errors.TraceError, match="masked_scatter"):
        f(gc.tensor(A[0, 0]), gc.tensor(A[0, 0][A[0, 0] > 0]))


def test_a_value_for_each_true_place_of_a_mask_that_is_given() -> None:
    @gc.jit.compile
    def f(x: gc.Tensor, m: gc.Tensor, v: gc.Tensor) -> gc.Tensor:
        y = x * 1
        y[m] = v
        return y

    for mask in (A[0, 0] > 0, A[0, 0] < 0.5, A[0, 0] > 0):
        wanted = A[0, 0].copy()
        wanted[mask] = -wanted[mask]
        found = f(gc.tensor(A[0, 0]), gc.tensor(mask), gc.tensor(-A[0, 0][mask]))
        np.testing.assert_array_equal(found, wanted)

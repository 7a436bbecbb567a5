"""Reductions as users call them: NumPy's values, dtypes, axes; nan, empty axes, symbolic sizes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import scipy.special
from reference import agree, evaluate

import graphc.ops  # noqa: F401
from graphc.core import dims, dtypes
from graphc.core.operators import FUNCTIONS
from graphc.errors import (
    DTypeError,
    GraphcError,
    IndexRangeError,
    ShapeError,
)
from graphc.ops.source import input as placeholder

X = np.arange(24.0).reshape(2, 3, 4) % 7 - 2
NAMES = ("sum", "prod", "max", "min", "any", "all", "mean", "var", "std", "count_nonzero")
AXES = (None, 0, -1, (0, 2), (2, 1), ())


def gc(name: str) -> Any:
    return FUNCTIONS[name]


def numpys(name: str) -> Any:
    """NumPy's function, of a sample where PyTorch's is."""
    found = getattr(np, name)
    return functools.partial(found, ddof=1) if name in ("var", "std") else found


def _near(function: Any, reference: Any, *arrays: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        wanted = np.asarray(reference(*arrays))
    for symbolic in (False, True):
        found = evaluate(function, *arrays, symbolic=symbolic)
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)  # type: ignore[union-attr]
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("axis", AXES, ids=str)
def test_axes_and_keepdims_are_those_of_numpy(name: str, axis: Any) -> None:
    for keep in (False, True):
        _near(
            lambda x: gc(name)(x, axis, keepdims=keep),  # noqa: B023
            lambda x: numpys(name)(x, axis=axis, keepdims=keep),  # noqa: B023
            X,
        )


@pytest.mark.parametrize("name", [*NAMES, "argmax", "argmin"])
@pytest.mark.parametrize("dtype", [d.name for d in dtypes.ALL])
def test_dtypes_are_those_of_numpy(name: str, dtype: str) -> None:
    x = np.array([[3, 1, 0], [2, 2, 1]], dtype)
    wanted = numpys(name)(x, axis=1)
    found = evaluate(lambda v: gc(name)(v, 1), x)
    assert found.dtype == np.asarray(wanted).dtype  # type: ignore[union-attr]
    rtol = {"float16": 2e-3, "bfloat16": 2e-2}.get(dtype, 1e-6)
    x, y = (np.asarray(v, np.float64) for v in (found, wanted))
    np.testing.assert_allclose(x, y, rtol=rtol)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_positions_are_those_of_the_first(name: str) -> None:
    x = np.array([[1.0, 3.0, 3.0], [np.nan, 5.0, np.nan], [-np.inf] * 3, [2.0, 2.0, 1.0]])
    agree(lambda v: gc(name)(v, 1), lambda v: getattr(np, name)(v, 1), x)
    agree(gc(name), getattr(np, name), x)
    for axis in (0, None):
        agree(
            lambda v: gc(name)(v, axis, keepdims=True),  # noqa: B023
            lambda v: getattr(np, name)(v, axis, keepdims=True),  # noqa: B023
            X,
        )
    with pytest.raises(GraphcError, match="an axis must be an int"):
        gc(name)(placeholder("x", (2, 3)), (0, 1))


def test_nan_wins_in_max_and_min() -> None:
    x = np.array([[1.0, np.nan, 3.0], [1.0, -0.0, 0.0]])
    for name in ("max", "min"):
        agree(lambda v: gc(name)(v, 1), lambda v: getattr(np, name)(v, 1), x)  # noqa: B023


def test_float16_is_summed_in_float32() -> None:
    x = np.full(4096, 1.0, np.float16)
    assert evaluate(gc("sum"), x) == np.float16(4096)
    assert evaluate(gc("mean"), np.full(40000, 2.0, np.float16)) == np.float16(2)
    assert evaluate(gc("var"), np.array([300.0, -300.0], np.float16)) == np.inf


def test_empty_axes_give_the_identity_or_are_refused() -> None:
    x = np.zeros((2, 0))
    for name, value in (("sum", 0), ("prod", 1), ("any", False), ("all", True)):
        np.testing.assert_array_equal(evaluate(lambda v: gc(name)(v, 1), x), [value] * 2)  # noqa: B023
    assert np.isnan(evaluate(lambda v: gc("mean")(v, 1), x)).all()
    for name in ("softmax", "log_softmax"):
        assert evaluate(lambda v: gc(name)(v, 1), x).shape == (2, 0)  # type: ignore[union-attr]  # noqa: B023
    np.testing.assert_array_equal(evaluate(lambda v: gc("logsumexp")(v, 1), x), [-np.inf] * 2)
    for name in ("max", "min", "argmax", "argmin"):
        with pytest.raises(ShapeError, match=f"{name}: axis 1 of .* is empty"):
            gc(name)(placeholder("x", (2, 0)), 1)
    assert evaluate(lambda v: gc("max")(v, 1), np.zeros((0, 3))).shape == (0,)  # type: ignore[union-attr]


def test_a_symbolic_axis_of_size_zero_has_no_extremes() -> None:
    with pytest.raises(ShapeError, match="max: axis 1 is empty"):
        evaluate(lambda v: gc("max")(v, 1), np.zeros((2, 0)), symbolic=True)
    with pytest.raises(ShapeError, match="argmax: axis 0 is empty"):
        evaluate(gc("argmax"), np.zeros(0), symbolic=True)


def test_axes_that_do_not_fit_are_refused() -> None:
    x = placeholder("x", (2, 3))
    with pytest.raises(ShapeError, match="sum: axis 2 of a tensor with 2 axes"):
        gc("sum")(x, 2)
    with pytest.raises(ShapeError, match="names an axis twice"):
        gc("mean")(x, (1, -1))


def test_means_over_symbolic_axes_divide_by_the_size() -> None:
    n = dims.dim("n")
    x = placeholder("x", (n, 3))
    assert gc("mean")(x, 0).type.shape == (3,)
    assert gc("var")(x, 0, keepdims=True).type.shape == (1, 3)


def test_variances_take_a_correction() -> None:
    for correction in (0, 1, 2, 5):
        with np.errstate(all="ignore"):
            wanted = np.var(X[0], axis=1, ddof=correction) if correction < 5 else None
        found = evaluate(lambda v: gc("var")(v, 1, correction=correction), X[0])  # noqa: B023
        if wanted is None:
            assert np.isinf(found).all()
        else:
            np.testing.assert_allclose(found, wanted)
    # Also between the whole numbers, as PyTorch takes it.
    found = evaluate(lambda v: gc("var")(v, 1, correction=0.5), X[0])
    np.testing.assert_allclose(found, np.var(X[0], axis=1) * X[0].shape[1] / (X[0].shape[1] - 0.5))
    with pytest.raises(DTypeError, match="correction must be a number"):
        gc("var")(placeholder("x", (3,)), correction=True)


def test_logsumexp_is_right_at_infinities() -> None:
    inf = np.inf
    x = np.array([[-inf, -inf], [-inf, 3.0], [inf, 1.0], [1e4, 1e4], [-1e4, -1e4]])
    _near(lambda v: gc("logsumexp")(v, 1), lambda v: scipy.special.logsumexp(v, 1), x)
    _near(gc("logsumexp"), scipy.special.logsumexp, X)
    assert np.isnan(evaluate(gc("logsumexp"), np.array([np.nan, 1.0])))
    _near(lambda v: gc("logsumexp")(v, (0, 2), keepdims=True),
          lambda v: scipy.special.logsumexp(v, (0, 2), keepdims=True), X)  # fmt: skip


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_is_its_formula(reduction: str) -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(5, 4)) * 30, np.array([3, 0, 1, 1, 2])
    losses = -scipy.special.log_softmax(x, 1)[np.arange(5), labels]
    wanted = losses if reduction == "none" else getattr(losses, reduction)()
    for dtype in (np.int64, np.int32, np.uint8):
        found = evaluate(lambda a, b: gc("cross_entropy")(a, b, reduction), x, labels.astype(dtype))
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_cross_entropy_takes_further_axes() -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(2, 4, 3)), rng.integers(0, 4, (2, 3))
    wanted = -np.take_along_axis(scipy.special.log_softmax(x, 1), labels[:, None], 1)[:, 0]
    found = evaluate(lambda a, b: gc("cross_entropy")(a, b, "none"), x, labels)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_a_label_that_is_no_class_is_an_error() -> None:
    x = np.zeros((2, 3))
    with pytest.raises(IndexRangeError, match="index 3 is out of range for an axis of size 3"):
        evaluate(gc("cross_entropy"), x, np.array([0, 3]))
    with pytest.raises(IndexRangeError, match="index -1 is out of range for an axis of size"):
        evaluate(gc("cross_entropy"), x, np.array([0, -1]))
    with pytest.raises(ShapeError, match="do not fit"):
        gc("cross_entropy")(placeholder("x", (4, 3)), placeholder("t", (3,), "int64"))
    with pytest.raises(DTypeError, match="labels must be integers"):
        gc("cross_entropy")(placeholder("x", (4, 3)), placeholder("t", (4,)))


def test_losses_are_their_formulas() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(4, 3)), rng.uniform(size=(4, 3))
    p = scipy.special.expit(x)
    wanted = -(t * np.log(p) + (1 - t) * np.log1p(-p)).mean()
    np.testing.assert_allclose(evaluate(gc("binary_cross_entropy"), p, t), wanted)
    found = evaluate(gc("binary_cross_entropy_with_logits"), x, t)
    np.testing.assert_allclose(found, wanted)
    np.testing.assert_allclose(evaluate(gc("mse_loss"), x, t), ((x - t) ** 2).mean())
    sure = evaluate(gc("binary_cross_entropy"), np.array([0.0, 1.0]), np.array([0.0, 0.0]))
    assert sure == 50.0

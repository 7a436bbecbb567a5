"""`out=`: what functions write into tensors that are given, and what they refuse."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.eager.engine.out import TAKES_OUT
from graphc.eager.facade import FACE
from graphc.errors import ArgumentError, DTypeError, GradientError, GraphcWarning, ShapeError

R = np.random.default_rng(3)
A = R.standard_normal((3, 4)).astype("f")
B = R.standard_normal((3, 4)).astype("f")
M = R.standard_normal((4, 3)).astype("f")


def _t(array: np.ndarray) -> gc.Tensor:
    return gc.tensor(array)


CASES: dict[str, tuple[Callable[..., Any], Callable[[], np.ndarray]]] = {
    "add": (lambda o: gc.add(_t(A), _t(B), out=o), lambda: A + B),
    "alpha": (lambda o: gc.add(_t(A), _t(B), alpha=2, out=o), lambda: A + 2 * B),
    "matmul": (lambda o: gc.matmul(_t(A), _t(M), out=o), lambda: A @ M),
    "sum": (lambda o: gc.sum(_t(A), 1, out=o), lambda: A.sum(1)),
    "mean": (lambda o: gc.mean(_t(A), (0, 1), out=o), lambda: A.mean()),
    "cat": (lambda o: gc.cat([_t(A), _t(B)], 1, out=o), lambda: np.concatenate([A, B], 1)),
    "stack": (lambda o: gc.stack((_t(A), _t(B)), out=o), lambda: np.stack([A, B])),
    "where": (lambda o: gc.where(_t(A > 0), _t(A), _t(B), out=o), lambda: np.where(A > 0, A, B)),
    "exp": (lambda o: gc.exp(_t(A), out=o), lambda: np.exp(A)),
    "triu": (lambda o: gc.triu(_t(A), 1, out=o), lambda: np.triu(A, 1)),
    "ones": (lambda o: gc.ones(3, 2, out=o), lambda: np.ones((3, 2), "f")),
    "arange": (lambda o: gc.arange(1, 7, 2, out=o), lambda: np.arange(1, 7, 2, dtype="f")),
}


@pytest.mark.parametrize("name", CASES)
def test_the_result_is_written_and_the_target_returned(name: str) -> None:
    call, want = CASES[name]
    for target in (gc.empty(0), gc.full(want().shape, 7.0)):
        version = target.version().count
        assert call(target) is target
        np.testing.assert_allclose(target.numpy(), want(), rtol=1e-5)
        assert target.version().count > version and not target.requires_grad


@pytest.mark.parametrize("name", CASES)
def test_compiled_it_is_the_same(name: str) -> None:
    call, want = CASES[name]
    target = gc.zeros(want().shape)

    @gc.jit.compile
    def step(target: Any) -> Any:
        own = call(gc.empty(0))
        found = call(target)
        assert found is target
        return found * 2, own

    for _ in range(2):
        double, own = step(target)
        np.testing.assert_allclose(target.numpy(), want(), rtol=1e-5)
        np.testing.assert_allclose(double.numpy(), 2 * want(), rtol=1e-5)
        np.testing.assert_allclose(own.numpy(), want(), rtol=1e-5)


def test_several_results_go_into_a_tuple() -> None:
    values, places = gc.empty(3, 4), gc.empty(0, dtype=gc.int64)
    found = gc.sort(_t(A), 1, out=(values, places))
    assert found.values is values and found.indices is places
    assert np.array_equal(values.numpy(), np.sort(A, 1))
    assert np.array_equal(places.numpy(), np.argsort(A, 1))
    greatest = gc.max(_t(A), 1, out=[gc.empty(0), gc.empty(0, dtype=gc.int64)])
    assert np.array_equal(greatest.indices.numpy(), A.argmax(1))
    with pytest.raises(ArgumentError, match="out= must be a tuple of 2 tensors"):
        gc.sort(_t(A), out=values)
    with pytest.raises(ArgumentError, match="out= must be one tensor"):
        gc.exp(_t(A), out=(values,))


def test_a_target_may_be_an_operand_a_view_or_of_another_dtype() -> None:
    x = _t(A)
    gc.add(x, x.T.T, out=x)
    assert np.array_equal(x.numpy(), 2 * A)
    square = _t(A[:, :3])
    gc.matmul(square, square, out=square)
    np.testing.assert_allclose(square.numpy(), A[:, :3] @ A[:, :3], rtol=1e-5)
    shifted = gc.arange(5)
    gc.add(shifted[:-1], 10, out=shifted[1:])  # of overlapping parts, the operand is read first
    assert shifted.tolist() == [0, 10, 11, 12, 13]
    wide = gc.zeros(3, 4, dtype=gc.float64)
    gc.mul(_t(A), 3, out=wide.T.T)
    np.testing.assert_allclose(wide.numpy(), (3 * A).astype(float))
    assert gc.sum(_t(A) > 0, out=gc.zeros((), dtype=gc.float32)).item() == (A > 0).sum()


def test_a_wrong_shape_is_resized_where_nobody_else_sees_it() -> None:
    target = gc.zeros(7)
    with pytest.warns(GraphcWarning, match=r"out= had shape \(7,\) and was resized to \(3, 4\)"):
        gc.exp(_t(A), out=target)
    np.testing.assert_allclose(target.numpy(), np.exp(A), rtol=1e-6)
    whole, array = gc.zeros(7), np.zeros(2, "f")
    for held in (whole[:2], whole, gc.from_numpy(array), gc.zeros(1).expand(5)):
        with pytest.raises(ShapeError, match="cannot be resized"):
            gc.exp(_t(A), out=held)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alias = gc.empty(0)
        seen = alias.numpy()
        with pytest.raises(ShapeError, match="another tensor's or array's"):
            gc.exp(_t(A), out=alias)
    assert seen.shape == (0,) and not whole.any()


def test_what_cannot_be_held_or_recorded_is_refused() -> None:
    x = _t(A)
    with pytest.raises(DTypeError, match="a result of float32 cannot be written into out=, a te"):
        gc.exp(x, out=gc.zeros(3, 4, dtype=gc.int64))
    with pytest.raises(DTypeError, match="int64 cannot be written into out=, a tensor of bool"):
        gc.argmax(x, out=gc.tensor(False))
    for operand, target in ((x.clone().requires_grad_(), gc.zeros(3, 4)),
                            (x, gc.zeros(3, 4, requires_grad=True))):  # fmt: skip
        with pytest.raises(GradientError, match="nothing is recorded for differentiation"):
            gc.exp(operand, out=target)
        with gc.no_grad():
            gc.exp(operand, out=target)
        np.testing.assert_allclose(target.detach().numpy(), np.exp(A), rtol=1e-6)
    with pytest.raises(ArgumentError, match="expanded cannot be changed in place"):
        gc.exp(x, out=gc.zeros(1).expand(3, 4))
    with pytest.raises(ArgumentError, match="out= must be a tensor.*not ndarray"):
        gc.exp(x, out=np.zeros((3, 4), "f"))  # type: ignore[call-overload]
    with pytest.raises(ArgumentError, match="out= in a symbolic graph"):
        gc.exp(gc.input("x", (3, 4), gc.float32), out=gc.zeros(3, 4))  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="unexpected keyword argument 'out'"):
        gc.flip(x, (0,), out=gc.zeros(3, 4))  # type: ignore[call-overload]


def test_a_backward_step_notices_that_its_operand_was_a_target() -> None:
    x, w = _t(A), gc.ones(3, 4, requires_grad=True)
    loss = (x * w).sum()
    gc.add(x, 1, out=x)
    with pytest.raises(GradientError, match="changed in place"):
        loss.backward()


def test_compiled_a_tensor_from_outside_is_not_resized() -> None:
    step = gc.jit.compile(lambda x, target: gc.sum(x, 0, out=target))
    with pytest.raises(ShapeError, match="in a compiled function it is not resized"):
        step(_t(A), gc.zeros(3))


@pytest.mark.parity
def test_those_that_take_it_are_those_of_pytorch() -> None:
    torch: Any = pytest.importorskip("torch", reason="the list is held against PyTorch's own")
    assert set(FACE) >= TAKES_OUT
    taken = set()
    for name in FACE:
        function = getattr(torch, name, None)
        text = f"{getattr(function, '__doc__', '') or ''}".split("\n\nArgs", 1)[0]
        if function is not None and re.search(r"\bout=", text):
            taken.add(name)
    # In PyTorch's own text of these it stands without being taken.
    told = {"std_mean", "var_mean", "ones_like", "zeros_like"}
    assert taken - TAKES_OUT <= told, taken - TAKES_OUT
    assert all(callable(FACE[name]) and inspect.signature(FACE[name]) for name in TAKES_OUT)

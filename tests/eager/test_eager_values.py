"""Eager values that once differed silently, beside NumPy, finite differences and hand-made ones."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
import graphc.nn as nn
from graphc.data import DataLoader
from graphc.errors import ArgumentError, GraphcError, GraphcWarning, IndexRangeError

X = np.random.default_rng(0).standard_normal((3, 4, 2)).astype("f")
PLACES = np.array([1, 0, 1])


@pytest.mark.parametrize("apply", [lambda f: f, gc.jit.compile], ids=["eager", "compiled"])
def test_ints_select_before_index_tensors(apply: Callable[..., Any]) -> None:
    idx = gc.tensor(PLACES)
    for key, two_steps in (
        ((1, slice(None), idx), X[1][:, PLACES]),
        ((-1, slice(1, None), idx), X[-1][1:, PLACES]),
        ((gc.tensor(1), ..., idx), X[1][:, PLACES]),
        ((1, None, idx), X[1][None][:, PLACES]),
        ((slice(None), True, idx), X[:, None][:, np.zeros(3, int), PLACES]),
    ):
        got = apply(lambda x: x[key])(gc.tensor(X))  # noqa: B023
        np.testing.assert_array_equal(got.numpy(), two_steps)


def test_true_and_false_stand_for_a_new_axis() -> None:
    x = gc.tensor(X)
    assert x[True].shape == (1, 3, 4, 2)
    assert x[False].shape == (0, 3, 4, 2)
    assert x[0, True].shape == (1, 4, 2)
    x[True] = 7.0
    assert bool((x == 7).all())


def test_leading_axes_of_one_are_dropped_by_an_assignment() -> None:
    w = gc.ones(1, 3, requires_grad=True)
    x = gc.zeros(2, 3)
    x[1] = w * 2
    x[0, 0] = w[:, 0]
    x.sum().backward()
    np.testing.assert_array_equal(x.detach().numpy(), [[1, 0, 0], [2, 2, 2]])
    np.testing.assert_array_equal(w.grad.numpy(), [[3, 2, 2]])


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "RNN", "LSTM"])
def test_two_biases_with_one_gradient_have_it_each_for_itself(name: str) -> None:
    gc.manual_seed(0)
    model = getattr(nn, name)(3, 4)
    x = gc.randn(5, 2, 3) if "Cell" not in name else gc.randn(2, 3)
    first, second = [p for n, p in model.named_parameters() if "bias" in n]

    def loss() -> Any:
        found = model(x)
        return (found[0] if isinstance(found, tuple) else found).sum()

    loss().backward()
    once = first.grad.numpy().copy()
    loss().backward()
    np.testing.assert_allclose(first.grad.numpy(), 2 * once, rtol=1e-5)
    assert not np.shares_memory(first.grad.numpy(), second.grad.numpy())


def test_gradient_of_a_cell_called_twice_beside_finite_differences() -> None:
    cell, x = nn.RNNCell(1, 1), gc.ones(2, 1)

    def loss() -> Any:
        return cell(x, cell(x, gc.zeros(2, 1))).sum()

    loss().backward()
    with gc.no_grad():
        cell.bias_ih += 1e-2
        above = loss().item()
        cell.bias_ih -= 2e-2
        below = loss().item()
    assert cell.bias_ih.grad.item() == pytest.approx((above - below) / 2e-2, rel=1e-2)


def test_a_diagonal_and_a_squeeze_of_nothing_are_views() -> None:
    x = gc.zeros(3, 3)
    x.diagonal().fill_(2)
    x.squeeze()[0] += 1
    np.testing.assert_array_equal(x.numpy(), [[3, 1, 1], [0, 2, 0], [0, 0, 2]])
    w = gc.ones(2, 3, requires_grad=True)
    y = w * 1
    y.diagonal(1).mul_(2)
    z = y.squeeze()
    y.mul_(3)
    z.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), [[3, 6, 3], [3, 3, 6]])


def test_one_int_is_a_size_and_type_is_a_method() -> None:
    assert gc.Tensor(3).shape == (3,)
    assert gc.Tensor().shape == (0,)
    assert gc.Tensor([3.0]).tolist() == [3.0]
    x = gc.ones(2)
    assert x.type() == "torch.FloatTensor"  # type: ignore[operator]
    assert x.type("torch.LongTensor").dtype is gc.int64  # type: ignore[operator]
    assert x.type(gc.float64).dtype is gc.float64  # type: ignore[operator]
    assert x.type == gc.zeros(2).type
    assert hash(x.type) == hash(gc.zeros(2).type)


def test_dropout2d_of_a_matrix_drops_elements_and_says_so() -> None:
    with warnings.catch_warnings(), pytest.warns(GraphcWarning, match="say dropout"):
        assert nn.Dropout2d(0.25).eval()(gc.ones(4, 8)).shape == (4, 8)


def test_a_step_in_place_leaves_the_batch_size_open() -> None:
    def double(x: Any) -> Any:
        y = x * 2
        y += x
        return y

    compiled = gc.jit.compile(double)
    for n in (2, 3, 5):
        assert compiled(gc.ones(n, 4)).shape == (n, 4)
    assert len(compiled.variants) == 1


REFUSED = {
    "index_select": lambda: gc.index_select(gc.arange(3), 0, gc.tensor([-1])),
    "gather": lambda: gc.gather(gc.ones(2, 2), 1, gc.tensor([[-1]])),
    "scatter": lambda: gc.zeros(3).scatter(0, gc.tensor([-1]), 1.0),
    "cross_entropy": lambda: nn.functional.cross_entropy(gc.zeros(2, 3), gc.tensor([0, -1])),
    "embedding": lambda: nn.Embedding(3, 2)(gc.tensor([-1])),
    "one_hot": lambda: nn.functional.one_hot(gc.tensor([-1, 2])),
    "nll_loss": lambda: nn.functional.nll_loss(gc.ones(1, 4), gc.tensor([-1])),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_negative_index_is_refused_where_pytorch_refuses_it(name: str) -> None:
    with pytest.raises(IndexRangeError, match="index -1 is out of range for an axis of size"):
        REFUSED[name]()


def test_a_negative_index_is_refused_by_a_program_too() -> None:
    pick = gc.jit.compile(lambda x, i: gc.index_select(x, 0, i))
    assert pick(gc.arange(3), gc.tensor([2])).tolist() == [2]
    with pytest.raises(IndexRangeError, match="index -1 is out of range for an axis of size 3"):
        pick(gc.arange(3), gc.tensor([-1]))


@pytest.mark.parametrize(
    "call",
    [
        lambda: gc.tensor([3]) // 0,
        lambda: gc.tensor([3]) % gc.tensor([0]),
        lambda: gc.tensor([300], dtype=gc.int8),
        lambda: gc.full((2,), 300, dtype=gc.int8),
        lambda: gc.multinomial(gc.tensor([float("nan"), 1.0]), 1),
        lambda: gc.multinomial(gc.tensor([-1.0, 1.0]), 1),
        lambda: gc.zeros(3).normal_(0, -1),
        lambda: gc.zeros(3).uniform_(3, -1),
        lambda: gc.zeros(3).exponential_(0),
        lambda: gc.hstack([]),
        lambda: gc.ones(2, 3).squeeze(50),
        lambda: gc.ones(2, 3).repeat(2),
        lambda: gc.ones(2, 3).sum(1.5),
        lambda: gc.ones(2, 3).sum(0, 1),  # type: ignore[arg-type]
        lambda: gc.trace(gc.ones(2, 2, 2)),
        lambda: gc.einsum("...i...->...", gc.ones(2)),
    ],
)
def test_what_has_no_value_is_an_error(call: Callable[[], Any]) -> None:
    with pytest.raises(GraphcError):
        call()


def test_a_batch_holds_every_samples_values() -> None:
    for samples, wanted in (
        ([1, 2.7], [1, 2.7]),
        ([True, 2], [1, 2]),
        ([np.array([1]), np.array([2.7])], [[1], [2.7]]),
        ([np.ones(1, np.uint8), np.array([300])], [[1], [300]]),
        ([np.ones(1, np.float32), np.full(1, 1e300)], [[1], [1e300]]),
    ):
        (batch,) = DataLoader(samples, batch_size=2)
        assert batch.tolist() == wanted
    with pytest.raises(ArgumentError, match="str among numbers"):
        next(iter(DataLoader([1, "a"], batch_size=2)))


def test_two_threads_never_draw_the_same_numbers() -> None:
    draw = gc.jit.compile(lambda a: gc.rand(4) + a)
    zero, found = gc.zeros(4), []
    draw(zero)

    def go() -> None:
        for k in range(150):
            found.append(tuple((draw(zero) if k % 2 else gc.rand(4)).tolist()))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=go) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert len(set(found)) == len(found) == 600


def test_result_type_takes_dtypes_among_tensors_and_numbers() -> None:
    assert gc.result_type(gc.int8, gc.int16) is gc.int16
    assert gc.result_type(gc.uint8, gc.int8) is gc.int16
    assert gc.result_type(gc.float32, 2) is gc.float32
    assert gc.result_type(gc.int8, 1.5) is gc.float32


@pytest.mark.parametrize(
    "of",
    [
        lambda x: gc.cat([x]),
        lambda x: gc.cat([x, x]),
        lambda x: gc.nn.functional.pad(x, (0, 0)),
        lambda x: gc.nn.functional.pad(x, (1, 0)),
        lambda x: gc.flip(x, (0,)),
        lambda x: gc.roll(x, 0, 0),
        lambda x: gc.tile(x, (1, 1)),
        lambda x: gc.stack([x, x])[0],
    ],
)
def test_results_that_are_no_views_share_no_memory(of: Any) -> None:
    x = gc.ones(3, 4)
    y = of(x)
    assert not np.may_share_memory(x.numpy(), y.numpy())
    y.mul_(0)
    assert x.sum().item() == 12

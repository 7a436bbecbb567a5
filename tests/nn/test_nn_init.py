"""`nn.init`: distributions against scipy's, matrices against their definition, errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from module_errors import lines, raised
from scipy import stats

import graphc as gc
from graphc import nn
from graphc.errors import GraphcWarning

init = nn.init
SHAPE = (64, 40, 3, 3)  # fan_in 360, fan_out 576
FAN_IN, FAN_OUT = 360, 576


def drawn(fill: Callable[..., Any], *args: Any, shape: Any = SHAPE, **kw: Any) -> np.ndarray:
    gc.manual_seed(5)
    tensor = gc.empty(*shape)
    assert fill(tensor, *args, **kw) is tensor
    return tensor.numpy().ravel().astype(np.float64)


def uniform(std: float) -> Any:
    bound = math.sqrt(3) * std
    return stats.uniform(-bound, 2 * bound)


RELU, LEAKY = math.sqrt(2), math.sqrt(2 / (1 + 0.3**2))
XAVIER = math.sqrt(2 / (FAN_IN + FAN_OUT))
# What fills, and the distribution that it draws from.
CASES = {
    "uniform": (lambda t: init.uniform_(t, -2, 5), stats.uniform(-2, 7)),
    "normal": (lambda t: init.normal_(t, 3, 0.5), stats.norm(3, 0.5)),
    "xavier uniform": (lambda t: init.xavier_uniform_(t, gain=1.5), uniform(1.5 * XAVIER)),
    "xavier normal": (init.xavier_normal_, stats.norm(0, XAVIER)),
    "kaiming uniform": (init.kaiming_uniform_, uniform(RELU / math.sqrt(FAN_IN))),
    "kaiming uniform, leaky, out": (
        lambda t: init.kaiming_uniform_(t, a=0.3, mode="fan_out"),
        uniform(LEAKY / math.sqrt(FAN_OUT)),
    ),
    "kaiming uniform of Linear": (
        lambda t: init.kaiming_uniform_(t, a=math.sqrt(5)),
        stats.uniform(-1 / math.sqrt(FAN_IN), 2 / math.sqrt(FAN_IN)),
    ),
    "kaiming normal, relu": (
        lambda t: init.kaiming_normal_(t, nonlinearity="relu"),
        stats.norm(0, RELU / math.sqrt(FAN_IN)),
    ),
    "kaiming normal, tanh, out": (
        lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="tanh"),
        stats.norm(0, 5 / 3 / math.sqrt(FAN_OUT)),
    ),
    "truncated": (init.trunc_normal_, stats.truncnorm(-2, 2)),
    "truncated, of BERT": (
        lambda t: init.trunc_normal_(t, std=0.02, a=-0.04, b=0.04),
        stats.truncnorm(-2, 2, 0, 0.02),
    ),
    "truncated, to one side": (
        lambda t: init.trunc_normal_(t, 1.0, 2.0, a=0.5, b=9.0),
        stats.truncnorm(-0.25, 4, 1, 2),
    ),
    "truncated, right tail": (
        lambda t: init.trunc_normal_(t, a=6.0, b=7.0),
        stats.truncnorm(6, 7),
    ),
    "truncated, left tail": (
        lambda t: init.trunc_normal_(t, a=-41.0, b=-40.0),
        stats.truncnorm(-41, -40),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_draws_have_the_distribution(name: str) -> None:
    fill, distribution = CASES[name]
    values = drawn(fill)
    low, high = distribution.support()
    slack = 1e-6 * max(abs(values.min()), abs(values.max()))
    assert values.min() >= low - slack and values.max() <= high + slack
    assert stats.kstest(values, distribution.cdf).pvalue > 0.01
    size = math.sqrt(len(values))
    assert abs(values.mean() - distribution.mean()) < 5 * distribution.std() / size


def test_seeds_and_generators_decide() -> None:
    a, b = drawn(init.normal_), drawn(init.normal_)
    assert np.array_equal(a, b)
    own = [
        init.xavier_normal_(gc.empty(3, 4), generator=gc.Generator().manual_seed(7)).numpy()
        for _ in range(2)
    ]
    assert np.array_equal(*own)
    for fill in (init.trunc_normal_, init.orthogonal_, lambda t, **kw: init.sparse_(t, 0.5, **kw)):
        first, second = (
            fill(gc.empty(5, 4), generator=gc.Generator().manual_seed(7)).numpy() for _ in range(2)
        )
        assert np.array_equal(first, second)


def test_constants() -> None:
    assert init.constant_(gc.empty(2), 0.3).tolist() == pytest.approx([0.3, 0.3])
    assert init.ones_(gc.empty(2)).tolist() == [1, 1]
    assert init.zeros_(gc.ones(2)).tolist() == [0, 0]
    assert np.array_equal(init.eye_(gc.empty(3, 5)).numpy(), np.eye(3, 5))


def test_parameters_are_filled_without_recording() -> None:
    param = nn.Parameter(gc.empty(4, 4))
    for fill in (
        init.uniform_, init.normal_, init.trunc_normal_, init.ones_, init.zeros_, init.eye_,
        init.xavier_uniform_, init.xavier_normal_, init.kaiming_uniform_, init.kaiming_normal_,
        init.orthogonal_, lambda p: init.sparse_(p, 0.5), lambda p: init.constant_(p, 2),
    ):  # fmt: skip
        assert fill(param) is param and param.is_leaf and param.requires_grad
    kernel = nn.Parameter(gc.empty(4, 4, 3))
    assert init.dirac_(kernel) is kernel and kernel.is_leaf


def test_doubles_are_drawn_as_doubles() -> None:
    for fill in (init.normal_, init.uniform_, init.trunc_normal_, init.orthogonal_):
        values = fill(gc.empty(8, 8, dtype=gc.float64)).numpy()
        assert values.dtype == np.float64
        assert not np.array_equal(values, values.astype(np.float32))


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("spatial", [(3,), (3, 4), (3, 4, 5)])
def test_dirac_keeps_the_input(groups: int, spatial: tuple[int, ...]) -> None:
    weight = init.dirac_(gc.ones(6, 4, *spatial), groups).numpy()
    wanted = np.zeros_like(weight)
    each = 6 // groups
    for g in range(groups):
        for d in range(min(each, 4)):
            wanted[(g * each + d, d, *(s // 2 for s in spatial))] = 1
    assert np.array_equal(weight, wanted)


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3), (4, 2, 3), (40, 2, 3, 3)])
def test_orthogonal_rows_or_columns(shape: tuple[int, ...]) -> None:
    w = drawn(init.orthogonal_, gain=2.0, shape=shape).reshape(shape[0], -1)
    small = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    assert np.allclose(small, 4 * np.eye(len(small)), atol=2e-5)


def test_orthogonal_is_uniform_over_rotations() -> None:
    # The first element of a uniform rotation of 3 axes is uniform in [-1, 1] (Archimedes).
    gc.manual_seed(1)
    first = [init.orthogonal_(gc.empty(3, 3))[0, 0].item() for _ in range(400)]
    assert stats.kstest(first, stats.uniform(-1, 2).cdf).pvalue > 0.01


def test_sparse_columns() -> None:
    gc.manual_seed(3)
    w = init.sparse_(gc.empty(50, 40), 0.33, std=0.5).numpy()
    assert ((w == 0).sum(0) == math.ceil(0.33 * 50)).all()
    assert stats.kstest(w[w != 0], stats.norm(0, 0.5).cdf).pvalue > 0.01
    # Every row has its share: the zeros are not always the same places.
    assert (w == 0).sum(1).min() > 3 and (w == 0).sum(1).max() < 25


def test_gains() -> None:
    for name in ("linear", "sigmoid", "conv1d", "conv2d", "conv3d", "conv_transpose2d"):
        assert init.calculate_gain(name) == 1
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / (1 + 0.01**2))
    assert init.calculate_gain("leaky_relu", 0.2) == math.sqrt(2 / 1.04)
    assert init.calculate_gain("selu") == 0.75


def test_errors() -> None:
    assert raised(ValueError, lambda: init.calculate_gain("swish")) == lines(
        "calculate_gain: the nonlinearity 'swish' is not known",
        "at HERE",
        'hint: such as "relu", "leaky_relu", "tanh", "sigmoid", "selu", "linear", "conv2d"',
    )
    assert raised(ValueError, lambda: init.calculate_gain("leaky_relu", True)) == lines(
        "calculate_gain: a negative slope is a number, not True", "at HERE"
    )
    few = lines(
        "fan in and fan out of a tensor of shape (3,): it needs two axes or more",
        "at HERE",
        "hint: fill vectors such as biases with zeros_, uniform_ or normal_",
    )
    for fill in (init.xavier_uniform_, init.xavier_normal_, init.kaiming_normal_):
        assert raised(ValueError, lambda fill=fill: fill(gc.empty(3))) == few  # type: ignore[misc]
    assert raised(ValueError, lambda: init.kaiming_normal_(gc.empty(3, 3), mode="fan")) == lines(
        "mode='fan' is not known", "at HERE", 'hint: use "fan_in" or "fan_out"'
    )
    assert raised(ValueError, lambda: init.eye_(gc.empty(3))) == lines(
        "eye_: the tensor has shape (3,); it must have 2 axes", "at HERE"
    )
    assert raised(ValueError, lambda: init.dirac_(gc.empty(3, 3))) == lines(
        "dirac_: the tensor has shape (3, 3); it must have 3 or 4 or 5 axes", "at HERE"
    )
    assert raised(ValueError, lambda: init.dirac_(gc.empty(3, 3, 3), 2)) == lines(
        "dirac_: 3 output channels do not divide into 2 groups", "at HERE"
    )
    assert raised(ValueError, lambda: init.orthogonal_(gc.empty(3))) == lines(
        "orthogonal_: a tensor of shape (3,) is not a matrix", "at HERE"
    )
    assert raised(ValueError, lambda: init.trunc_normal_(gc.empty(3), std=0)) == lines(
        "trunc_normal_: std=0 must be positive, and a=-2.0 below b=2.0", "at HERE"
    )
    assert raised(TypeError, lambda: init.normal_(gc.tensor([1]))) == lines(
        "normal_: random floats do not fit a tensor of int64", "at HERE"
    )
    assert raised(TypeError, lambda: init.zeros_(np.zeros(3))) == lines(
        "zeros_: it fills a tensor in place, and was given a ndarray", "at HERE"
    )


def test_tensors_without_elements() -> None:
    with pytest.warns(GraphcWarning, match="no elements"):
        assert init.kaiming_uniform_(gc.empty(0, 3)).shape == (0, 3)
    assert init.orthogonal_(gc.empty(0, 3)).shape == (0, 3)


@pytest.mark.parity
def test_the_rest_beside_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for shape in ((4, 3), (4, 3, 5), (6, 4, 3, 2)):
        ours, theirs = gc.empty(*shape), torch.empty(*shape)
        assert init._calculate_fan_in_and_fan_out(ours) == (
            torch.nn.init._calculate_fan_in_and_fan_out(theirs)
        )
    for name in ("linear", "tanh", "relu", "leaky_relu", "selu", "conv3d"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    # Draws of both, as samples of one distribution.
    for name in ("kaiming_uniform_", "xavier_normal_", "trunc_normal_"):
        torch.manual_seed(0)
        theirs = getattr(torch.nn.init, name)(torch.empty(64, 40)).numpy().ravel()
        ours = drawn(getattr(init, name), shape=(64, 40))  # type: ignore[assignment]
        assert stats.ks_2samp(ours, theirs).pvalue > 0.01

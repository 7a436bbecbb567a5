"""`gc.jit.trace`: a result that no program gives again is an error, what else is lost is told."""

from __future__ import annotations

import collections
import dataclasses
import enum
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
import graphc.nn as nn
from graphc.errors import GradientError, GraphcWarning, TraceError


@dataclasses.dataclass
class Pair:
    """A result of the user's."""

    left: Any
    right: Any


class Mode(enum.Enum):
    """One of two."""

    FIRST = 1
    SECOND = 2


class Last:
    """What was computed last."""

    value: Any = None


class Seven(gc.autograd.Function):
    """Its gradient is its own."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x * 2

    @staticmethod
    def backward(ctx: Any, ct: Any) -> Any:
        return ct * 7


_weight = nn.Parameter(gc.ones(3))


def _generator(x: Any) -> Any:
    y = x * 2
    return (y * k for k in range(3))


def _tagged(x: Any) -> Any:
    y = x * 2
    y.tag = x * 3
    return y


@pytest.mark.parametrize(
    "function",
    [lambda x: Pair(x * 2, x), lambda x: {x * 2}, lambda x: collections.OrderedDict(a=x * 2),
     _generator, lambda x: (lambda y: lambda: y)(x * 2), _tagged,
     lambda x: x.detach().clone().requires_grad_(), lambda x: [x, nn.Linear(3, 3)]],
)  # fmt: skip
def test_what_would_keep_its_first_values_is_an_error(function: Callable[..., Any]) -> None:
    with pytest.raises(TraceError, match=r"which no program gives again|no one program"):
        gc.jit.trace(function, gc.ones(3))


def test_what_else_outlives_the_call_is_told() -> None:
    def run(x: Any) -> Any:
        Last.value = x * 2
        return x + 1

    with pytest.warns(GraphcWarning, match="outlives the call"):
        traced = gc.jit.trace(run, gc.ones(3), check=0)
    assert traced(gc.zeros(3)).tolist() == [1.0] * 3
    assert any("outlives" in line for line in traced.certificate["effects"])


def test_what_only_garbage_holds_is_no_part_of_it() -> None:
    def run(x: Any) -> Any:
        y = x * 2
        ring = [y, x * 3]
        ring.append(ring)
        return y + 1, Mode.SECOND

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        traced = gc.jit.trace(run, gc.ones(3))
    found, mode = traced(gc.zeros(3))
    assert found.tolist() == [1.0] * 3 and mode is Mode.SECOND
    assert len(traced.graph.outputs) == 1


def test_a_backward_pass_that_runs_python_is_refused_when_it_is_asked_for() -> None:
    with pytest.warns(GraphcWarning, match="custom function"):
        traced = gc.jit.trace(lambda x: Seven.apply(x * _weight), gc.ones(3))
    found = traced(gc.tensor([1.0, 2.0, 5.0]))
    assert found.tolist() == [2.0, 4.0, 10.0] and found.requires_grad
    with pytest.raises(GradientError, match=r"gc\.jit\.compile"):
        (found.sum() + _weight.sum()).backward()
    with gc.no_grad():
        assert not traced(gc.ones(3)).requires_grad


@pytest.mark.parametrize(
    "function",
    [nn.Linear(3, 2), nn.LayerNorm(3), lambda x: x.relu().sum(), lambda x: x.softmax(-1).max(1),
     lambda x: x.reshape(x.shape[0], 3), lambda x: gc.cat([x, x]).cumsum(0), lambda x: x @ x.t(),
     lambda x: x.flip(0).sort(0), lambda x: gc.scan(lambda c, r: (c + r, c), gc.zeros(3), x)],
)  # fmt: skip
def test_a_dynamic_axis_may_have_no_elements_or_one(function: Callable[..., Any]) -> None:
    traced = gc.jit.trace(function, gc.ones(4, 3), dynamic_axes={0: {0: "n"}})
    for rows in (0, 1, 5):
        x = gc.randn(rows, 3)
        wanted, found = function(x), traced(x)
        pairs = zip(wanted, found) if isinstance(wanted, tuple) else [(wanted, found)]
        for a, b in pairs:
            np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), 1e-5, 1e-6)
            assert a.dtype == b.dtype

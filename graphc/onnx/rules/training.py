"""Gradients and optimizer steps (`ai.onnx.preview.training`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.ir import Node
from graphc.onnx.table import Use, rule
from graphc.passes.grad import grad

TRAINING = "ai.onnx.preview.training"


@rule("Gradient", domain=TRAINING)
def gradient(a: Use, *inputs: Node) -> Any:
    names = [*a.xs, *(a.zs or [])]
    for name, given in zip(names, inputs):
        if a.scope[name].x is not given:
            raise NotImplementedError("a gradient at other values than the graph's own")
    return tuple(grad(a.scope[a.y].x, [a.scope[name].x for name in a.xs]))


def _optimizer(name: str, states: int, step: Callable[..., Any]) -> None:
    """An optimizer of several tensors: their values, gradients and states stand in groups."""

    @rule(name, domain=TRAINING)
    def read(a: Use, rate: Node, count: Node, *tensors: Node) -> Any:
        size = len(tensors) // (2 + states)
        groups = [tensors[k * size : (k + 1) * size] for k in range(2 + states)]
        count = gc.cast(count, dtypes.float32)
        results = [step(a, rate, count, *each) for each in zip(*groups)]
        return tuple(value for column in zip(*results) for value in column)


def _adagrad(a: Use, rate: Any, count: Any, x: Node, g: Any, h: Any) -> Any:
    rate = rate / (1.0 + count * a.decay_factor)
    g = a.norm_coefficient * x + g
    h = h + g * g
    return x - rate * g / (gc.sqrt(h) + a.epsilon), h


def _adam(a: Use, rate: Any, count: Any, x: Node, g: Any, v: Node, h: Any) -> Any:
    g = a.norm_coefficient * x + g
    v = a.alpha * v + (1 - a.alpha) * g
    h = a.beta * h + (1 - a.beta) * g * g
    first = gc.where(count > 0, 1.0 - gc.pow(a.alpha, count), 1.0)
    second = gc.where(count > 0, gc.sqrt(1.0 - gc.pow(a.beta, count)), 1.0)
    x = x - rate * second / first * v / (gc.sqrt(h) + a.epsilon)
    return (1 - a.norm_coefficient_post) * x, v, h


def _momentum(a: Use, rate: Any, count: Any, x: Node, g: Any, v: Node) -> Any:
    g = a.norm_coefficient * x + g
    beta = gc.cast(gc.where(count > 0, a.beta, 1.0), x.dtype)
    v = a.alpha * v + beta * g
    return x - rate * (g + a.alpha * v if a.mode == "nesterov" else v), v


_optimizer("Adagrad", 1, _adagrad)
_optimizer("Adam", 2, _adam)
_optimizer("Momentum", 1, _momentum)

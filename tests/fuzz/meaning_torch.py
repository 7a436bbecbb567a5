"""What PyTorch's functions mean, by NumPy: those that NumPy has not, or has otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np


class Composed:
    """The functions of `composed`; NumPy's own (outer, vdot, heaviside) are found in NumPy."""

    @staticmethod
    def leaky_relu(x: Any, slope: float) -> Any:
        return np.where(x > 0, x, slope * x)

    @staticmethod
    def elu(x: Any) -> Any:
        return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))

    @staticmethod
    def selu(x: Any) -> Any:
        scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
        return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))

    @staticmethod
    def mish(x: Any) -> Any:
        return x * np.tanh(np.logaddexp(0.0, x))

    @staticmethod
    def log_sigmoid(x: Any) -> Any:
        return -np.logaddexp(0.0, -x)

    @staticmethod
    def relu6(x: Any) -> Any:
        return np.clip(x, 0, 6)

    @staticmethod
    def binary_cross_entropy_with_logits(x: Any, target: Any) -> Any:
        return np.mean(np.logaddexp(0.0, x) - x * target)

    @staticmethod
    def topk(x: Any, k: int, axis: int, largest: bool = True) -> Any:
        ordered = np.sort(x, axis)
        ordered = np.flip(ordered, axis) if largest else ordered
        return (np.take(ordered, np.arange(k), axis),)

    @staticmethod
    def chunk(x: Any, count: int, axis: int) -> list[Any]:
        size = -(-x.shape[axis] // count)
        return np.split(x, range(size, x.shape[axis], size), axis)

    @staticmethod
    def flatten(x: Any) -> Any:
        return x.reshape(-1)

    @staticmethod
    def gather(x: Any, axis: int, index: Any) -> Any:
        return np.take_along_axis(x, index, axis)

    @staticmethod
    def deg2rad(x: Any) -> Any:
        return np.deg2rad(x)

    @staticmethod
    def ldexp(x: Any, power: int) -> Any:
        return x * 2.0**power

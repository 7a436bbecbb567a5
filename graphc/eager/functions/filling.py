"""Methods that fill a tensor with random numbers, in place: uniform_, normal_, bernoulli_."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.eager.engine import promotion
from graphc.eager.engine.tensor import Tensor, TensorLike
from graphc.eager.functions.random import Generator, check_spread, rand, randint, randn
from graphc.errors import AttributeValueError


def _inplace_draw(name: str, drawn: Any, what: str, example: str) -> Any:
    def method(self: Tensor, *args: Any, generator: Generator | None = None, **kw: Any) -> Tensor:
        return self.copy_(drawn(self, *args, generator=generator, **kw))

    method.__name__ = name
    method.__doc__ = f"""Write {what} to every place; returns the tensor.

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(1000).{name}({example})
        >>> bool((x >= 0).all()), x.unique().numel() > 1
        (True, True)
    """
    return method


def _floats(self: Tensor) -> Any:
    return self.dtype if self.dtype.is_float else promotion.get_default_dtype()


def _uniform_of(
    self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None, **kw: Any
) -> Any:
    low, high = kw.get("from", a), kw.get("to", b)
    if not low <= high:
        raise AttributeValueError(
            f"uniform_: from {low!r} to {high!r}", where=caller(), hint="the bounds are in order"
        )
    return rand(*self.shape, generator=generator, dtype=_floats(self)) * (high - low) + low


def _normal_of(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Any:
    check_spread("normal_", std)
    return randn(*self.shape, generator=generator, dtype=_floats(self)) * std + mean


def _bernoulli_of(self: Tensor, p: TensorLike = 0.5, *, generator: Generator | None = None) -> Any:
    return (rand(*self.shape, generator=generator) < p).to(self.dtype)


def _random_of(
    self: Tensor, low: int = 0, high: Any = None, *, generator: Generator | None = None
) -> Any:
    low, high = (0, low) if high is None and low else (low, high)
    if self.dtype.is_float:  # whole numbers that it has all of, as in PyTorch
        most = 1 << min(self.dtype.digits, 24)
    else:
        most = np.iinfo(self.dtype.numpy).max
    return randint(low, most if high is None else high, tuple(self.shape), generator=generator)


def _exponential_of(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Any:
    if not lambd > 0:
        raise AttributeValueError(f"exponential_: lambd={lambd}, not above 0", where=caller())
    u = rand(*self.shape, generator=generator, dtype=_floats(self))
    return -(1 - u).log() / lambd


def _log_normal_of(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Any:
    return _normal_of(self, mean, std, generator=generator).exp()


def _cauchy_of(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Any:
    u = rand(*self.shape, generator=generator, dtype=_floats(self))
    return ((u - 0.5) * math.pi).tan() * sigma + median


def _geometric_of(self: Tensor, p: float, *, generator: Generator | None = None) -> Any:
    if not 0 < p <= 1:
        raise AttributeValueError(f"geometric_: p={p!r}, outside (0, 1]", where=caller())
    u = 1 - rand(*self.shape, generator=generator, dtype=dtypes.float64)
    return (u.log() / math.log1p(-p)).floor() + 1 if p < 1 else u * 0 + 1


METHODS = {
    f"{name}_": _inplace_draw(f"{name}_", drawn, what, example)
    for name, drawn, what, example in (
        ("uniform", _uniform_of, "numbers drawn uniformly between two bounds", "2.0, 3.0"),
        ("normal", _normal_of, "numbers of a normal distribution (mean, std)", "mean=100.0"),
        ("bernoulli", _bernoulli_of, "1 with a probability (0.5 unless given), else 0", "0.25"),
        ("random", _random_of, "whole numbers from low up to, not including, high", "6"),
        (
            "log_normal",
            _log_normal_of,
            "numbers with normal logarithms (mean, std)",
            "std=1.0",
        ),
        ("cauchy", _cauchy_of, "numbers of a Cauchy distribution (median, sigma)", "median=1e9"),
        ("geometric", _geometric_of, "how many trials successes of probability p take", "0.25"),
        ("exponential", _exponential_of, "numbers of an exponential distribution", "lambd=2.0"),
    )
}

__all__ = ["METHODS"]

"""Distributions of whole numbers."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from graphc import functions as F
from graphc.core.ir import caller
from graphc.distributions import constraints
from graphc.distributions.constraints import Constraint
from graphc.distributions.distribution import (
    ExponentialFamily,
    broadcast_all,
    check_values,
)
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import TensorLike
from graphc.errors import ArgumentError

Given = TensorLike | None


def logits_of(probs: Any) -> Any:
    """log(p / (1 - p)) of probabilities, which are kept off 0 and 1."""
    eps = probs.dtype.finfo.eps
    p = probs.clamp(eps, 1 - eps)
    return p.log() - F.log1p(-p)


def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return x.clamp(min=0) + F.log1p((-x.abs()).exp())


def one_given(name: str, probs: Given, logits: Given) -> None:
    """Refuse both of them, or none.

    Raises:
        ArgumentError: it is so.
    """
    if (probs is None) == (logits is None):
        raise ArgumentError(f"{name}: give either probs or logits", where=caller())


class _OfChances(ExponentialFamily):
    """What is said by a probability, or by its logit."""

    def __init__(
        self, probs: Given = None, logits: Given = None, validate_args: bool | None = None
    ) -> None:
        one_given(type(self).__name__, probs, logits)
        self._given = "logits" if probs is None else "probs"
        (value,) = broadcast_all(logits if probs is None else probs)  # type: ignore[arg-type]
        self._value = value
        super().__init__(value.shape, (), validate_args)
        if self._validate and probs is not None:
            check_values(f"{type(self).__name__}: probs", constraints.unit_interval, value)

    @property
    def probs(self) -> Any:
        """The probability.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Bernoulli(logits=gc.tensor(0.0)).probs
            tensor(0.5000)
        """
        return self._value if self._given == "probs" else self._value.sigmoid()

    @property
    def logits(self) -> Any:
        """The logit of the probability.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Bernoulli(0.5).logits
            tensor(0.)
        """
        return self._value if self._given == "logits" else logits_of(self._value)

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Bernoulli(gc.ones(2)).param_shape
            graphc.Size([2])
        """
        return self._value.shape


class Bernoulli(_OfChances):
    """1 with a probability, else 0.

    Args:
        probs: the probability of 1.
        logits: its logit, in place of it.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Bernoulli(logits=gc.tensor(0.0)).probs
        tensor(0.5000)
    """

    has_enumerate_support = True
    support = constraints.boolean

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def mode(self) -> Any:
        p = self.probs
        return F.where(p == 0.5, math.nan, (p >= 0.5).to(p.dtype))

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def _draw(self, shape: Size) -> Any:
        return F.bernoulli(self.probs.expand(shape))

    def log_prob(self, value: Any) -> Any:
        x = self.logits
        return F.as_tensor(self._check(value)) * x - softplus(x)

    def entropy(self) -> Any:
        return softplus(self.logits) - self.probs * self.logits

    def enumerate_support(self, expand: bool = True) -> Any:
        return self._enumerated(F.arange(2, dtype=self._value.dtype), expand)


class Geometric(_OfChances):
    """How many trials fail before one succeeds.

    Args:
        probs: the probability of success.
        logits: its logit, in place of it.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Geometric(0.25).mean
        tensor(3.)
    """

    support = constraints.nonnegative_integer

    @property
    def mean(self) -> Any:
        return 1 / self.probs - 1

    @property
    def mode(self) -> Any:
        return F.zeros_like(self.probs)

    @property
    def variance(self) -> Any:
        return (1 / self.probs - 1) / self.probs

    def _draw(self, shape: Size) -> Any:
        dtype = self._value.dtype
        u = F.rand(shape, dtype=dtype).clamp(min=dtype.finfo.tiny)
        return (u.log() / F.log1p(-self.probs)).floor()

    def log_prob(self, value: Any) -> Any:
        x, p = F.as_tensor(self._check(value)), self.probs
        return F.xlog1py(x, -p) + p.log()

    def entropy(self) -> Any:
        return (softplus(self.logits) - self.probs * self.logits) / self.probs


class Binomial(_OfChances):
    """How many of a number of trials succeed.

    Args:
        total_count: the number of trials.
        probs: the probability of success.
        logits: its logit, in place of it.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Binomial(4, 0.5).mean
        tensor(2.)
    """

    has_enumerate_support = True

    def __init__(
        self, total_count: TensorLike = 1, probs: Given = None, logits: Given = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        one_given("Binomial", probs, logits)
        value = logits if probs is None else probs
        both = broadcast_all(value, total_count)  # type: ignore[arg-type]
        self.total_count = both[1].to(both[0].dtype)
        self.support = constraints.integer_interval(0, self.total_count)
        given = {"logits" if probs is None else "probs": both[0]}
        super().__init__(**given, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.total_count * self.probs

    @property
    def mode(self) -> Any:
        most = self.total_count
        return F.minimum(((most + 1) * self.probs).floor(), most)

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1 - self.probs)

    def _draw(self, shape: Size) -> Any:
        most = int(self.total_count.max().item())
        p = self.probs
        trials = F.rand((most, *shape), dtype=p.dtype) < p
        counted = F.arange(most, dtype=p.dtype).reshape(-1, *(1,) * len(shape)) < self.total_count
        return (trials & counted).sum(0).to(p.dtype)

    def log_prob(self, value: Any) -> Any:
        x, n, logits = F.as_tensor(self._check(value)), self.total_count, self.logits
        ways = F.lgamma(n + 1) - F.lgamma(x + 1) - F.lgamma(n - x + 1)
        return ways + x * logits - n * softplus(logits)

    def entropy(self) -> Any:
        values = self.enumerate_support()
        found = self.log_prob(values)
        return -(found.exp() * found).sum(0)

    def enumerate_support(self, expand: bool = True) -> Any:
        n = self.total_count
        if not bool((n == n.max()).all()):
            raise NotImplementedError("Binomial: total_count differs over the batch")
        return self._enumerated(F.arange(int(n.max().item()) + 1, dtype=n.dtype), expand)


class Poisson(ExponentialFamily):
    """How many events there are, at a rate.

    Args:
        rate: the mean.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Poisson(2.0).log_prob(gc.tensor(0.0))
        tensor(-2.)
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate: TensorLike, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return self.rate

    @property
    def mode(self) -> Any:
        return self.rate.floor()

    @property
    def variance(self) -> Any:
        return self.rate

    def _draw(self, shape: Size) -> Any:
        return F.poisson(self.rate.expand(shape)).to(self.rate.dtype)

    def log_prob(self, value: Any) -> Any:
        x = F.as_tensor(self._check(value))
        return F.xlogy(x, self.rate) - self.rate - F.lgamma(x + 1)


__all__ = ["Bernoulli", "Binomial", "Geometric", "Poisson"]

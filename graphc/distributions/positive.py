"""Distributions of real numbers that are not negative."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from graphc import functions as F
from graphc.distributions import constraints
from graphc.distributions.constraints import Constraint
from graphc.distributions.distribution import (
    HALF_LOG_TWO_PI,
    Distribution,
    ExponentialFamily,
    broadcast_all,
)
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import TensorLike


def log_beta(a: Any, b: Any) -> Any:
    """The logarithm of the beta function."""
    return F.lgamma(a) + F.lgamma(b) - F.lgamma(a + b)


class Exponential(ExponentialFamily):
    """The exponential distribution.

    Args:
        rate: above 0; the mean is 1 / rate.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Exponential(2.0).mean
        tensor(0.5000)
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Constraint]] = {"rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, rate: TensorLike, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return self.rate.reciprocal()

    @property
    def mode(self) -> Any:
        return F.zeros_like(self.rate)

    @property
    def variance(self) -> Any:
        return self.rate.pow(-2)

    def _draw(self, shape: Size) -> Any:
        return -F.log1p(-F.rand(shape, dtype=self.rate.dtype)) / self.rate

    def log_prob(self, value: Any) -> Any:
        return self.rate.log() - self.rate * self._check(value)

    def cdf(self, value: Any) -> Any:
        return -F.expm1(-self.rate * self._check(value))

    def icdf(self, value: Any) -> Any:
        return -F.log1p(-value) / self.rate

    def entropy(self) -> Any:
        return 1 - self.rate.log()


class Gamma(ExponentialFamily):
    """The gamma distribution. Its draws have no gradient.

    Args:
        concentration: above 0.
        rate: above 0.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Gamma(3.0, 2.0).mean
        tensor(1.5000)
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "concentration": constraints.positive, "rate": constraints.positive,
    }  # fmt: skip
    support = constraints.nonnegative

    def __init__(
        self, concentration: TensorLike, rate: TensorLike, validate_args: bool | None = None
    ) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return self.concentration / self.rate

    @property
    def mode(self) -> Any:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Any:
        return self.concentration / self.rate**2

    def _draw(self, shape: Size) -> Any:
        a, rate = self.concentration, self.rate
        found = F.gamma(tuple(shape), a, rate, dtype=a.dtype)
        return found.clamp(min=a.dtype.finfo.tiny)

    def log_prob(self, value: Any) -> Any:
        x, a, rate = F.as_tensor(self._check(value)), self.concentration, self.rate
        return F.xlogy(a, rate) + F.xlogy(a - 1, x) - rate * x - F.lgamma(a)

    def entropy(self) -> Any:
        a = self.concentration
        return a - self.rate.log() + F.lgamma(a) + (1 - a) * F.digamma(a)


class Chi2(Gamma):
    """The chi-squared distribution.

    Args:
        df: the degrees of freedom.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Chi2(3.0).mean
        tensor(3.)
    """

    def __init__(self, df: TensorLike, validate_args: bool | None = None) -> None:
        super().__init__(0.5 * broadcast_all(df)[0], 0.5, validate_args)

    @property
    def df(self) -> Any:
        """The degrees of freedom.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Chi2(3.0).df
            tensor(3.)
        """
        return self.concentration * 2


class Beta(ExponentialFamily):
    """The beta distribution, of numbers from 0 to 1. Its draws have no gradient.

    Args:
        concentration1, concentration0: above 0: the more, the nearer to 1, or to 0.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Beta(1.0, 3.0).mean
        tensor(0.2500)
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "concentration1": constraints.positive, "concentration0": constraints.positive,
    }  # fmt: skip
    support = constraints.unit_interval

    def __init__(
        self, concentration1: TensorLike, concentration0: TensorLike,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        super().__init__(self.concentration1.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Any:
        a, b = self.concentration1, self.concentration0
        one, other = (a - 1).clamp(min=0), (b - 1).clamp(min=0)
        return F.where((a < 1) & (b < 1), 1.0, one / (one + other))

    @property
    def variance(self) -> Any:
        a, b = self.concentration1, self.concentration0
        return a * b / ((a + b) ** 2 * (a + b + 1))

    def _draw(self, shape: Size) -> Any:
        a, b = self.concentration1, self.concentration0
        return F.beta(tuple(shape), a, b, dtype=a.dtype)

    def log_prob(self, value: Any) -> Any:
        x, a, b = F.as_tensor(self._check(value)), self.concentration1, self.concentration0
        return F.xlogy(a - 1, x) + F.xlog1py(b - 1, -x) - log_beta(a, b)

    def entropy(self) -> Any:
        a, b = self.concentration1, self.concentration0
        rest = (a - 1) * F.digamma(a) + (b - 1) * F.digamma(b)
        return log_beta(a, b) - rest + (a + b - 2) * F.digamma(a + b)


class HalfNormal(Distribution):
    """The absolute values of a normal distribution around 0.

    Args:
        scale: its standard deviation.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.HalfNormal(1.0).log_prob(gc.tensor(0.0))
        tensor(-0.2258)
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Constraint]] = {"scale": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, scale: TensorLike, validate_args: bool | None = None) -> None:
        (self.scale,) = broadcast_all(scale)
        super().__init__(self.scale.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self) -> Any:
        return F.zeros_like(self.scale)

    @property
    def variance(self) -> Any:
        return self.scale**2 * (1 - 2 / math.pi)

    def _draw(self, shape: Size) -> Any:
        return self.scale * F.randn(shape, dtype=self.scale.dtype).abs()

    def log_prob(self, value: Any) -> Any:
        x = F.as_tensor(self._check(value))
        found = -0.5 * (x / self.scale) ** 2 - HALF_LOG_TWO_PI - self.scale.log() + math.log(2)
        return F.where(x >= 0, found, -math.inf)

    def cdf(self, value: Any) -> Any:
        return F.erf(self._check(value) / (self.scale * math.sqrt(2)))

    def icdf(self, value: Any) -> Any:
        return self.scale * math.sqrt(2) * F.erfinv(value)

    def entropy(self) -> Any:
        return self.scale.log() + 0.5 + HALF_LOG_TWO_PI - math.log(2)


__all__ = ["Beta", "Chi2", "Exponential", "Gamma", "HalfNormal"]

"""Distributions of real numbers."""

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
    LocationScale,
    broadcast_all,
)
from graphc.distributions.positive import log_beta
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import TensorLike

_EULER = 0.57721566490153286


class Normal(LocationScale, ExponentialFamily):
    """The normal distribution.

    Args:
        loc: the mean.
        scale: the standard deviation.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Normal(0.0, 1.0).log_prob(gc.tensor([0.0, 1.0]))
        tensor([-0.9189, -1.4189])
    """

    _moments = (0.0, 0.0, 1.0, 0.5 + HALF_LOG_TWO_PI)

    def _standard(self, shape: Size) -> Any:
        return F.randn(shape, dtype=self.loc.dtype)

    def _log_density(self, z: Any) -> Any:
        return -0.5 * z * z - HALF_LOG_TWO_PI

    def _cdf(self, z: Any) -> Any:
        return 0.5 * (1 + F.erf(z / math.sqrt(2)))

    def _icdf(self, u: Any) -> Any:
        return math.sqrt(2) * F.erfinv(2 * u - 1)


class Laplace(LocationScale):
    """The Laplace distribution, exponential to both sides.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Laplace(0.0, 1.0).cdf(gc.tensor(0.0))
        tensor(0.5000)
    """

    _moments = (0.0, 0.0, 2.0, 1 + math.log(2))

    def _log_density(self, z: Any) -> Any:
        return -z.abs() - math.log(2)

    def _cdf(self, z: Any) -> Any:
        return 0.5 - 0.5 * z.sign() * F.expm1(-z.abs())

    def _icdf(self, u: Any) -> Any:
        return -(u - 0.5).sign() * F.log1p(-2 * (u - 0.5).abs())


class Cauchy(LocationScale):
    """The Cauchy distribution, which has no mean.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Cauchy(0.0, 1.0).log_prob(gc.tensor(0.0))
        tensor(-1.1447)
    """

    _moments = (math.nan, 0.0, math.inf, math.log(4 * math.pi))

    def _log_density(self, z: Any) -> Any:
        return -math.log(math.pi) - F.log1p(z * z)

    def _cdf(self, z: Any) -> Any:
        return F.atan(z) / math.pi + 0.5

    def _icdf(self, u: Any) -> Any:
        return F.tan(math.pi * (u - 0.5))


class Gumbel(LocationScale):
    """The Gumbel distribution, of extremes.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Gumbel(0.0, 1.0).log_prob(gc.tensor(0.0))
        tensor(-1.)
    """

    _moments = (_EULER, 0.0, math.pi**2 / 6, 1 + _EULER)

    def _log_density(self, z: Any) -> Any:
        return -z - (-z).exp()

    def _cdf(self, z: Any) -> Any:
        return (-(-z).exp()).exp()

    def _icdf(self, u: Any) -> Any:
        return -(-u.log()).log()


class Uniform(Distribution):
    """Every number from low to high alike.

    Args:
        low, high: the bounds.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Uniform(0.0, 4.0).mean
        tensor(2.)
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "low": constraints.real, "high": constraints.real,
    }  # fmt: skip

    def __init__(
        self, low: TensorLike, high: TensorLike, validate_args: bool | None = None
    ) -> None:
        self.low, self.high = broadcast_all(low, high)
        self.support = constraints.interval(self.low, self.high)
        super().__init__(self.low.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return (self.low + self.high) / 2

    @property
    def mode(self) -> Any:
        return math.nan * self.high

    @property
    def variance(self) -> Any:
        return (self.high - self.low) ** 2 / 12

    def _draw(self, shape: Size) -> Any:
        return self.low + F.rand(shape, dtype=self.low.dtype) * (self.high - self.low)

    def log_prob(self, value: Any) -> Any:
        x = self._check(value)
        inside = ((x >= self.low) & (x < self.high)).to(self.low.dtype)
        return inside.log() - (self.high - self.low).log()

    def cdf(self, value: Any) -> Any:
        return ((self._check(value) - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Any) -> Any:
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Any:
        return (self.high - self.low).log()


class StudentT(Distribution):
    """Student's t-distribution. Its draws have no gradient.

    Args:
        df: the degrees of freedom.
        loc: where it is moved.
        scale: by what it is stretched.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.StudentT(4.0).variance
        tensor(2.)
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "df": constraints.positive, "loc": constraints.real, "scale": constraints.positive,
    }  # fmt: skip

    def __init__(
        self, df: TensorLike, loc: TensorLike = 0.0, scale: TensorLike = 1.0,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        super().__init__(self.df.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return F.where(self.df > 1, self.loc, math.nan)

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        df = self.df
        found = self.scale**2 * df / F.where(df > 2, df - 2, 1.0)
        return F.where(df > 2, found, F.where(df > 1, math.inf, math.nan))

    def _draw(self, shape: Size) -> Any:
        z, half = F.randn(shape, dtype=self.df.dtype), 0.5 * self.df
        chi = F.gamma(tuple(shape), half, 0.5, dtype=self.df.dtype)
        return self.loc + self.scale * z * (self.df / chi).sqrt()

    def log_prob(self, value: Any) -> Any:
        z, df = (self._check(value) - self.loc) / self.scale, self.df
        norm = (
            self.scale.log() + 0.5 * df.log() + 0.5 * math.log(math.pi)
            + F.lgamma(0.5 * df) - F.lgamma(0.5 * (df + 1))
        )  # fmt: skip
        return -0.5 * (df + 1) * F.log1p(z * z / df) - norm

    def entropy(self) -> Any:
        df = self.df
        rest = F.digamma(0.5 * (df + 1)) - F.digamma(0.5 * df)
        whole = 0.5 * df.log() + log_beta(0.5 * df, F.full_like(df, 0.5))
        return self.scale.log() + 0.5 * (df + 1) * rest + whole


__all__ = ["Cauchy", "Gumbel", "Laplace", "Normal", "StudentT", "Uniform"]

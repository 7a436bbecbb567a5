"""Distributions of vectors, and distributions made of others."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc import functions as F
from graphc import linalg
from graphc.core.ir import caller
from graphc.core.types import broadcast_shapes
from graphc.distributions import constraints
from graphc.distributions.classes import Categorical
from graphc.distributions.constraints import Constraint
from graphc.distributions.distribution import (
    HALF_LOG_TWO_PI,
    Distribution,
    ExponentialFamily,
    Shape,
)
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ArgumentError


def sum_last(x: Any, count: int) -> Any:
    """The sum over as many of the last axes."""
    return x.sum(tuple(range(-count, 0))) if count else x


class MultivariateNormal(Distribution):
    """The normal distribution of vectors.

    Args:
        loc: (..., n), the mean.
        covariance_matrix: (..., n, n).
        precision_matrix: its inverse, in place of it.
        scale_tril: its Cholesky factor, in place of it.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> d = gc.distributions.MultivariateNormal(gc.zeros(2), gc.eye(2))
        >>> d.log_prob(gc.zeros(2))
        tensor(-1.8379)
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "loc": constraints.real_vector, "scale_tril": constraints.lower_cholesky,
    }  # fmt: skip
    support = constraints.real_vector

    def __init__(
        self,
        loc: AnyTensor,
        covariance_matrix: AnyTensor | None = None,
        precision_matrix: AnyTensor | None = None,
        scale_tril: AnyTensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = [m for m in (covariance_matrix, precision_matrix, scale_tril) if m is not None]
        if len(given) != 1 or loc.ndim < 1 or given[0].ndim < 2:
            raise ArgumentError(
                "MultivariateNormal: give a mean vector and one of covariance_matrix, "
                "precision_matrix, scale_tril",
                where=caller(),
            )
        factor: Any = scale_tril
        if covariance_matrix is not None:
            factor = linalg.cholesky(covariance_matrix)
        if precision_matrix is not None:
            factor = linalg.cholesky(linalg.inv(precision_matrix))
        batch = broadcast_shapes([loc.shape[:-1], factor.shape[:-2]])
        if batch is None:
            raise ArgumentError(
                f"MultivariateNormal: {loc.type} and {factor.type} do not broadcast", where=caller()
            )
        n = loc.shape[-1]
        self.loc: Any = loc.expand((*batch, n))
        self.scale_tril: Any = factor.expand((*batch, n, n))
        super().__init__(batch, (n,), validate_args)

    @property
    def covariance_matrix(self) -> Any:
        """The covariances.

        Example:
            >>> import graphc as gc
            >>> d = gc.distributions.MultivariateNormal(gc.zeros(1), scale_tril=gc.tensor([[2.0]]))
            >>> d.covariance_matrix
            tensor([[4.]])
        """
        return self.scale_tril @ self.scale_tril.mT

    @property
    def precision_matrix(self) -> Any:
        """The inverse of the covariances.

        Example:
            >>> import graphc as gc
            >>> d = gc.distributions.MultivariateNormal(gc.zeros(1), scale_tril=gc.tensor([[2.0]]))
            >>> d.precision_matrix
            tensor([[0.2500]])
        """
        return F.cholesky_inverse(self.scale_tril)

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        return (self.scale_tril * self.scale_tril).sum(-1)

    def _draw(self, shape: Size) -> Any:
        z = F.randn(shape, dtype=self.loc.dtype)
        return self.loc + (self.scale_tril @ z.unsqueeze(-1)).squeeze(-1)

    def _half_log_det(self) -> Any:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def log_prob(self, value: Any) -> Any:
        apart = (self._check(value) - self.loc).unsqueeze(-1)
        z = linalg.solve_triangular(self.scale_tril, apart, upper=False).squeeze(-1)
        n = self._event_shape[0]
        return -0.5 * (z * z).sum(-1) - n * HALF_LOG_TWO_PI - self._half_log_det()

    def entropy(self) -> Any:
        return self._event_shape[0] * (0.5 + HALF_LOG_TWO_PI) + self._half_log_det()


class Dirichlet(ExponentialFamily):
    """Numbers from 0 to 1 that add up to 1. Its draws have no gradient.

    Args:
        concentration: (..., n), above 0.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Dirichlet(gc.tensor([1.0, 3.0])).mean
        tensor([0.2500, 0.7500])
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {"concentration": constraints.positive}
    support = constraints.simplex

    def __init__(self, concentration: AnyTensor, validate_args: bool | None = None) -> None:
        if concentration.ndim < 1:
            raise ArgumentError("Dirichlet: concentration needs an axis", where=caller())
        self.concentration: Any = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args)

    @property
    def mean(self) -> Any:
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Any:
        less = (self.concentration - 1).clamp(min=0)
        found = less / less.sum(-1, True)
        none = (self.concentration < 1).all(-1, True)
        # Where every corner is as likely as can be, PyTorch gives the first.
        first = (F.arange(self._event_shape[0]) == 0).to(found.dtype)
        return F.where(none, first, found)

    @property
    def variance(self) -> Any:
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total**2 * (total + 1))

    def _draw(self, shape: Size) -> Any:
        a = self.concentration
        found = F.gamma(tuple(shape), a, 1.0, dtype=a.dtype).clamp(min=a.dtype.finfo.tiny)
        return found / found.sum(-1, True)

    def log_prob(self, value: Any) -> Any:
        a = self.concentration
        terms = F.xlogy(a - 1, self._check(value)) - F.lgamma(a)
        return terms.sum(-1) + F.lgamma(a.sum(-1))

    def entropy(self) -> Any:
        a, total = self.concentration, self.concentration.sum(-1)
        whole = F.lgamma(a).sum(-1) - F.lgamma(total)
        rest = (a.shape[-1] - total) * F.digamma(total) + ((a - 1) * F.digamma(a)).sum(-1)
        return whole - rest


class Independent(Distribution):
    """A distribution whose last batch axes count as axes of one value.

    Args:
        base_distribution: of the elements.
        reinterpreted_batch_ndims: how many axes.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> d = gc.distributions.Independent(gc.distributions.Normal(gc.zeros(2), 1.0), 1)
        >>> d.event_shape, d.log_prob(gc.zeros(2))
        (graphc.Size([2]), tensor(-1.8379))
    """

    def __init__(
        self,
        base_distribution: Distribution,
        reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:
        batch, moved = base_distribution.batch_shape, int(reinterpreted_batch_ndims)
        if not 0 <= moved <= len(batch):
            raise ArgumentError(
                f"Independent: {moved} axes of a batch of shape {tuple(batch)}", where=caller()
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, moved
        self.has_rsample, own = base_distribution.has_rsample, base_distribution.support
        self.support = Constraint(own.name, own.check, own.event_dim + moved, own.is_discrete)
        cut = len(batch) - moved
        event = (*batch[cut:], *base_distribution.event_shape)
        super().__init__(batch[:cut], event, validate_args)

    @property
    def mean(self) -> Any:
        return self.base_dist.mean

    @property
    def mode(self) -> Any:
        return self.base_dist.mode

    @property
    def variance(self) -> Any:
        return self.base_dist.variance

    def _draw(self, shape: Size) -> Any:
        return self.base_dist._draw(shape)

    def log_prob(self, value: Any) -> Any:
        return sum_last(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Any:
        return sum_last(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def expand(self, batch_shape: Shape) -> Any:
        cut = len(self.base_dist.batch_shape) - self.reinterpreted_batch_ndims
        inner = self.base_dist.expand((*batch_shape, *self.base_dist.batch_shape[cut:]))
        return Independent(inner, self.reinterpreted_batch_ndims)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamily(Distribution):
    """One of several distributions, which stand along the last axis of a batch. Its draws have
    no gradient.

    Args:
        mixture_distribution: which one, a `Categorical`.
        component_distribution: they, with one more batch axis.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> D = gc.distributions
        >>> which, parts = D.Categorical(gc.ones(2)), D.Normal(gc.tensor([0.0, 4.0]), 1.0)
        >>> D.MixtureSameFamily(which, parts).mean
        tensor(2.)
    """

    support = constraints.dependent

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        batch = component_distribution.batch_shape
        if not batch or batch[-1] != mixture_distribution.param_shape[-1]:
            raise ArgumentError(
                f"MixtureSameFamily: {mixture_distribution.param_shape[-1]} weights for components "
                f"of batch shape {tuple(batch)}",
                where=caller(),
            )
        self.mixture_distribution = mixture_distribution
        self.component_distribution = component_distribution
        super().__init__(batch[:-1], component_distribution.event_shape, validate_args)

    def _weighted(self, values: Any) -> Any:
        events = len(self._event_shape)
        weights = self.mixture_distribution.probs
        weights = weights.reshape(*weights.shape, *(1,) * events)
        return (weights * values).sum(-1 - events)

    @property
    def mean(self) -> Any:
        return self._weighted(self.component_distribution.mean)

    @property
    def variance(self) -> Any:
        parts = self.component_distribution
        between = parts.mean - self.mean.unsqueeze(-1 - len(self._event_shape))
        return self._weighted(parts.variance) + self._weighted(between**2)

    def _draw(self, shape: Size) -> Any:
        events = len(self._event_shape)
        lead = Size(shape[: len(shape) - events])
        sample = lead[: len(lead) - len(self._batch_shape)]
        index = self.mixture_distribution.sample(sample)
        drawn = self.component_distribution.sample(sample)
        index = index.reshape(*index.shape, *(1,) * (events + 1))
        index = index.expand((*lead, 1, *self._event_shape))
        return drawn.gather(-1 - events, index).squeeze(-1 - events)

    def log_prob(self, value: Any) -> Any:
        x = F.as_tensor(value).unsqueeze(-1 - len(self._event_shape))
        return F.logsumexp(
            self.component_distribution.log_prob(x) + self.mixture_distribution.logits, -1
        )

    def cdf(self, value: Any) -> Any:
        x = F.as_tensor(value).unsqueeze(-1 - len(self._event_shape))
        return (self.component_distribution.cdf(x) * self.mixture_distribution.probs).sum(-1)


__all__ = ["Dirichlet", "Independent", "MixtureSameFamily", "MultivariateNormal"]

"""The Kullback-Leibler divergence of two distributions, by a table of pairs of classes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from graphc import functions as F
from graphc import linalg
from graphc.core.ir import caller
from graphc.distributions.classes import Categorical, OneHotCategorical
from graphc.distributions.continuous import Laplace, Normal, Uniform
from graphc.distributions.discrete import Bernoulli, Binomial, Geometric, Poisson, softplus
from graphc.distributions.distribution import Distribution
from graphc.distributions.multivariate import Dirichlet, Independent, MultivariateNormal, sum_last
from graphc.distributions.positive import Beta, Exponential, Gamma
from graphc.distributions.transforms import LogNormal
from graphc.errors import ArgumentError

_RULES: dict[tuple[type, type], Callable[[Any, Any], Any]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the divergence of two classes of distributions; a decorator.

    Args:
        type_p: of the first one.
        type_q: of the second one.

    Example:
        >>> import graphc as gc
        >>> D = gc.distributions
        >>> @D.register_kl(D.Cauchy, D.Cauchy)
        ... def _kl_cauchy(p, q):
        ...     above = (p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2
        ...     return gc.log(above / (4 * p.scale * q.scale))
        >>> D.kl_divergence(D.Cauchy(0.0, 1.0), D.Cauchy(0.0, 1.0))
        tensor(0.)
    """

    def enter(rule: Callable[..., Any]) -> Callable[..., Any]:
        _RULES[type_p, type_q] = rule
        return rule

    return enter


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """The mean, over draws of p, of log p - log q.

    Args:
        p, q: distributions of the same values.

    Raises:
        NotImplementedError: there is no rule for their classes; `register_kl` declares one.

    Example:
        >>> import graphc as gc
        >>> D = gc.distributions
        >>> D.kl_divergence(D.Normal(0.0, 1.0), D.Normal(1.0, 1.0))
        tensor(0.5000)
    """
    for left in type(p).__mro__:
        for right in type(q).__mro__:
            rule = _RULES.get((left, right))
            if rule is not None:
                return rule(p, q)
    raise NotImplementedError(f"kl_divergence of {type(p).__name__} and {type(q).__name__}")


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Any:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(LogNormal, LogNormal)
def _log_normal(p: LogNormal, q: LogNormal) -> Any:
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Any:
    apart, ratio = (p.loc - q.loc).abs(), p.scale / q.scale
    return -ratio.log() + apart / q.scale + ratio * (-apart / p.scale).exp() - 1


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Any:
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return F.where((q.low > p.low) | (q.high < p.high), math.inf, found)


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Any:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Any:
    a, b = p.concentration, q.concentration
    first = b * (p.rate / q.rate).log() + F.lgamma(b) - F.lgamma(a)
    return first + (a - b) * F.digamma(a) + (q.rate - p.rate) * (a / p.rate)


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Any:
    pairs = [(d.concentration1, d.concentration0) for d in (p, q)]
    (a, b), (c, d) = pairs
    norms = [F.lgamma(x) + F.lgamma(y) - F.lgamma(x + y) for x, y in pairs]
    rest = (a - c) * F.digamma(a) + (b - d) * F.digamma(b) + (c + d - a - b) * F.digamma(a + b)
    return norms[1] - norms[0] + rest


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Any:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    first = F.lgamma(total) - F.lgamma(b.sum(-1)) - (F.lgamma(a) - F.lgamma(b)).sum(-1)
    return first + ((a - b) * (F.digamma(a) - F.digamma(total).unsqueeze(-1))).sum(-1)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Any:
    """Of the logits: softplus(-x) is -log of the probability of 1, softplus(x) of that of 0."""
    own, other, chance = p.logits, q.logits, p.probs
    one = chance * (softplus(-other) - softplus(-own))
    return one + (1 - chance) * (softplus(other) - softplus(own))


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Any:
    if bool((p.total_count != q.total_count).any()):
        raise ArgumentError("kl_divergence: two Binomials of other total_count", where=caller())
    return p.total_count * _bernoulli(p, q)


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Any:
    return -p.entropy() - F.log1p(-q.probs) / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Any:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Any:
    chance = p.probs
    terms = chance * (p.logits - q.logits)
    terms = F.where(q.probs == 0, math.inf, terms)
    return F.where((chance == 0).expand(terms.shape), 0.0, terms).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Any:
    return _categorical(p, q)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate(p: MultivariateNormal, q: MultivariateNormal) -> Any:
    apart = (q.loc - p.loc).unsqueeze(-1)
    spread = linalg.solve_triangular(q.scale_tril, p.scale_tril, upper=False)
    moved = linalg.solve_triangular(q.scale_tril, apart, upper=False)
    squares = (spread * spread).sum((-2, -1)) + (moved * moved).sum((-2, -1))
    return q._half_log_det() - p._half_log_det() + 0.5 * (squares - p.event_shape[0])


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("kl_divergence: Independent of other numbers of axes")
    return sum_last(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


__all__ = ["kl_divergence", "register_kl"]

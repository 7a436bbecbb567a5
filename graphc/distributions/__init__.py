"""Distributions of random numbers under PyTorch's names, `torch.distributions`.

    d = gc.distributions.Normal(mean, std)
    action = d.sample()
    loss = -(d.log_prob(action) * advantage).mean()

All of them are tensors' arithmetic: they are compiled with what is around them, and have gradients.
Draws have one where `has_rsample` says so: not those of the gamma family.
"""

from graphc.distributions import constraints, kl, transforms
from graphc.distributions.classes import (
    Categorical,
    Multinomial,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
)
from graphc.distributions.continuous import Cauchy, Gumbel, Laplace, Normal, StudentT, Uniform
from graphc.distributions.discrete import Bernoulli, Binomial, Geometric, Poisson
from graphc.distributions.distribution import Distribution, ExponentialFamily, LocationScale
from graphc.distributions.kl import kl_divergence, register_kl
from graphc.distributions.multivariate import (
    Dirichlet,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
)
from graphc.distributions.positive import Beta, Chi2, Exponential, Gamma, HalfNormal
from graphc.distributions.transforms import (
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    LogNormal,
    SigmoidTransform,
    TanhTransform,
    Transform,
    TransformedDistribution,
)

__all__ = [
    "AffineTransform", "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2",
    "ComposeTransform", "Dirichlet", "Distribution", "ExpTransform", "Exponential",
    "ExponentialFamily", "Gamma", "Geometric", "Gumbel", "HalfNormal", "Independent", "Laplace",
    "LocationScale", "LogNormal", "MixtureSameFamily", "Multinomial", "MultivariateNormal",
    "Normal", "OneHotCategorical", "OneHotCategoricalStraightThrough", "Poisson",
    "SigmoidTransform", "StudentT", "TanhTransform", "Transform", "TransformedDistribution",
    "Uniform", "constraints", "kl", "kl_divergence", "register_kl", "transforms",
]  # fmt: skip

"""Invertible functions of draws, and the distributions that they make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from graphc import functions as F
from graphc.distributions import constraints
from graphc.distributions.continuous import Normal
from graphc.distributions.discrete import softplus
from graphc.distributions.distribution import Distribution, Shape
from graphc.distributions.multivariate import sum_last
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import AnyTensor, TensorLike


class Transform:
    """An invertible function whose derivative is known.

    Args:
        cache_size: taken as PyTorch's; a subclass may keep what it computed.

    Attributes:
        event_dim: how many of the last axes it takes together.
        sign: of its derivative.

    Example:
        >>> import graphc as gc
        >>> t = gc.distributions.transforms.ExpTransform()
        >>> t(gc.tensor(0.0)), t.inv(gc.tensor(1.0))
        (tensor(1.), tensor(0.))
    """

    event_dim = 0
    bijective = True
    sign: Any = 1

    def __init__(self, cache_size: int = 0) -> None:
        self._cache_size = cache_size

    def __call__(self, x: Any) -> Any:
        return self._call(x)

    def _call(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no _call")

    def _inverse(self, y: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no _inverse")

    def log_abs_det_jacobian(self, x: AnyTensor, y: AnyTensor) -> Any:
        """log |dy / dx|.

        Args:
            x: where.
            y: the function's value there.

        Example:
            >>> import graphc as gc
            >>> t = gc.distributions.transforms.AffineTransform(0.0, gc.tensor(2.0))
            >>> t.log_abs_det_jacobian(gc.tensor(1.0), gc.tensor(2.0))
            tensor(0.6931)
        """
        raise NotImplementedError(f"{type(self).__name__} has no log_abs_det_jacobian")

    @property
    def inv(self) -> Transform:
        """The inverse.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.ExpTransform().inv(gc.tensor(1.0))
            tensor(0.)
        """
        return _Inverse(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Inverse(Transform):
    def __init__(self, of: Transform) -> None:
        super().__init__()
        self._of, self.event_dim, self.sign = of, of.event_dim, of.sign

    def _call(self, x: Any) -> Any:
        return self._of._inverse(x)

    def _inverse(self, y: Any) -> Any:
        return self._of(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return -self._of.log_abs_det_jacobian(y, x)

    @property
    def inv(self) -> Transform:
        return self._of


class ExpTransform(Transform):
    """exp(x).

    Example:
        >>> import graphc as gc
        >>> gc.distributions.transforms.ExpTransform()(gc.tensor(0.0))
        tensor(1.)
    """

    def _call(self, x: Any) -> Any:
        return x.exp()

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return x


class SigmoidTransform(Transform):
    """1 / (1 + exp(-x)).

    Example:
        >>> import graphc as gc
        >>> gc.distributions.transforms.SigmoidTransform()(gc.tensor(0.0))
        tensor(0.5000)
    """

    def _call(self, x: Any) -> Any:
        info = x.dtype.finfo
        return x.sigmoid().clamp(info.tiny, 1 - info.eps)

    def _inverse(self, y: Any) -> Any:
        info = y.dtype.finfo
        y = y.clamp(info.tiny, 1 - info.eps)
        return y.log() - F.log1p(-y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return -softplus(-x) - softplus(x)


class TanhTransform(Transform):
    """tanh(x).

    Example:
        >>> import graphc as gc
        >>> gc.distributions.transforms.TanhTransform()(gc.tensor(0.0))
        tensor(0.)
    """

    def _call(self, x: Any) -> Any:
        return x.tanh()

    def _inverse(self, y: Any) -> Any:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return 2 * (math.log(2) - x - softplus(-2 * x))


class AffineTransform(Transform):
    """loc + scale * x.

    Args:
        loc: what is added.
        scale: what is multiplied.
        event_dim: how many of the last axes count as one value.
        cache_size: see `Transform`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.transforms.AffineTransform(1.0, 2.0)(gc.tensor(3.0))
        tensor(7.)
    """

    def __init__(
        self, loc: TensorLike, scale: TensorLike, event_dim: int = 0, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.loc, self.scale, self.event_dim = loc, scale, event_dim
        self.sign = F.as_tensor(scale).detach().sign()

    def _call(self, x: Any) -> Any:
        return self.loc + self.scale * x

    def _inverse(self, y: Any) -> Any:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        scale = F.as_tensor(self.scale)
        return sum_last(scale.abs().log().to(x.dtype).expand(x.shape), self.event_dim)


class ComposeTransform(Transform):
    """Several transforms, one after the other.

    Args:
        parts: the transforms, the first one first.
        cache_size: see `Transform`.

    Example:
        >>> import graphc as gc
        >>> T = gc.distributions.transforms
        >>> T.ComposeTransform([T.AffineTransform(1.0, 2.0), T.ExpTransform()])(gc.tensor(-0.5))
        tensor(1.)
    """

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = list(parts)
        self.event_dim = max((part.event_dim for part in self.parts), default=0)
        self.sign = math.prod([part.sign for part in self.parts])

    def _call(self, x: Any) -> Any:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: Any) -> Any:
        for part in reversed(self.parts):
            y = part.inv(y)
        return y

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        total = F.zeros_like(sum_last(x, self.event_dim))
        for part in self.parts:
            after = part(x)
            found = part.log_abs_det_jacobian(x, after)
            total = total + sum_last(found, self.event_dim - part.event_dim)
            x = after
        return total


class TransformedDistribution(Distribution):
    """What transforms make of a distribution's draws.

    Args:
        base_distribution: what is drawn from.
        transforms: a transform or several, the first one first.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> D = gc.distributions
        >>> d = D.TransformedDistribution(D.Normal(0.0, 1.0), D.transforms.ExpTransform())
        >>> d.log_prob(gc.tensor(1.0))
        tensor(-0.9189)
    """

    support = constraints.dependent

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        self.base_dist = base_distribution
        parts = [transforms] if isinstance(transforms, Transform) else list(transforms)
        self.transforms, self.has_rsample = parts, base_distribution.has_rsample
        self._whole = ComposeTransform(parts)
        whole = (*base_distribution.batch_shape, *base_distribution.event_shape)
        events = max(len(base_distribution.event_shape), self._whole.event_dim)
        cut = len(whole) - events
        super().__init__(whole[:cut], whole[cut:], validate_args)

    def _draw(self, shape: Size) -> Any:
        return self._whole(self.base_dist._draw(shape))

    def log_prob(self, value: Any) -> Any:
        x = self._whole._inverse(value)
        events = len(self._event_shape)
        found = self._whole.log_abs_det_jacobian(x, value)
        found = sum_last(found, events - self._whole.event_dim)
        own = self.base_dist.log_prob(x)
        return sum_last(own, events - len(self.base_dist.event_shape)) - found

    def cdf(self, value: Any) -> Any:
        return self._turned(self.base_dist.cdf(self._whole._inverse(value)))

    def icdf(self, value: Any) -> Any:
        return self._whole(self.base_dist.icdf(self._turned(value)))

    def _turned(self, chance: Any) -> Any:
        """A probability, or 1 less it where the transforms reverse the order."""
        return (chance - 0.5) * self._whole.sign + 0.5

    def expand(self, batch_shape: Shape) -> Any:
        more = len(self._event_shape) - len(self.base_dist.event_shape)
        lead = self._event_shape[:more]
        return TransformedDistribution(
            self.base_dist.expand((*batch_shape, *lead)), self.transforms
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist}, {self.transforms})"


class LogNormal(TransformedDistribution):
    """exp of a normal distribution.

    Args:
        loc, scale: of the normal one.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.LogNormal(0.0, 1.0).mean
        tensor(1.6487)
    """

    def __init__(
        self, loc: TensorLike, scale: TensorLike, validate_args: bool | None = None
    ) -> None:
        base = Normal(loc, scale, validate_args)
        self.loc, self.scale = base.loc, base.scale
        super().__init__(base, ExpTransform(), validate_args)

    @property
    def mean(self) -> Any:
        return (self.loc + self.scale**2 / 2).exp()

    @property
    def mode(self) -> Any:
        return (self.loc - self.scale**2).exp()

    @property
    def variance(self) -> Any:
        return F.expm1(self.scale**2) * (2 * self.loc + self.scale**2).exp()

    def entropy(self) -> Any:
        return self.base_dist.entropy() + self.loc

    def expand(self, batch_shape: Shape) -> Any:
        return LogNormal(self.loc.expand(batch_shape), self.scale.expand(batch_shape))


__all__ = [
    "AffineTransform", "ComposeTransform", "ExpTransform", "LogNormal", "SigmoidTransform",
    "TanhTransform", "Transform", "TransformedDistribution",
]  # fmt: skip

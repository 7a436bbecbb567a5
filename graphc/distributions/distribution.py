"""`Distribution`: what all of them share, and `LocationScale`: those that are moved and stretched.

A subclass says its parameters' constraints, how one standard value is drawn and how dense values
are. Everything is computed with tensors, so that it is compiled and differentiated like other code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from graphc import functions as F
from graphc.core.ir import caller
from graphc.core.types import broadcast_shapes
from graphc.distributions import constraints
from graphc.distributions.constraints import Constraint
from graphc.eager.engine.hot import hot
from graphc.eager.engine.mode import no_grad
from graphc.eager.engine.promotion import get_default_dtype
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import Tensor, TensorLike
from graphc.errors import ArgumentError, GradientError

Shape = Sequence[Any]


def broadcast_all(*values: TensorLike) -> list[Any]:
    """Numbers and tensors as floats of one shape."""
    first = next((v for v in values if isinstance(v, Tensor)), None)
    dtype = get_default_dtype() if first is None else first.dtype
    found = [v if isinstance(v, Tensor) else F.tensor(v, dtype=dtype) for v in values]
    shape = broadcast_shapes([v.shape for v in found])
    if shape is None:
        raise ArgumentError(
            f"parameters of shapes {' and '.join(str(tuple(v.shape)) for v in found)} do not "
            "broadcast",
            where=caller(),
        )
    return [v.expand(shape) for v in found]


def check_values(what: str, constraint: Constraint, value: Any) -> None:
    """Refuse values that a constraint does not hold for; of traced tensors nothing is known.

    Raises:
        ArgumentError: there is one.
    """
    if hot.slow or constraint is constraints.dependent or not isinstance(value, Tensor):
        return
    if not bool(constraint.check(value.detach()).all()):
        raise ArgumentError(
            f"{what} has a value that is not {constraint}: {value.detach()!r:.80}",
            where=caller(),
            hint="pass validate_args=False to compute with it nevertheless",
        )


class Distribution:
    """What draws values and says how likely they are; see `Normal` for an example.

    Args:
        batch_shape: of distributions that stand beside each other.
        event_shape: of one value.
        validate_args: whether parameters and values are checked; they are unless told otherwise.

    Attributes:
        has_rsample: whether `rsample` gives draws that have a gradient by the parameters.
        arg_constraints: what each parameter may be.
        support: what values may be.

    Raises:
        ArgumentError: a parameter is not what its constraint says.

    Example:
        >>> import graphc as gc
        >>> d = gc.distributions.Normal(gc.zeros(3), 1.0)
        >>> d.batch_shape, d.event_shape
        (graphc.Size([3]), graphc.Size([]))
    """

    has_rsample = False
    has_enumerate_support = False
    arg_constraints: ClassVar[dict[str, Constraint]] = {}
    support: Any = constraints.real
    _validate = True

    def __init__(
        self, batch_shape: Shape = (), event_shape: Shape = (), validate_args: bool | None = None
    ) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate = validate_args
        for name, constraint in self.arg_constraints.items() if self._validate else ():
            check_values(f"{type(self).__name__}: {name}", constraint, vars(self).get(name))

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Say whether distributions check values that are made from now on.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Distribution.set_default_validate_args(True)
        """
        Distribution._validate = bool(value)

    @property
    def batch_shape(self) -> Any:
        """The shape of distributions that stand beside each other.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Normal(1.0, gc.tensor([2.0, 3.0])).batch_shape
            graphc.Size([2])
        """
        return self._batch_shape

    @property
    def event_shape(self) -> Any:
        """The shape of one value.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Normal(1.0, gc.tensor([2.0, 3.0])).event_shape
            graphc.Size([])
        """
        return self._event_shape

    @property
    def mean(self) -> Any:
        """The mean.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Normal(1.0, gc.tensor([2.0, 3.0])).mean
            tensor([1., 1.])
        """
        raise self._lacks("mean")

    @property
    def mode(self) -> Any:
        """The most likely value.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Normal(1.0, gc.tensor([2.0, 3.0])).mode
            tensor([1., 1.])
        """
        raise self._lacks("mode")

    @property
    def variance(self) -> Any:
        """The variance.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Normal(1.0, gc.tensor([2.0, 3.0])).variance
            tensor([4., 9.])
        """
        raise self._lacks("variance")

    @property
    def stddev(self) -> Any:
        """The root of the variance.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Normal(1.0, gc.tensor([2.0, 3.0])).stddev
            tensor([2., 3.])
        """
        return self.variance.sqrt()

    def _lacks(self, what: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} has no {what}")

    def _draw(self, shape: Size) -> Any:
        """Values, with a gradient if `has_rsample` says so."""
        raise self._lacks("draws")

    def rsample(self, sample_shape: Shape = ()) -> Any:
        """Draws that have a gradient by the parameters.

        Raises:
            GradientError: those of this distribution have none.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Normal(0.0, gc.ones(2)).rsample((5,)).shape
            graphc.Size([5, 2])
        """
        if not self.has_rsample:
            raise GradientError(
                f"rsample: draws of {type(self).__name__} have no gradient by its parameters",
                where=caller(),
                hint="use sample(), and log_prob of it",
            )
        return self._draw(self._extended_shape(sample_shape))

    def sample(self, sample_shape: Shape = ()) -> Any:
        """Draws, without a gradient.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Bernoulli(gc.tensor([0.0, 1.0])).sample()
            tensor([0., 1.])
        """
        with no_grad():
            return self._draw(self._extended_shape(sample_shape)).detach()

    def sample_n(self, n: int) -> Any:
        """`sample((n,))`, by PyTorch's older name.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Normal(0.0, 1.0).sample_n(3).shape
            graphc.Size([3])
        """
        return self.sample((n,))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density, or of the probability, of values.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Uniform(0.0, 2.0).log_prob(gc.tensor(1.0))
            tensor(-0.6931)
        """
        raise self._lacks("log_prob")

    def cdf(self, value: Any) -> Any:
        """The probability of a value up to this one.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Uniform(0.0, 2.0).cdf(gc.tensor(0.5))
            tensor(0.2500)
        """
        raise self._lacks("cdf")

    def icdf(self, value: Any) -> Any:
        """The value up to which a probability is.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Uniform(0.0, 2.0).icdf(gc.tensor(0.25))
            tensor(0.5000)
        """
        raise self._lacks("icdf")

    def entropy(self) -> Any:
        """The entropy, in nats.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Bernoulli(0.5).entropy()
            tensor(0.6931)
        """
        raise self._lacks("entropy")

    def perplexity(self) -> Any:
        """exp of the entropy.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Bernoulli(0.5).perplexity()
            tensor(2.)
        """
        return self.entropy().exp()

    def enumerate_support(self, expand: bool = True) -> Any:
        """All values, along a new first axis.

        Args:
            expand: over the batch; else the batch has sizes of 1.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Bernoulli(0.5).enumerate_support()
            tensor([0., 1.])
        """
        raise self._lacks("enumerate_support")

    def expand(self, batch_shape: Shape) -> Any:
        """The distribution with a larger batch.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Normal(0.0, 1.0).expand((3,)).batch_shape
            graphc.Size([3])
        """
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        shape, old = Size(batch_shape), self._batch_shape
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(other, name, value.expand(shape + tuple(value.shape[len(old) :])))
            elif isinstance(value, Distribution):
                setattr(other, name, value.expand(shape + tuple(value.batch_shape[len(old) :])))
        other._batch_shape = shape
        return other

    def _extended_shape(self, sample_shape: Shape = ()) -> Any:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _check(self, value: Any) -> Any:
        """The value, of which is checked that it can be drawn."""
        if self._validate:
            check_values(f"{type(self).__name__}: the value", self.support, value)
        return value

    def _enumerated(self, values: Any, expand: bool) -> Any:
        found = values.reshape(-1, *(1,) * len(self._batch_shape))
        return found.expand((found.shape[0], *self._batch_shape)) if expand else found

    def __repr__(self) -> str:
        parts = []
        for name in self.arg_constraints:
            value = vars(self).get(name)
            if isinstance(value, Tensor):
                shown = f"{value.item()}" if value.ndim == 0 and not hot.slow else value.shape
                parts.append(f"{name}: {shown}")
        return f"{type(self).__name__}({', '.join(parts)})"


class ExponentialFamily(Distribution):
    """A distribution whose density is an exponential of linear terms; a name for `isinstance`.

    Example:
        >>> import graphc as gc
        >>> isinstance(gc.distributions.Normal(0.0, 1.0), gc.distributions.ExponentialFamily)
        True
    """


class LocationScale(Distribution):
    """A distribution that is a standard one, stretched by `scale` and moved by `loc`.

    Args:
        loc: where it is moved.
        scale: above 0.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Laplace(0.0, 2.0).log_prob(gc.tensor(0.0))
        tensor(-1.3863)
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "loc": constraints.real, "scale": constraints.positive,
    }  # fmt: skip
    # Of the standard one: mean, mode, variance, entropy.
    _moments: ClassVar[tuple[float, float, float, float]]

    def __init__(
        self, loc: TensorLike, scale: TensorLike, validate_args: bool | None = None
    ) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return self.loc + self.scale * self._moments[0]

    @property
    def mode(self) -> Any:
        return self.loc + self.scale * self._moments[1]

    @property
    def variance(self) -> Any:
        return self.scale * self.scale * self._moments[2]

    def _standard(self, shape: Size) -> Any:
        """Draws of the standard one; by the inverse of its `_cdf` unless it says otherwise."""
        eps = self.loc.dtype.finfo.eps
        # Never 0 nor 1, where the inverse is infinite.
        u = F.rand(shape, dtype=self.loc.dtype) * (1 - eps) + eps / 2
        return self._icdf(u)

    def _log_density(self, z: Any) -> Any:
        raise self._lacks("log_prob")

    def _cdf(self, z: Any) -> Any:
        raise self._lacks("cdf")

    def _icdf(self, u: Any) -> Any:
        raise self._lacks("icdf")

    def _draw(self, shape: Size) -> Any:
        return self.loc + self.scale * self._standard(shape).detach()

    def log_prob(self, value: Any) -> Any:
        z = (self._check(value) - self.loc) / self.scale
        return self._log_density(z) - self.scale.log()

    def cdf(self, value: Any) -> Any:
        return self._cdf((self._check(value) - self.loc) / self.scale)

    def icdf(self, value: Any) -> Any:
        return self.loc + self.scale * self._icdf(value)

    def entropy(self) -> Any:
        return self.scale.log() + self._moments[3]


HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)

__all__ = ["Distribution", "ExponentialFamily", "LocationScale"]

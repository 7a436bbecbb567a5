"""Distributions of classes: one of several, and how often each."""

from __future__ import annotations

import math
from typing import Any

from graphc import functions as F
from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.distributions import constraints
from graphc.distributions.constraints import Constraint
from graphc.distributions.discrete import Given, one_given
from graphc.distributions.distribution import Distribution, Shape, check_values
from graphc.eager.engine.size import Size
from graphc.errors import ArgumentError


class Categorical(Distribution):
    """One of several classes.

    Args:
        probs: (..., classes), the weights of the classes; they need not add up to 1.
        logits: (..., classes), their logarithms up to a constant, in place of them.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> d = gc.distributions.Categorical(gc.tensor([1.0, 3.0]))
        >>> d.probs, d.log_prob(gc.tensor(1))
        (tensor([0.2500, 0.7500]), tensor(-0.2877))
    """

    has_enumerate_support = True

    def __init__(
        self, probs: Given = None, logits: Given = None, validate_args: bool | None = None
    ) -> None:
        one_given(type(self).__name__, probs, logits)
        given: Any = F.as_tensor(logits if probs is None else probs)  # type: ignore[arg-type]
        if given.ndim < 1:
            raise ArgumentError(f"{type(self).__name__}: classes need an axis", where=caller())
        self._given = "logits" if probs is None else "probs"
        norm = given - given.logsumexp(-1, True) if probs is None else given / given.sum(-1, True)
        self._value = norm
        if type(self) is Categorical:
            self.support = constraints.integer_interval(0, given.shape[-1] - 1)
        super().__init__(given.shape[:-1], (), validate_args)
        if self._validate and probs is not None:
            check_values(f"{type(self).__name__}: probs", constraints.simplex, norm)

    @property
    def probs(self) -> Any:
        """The probabilities of the classes.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Categorical(gc.tensor([1.0, 3.0])).probs
            tensor([0.2500, 0.7500])
        """
        return self._value if self._given == "probs" else self._value.softmax(-1)

    @property
    def logits(self) -> Any:
        """The logarithms of the probabilities.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Categorical(gc.tensor([1.0, 1.0])).logits
            tensor([-0.6931, -0.6931])
        """
        if self._given == "logits":
            return self._value
        eps = self._value.dtype.finfo.eps
        return self._value.clamp(eps, 1 - eps).log()

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Categorical(gc.ones(2)).param_shape
            graphc.Size([2])
        """
        return self._value.shape

    @property
    def _num_events(self) -> Any:
        return self._value.shape[-1]

    @property
    def mean(self) -> Any:
        return F.full_like(self._value[..., 0], math.nan)

    @property
    def mode(self) -> Any:
        return self.probs.argmax(-1)

    @property
    def variance(self) -> Any:
        return F.full_like(self._value[..., 0], math.nan)

    def _draw(self, shape: Size) -> Any:
        return self._drawn_class((*shape, self._num_events))

    def _drawn_class(self, shape: Shape) -> Any:
        """Of classes along the last axis: where the logarithms, each moved at random, are most."""
        dtype = self._value.dtype
        u = F.rand(shape, dtype=dtype) * (1 - dtype.finfo.eps) + dtype.finfo.tiny
        # A class of probability 0 is never drawn.
        logits = self._value if self._given == "logits" else self._value.log()
        return (logits - (-u.log()).log()).argmax(-1)

    def log_prob(self, value: Any) -> Any:
        index = F.as_tensor(self._check(value)).to(dtypes.int64).unsqueeze(-1)
        shape = F.broadcast_shapes(index.shape[:-1], self._value.shape[:-1])
        logits = self.logits.expand((*shape, self._num_events))
        return logits.gather(-1, index.expand((*shape, 1))).squeeze(-1)

    def entropy(self) -> Any:
        logits = self.logits.clamp(min=self._value.dtype.finfo.min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        return self._enumerated(F.arange(self._num_events), expand)

    def expand(self, batch_shape: Shape) -> Any:
        given = self._value.expand((*batch_shape, self._num_events))
        return type(self)(**{self._given: given}, validate_args=False)


class OneHotCategorical(Categorical):
    """One of several classes, as a vector with a 1 in its place; see `Categorical`.

    Example:
        >>> import graphc as gc
        >>> d = gc.distributions.OneHotCategorical(gc.tensor([0.0, 1.0]))
        >>> d.sample()
        tensor([0., 1.])
    """

    support = constraints.one_hot

    def __init__(
        self, probs: Given = None, logits: Given = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, validate_args)
        self._event_shape = Size(self._value.shape[-1:])

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def mode(self) -> Any:
        return self._as_one_hot(self.probs.argmax(-1))

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def _as_one_hot(self, index: Any) -> Any:
        return F.one_hot(index, self._num_events).to(self._value.dtype)

    def _draw(self, shape: Size) -> Any:
        return self._as_one_hot(self._drawn_class(shape))

    def log_prob(self, value: Any) -> Any:
        return Categorical.log_prob(self, self._check(value).argmax(-1))

    def _check(self, value: Any) -> Any:
        return super()._check(value) if value.dtype.is_float else value

    def enumerate_support(self, expand: bool = True) -> Any:
        n, batch = self._num_events, self._batch_shape
        found = F.eye(n, dtype=self._value.dtype).reshape(n, *(1,) * len(batch), n)
        return found.expand((n, *batch, n)) if expand else found


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """`OneHotCategorical` whose draws have the gradient of the probabilities.

    Example:
        >>> import graphc as gc
        >>> d = gc.distributions.OneHotCategoricalStraightThrough(gc.tensor([0.0, 1.0]))
        >>> d.rsample()
        tensor([0., 1.])
    """

    has_rsample = True

    def rsample(self, sample_shape: Shape = ()) -> Any:
        drawn = self.sample(sample_shape)
        return drawn + (self.probs - self.probs.detach())


class Multinomial(Distribution):
    """How often each class comes in a number of draws; see `Categorical`.

    Args:
        total_count: the number of draws.
        probs, logits: as `Categorical` has them.
        validate_args: see `Distribution`.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.Multinomial(3, gc.tensor([0.0, 1.0])).sample()
        tensor([0., 3.])
    """

    def __init__(
        self, total_count: int = 1, probs: Given = None, logits: Given = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        self.total_count = int(total_count)
        self._of_one = Categorical(probs, logits, validate_args)
        self.support = Constraint(f"multinomial({total_count})", self._adds_up, 1, True)
        shape = self._of_one.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    def _adds_up(self, x: Any) -> Any:
        return ((x >= 0) & (x % 1 == 0)).all(-1) & (x.sum(-1) == self.total_count)

    @property
    def probs(self) -> Any:
        """The probabilities of the classes.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Multinomial(2, gc.tensor([1.0, 3.0])).probs
            tensor([0.2500, 0.7500])
        """
        return self._of_one.probs

    @property
    def logits(self) -> Any:
        """The logarithms of the probabilities.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.Multinomial(2, gc.tensor([1.0, 1.0])).logits
            tensor([-0.6931, -0.6931])
        """
        return self._of_one.logits

    @property
    def mean(self) -> Any:
        return self.probs * self.total_count

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1 - self.probs)

    def _draw(self, shape: Size) -> Any:
        classes = self._of_one._drawn_class((self.total_count, *shape))
        return F.one_hot(classes, shape[-1]).sum(0).to(self.probs.dtype)

    def log_prob(self, value: Any) -> Any:
        x, logits = self._check(value), self.logits
        terms = F.where((x == 0) & (logits == -math.inf), 0.0, logits * x)
        return F.lgamma(x.sum(-1) + 1) - F.lgamma(x + 1).sum(-1) + terms.sum(-1)


__all__ = ["Categorical", "Multinomial", "OneHotCategorical", "OneHotCategoricalStraightThrough"]

"""Dropout layers: active in training alone."""

from __future__ import annotations

from graphc.nn import functional as F
from graphc.nn.functional.common import check_probability
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module


@layer(text="p={p}, inplace={inplace}")
class _Dropout(Module):
    p: float = 0.5
    inplace: bool = False

    def __post_init__(self) -> None:
        check_probability(type(self).__name__, self.p)


@layer(F.dropout)
class Dropout(_Dropout):
    """In training, elements are set to 0 with probability p and the others divided by 1 - p.

    Args:
        p: the probability of a zero.
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Dropout(0.2).eval()(gc.ones(2))
        tensor([1., 1.])
    """


@layer(F.dropout1d)
class Dropout1d(_Dropout):
    """In training, whole channels of (N, C, L) or (C, L) are set to 0 with probability p.

    Args:
        p: the probability of a zero.
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Dropout1d(0.2).eval()(gc.ones(1, 2))
        tensor([[1., 1.]])
    """


@layer(F.dropout2d)
class Dropout2d(_Dropout):
    """In training, whole channels of (N, C, H, W) are set to 0 with probability p.

    Args:
        p: the probability of a zero.
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Dropout2d(0.2).eval()(gc.ones(1, 1, 1, 2))
        tensor([[[[1., 1.]]]])
    """


@layer(F.dropout3d)
class Dropout3d(_Dropout):
    """In training, whole channels of (N, C, D, H, W) are set to 0 with probability p.

    Args:
        p: the probability of a zero.
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Dropout3d(0.2).eval()(gc.ones(1, 1, 1, 1, 2))
        tensor([[[[[1., 1.]]]]])
    """


@layer(F.alpha_dropout)
class AlphaDropout(_Dropout):
    """Dropout that keeps mean 0 and variance 1, for networks with `SELU`.

    Args:
        p: the probability that an element is dropped.
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.AlphaDropout(0.2).eval()(gc.ones(2))
        tensor([1., 1.])
    """


@layer(F.feature_alpha_dropout)
class FeatureAlphaDropout(_Dropout):
    """`AlphaDropout` of whole channels.

    Args:
        p: the probability that a channel is dropped.
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.FeatureAlphaDropout(0.2).eval()(gc.ones(1, 1, 2))
        tensor([[[1., 1.]]])
    """


__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]

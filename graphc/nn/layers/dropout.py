"""Dropout layers: active in training alone."""

from __future__ import annotations

from typing import Any

from graphc.nn import functional as F
from graphc.nn.functional.common import check_probability
from graphc.nn.module.module import Module


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability(type(self).__name__, p)
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"p={self.p}, inplace={self.inplace}"


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

    def forward(self, input: Any) -> Any:
        """See `functional.dropout`."""
        return F.dropout(input, self.p, self.training, self.inplace)


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

    def forward(self, input: Any) -> Any:
        """See `functional.dropout1d`."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


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

    def forward(self, input: Any) -> Any:
        """See `functional.dropout2d`."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


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

    def forward(self, input: Any) -> Any:
        """See `functional.dropout3d`."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


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

    def forward(self, input: Any) -> Any:
        """See `functional.alpha_dropout`."""
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


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

    def forward(self, input: Any) -> Any:
        """See `functional.feature_alpha_dropout`."""
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)


__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]

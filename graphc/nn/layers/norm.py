"""Layer, RMS, group and local response normalization; `norm_batch` has batch and instance."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.eager.functions.creation import empty
from graphc.errors import AttributeValueError
from graphc.nn import functional as F
from graphc.nn.init import ones_, zeros_
from graphc.nn.module.module import Module
from graphc.nn.parameter import Parameter


def _as_shape(normalized_shape: Any) -> tuple[int, ...]:
    if isinstance(normalized_shape, int):
        return (normalized_shape,)
    return tuple(normalized_shape)


class LayerNorm(Module):
    """The input with mean 0 and variance 1 over its last axes, then scaled and shifted.

    Args:
        normalized_shape: the sizes of the last axes.
        eps: added to the variance.
        elementwise_affine: whether there are scales and shifts, which are trained.
        bias: whether there are shifts.
        device: "cpu".
        dtype: of the parameters.

    Example:
        >>> import graphc as gc
        >>> gc.nn.LayerNorm(2)(gc.tensor([[1.0, 3.0]])).detach()
        tensor([[-1.0000,  1.0000]])
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        kind = {"device": device, "dtype": dtype}
        for name, wanted in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            value = Parameter(empty(self.normalized_shape, **kind)) if wanted else None
            self.register_parameter(name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scale 1, shift 0.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.LayerNorm(2)
            >>> _ = nn.init.zeros_(layer.weight)
            >>> layer.reset_parameters()
            >>> layer.weight.tolist()
            [1.0, 1.0]
        """
        if self.weight is not None:
            ones_(self.weight)
        if self.bias is not None:
            zeros_(self.bias)

    def forward(self, input: Any) -> Any:
        """See `functional.layer_norm`."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """The input divided by the root of its mean square over its last axes, then scaled.

    Args:
        normalized_shape: the sizes of the last axes.
        eps: added to the mean square; the dtype's epsilon unless given.
        elementwise_affine: whether there are scales, which are trained.
        device: "cpu".
        dtype: of the parameters.

    Example:
        >>> import graphc as gc
        >>> gc.nn.RMSNorm(2)(gc.tensor([[3.0, 3.0]])).detach()
        tensor([[1., 1.]])
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        value = None
        if elementwise_affine:
            value = Parameter(empty(self.normalized_shape, device=device, dtype=dtype))
        self.register_parameter("weight", value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scale 1.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.RMSNorm(2)
            >>> _ = nn.init.zeros_(layer.weight)
            >>> layer.reset_parameters()
            >>> layer.weight.tolist()
            [1.0, 1.0]
        """
        if self.weight is not None:
            ones_(self.weight)

    def forward(self, input: Any) -> Any:
        """See `functional.rms_norm`."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Module):
    """The input with mean 0 and variance 1 in each group of channels of each sample.

    Args:
        num_groups: how many groups the channels make.
        num_channels: the number of channels.
        eps: added to the variance.
        affine: whether there are scales and shifts by channel, which are trained.
        device: "cpu".
        dtype: of the parameters.
        bias: whether there are shifts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.GroupNorm(2, 4)(gc.tensor([[1.0, 3.0, 5.0, 5.0]])).detach()
        tensor([[-1.0000,  1.0000,  0.0000,  0.0000]])
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise AttributeValueError(
                f"GroupNorm: {num_channels} channels do not make {num_groups} groups",
                where=caller(),
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        kind = {"device": device, "dtype": dtype}
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            value = Parameter(empty(num_channels, **kind)) if wanted else None
            self.register_parameter(name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scale 1, shift 0.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.GroupNorm(1, 2)
            >>> _ = nn.init.zeros_(layer.weight)
            >>> layer.reset_parameters()
            >>> layer.weight.tolist()
            [1.0, 1.0]
        """
        if self.weight is not None:
            ones_(self.weight)
        if self.bias is not None:
            zeros_(self.bias)

    def forward(self, input: Any) -> Any:
        """See `functional.group_norm`."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """The input divided by (k + alpha * mean square of `size` channels around) ** beta.

    Args:
        size: how many channels.
        alpha: a factor.
        beta: an exponent.
        k: added.

    Example:
        >>> import graphc as gc
        >>> gc.nn.LocalResponseNorm(1, alpha=3.0, beta=0.5)(gc.ones(1, 1, 1))
        tensor([[[0.5000]]])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Any) -> Any:
        """See `functional.local_response_norm`."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


__all__ = ["GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]

"""Layer, RMS, group and local response normalization; `norm_batch` has batch and instance."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar
from typing import Any

from graphc.core.ir import caller
from graphc.core.typing import DTypeLike, Ints
from graphc.eager.engine.device import DeviceLike
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.functions.creation import empty
from graphc.errors import AttributeValueError
from graphc.nn import functional as F
from graphc.nn.init import ones_, zeros_
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module
from graphc.nn.parameter import Parameter


class Affine(Module):
    """Scales and shifts that are trained, or either alone, or neither."""

    weight: Parameter | None
    bias: Parameter | None

    def _register(
        self, shape: Ints, device: DeviceLike | None, dtype: DTypeLike | None, **wanted: bool
    ) -> None:
        for name, is_wanted in wanted.items():
            value = Parameter(empty(shape, device=device, dtype=dtype)) if is_wanted else None
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
        if self._parameters.get("bias") is not None:
            zeros_(self.bias)


def _as_shape(normalized_shape: Ints) -> tuple[int, ...]:
    if isinstance(normalized_shape, int):
        return (normalized_shape,)
    return tuple(normalized_shape)


@layer(text="{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}, bias={bias}")
class LayerNorm(Affine):
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

    normalized_shape: Ints
    eps: float = 1e-5
    elementwise_affine: bool = True
    bias: InitVar[bool] = True
    device: InitVar[DeviceLike | None] = None
    dtype: InitVar[DTypeLike | None] = None

    def __post_init__(self, bias: bool, device: DeviceLike | None, dtype: DTypeLike | None) -> None:
        self.normalized_shape = _as_shape(self.normalized_shape)
        scaled = self.elementwise_affine
        self._register(self.normalized_shape, device, dtype, weight=scaled, bias=scaled and bias)

    def forward(self, input: AnyTensor) -> Any:
        """See `functional.layer_norm`."""
        shape: Any = self.normalized_shape
        return F.layer_norm(input, shape, self.weight, self.bias, self.eps)


@layer(text="{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}")
class RMSNorm(Affine):
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

    normalized_shape: Ints
    eps: float | None = None
    elementwise_affine: bool = True
    device: InitVar[DeviceLike | None] = None
    dtype: InitVar[DTypeLike | None] = None

    def __post_init__(self, device: DeviceLike | None, dtype: DTypeLike | None) -> None:
        self.normalized_shape = _as_shape(self.normalized_shape)
        self._register(self.normalized_shape, device, dtype, weight=self.elementwise_affine)

    def forward(self, input: AnyTensor) -> Any:
        """See `functional.rms_norm`."""
        shape: Any = self.normalized_shape
        return F.rms_norm(input, shape, self.weight, self.eps)


@layer(text="{num_groups}, {num_channels}, eps={eps}, affine={affine}, bias={bias}")
class GroupNorm(Affine):
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

    num_groups: int
    num_channels: int
    eps: float = 1e-5
    affine: bool = True
    device: InitVar[DeviceLike | None] = None
    dtype: InitVar[DTypeLike | None] = None
    _: KW_ONLY
    bias: InitVar[bool] = True

    def __post_init__(self, device: DeviceLike | None, dtype: DTypeLike | None, bias: bool) -> None:
        if self.num_channels % self.num_groups:
            raise AttributeValueError(
                f"GroupNorm: {self.num_channels} channels do not make {self.num_groups} groups",
                where=caller(),
            )
        scaled = self.affine
        self._register(self.num_channels, device, dtype, weight=scaled, bias=scaled and bias)

    def forward(self, input: AnyTensor) -> Any:
        """See `functional.group_norm`."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


@layer(F.local_response_norm, text="{size}, alpha={alpha}, beta={beta}, k={k}")
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

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0


__all__ = ["GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]

"""Batch and instance normalization: layers with running statistics."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar
from typing import Any, ClassVar

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.typing import DTypeLike
from graphc.eager.engine.device import DeviceLike
from graphc.eager.engine.mode import no_grad
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.functions.creation import ones, zeros
from graphc.eager.functions.creation import tensor as make_tensor
from graphc.errors import ShapeError
from graphc.nn import functional as F
from graphc.nn.functional.norm import batch_norm_counted
from graphc.nn.layers.norm import Affine
from graphc.nn.module.layer import layer


@layer(
    text="{num_features}, eps={eps}, momentum={momentum}, affine={affine}, bias={bias}, "
    "track_running_stats={track_running_stats}"
)
class _BatchNorm(Affine):
    """Scales, shifts and running statistics by channel."""

    _version = 2
    ranks: ClassVar[tuple[int, ...]] = ()
    spatial: ClassVar[str] = ""
    num_features: int
    eps: float = 1e-5
    momentum: float | None = 0.1
    affine: bool = True
    track_running_stats: bool = True
    device: InitVar[DeviceLike | None] = None
    dtype: InitVar[DTypeLike | None] = None
    _: KW_ONLY
    bias: InitVar[bool] = True

    def __post_init__(self, device: DeviceLike | None, dtype: DTypeLike | None, bias: bool) -> None:
        self.register_buffer("running_mean", None)
        self.register_buffer("running_var", None)
        self.register_buffer("num_batches_tracked", None)
        if self.track_running_stats:
            self.running_mean = zeros(self.num_features, device=device, dtype=dtype)
            self.running_var = ones(self.num_features, device=device, dtype=dtype)
            self.num_batches_tracked = make_tensor(0, dtype=dtypes.int64, device=device)
        scaled = self.affine
        self._register(self.num_features, device, dtype, weight=scaled, bias=scaled and bias)

    def reset_running_stats(self) -> None:
        """Forget the running statistics.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.BatchNorm1d(2)
            >>> y = layer(gc.tensor([[0.0, 10.0], [2.0, 30.0]]))
            >>> layer.reset_running_stats()
            >>> layer.running_mean
            tensor([0., 0.])
        """
        if self.track_running_stats:
            with no_grad():
                self.running_mean.zero_()
                self.running_var.fill_(1)
                self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Forget the running statistics; scale 1, shift 0.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.BatchNorm1d(2)
            >>> y = layer(gc.tensor([[0.0, 10.0], [2.0, 30.0]]))
            >>> layer.reset_parameters()
            >>> layer.running_mean, layer.weight.tolist()
            (tensor([0., 0.]), [1.0, 1.0])
        """
        self.reset_running_stats()
        super().reset_parameters()

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict[str, Any], *collected: Any
    ) -> None:
        # As in PyTorch: before version 2, and in dicts that note none, there is no count.
        key = f"{prefix}num_batches_tracked"
        is_old = (local_metadata.get("version") or 0) < 2
        if is_old and self.num_batches_tracked is not None:
            state_dict.setdefault(key, self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *collected)

    def _check(self, input: AnyTensor) -> None:
        if input.ndim not in self.ranks:
            raise ShapeError(
                f"{type(self).__name__}: the input must be {self.spatial}, "
                f"its shape is {tuple(input.shape)}",
                where=caller(),
            )

    def forward(self, input: Any) -> Any:
        """See `functional.batch_norm`; in training the running statistics move."""
        self._check(input)
        mean, var = self.running_mean, self.running_var
        if not self.training and mean is not None:
            return F.batch_norm(input, mean, var, self.weight, self.bias, False, 0.0, self.eps)
        batches = None
        if not self.training or not self.track_running_stats:
            mean = var = None
        else:
            batches = self.num_batches_tracked
        return batch_norm_counted(
            input, mean, var, self.weight, self.bias, batches, self.momentum, self.eps
        )


class BatchNorm1d(_BatchNorm):
    """The input with mean 0 and variance 1 in each channel, then scaled and shifted.

    In training the batch's own mean and variance are used, and the running ones move towards
    them; in evaluation the running ones are used.

    Args:
        num_features: the number of channels.
        eps: added to the variance.
        momentum: the batch's share in the new running statistics; None for a plain average.
        affine: whether there are scales and shifts, which are trained.
        track_running_stats: whether there are running statistics; without, the batch's are used
            in evaluation too.
        device: "cpu".
        dtype: of the parameters.
        bias: whether there are shifts.

    Example:
        >>> import graphc as gc
        >>> layer = gc.nn.BatchNorm1d(1)
        >>> layer(gc.tensor([[1.0], [3.0]])).detach()
        tensor([[-1.0000],
                [ 1.0000]])
        >>> layer.running_mean
        tensor([0.2000])
    """

    ranks = (2, 3)
    spatial = "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """`BatchNorm1d` for images (N, C, H, W).

    Example:
        >>> import graphc as gc
        >>> gc.nn.BatchNorm2d(3).eval()(gc.ones(2, 3, 4, 5)).shape
        graphc.Size([2, 3, 4, 5])
    """

    ranks = (4,)
    spatial = "(N, C, H, W)"


class BatchNorm3d(_BatchNorm):
    """`BatchNorm1d` for volumes (N, C, D, H, W).

    Example:
        >>> import graphc as gc
        >>> gc.nn.BatchNorm3d(3).eval()(gc.ones(1, 3, 2, 2, 2)).shape
        graphc.Size([1, 3, 2, 2, 2])
    """

    ranks = (5,)
    spatial = "(N, C, D, H, W)"


@layer
class _InstanceNorm(_BatchNorm):
    affine: bool = False
    track_running_stats: bool = False

    def forward(self, input: Any) -> Any:
        """See `functional.instance_norm`."""
        self._check(input)
        single = input.ndim == self.ranks[0]
        y = F.instance_norm(
            input.unsqueeze(0) if single else input, self.running_mean, self.running_var,
            self.weight, self.bias, self.training or not self.track_running_stats,
            self.momentum, self.eps,
        )  # fmt: skip
        return y.squeeze(0) if single else y


class InstanceNorm1d(_InstanceNorm):
    """The input with mean 0 and variance 1 in each channel of each sample.

    Args:
        num_features: the number of channels.
        eps: added to the variance.
        momentum: the batch's share in the new running statistics.
        affine: whether there are scales and shifts, which are trained.
        track_running_stats: whether there are running statistics, used in evaluation.
        device: "cpu".
        dtype: of the parameters.
        bias: whether there are shifts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.InstanceNorm1d(1)(gc.tensor([[[1.0, 3.0]]]))
        tensor([[[-1.0000,  1.0000]]])
    """

    ranks = (2, 3)
    spatial = "(N, C, L) or (C, L)"


class InstanceNorm2d(_InstanceNorm):
    """`InstanceNorm1d` for images, (N, C, H, W) or (C, H, W).

    Example:
        >>> import graphc as gc
        >>> gc.nn.InstanceNorm2d(3)(gc.ones(2, 3, 4, 5)).shape
        graphc.Size([2, 3, 4, 5])
    """

    ranks = (3, 4)
    spatial = "(N, C, H, W) or (C, H, W)"


class InstanceNorm3d(_InstanceNorm):
    """`InstanceNorm1d` for volumes, (N, C, D, H, W) or (C, D, H, W).

    Example:
        >>> import graphc as gc
        >>> gc.nn.InstanceNorm3d(3)(gc.ones(1, 3, 2, 2, 2)).shape
        graphc.Size([1, 3, 2, 2, 2])
    """

    ranks = (4, 5)
    spatial = "(N, C, D, H, W) or (C, D, H, W)"


__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d", "InstanceNorm2d",
    "InstanceNorm3d",
]  # fmt: skip

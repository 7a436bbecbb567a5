"""Layers of shape: Flatten, Unflatten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ArgumentError
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module
from graphc.ops.declare import check_axis


@layer
class Flatten(Module):
    """Several axes as one: all but the first, unless given.

    Args:
        start_dim: the first of them.
        end_dim: the last of them.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Flatten()(gc.zeros(32, 1, 5, 5)).shape
        graphc.Size([32, 25])
    """

    start_dim: int = 1
    end_dim: int = -1

    def forward(self, input: AnyTensor) -> Any:
        """The input with these axes as one."""
        return input.flatten(self.start_dim, self.end_dim)


@layer
class Unflatten(Module):
    """One axis as several.

    Args:
        dim: the axis.
        unflattened_size: the sizes of the new axes; one may be -1.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Unflatten(1, (2, 5, 5))(gc.zeros(2, 50)).shape
        graphc.Size([2, 2, 5, 5])
    """

    dim: int
    unflattened_size: Sequence[int]

    def __post_init__(self) -> None:
        dim, sizes = self.dim, self.unflattened_size
        if not isinstance(dim, int) or not all(isinstance(s, int) for s in sizes):
            raise ArgumentError(
                f"Unflatten: dim={dim!r} must be an int, unflattened_size={sizes!r} "
                "a tuple of ints",
                where=caller(),
            )

    def forward(self, input: AnyTensor) -> Any:
        """The input with the axis as several."""
        at = check_axis("Unflatten", self.dim, input.ndim)
        shape = tuple(input.shape)
        return input.reshape(*shape[:at], *self.unflattened_size, *shape[at + 1 :])


__all__ = ["Flatten", "Unflatten"]

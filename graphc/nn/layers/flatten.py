"""Layers of shape: Flatten, Unflatten."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.errors import ArgumentError
from graphc.nn.module.module import Module
from graphc.ops.declare import check_axis


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

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Any) -> Any:
        """The input with these axes as one."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


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

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        if not isinstance(dim, int) or not all(isinstance(s, int) for s in unflattened_size):
            raise ArgumentError(
                f"Unflatten: dim={dim!r} must be an int, unflattened_size={unflattened_size!r} "
                "a tuple of ints",
                where=caller(),
            )
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Any) -> Any:
        """The input with the axis as several."""
        at = check_axis("Unflatten", self.dim, input.ndim)
        shape = tuple(input.shape)
        return input.reshape(*shape[:at], *self.unflattened_size, *shape[at + 1 :])

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


__all__ = ["Flatten", "Unflatten"]

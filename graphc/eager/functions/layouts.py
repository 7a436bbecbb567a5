"""PyTorch's words for how elements lie in memory. Tensors that are made have them in order.

x.contiguous(memory_format=gc.channels_last)      # the words are taken; they change nothing
"""

from __future__ import annotations


class memory_format:
    """A word for an order of elements in memory.

    Args:
        name: of it.

    Example:
        >>> import graphc as gc
        >>> gc.channels_last
        graphc.channels_last
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"graphc.{self.name}"


class layout(memory_format):
    """A word for how tensors hold their elements: `gc.strided`, all of them.

    Args:
        name: of it.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2).layout is gc.strided
        True
    """


channels_last, channels_last_3d = memory_format("channels_last"), memory_format("channels_last_3d")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
strided = layout("strided")

__all__ = [
    "channels_last", "channels_last_3d", "contiguous_format", "layout", "memory_format",
    "preserve_format", "strided",
]  # fmt: skip

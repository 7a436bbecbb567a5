"""Convolutions with one more axis in front, see `ops.batch`.

conv(x, w)  of a batch of images     one conv of more images
            of a batch of weights    one conv with a group of channels for each
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ops.batch import all_of, merged, moved, parted, size_of


def image_batch(node: Any, operands: Sequence[Any], batched: Sequence[bool]) -> Any:
    """The rule of an op of (N, channels, ...) and a weight that gives (N, channels, ...)."""
    size, attrs = size_of(operands, batched), dict(node.attrs)
    if not batched[1]:
        images, weight = operands
        found = node.op(merged(images), weight, **attrs)
        return parted(found, 0, size, node.type.shape[0])
    if not isinstance(size, int):
        return None
    images, weights = all_of(operands, batched)
    attrs["groups"] *= size
    found = node.op(merged(moved(images, 0, 1), 1), merged(weights), **attrs)
    return moved(parted(found, 1, size, node.type.shape[1]), 1, 0)


def weight_batch(node: Any, operands: Sequence[Any], batched: Sequence[bool]) -> Any:
    """The rule of the op that sums over N, the transpose of conv in its weight."""
    size, attrs = size_of(operands, batched), dict(node.attrs)
    if not isinstance(size, int):
        return None
    attrs["groups"] *= size
    both = [merged(moved(x, 0, 1), 1) for x in all_of(operands, batched)]
    return parted(node.op(*both, **attrs), 0, size, node.type.shape[0])


__all__ = ["image_batch", "weight_batch"]

"""`pad`: room at the ends of axes, filled in one of four ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core import dims
from graphc.core.dims import Dim
from graphc.core.ir import caller
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.functions.shapes import size_of
from graphc.errors import ArgumentError, ShapeError
from graphc.nn.functional.common import show
from graphc.nn.functional.operation import operation
from graphc.ops.arrays.joining import concat
from graphc.ops.arrays.joining import pad as graph_pad
from graphc.ops.arrays.shaping import cut

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
Widths = tuple[int, ...]


def padded(x: Any, widths: Widths, mode: str = "constant", value: float = 0) -> Any:
    """A symbolic tensor with room: pairs (before, after) from the last axis on; negative cuts."""
    rank = len(x.type.shape)
    if len(widths) % 2 or len(widths) > 2 * rank:
        raise ShapeError(
            f"pad: {len(widths)} widths for {rank} axes; they are pairs, the last axis first",
            [f"pad {widths}", f"input {show(x.type.shape)}"],
            where=caller(),
        )
    if mode not in MODES:
        raise ArgumentError(
            f"pad: mode={mode!r}", where=caller(), hint=f"one of {', '.join(MODES)}"
        )
    pairs = [(0, 0)] * rank
    for k in range(len(widths) // 2):
        pairs[rank - 1 - k] = (widths[2 * k], widths[2 * k + 1])
    room = [(dims.maximum(low, 0), dims.maximum(high, 0)) for low, high in pairs]
    if mode in ("reflect", "replicate"):  # of what is cut too
        return _shortened(graph_pad(x, room, value, MODES[mode]), pairs)
    x = _shortened(x, pairs)
    if mode == "circular":
        for axis, (low, high) in enumerate(room):
            x = _wrapped(x, axis, low, high)
        return x
    some = any(isinstance(w, Dim) or w for pair in room for w in pair)
    return graph_pad(x, room, value, MODES[mode]) if some else x


def _shortened(x: Any, pairs: Sequence[tuple[int, int]]) -> Any:
    """What negative widths leave."""
    for axis, (low, high) in enumerate(pairs):
        if not dims.at_least(low, 0) or not dims.at_least(high, 0):
            size = x.type.shape[axis] + dims.minimum(low, 0) + dims.minimum(high, 0)
            x = cut(x, axis, dims.maximum(-low, 0), size)
    return x


def _wrapped(x: Any, axis: int, low: Any, high: Any) -> Any:
    size = x.type.shape[axis]
    if isinstance(size, int) and max(low, high) > size:
        raise ShapeError(
            f"pad: circular widths {(low, high)} exceed axis {axis} of size {size}",
            where=caller(),
        )
    parts = [cut(x, axis, size - low, low)] if low else []
    parts += [x, cut(x, axis, 0, high)] if high else [x]
    return concat(parts, axis) if len(parts) > 1 else x


def _width(width: Any) -> Any:
    size = size_of(width)
    return size if isinstance(size, Dim) else int(size)


@operation("ConstantPadNdBackward0")
def pad(
    input: AnyTensor, pad: Sequence[Any], mode: str = "constant", value: float | None = None
) -> Any:
    """input with room at both ends of its axes.

    Args:
        input: a tensor.
        pad: pairs (before, after), the last axis first; a negative width cuts.
        mode: "constant", "reflect" (mirrored, without the border), "replicate" (the border
            repeated) or "circular".
        value: what the room holds in mode "constant"; 0 unless given.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.pad(gc.tensor([1.0, 2.0]), (1, 2))
        tensor([0., 1., 2., 0., 0.])
        >>> gc.nn.functional.pad(gc.tensor([1.0, 2.0, 3.0]), (2, 0), mode="reflect")
        tensor([3., 2., 1., 2., 3.])
    """
    if mode != "constant" and value:
        raise ArgumentError(f'pad: value={value} goes with mode "constant"', where=caller())
    return padded(input, tuple(map(_width, pad)), mode, 0 if value is None else value)


__all__ = ["pad"]

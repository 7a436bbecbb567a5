"""Several index arrays in one index: `x[t, u]`, read and written.

The arrays broadcast together and become one index into their axes taken together. Where the new
axes stand differs: NumPy counts ints and 0-d tensors among the arrays, PyTorch lets these select
first. So `split` leaves them to the caller, and `jointly` is told where the axes go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core import dims, dtypes
from graphc.core.dims import Size
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS
from graphc.errors import ShapeError
from graphc.ops.declare import is_tensor


def is_array(item: Any) -> bool:
    """Whether an index is a tensor with axes."""
    return is_tensor(item) and bool(item.type.shape)


def split(items: Sequence[Any]) -> tuple[list[Any], list[tuple[int, Any]]]:
    """An index without `...` as one that selects and cuts, and the arrays that index what is left.

    Returns:
        The index with a whole slice for each array, and (axis, array), the axis being one of
        what that index gives.
    """
    cut: list[Any] = []
    found: list[tuple[int, Any]] = []
    axis = 0
    for item in items:
        if is_array(item):
            found.append((axis, item))
            item = slice(None)
        cut.append(item)
        axis += item is None or isinstance(item, slice)
    return cut, found


def apart(items: Sequence[Any]) -> bool:
    """Whether something stands between the items that select; NumPy puts their axes first then."""
    cuts = (slice, type(None), type(...))
    chosen = [k for k, item in enumerate(items) if not isinstance(item, cuts)]
    return bool(chosen) and chosen[-1] - chosen[0] + 1 != len(chosen)


def jointly(x: Any, found: Sequence[tuple[int, Any]], first: bool) -> Any:
    """The elements of a tensor that several arrays name together.

    Args:
        x: a symbolic tensor.
        found: (axis, integers of any shape), at least one, in the order of the axes.
        first: whether the arrays' axes come first; else they stand where the first array stood.
    """
    axes, indices = [a for a, _ in found], [i for _, i in found]
    rest = [a for a in range(len(x.type.shape)) if a not in axes]
    shape = broadcast(indices)
    sizes = [x.type.shape[a] for a in axes]
    moved = FUNCTIONS["transpose"](x, (*axes, *rest))
    left = [x.type.shape[a] for a in rest]
    rows = FUNCTIONS["reshape"](moved, (dims.product(sizes), *left))
    taken = FUNCTIONS["take"](rows, linear(indices, sizes, shape), 0)
    before = 0 if first else axes[0]
    if before == 0:
        return taken
    rank = len(shape)
    order = (*range(rank, rank + before), *range(rank), *range(rank + before, rank + len(rest)))
    return FUNCTIONS["transpose"](taken, order)


def broadcast(tensors: Sequence[Any]) -> tuple[Size, ...]:
    """The shape that index tensors broadcast to.

    Raises:
        ShapeError: they do not.
    """
    shape: list[Any] = []
    for tensor in tensors:
        own = list(tensor.type.shape)
        longer, other = (shape, own) if len(shape) >= len(own) else (own, shape)
        merged = list(longer)
        for k in range(1, len(other) + 1):
            if merged[-k] == 1:
                merged[-k] = other[-k]
            elif other[-k] not in (1, merged[-k]):
                raise ShapeError(
                    "indices of shapes "
                    f"{' and '.join(str(tuple(t.type.shape)) for t in tensors)} do not broadcast",
                    where=caller(),
                )
        shape = merged
    return tuple(shape)


def linear(indices: Sequence[Any], sizes: Sequence[Size], shape: tuple[Size, ...]) -> Any:
    """Several indices as one into their axes taken together."""
    if len(indices) == 1:
        return indices[0]
    total: Any = None
    for index, size in zip(indices, sizes):
        wide = FUNCTIONS["broadcast_to"](FUNCTIONS["cast"](index, dtypes.int64), shape)
        # A lookup among the axis's own places refuses an index that is outside of it.
        wide = FUNCTIONS["take"](FUNCTIONS["iota"]((size,), 0, dtypes.int64), wide)
        total = wide if total is None else total * size + wide
    return total

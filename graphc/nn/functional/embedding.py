"""Rows of a table by their indices: embedding and embedding_bag."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Node, caller
from graphc.eager.engine.composite import composite, store
from graphc.eager.engine.mode import no_grad
from graphc.eager.engine.registry import named
from graphc.eager.engine.tensor import AnyTensor, Tensor
from graphc.errors import ArgumentError, AttributeValueError, DTypeError, ShapeError
from graphc.nn.functional.common import check_floats, show
from graphc.nn.functional.length import norm_of
from graphc.ops.arrays.at import index_add
from graphc.ops.arrays.filled import arange, ones_like, zeros
from graphc.ops.arrays.indexing import from_start
from graphc.ops.arrays.lookup import take
from graphc.ops.arrays.shaping import expand_dims, reshape
from graphc.ops.arrays.sorting import searchsorted
from graphc.ops.arrays.statistics import max as max_
from graphc.ops.arrays.statistics import sum as sum_
from graphc.ops.control import stop_gradient
from graphc.ops.elementwise.cast import cast
from graphc.ops.elementwise.extremes import maximum
from graphc.ops.elementwise.logic import where


def _rows(
    index: Any, weight: Any, padding_idx: int | None, by_frequency: bool, name: str = "embedding"
) -> Any:
    """The rows that an index names, with the gradient that the settings ask for."""
    if not index.type.dtype.is_integer:
        raise DTypeError(
            f"{name}: indices must be integers, not {index.type.dtype.name}", where=caller()
        )
    if len(weight.type.shape) != 2:
        raise ShapeError(
            f"{name}: the weight must be (rows, columns), not {show(weight.type.shape)}",
            where=caller(),
        )
    place = from_start(index)
    rows = take(weight, place, 0)
    if by_frequency:
        ones = zeros((weight.type.shape[0],), weight.type.dtype)
        count = index_add(ones, place, 1, 0)
        share = expand_dims(1 / take(count, place, 0), -1) * rows
        rows = stop_gradient(rows - share) + share
    if padding_idx is None:
        return rows
    return where(expand_dims(index == padding_idx, -1), stop_gradient(rows), rows)


@composite
@named("EmbeddingBackward0")
def _embedding(index: Node, weight: Node, *, padding_idx: int | None, by_frequency: bool) -> Any:
    return _rows(index, weight, padding_idx, by_frequency)


@composite
def _renormed(index: Any, weight: Any, *, max_norm: float, norm_type: float) -> Any:
    check_floats("embedding with max_norm", weight)
    rows = weight.type.shape[0]
    uses = index_add(zeros((rows,), weight.type.dtype), from_start(index), 1, 0)
    length = norm_of(weight, norm_type, 1)
    long = (uses > 0) & (length > max_norm)
    return weight * expand_dims(where(long, max_norm / (length + 1e-7), ones_like(length)), 1)


def _renorm(index: Any, weight: AnyTensor, max_norm: float | None, norm_type: float) -> None:
    if max_norm is None:
        return
    if not isinstance(weight, Tensor):
        raise ArgumentError(
            "embedding: max_norm changes the weight in place, which a symbolic one cannot be",
            where=caller(),
        )
    with no_grad():
        store(weight, _renormed(index, weight, max_norm=max_norm, norm_type=norm_type))


def _place(name: str, padding_idx: int | None, weight: AnyTensor) -> int | None:
    if padding_idx is None:
        return None
    rows = weight.shape[0]
    if not -rows <= padding_idx < rows:
        raise AttributeValueError(
            f"{name}: padding_idx {padding_idx} is outside the {rows} rows", where=caller()
        )
    return padding_idx % rows


def embedding(
    input: AnyTensor,
    weight: AnyTensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """The rows of a table that indices name.

    Args:
        input: integers of any shape, from 0 to rows - 1.
        weight: (rows, columns).
        padding_idx: a row that gets no gradient, or None.
        max_norm: rows used that are longer are first scaled to this length, in place.
        norm_type: the p of that length.
        scale_grad_by_freq: divide a row's gradient by how often it is used.
        sparse: accepted; the gradient is a dense tensor in any case. Compiled steps of SGD (without
            momentum or weight decay) and Adagrad read and write the rows alone that are named.

    Returns:
        (*input.shape, columns).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.embedding(gc.tensor([1, 0]), gc.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[3., 4.],
                [1., 2.]])
    """
    padding_idx = _place("embedding", padding_idx, weight)
    _renorm(input, weight, max_norm, norm_type)
    return _embedding(input, weight, padding_idx=padding_idx, by_frequency=scale_grad_by_freq)


@composite
@named("EmbeddingBagBackward0")
def _bags(
    index: Any,
    weight: Node,
    shares: Node | None,
    *,
    mode: str,
    padding_idx: int | None,
    by_frequency: bool,
) -> Any:
    rows = _rows(index, weight, padding_idx, by_frequency, "embedding_bag")
    used = None if padding_idx is None else expand_dims(index != padding_idx, -1)
    if shares is not None:
        rows = rows * expand_dims(shares, -1)
    if mode == "max":
        if used is None:
            return max_(rows, 1)
        best = max_(where(used, rows, float("-inf")), 1)
        return where(best == float("-inf"), 0, best)
    if used is None:
        total, count = sum_(rows, 1), index.type.shape[1]
    else:
        total = sum_(where(used, rows, 0), 1)
        count = maximum(sum_(cast(used, rows.type.dtype), 1), 1)
    return total / count if mode == "mean" else total


@composite
@named("EmbeddingBagBackward0")
def _ragged_bags(
    index: Node,
    weight: Node,
    offsets: Node,
    shares: Node | None,
    *,
    mode: str,
    bags: int,
    padding_idx: int | None,
    by_frequency: bool,
) -> Any:
    rows = _rows(index, weight, padding_idx, by_frequency, "embedding_bag")
    count, columns = rows.type.shape
    if shares is not None:
        rows = rows * expand_dims(shares, -1)
    bag = searchsorted(offsets, arange(count), side="right") - 1
    used = None if padding_idx is None else index != padding_idx
    if mode == "max":
        inside = reshape(bag, (1, count)) == reshape(arange(bags), (bags, 1))
        if used is not None:
            inside = inside & reshape(used, (1, count))
        wide = reshape(rows, (1, count, columns))
        best = max_(where(expand_dims(inside, -1), wide, float("-inf")), 1)
        return where(best == float("-inf"), 0, best)
    if used is not None:
        rows = where(expand_dims(used, -1), rows, 0)
    total = index_add(zeros((bags, columns), rows.type.dtype), bag, rows, 0)
    if mode == "sum":
        return total
    ones = 1 if used is None else cast(used, rows.type.dtype)
    sizes = index_add(zeros((bags,), rows.type.dtype), bag, ones, 0)
    return total / expand_dims(maximum(sizes, 1), -1)


def embedding_bag(
    input: AnyTensor,
    weight: AnyTensor,
    offsets: AnyTensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: AnyTensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """Sums, means or maxima of the rows of a table, over bags of indices.

    Args:
        input: (bags, n) integers; or (n,) with offsets.
        weight: (rows, columns).
        offsets: (bags,): where each bag starts in a 1-d input.
        max_norm: as for `embedding`.
        norm_type: likewise.
        scale_grad_by_freq: likewise.
        mode: "sum", "mean" or "max".
        sparse: accepted; the gradient is a dense tensor in any case. Compiled steps of SGD (without
            momentum or weight decay) and Adagrad read and write the rows alone that are named.
        per_sample_weights: a factor for each index, with mode "sum".
        include_last_offset: whether offsets ends with the size of input.
        padding_idx: a row that does not count, or None.

    Returns:
        (bags, columns).

    Example:
        >>> import graphc as gc
        >>> table = gc.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> gc.nn.functional.embedding_bag(gc.tensor([[0, 1]]), table)
        tensor([[2., 3.]])
    """
    if mode not in ("sum", "mean", "max"):
        raise AttributeValueError(
            f"embedding_bag: mode={mode!r}", where=caller(), hint='"sum", "mean" or "max"'
        )
    if per_sample_weights is not None and mode != "sum":
        raise ArgumentError(
            f'embedding_bag: per_sample_weights go with mode "sum", not {mode!r}', where=caller()
        )
    if input.ndim not in (1, 2) or (offsets is None) != (input.ndim == 2):
        raise ShapeError(
            "embedding_bag: input is (bags, n), or (n,) with offsets; "
            f"it has shape {show(input.shape)} and offsets={offsets is not None}",
            where=caller(),
        )
    settings = {
        "mode": mode,
        "padding_idx": _place("embedding_bag", padding_idx, weight),
        "by_frequency": scale_grad_by_freq,
    }
    _renorm(input, weight, max_norm, norm_type)
    if offsets is None:
        return _bags(input, weight, per_sample_weights, **settings)
    bags = offsets.shape[0] - 1 if include_last_offset else offsets.shape[0]
    return _ragged_bags(input, weight, offsets[:bags], per_sample_weights, bags=bags, **settings)


__all__ = ["embedding", "embedding_bag"]

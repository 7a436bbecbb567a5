"""Sequences of different lengths: padded to one length, or packed without padding.

    packed = pack_padded_sequence(x, lengths, batch_first=True)
    output, h = rnn(packed)
    x, lengths = pad_packed_sequence(output, batch_first=True)

A packed sequence holds the rows of the first step, then those of the second, and so on, the
longest sequence first, so that the sequences still running at a step are the first rows of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS
from graphc.eager.engine.composite import composite
from graphc.eager.engine.drawn import BY_VALUES, lose
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import ArgumentError, AttributeValueError, ShapeError
from graphc.ops.arrays.joining import concat
from graphc.ops.arrays.lookup import take
from graphc.ops.arrays.shaping import reshape
from graphc.ops.elementwise.logic import where


class _Packed(NamedTuple):
    data: Any
    batch_sizes: Any
    sorted_indices: Any = None
    unsorted_indices: Any = None


class PackedSequence(_Packed):
    """Sequences of different lengths, step by step, without padding.

    Made by `pack_padded_sequence` and `pack_sequence`; recurrent layers take it and return it.

    Attributes:
        data: (sum of lengths, ...), the first step's rows first.
        batch_sizes: int64, how many sequences each step has.
        sorted_indices: int64, where each row of a step was in the batch; None where the batch
            was sorted already.
        unsorted_indices: int64, the inverse of it.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.utils.rnn import pack_sequence
        >>> packed = pack_sequence([gc.tensor([1, 2, 3]), gc.tensor([4, 5])])
        >>> packed.data, packed.batch_sizes
        (tensor([1, 4, 2, 5, 3]), tensor([2, 2, 1]))
    """

    def __new__(
        cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None,
        unsorted_indices: Any = None,
    ) -> PackedSequence:  # fmt: skip
        if batch_sizes is None:
            if not isinstance(data, tuple) or len(data) != 2:
                raise ArgumentError("PackedSequence: batch_sizes is missing", where=caller())
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same with `data.to(...)`.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> packed = nn.utils.rnn.pack_sequence([gc.ones(3), gc.ones(1)])
            >>> packed.to(gc.float64).data.dtype
            graphc.float64
        """
        return self._replace(data=self.data.to(*args, **kwargs))

    def cpu(self) -> PackedSequence:
        """The same on the CPU.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> packed = nn.utils.rnn.pack_sequence([gc.ones(3), gc.ones(1)])
            >>> packed.cpu().batch_sizes
            tensor([2, 1, 1])
        """
        return self

    def double(self) -> PackedSequence:
        """The same with float64 data.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> nn.utils.rnn.pack_sequence([gc.ones(3)]).double().data.dtype
            graphc.float64
        """
        return self._replace(data=self.data.double())

    def float(self) -> PackedSequence:
        """The same with float32 data.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> nn.utils.rnn.pack_sequence([gc.tensor([1, 2])]).float().data
            tensor([1., 2.])
        """
        return self._replace(data=self.data.float())

    def half(self) -> PackedSequence:
        """The same with float16 data.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> nn.utils.rnn.pack_sequence([gc.ones(3)]).half().data.dtype
            graphc.float16
        """
        return self._replace(data=self.data.half())

    def bfloat16(self) -> PackedSequence:
        """The same with bfloat16 data.

        Example:
            >>> import graphc as gc
            >>> gc.nn.utils.rnn.pack_sequence([gc.ones(2, 1)]).bfloat16().data.dtype
            graphc.bfloat16
        """
        return self._replace(data=self.data.bfloat16())

    def pin_memory(self) -> PackedSequence:
        """The sequence itself: there is nothing to pin memory for.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> packed = nn.utils.rnn.pack_sequence([gc.ones(3)])
            >>> packed.pin_memory() is packed
            True
        """
        return self

    @property
    def is_cuda(self) -> bool:
        """False: eager tensors live on the CPU.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> nn.utils.rnn.pack_sequence([gc.ones(3)]).is_cuda
            False
        """
        return False


@composite
def _chosen(rows: Any, index: Any) -> Any:
    return take(rows, index, 0)


@composite
def _flat_steps(x: Any) -> Any:
    return reshape(x, (-1, *x.type.shape[2:]))


@composite
def _padded(rows: Any, index: Any, there: Any, *, value: float) -> Any:
    """Rows at `index` where there is one, the padding elsewhere."""
    grid = take(rows, index, 0)
    rank = len(grid.type.shape) - len(index.type.shape)
    there = reshape(there, (*there.type.shape, *(1,) * rank))
    return where(there, grid, FUNCTIONS["full"]((), value, rows.type.dtype))


@composite
def _joined(parts: Any) -> Any:
    return concat(list(parts), 0)


def invert_permutation(permutation: Any) -> Any:
    """The inverse of a permutation given as a 1-d int tensor; None of None.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.utils.rnn import invert_permutation
        >>> invert_permutation(gc.tensor([2, 0, 1]))
        tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    found = wrap(np.argsort(permutation.numpy(), kind="stable").astype(np.int64))
    return lose(found, [permutation], BY_VALUES)


def _lengths(lengths: Any, batch: int) -> np.ndarray:
    """Lengths as int64, checked."""
    found = np.asarray(lengths.tolist() if isinstance(lengths, Tensor) else lengths, np.int64)
    if found.shape != (batch,):
        raise ShapeError(
            f"lengths: {found.size} lengths for a batch of {batch} sequences", where=caller()
        )
    if batch and found.min() <= 0:
        raise AttributeValueError(
            f"lengths: {int(found.min())} is among them; every sequence must have at least one "
            "element",
            where=caller(),
        )
    return found


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Padded sequences without their padding.

    Args:
        input: (steps, batch, ...), or (batch, steps, ...) with batch_first.
        lengths: of the sequences: a list or an int tensor.
        batch_first: see input.
        enforce_sorted: require falling lengths; False sorts.

    Returns:
        A `PackedSequence`.

    Raises:
        AttributeValueError: a length is 0, or they are not sorted.
        ShapeError: there are not as many as sequences, or one is longer than the input.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.utils.rnn import pack_padded_sequence
        >>> pack_padded_sequence(gc.tensor([[1, 4], [2, 5], [3, 0]]), [3, 2]).data
        tensor([1, 4, 2, 5, 3])
    """
    batch, steps = (input.shape[k] for k in ((0, 1) if batch_first else (1, 0)))
    found = _lengths(lengths, batch)
    order = None
    if enforce_sorted:
        if np.any(found[1:] > found[:-1]):
            raise AttributeValueError(
                f"pack_padded_sequence: lengths {found.tolist()} are not sorted, longest first",
                where=caller(),
                hint="pass enforce_sorted=False, which sorts them",
            )
    else:
        order = np.argsort(-found, kind="stable")
        found = found[order]
    if batch and found[0] > steps:
        raise ShapeError(
            f"pack_padded_sequence: a length of {found[0]} for an input of {steps} steps",
            where=caller(),
        )
    places, sizes = _places(found)
    step, row = places
    row = row if order is None else order[row]
    index = row * steps + step if batch_first else step * batch + row
    data = _chosen(_flat_steps(input), lose(wrap(index), [lengths], BY_VALUES))
    return PackedSequence(data, wrap(sizes), None if order is None else wrap(order))


def _places(lengths: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Step and row of each element of a packed sequence, and the rows of each step."""
    steps = int(lengths[0]) if lengths.size else 0
    there = np.arange(steps)[:, None] < lengths[None, :]
    step, row = np.nonzero(there)
    return (step, row), there.sum(1).astype(np.int64)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """The inverse of `pack_padded_sequence`.

    Args:
        sequence: a `PackedSequence`.
        batch_first: whether the result is (batch, steps, ...).
        padding_value: what stands after the end of a sequence.
        total_length: pad to so many steps; to the longest sequence unless given.

    Returns:
        The padded sequences, (steps, batch, ...), and their lengths, int64 on the CPU.

    Raises:
        AttributeValueError: total_length is less than the longest sequence.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.utils.rnn import pack_sequence, pad_packed_sequence
        >>> packed = pack_sequence([gc.tensor([1, 2, 3]), gc.tensor([4, 5])])
        >>> pad_packed_sequence(packed, batch_first=True)
        (tensor([[1, 2, 3],
                [4, 5, 0]]), tensor([3, 2]))
    """
    sizes = sequence.batch_sizes.numpy()
    steps, batch = len(sizes), int(sizes[0]) if len(sizes) else 0
    total = steps if total_length is None else total_length
    if total < steps:
        raise AttributeValueError(
            f"pad_packed_sequence: total_length is {total}, the longest sequence has {steps} steps",
            where=caller(),
        )
    lengths = (sizes[:, None] > np.arange(batch)).sum(0).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if steps else np.zeros(0, np.int64)
    rows = np.arange(batch)
    if sequence.unsorted_indices is not None:
        rows = sequence.unsorted_indices.numpy()
        lengths = lengths[rows]
    there = np.zeros((total, batch), np.bool_)
    there[:steps] = np.arange(steps)[:, None] < lengths
    index = np.zeros((total, batch), np.int64)
    index[:steps] = np.where(there[:steps], starts[:, None] + rows, 0)
    if batch_first:
        index, there = index.T.copy(), there.T.copy()
    value = padding_value if sequence.data.dtype.is_float else int(padding_value)
    found = [wrap(index), wrap(there), wrap(lengths)]
    places, is_there, sizes = lose(found, [sequence.batch_sizes], BY_VALUES)
    return _padded(sequence.data, places, is_there, value=value), sizes


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0,
    padding_side: str = "right",
) -> Any:  # fmt: skip
    """Sequences of different lengths as one tensor.

    Args:
        sequences: tensors (length, ...), equal in their other sizes.
        batch_first: whether the result is (batch, steps, ...).
        padding_value: what fills the room.
        padding_side: "right" or "left".

    Returns:
        (steps, batch, ...), as long as the longest.

    Raises:
        AttributeValueError: another padding_side.
        ArgumentError: there are no sequences.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.utils.rnn import pad_sequence
        >>> pad_sequence([gc.tensor([1, 2, 3]), gc.tensor([4])], batch_first=True)
        tensor([[1, 2, 3],
                [4, 0, 0]])
    """
    if padding_side not in ("left", "right"):
        raise AttributeValueError(
            f"pad_sequence: padding_side is {padding_side!r}; it must be 'left' or 'right'",
            where=caller(),
        )
    parts = _sequences("pad_sequence", sequences)
    lengths = np.array([len(s) for s in parts], np.int64)
    steps = int(lengths.max())
    starts = np.cumsum(lengths) - lengths
    step = np.arange(steps)[None, :] - (0 if padding_side == "right" else steps - lengths[:, None])
    there = (step >= 0) & (step < lengths[:, None])
    index = np.where(there, starts[:, None] + step, 0)
    if not batch_first:
        index, there = index.T.copy(), there.T.copy()
    rows = _joined(parts)
    value = padding_value if rows.dtype.is_float else int(padding_value)
    if rows.shape[0] == 0:
        return wrap(np.full((*index.shape, *rows.shape[1:]), value, rows.dtype.numpy))
    return _padded(rows, wrap(index), wrap(there), value=value)


def _sequences(name: str, sequences: Any) -> list[Any]:
    parts = list(sequences) if isinstance(sequences, Iterable) else []
    if not parts or not all(isinstance(s, Tensor) for s in parts):
        raise ArgumentError(f"{name}: needs a list of tensors, at least one", where=caller())
    first = parts[0]
    for part in parts:
        if part.ndim == 0 or part.shape[1:] != first.shape[1:]:
            raise ShapeError(
                f"{name}: sequences of shapes {tuple(first.shape)} and {tuple(part.shape)} differ "
                "beside their length",
                where=caller(),
            )
    return parts


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences of different lengths packed.

    Args:
        sequences: tensors (length, ...).
        enforce_sorted: require falling lengths; False sorts.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.utils.rnn import pack_sequence
        >>> pack_sequence([gc.tensor([1, 2]), gc.tensor([3])]).batch_sizes
        tensor([2, 1])
    """
    parts = _sequences("pack_sequence", sequences)
    return pack_padded_sequence(
        pad_sequence(parts), [len(s) for s in parts], enforce_sorted=enforce_sorted
    )


def unpad_sequence(padded: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """The sequences of a padded tensor, each of its own length.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.utils.rnn import unpad_sequence
        >>> unpad_sequence(gc.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True)
        [tensor([1, 2]), tensor([3])]
    """
    padded = padded if batch_first else padded.transpose(0, 1)
    found = _lengths(lengths, padded.shape[0])
    return [padded[k, : int(n)] for k, n in enumerate(found)]


def unpack_sequence(packed: PackedSequence) -> list[Any]:
    """The sequences of a packed one, in the order of the batch.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.utils.rnn import pack_sequence, unpack_sequence
        >>> unpack_sequence(pack_sequence([gc.tensor([1, 2]), gc.tensor([3])]))
        [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence",
    "pad_packed_sequence", "pad_sequence", "unpack_sequence", "unpad_sequence",
]  # fmt: skip

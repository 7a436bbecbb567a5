"""Datasets: what has items by number, what is iterated over, and parts and unions of them."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions.random import Generator, randperm
from graphc.errors import ArgumentError, AttributeValueError, IndexRangeError, ShapeError


class Dataset:
    """Base of datasets with items by number: define `__getitem__` and `__len__`.

    Example:
        >>> import graphc as gc
        >>> class Squares(gc.data.Dataset):
        ...     def __len__(self):
        ...         return 4
        ...     def __getitem__(self, index):
        ...         return index * index
        >>> Squares()[3]
        9
    """

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Base of datasets that are a stream: define `__iter__`.

    With workers each has a copy; `get_worker_info()` tells it which part is its own.

    Example:
        >>> import graphc as gc
        >>> class Count(gc.data.IterableDataset):
        ...     def __iter__(self):
        ...         return iter(range(3))
        >>> list(Count())
        [0, 1, 2]
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__")

    def __add__(self, other: Dataset) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset):
    """Tensors of one first size as a dataset of tuples of their slices.

    Args:
        tensors: the tensors.

    Raises:
        ShapeError: their first sizes differ.

    Example:
        >>> import graphc as gc
        >>> gc.data.TensorDataset(gc.arange(3), gc.ones(3))[1]
        (tensor(1), tensor(1.))
    """

    def __init__(self, *tensors: Tensor) -> None:
        sizes = [x.shape[0] if x.ndim else None for x in tensors]
        if not sizes or None in sizes or len(set(sizes)) > 1:
            raise ShapeError(
                f"TensorDataset: first sizes {', '.join(map(str, sizes)) or 'of no tensors'}",
                where=caller(),
                hint="all tensors must have one first size",
            )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple(x[index] for x in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class ConcatDataset(Dataset):
    """Datasets one after the other.

    Args:
        datasets: with lengths.

    Example:
        >>> import graphc as gc
        >>> gc.data.ConcatDataset([[1, 2], [3]])[2]
        3
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AttributeValueError("ConcatDataset: no datasets", where=caller())
        for each in self.datasets:
            if isinstance(each, IterableDataset):
                raise ArgumentError(
                    "ConcatDataset: an IterableDataset has no items by number",
                    where=caller(),
                    hint="use ChainDataset",
                )
        self.cumulative_sizes = list(itertools.accumulate(len(d) for d in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexRangeError(f"index {index} of {len(self)} items", where=caller())
        which = bisect.bisect_right(self.cumulative_sizes, place)
        before = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][place - before]


class ChainDataset(IterableDataset):
    """Streams one after the other.

    Args:
        datasets: iterable datasets.

    Example:
        >>> import graphc as gc
        >>> list(gc.data.ChainDataset([range(2), range(10, 12)]))
        [0, 1, 10, 11]
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(len(d) for d in self.datasets)


class Subset(Dataset):
    """Some items of a dataset.

    Args:
        dataset: the whole.
        indices: the items' numbers, in order.

    Example:
        >>> import graphc as gc
        >>> gc.data.Subset("abc", [2, 0])[0]
        'c'
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Any, lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset]:
    """A dataset cut at random into parts.

    Args:
        dataset: the whole.
        lengths: the parts' lengths, or fractions that add up to 1 (what is left over is dealt
            out one by one).
        generator: the default one unless given.

    Example:
        >>> import graphc as gc
        >>> [len(part) for part in gc.data.random_split(range(10), [0.7, 0.3])]
        [7, 3]
    """
    total = len(dataset)
    sizes = list(lengths)
    if math.isclose(sum(sizes), 1) and sum(sizes) <= 1:
        if any(not 0 <= f <= 1 for f in sizes):
            raise AttributeValueError(f"random_split: fractions {sizes}", where=caller())
        sizes = [math.floor(total * f) for f in sizes]
        for k in range(total - int(sum(sizes))):
            sizes[k % len(sizes)] += 1
    if sum(sizes) != total:
        raise AttributeValueError(
            f"random_split: lengths {list(lengths)} add up to {sum(sizes)}, the dataset has "
            f"{total} items",
            where=caller(),
        )
    order = randperm(total, generator=generator).tolist()
    ends = list(itertools.accumulate(int(s) for s in sizes))
    return [Subset(dataset, order[end - int(s) : end]) for s, end in zip(sizes, ends)]


__all__ = [
    "ChainDataset", "ConcatDataset", "Dataset", "IterableDataset", "Subset", "TensorDataset",
    "random_split",
]  # fmt: skip

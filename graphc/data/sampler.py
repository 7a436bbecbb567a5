"""Samplers: in which order a loader takes a dataset's items, and how they are batched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

from graphc.core.ir import caller
from graphc.eager.functions.creation import as_tensor
from graphc.eager.functions.random import Generator, multinomial, randint, randperm
from graphc.errors import AttributeValueError


class Sampler:
    """Base of samplers: define `__iter__`, which yields items' numbers.

    Example:
        >>> import graphc as gc
        >>> class Backwards(gc.data.Sampler):
        ...     def __init__(self, data):
        ...         self.data = data
        ...     def __iter__(self):
        ...         return reversed(range(len(self.data)))
        >>> list(Backwards("abc"))
        [2, 1, 0]
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__")


class SequentialSampler(Sampler):
    """All items in order.

    Args:
        data_source: what has a length.

    Example:
        >>> import graphc as gc
        >>> list(gc.data.SequentialSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """Items in random order.

    Args:
        data_source: what has a length.
        replacement: whether an item may be drawn twice.
        num_samples: how many to draw; the length unless given.
        generator: the default one unless given.

    Example:
        >>> import graphc as gc
        >>> sorted(gc.data.RandomSampler("abc"))
        [0, 1, 2]
    """

    def __init__(
        self, data_source: Sized, replacement: bool = False, num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:  # fmt: skip
        if num_samples is not None and (isinstance(num_samples, bool) or num_samples <= 0):
            raise AttributeValueError(
                f"RandomSampler: num_samples={num_samples!r} is not positive", where=caller()
            )
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator

    @property
    def num_samples(self) -> int:
        """How many items an epoch has.

        Example:
            >>> import graphc as gc
            >>> gc.data.RandomSampler("abc").num_samples
            3
        """
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        count = len(self.data_source)
        if self.replacement:
            drawn = randint(0, count, (self.num_samples,), generator=self.generator)
            yield from drawn.tolist()
            return
        left = self.num_samples
        while left > 0:
            order = randperm(count, generator=self.generator).tolist()[:left]
            yield from order
            left -= len(order)

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """Given items in random order.

    Args:
        indices: the items' numbers.
        generator: the default one unless given.

    Example:
        >>> import graphc as gc
        >>> sorted(gc.data.SubsetRandomSampler([2, 5, 7]))
        [2, 5, 7]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for place in randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[place]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Items drawn with given weights.

    Args:
        weights: of the items.
        num_samples: how many to draw.
        replacement: whether an item may be drawn twice.
        generator: the default one unless given.

    Example:
        >>> import graphc as gc
        >>> list(gc.data.WeightedRandomSampler([0.0, 1.0, 0.0], 3))
        [1, 1, 1]
    """

    def __init__(
        self, weights: Sequence[float], num_samples: int, replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:  # fmt: skip
        self.weights = as_tensor(weights, dtype="float64")
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        drawn = multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        )
        yield from drawn.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Another sampler's items in batches.

    Args:
        sampler: yields items' numbers.
        batch_size: how many a batch has.
        drop_last: leave out a last batch that is smaller.

    Example:
        >>> import graphc as gc
        >>> list(gc.data.BatchSampler(range(5), 2, False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size <= 0:
            raise AttributeValueError(
                f"batch_size must be a positive int, not {batch_size!r}", where=caller()
            )
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = bool(drop_last)

    def __iter__(self) -> Iterator[list[Any]]:
        batch: list[Any] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


__all__ = [
    "BatchSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler",
    "WeightedRandomSampler",
]  # fmt: skip

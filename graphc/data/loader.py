"""`DataLoader`: batches of a dataset, in this process or in workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from graphc.core.ir import caller
from graphc.data.collate import default_collate, default_convert
from graphc.data.dataset import IterableDataset, TensorDataset
from graphc.data.sampler import BatchSampler, RandomSampler, SequentialSampler
from graphc.data.worker import End, Fetcher
from graphc.data.workers import Pool
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.functions.random import Generator, randint
from graphc.errors import ArgumentError, AttributeValueError


class _Endless:
    """Tasks for a stream: so many items, again and again."""

    def __init__(self, batch_size: int | None) -> None:
        self.task: Any = None if batch_size is None else [0] * batch_size

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield self.task if self.task is not None else 0


class DataLoader:
    """Batches of a dataset, shuffled if wanted, fetched by worker processes if wanted.

    The order of batches depends on the sampler alone, not on the number of workers.

    Args:
        dataset: items by number and a length, or an `IterableDataset`.
        batch_size: samples a batch; None for single samples.
        shuffle: take them in random order, a new one each epoch.
        sampler: yields the items' numbers, instead of `shuffle`.
        batch_sampler: yields lists of numbers, instead of the four settings above.
        num_workers: processes that fetch batches; 0 for this one.
        collate_fn: makes a batch of a list of samples; `default_collate` unless given.
        pin_memory: accepted; on a CPU there is nothing to pin.
        drop_last: leave out a last batch that is smaller.
        timeout: seconds to wait for a batch; 0 for no limit.
        worker_init_fn: called in each worker with its number.
        multiprocessing_context: how processes are started, such as "fork" and "spawn".
        generator: of the order and of the workers' seeds; the default one unless given.
        prefetch_factor: batches under way for each worker.
        persistent_workers: keep the workers from epoch to epoch.

    Raises:
        AttributeValueError, ArgumentError: settings that contradict each other.

    Example:
        >>> import graphc as gc
        >>> loader = gc.data.DataLoader(gc.data.TensorDataset(gc.arange(5)), batch_size=2)
        >>> [batch.tolist() for (batch,) in loader]
        [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None, batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0, collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False, drop_last: bool = False, timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None, multiprocessing_context: Any = None,
        generator: Generator | None = None, *, prefetch_factor: int | None = None,
        persistent_workers: bool = False, pin_memory_device: str = "",
    ) -> None:  # fmt: skip
        self.dataset = dataset
        self.num_workers = num_workers
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.pin_memory = pin_memory
        self.persistent_workers = persistent_workers
        self._check(batch_size, shuffle, sampler, batch_sampler, drop_last, prefetch_factor)
        self.prefetch_factor = 2 if prefetch_factor is None else prefetch_factor
        self._is_stream = isinstance(dataset, IterableDataset)
        if self._is_stream:
            sampler = _Endless(batch_size)
        elif sampler is None and batch_sampler is None:
            if shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_sampler is None and batch_size is not None and not self._is_stream:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)  # type: ignore[arg-type]
        self.batch_size = batch_size if batch_sampler is None or self._owns(batch_sampler) else None
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self._batched = batch_size is not None or batch_sampler is not None
        self.collate_fn = collate_fn or (default_collate if self._batched else default_convert)
        self._pool: Pool | None = None

    def _owns(self, batch_sampler: Iterable[Any] | None) -> bool:
        return isinstance(batch_sampler, BatchSampler)

    def _check(
        self, batch_size: int | None, shuffle: Any, sampler: Any,
        batch_sampler: Iterable[Any] | None, drop_last: bool, prefetch_factor: int | None,
    ) -> None:  # fmt: skip
        workers = self.num_workers
        if isinstance(workers, bool) or not isinstance(workers, int) or workers < 0:
            raise AttributeValueError(
                f"DataLoader: num_workers={workers!r}", where=caller(), hint="an int of 0 or more"
            )
        if self.timeout < 0:
            raise AttributeValueError(f"DataLoader: timeout={self.timeout!r}", where=caller())
        if workers == 0 and (prefetch_factor is not None or self.persistent_workers):
            raise AttributeValueError(
                "DataLoader: prefetch_factor and persistent_workers are for num_workers > 0",
                where=caller(),
            )
        if prefetch_factor is not None and prefetch_factor < 1:
            raise AttributeValueError(
                f"DataLoader: prefetch_factor={prefetch_factor!r}", where=caller()
            )
        if isinstance(self.dataset, IterableDataset):
            if shuffle or sampler is not None or batch_sampler is not None:
                raise ArgumentError(
                    "DataLoader: an IterableDataset has no shuffle, sampler or batch_sampler",
                    where=caller(),
                    hint="shuffle in the dataset's __iter__",
                )
        elif not hasattr(self.dataset, "__getitem__"):
            raise ArgumentError(
                f"DataLoader: {type(self.dataset).__name__} has no items by number",
                where=caller(),
                hint="define __getitem__ and __len__, or derive from IterableDataset",
            )
        if sampler is not None and shuffle:
            raise ArgumentError("DataLoader: both sampler and shuffle are given", where=caller())
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler or drop_last):
            raise ArgumentError(
                "DataLoader: batch_sampler stands instead of batch_size, shuffle, sampler and "
                "drop_last",
                where=caller(),
            )
        if batch_size is None and drop_last:
            raise ArgumentError("DataLoader: drop_last needs a batch_size", where=caller())

    def fetcher(self) -> Fetcher:
        """What makes batches of the dataset, here or in a worker.

        Example:
            >>> import graphc as gc
            >>> loader = gc.data.DataLoader([1.0, 2.0, 3.0], batch_size=2)
            >>> loader.fetcher()([0, 2])
            tensor([1., 3.], dtype=torch.float64)
        """
        return Fetcher(self.dataset, self.collate_fn, self._batched, self.drop_last)

    def __len__(self) -> int:
        if self._is_stream:
            count = len(self.dataset)
            if self.batch_size is None:
                return count
            whole = count // self.batch_size
            return whole if self.drop_last else -(-count // self.batch_size)
        chosen = self.batch_sampler if self._batched else self.sampler
        return len(chosen)  # type: ignore[arg-type]

    def _tasks(self) -> Iterator[Any]:
        return iter(self.sampler if self._is_stream or not self._batched else self.batch_sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        # Drawn with and without workers, so that their number does not change what follows.
        seed = int(randint(0, 1 << 62, (), generator=self.generator).item())
        if self.num_workers:
            return self._from_workers(seed)
        if self._whole_batches:
            return self._sliced()
        return self._from_here()

    def _from_here(self) -> Iterator[Any]:
        fetch = self.fetcher()
        for index in self._tasks():
            batch = fetch(index)
            if isinstance(batch, End):
                return
            yield batch

    @property
    def _whole_batches(self) -> bool:
        """Whether batches can be cut out of tensors at once, sample by sample making no sense."""
        return (
            type(self.dataset) is TensorDataset
            and self.collate_fn is default_collate
            and all(not t.requires_grad for t in self.dataset.tensors)
        )

    def _sliced(self) -> Iterator[Any]:
        tensors = self.dataset.tensors
        for index in self._tasks():
            yield [_rows(t, index) for t in tensors]

    def _from_workers(self, seed: int) -> Iterator[Any]:
        pool = self._pool
        if pool is None or pool.is_closed:
            pool = Pool(self)
            self._pool = pool if self.persistent_workers else None
        return pool.epoch(self._tasks(), seed, self.prefetch_factor)


def _rows(tensor: Tensor, index: list[int]) -> Tensor:
    """Rows of a tensor, copied."""
    return wrap(tensor._array[index])


__all__ = ["DataLoader"]

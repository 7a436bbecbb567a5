"""What a loader's worker process does: fetch samples by number, collate, send the batch."""

from __future__ import annotations

import copy
import pickle
import random
import signal
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np

from graphc.data import transfer
from graphc.data.dataset import IterableDataset
from graphc.eager.functions.random import manual_seed

# What a message to a worker is: with it come the epoch's number, a task's key, and an argument.
BEGIN, TASK, END = "begin", "task", "end"


@dataclass
class WorkerInfo:
    """What a worker knows of itself.

    Attributes:
        id: its number, from 0.
        num_workers: how many there are.
        seed: what its generators were seeded with.
        dataset: its copy of the dataset.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Own:
    """This process's, when it is a worker."""

    info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process of a loader, what it is; elsewhere None.

    Example:
        >>> import graphc as gc
        >>> print(gc.data.get_worker_info())
        None
    """
    return _Own.info


class Failure:
    """An exception of a worker: its text, and its class, or the nearest base that pickles."""

    def __init__(self, error: BaseException) -> None:
        self.kind: Any = next(kind for kind in type(error).__mro__ if _pickles(kind))
        self.text = "".join(traceback.format_exception(error))


def _pickles(kind: type) -> bool:
    """Whether the loader's process finds a class by its name."""
    try:
        return pickle.loads(ForkingPickler.dumps(kind)) is kind and kind.__module__ != "__mp_main__"
    except Exception:
        return False


class End:
    """The stream of an iterable dataset is at its end."""


class Fetcher:
    """Batches of a dataset: by numbers, or the next ones of a stream."""

    def __init__(self, dataset: Any, collate: Callable[[Any], Any], batched: bool, drop: bool):
        self.dataset = dataset
        self.collate = collate
        self.batched = batched
        self.drop = drop
        self.stream: Iterator[Any] | None = None

    def __call__(self, index: Any) -> Any:
        """The batch of a list of numbers (of so many next items, of a stream)."""
        if isinstance(self.dataset, IterableDataset):
            return self._next(len(index) if self.batched else 1)
        if not self.batched:
            return self.collate(self.dataset[index])
        many = getattr(self.dataset, "__getitems__", None)
        samples = many(index) if many is not None else [self.dataset[i] for i in index]
        return self.collate(samples)

    def _next(self, count: int) -> Any:
        if self.stream is None:
            self.stream = iter(self.dataset)
        samples = []
        for _ in range(count):
            try:
                samples.append(next(self.stream))
            except StopIteration:
                break
        if not samples or (self.batched and self.drop and len(samples) < count):
            return End()
        return self.collate(samples if self.batched else samples[0])


def run(
    connection: Connection, others: list[Connection], parent: int, fetcher: Fetcher, number: int,
    count: int, init: Callable[[int], Any] | None,
) -> None:  # fmt: skip
    """Serve a loader until it stops or is gone.

    Args:
        connection: to the loader.
        others: its ends of connections, which this process must not keep open.
        parent: the loader's process.
        fetcher: makes batches.
        number: of this worker.
        count: of workers.
        init: the user's function to call first.
    """
    for other in others:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A handler of the parent's would keep this process from being stopped.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    failure: Failure | None = None
    fetchers: dict[int, Fetcher] = {}
    try:
        while True:
            what, epoch, key, argument = connection.recv()
            if what == BEGIN:
                fetchers[epoch] = copy.copy(fetcher)
                failure = _begin(fetcher, number, count, argument, init) or failure
            elif what == END:
                fetchers.pop(epoch, None)
            else:
                result = failure or _fetched(fetchers[epoch], argument)
                _send(connection, (epoch, key), result, parent)
    except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        pass
    finally:
        connection.close()


def _send(connection: Connection, key: Any, result: object, parent: int) -> None:
    try:
        transfer.send(connection, key, result, parent)
    except OSError:
        raise
    except Exception as error:  # a batch that does not pickle: nothing of it was sent
        transfer.send(connection, key, Failure(error), parent)


def _begin(
    fetcher: Fetcher, number: int, count: int, seed: int, init: Callable[[int], object] | None
) -> Failure | None:
    """Start an epoch: seeds, the user's function, a fresh stream."""
    own = seed + number
    random.seed(own)
    manual_seed(own)
    # A new generator: the old one's lock may be held by a thread that this process doesn't have.
    np.random.set_bit_generator(np.random.MT19937())  # type: ignore[attr-defined]
    np.random.seed(own % (1 << 32))
    first = _Own.info is None
    _Own.info = WorkerInfo(number, count, own, fetcher.dataset)
    try:
        if init is not None and first:
            init(number)
    except Exception as error:
        return Failure(error)
    return None


def _fetched(fetcher: Fetcher, index: int | list[int]) -> Any:
    try:
        return fetcher(index)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Failure(error)

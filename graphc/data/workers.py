"""The loader's side of its worker processes: tasks out, batches in, in order."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import weakref
from collections.abc import Iterator
from multiprocessing import connection as connections
from typing import Any

from graphc.data import transfer, worker
from graphc.data.dataset import IterableDataset
from graphc.errors import GraphcError


class WorkerError(GraphcError, RuntimeError):
    """A worker process of a loader failed, was killed, or took too long."""


class _Worker:
    """One process and the connection to it."""

    def __init__(self, process: Any, connection: Any) -> None:
        self.process = process
        self.connection = connection


def context(wanted: Any) -> Any:
    """The way to start processes: "fork" on Linux unless told otherwise."""
    if wanted is None:
        wanted = "fork" if sys.platform.startswith("linux") else None
    return multiprocessing.get_context(wanted) if isinstance(wanted, str | None) else wanted


class Pool:
    """Worker processes that fetch batches of one dataset.

    Args:
        loader: whose settings they follow.
    """

    def __init__(self, loader: Any) -> None:
        chosen = context(loader.multiprocessing_context)
        self.workers: list[_Worker] = []
        self.timeout = loader.timeout
        self.is_stream = isinstance(loader.dataset, IterableDataset)
        ours: list[Any] = []
        for number in range(loader.num_workers):
            own, theirs = chosen.Pipe()
            ours.append(own)
            others = list(ours) if chosen.get_start_method() == "fork" else []
            arguments = (
                theirs, others, os.getpid(), loader.fetcher(), number, loader.num_workers,
                loader.worker_init_fn,
            )  # fmt: skip
            process = chosen.Process(target=worker.run, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self.workers.append(_Worker(process, own))
        self._stop = weakref.finalize(self, stop, self.workers)

    def epoch(self, loader: Any, tasks: Iterator[Any], seed: int) -> Iterator[Any]:
        """Batches in the order of their tasks, whichever worker is first."""
        run = _Epoch(self, tasks, loader.prefetch_factor * len(self.workers))
        for each in self.workers:
            self._send(each, (None, None, seed))
        return run.batches()

    def _send(self, each: _Worker, message: Any) -> None:
        try:
            each.connection.send(message)
        except (BrokenPipeError, ConnectionResetError, OSError):
            raise _died(each) from None

    def close(self) -> None:
        """Stop the processes."""
        self._stop()


class _Epoch:
    """One pass over the tasks: which are out, which batches have come."""

    def __init__(self, pool: Pool, tasks: Iterator[Any], most: int) -> None:
        self.pool = pool
        self.tasks = tasks
        self.most = most
        self.sent = 0
        self.taken = 0
        self.owner: dict[int, int] = {}
        self.ready: dict[int, Any] = {}
        self.active = list(range(len(pool.workers)))
        self.turn = 0

    def batches(self) -> Iterator[Any]:
        """The batches, in order."""
        try:
            while True:
                while len(self.owner) + len(self.ready) < self.most and self._give():
                    pass
                if self.taken == self.sent:
                    return
                while self.taken not in self.ready:
                    self._wait()
                result = self.ready.pop(self.taken)
                self.taken += 1
                if isinstance(result, worker.End):
                    continue
                if isinstance(result, worker.Failure):
                    raise _failed(result)
                yield result
        finally:
            self._drain()

    def _give(self) -> bool:
        if not self.active:
            return False
        try:
            index = next(self.tasks)
        except StopIteration:
            return False
        number = self.active[self.turn % len(self.active)]
        self.turn += 1
        self.owner[self.sent] = number
        self.pool._send(self.pool.workers[number], (self.sent, index, 0))
        self.sent += 1
        return True

    def _wait(self) -> None:
        """Take in what has come; find out about workers that are gone."""
        busy = {self.owner[key] for key in self.owner}
        workers = [self.pool.workers[k] for k in busy]
        waited = [w.connection for w in workers] + [w.process.sentinel for w in workers]
        limit = self.pool.timeout or None
        started = time.monotonic()
        found = connections.wait(waited, limit)
        if not found and limit is not None and time.monotonic() - started >= limit:
            raise WorkerError(
                f"DataLoader: no batch came within the timeout of {limit} s",
                hint="raise timeout=, or look at what the dataset waits for",
            )
        came = False
        for each in workers:
            if each.connection in found:
                came = self._take(each) or came
        if came:
            return
        for each in workers:
            if each.process.sentinel in found:
                raise _died(each)

    def _take(self, each: _Worker) -> bool:
        try:
            key, result = transfer.receive(each.connection)
        except (EOFError, ConnectionResetError, OSError):
            raise _died(each) from None
        if key not in self.owner:
            return True  # of an epoch that was left early
        number = self.owner.pop(key)
        self.ready[key] = result
        if isinstance(result, worker.End) and number in self.active:
            self.active.remove(number)
        return True

    def _drain(self) -> None:
        """Take in what is still under way, so that the next epoch starts clean."""
        deadline = time.monotonic() + 5
        try:
            while self.owner and time.monotonic() < deadline:
                self._wait()
        except GraphcError:
            self.pool.close()


def _failed(failure: worker.Failure) -> Exception:
    """The worker's exception, raised here with its traceback as text."""
    text = f"in a DataLoader worker:\n{failure.text.rstrip()}"
    if issubclass(failure.kind, KeyError):
        return WorkerError(text)
    try:
        error = failure.kind(text)
    except Exception:
        return WorkerError(text)
    return error if isinstance(error, Exception) else WorkerError(text)


def _died(each: _Worker) -> WorkerError:
    each.process.join(1)
    code = each.process.exitcode
    how = "it closed its connection" if code is None else f"it ended with exit status {code}"
    if code is not None and code < 0:
        try:
            how = f"it was killed by {signal.Signals(-code).name}"
        except ValueError:
            how = f"it was killed by signal {-code}"
    return WorkerError(
        f"DataLoader: worker process {each.process.pid} is gone: {how}",
        hint="SIGKILL often means that memory ran out; num_workers=0 shows errors directly",
    )


def stop(workers: list[_Worker]) -> None:
    """Ask processes to stop; make those that do not."""
    for each in workers:
        with contextlib.suppress(BrokenPipeError, OSError, ValueError):
            each.connection.send(worker.STOP)
        each.connection.close()
    for each in workers:
        each.process.join(0.5)
        if each.process.is_alive():
            each.process.terminate()
            each.process.join(1)
        if each.process.is_alive():
            each.process.kill()
            each.process.join(1)


__all__ = ["Pool", "WorkerError"]

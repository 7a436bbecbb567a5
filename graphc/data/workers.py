"""The loader's side of its worker processes: tasks out, batches in, in order.

Each pass over the tasks is an `Epoch`. Several may share the processes of a `Pool`: what is sent
and what comes back carries the epoch's number. Who leaves an epoch early waits for nothing, and
the end of a pool waits for a stuck worker only for a moment.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import time
import weakref
from collections.abc import Iterator, Sequence
from multiprocessing import connection as connections
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from graphc.data import transfer, worker
from graphc.data.starting import context
from graphc.errors import GraphcError

# Seconds that workers get to finish what they do, and then to follow SIGTERM.
_GRACE = 2.0
_AFTER_SIGTERM = 1.0


class WorkerError(GraphcError, RuntimeError):
    """A worker process of a loader failed, was killed, or took too long.

    Example:
        >>> import graphc as gc
        >>> issubclass(gc.data.WorkerError, RuntimeError)
        True
    """


class _Worker:
    """One process and the connection to it."""

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self.process = process
        self.connection = connection


class Pool:
    """Worker processes that fetch batches of one dataset.

    Args:
        loader: whose settings they follow.
    """

    def __init__(self, loader: Any) -> None:
        fetcher = loader.fetcher()
        chosen = context(loader.multiprocessing_context, (fetcher, loader.worker_init_fn))
        self.workers: list[_Worker] = []
        self.timeout = loader.timeout
        self.persistent = loader.persistent_workers
        self.epochs: weakref.WeakValueDictionary[int, Epoch] = weakref.WeakValueDictionary()
        self._begun: set[int] = set()
        self._numbers = itertools.count()
        # Before the first process: an interrupt may come before the last.
        self._stop = weakref.finalize(self, stop, self.workers, os.getpid())
        ours: list[Any] = []
        for number in range(loader.num_workers):
            own, theirs = chosen.Pipe()
            ours.append(own)
            others = list(ours) if chosen.get_start_method() == "fork" else []
            arguments = (
                theirs, others, os.getpid(), fetcher, number, loader.num_workers,
                loader.worker_init_fn,
            )  # fmt: skip
            process = chosen.Process(target=worker.run, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self.workers.append(_Worker(process, own))

    @property
    def is_closed(self) -> bool:
        """Whether the processes were stopped."""
        return not self._stop.alive

    def epoch(self, tasks: Iterator[Any], seed: int, prefetch: int) -> Epoch:
        """Batches in the order of their tasks, whichever worker is first.

        Args:
            tasks: what batches are made of.
            seed: of the workers' generators.
            prefetch: batches under way for each worker.
        """
        number = next(self._numbers)
        for left in self._begun - set(self.epochs):
            self._begun.discard(left)
            self._tell((worker.END, left, None, None))
        run = Epoch(self, number, tasks, prefetch * len(self.workers))
        self.epochs[number] = run
        self._begun.add(number)
        self._tell((worker.BEGIN, number, None, seed))
        return run

    def _tell(self, message: tuple[Any, ...] | None) -> None:
        for each in self.workers:
            self.send(each, message)

    def send(self, each: _Worker, message: tuple[Any, ...] | None) -> None:
        """Send a message to a worker."""
        try:
            each.connection.send(message)
        except OSError:
            raise _died(each) from None

    def take(self, each: _Worker) -> None:
        """Take in a batch that has come, for the epoch that asked for it."""
        try:
            (number, key), result = transfer.receive(each.connection)
        except (EOFError, OSError):
            raise _died(each) from None
        run = self.epochs.get(number)
        if run is not None:
            run.came(key, result)

    def close(self) -> None:
        """Stop the processes."""
        self._stop()


class Epoch:
    """One pass over the tasks: which are out, which batches have come. An iterator.

    Args:
        pool: whose processes fetch.
        number: of the epoch.
        tasks: what batches are made of.
        most: batches under way.
    """

    def __init__(self, pool: Pool, number: int, tasks: Iterator[Any], most: int) -> None:
        self.pool = pool
        self.number = number
        self.tasks = tasks
        self.most = most
        self.sent = 0
        self.taken = 0
        self.owner: dict[int, int] = {}
        self.ready: dict[int, Any] = {}
        self.active = list(range(len(pool.workers)))
        self.turn = 0
        self.ended = False

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self.ended:
            raise StopIteration
        try:
            return self._next()
        except StopIteration:
            self.ended = True
            if not self.pool.persistent:
                self.pool.close()
            raise
        except BaseException:
            # An interrupt may have come in the midst of a message: nothing after it makes sense.
            self.ended = True
            self.pool.close()
            raise

    def _next(self) -> Any:
        while True:
            while len(self.owner) + len(self.ready) < self.most and self._give():
                pass
            if self.taken == self.sent:
                raise StopIteration
            while self.taken not in self.ready:
                self._wait()
            result = self.ready.pop(self.taken)
            self.taken += 1
            if isinstance(result, worker.Failure):
                raise _failed(result)
            if not isinstance(result, worker.End):
                return result

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
        message = (worker.TASK, self.number, self.sent, index)
        self.pool.send(self.pool.workers[number], message)
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
        came = [each for each in workers if each.connection in found]
        for each in came:
            self.pool.take(each)
        if came:
            return
        for each in workers:
            if each.process.sentinel in found:
                raise _died(each)

    def came(self, key: int, result: object) -> None:
        """Note a batch."""
        number = self.owner.pop(key)
        self.ready[key] = result
        if isinstance(result, worker.End) and number in self.active:
            self.active.remove(number)


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


def stop(workers: Sequence[_Worker], owner: int) -> None:
    """Ask processes to stop; make those that do not.

    Args:
        workers: the processes.
        owner: the process that started them; in a fork of it nothing is done.
    """
    if os.getpid() != owner:
        return
    for each in workers:
        _hang_up(each.connection)
    for patience, force in (
        (_GRACE, "terminate"), (_AFTER_SIGTERM, "kill"), (_AFTER_SIGTERM, None),
    ):  # fmt: skip
        deadline = time.monotonic() + patience
        for each in workers:
            each.process.join(max(deadline - time.monotonic(), 0))
        for each in workers:
            if force and each.process.is_alive():
                getattr(each.process, force)()


def _hang_up(connection: Connection) -> None:
    """End a connection, whoever else has a copy of it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        end = socket.socket(fileno=os.dup(connection.fileno()))
        end.shutdown(socket.SHUT_RDWR)
        end.close()
    with contextlib.suppress(OSError):
        connection.close()


__all__ = ["Epoch", "Pool", "WorkerError"]

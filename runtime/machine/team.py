"""The thread team: workers shared by all programs of this process.

Workers are daemon threads that enter native code (`serve` in `machine_source`) and stay there,
without the GIL, until the interpreter ends: they spin for some tens of microseconds after their
last help, then sleep on a condition variable. They start when a program first wants them. A
forked child has none and starts its own; systems without POSIX threads run programs on one.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import sys
import threading
import warnings

import numpy as np

from graphc import config
from graphc.core.access import access
from graphc.errors import GraphcWarning
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.machine import machine_source
from graphc.runtime.machine.machine_source import BOX, BOX_WORDS, MAX_THREADS, TEAM, TEAM_WORDS
from graphc.runtime.objects import loader

SUPPORTED = os.name == "posix"
CLOCK_MONOTONIC = 6 if sys.platform == "darwin" else 1
_WORDS = TEAM_WORDS + MAX_THREADS * BOX_WORDS
# Seconds that the end of the interpreter waits for a worker that is still helping.
_PATIENCE = 1.0


def default_threads() -> int:
    """`GRAPHC_THREADS`, else the number of CPUs this process may run on; at most 63."""
    wanted = config.current().threads or _cpus()
    return min(wanted, MAX_THREADS) if SUPPORTED else 1


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def aligned(words: int) -> np.ndarray:
    """`words` zero int64s that begin at a cache line (64 bytes)."""
    memory = np.zeros(words + 8, np.int64)
    first = -memory.ctypes.data % 64 // 8
    return memory[first : first + words]


@functools.cache
def c_address(name: str) -> int:
    """The address of a C library's function in this process, 0 where there is none."""
    if not SUPPORTED:
        return 0
    function = getattr(ctypes.CDLL(None), name, None)
    return ctypes.cast(function, ctypes.c_void_p).value or 0 if function else 0


@functools.cache
def functions_alone() -> dict[str, int]:
    """Addresses of `run` and `walk` of the machine."""
    return _load(machine_source.kernels_alone())


@functools.cache
def functions_shared() -> dict[str, int]:
    """Addresses of the machine's functions that programs with parallel steps need."""
    return _load(machine_source.kernels_shared())


def _load(kernels: list[Kernel]) -> dict[str, int]:
    return {kernel.name: address for kernel, address in zip(kernels, loader.load(kernels))}


# The word through which frames find the team: its address, or 0 before the first worker.
cell = aligned(8)


class Team:
    """The workers and the memory they share; one a process.

    Args:
        cell: the word to hold the team's address once it has workers.
    """

    def __init__(self, cell: np.ndarray) -> None:
        self.cell = cell
        self.cell[0] = 0
        self.closed = False
        self.threads: list[threading.Thread] = []
        self._memory = aligned(_WORDS)

    def ensure(self, workers: int) -> None:
        """Start workers until there are that many; fewer if the system refuses, or at the end."""
        # An interrupt may leave a worker started and not counted: a second one ends at once.
        with access(writes=(self,), whole=True):
            while len(self.threads) < min(workers, MAX_THREADS) and not self.closed and SUPPORTED:
                if not self._start():
                    return

    def _start(self) -> bool:
        number = len(self.threads)
        self._fill_header()
        serve = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(functions_shared()["serve"])
        arguments = (self._memory.ctypes.data, number, 0)
        thread = threading.Thread(
            target=serve, args=arguments, daemon=True, name=f"graphc-{number + 1}"
        )
        try:
            thread.start()
        except RuntimeError as error:
            self.closed = True
            text = f"no more threads than {number + 1}: {error}"
            warnings.warn(text, GraphcWarning, stacklevel=2)
            return False
        self.threads.append(thread)
        self._memory[TEAM["WORKERS"]] = number + 1
        self.cell[0] = self._memory.ctypes.data
        return True

    def _fill_header(self) -> None:
        for word, name in (
            ("LOCK", "pthread_mutex_lock"),
            ("UNLOCK", "pthread_mutex_unlock"),
            ("SLEEP", "pthread_cond_wait"),
            ("SIGNAL", "pthread_cond_signal"),
            ("SCHED_YIELD", "sched_yield"),
            ("MAKE_MUTEX", "pthread_mutex_init"),
            ("MAKE_CONDITION", "pthread_cond_init"),
        ):
            self._memory[TEAM[word]] = c_address(name)

    def _box(self, worker: int) -> int:
        return self._memory.ctypes.data + 8 * (TEAM_WORDS + worker * BOX_WORDS)

    def close(self) -> None:
        """Let the workers end: the rest of this process runs programs on the caller alone."""
        self.closed = True
        self._memory[TEAM["WORKERS"]] = 0
        threads, self.threads = self.threads, []
        for number in range(len(threads)):
            self._end(self._box(number))
        for thread in threads:
            thread.join(_PATIENCE)

    def _end(self, box: int) -> None:
        words = self._memory[(box - self._memory.ctypes.data) // 8 :]
        words[BOX["QUIT"]] = 1
        # One that has not come so far looks before it sleeps.
        if words[BOX["SERVED"]] != 2:
            return
        mutex = ctypes.c_void_p(box + 8 * BOX["MUTEX"])
        ctypes.CDLL(None).pthread_mutex_lock(mutex)
        ctypes.CDLL(None).pthread_cond_signal(ctypes.c_void_p(box + 8 * BOX["CONDITION"]))
        ctypes.CDLL(None).pthread_mutex_unlock(mutex)


_teams = [Team(cell)]


def current() -> Team:
    """This process's team."""
    return _teams[-1]


def _forget() -> None:
    # The parent's workers don't exist in a child; the old memory is kept, as frames know it.
    _teams.append(Team(cell))


atexit.register(lambda: current().close())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

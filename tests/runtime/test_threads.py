"""Programs and Python threads: calls at once, state read and written in turns, no GIL held."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.access import access
from graphc.errors import IndexRangeError


def run_all(*functions: Callable[[], None]) -> None:
    """Run each function in a thread of its own; a failure in one is raised here."""
    failures: list[BaseException] = []

    def guarded(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if failures:
        raise failures[0]


def test_calls_at_once_do_not_mix() -> None:
    n = gc.dim("n")
    x = gc.input("x", (n, 16))
    program = gc.compile([x], gc.matmul(gc.matmul(x, gc.transpose(x)), x))

    def work(value: float, rows: int) -> Callable[[], None]:
        def calls() -> None:
            array = np.full((rows, 16), value, np.float32)
            wanted = np.full((rows, 16), value**3 * 16 * rows, np.float32)
            for _ in range(100):
                np.testing.assert_allclose(program(array), wanted, rtol=1e-5)

        return calls

    run_all(work(1.0, 5), work(2.0, 5), work(0.5, 40), work(3.0, 17))


def test_updates_of_several_threads_are_all_counted() -> None:
    count = gc.parameter("count", np.zeros(1000, np.int64))
    step = gc.compile([], [], updates={count: count + 1})
    read = gc.compile([], [count, gc.max(count), gc.min(count)])

    def write() -> None:
        for _ in range(200):
            step()

    def watch() -> None:
        for _ in range(200):
            values, high, low = read()
            # A reader never sees part of an update.
            assert high == low and (values == high).all()
            value = count.value
            assert (value == value[0]).all()

    run_all(write, write, watch, watch)
    assert (count.value == 400).all()


def test_a_value_is_set_between_calls_not_within_one() -> None:
    w = gc.parameter("w", np.zeros(20_000, np.float32))
    read = gc.compile([], [gc.max(w), gc.min(w)])
    stop = threading.Event()

    def write() -> None:
        for k in range(300):
            w.value = np.full(20_000, k, np.float32)
        stop.set()

    def watch() -> None:
        while not stop.is_set():
            high, low = read()
            assert high == low

    run_all(write, watch)


def test_python_runs_while_a_program_does() -> None:
    x = gc.input("x", (2000, 2000))
    y = x
    for _ in range(6):
        y = gc.sin(y) * gc.cos(y)
    program = gc.compile([x], gc.sum(y), threads=1)
    array = np.ones((2000, 2000), np.float32)
    program(array)
    done = threading.Event()
    ticks = 0

    def work() -> None:
        for _ in range(5):
            program(array)
        done.set()

    def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.0005)

    run_all(work, tick)
    # Were the GIL held, this thread would run between calls only: at most some six times.
    assert ticks > 8


def test_accesses_that_conflict_take_turns_in_order() -> None:
    state, other = object(), object()
    order: list[str] = []
    entered, released = threading.Event(), threading.Event()

    def writer() -> None:
        entered.set()
        with access(writes=[state]):
            order.append("writer")

    def late_reader() -> None:
        entered.wait()
        time.sleep(0.05)
        with access(reads=[state]):
            order.append("reader")

    def stranger() -> None:
        with access(writes=[other]):
            order.append("stranger")
        time.sleep(0.2)
        order.append("released")
        released.set()

    def first() -> None:
        with access(reads=[state]):
            started.set()
            released.wait()

    started = threading.Event()
    holder = threading.Thread(target=first)
    holder.start()
    started.wait()
    run_all(writer, late_reader, stranger)
    holder.join()
    assert order == ["stranger", "released", "writer", "reader"]


def test_readers_share() -> None:
    state = object()
    inside = threading.Barrier(2, timeout=30)

    def reader() -> None:
        with access(reads=[state]):
            inside.wait()

    run_all(reader, reader)


FORKED = """
import os, sys, threading
import numpy as np
import pytest
import graphc as gc
from graphc.core.access import access
from graphc.errors import IndexRangeError

w = gc.parameter("w", np.ones(100_000, np.float32))
step = gc.compile([], gc.sum(w), updates={w: w + 1.0}, threads=2)
assert step() == 100_000
held = threading.Event()
def hold():
    with access(writes=[w.state]):
        held.set()
        threading.Event().wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    # The thread that holds the state does not exist here.
    os._exit(0 if step() == 200_000 and w.value[0] == 3 else 1)
print(os.waitpid(child, 0)[1], w.state.array[0])
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_runs_programs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == ["0", "2.0"], done.stderr


def test_compiled_functions_are_traced_once_however_many_threads_call_them_first() -> None:
    @gc.jit.compile
    def loss(x: Any, w: Any) -> Any:
        return ((x @ w) ** 2).sum()

    barrier = threading.Barrier(8)

    def work(seed: int) -> Callable[[], None]:
        def calls() -> None:
            rng = np.random.default_rng(seed)
            barrier.wait()
            for turn in range(6):
                width = 3 + (seed + turn) % 3
                x = rng.standard_normal((2 + turn, width)).astype(np.float32)
                w = rng.standard_normal((width, 2)).astype(np.float32)
                wanted = float(((x @ w) ** 2).sum())
                assert loss(gc.tensor(x), gc.tensor(w)).item() == pytest.approx(wanted, rel=1e-4)
                wt = gc.tensor(w, requires_grad=True)
                loss(gc.tensor(x), wt).backward()
                np.testing.assert_allclose(wt.grad.numpy(), 2 * x.T @ (x @ w), rtol=1e-3, atol=1e-3)

        return calls

    run_all(*map(work, range(8)))
    # The first width and any other, with and without gradients.
    assert len(loss.variants) == 4


def test_of_errors_at_one_moment_site_and_value_are_of_one() -> None:
    i, j = (gc.input(name, (4096,), gc.int64) for name in "ij")
    x, y = gc.input("x", (4000,), gc.int64), gc.input("y", (300,), gc.int64)
    program = gc.compile([x, y, i, j], gc.take(x, i, 0) + gc.take(y, j, 0), threads=3)
    low, high = np.zeros(4096, np.int64), np.zeros(4096, np.int64)
    low[:2048], high[2048:] = 1_000_001, 2_000_002
    for _ in range(200):
        with pytest.raises(IndexRangeError) as caught:
            program(np.arange(4000), np.arange(300), low, high)
        text = str(caught.value)
        assert ("1000001" in text) is ("4000" in text)
        assert ("2000002" in text) is ("300" in text)

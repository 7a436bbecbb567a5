"""Ctrl-C and signal handlers at any moment: no later call waits for ever, no state is torn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from interrupting import in_a_thread, instructions, interrupt

import graphc as gc
from graphc.core import access as line
from graphc.core.access import access
from graphc.errors import ReentryError
from graphc.runtime.machine import team

SIZE = 1000


class Counter:
    """A program that adds one to state, one that reads it, and the state."""

    def __init__(self) -> None:
        self.w = gc.parameter("w", np.zeros(SIZE, np.int64))
        self.step = gc.compile([], gc.sum(self.w), updates={self.w: self.w + 1}, threads=2)
        self.read = gc.compile([], [gc.max(self.w), gc.min(self.w)])
        self.step()
        self.read()

    def set(self) -> None:
        self.w.value = np.full(SIZE, 7)

    def forget(self) -> None:
        """Make the next call a first one: sizes bound, an arena and a frame made."""
        for program in (self.step, self.read):
            program._executable._calls.clear()  # type: ignore[attr-defined]
            program._executable._slots.clear()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def counter() -> Counter:
    return Counter()


WAYS: dict[str, Callable[[Counter], Any]] = {
    "a call": lambda c: c.step(),
    "a value read": lambda c: c.w.value,
    "a value set": lambda c: c.set(),
    "a state": lambda c: c.step.state(),
    "a draw": lambda c: gc.rand(1),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_interrupt_before_any_instruction_leaves_nobody_waiting(
    counter: Counter, way: str
) -> None:
    def act() -> Any:
        return WAYS[way](counter)

    act()
    count, seen = instructions(act), 0
    assert count > 40
    for at in range(count):
        seen += interrupt(act, at)
        before = int(counter.w.state.array[0])
        assert in_a_thread(counter.step) in (before * SIZE, (before + 1) * SIZE)
        high, low = in_a_thread(counter.read)
        assert high == low == before + 1
    assert seen > 0.9 * count
    line._sweep()
    assert not line._line and not line._waiting and not line._inner
    # Those whose call was interrupted were dropped; no two calls share one.
    slots = counter.step._executable._slots  # type: ignore[attr-defined]
    assert len(set(map(id, slots))) == len(slots)


@pytest.mark.parametrize("stride", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_an_interrupt_of_a_first_call_leaves_the_next_whole(counter: Counter, stride: int) -> None:
    def act() -> None:
        counter.forget()
        counter.step()

    for at in range(0, instructions(act), stride):
        interrupt(act, at)
        before = int(counter.w.state.array[0])
        in_a_thread(counter.step)
        assert (counter.w.state.array == before + 1).all()


@pytest.fixture
def own_team(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], team.Team]]:
    """Makes teams that no other test uses."""
    teams = list(team._teams)
    monkeypatch.setattr(team, "_teams", teams)
    previous = teams[-1]

    def fresh() -> team.Team:
        teams.append(team.Team(team.cell))
        return teams[-1]

    yield fresh
    for own in teams[teams.index(previous) + 1 :]:
        own.close()
    team.cell[0] = previous._memory.ctypes.data if previous.threads else 0


@pytest.mark.skipif(not team.SUPPORTED, reason="needs POSIX threads")
def test_an_interrupt_while_workers_start_leaves_a_team_that_works(
    own_team: Callable[[], team.Team],
) -> None:
    x = gc.input("x", (1 << 16,), gc.float64)
    program = gc.compile([x], gc.sin(x) * 2.0, threads=3)
    array = np.linspace(0, 1, 1 << 16)
    wanted = program(array)
    for at in range(0, 400, 9):
        own = own_team()
        interrupt(lambda: own.ensure(2), at)  # noqa: B023
        for _ in range(3):
            np.testing.assert_array_equal(in_a_thread(lambda: program(array)), wanted)
        assert len(own.threads) == 2
        own.close()


STRESS = """
import random, signal, sys, threading
import numpy as np
import graphc as gc

w = gc.parameter("w", np.zeros(1000, np.float32))
x = gc.input("x", (1000,), gc.float32)
program = gc.compile([x], gc.sum(x), updates={w: w + x}, threads=2)
ones = np.ones(1000, np.float32)
program(ones)
model = gc.nn.Linear(4, 4)
step = gc.jit.compile(lambda a: gc.nn.functional.dropout(model(a), 0.5).sum())
batch = gc.ones(2, 4)
step(batch)
wanted, rng, armed = int(sys.argv[1]), random.Random(2), False

def interrupt(*_):
    global armed
    if armed:
        armed = False
        raise KeyboardInterrupt
    signal.setitimer(signal.ITIMER_REAL, 0.0005)  # the loop has not begun: once more

def loop():
    global armed
    armed = True
    while True:
        program(ones)
        step(batch)
        program.state()
        gc.rand(1)

signal.signal(signal.SIGALRM, interrupt)
for k in range(wanted):
    signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.0002, 0.002))
    try:
        loop()
    except KeyboardInterrupt:
        pass
    thread = threading.Thread(target=lambda: (program(ones), step(batch), gc.rand(1)), daemon=True)
    thread.start()
    thread.join(60)
    if thread.is_alive():
        sys.exit(f"the call after interrupt {k} never returned")
    assert (w.value == w.value[0]).all() and gc.is_grad_enabled()
print(wanted)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_ctrl_c_in_a_loop_of_short_calls(count: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STRESS, str(count)], capture_output=True, text=True, timeout=1200
    )
    assert done.stdout.split() == [str(count)], done.stdout + done.stderr


HANDLER = """
import faulthandler, signal, sys, threading, time
import numpy as np
import graphc as gc

faulthandler.dump_traceback_later(100, exit=True)
x = gc.input("x", (200, 200), gc.float32)
w = gc.parameter("w", np.zeros((200, 200), np.float32))
program = gc.compile([x], gc.sum(x @ x), updates={w: w + 1.0})
array = np.ones((200, 200), np.float32)
program(array)
path = sys.argv[2] + "/c.gcz"
act = {
    "state": lambda: program.state()["w"],
    "value": lambda: w.value,
    "call": lambda: (program(array), w.value)[1],
    "save": lambda: gc.jit.save(program, path),
    "draw": lambda: gc.rand(2),
}[sys.argv[1]]
act()
count = 0

def handler(*_):
    global count
    if count < 30:
        value = act()
        assert not isinstance(value, np.ndarray) or (value == value.flat[0]).all()
        count += 1
        signal.setitimer(signal.ITIMER_REAL, 0.003)

signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.003)
ended = threading.Event()
def other():
    while not ended.is_set():
        program(array)
        time.sleep(0.0005)
threading.Thread(target=other).start()
try:
    while count < 30:
        program(array)
        gc.rand(2)
finally:
    ended.set()
print(count)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
@pytest.mark.parametrize("what", ["state", "value", "call", "save", "draw"])
def test_a_signal_handler_may_use_state_during_a_call(what: str, tmp_path: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANDLER, what, str(tmp_path)],
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.stdout.split() == ["30"], done.stdout + done.stderr


def test_what_the_interrupted_code_is_changing_is_refused() -> None:
    state = object()
    with access(writes=[state]):
        with pytest.raises(ReentryError, match="in use by what this interrupted"), access([state]):
            raise AssertionError
        with access(writes=[object()]):
            pass
    with access(reads=[state]):
        with access(reads=[state]):
            pass
        with pytest.raises(ReentryError), access(writes=[state]):
            raise AssertionError
    assert not line._line and not line._inner


def test_inner_accesses_go_ahead_of_those_that_wait() -> None:
    """A waits for B's thread; what interrupts B does not wait for A."""
    state, order = object(), []
    waits = threading.Event()

    def wait() -> None:
        waits.set()
        with access(writes=[state]):
            order.append("waited")

    with access(writes=[state], whole=True):
        thread = threading.Thread(target=wait)
        thread.start()
        waits.wait()
        while len(line._waiting) < 1:
            pass
        with access(writes=[state]):
            order.append("inner")
    thread.join(60)
    assert order == ["inner", "waited"]
    assert not line._line and not line._inner and not line._waiting


def test_two_interrupted_threads_that_wait_for_each_other_are_told() -> None:
    states = [object(), object()]
    both = threading.Barrier(2, timeout=60)
    outcomes: list[str] = []

    def run(own: object, other: object) -> None:
        with access(writes=[own], whole=True):
            both.wait()
            try:
                with access(writes=[other]):
                    outcomes.append("went ahead")
            except ReentryError:
                outcomes.append("told")

    threads = [threading.Thread(target=run, args=(states[k], states[1 - k])) for k in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert "told" in outcomes and len(outcomes) == 2
    assert not line._line and not line._inner


def test_threads_that_wait_for_a_third_inside_what_they_hold_are_no_deadlock() -> None:
    state = object()
    outcomes: list[str] = []

    def run() -> None:
        with access(writes=[object()], whole=True), access(writes=[state]):
            outcomes.append("went ahead")

    threads = [threading.Thread(target=run) for _ in range(3)]
    with access(writes=[state]):
        for thread in threads:
            thread.start()
        while len(line._waiting) < 3:
            time.sleep(0.001)
        time.sleep(0.5)  # many looks
    for thread in threads:
        thread.join(60)
    assert outcomes == ["went ahead"] * 3
    assert not line._line and not line._inner


def test_many_threads_with_and_without_inner_accesses_exclude_each_other() -> None:
    """A counter that a thread reads, waits with, and writes: turns that overlap would lose some."""
    state, shared = object(), [0]

    def run(seed: int) -> None:
        for k in range(150):
            outer = access(writes=[object()], whole=True) if (k + seed) % 3 else access()
            with outer, access(writes=[state]):
                value = shared[0]
                for _ in range(50):
                    pass
                shared[0] = value + 1

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=run, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive()
    finally:
        sys.setswitchinterval(before)
    assert shared == [6 * 150]


IMPORT = """
import sys
import numpy as np

left = int(sys.argv[1])

def interrupt(frame, event, arg):
    global left
    if "graphc" in frame.f_globals.get("__name__", ""):
        left -= 1
        if left == 0:
            sys.settrace(None)
            raise KeyboardInterrupt

sys.settrace(interrupt)
try:
    import graphc
except KeyboardInterrupt:
    print("interrupted")
sys.settrace(None)
import graphc as gc

x = gc.input("x", (3,))
print(gc.compile([x], gc.sin(x) * 3.0)(np.zeros(3, np.float32)).tolist())
layer = gc.nn.Linear(3, 2)
layer(gc.ones(3)).sum().backward()
"""


@pytest.mark.parametrize(
    "at", [300, 900, 1700, *(pytest.param(k, marks=pytest.mark.slow) for k in range(20, 2800, 90))]
)
def test_an_import_that_was_interrupted_can_be_made_again(at: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, str(at)], capture_output=True, text=True, timeout=200
    )
    assert done.stdout.splitlines() == ["interrupted", "[0.0, 0.0, 0.0]"], done.stderr


COMPILE = """
import signal, sys
import numpy as np
import graphc as gc

def interrupt(*_):
    raise KeyboardInterrupt

def run(factor):
    x = gc.input("x", (8, 8), gc.float32)
    y = gc.tanh(x @ x) * factor
    return float(gc.compile([x], gc.sum(y))(np.zeros((8, 8), np.float32)))

signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))
try:
    run(2.5)
except KeyboardInterrupt:
    pass
signal.setitimer(signal.ITIMER_REAL, 0)
print(run(3.5))
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
@pytest.mark.parametrize(
    "delay", [0.3, 0.5, *(pytest.param(k / 20, marks=pytest.mark.slow) for k in range(2, 30))]
)
def test_a_first_compilation_that_was_interrupted_can_be_made_again(delay: float) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, str(delay)],
        capture_output=True, text=True, timeout=300, env={**os.environ, "GRAPHC_CACHE_SIZE": "0"},
    )  # fmt: skip
    assert done.stdout.split() == ["0.0"], done.stderr

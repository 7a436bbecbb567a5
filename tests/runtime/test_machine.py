"""The step machine: order, slices, patches, status and time, alone and with helpers."""

import gc
import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from graphc.errors import InternalError
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.machine import machine, team
from graphc.runtime.machine.machine import Frame, Step, Table, from_args
from graphc.runtime.objects import loader

THREADS = [1, 2, 4]

# y[i] = 3 * x[i] + 1, each element counted in z.
AFFINE = Kernel(
    "affine",
    """
def affine(args, lo, hi):
    x = buffer(args, 0, i64)
    y = buffer(args, 1, i64)
    z = buffer(args, 2, i64)
    for i in range(lo, hi):
        y[i] = x[i] * 3 + 1
        z[i] = z[i] + 1
""",
)

# y[i] = sum of x[0..n) + i: needs every slice of the step before.
SUM_ALL = Kernel(
    "sum_all",
    """
def sum_all(args, lo, hi):
    x = buffer(args, 0, i64)
    y = buffer(args, 1, i64)
    n = args[2]
    total = i64(0)
    for i in range(n):
        total += x[i]
    for i in range(lo, hi):
        y[i] = total + i
""",
)

# Writes lo and hi of each call to places of their own.
SLICES = Kernel(
    "slices",
    """
def slices(args, lo, hi):
    starts = buffer(args, 0, i64)
    starts[lo] = hi
""",
)

CHECK = Kernel(
    "check",
    """
def check(args, lo, hi):
    x = buffer(args, 0, i64)
    status = buffer(args, 1, i64)
    limit = args[2]
    for i in range(lo, hi):
        if x[i] >= limit:
            fail(status, 7, x[i], limit)
""",
)


@pytest.fixture(scope="module")
def kernels():
    records = [AFFINE, SUM_ALL, SLICES, CHECK]
    return dict(zip([k.name for k in records], loader.load(records)))


def address(array):
    return array.ctypes.data


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("grain", [0, 1, 7, 64, 1000])
def test_steps_run_in_order_and_each_element_once(kernels, threads, grain):
    n, count = 500, 20
    x, y = np.arange(n), np.zeros(n, np.int64)
    counts = np.zeros(n, np.int64)
    steps = [Step(kernels["affine"], 3 * (k % 2), n, grain if k % 5 else 0) for k in range(count)]
    frame = Frame(Table(steps), 6, 0, threads)
    frame.args[:] = [address(x), address(y), address(counts)] + [
        address(y), address(x), address(counts)
    ]  # fmt: skip
    expected = np.arange(n)
    for call in range(1, 50):
        assert frame.run() == 0
        for _ in range(count):
            expected = expected * 3 + 1
        np.testing.assert_array_equal(x, expected)
        np.testing.assert_array_equal(counts, count * call)


@pytest.mark.parametrize("threads", THREADS)
def test_a_step_sees_all_of_the_step_before(kernels, threads):
    n = 256
    buffers = [np.arange(n) % 5, np.zeros(n, np.int64)]
    steps = [Step(kernels["sum_all"], 3 * (k % 2), n, grain=8) for k in range(6)]
    frame = Frame(Table(steps), 6, 0, threads)
    frame.args[:] = [
        address(buffers[0]), address(buffers[1]), n, address(buffers[1]), address(buffers[0]), n
    ]  # fmt: skip
    for _ in range(300):
        buffers[0][:] = np.arange(n) % 5
        expected = buffers[0].copy()
        for _ in steps:
            expected = expected.sum() + np.arange(n)
        frame.run()
        np.testing.assert_array_equal(buffers[0], expected)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("extent", [0, 1, 15, 16, 17, 63, 64, 65, 1000])
def test_slices_cover_the_range_at_multiples_of_the_grain(kernels, threads, extent):
    grain = 16
    starts = np.full(extent + 1, -1)
    frame = Frame(Table([Step(kernels["slices"], 0, extent, grain)]), 1, 0, threads)
    frame.args[0] = address(starts)
    frame.run()
    lows = np.flatnonzero(starts >= 0)
    assert len(lows) == max(1, min(threads, -(-extent // grain)))
    assert all(low % grain == 0 for low in lows)
    np.testing.assert_array_equal(starts[lows], [*lows[1:], extent])


def test_a_serial_step_is_one_call_whatever_its_extent(kernels):
    starts = np.full(1001, -1)
    frame = Frame(Table([Step(kernels["slices"], 0, 1000)]), 1, 0, threads=4)
    frame.args[0] = address(starts)
    frame.run()
    assert np.flatnonzero(starts >= 0).tolist() == [0] and starts[0] == 1000


@pytest.mark.parametrize("threads", THREADS)
def test_externals_and_sizes_are_patched_at_each_call(kernels, threads):
    table = Table(
        [Step(kernels["affine"], 0, from_args(3), grain=4)], [(0, 1), (1, 0), (2, 3), (3, 2)]
    )
    frame = Frame(table, 4, 4, threads)
    for n in (5, 0, 1, 300, 17):
        x, y, z = np.arange(n), np.zeros(n + 1, np.int64), np.zeros(n, np.int64)
        frame.externals[:] = [address(y), address(x), n, address(z)]
        frame.run()
        np.testing.assert_array_equal(y, [*(3 * x + 1), 0])
        np.testing.assert_array_equal(z, 1)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("grain", [0, 8])
def test_an_error_stops_before_the_first_change_of_state(kernels, threads, grain):
    n = 100
    x, y, state = np.arange(n), np.zeros(n, np.int64), np.zeros(n, np.int64)
    steps = [
        Step(kernels["check"], 0, n, grain),
        Step(kernels["affine"], 3, n, grain),
        Step(kernels["affine"], 6, n, grain, commit=True),
        Step(kernels["affine"], 6, n, 0, commit=True),
    ]
    frame = Frame(Table(steps), 9, 0, threads)
    scratch = np.zeros(n, np.int64)
    frame.args[:] = [
        address(x), frame.status_address, 50,
        address(x), address(y), address(scratch),
        address(x), address(state), address(scratch),
    ]  # fmt: skip
    for _ in range(20):
        state[:] = 0
        y[:] = 0
        assert frame.run() == 7
        assert frame.status[0] == 7 and frame.status[2] == 50 and 50 <= frame.status[1] < n
        np.testing.assert_array_equal(state, 0)
        np.testing.assert_array_equal(y, 3 * x + 1)
        frame.args[2] = n
        assert frame.run() == 0, "the error of one call is not the next one's"
        np.testing.assert_array_equal(state, 3 * x + 1)
        frame.args[2] = 50


def test_an_error_after_a_commit_is_reported(kernels):
    x, out = np.arange(4), np.zeros(4, np.int64)
    steps = [Step(kernels["affine"], 3, 4, commit=True), Step(kernels["check"], 0, 4)]
    frame = Frame(Table(steps), 6, 0, 1)
    frame.args[:] = [address(x), frame.status_address, 2, address(x), address(out), address(out)]
    assert frame.run() == 7


def test_no_steps_is_a_program():
    frame = Frame(Table([]), 0, 0, 4)
    assert frame.run() == 0
    frame.measure()
    assert frame.run() == 0 and len(frame.times) == 0


@pytest.mark.parametrize("threads", THREADS)
def test_measured_times_add_up_and_single_out_the_slow_step(kernels, threads):
    n = 2000
    x, y = np.ones(n, np.int64), np.zeros(n, np.int64)
    slow = Step(kernels["sum_all"], 0, n, grain=1)
    quick = Step(kernels["sum_all"], 3, 1)
    frame = Frame(Table([quick, slow, quick]), 6, 0, threads)
    frame.args[:] = [address(x), address(y), 50 * n, address(x), address(y), 10]
    big = np.ones(50 * n, np.int64)
    frame.args[0] = address(big)
    assert frame.times.tolist() == [0, 0, 0]
    frame.measure()
    for _ in range(20):
        frame.run()
    times = frame.times
    assert (times > 0).all() and times[1] > times[0] and times[1] > times[2]
    frame.measure(False)
    frame.run()
    assert frame.times.tolist() == [0, 0, 0]


def test_two_frames_of_one_table_are_independent(kernels):
    table = Table([Step(kernels["affine"], 0, 8)], [(0, 0), (1, 1), (2, 2)])
    frames = [Frame(table, 3, 3, 1) for _ in range(2)]
    data = [[np.full(8, k), np.zeros(8, np.int64), np.zeros(8, np.int64)] for k in range(2)]
    for frame, arrays in zip(frames, data):
        frame.externals[:] = [address(array) for array in arrays]
    for frame in frames:
        frame.run()
    for k, (_, y, _) in enumerate(data):
        np.testing.assert_array_equal(y, 3 * k + 1)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_python_threads_run_programs_at_once(kernels, threads):
    n, wrong = 3000, []

    def work(seed):
        buffers = [np.arange(n) + seed, np.zeros(n, np.int64)]
        counts = np.zeros(n, np.int64)
        steps = [Step(kernels["affine"], 3 * (k % 2), n, grain=64) for k in range(4)]
        frame = Frame(Table(steps), 6, 0, threads)
        a, b, c = address(buffers[0]), address(buffers[1]), address(counts)
        frame.args[:] = [a, b, c, b, a, c]
        expected = np.arange(n) + seed
        for call in range(1, 200):
            frame.run()
            for _ in steps:
                expected = expected * 3 + 1
            if not (buffers[0] == expected).all() or not (counts == 4 * call).all():
                wrong.append(seed)
                return

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert not worker.is_alive()
    assert wrong == []


def test_frames_may_be_dropped_while_helpers_come_late(kernels):
    n = 64
    for seed in range(300):
        x, y, z = np.arange(n) + seed, np.zeros(n, np.int64), np.zeros(n, np.int64)
        frame = Frame(Table([Step(kernels["affine"], 0, n, grain=1)]), 3, 0, threads=4)
        frame.args[:] = [address(x), address(y), address(z)]
        frame.run()
        np.testing.assert_array_equal(y, 3 * x + 1)
        address_of_frame = frame.address
        del frame
    gc.collect()
    for _ in range(1000):  # a helper that was taken off its CPU
        machine._free_orphans()
        if not machine._orphans:
            break
        time.sleep(0.01)
    assert address_of_frame not in machine._lent


@pytest.mark.parametrize(
    "step",
    [Step(0, 0), Step(1, -1), Step(1, 0, -1), Step(1, 0, 1, -1), Step(1, 0, from_args(-1))],
)
def test_a_step_that_cannot_be_run_is_refused(step):
    with pytest.raises(InternalError, match="a step that can't be run"):
        Table([step])


def test_a_frame_too_small_for_its_table_is_refused():
    table = Table([Step(1, 0, from_args(5))], [(2, 3)])
    assert (table.nargs, table.nexternals) == (6, 4)
    with pytest.raises(InternalError, match="fewer words"):
        Frame(table, 5, 4)
    with pytest.raises(InternalError, match="fewer words"):
        Frame(table, 6, 3)


def test_the_gil_is_released_during_a_run(kernels):
    n = 20_000_000
    x, y = np.ones(2, np.int64), np.zeros(1, np.int64)
    big = np.ones(n, np.int64)
    frame = Frame(Table([Step(kernels["sum_all"], 0, 1)] * 10), 3, 0, 1)
    frame.args[:] = [address(big), address(y), n]
    ticks, running = [], threading.Event()

    def run():
        running.set()
        frame.run()
        ticks.append("done")

    worker = threading.Thread(target=run)
    worker.start()
    running.wait()
    while worker.is_alive():
        ticks.append("tick")
    assert ticks.count("tick") > 100 and x.sum() == 2
    assert y[0] == n


FORK = """
import os, sys, threading
import numpy as np
from graphc.runtime.objects import loader; from graphc.runtime.machine import team
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.machine.machine import Frame, Step, Table

SOURCE = '''
def affine(args, lo, hi):
    x = buffer(args, 0, i64)
    y = buffer(args, 1, i64)
    for i in range(lo, hi):
        y[i] = x[i] * 3 + 1
'''
(function,) = loader.load([Kernel("affine", SOURCE)])
n = 4096

def frame():
    return Frame(Table([Step(function, 0, n, grain=64)] * 3, [(0, 0), (1, 1)]), 2, 2, 4)

def check(frame, times=50):
    for k in range(times):
        x, y = np.arange(n) + k, np.zeros(n, np.int64)
        frame.externals[:] = x.ctypes.data, y.ctypes.data
        assert frame.run() == 0
        assert (y == 3 * x + 1).all()

old = frame()
check(old)
"""


def run_script(code):
    script = FORK + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_runs_programs_with_a_team_of_its_own():
    done = run_script(
        """
        busy = threading.Event()
        def keep_busy():
            mine = frame()
            while not busy.is_set():
                check(mine, 1)
        thread = threading.Thread(target=keep_busy)
        thread.start()
        for _ in range(5):
            child = os.fork()
            if child == 0:
                check(old)
                check(frame())
                assert len(team.current().threads) == 3
                os._exit(0)
            check(old)
            assert os.waitpid(child, 0)[1] == 0
        busy.set()
        thread.join()
        print("parent ends")
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "parent ends\n", "")


def test_the_interpreter_ends_while_other_threads_run_programs():
    done = run_script(
        """
        def work():
            mine = frame()
            while True:
                check(mine, 1)
        for _ in range(2):
            threading.Thread(target=work, daemon=True).start()
        check(old)
        print("end")
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_programs_run_after_the_team_has_ended():
    done = run_script(
        """
        team.current().close()
        check(old)
        check(frame())
        assert team.current().threads == []
        """
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_slices_do_not_depend_on_who_helps(kernels, monkeypatch):
    monkeypatch.setattr(team.Team, "ensure", lambda self, workers: None)
    starts = np.full(100, -1)
    frame = Frame(Table([Step(kernels["slices"], 0, 99, 1)]), 1, 0, threads=37)
    frame.args[0] = address(starts)
    frame.run()
    assert (starts >= 0).sum() == 37

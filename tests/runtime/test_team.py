"""The thread team: started when wanted, asleep when idle, shared, gone at the end."""

import os
import resource
import threading
import time

import numpy as np
import pytest

from graphc.config import override
from graphc.errors import GraphcWarning
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.machine import team
from graphc.runtime.machine.machine import Frame, Step, Table
from graphc.runtime.machine.machine_source import MAX_THREADS
from graphc.runtime.objects import loader

ADD_ONE = Kernel(
    "add_one",
    """
def add_one(args, lo, hi):
    x = buffer(args, 0, i64)
    for i in range(lo, hi):
        x[i] = x[i] + 1
""",
)


@pytest.fixture
def own_team(monkeypatch):
    """A team that no other test has used, ended afterwards."""
    own = team.Team(team.cell)
    monkeypatch.setattr(team, "_teams", [*team._teams, own])
    yield own
    own.close()
    previous = team._teams[-2]
    team.cell[0] = previous._memory.ctypes.data if previous.threads else 0


def frame_of(n, grain, threads, steps=1):
    (function,) = loader.load([ADD_ONE])
    x = np.zeros(n, np.int64)
    frame = Frame(Table([Step(function, 0, n, grain)] * steps), 1, 0, threads)
    frame.args[0] = x.ctypes.data
    return frame, x


def test_threads_come_from_the_setting_or_the_cpus_of_this_process(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    monkeypatch.setattr(team, "SUPPORTED", True)
    assert team.default_threads() == 3
    with override(threads=5):
        assert team.default_threads() == 5
    with override(threads=1000):
        assert team.default_threads() == MAX_THREADS
    monkeypatch.setattr(team, "SUPPORTED", False)
    assert team.default_threads() == 1


def test_no_worker_starts_for_serial_or_small_programs(own_team):
    for grain, threads in ((0, 4), (1000, 4), (1, 1)):
        frame, x = frame_of(1000, grain, threads)
        frame.run()
        assert (x == 1).all()
    assert own_team.threads == []


def test_workers_start_once_and_the_team_grows(own_team):
    for threads, workers in ((2, 1), (4, 3), (3, 3), (4, 3)):
        frame, x = frame_of(1000, 1, threads)
        frame.run()
        assert (x == 1).all()
        assert len(own_team.threads) == workers
    assert all(thread.daemon and thread.is_alive() for thread in own_team.threads)


def test_workers_do_help(own_team):
    """A worker's slices are run by another system thread than the caller's."""
    frame, x = frame_of(1 << 21, 1 << 12, 2, steps=20)
    spent = 0.0
    for _ in range(20):
        before = time.thread_time(), time.process_time()
        frame.run()
        spent = (time.process_time() - before[1]) - (time.thread_time() - before[0])
        if spent > 0:
            break
    assert spent > 0
    assert (x % 20 == 0).all()


def test_idle_workers_sleep(own_team):
    frame, _ = frame_of(1000, 1, 4)
    frame.run()
    time.sleep(0.2)
    before = resource.getrusage(resource.RUSAGE_SELF)
    time.sleep(0.5)
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 0.1, "three spinning workers would spend a second"


def test_sleeping_workers_wake(own_team):
    frame, x = frame_of(1000, 1, 4)
    for call in range(1, 8):
        frame.run()
        assert (x == call).all()
        time.sleep(0.01)


def test_more_threads_than_cpus_still_finish(own_team):
    frame, x = frame_of(10_000, 10, MAX_THREADS, steps=5)
    for call in range(1, 30):
        frame.run()
        assert (x == 5 * call).all()
    assert len(own_team.threads) == MAX_THREADS - 1


def test_ended_workers_are_gone_and_programs_go_on(own_team):
    frame, x = frame_of(1000, 1, 4)
    frame.run()
    threads = list(own_team.threads)
    own_team.close()
    assert not any(thread.is_alive() for thread in threads)
    frame.run()
    assert (x == 2).all()
    assert own_team.threads == []


def test_a_system_without_threads_to_spare_costs_one_warning(own_team, monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    frame, x = frame_of(1000, 1, 4)
    with pytest.warns(GraphcWarning, match="no more threads than 1") as caught:
        frame.run()
        frame.run()
    assert len(caught) == 1
    assert (x == 2).all()

"""The runner of cases in child processes: values, exceptions, signals and hangs are told apart."""

from __future__ import annotations

import ctypes
import os
import signal
import threading

import numpy as np
import pytest
from forked import Died, each_forked, run_forked

import graphc as gc


def test_a_value_comes_back() -> None:
    assert run_forked(lambda x: x.sum(), np.arange(4)) == 6


def test_an_exception_comes_back_with_the_text_of_the_case() -> None:
    with pytest.raises(Died, match="ValueError: no such thing") as caught:
        run_forked(_raise, describe="def graph(x): ...")
    assert str(caught.value).endswith("def graph(x): ...")
    assert "_raise" in str(caught.value)


def _raise() -> None:
    raise ValueError("no such thing")


def test_a_segmentation_fault_is_named() -> None:
    with pytest.raises(Died, match="killed by SIGSEGV") as caught:
        run_forked(ctypes.string_at, 8, describe="the graph")
    assert "string_at" in str(caught.value)  # the Python stack at the signal
    assert str(caught.value).endswith("the graph")


def test_what_does_not_end_is_ended() -> None:
    with pytest.raises(Died, match=r"no end after 0\.3 s"):
        run_forked(threading.Event().wait, timeout_s=0.3)


def test_cases_after_one_that_died_are_run() -> None:
    def check(case: int) -> int:
        if case == 2:
            os.kill(os.getpid(), signal.SIGILL)
        if case == 3:
            raise KeyError(case)
        return case * case

    found = [
        (case, o.value, o.error, o.crashed)
        for case, o in each_forked(range(6), check, lambda c: f"case {c}")
    ]
    assert found == [
        (0, 0, None, False),
        (1, 1, None, False),
        (2, None, "killed by SIGILL", True),
        (3, None, "KeyError: 3", False),
        (4, 16, None, False),
        (5, 25, None, False),
    ]


def test_an_exit_is_a_death() -> None:
    with pytest.raises(Died, match="exit 3"):
        run_forked(os._exit, 3)


def test_programs_compile_and_run_in_a_child_with_several_threads() -> None:
    x = gc.input("x", (1000, 100), gc.float32)
    program = gc.compile([x], gc.exp(x) + 1, threads=2)
    value = np.zeros((1000, 100), np.float32)
    np.testing.assert_array_equal(program(value), 2)

    def compiled_there(cases: tuple[int]) -> float:
        y = gc.input("y", (64, 64), gc.float32)
        other = gc.compile([y], gc.sum(y @ y) + cases[0], threads=2)
        return float(other(np.eye(64, dtype=np.float32))) + float(program(value)[0, 0])

    # A tuple with a lambda does not pickle: such a case gets a child of its own.
    outcomes = [o for _, o in each_forked([(1,), (2,)], compiled_there)]
    assert [o.value for o in outcomes] == [67.0, 68.0]
    [(_, outcome)] = each_forked([(3, lambda: 0)], compiled_there)
    assert outcome.value == 69.0

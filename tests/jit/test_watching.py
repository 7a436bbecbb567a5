"""Which traced runs may be repeated without Python: what a proof relies on, and when it breaks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphc as gc
from graphc.jit.compiled import Skeleton
from graphc.jit.trace import branches
from graphc.jit.trace.guards import Guards
from graphc.jit.trace.record import record
from graphc.jit.trace.watching import Watch
from graphc.jit.variant import fixed_types
from tests.jit.paths import STEPS, Program


def watched(function: Any, *args: Any) -> Watch:
    """What a traced run of a function consulted."""
    tensors = [a for a in args if isinstance(a, gc.Tensor)]
    requires = [t.requires_grad for t in tensors]
    run = record(function, Skeleton(args, {}), fixed_types(tensors), requires, branches.refuse)
    return run.watch


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a.dtype == b.dtype and np.array_equal(a.numpy(), b.numpy())


# What the proof is not expected to follow: it says so, and Python runs.
UNPROVEN = {"deque", "array", "long list", "map", "vars"}


@pytest.mark.parametrize("root", ["global", "closure", "default", "keyword default", "self"])
@pytest.mark.parametrize("step", [s for s in STEPS if s not in UNPROVEN])
def test_a_number_behind_one_step_is_proven_and_guarded(root: str, step: str) -> None:
    program = Program(root, [step], 0, 3.0)
    x = gc.tensor([1.0, 2.0])
    before = program.function(x)
    watch = watched(program.function, x)
    assert not watch.unproven
    guards = Guards(watch.readings)
    assert guards.broken() == ""
    program.change(0, 0, 5.0)
    assert not _same(program.function(x), before)
    assert guards.broken()


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.data())
def test_a_proven_run_repeats_as_long_as_its_guards_hold(data: Any) -> None:
    names = sorted(STEPS)
    inner = [n for n in names if not STEPS[n].leaf]
    steps = data.draw(st.lists(st.sampled_from(inner), max_size=3))
    if data.draw(st.booleans()) or not steps:
        steps = [*steps, data.draw(st.sampled_from(names))]
    root = data.draw(st.sampled_from(["global", "closure", "default", "keyword default", "self"]))
    program = Program(root, steps, data.draw(st.integers(0, 9)), 3.0)
    levels, ways = st.integers(0, len(steps) - 1), st.integers(0, 2)
    leaves = st.sampled_from([1.0, 3.0, 4.0, 5, 3])
    changes = data.draw(st.lists(st.tuples(levels, ways, leaves), min_size=3, max_size=3))
    x = gc.tensor([1.0, 2.0])
    before = program.function(x)
    watch = watched(program.function, x)
    if watch.unproven:
        return
    guards = Guards(watch.readings)
    assert guards.broken() == "", program.source
    for level, how, leaf in changes:
        what = program.change(level, how, leaf)
        if guards.broken():
            return
        assert _same(program.function(x), before), (what, program.source)

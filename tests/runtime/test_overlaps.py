"""What lives at one time in the arena shares no memory: planted faults are found, and named."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.errors import InternalError
from graphc.runtime.base.homes import Planned
from graphc.runtime.checks.overlaps import check_lifetimes, check_placement, lives
from graphc.runtime.machine.executable import Executable


def _executable() -> Executable:
    n = gc.dim("n", min=1)
    x, w = gc.input("x", (n, 8)), gc.input("w", (8, 8))
    y = x
    for _ in range(4):
        y = gc.softmax(y @ w, 1) + x
    program = gc.compile([x, w], y)
    executable = program._executable
    assert isinstance(executable, Executable)
    return executable


SIZES = {"n": 40}


def test_a_sound_placement_passes_and_calls_are_right() -> None:
    executable = _executable()
    with gc.config.override(check=["1"]):
        executable.bind({"n": 3})
    x = gc.input("x", (5,))
    np.testing.assert_array_equal(gc.compile([x], x + x)(np.ones(5, np.float32)), 2)


def test_every_buffer_that_is_moved_onto_a_living_one_is_found() -> None:
    executable = _executable()
    living = lives(executable.homes)
    offsets, _ = executable._offsets(SIZES)
    nbytes = dict.fromkeys(offsets, 64)
    moved = 0
    for home in offsets:
        for other in offsets:
            a, b = living[home], living[other]
            if home is other or a.first > b.last or b.first > a.last:
                continue
            moved += 1
            wrong = {**offsets, home: offsets[other] + 32}
            with pytest.raises(InternalError, match="share .* bytes while both are in use") as why:
                check_placement(living, wrong, nbytes)
            assert "at test_overlaps.py:" in str(why.value)
    assert moved > 3


def test_lifetimes_that_are_too_short_are_found_for_all_sizes() -> None:
    executable = _executable()
    living = lives(executable.homes)
    assert executable.memory is not None
    planned = {b.key: (b.first, b.last) for b in executable.memory.buffers}
    homes = {home: home.key if isinstance(home, Planned) else home for home in living}
    right = {home: planned[key] for home, key in homes.items() if key in planned}
    check_lifetimes(living, right)
    shortened = 0
    for home, (first, last) in right.items():
        for wrong in {(first, first), (last, last)} - {(first, last)}:
            together = [
                other
                for other, (begins, ends) in right.items()
                if other is not home
                and living[other].first <= living[home].last
                and living[home].first <= living[other].last
                and (begins > wrong[1] or ends < wrong[0])
            ]
            if together:
                shortened += 1
                with pytest.raises(InternalError, match="may share memory while both are in use"):
                    check_lifetimes(living, {**right, home: wrong})
    assert shortened

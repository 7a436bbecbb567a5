"""10,000 damaged archives: each a clear error or a program, in bounded time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from pathlib import Path

import archive_mutations as mutations
import pytest
from sampling import some

SCRIPT = Path(mutations.__file__)
PARTS = 4
EACH = 2500


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's memory limits")
@pytest.mark.parametrize("part", some(range(PARTS), 4))
def test_damaged_archives(part: int) -> None:
    """In a process whose memory is bounded: a crash, a hang or a MemoryError fails here."""
    command = [sys.executable, str(SCRIPT), str(EACH), str(part * EACH)]
    environment = {**os.environ, "GRAPHC_CHECK": ""}
    found = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    assert found.returncode == 0, found.stderr[-3000:]
    seen = Counter(json.loads(found.stdout.splitlines()[-1]))
    refused = seen["ArchiveError"] + seen["FormatError"] + seen["ParseError"]
    assert refused + seen["read"] == EACH
    assert refused > 0.8 * EACH and seen["read"] > 10


def test_memory_follows_the_size_of_the_file() -> None:
    """Reading allocates some multiple of what is there, whatever sizes a file claims."""
    data = mutations.GOLDEN.read_bytes()
    mutations.attempt(data)
    for seed in range(150):
        damaged = mutations.mutation(data, seed)
        tracemalloc.start()
        mutations.attempt(damaged)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 200 * len(data), seed


def test_survivors_are_compiled_and_run() -> None:
    """What passes all checks may be compiled: its kernels stay inside their memory."""
    data = mutations.GOLDEN.read_bytes()
    done = 0
    for seed in range(400):
        damaged = mutations.mutation(data, seed)
        _, found = mutations.attempt(damaged)
        if found is not None and damaged != data:
            mutations.exercise(found, "cpu")
            done += 1
            if done == mutations.COMPILED:
                return
    raise AssertionError(f"only {done} survivors")

"""Paired timings: contenders take turns, round by round; medians are compared."""

from __future__ import annotations

import gc as garbage
import statistics
import time
from collections.abc import Callable


def calibrate(function: Callable[[], object], target_s: float) -> int:
    """How many calls take about `target_s` seconds."""
    calls = 1
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            function()
        elapsed = time.perf_counter() - start
        if elapsed >= target_s / 4 or calls >= 1 << 20:
            return max(1, round(calls * target_s / max(elapsed, 1e-9)))
        calls *= 4


def paired(
    contenders: dict[str, Callable[[], object]], rounds: int = 15, target_s: float = 0.05
) -> dict[str, float]:
    """Median seconds a call of each contender, timed in turn so that drift hits all alike."""
    counts = {name: calibrate(function, target_s) for name, function in contenders.items()}
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    garbage.disable()
    try:
        for _ in range(rounds):
            for name, function in contenders.items():
                start = time.perf_counter()
                for _ in range(counts[name]):
                    function()
                samples[name].append((time.perf_counter() - start) / counts[name])
    finally:
        garbage.enable()
    return {name: statistics.median(values) for name, values in samples.items()}

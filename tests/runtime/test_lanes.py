"""Register tiles: this CPU's, and those of other CPUs compiled for this one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from graphc.runtime.base import lanes


@pytest.mark.parametrize(
    "registers", [("16", "16"), ("16", "32"), ("32", "16")], ids=["SSE", "NEON", "AVX2"]
)
def test_the_tiles_of_other_cpus_give_the_same(registers: tuple[str, str]) -> None:
    script = Path(__file__).parent.parent / "helpers" / "other_cpu.py"
    done = subprocess.run(
        [sys.executable, str(script), *registers], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_this_cpus_tile_fits_its_registers(dtype: str) -> None:
    shape = lanes.blocking(dtype)
    # Accumulators, a row of the right operand, one broadcast element.
    assert shape.rows[0] * shape.vectors + shape.vectors + 1 <= lanes._registers()[1]
    assert shape.rows[-1] == 1

"""The command line, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMPILE = """
import numpy as np, graphc as gc
x = gc.input("x", (3,))
gc.compile([x], -x)(np.zeros(3, np.float32))
"""


def _run(cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "GRAPHC_CACHE_DIR": str(cache)},
    )


def test_cache_info_and_clear(tmp_path: Path) -> None:
    cache = tmp_path / "kernels"
    assert _run(cache, "-c", COMPILE).returncode == 0
    shown = _run(cache, "-m", "graphc", "cache", "info").stdout.splitlines()
    assert shown[0] == f"folder:  {cache} (in use)"
    count = int(shown[1].split()[1])
    assert count >= 1
    cleared = _run(cache, "-m", "graphc", "cache", "clear").stdout.strip()
    assert cleared == f"removed {count} kernels"
    shown = _run(cache, "-m", "graphc", "cache", "info").stdout.splitlines()
    assert shown[1] == "kernels: 0"


def test_version(tmp_path: Path) -> None:
    done = _run(tmp_path, "-m", "graphc", "--version")
    assert done.returncode == 0 and done.stdout.startswith("graphc ")


def test_a_wrong_command_prints_the_usage(tmp_path: Path) -> None:
    done = _run(tmp_path, "-m", "graphc", "frobnicate")
    assert done.returncode == 2 and done.stderr.startswith("usage: graphc")

"""The command line, as a user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
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


def test_what_issue_forms_ask_for_is_there(tmp_path: Path) -> None:
    forms = [path.read_text() for path in (ROOT / ".github").rglob("*.yml")]
    asked = {found for text in forms for found in re.findall(r"`python -m graphc ([^`]+)`", text)}
    assert asked == {"--version", "cache info", "cache clear", "contrast FILE.py:function"}
    for command in asked:
        words = ["contrast", "--help"] if command.startswith("contrast") else command.split()
        done = _run(tmp_path, "-m", "graphc", *words)
        assert done.returncode == 0 and done.stdout.strip(), command


def test_a_wrong_command_prints_the_usage(tmp_path: Path) -> None:
    done = _run(tmp_path, "-m", "graphc", "frobnicate")
    assert done.returncode == 2 and done.stderr.startswith("usage: graphc")

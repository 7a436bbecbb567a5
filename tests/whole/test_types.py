"""mypy reads everything: an error planted in any of the folders is told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PLANTED = "\n\ndef planted() -> int:\n    return 'no number'\n"
PLACES = {
    "graphc": "core/trees.py",
    "passes": "cse.py",
    "runtime": "base/arena.py",
    "tests": "helpers/counting.py",
    "docs": "public.py",
}


@pytest.mark.slow
def test_an_error_planted_in_any_folder_is_told(tmp_path: Path) -> None:
    for name in (*PLACES, ".ci"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for folder, name in PLACES.items():
        with open(tmp_path / folder / name, "a") as file:
            file.write(PLANTED)
    command = [sys.executable, "-m", "mypy"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    told = [line for line in found.stdout.splitlines() if "[return-value]" in line]
    for folder, name in PLACES.items():
        assert sum(f"{folder}/{name}:" in line for line in told) == 1, found.stdout + found.stderr
    assert len(told) == len(PLACES), found.stdout


def test_passes_and_runtime_are_linked_for_mypy() -> None:
    for name in ("passes", "runtime"):
        assert (ROOT / ".ci" / "mypy" / "graphc" / name).resolve() == ROOT / name

"""Every example runs as a user would run it, and the digits are learnt."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
# The packages that examples need besides graphc's own; those that take long to compile.
NEEDS = {"fine_tune_onnx.py": ("onnx",), "read_text.py": ("onnx", "PIL", "rapidocr_onnxruntime")}
SLOW = {"dynamic_vs_static.py", "read_text.py"}
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def _run(name: str, *arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _examples() -> list[Any]:
    slow = pytest.mark.slow
    return [
        pytest.param(n, marks=[slow] if n in SLOW else [], id=n)
        for n in EXAMPLES if n != "digits.py"
    ]  # fmt: skip


@pytest.mark.parametrize("name", _examples())
def test_example_runs(name: str, tmp_path: Path) -> None:
    if gone := [p for p in NEEDS.get(name, ()) if find_spec(p) is None]:
        pytest.skip(f"{', '.join(gone)} is not installed")
    assert _run(name, cwd=tmp_path).strip()


@pytest.mark.parametrize("name", [n for n in EXAMPLES if n != "digits.py"])
def test_example_is_short(name: str) -> None:
    assert len((ROOT / "examples" / name).read_text().splitlines()) < 90


def test_the_digits_are_learnt(tmp_path: Path) -> None:
    printed = _run("digits.py", "--out", str(tmp_path / "dump"), cwd=tmp_path)
    found = re.search(r"([\d.]+)% on 360 held-out digits", printed)
    assert found, printed
    assert float(found.group(1)) >= 97.0
    assert (tmp_path / "dump").is_dir() and list((tmp_path / "dump").iterdir())

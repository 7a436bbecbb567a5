"""The replay of kernels tells what a change of the compiler changes, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from replay.__main__ import ROOT, report, sources_of


def test_only_changed_kernels_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    before = {"same": ["def a(): 1"], "other": ["def b(): 1"], "gone": ["def c(): 1"]}
    after = {"same": ["def a(): 1"], "other": ["def b(): 2"], "new": ["def d(): 1"]}
    assert report(before, after, verbose=True) == 1
    told = capsys.readouterr().out
    assert "other\n" in told and "-def b(): 1" in told and "+def b(): 2" in told
    assert "same" not in told
    assert told.endswith("1 of 3 cases differ; 1 are new, 1 are gone\n")
    assert report(before, before, verbose=False) == 0


@pytest.mark.slow
def test_kernels_come_from_the_checkout_that_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "checkout"
    command = ["cp", "-r", *(str(ROOT / name) for name in ("graphc", "passes", "runtime", "tests"))]
    copy.mkdir()
    subprocess.run([*command, str(copy)], check=True)
    printer = copy / "runtime" / "fused" / "assemble.py"
    text = printer.read_text()
    assert "for once in" in text
    printer.write_text(text.replace("for once in", "for only in"))
    ours = sources_of(ROOT, tmp_path / "ours")
    theirs = sources_of(copy, tmp_path / "theirs")
    assert ours.keys() == theirs.keys()
    assert any(ours[name] != theirs[name] for name in ours)
    assert report(ours, ours, verbose=False) == 0


def test_the_command_says_what_it_takes() -> None:
    command = [sys.executable, "-m", "tests.replay", "--help"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0 and "revision" in found.stdout

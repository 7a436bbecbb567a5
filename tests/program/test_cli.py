"""The command line, as a user runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc import cli
from graphc.runtime.objects import cache

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


ARCHIVE = """
import numpy as np, graphc as gc
x = gc.input("x", (gc.dim("n"), 4))
w = gc.parameter("w", np.full((4, 2), 0.5, np.float32))
gc.compile([x], gc.tanh(x @ w), name="model").save("a.gcz")
gc.compile([x], gc.exp(x @ w), name="other").save("b.gcz")
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two archives, and an input of both."""
    folder = tmp_path_factory.mktemp("cli")
    done = subprocess.run([sys.executable, "-c", ARCHIVE], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr
    np.save(folder / "x.npy", np.ones((3, 4), np.float32))
    return folder


def _main(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = cli.main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


def test_an_archive_is_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = f"x={place / 'x.npy'}"
    found = _main(capsys, "run", place / "a.gcz", "--input", given, "-o", place / "y.npz")
    assert found[0] == 0 and "output_0: float32[3, 2]" in found[1]
    with np.load(place / "y.npz") as results:
        np.testing.assert_allclose(results["output_0"], np.full((3, 2), np.tanh(2.0)), rtol=1e-6)


@pytest.mark.parametrize("command", ["explain", "profile", "bench", "show"])
def test_figures_are_texts_or_json(
    place: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    status, shown, _ = _main(capsys, command, place / "a.gcz")
    assert status == 0 and "model" in shown and "\x1b" not in shown
    status, shown, _ = _main(capsys, command, place / "a.gcz", "--json")
    assert status == 0 and json.loads(shown)


def test_pictures_traces_and_reports_are_written(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _main(capsys, "show", place / "a.gcz", "-o", place / "a.html")[0] == 0
    _, dumped, _ = _main(capsys, "show", place / "a.gcz")
    (place / "a.py").write_text(dumped)
    assert _main(capsys, "show", place / "a.py", "-o", place / "a.svg")[0] == 0
    files = ("--trace", place / "t.json", "--report", place / "r.html", "--repeat", 2)
    assert _main(capsys, "profile", place / "a.gcz", *files)[0] == 0
    assert json.loads((place / "t.json").read_text())["traceEvents"]
    for name in ("a.html", "r.html"):
        assert (place / name).read_text().startswith("<!doctype html>")


def test_archives_that_differ_have_a_status_of_their_own(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _main(capsys, "diff", place / "a.gcz", place / "a.gcz")[0] == 0
    status, shown, _ = _main(capsys, "diff", place / "a.gcz", place / "b.gcz", "-o",
                             place / "d.html")  # fmt: skip
    assert status == 1 and "op tanh" in shown and (place / "d.html").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("explain", "nowhere.gcz"), "there is no file 'nowhere.gcz'"),
        (("run", "a.gcz", "--input", "z=x.npy"), "there is no input 'z'"),
        (("run", "a.gcz"), "x"),
        (("explain", "x.npy"), "x.npy"),
        (("show", "a.gcz", "-o", "a.gif"), "does not end in"),
    ],
)
def test_a_mistake_is_told_in_few_words(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...], words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(place)
    status, shown, told = _main(capsys, *arguments)
    assert status == 2 and shown == "" and words in told
    assert len(told.splitlines()) <= 12 and "Traceback" not in told


def test_a_damaged_kernel_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with gc.config.override(cache_dir=str(tmp_path / "kernels")):
        cache.current().write("ab" * 32, b"whole")
        assert _main(capsys, "cache", "verify")[:2] == (0, "1 kernel whole, 0 kernels damaged\n")
        (file,) = (path for path in (tmp_path / "kernels").iterdir() if "ab" * 32 in path.name)
        file.write_bytes(file.read_bytes()[:-1] + b"!")
        status, shown, _ = _main(capsys, "cache", "verify", "--json")
        assert status == 1 and json.loads(shown)["damaged"] == [file.name]


def test_a_healthy_installation_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    status, shown, _ = _main(capsys, "doctor", "--json")
    found = json.loads(shown)
    assert status == 0 and found["self_test"] == "right" and found["bandwidth"] > 0
    assert found["packages"]["numpy"] == np.__version__


def test_the_demo_explains_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, shown, _ = _main(capsys, "demo", "-o", tmp_path / "demo.html")
    assert status == 0 and "tanh multiply sum" in shown
    assert (tmp_path / "demo.html").stat().st_size > 1000


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

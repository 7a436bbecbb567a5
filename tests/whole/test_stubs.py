"""What type checkers and `help` see is what is there: stubs, signatures, a user's file."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stubs

import graphc as gc
from graphc import functions
from graphc.eager.engine.out import TAKES_OUT

ROOT = Path(__file__).resolve().parent.parent.parent
PUBLIC = (
    "graphc", "graphc.autograd", "graphc.cuda", "graphc.data", "graphc.data.vision", "graphc.jit",
    "graphc.nn", "graphc.nn.functional", "graphc.nn.init", "graphc.nn.utils", "graphc.optim",
    "graphc.optim.lr_scheduler",
)  # fmt: skip
# PyTorch's `to` takes a dtype, a device or a tensor first; Identity takes whatever it is given.
ANYTHING = {"Identity", "to"}


@pytest.fixture(autouse=True)
def _written_first(request: pytest.FixtureRequest) -> None:
    if os.environ.get("GRAPHC_UPDATE_GOLDEN") and "path" not in request.fixturenames:
        pytest.skip("what is written now is imported the next time")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("graphc/__init__.py", stubs.package),
        ("graphc/nn/__init__.py", stubs.layers),
        ("graphc/nn/functional/__init__.py", stubs.layer_functions),
        ("graphc/functions.pyi", stubs.functions),
        ("graphc/eager/engine/attached.pyi", stubs.methods),
        ("graphc/core/methods.pyi", stubs.node_methods),
    ],
)
def test_what_is_written_down_is_what_is_there(path: str, text: Any) -> None:
    if os.environ.get("GRAPHC_UPDATE_GOLDEN"):
        (ROOT / path).write_text(text())
    assert (ROOT / path).read_text() == text(), "GRAPHC_UPDATE_GOLDEN=1 writes it anew"


def test_every_function_has_a_name() -> None:
    assert sorted({*dir(functions)} - {"getitem", "diff"}) == stubs.PUBLIC
    assert all(getattr(gc, name) is getattr(functions, name) for name in stubs.PUBLIC)


def test_help_shows_out_where_it_is_taken() -> None:
    shown = {n for n in stubs.PUBLIC if "out" in inspect.signature(getattr(gc, n)).parameters}
    assert shown == TAKES_OUT


def test_functions_are_called_what_they_are_called() -> None:
    shown = {getattr(gc, name).__name__ for name in stubs.FUNCTIONS if name in stubs.PUBLIC}
    assert "apply" not in shown


def _hides_its_parameters(thing: Any) -> bool:
    try:
        kinds = [p.kind for p in inspect.signature(thing).parameters.values()]
    except ValueError:  # a class of Python's own
        return False
    variadic = [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]
    return kinds[-2:] == variadic and len(kinds) <= 3


@pytest.mark.parametrize("module", PUBLIC)
def test_public_functions_show_their_parameters(module: str) -> None:
    names = import_module(module)
    listed = getattr(names, "__all__", [n for n in vars(names) if not n.startswith("_")])
    public = {name: getattr(names, name) for name in listed}
    called = {n: v for n, v in public.items() if callable(v) and not inspect.ismodule(v)}
    assert {n for n, v in called.items() if _hides_its_parameters(v)} <= ANYTHING


def test_methods_of_tensors_show_their_parameters() -> None:
    methods = {n: getattr(gc.Tensor, n) for n in dir(gc.Tensor) if not n.startswith("_")}
    called = {n: m for n, m in methods.items() if callable(m)}
    assert {n for n, m in called.items() if _hides_its_parameters(m)} <= ANYTHING


USER = """
import numpy as np

import graphc as gc
import graphc.nn as nn

x = gc.zeros(2, 3, requires_grad=True)
y = (x + 1).softmax(-1) @ gc.ones(3, 2)
z: gc.Tensor = gc.relu(y).sum() * 2
z.backward()
a: float | int | bool = z.item()
n = gc.dim("n")
node = gc.input("x", (n, 3))
more: gc.Node = gc.tanh(node) * 2.0
total: gc.Node = gc.sum(more, axis=-1, keepdims=True)
program = gc.compile([node], total)
model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
model.train()
gc.softmax(x, dim=1)
gc.from_numpy(np.ones(2)).add_(1).reshape(1, 2).T.mean()
"""
WRONG = {
    "gc.zeros(2).no_such()": "no_such",
    "(gc.zeros(2) + 1).no_such()": "no_such",
    "gc.relu(gc.zeros(2)).no_such()": "no_such",
    "gc.zeros(2).relu().no_such()": "no_such",
    "gc.no_such_function(1)": "no_such_function",
    "gc.tanh(gc.input('x', (2,))).no_such()": "no_such",
    "gc.softmax(gc.zeros(2), no_such=1)": "softmax",
    "gc.nn.no_such()": "no_such",
}


@pytest.mark.slow
def test_mypy_knows_an_installed_graphc(tmp_path: Path) -> None:
    """From a wheel, in a fresh environment, over a user's file."""
    source = tmp_path / "source"
    for name in ("graphc", "passes", "runtime"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip: list[str | Path] = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", tmp_path, source], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    python = tmp_path / "env" / "bin" / "python"
    ask: list[str | Path] = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip())
    (found,) = tmp_path.glob("graphc-*.whl")
    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", site, found], check=True)
    # What graphc needs, from the environment of the tests: plain paths, no editable installs.
    paths = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(paths))
    (site / "numpy").symlink_to(Path(np.__file__).parent)  # mypy reads no .pth

    file = tmp_path / "user.py"
    file.write_text(USER + "\n".join(WRONG) + "\n")
    first = len(USER.split("\n"))
    command: list[str | Path] = [sys.executable, "-m", "mypy", "--python-executable", python, file]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    told = dict[int, str]()
    for line in done.stdout.splitlines():
        if " error: " in line and line.startswith("user.py:"):
            told.setdefault(int(line.split(":")[1]), line)
    assert sorted(told) == [first + k for k in range(len(WRONG))], done.stdout + done.stderr
    for k, word in enumerate(WRONG.values()):
        assert word in told[first + k]
    subprocess.run([python, "-c", USER], cwd=tmp_path, check=True)

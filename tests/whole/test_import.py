"""What `import graphc` brings: every public function, and nothing heavy."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import graphc as gc
from graphc.core.operators import FUNCTIONS
from graphc.eager.facade import FACE

ROOT = Path(__file__).resolve().parent.parent.parent
HEAVY = ("numba", "scipy", "networkx", "llvmlite", "sklearn", "rich")

WARM = """
import sys
import numpy as np
import graphc as gc
x = gc.input("x", (gc.dim("n"), 8))
w = gc.parameter("w", np.ones((8, 4), np.float32))
loss = gc.mean(gc.tanh(x @ w))
step = gc.compile([x], loss, updates={w: w - 0.1 * gc.grad(loss, w)})
step(np.ones((3, 8), np.float32))
print(step.stats.compiled, "numba" in sys.modules)
"""


def _python(source: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_brings_no_heavy_package() -> None:
    printed = _python(f"import graphc, sys; print([m for m in {HEAVY!r} if m in sys.modules])")
    assert printed.strip() == "[]"


def test_a_warm_start_compiles_nothing_and_imports_no_numba() -> None:
    _python(WARM)
    assert _python(WARM).split() == ["0", "False"]


def test_the_version_is_said_once() -> None:
    assert gc.__version__ == metadata.version("graphc")
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in said["project"]
    assert said["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "graphc.version.__version__"
    }
    assert _python("from graphc.cli import main; main(['--version'])").split() == [
        "graphc",
        gc.__version__,
    ]


def test_every_public_function_is_exported_by_name() -> None:
    hidden = {"getitem"}
    named = {name for name in FUNCTIONS if not name.startswith("_")}
    assert named - hidden <= set(gc.__all__)
    assert set(FACE) - hidden <= set(gc.__all__)
    for name in set(FACE) - hidden - {"diff"}:  # which compares programs as well
        assert getattr(gc, name) is FACE[name]


def test_every_exported_name_is_there_and_documented() -> None:
    assert len(set(gc.__all__)) == len(gc.__all__)
    for name in gc.__all__:
        thing = getattr(gc, name)
        if callable(thing):
            assert thing.__doc__, name

"""Modules are found by the names that they had before they stood in rooms."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import ModuleType

import pytest

import graphc as gc
from graphc import former

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.parametrize("name", sorted(former.PLACES))
def test_a_former_name_gives_the_very_module(name: str) -> None:
    if name.rpartition(".")[2].startswith("numba_"):
        pytest.importorskip("numba")
    now = importlib.import_module(former.PLACES[name])
    assert importlib.import_module(name) is now
    assert now.__name__ == former.PLACES[name]
    assert now.__spec__ is not None and now.__spec__.name == former.PLACES[name]


def test_former_names_hide_no_function() -> None:
    for name in gc.__all__:
        if f"graphc.{name}" in former.PLACES:
            importlib.import_module(f"graphc.{name}")
            assert not isinstance(getattr(gc, name), ModuleType)
    assert callable(gc.interpret)


CODE = """
from graphc import access, dims
from graphc.eager.hot import tracing
from graphc.ir import Node, toposort
from graphc.nn.module import Module
from graphc.operators import FUNCTIONS as own
from graphc.passes.simplify_arithmetic import SIGNED
from graphc.program import Program
from graphc.runtime import language, loader, machine
from graphc.runtime.nests import NESTS
import graphc as gc

assert gc.Node is Node and gc.nn.Module is Module and gc.Program is Program and own["exp"]
assert language.namespace()["exp"] and machine.Table and gc.ir.toposort is toposort and NESTS
"""


def test_code_of_before_imports_what_it_did_in_any_order() -> None:
    lines = CODE.strip().splitlines()
    imports = [line for line in lines if line.startswith("from graphc")]
    for turn in (imports, imports[::-1]):
        code = "\n".join([*turn, *lines[len(imports) :]])
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_former_name_is_told_where_it_is() -> None:
    code = "import graphc.dims"
    command = [sys.executable, "-W", "error::DeprecationWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "graphc.dims is graphc.core.dims" in done.stderr


def test_what_was_never_there_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("graphc.no_such_module")
    with pytest.raises(ImportError):
        exec("from graphc.nn.module import no_such_name")

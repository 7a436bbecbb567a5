"""What the tests promise of themselves: markers are complete, and no clock decides; and that a
wheel has every folder."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

TESTS = sorted(Path(__file__).resolve().parent.parent.rglob("test_*.py"))
ROOT = Path(__file__).resolve().parent.parent.parent
CLOCKS = {"monotonic", "perf_counter", "perf_counter_ns", "timeit"}


def _asks_for_torch(tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "importorskip"
        and isinstance(node.args[0], ast.Constant)
        and str(node.args[0].value).split(".")[0] == "torch"
        for node in ast.walk(tree)
    )


def _marks_parity(tree: ast.AST) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr == "parity" for n in ast.walk(tree))


def _unmarked(path: Path) -> list[str]:
    """The tests of a file that ask for PyTorch, themselves or by a helper, without a marker."""
    tree = ast.parse(path.read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    others = [node for node in tree.body if node not in functions]
    if any(_marks_parity(node) for node in others):
        return []
    if any(_asks_for_torch(node) for node in others):
        return [path.stem]
    helpers = {f.name for f in functions if _asks_for_torch(f) and not f.name.startswith("test_")}
    found = []
    for function in functions:
        names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
        names |= {argument.arg for argument in function.args.args}
        is_test = function.name.startswith("test_")
        if is_test and (_asks_for_torch(function) or helpers & names):
            marked = any(_marks_parity(each) for each in function.decorator_list)
            found += [] if marked else [function.name]
    return found


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_what_needs_pytorch_is_marked(path: Path) -> None:
    assert _unmarked(path) == []


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_no_test_reads_a_clock(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not names & CLOCKS, "count calls instead: tests/helpers/counting.py"


def test_every_folder_is_a_package_of_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    listed = set()
    for package in settings["packages"]:
        base = max(
            (p for p in settings["package-dir"] if f"{package}.".startswith(f"{p}.")), key=len
        )
        rest = package.removeprefix(base).strip(".")
        listed.add(ROOT / settings["package-dir"][base] / rest.replace(".", "/"))
    folders = {
        path.parent
        for top in settings["package-dir"].values()
        for path in (ROOT / top).rglob("*.py")
    }
    assert listed == folders

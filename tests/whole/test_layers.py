"""Imports point one way, stand at the top of their module, and heavy packages stay out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = {"graphc": "graphc", "passes": "graphc.passes", "runtime": "graphc.runtime"}

# A row is a module, a package's `__init__`, or (with `.*`) the modules of one folder. Modules of a
# folder may import each other; else only what stands in a row above.
ROWS = (
    "graphc.version",
    "graphc.former",
    "graphc.errors",
    "graphc.config",
    "graphc.core.*",
    "graphc.text",
    "graphc.verify",
    "graphc.networks",
    "graphc.viz.*",
    "graphc.viz",
    "graphc.ops.*",
    "graphc.ops.arrays.*",
    "graphc.ops.elementwise.*",
    "graphc.ops.contract.*",
    "graphc.ops.network.*",
    "graphc.ops.flow.*",
    "graphc.ops.draws.*",
    "graphc.ops.linalg.*",
    "graphc.ops",
    "graphc.loops.*",
    "graphc.runtime.base.*",
    "graphc.runtime.language.*",
    "graphc.runtime.checks.*",
    "graphc.runtime.contract.*",
    "graphc.runtime.nests.*",
    "graphc.runtime.fused.*",
    "graphc.runtime.objects.*",
    "graphc.runtime.machine.*",
    "graphc.runtime.*",
    "graphc.runtime.cuda.*",
    "graphc.cuda",
    "graphc.passes.rewrite.*",
    "graphc.passes.rewrite",
    "graphc.passes.rules.*",
    "graphc.passes.fusion.*",
    "graphc.passes.memory.*",
    "graphc.passes.*",
    "graphc.program.*",
    "graphc.eager.engine.*",
    "graphc.eager.functions.*",
    "graphc.eager.methods.*",
    "graphc.eager.*",
    "graphc.amp",
    "graphc.testing",
    "graphc.backends",
    "graphc.accelerator",
    "graphc.distributed",
    "graphc.functions",
    "graphc.special",
    "graphc.linalg.*",
    "graphc.linalg",
    "graphc.distributions.*",
    "graphc.distributions",
    "graphc.autograd.*",
    "graphc.autograd",
    "graphc.jit.trace.*",
    "graphc.jit.*",
    "graphc.jit.archive.*",
    "graphc.jit.export.*",
    "graphc.jit",
    "graphc.nn.*",
    "graphc.nn.module.*",
    "graphc.nn.parallel",
    "graphc.nn.utils.*",
    "graphc.nn.utils",
    "graphc.nn.functional.*",
    "graphc.nn.functional",
    "graphc.nn.layers.*",
    "graphc.nn.modules.*",
    "graphc.nn.modules",
    "graphc.nn",
    "graphc.func.*",
    "graphc.func",
    "graphc.checkpoints.*",
    "graphc.storage",
    "graphc.optim.*",
    "graphc.optim.lr_scheduler.*",
    "graphc.optim.lr_scheduler",
    "graphc.optim",
    "graphc.data.*",
    "graphc.data.vision.*",
    "graphc.data.vision",
    "graphc.data",
    "graphc.quantisation.*",
    "graphc.quantisation",
    "graphc.onnx.*",
    "graphc.onnx.rules.*",
    "graphc.onnx",
    "graphc.debug.*",
    "graphc.debug",
    "graphc.utils.*",
    "graphc.utils",
    "graphc.contrasting.*",
    "graphc.contrasting",
    "graphc.commands",
    "graphc.cli",
    "graphc",
    "graphc.__main__",
)
# What imports a module by its name in a string, and what it puts before the name.
BY_STRING = {"import_module": "", "whole": "", "__import__": "", "late": "graphc."}
# What has these for others, or by a table.
COMPUTED = {"graphc", "graphc.former", "graphc.core.shield", "graphc.eager.engine.signature"}
# Methods that hand on to what is made of their class.
UPWARD = {
    ("graphc.program.inspected", "graphc.jit"): "Program.save writes an archive, made of programs",
    ("graphc.core.ir", "graphc.viz"): "a graph shows itself in a notebook",
}
HEAVY = {"numba", "networkx", "scipy", "sklearn", "torch", "jax", "rich"}
# The files that compile kernels; only they may import Numba at the top.
NUMBA_FILES = "numba_"


def _modules() -> dict[str, Path]:
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join([package, *parts])
            found[name.removesuffix(".__init__")] = path
    return found


MODULES = _modules()


def _row(module: str) -> int:
    """The row of a module; a package's `__init__` without one of its own is in its folder's."""
    is_package = MODULES[module].name == "__init__.py"
    folder = (module if is_package else module.rpartition(".")[0]) + ".*"
    own = module if module in ROWS else folder
    assert own in ROWS, f"{module} has no row: add {folder} to ROWS"
    return ROWS.index(own)


def _imports(path: Path) -> list[tuple[str, bool]]:
    """Every imported graphc or heavy module, and whether a function hides it."""
    tree = ast.parse(path.read_text())
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        hidden = id(node) in inside
        if isinstance(node, ast.Import):
            found += [(alias.name, hidden) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.append((name if name in MODULES else node.module, hidden))
    return found


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_down_and_stand_at_the_top(module: str) -> None:
    for name, hidden in _imports(MODULES[module]):
        if not name.startswith("graphc"):
            continue
        assert name in MODULES, f"{module} imports {name}, which does not exist"
        if not _is_lazy_backend(name):
            assert not hidden, f"{module} hides the import of {name} in a function"
        if _row(name) != _row(module):
            assert _row(name) < _row(module), f"{module} imports {name}, which is not above it"


def _named(path: Path) -> list[str]:
    """The modules of graphc that are imported by a string; "" for one that is computed."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        word = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if word in BY_STRING:
            name = getattr(node.args[0], "value", None)
            if isinstance(name, str) or word != "whole":  # others are called `whole` too
                found.append(BY_STRING[word] + name if isinstance(name, str) else "")
    return [name for name in found if not name or name.split(".")[0] == "graphc"]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_by_string_point_down_too(module: str) -> None:
    for name in _named(MODULES[module]):
        if not name:
            assert module in COMPUTED, f"{module} imports a module whose name is computed"
            continue
        assert name in MODULES, f"{module} imports {name}, which does not exist"
        if (module, name) not in UPWARD:
            assert _row(name) <= _row(module), f"{module} imports {name}, which is not above it"


def test_every_upward_import_is_there() -> None:
    for module, name in UPWARD:
        assert name in _named(MODULES[module]), f"{module} imports {name} no longer"
        assert _row(name) > _row(module), f"{name} stands above {module}"


def _is_lazy_backend(name: str) -> bool:
    """Whether importing the module imports Numba, which only a compile may pay for."""
    return any(
        other == "numba" or other.startswith(("numba.", f"graphc.runtime.language.{NUMBA_FILES}"))
        for other, hidden in _imports(MODULES[name])
        if not hidden
    )


@pytest.mark.parametrize("module", sorted(MODULES))
def test_heavy_packages_are_imported_only_where_they_are_needed(module: str) -> None:
    if _is_lazy_backend(module):
        return
    for name, hidden in _imports(MODULES[module]):
        package = name.split(".")[0]
        assert hidden or package not in HEAVY, f"{module} imports {package} when it is imported"
        assert hidden or name not in MODULES or not _is_lazy_backend(name), (
            f"{module} imports {name}, and with it Numba, when it is imported"
        )


def test_the_top_level_is_what_the_readme_says() -> None:
    names = {
        path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")
    }
    sources = {name for name in names if any((ROOT / name).rglob("*.py"))}
    assert sources - {"build", "dist", "out"} == {
        "graphc",
        "passes",
        "runtime",
        "tests",
        "examples",
        "docs",
    }


@pytest.mark.parametrize("module", sorted(MODULES))
def test_files_fit_in_the_head(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= 450


def test_every_row_is_there() -> None:
    folders = {name.rpartition(".")[0] + ".*" for name in MODULES}
    assert [row for row in ROWS if row not in MODULES and row not in folders] == []

"""Imports point one way, stand at the top of their module, and heavy packages stay out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"graphc": "graphc", "passes": "graphc.passes", "runtime": "graphc.runtime"}

# Lower ranks never import higher ones. Modules of one rank may import each other only where a
# package shares it (ops, passes, runtime).
RANKS = (
    ("graphc.errors",),
    (
        "graphc.access",
        "graphc.atoms",
        "graphc.config",
        "graphc.shield",
        "graphc.dtypes",
        "graphc.garbage",
    )
    + ("graphc.operators", "graphc.trees"),
    ("graphc.dims",),
    ("graphc.types",),
    ("graphc.ir",),
    ("graphc.files", "graphc.interpret", "graphc.views"),
    ("graphc.ops",),
    ("graphc.sampling", "graphc.spaces"),
    ("graphc.nesting",),
    ("graphc.text",),
    ("graphc.verify", "graphc.viz"),
    ("graphc.passes", "graphc.runtime"),
    ("graphc.arguments",),
    ("graphc.reference",),
    ("graphc.comparing", "graphc.report"),
    ("graphc.program",),
    ("graphc.driver",),
    ("graphc.autograd.mode", "graphc.eager.size", "graphc.cuda"),
    ("graphc.eager.hot",),
    ("graphc.eager.cost", "graphc.eager.device", "graphc.eager.numpy_code", "graphc.eager.printing")
    + ("graphc.eager.promotion", "graphc.eager.quiet"),
    ("graphc.eager.signature",),
    ("graphc.autograd.graph",),
    ("graphc.eager.tensor",),
    ("graphc.eager.invoke",),
    ("graphc.eager.elementwise",),
    ("graphc.eager.composite", "graphc.eager.live"),
    ("graphc.eager.inplace",),
    ("graphc.eager.registry",),
    ("graphc.autograd.engine",),
    ("graphc.eager",),
    ("graphc.autograd",),
    ("graphc.storage",),
    ("graphc.nn", "graphc.nn.functional", "graphc.optim", "graphc.data"),
    ("graphc.jit",),
    ("graphc.contrasting",),
    ("graphc.cli",),
    ("graphc", "graphc.__main__"),
)
SHARED = ("graphc.ops", "graphc.passes", "graphc.runtime", "graphc.driver", "graphc.eager") + (
    "graphc.autograd", "graphc.nn", "graphc.nn.functional", "graphc.optim", "graphc.data",
    "graphc.jit", "graphc.contrasting",
)  # fmt: skip
NETWORKS = {"graphc.nn", "graphc.nn.functional"}
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


def _layer(module: str) -> str:
    names = [name for names in RANKS for name in names]
    fitting = [n for n in names if module == n or (module.startswith(n + ".") and n != "graphc")]
    assert fitting or module == "graphc", f"{module} has no rank: add it to RANKS"
    return max(fitting, key=len) if fitting else "graphc"


def _rank(module: str) -> int:
    layer = _layer(module)
    return next(k for k, names in enumerate(RANKS) if layer in names)


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
        if not hidden or not _is_lazy_backend(name):
            assert not hidden, f"{module} hides the import of {name} in a function"
        own, other = _layer(module), _layer(name)
        if own in SHARED and (own == other or {own, other} <= NETWORKS):
            continue
        assert _rank(name) < _rank(module), f"{module} imports {name}, which is not below it"


def _is_lazy_backend(name: str) -> bool:
    """Whether importing the module imports Numba, which only a compile may pay for."""
    return any(
        other == "numba" or other.startswith(("numba.", f"graphc.runtime.{NUMBA_FILES}"))
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
    }


@pytest.mark.parametrize("module", sorted(MODULES))
def test_files_fit_in_the_head(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= 450

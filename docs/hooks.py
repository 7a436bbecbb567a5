"""What mkdocs runs: every page is made of what is in the repository, nothing is written twice.

README.md        -> index.md            ARCHITECTURE.md -> concepts.md
CONTRIBUTING.md  -> how-to.md           CHANGELOG.md    -> changelog.md
examples/        -> tutorial.md, gallery.md, examples.md
the docstrings   -> reference/*.md      gc.onnx.coverage() -> onnx.md
"""

from __future__ import annotations

import ast
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(Path(__file__).parent))

import rooms  # noqa: E402

INCLUDED = {
    "README.md": "index.md", "ARCHITECTURE.md": "concepts.md", "CONTRIBUTING.md": "how-to.md",
    "CHANGELOG.md": "changelog.md",
}  # fmt: skip
LINKS = {**INCLUDED, "examples": "examples.md", "examples/gallery": "gallery.md"}


def on_config(config: Any) -> Any:
    """Put the reference's pages into the navigation."""
    reference = [{_title(path): path} for path in rooms.pages()]
    config["nav"] = [*config["nav"][:-1], {"Reference": reference}, config["nav"][-1]]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    made = {path: _included(name) for name, path in INCLUDED.items()}
    made["tutorial.md"] = _shown("Tutorial", ROOT / "examples" / "tutorial")
    made["gallery.md"] = _shown("Gallery", ROOT / "examples" / "gallery")
    made["onnx.md"] = onnx_operators()
    made["examples.md"] = _shown("Examples", ROOT / "examples")
    for path, content in {**made, **rooms.pages()}.items():
        files.append(File.generated(config, path, content=content))
    return files


def onnx_operators() -> str:
    """ONNX's operators and graphc's ops: how each is read, and which are written."""
    if find_spec("onnx") is None:
        return "# ONNX\n\nThis page is made where the extra `onnx` is installed.\n"
    from graphc.core.ir import OPS
    from graphc.onnx.coverage import coverage
    from graphc.onnx.exporting import exported_ops

    head, *rows = coverage().splitlines()
    lines = [f"| `{name}` | {how} |" for name, _, how in (row.partition("  ") for row in rows)]
    written = set(exported_ops())
    left = ", ".join(f"`{name}`" for name in sorted(OPS) if name not in written)
    return "\n".join([
        "# ONNX", "", f"{head}: a `*` is read by ONNX's own definition, what stands in "
        "parentheses is not read.", "", "| operator | changed in |", "|---|---|", *lines, "",
        f"Of graphc's ops {len(written)} are written; these have no form in ONNX, stand for what "
        f"has, or are none themselves: {left}.", "",
    ])  # fmt: skip


def _title(path: str) -> str:
    return path.removeprefix("reference/").removesuffix(".md")


def _included(name: str) -> str:
    """A file of the repository, its links to others leading to their pages."""
    text = (ROOT / name).read_text()
    return re.sub(r"\]\(([\w./-]+)\)", lambda m: f"]({LINKS.get(m[1], m[1])})", text)


def _shown(title: str, folder: Path) -> str:
    """The files of a folder: what each says of itself, and its code."""
    parts = [f"# {title}\n"]
    for path in sorted(folder.glob("*.py")):
        source = path.read_text()
        said = ast.get_docstring(ast.parse(source)) or ""
        code = source.partition('"""')[2].partition('"""')[2].strip()
        place = path.relative_to(ROOT)
        parts.append(f"## {path.stem.replace('_', ' ')}\n\n{rooms.prose(said)}\n\n`{place}`\n")
        parts.append(f"```python\n{code}\n```\n")
    return "\n".join(parts)

"""The documentation site: everything public is on a page, and it builds without a warning."""

from __future__ import annotations

import html
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import public
import pytest
import rooms

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = sorted({name for module in public.MODULES for name, _ in public.things(module)})


def test_every_public_name_is_on_a_page() -> None:
    text = "\n".join(rooms.pages().values())
    anchors = re.findall(r'(?:\{ #|<a id=")([\w.]+)', text)
    assert sorted(anchors) == NAMES


@pytest.mark.parametrize("module", public.MODULES)
def test_sections_of_docstrings_are_known(module: str) -> None:
    """What stands alone at the margin and ends with a colon is a section that pages show."""
    for name, thing in public.things(module):
        titles = re.findall(r"^([A-Z]\w+):$", thing.__doc__ or "", re.MULTILINE)
        assert set(titles) <= set(rooms.SECTIONS), name


def test_a_docstring_becomes_markdown() -> None:
    text = "2**x of *all* x.\n\nArgs:\n    x: floats,\n        any.\n\nExample:\n    >>> 1\n    1\n"
    assert rooms.described(text) == (
        "2\\*\\*x of \\*all\\* x.\n\n\n**Arguments**\n\n- `x`: floats, any.\n\n"
        "**Example**\n\n```pycon\n>>> 1\n1\n```\n"
    )


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    if importlib.util.find_spec("material") is None:
        pytest.skip("the extra `docs` is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    start = (tmp_path / "index.html").read_text()
    assert "graphc turns array programs into native code" in start
    for page, said in {
        "concepts": "How graphc is built", "how-to": "To add an op", "changelog": "Unreleased",
        "tutorial": "examples/tutorial/convnet.py", "gallery": "examples/gallery/kalman.py",
        "examples": "examples/your_own_layer.py",
    }.items():  # fmt: skip
        assert said in html.unescape((tmp_path / page / "index.html").read_text()), page
    ids = set()
    for path in (tmp_path / "reference").rglob("index.html"):
        ids |= set(re.findall(r'id="(graphc[\w.]*)"', path.read_text()))
    assert set(NAMES) <= ids

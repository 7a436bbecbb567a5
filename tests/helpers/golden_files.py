"""Golden files: text that was read once and must not change unnoticed.

`GRAPHC_UPDATE_GOLDEN=1 pytest tests/passes/test_pipeline.py` writes them anew; read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "golden"


def compare(name: str, text: str) -> None:
    """Assert that `text` is what `tests/golden/<name>` holds."""
    path = FOLDER / name
    if os.environ.get("GRAPHC_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"{path} does not exist; see golden_files"
    assert text == path.read_text()

"""What all tests share: a kernel cache of their own, graphs verified after every pass."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Set before graphc is imported, and inherited by pytest-xdist's workers and by subprocesses.
os.environ.setdefault("GRAPHC_CACHE_DIR", str(ROOT / ".pytest_cache" / "kernels"))
os.environ.setdefault("GRAPHC_CHECK", "1")

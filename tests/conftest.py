"""What all tests share: a kernel cache of their own, graphs verified after every pass,
memory filled with a pattern before every call."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _cache() -> Path:
    """Beside the tests, unless another user owns the checkout: code from there isn't run."""
    if os.name == "posix" and ROOT.stat().st_uid not in (0, os.geteuid()):
        return Path(tempfile.gettempdir()) / f"graphc-tests-{os.geteuid()}"
    return ROOT / ".pytest_cache" / "kernels"


# Set before graphc is imported, and inherited by pytest-xdist's workers and by subprocesses.
os.environ.setdefault("GRAPHC_CACHE_DIR", str(_cache()))
os.environ.setdefault("GRAPHC_CHECK", "1,poison")

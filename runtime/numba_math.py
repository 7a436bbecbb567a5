"""Mathematical functions of the kernel language, as Numba compiles them."""

from __future__ import annotations

from typing import Any

NAMES: dict[str, Any] = {}

"""Mathematical functions of the kernel language, run as plain Python on NumPy scalars."""

from __future__ import annotations

from typing import Any

NAMES: dict[str, Any] = {}

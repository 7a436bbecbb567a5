"""Which of a test's cases the default run tries: some of them; the rest are slow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def some(cases: Iterable[Any], every: int) -> list[Any]:
    """Cases for `parametrize`, of which each that is no multiple of `every` in order is slow."""
    return [
        pytest.param(case, marks=[pytest.mark.slow] if place % every else [])
        for place, case in enumerate(cases)
    ]


__all__ = ["some"]

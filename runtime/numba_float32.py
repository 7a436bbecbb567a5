"""float32 functions of the kernel language as formulas."""

from __future__ import annotations

from collections.abc import Callable

from graphc.runtime.numba_terms import Term

UNARY: dict[str, Callable[..., Term]] = {}
BINARY: dict[str, Callable[..., Term]] = {}

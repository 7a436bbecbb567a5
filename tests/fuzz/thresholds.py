"""The sizes at which kernels change, made small: what large programs do, small ones do as well.

    with small(): check(recipe)      # sums in blocks of 2 or 4, tiles of 4, slices of one row

Each is read when a program is lowered. Some kernels are kept for the process once they are made,
so those kept are forgotten on the way in and out.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SMALL: dict[str, dict[str, Any]] = {
    "graphc.loops.nesting": {"AGAIN": 2},
    "graphc.runtime.fused.assemble": {
        "SLICE": 1, "MAX_CHUNKS": 3, "CHUNK_WORK": 1, "CHUNK_ROWS": 1, "MOST_DEEP": 2,
    },
    "graphc.runtime.fused.blocked": {"BLOCK": 4, "ROWS": 2},
    "graphc.runtime.fused.columns": {"ROWS": 2, "FEW_COLUMNS": 2},
    "graphc.runtime.nests.shared": {"CHUNK": 2, "SLICE": 1, "NOMINAL": 2},
    "graphc.runtime.fused.joined": {"SLICE": 1, "TURN": 2},
    "graphc.runtime.fused.many": {"SLICE": 1, "BLOCK": 2},
    "graphc.runtime.nests.sort": {"RUN": 2},
    "graphc.runtime.contract.vector_kernel": {"BLOCK": 4, "LANE_DEPTH": 4, "DEPTH": 2},
    "graphc.runtime.contract.matmul_kernel": {
        "VECTOR_BLOCK": 4, "K_BLOCK": 16, "ROW_BLOCK": 2, "UNPACKED_ROWS": 1, "CHUNK": 2,
        "SLICE_WORK": 1,
    },
    "graphc.runtime.contract.integer_kernel": {"K_BLOCK": 8},
    "graphc.runtime.contract.conv_source": {"DEPTH_BLOCK": 2},
    "graphc.runtime.contract.conv_kernel": {"SLICE_WORK": 1, "COPY_GRAIN": 2},
    "graphc.runtime.base.homes": {"COPY_GRAIN": 8},
    "graphc.runtime.objects.vector_loop": {"REGISTERS": 1, "lanes": {"f32": 4, "f64": 2}.get},
    # Of one source, loops over vectors of few elements are other machine code.
    "graphc.runtime.base.kernel": {"ABI": -1},
}  # fmt: skip
_KEEPING = (
    "base.kernel", "contract.conv_plain", "contract.conv_source", "contract.integer_kernel",
    "contract.matmul_kernel", "contract.matmul_plain", "contract.vector_kernel", "fused.joined",
)  # fmt: skip


def _forget() -> None:
    for name in _KEEPING:
        for value in vars(importlib.import_module(f"graphc.runtime.{name}")).values():
            if isinstance(value, functools._lru_cache_wrapper):
                value.cache_clear()


@contextmanager
def small() -> Iterator[None]:
    """Inside, every threshold is a few elements."""
    modules = {importlib.import_module(name): values for name, values in SMALL.items()}
    # All are looked up first: changed in part, kernels that are kept would not fit new ones.
    before = [(m, {k: getattr(m, k) for k in values}) for m, values in modules.items()]
    try:
        for module, values in modules.items():
            vars(module).update(values)
        _forget()
        yield
    finally:
        for module, values in before:
            vars(module).update(values)
        _forget()

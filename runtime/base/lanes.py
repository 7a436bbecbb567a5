"""How wide this CPU's vectors are, and the shape of a matrix micro-kernel that fits its registers.

Read from the CPU's features as LLVM names them; nothing here imports Numba, since sources are
generated on a warm start too.
"""

from __future__ import annotations

import functools
import platform
from dataclasses import dataclass

from graphc.runtime.base import target

_NBYTES = {"f32": 4, "f64": 8, "i32": 4}


@dataclass(frozen=True, slots=True)
class Blocking:
    """The register tile of a matrix product.

    Attributes:
        lanes: elements of one vector.
        vectors: most vectors side by side in a tile.
        rows: heights of the tiles that are generated, highest first; the last one is 1.
    """

    lanes: int
    vectors: int
    rows: tuple[int, ...]

    @property
    def columns(self) -> int:
        """The width of a panel in elements."""
        return self.lanes * self.vectors


@functools.cache
def byte_dot() -> str:
    """How this CPU adds products of bytes; see `tile_dot_bytes`: "vnni", "pairs" or "plain"."""
    features = set(target.features().split(","))
    width = _registers()[0]
    if width == 64 and "+avx512vnni" in features:
        return "vnni"
    if width == 32 and ("+avxvnni" in features or {"+avx512vnni", "+avx512vl"} <= features):
        return "vnni"
    needed = {64: "+avx512bw", 32: "+avx2", 16: "+sse2"}[width]
    return "pairs" if needed in features else "plain"


@functools.cache
def _registers() -> tuple[int, int]:
    """Bytes of a vector register, and how many there are."""
    features = set(target.features().split(","))
    if "+avx512f" in features and "+avx512vl" in features:
        return 64, 32
    if "+avx2" in features:
        return 32, 16
    if platform.machine().lower() in ("aarch64", "arm64"):
        return 16, 32
    return 16, 16


def lanes(dtype: str) -> int:
    """How many elements of "f32", "f64" or "i32" a vector holds."""
    return _registers()[0] // _NBYTES[dtype]


def blocking(dtype: str) -> Blocking:
    """The register tile for "f32", "f64" or "i32".

    Accumulators, one row of the right operand and a broadcast element of the left one must fit:
    8 rows of 3 vectors in 32 registers, 6 rows of 2 in 16.
    """
    if _registers()[1] == 32:
        return Blocking(lanes(dtype), 3, (8, 4, 1))
    return Blocking(lanes(dtype), 2, (6, 3, 1))

"""What loop nests share: how a tensor falls into outer, axis and inner sizes, and grains."""

from __future__ import annotations

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.dtypes import DType
from graphc.core.types import Shape

# Columns that one turn of a parallel loop works on: four cache lines of float32.
CHUNK = 64
# A slice for a thread should hold at least this many element operations.
SLICE = 16_384
# What an unknown size counts for in a grain.
NOMINAL = 1024


def around(shape: Shape, axis: int, span: int = 1) -> tuple[Size, Size, Size]:
    """The number of elements before an axis, along it, and after it; of `span` axes as one."""
    end = axis + span
    return dims.product(shape[:axis]), dims.product(shape[axis:end]), dims.product(shape[end:])


def chunks(inner: Size) -> Size:
    """How many chunks of columns an inner size makes."""
    return (inner + CHUNK - 1) // CHUNK


def grain(work: Size) -> int:
    """Turns of a parallel loop a thread should take at least, each of `work` operations."""
    each = work if isinstance(work, int) else NOMINAL
    return max(1, SLICE // max(each, 1))


def wide(dtype: DType) -> str:
    """The short name of the dtype that sums are kept in: float32 for narrower floats."""
    return dtype.compute.short

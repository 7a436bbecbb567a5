"""Names for what functions take, where several types will do.

def zeros(size: ShapeLike, dtype: DTypeLike | None = None): ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import Any, SupportsIndex, TypeAlias, Union

import numpy as np

from graphc.core.dims import Dim, Size
from graphc.core.dtypes import DType
from graphc.core.operators import Operators

# A dtype, or what names one: "float32", np.float32, int.
DTypeLike: TypeAlias = DType | str | np.dtype[Any] | type
# A tensor's sizes.
ShapeLike: TypeAlias = Sequence[Size | Operators]
# One for all spatial axes, or one for each.
Ints: TypeAlias = int | Sequence[int]
# An axis, or several.
Axes: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
# One element.
Number: TypeAlias = bool | int | float | np.generic
# What functions of graphs take where they take a tensor: one, or what becomes a literal.
Operand: TypeAlias = Operators | np.ndarray[Any, Any] | Number
# What becomes a tensor: an operand, a size, or a list of numbers.
Values: TypeAlias = Operand | Dim | Sequence[Any]
# What stands in brackets: x[index].
Index: TypeAlias = Union[Values, slice, EllipsisType, "tuple[Index, ...]", None]
# A gradient rule of nodes, see `Op.vjp`; or what asks them: `passes.grad.vjp`.
Pullback: TypeAlias = Callable[..., Sequence[Any]]

__all__ = [
    "Axes", "DTypeLike", "Index", "Ints", "Number", "Operand", "Pullback", "ShapeLike",
    "Values",
]  # fmt: skip

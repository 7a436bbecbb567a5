"""Names for what functions take, where several types will do.

def zeros(size: ShapeLike, dtype: DTypeLike | None = None): ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from graphc.core.dims import Size
from graphc.core.dtypes import DType
from graphc.core.operators import Operators

# A dtype, or what names one: "float32", np.float32, int.
DTypeLike: TypeAlias = DType | str | np.dtype[Any] | type
# A tensor's sizes.
ShapeLike: TypeAlias = Sequence[Size]
# One for all spatial axes, or one for each.
Ints: TypeAlias = int | Sequence[int]
# An axis, or several.
Axes: TypeAlias = int | Sequence[int]
# One element.
Number: TypeAlias = bool | int | float | np.generic
# What functions of graphs take where they take a tensor: one, or what becomes a literal.
Operand: TypeAlias = Operators | np.ndarray[Any, Any] | Number

__all__ = ["Axes", "DTypeLike", "Ints", "Number", "Operand", "ShapeLike"]

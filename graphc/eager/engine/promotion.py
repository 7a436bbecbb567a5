"""The dtypes of eager results: PyTorch's rules, where the graph's are NumPy's.

What has axes decides over 0-d tensors, those over Python numbers, as long as the kind (bool,
integer, float) is the same; integers become the default float where an op needs floats.
Source: the "type promotion" section of PyTorch's tensor attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core import dtypes
from graphc.core.dtypes import DType
from graphc.core.ir import caller
from graphc.core.operators import Operators
from graphc.core.typing import DTypeLike
from graphc.errors import DTypeError

_ORDER = {"bool": 0, "int": 1, "uint": 1, "float": 2}


class _Default:
    """The dtype of floats that nothing else decides."""

    dtype = dtypes.float32


def get_default_dtype() -> DType:
    """The dtype of floats that nothing else decides: float32 unless set.

    Example:
        >>> import graphc as gc
        >>> gc.get_default_dtype() is gc.float32
        True
    """
    return _Default.dtype


def set_default_dtype(dtype: DTypeLike) -> None:
    """Set the dtype of floats that nothing else decides.

    Args:
        dtype: bfloat16, float16, float32 or float64.

    Example:
        >>> import graphc as gc
        >>> gc.set_default_dtype(gc.float32)
    """
    kind = dtypes.as_dtype(dtype)
    if not kind.is_float:
        raise DTypeError(
            f"set_default_dtype: {kind.name} is not a float dtype",
            where=caller(),
            hint="use gc.float32 or gc.float64",
        )
    _Default.dtype = kind


def of_number(value: bool | int | float) -> DType:
    """The dtype of a Python number that stands alone."""
    if isinstance(value, bool):
        return dtypes.bool_
    return dtypes.int64 if isinstance(value, int) else _Default.dtype


def beside(value: bool | int | float, dtype: DType) -> DType:
    """The dtype that a Python number takes beside a tensor of `dtype`."""
    own = of_number(value)
    return dtype if _ORDER[own.kind] <= _ORDER[dtype.kind] else own


def result_type(*values: Any) -> DType:
    """The dtype in which an op on these operands computes.

    Args:
        values: tensors, dtypes and Python numbers.

    Example:
        >>> import graphc as gc
        >>> gc.result_type(gc.tensor([1, 2]), 1.5)
        graphc.float32
    """
    levels: list[list[DType]] = [[], [], []]
    for value in values:
        if isinstance(value, DType):
            levels[0].append(value)
        elif not isinstance(value, Operators):
            levels[2].append(of_number(value))
        else:
            type_ = value.type
            levels[0 if type_.shape else 1].append(type_.dtype)
    best: DType | None = None
    for level in levels:
        if not level:
            continue
        found = dtypes.promote(*level) if len(level) > 1 else level[0]
        found = _torch_pair(level, found)
        if best is None or _ORDER[found.kind] > _ORDER[best.kind]:
            best = found
    return best or _Default.dtype


def _torch_pair(level: Sequence[DType], found: DType) -> DType:
    """NumPy makes float64 of int32 and float32; PyTorch keeps the float."""
    floats = [d for d in level if d.is_float]
    return dtypes.promote(*floats) if floats else found


def promote(values: Sequence[Any], how: str) -> DType:
    """The rule to install with `declare.promotion`, see `declare.common_dtype` for `how`."""
    dtype = result_type(*values)
    if how == "common" or how == "number" or dtype.is_float:
        return dtype
    return _Default.dtype

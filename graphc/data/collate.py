"""From a list of samples to a batch: tensors stacked, structures kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.dtypes import DType, as_dtype
from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import ArgumentError, ShapeError


def default_collate(batch: Sequence[Any]) -> Any:
    """A batch of samples: tensors and arrays stacked, numbers as a tensor, containers by part.

    Args:
        batch: samples of one structure.

    Returns:
        The structure with tensors of one more axis; strings as lists.

    Raises:
        ShapeError: tensors of different shapes.
        ArgumentError: samples of a kind, or of lengths, that cannot be batched.

    Example:
        >>> import graphc as gc
        >>> gc.data.default_collate([(1, 2.0), (3, 4.0)])
        [tensor([1, 3]), tensor([2., 4.], dtype=torch.float64)]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return wrap(_stacked([x._array for x in batch]))
    if isinstance(first, np.ndarray):
        return wrap(_stacked(batch))
    if isinstance(first, np.generic | bool | int | float):
        return wrap(_numbers(batch))
    if isinstance(first, str | bytes):
        return list(batch)
    if isinstance(first, Mapping):
        return _same_kind(first, {key: default_collate([d[key] for d in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(part) for part in zip(*batch)))
    if isinstance(first, tuple | list):
        if any(len(sample) != len(first) for sample in batch):
            raise ArgumentError(
                f"samples of {sorted({len(s) for s in batch})} parts cannot be one batch",
                where=caller(),
                hint="give the loader a collate_fn that pads or lists them",
            )
        return [default_collate(part) for part in zip(*batch)]
    raise ArgumentError(
        f"samples of {type(first).__name__} cannot be one batch",
        where=caller(),
        hint="return tensors, arrays, numbers, strings, or tuples, lists and dicts of them; or "
        "give the loader a collate_fn",
    )


def _stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    shape = arrays[0].shape
    if any(a.shape != shape for a in arrays):
        shapes = sorted({a.shape for a in arrays})[:4]
        raise ShapeError(
            f"samples of shapes {' and '.join(map(str, shapes))} cannot be one batch",
            where=caller(),
            hint="resize or pad them, or give the loader a collate_fn",
        )
    # As eager code would promote them: no sample loses what it holds to the first one's dtype.
    result = np.empty((len(arrays), *shape), _common([as_dtype(a.dtype) for a in arrays]))
    for place, array in enumerate(arrays):
        result[place] = array
    return result


def _numbers(batch: Sequence[Any]) -> np.ndarray:
    """Numbers of Python and of NumPy as a vector of the dtype that holds them all."""
    found = []
    for value in batch:
        if isinstance(value, np.generic):
            found.append(as_dtype(value.dtype))
        elif isinstance(value, bool):
            found.append(dtypes.bool_)
        elif isinstance(value, int | float):
            found.append(dtypes.int64 if isinstance(value, int) else dtypes.float64)
        else:
            raise ArgumentError(
                f"a sample of {type(value).__name__} among numbers cannot be in one batch",
                where=caller(),
            )
    return np.array(batch, _common(found))


def _common(found: Sequence[DType]) -> np.dtype:
    floats = [d for d in found if d.is_float]
    return dtypes.promote(*(floats or found)).numpy


def _same_kind(like: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    try:
        return type(like)(values)  # type: ignore[call-arg]
    except TypeError:
        return values


def default_convert(data: object) -> Any:
    """One sample with its arrays as tensors, for loaders without batches.

    Example:
        >>> import numpy as np, graphc as gc
        >>> gc.data.default_convert(np.ones(1, np.float32))
        tensor([1.])
    """
    if isinstance(data, np.ndarray):
        return wrap(data)
    if isinstance(data, Mapping):
        return _same_kind(data, {key: default_convert(v) for key, v in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(v) for v in data))
    if isinstance(data, tuple | list):
        return [default_convert(v) for v in data]
    return data


__all__ = ["default_collate", "default_convert"]

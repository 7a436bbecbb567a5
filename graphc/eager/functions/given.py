"""What tensors are made of: numbers, nested lists, arrays and tensors, as one array."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core.dlpack import as_array
from graphc.core.dtypes import DType, as_dtype
from graphc.core.ir import Node, caller
from graphc.core.trees import flatten
from graphc.core.typing import DTypeLike, Values
from graphc.eager.engine import promotion
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError, DTypeError
from graphc.ops.elementwise.cast import to_integer


def data_array(
    data: Values, dtype: DTypeLike | None = None, seen: list[Tensor] | None = None
) -> np.ndarray:
    """Data as an array of PyTorch's choice of dtype: Python floats are of the default dtype.

    Args:
        data: a number, nested lists, an array or a tensor.
        dtype: by the data unless given.
        seen: gets the tensors that it is, or has in lists.

    Raises:
        ArgumentError: the data is ragged or not numeric.
    """
    seen = [] if seen is None else seen
    if isinstance(data, Tensor):
        seen.append(data)
        array = data.detach().numpy()
        return np.array(array, None if dtype is None else as_dtype(dtype).numpy, copy=True)
    if isinstance(data, Node):
        raise ArgumentError(
            f"tensor: {data!r:.60} is symbolic and has no value",
            [data.describe()],
            where=caller(),
            hint="use it as it is, or gc.as_tensor, which gives it back; what a call of a compiled "
            "program returns has values",
        )
    try:
        array = np.array(_plain(data, seen))
        own = as_dtype(array.dtype)
    except (ValueError, TypeError, DTypeError):
        raise ArgumentError(
            f"tensor: {type(data).__name__} {data!r:.60} is not numbers in a regular shape",
            where=caller(),
            hint="every row must have the same length, every element be a number"
            + ("; gc.stack joins symbolic tensors" if _has_nodes(data) else ""),
        ) from None
    if dtype is not None:
        if not hasattr(data, "__array__"):
            check_fits(array, as_dtype(dtype))
        wanted = as_dtype(dtype)
        if own.is_float and wanted.is_integer:
            return np.asarray(to_integer(array, wanted.numpy), order="C")
        return array.astype(wanted.numpy, order="C")
    typed = isinstance(data, np.ndarray | np.generic) or hasattr(data, "__array__")
    if not typed and (own.is_float or array.size == 0) and not _holds_arrays(data):
        array = array.astype(promotion.get_default_dtype().numpy)
    return np.asarray(array, order="C")


def check_fits(array: np.ndarray, dtype: DType) -> None:
    """Refuse Python numbers that an integer dtype cannot hold.

    Raises:
        ArgumentError: one is beyond it, or not finite.
    """
    if not dtype.is_integer or array.dtype.kind == "b" or not array.size:
        return
    limits = np.iinfo(dtype.numpy)
    whole = np.trunc(array)
    # PyTorch lets a negative number wrap around in an unsigned dtype.
    least = -limits.max if dtype.kind == "uint" else limits.min
    bad = array[~((whole >= least) & (whole <= limits.max))]
    if bad.size:
        raise ArgumentError(
            f"{bad.flat[0]} is not a value of {dtype.name}, which holds {limits.min} to "
            f"{limits.max}",
            where=caller(),
        )


def _plain(data: Any, seen: list[Tensor]) -> Any:
    """Nested lists with their tensors as arrays or numbers."""
    if isinstance(data, list | tuple):
        return [_plain(v, seen) for v in data]
    if isinstance(data, Tensor):
        seen.append(data)
        return data.detach().numpy()[()]
    if hot.slow and tracing.trace is not None and tracing.trace.is_size(data):
        return int(data)
    # Asked without `copy`, which the __array__ of some libraries does not take.
    return as_array(data) if hasattr(data, "__array__") else data


def _has_nodes(data: Values) -> bool:
    return any(isinstance(leaf, Node) for leaf in flatten(data)[0])


def _holds_arrays(data: Values) -> bool:
    while isinstance(data, list | tuple) and data:
        data = data[0]
    return isinstance(data, np.ndarray | np.generic | Tensor)

"""Arrays of every dtype whose elements lie in memory in one way or another."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from graphc.core import dtypes

DTYPES = tuple(dtype.name for dtype in dtypes.ALL)
# Arrays of one element order or another, over fresh memory: from 24 elements of any dtype.
LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "0-d": lambda a: a[3:4].reshape(()),
    "1-d": lambda a: a,
    "contiguous": lambda a: a.reshape(2, 3, 4),
    "transposed": lambda a: a.reshape(4, 6).T,
    "stepped": lambda a: a[::3],
    "backwards": lambda a: a[::-1],
    "a column": lambda a: a.reshape(4, 6)[:, 2],
    "a block": lambda a: a.reshape(4, 6)[1:3, 2:5],
    "broadcast": lambda a: np.lib.stride_tricks.as_strided(a, (3, 4), (0, a.itemsize)),
    "empty": lambda a: a[:0].reshape(0, 3),
}


def elements(dtype: str, count: int = 24) -> np.ndarray:
    return (np.arange(count) % 2 if dtype == "bool" else np.arange(count)).astype(dtype)


def laid_out(layout: str, dtype: str = "float32") -> np.ndarray:
    return LAYOUTS[layout](elements(dtype))


def assert_same(tensor: Any, array: np.ndarray) -> None:
    """Equal elements, shape and dtype."""
    assert tuple(tensor.shape) == array.shape
    assert tensor.dtype.name == array.dtype.name
    assert np.array_equal(tensor.numpy(), array)


def as_torch(torch: Any, array: np.ndarray) -> Any:
    """PyTorch's tensor over an array's memory, bfloat16 by the bits."""
    if array.dtype.name != "bfloat16":
        return torch.from_numpy(array)
    return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)


def from_torch(tensor: Any) -> np.ndarray:
    """The array of a tensor of PyTorch's."""
    tensor = tensor.detach()
    if str(tensor.dtype) != "torch.bfloat16":
        return tensor.numpy()
    words = import_module("torch").int16
    return tensor.contiguous().view(words).numpy().view("bfloat16")


def shares_memory(tensor: Any, array: np.ndarray) -> bool:
    return np.shares_memory(tensor.detach().numpy(), array)

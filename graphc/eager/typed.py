"""Tensors by PyTorch's older names of their dtypes: `FloatTensor`, `LongTensor` ...

gc.LongTensor([0, 2, 1])        # gc.tensor([0, 2, 1], dtype=gc.int64)
gc.FloatTensor(2, 3)            # sizes
isinstance(x, gc.FloatTensor)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core.dtypes import ALL, DType
from graphc.eager.engine.device import check_device
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.functions.creation import tensor


class _Named(type):
    """A class that stands for the tensors of one dtype."""

    dtype: DType
    place: str

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Tensor) and value.dtype is cls.dtype and cls.place == "cpu"

    def __call__(cls, *data: Any) -> Any:
        check_device(cls.place)
        if all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in data):
            return wrap(np.zeros(data or (0,), cls.dtype.numpy))
        (values,) = data
        return tensor(values, dtype=cls.dtype)


def _named(dtype: DType, place: str) -> Any:
    name = f"{dtype.title}Tensor"
    module = "" if place == "cpu" else f"{place}."
    example = f"gc.{module}{name}" + ("(2).shape" if place == "cpu" else ".dtype")
    printed = "graphc.Size([2])" if place == "cpu" else repr(dtype)
    doc = f"""Tensors of {dtype.name} on the device {place}: of sizes, of a list or of an array.

    `isinstance(x, gc.{module}{name})` asks for the dtype.

    Args:
        data: sizes one by one, or what `gc.tensor` takes.

    Example:
        >>> import graphc as gc
        >>> {example}
        {printed}
    """
    return _Named(
        name, (), {"__doc__": doc, "dtype": dtype, "place": place, "__module__": "graphc"}
    )


# Those that PyTorch has, by name.
TYPED: dict[str, Any] = {
    f"{dtype.title}Tensor": _named(dtype, "cpu")
    for dtype in ALL
    if dtype.kind != "uint" or dtype.itemsize == 1
}
ON_CUDA: dict[str, Any] = {name: _named(kind.dtype, "cuda") for name, kind in TYPED.items()}

__all__ = ["ON_CUDA", "TYPED"]

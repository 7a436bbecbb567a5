"""PyTorch's settings of a whole program, as far as they mean something here."""

from __future__ import annotations

import os
from typing import Any

from graphc import config
from graphc.core.ir import caller
from graphc.eager.engine import promotion
from graphc.eager.engine.device import CPU, check_device, device
from graphc.errors import AttributeValueError

_PRECISIONS = ("highest", "high", "medium")
_precision = "highest"


def set_float32_matmul_precision(precision: str) -> None:
    """Say how exact products of float32 matrices must be. They are always exact to float32.

    Args:
        precision: "highest", "high" or "medium"; only `get_float32_matmul_precision` tells of it.

    Example:
        >>> import graphc as gc
        >>> gc.set_float32_matmul_precision("highest")
    """
    global _precision
    if precision not in _PRECISIONS:
        raise AttributeValueError(
            f"set_float32_matmul_precision: {precision!r} is none of {', '.join(_PRECISIONS)}",
            where=caller(),
        )
    _precision = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was told last.

    Example:
        >>> import graphc as gc
        >>> gc.get_float32_matmul_precision()
        'highest'
    """
    return _precision


def set_default_tensor_type(type: Any) -> None:
    """Set the dtype of floats that are made of Python's numbers.

    Args:
        type: `gc.FloatTensor`, `gc.DoubleTensor` ..., or such a name.

    Example:
        >>> import graphc as gc
        >>> gc.set_default_tensor_type(gc.FloatTensor)
    """
    if isinstance(type, str):
        word = type.removeprefix("torch.").removesuffix("Tensor")
        type = {"Float": "float32", "Double": "float64", "Half": "float16"}.get(word, word)
    elif getattr(type, "place", "cpu") != "cpu":
        check_device(type.place)
    promotion.set_default_dtype(getattr(type, "dtype", type))


def set_default_device(device: Any) -> None:
    """Say where new tensors are to be: the CPU, where they are anyway.

    Raises:
        AttributeValueError: it is another device.

    Example:
        >>> import graphc as gc
        >>> gc.set_default_device("cpu")
    """
    check_device(device)


def get_default_device() -> device:
    """Where new tensors are: the CPU.

    Example:
        >>> import graphc as gc
        >>> gc.get_default_device()
        device(type='cpu')
    """
    return CPU


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for results that do not change from run to run, as they never do.

    Example:
        >>> import graphc as gc
        >>> gc.use_deterministic_algorithms(True)
    """


def are_deterministic_algorithms_enabled() -> bool:
    """Whether results are the same from run to run: always.

    Example:
        >>> import graphc as gc
        >>> gc.are_deterministic_algorithms_enabled()
        True
    """
    return True


def set_num_threads(num: int) -> None:
    """Set how many threads a call of compiled code uses at most.

    Example:
        >>> import graphc as gc
        >>> gc.set_num_threads(gc.get_num_threads())
    """
    if type(num) is not int or num < 1:
        raise AttributeValueError(f"set_num_threads: {num!r} is no number of threads")
    os.environ["GRAPHC_THREADS"] = str(num)


def get_num_threads() -> int:
    """How many threads a call of compiled code uses at most.

    Example:
        >>> import graphc as gc
        >>> gc.get_num_threads() > 0
        True
    """
    return config.current().threads or len(os.sched_getaffinity(0))


def typename(obj: Any) -> str:
    """The name of a tensor's type, as PyTorch has it, or of any other object's class.

    Example:
        >>> import graphc as gc
        >>> gc.typename(gc.ones(1))
        'torch.FloatTensor'
    """
    if hasattr(obj, "is_eager") and obj.is_eager:
        return obj.type()
    return f"{type(obj).__module__}.{type(obj).__qualname__}".removeprefix("builtins.")


__all__ = [
    "are_deterministic_algorithms_enabled", "get_default_device", "get_float32_matmul_precision",
    "get_num_threads", "set_default_device", "set_default_tensor_type",
    "set_float32_matmul_precision", "set_num_threads", "typename",
    "use_deterministic_algorithms",
]  # fmt: skip

"""How tensors leave and enter: NumPy arrays, DLPack, the array API, pickles and copies.

Importing this module gives `Tensor` the methods that other libraries look for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core import dlpack
from graphc.core.ir import caller
from graphc.eager.engine.drawn import share_mark
from graphc.eager.engine.registry import EAGER
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.functions import creation
from graphc.eager.methods import methods
from graphc.errors import ArgumentError

# Under NumPy's name stands another function, PyTorch's.
OWN_NAMES = {"equal": "eq", "not_equal": "ne"}


def special(function: Callable[..., Any]) -> None:
    """Make a function a method of `Tensor`."""
    setattr(Tensor, function.__name__, function)


@special
def __array__(self: Tensor, dtype: Any = None, copy: Any = None) -> np.ndarray:
    array = self.numpy()
    if dtype is None or np.dtype(dtype) == array.dtype:
        return array.copy() if copy else array
    if copy is False:
        raise ValueError(f"a tensor of {array.dtype} is not an array of {dtype} without a copy")
    return array.astype(dtype)


@special
def __dlpack__(self: Tensor, **kwargs: Any) -> Any:
    return dlpack.write(self.numpy(), **{k: v for k, v in kwargs.items() if v is not None})


@special
def __dlpack_device__(self: Tensor) -> Any:
    return self._array.__dlpack_device__()


@special
def __array_namespace__(self: Tensor, *, api_version: str | None = None) -> Any:
    """The module whose functions take tensors."""
    return sys.modules["graphc"]  # which imports this module


@special
def __array_ufunc__(
    self: Tensor, ufunc: np.ufunc, method: str, *inputs: Any, **settings: Any
) -> Any:
    """NumPy's elementwise functions are graphc's, where graphc has them: np.exp(x) is gc.exp(x).

    With `out=` arrays, or by other ways than a call, they are NumPy's, on the tensors' arrays.
    """
    function = EAGER.get(OWN_NAMES.get(ufunc.__name__, ufunc.__name__))
    if method == "__call__" and not settings and function is not None:
        return function(*inputs)
    if any(isinstance(out, Tensor) for out in settings.get("out", ())):
        return NotImplemented
    arrays = [x.numpy() if isinstance(x, Tensor) else x for x in inputs]
    return getattr(ufunc, method)(*arrays, **settings)


def rebuild(array: np.ndarray, requires_grad: bool, class_: type[Tensor] = Tensor) -> Tensor:
    """A tensor from what a pickle or a copy holds of one."""
    result = wrap(array)
    result.__class__ = class_
    return result.requires_grad_() if requires_grad else result


@special
def __reduce_ex__(self: Tensor, protocol: int) -> Any:
    """What a pickle holds: the elements, and requires_grad. What was computed becomes a leaf."""
    array = methods.concrete(self, "a pickle")
    array = np.ascontiguousarray(array).reshape(array.shape)
    return rebuild, (array, self.requires_grad, type(self))


@special
def __copy__(self: Tensor) -> Tensor:
    """Another leaf over the same memory."""
    result = self.detach()
    result.__class__ = self.__class__
    return result.requires_grad_(self.requires_grad)


@special
def __deepcopy__(self: Tensor, memo: dict[int, Any]) -> Tensor:
    if not self.is_leaf:
        raise ArgumentError(
            "deepcopy: the tensor was computed and has a history",
            where=caller(),
            hint="copy x.detach(), or use x.clone()",
        )
    result = rebuild(self._array.copy(), self.requires_grad, type(self))
    share_mark(result, self)
    if self.grad is not None:
        result.grad = rebuild(self.grad._array.copy(), False)
    memo[id(self)] = result
    return result


def from_dlpack(source: Any) -> Tensor:
    """A tensor over the memory of any object with `__dlpack__`, without a copy.

    Example:
        >>> import numpy as np, graphc as gc
        >>> gc.from_dlpack(np.ones(2, np.float32))
        tensor([1., 1.])
    """
    if not hasattr(source, "__dlpack__"):
        raise ArgumentError(
            f"from_dlpack: {type(source).__name__} {source!r:.60} has no __dlpack__",
            where=caller(),
            hint="use gc.tensor(...)",
        )
    return creation.from_numpy(dlpack.read(source))


__all__ = ["from_dlpack", "rebuild"]

"""What Python asks of a `Tensor` by its own names: text, truth, length, numbers; and properties.

Importing this module gives `Tensor` these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.eager.engine import promotion
from graphc.eager.engine.device import CPU
from graphc.eager.engine.hot import tracing
from graphc.eager.engine.tensor import Tensor, TensorLike
from graphc.eager.functions import parts, shapes
from graphc.eager.methods import methods
from graphc.eager.methods.printing import tensor_text
from graphc.errors import ArgumentError, ShapeError


def _property(name: str) -> Callable[[Callable[..., Any]], None]:
    def enter(function: Callable[..., Any]) -> None:
        setattr(Tensor, name, property(function, doc=function.__doc__))

    return enter


@_property("T")
def _transposed(self: Tensor) -> Tensor:
    """A view with the axes reversed.

    Example:
        >>> import graphc as gc
        >>> gc.tensor([[1, 2], [3, 4]]).T
        tensor([[1, 3],
                [2, 4]])
    """
    return shapes.transposed(self)


@_property("mT")
def _matrix_transposed(self: Tensor) -> Tensor:
    """A view with the last two axes exchanged.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(5, 2, 3).mT.shape
        graphc.Size([5, 3, 2])
    """
    return shapes.transpose(self, -2, -1)


@_property("device")
def _device(self: Tensor) -> Any:
    """Where the tensor lives: the CPU.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2).device
        device(type='cpu')
    """
    return CPU


@_property("is_cuda")
def _is_cuda(self: Tensor) -> bool:
    """Whether it lives on a CUDA device.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2).is_cuda
        False
    """
    return False


@_property("itemsize")
def _itemsize(self: Tensor) -> int:
    """The bytes of one element.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2).itemsize
        4
    """
    return self.dtype.itemsize


@_property("nbytes")
def _nbytes(self: Tensor) -> int:
    """The bytes of all elements.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2, 3).nbytes
        24
    """
    return self._array.size * self._array.itemsize


def _special(function: Callable[..., Any]) -> None:
    setattr(Tensor, function.__name__, function)


@_special
def __repr__(self: Tensor) -> str:
    if self._node is not None and not (tracing.trace and tracing.trace.shows_values):
        return f"<traced {self._node.type}>"
    fn = self.grad_fn
    return tensor_text(
        methods.concrete(self, "repr()"),
        requires_grad=self.requires_grad and fn is None,
        grad_fn=None if fn is None else fn.name,
        class_name=type(self).__name__,
        default_dtype=promotion.get_default_dtype().numpy,
    )


@_special
def __str__(self: Tensor) -> str:
    return repr(self)


@_special
def __format__(self: Tensor, spec: str) -> str:
    if self.ndim == 0:
        return format(self.item(), spec)
    if spec:
        raise ArgumentError(
            f"the format {spec!r} is for one number, not for a tensor of shape {tuple(self.shape)}",
            where=caller(),
            hint="format its elements, which x.tolist() gives",
        )
    return repr(self)


@_special
def __bool__(self: Tensor) -> bool:
    array = methods.concrete(self, "bool()")
    if array.size != 1:
        raise ShapeError(
            f"the truth of a tensor of shape {tuple(self.shape)} is ambiguous",
            where=caller(),
            hint="use x.any() or x.all()",
        )
    return bool(array.item())


def _as_number(kind: type) -> Callable[[Tensor], Any]:
    def convert(self: Tensor) -> Any:
        array = methods.concrete(self, f"{kind.__name__}()")
        if array.size != 1:
            raise ShapeError(
                f"{kind.__name__}() of a tensor of shape {tuple(self.shape)}, not of one element",
                where=caller(),
            )
        return kind(array.item())

    return convert


for _kind in (float, int, complex):
    setattr(Tensor, f"__{_kind.__name__}__", _as_number(_kind))


@_special
def __index__(self: Tensor) -> int:
    if self.ndim or not self.dtype.is_integer:
        raise ArgumentError(
            f"only a 0-d tensor of integers can be an index, not {self.type}", where=caller()
        )
    return int(methods.concrete(self, "int()"))


@_special
def __len__(self: Tensor) -> int:
    if not self.ndim:
        raise ArgumentError("len() of a 0-d tensor", where=caller())
    return self.shape[0]


@_special
def __iter__(self: Tensor) -> Iterator[Any]:
    if not self.ndim:
        raise ArgumentError("iteration over a 0-d tensor", where=caller())
    return iter(parts.unbind(self, 0))


@_special
def __contains__(self: Tensor, value: TensorLike) -> bool:
    if not isinstance(value, Tensor | bool | int | float | np.generic | np.ndarray):
        raise ArgumentError(
            f"in: {type(value).__name__} {value!r:.60} is no element of a tensor",
            where=caller(),
            hint="look for a number or a tensor",
        )
    return bool((self == value).any())

"""Methods of `Tensor` that are about the tensor itself: values, copies, conversions, gradients.

Operations become methods in `facade`, from the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS
from graphc.core.typing import DTypeLike, Values
from graphc.eager.engine.changes import changes
from graphc.eager.engine.composite import read_only, store
from graphc.eager.engine.drawn import AS_NUMBERS, lose, share_mark
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.mode import state
from graphc.eager.engine.registry import EAGER, as_axis, as_eager, call, named
from graphc.eager.engine.tape import AccumulateGrad
from graphc.eager.engine.tensor import Tensor, TensorLike, new
from graphc.eager.functions.inplace import check_leaf_view, overwrite, take_history, zero_cost_copy
from graphc.errors import ArgumentError, GradientError, ShapeError, TraceError
from graphc.ops.declare import check_axis

METHODS: dict[str, Any] = {}


def method(function: Callable[..., Any]) -> Any:
    """Make a function a method of tensors."""
    METHODS[function.__name__] = function
    return function


def concrete(self: Tensor, what: str) -> np.ndarray:
    """The tensor's array, where Python asks for values.

    Raises:
        TraceError: the tensor is traced, so it has none.
    """
    if self._node is not None:
        return value_of_traced(self, what)
    if hot.slow and tracing.trace is not None:
        tracing.trace.value_read(self, what)
    return self._array


def layout(self: Tensor) -> np.ndarray:
    """An array of the tensor's shape and strides; the values of a traced one mean nothing."""
    return self._array if self._node is None else tracing.trace.layout(self)


def value_of_traced(self: Tensor, what: str) -> np.ndarray:
    """The value of a traced tensor, where the trace has a way to give one."""
    if tracing.trace is None:
        raise TraceError(
            f"{what} of a traced tensor: the trace that made it has ended",
            [f"the tensor: {self._node.type}, made at {self._node.origin}"],
            where=caller(),
            hint="return it from the traced function, and use what a call returns",
        )
    return tracing.trace.value_of(self, what)


@method
def numpy(self: Tensor, *, force: bool = False) -> np.ndarray:
    """The tensor's memory as a NumPy array.

    Args:
        force: also of a tensor that requires a gradient.

    Raises:
        GradientError: the tensor requires a gradient.

    Example:
        >>> import graphc as gc
        >>> gc.ones(2).numpy()
        array([1., 1.], dtype=float32)
    """
    if self._edge is not None and not force:
        raise GradientError(
            "numpy: the tensor requires a gradient, which an array cannot carry",
            where=caller(),
            hint="use x.detach().numpy()",
        )
    return concrete(self, "numpy()")


@method
def item(self: Tensor) -> Any:
    """The one element as a Python number.

    Raises:
        ShapeError: the tensor has not exactly one element.

    Example:
        >>> import graphc as gc
        >>> gc.tensor(2.5).item()
        2.5
    """
    array = concrete(self, "item()")
    if array.size != 1:
        raise ShapeError(
            f"item: a tensor of shape {tuple(array.shape)} has {array.size} elements, not one",
            where=caller(),
            hint="use x.tolist()",
        )
    return array.item()


@method
def tolist(self: Tensor) -> Any:
    """The elements as nested lists of Python numbers.

    Example:
        >>> import graphc as gc
        >>> gc.tensor([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]
    """
    return concrete(self, "tolist()").tolist()


@method
def detach(self: Tensor) -> Tensor:
    """The same memory without history.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2, requires_grad=True)
        >>> (x * 2).detach()
        tensor([2., 2.])
    """
    if self._node is not None:
        return tracing.trace.detach(self)
    result = new(Tensor)
    # An array of its own: `data = other` of one of them is not that of the other.
    result._array = self._array.view()
    result._edge = None
    result._version = self.version()
    share_mark(result, self)
    return result


@method
def detach_(self: Tensor) -> Tensor:
    """Drop the tensor's history, in place.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2, requires_grad=True)
        >>> (x * 2).detach_()
        tensor([2., 2.])
    """
    changes.count += 1
    self._edge = None
    return self


@named("CloneBackward0")
def _clone(x: Any) -> Any:
    return FUNCTIONS["reshape"](FUNCTIONS["flatten"](x), x.type.shape)


@method
def clone(self: Tensor, *, memory_format: object = None) -> Tensor:
    """A copy, whose gradient flows back to the tensor.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2)
        >>> _ = x.clone().zero_()
        >>> x
        tensor([1., 1.])
    """
    return call(_clone, self)


@method
def contiguous(self: Tensor, memory_format: object = None) -> Tensor:
    """The tensor itself when its elements are in order in memory, else a copy in order.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2, 3).T.contiguous().stride()
        (2, 1)
    """
    if layout(self).flags.c_contiguous:
        return self
    if self._node is not None:
        return self.clone()
    copy = self.clone()
    copy._array = np.ascontiguousarray(copy._array)
    return copy


@method
def is_contiguous(self: Tensor, memory_format: object = None) -> bool:
    """Whether the elements are in order in memory.

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(2, 3)
        >>> x.is_contiguous(), x.T.is_contiguous()
        (True, False)
    """
    return bool(layout(self).flags.c_contiguous)


@method
def stride(self: Tensor, dim: int | None = None) -> Any:
    """For each axis (or one), the distance in elements from one place to the next.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2, 3).stride()
        (3, 1)
    """
    array = layout(self)
    strides = tuple(s // array.itemsize for s in array.strides)
    return strides if dim is None else strides[dim]


@method
def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or the size of one axis.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2, 3).size(), gc.zeros(2, 3).size(1)
        (graphc.Size([2, 3]), 3)
    """
    if dim is None:
        return self.shape
    if self._node is None:
        try:
            return self._array.shape[dim]
        except IndexError:
            raise ShapeError(
                f"size: axis {dim} of a tensor of shape {tuple(self.shape)}", where=caller()
            ) from None
    return self.shape[dim]


@method
def dim(self: Tensor) -> int:
    """The number of axes.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2, 3).dim()
        2
    """
    return self.ndim


@method
def numel(self: Tensor) -> Any:
    """The number of elements.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2, 3).numel()
        6
    """
    return math.prod(self.shape)


@method
def nelement(self: Tensor) -> Any:
    """The number of elements.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2, 3).nelement()
        6
    """
    return math.prod(self.shape)


@method
def element_size(self: Tensor) -> int:
    """The bytes of one element.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2).element_size()
        4
    """
    return self.dtype.itemsize


@method
def data_ptr(self: Tensor) -> int:
    """The address of the first element.

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(4)
        >>> x[1:].data_ptr() - x.data_ptr()
        4
    """
    return concrete(self, "data_ptr()").ctypes.data


@named("CopyBackwards")
def _copied(x: Any, value: TensorLike) -> Any:
    value = FUNCTIONS["cast"](value, x.type.dtype, "wrap")
    return FUNCTIONS["broadcast_to"](value, x.type.shape)


@method
def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Write the elements of src, broadcast and converted, into the tensor's memory.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2).copy_(gc.tensor([1, 2]))
        tensor([1., 2.])
    """
    value = as_eager(src, self)
    check_leaf_view(self)
    leaf = self._edge is not None and isinstance(self._edge[0], AccumulateGrad)
    recorded = state.enabled and (value._edge is not None or self._edge is not None)
    if recorded or leaf or hot.slow:
        whole = self if recorded and not leaf else self.detach()
        new_value = call(_copied, whole, value)
        store(self, new_value)
        if state.enabled and not (hot.slow and tracing.trace is not None):
            take_history(self, new_value)
        return self
    try:
        overwrite(self, value)
    except ValueError:
        if not self._array.flags.writeable:
            raise read_only() from None
        raise ShapeError(
            f"a value of shape {tuple(value.shape)} does not broadcast to {tuple(self.shape)}",
            where=caller(),
        ) from None
    return self


@method
def fill_(self: Tensor, value: TensorLike) -> Tensor:
    """Write one number to every place.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2).fill_(7)
        tensor([7., 7.])
    """
    return self.copy_(value)


@method
def zero_(self: Tensor) -> Tensor:
    """Write 0 to every place.

    Example:
        >>> import graphc as gc
        >>> gc.ones(2).zero_()
        tensor([0., 0.])
    """
    return self.copy_(0)


@method
def set_(self: Tensor, source: Tensor) -> Tensor:
    """Take over the memory of another tensor.

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(2)
        >>> _ = x.set_(gc.ones(3))
        >>> x
        tensor([1., 1., 1.])
    """
    self.data = source
    return self


@method
def new_tensor(
    self: Tensor, data: Values, *, dtype: DTypeLike | None = None, requires_grad: bool = False
) -> Any:
    """A tensor of data in this one's dtype.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(1, dtype=gc.float64).new_tensor([1, 2])
        tensor([1., 2.], dtype=torch.float64)
    """
    return EAGER["tensor"](
        data, dtype=self.dtype if dtype is None else dtype, requires_grad=requires_grad
    )


def _new(name: str) -> None:
    def make(self: Tensor, *size: Any, dtype: DTypeLike | None = None, **kw: Any) -> Any:
        return EAGER[name](*size, dtype=self.dtype if dtype is None else dtype, **kw)

    make.__name__ = f"new_{name}"
    make.__doc__ = f"""`gc.{name}` in this tensor's dtype.

    Example:
        >>> import graphc as gc
        >>> gc.tensor([1, 2]).new_{name}({"(3,), 7" if name == "full" else "3"}).dtype
        graphc.int64
    """
    METHODS[make.__name__] = make


for _name in ("zeros", "ones", "empty", "full"):
    _new(_name)


@method
def select(self: Tensor, dim: int, index: int) -> Tensor:
    """A view of one slice along an axis, without the axis.

    Example:
        >>> import graphc as gc
        >>> gc.tensor([[1, 2], [3, 4]]).select(1, 0)
        tensor([1, 3])
    """
    axis = check_axis("select", as_axis(dim), self.ndim)
    return self[(slice(None),) * axis + (index,)]


@method
def apply_(self: Tensor, function: Callable[..., Any]) -> Tensor:
    """Write `function(element)` to every place; slow, one Python call each.

    Example:
        >>> import graphc as gc
        >>> gc.tensor([1.0, 2.0]).apply_(lambda element: 10 * element)
        tensor([10., 20.])
    """
    if self._edge is not None:
        raise ArgumentError("apply_: the tensor requires a gradient", where=caller())
    array = concrete(self, "apply_()")
    before = self.detach()
    zero_cost_copy(self, np.vectorize(function, otypes=[array.dtype])(array))
    return lose(self, [before], AS_NUMBERS)


__all__ = ["METHODS", "concrete"]

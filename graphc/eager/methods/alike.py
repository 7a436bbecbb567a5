"""Methods by PyTorch's names that take another tensor's shape, change axes in place, or ask.

x.view_as(y)
x.unsqueeze_(0)
x.unfold(0, size=3, step=1)
"""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.registry import EAGER, as_axis
from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions.inplace import check_leaf_view, write
from graphc.eager.methods.methods import METHODS, method
from graphc.errors import ArgumentError, ShapeError, TraceError
from graphc.ops.declare import check_axis

# Asked of every tensor, and never so.
NEVER = (
    "is_sparse", "is_quantized", "is_meta", "is_mkldnn", "is_mps", "is_xpu", "is_nested",
    "is_sparse_csr",
)  # fmt: skip


@method
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """`view` in another tensor's shape.

    Example:
        >>> import graphc as gc
        >>> gc.arange(4).view_as(gc.zeros(2, 2))
        tensor([[0, 1],
                [2, 3]])
    """
    return self.view(other.shape)


@method
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """`reshape` to another tensor's shape.

    Example:
        >>> import graphc as gc
        >>> gc.arange(4).reshape_as(gc.zeros(2, 2)).shape
        graphc.Size([2, 2])
    """
    return self.reshape(other.shape)


@method
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """`expand` to another tensor's shape.

    Example:
        >>> import graphc as gc
        >>> gc.ones(1).expand_as(gc.zeros(3))
        tensor([1., 1., 1.])
    """
    return self.expand(other.shape)


@method
def ndimension(self: Tensor) -> int:
    """The number of axes.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2, 3).ndimension()
        2
    """
    return self.ndim


@method
def get_device(self: Tensor) -> int:
    """The index of the tensor's CUDA device: -1, as it is on the CPU.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(1).get_device()
        -1
    """
    return -1


@method
def new(self: Tensor, *data: Any) -> Tensor:
    """A tensor of this one's dtype: of sizes, or of a list or an array.

    Example:
        >>> import graphc as gc
        >>> gc.tensor([1, 2]).new([3, 4, 5])
        tensor([3, 4, 5])
    """
    if len(data) == 1 and not isinstance(data[0], int):
        return self.new_tensor(data[0])
    return self.new_zeros(*(data or (0,)))


@method
def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows along an axis, each `size` long, on a new last axis. It is a copy.

    Args:
        dimension: the axis.
        size: of a window.
        step: from one window to the next.

    Raises:
        ShapeError: the axis is shorter than a window.

    Example:
        >>> import graphc as gc
        >>> gc.arange(5).unfold(0, 3, 2)
        tensor([[0, 1, 2],
                [2, 3, 4]])
    """
    axis = check_axis("unfold", as_axis(dimension), max(self.ndim, 1))
    x = self if self.ndim else self.reshape(1)
    length = x.shape[axis]
    if step < 1 or size < 0 or size > length:
        raise ShapeError(
            f"unfold: windows of {size} by steps of {step} along an axis of {length}",
            where=caller(),
        )
    count = (length - size) // step + 1
    places = EAGER["arange"](count).unsqueeze(1) * step + EAGER["arange"](size)
    found = x.index_select(axis, places.reshape(-1)).unflatten(axis, (count, size))
    found = found.movedim(axis + 1, -1)
    return found if self.ndim else found.reshape(size)


@method
def fill_diagonal_(self: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """Write a number to the main diagonal.

    Args:
        fill_value: the number.
        wrap: of a tall matrix, go on with another diagonal below an empty row.

    Raises:
        ShapeError: the tensor has one axis, or more than two of different sizes.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2, 2).fill_diagonal_(5)
        tensor([[5., 0.],
                [0., 5.]])
    """
    shape = tuple(self.shape)
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        raise ShapeError(
            f"fill_diagonal_: a tensor of shape {shape} has no one diagonal", where=caller()
        )
    arange = EAGER["arange"]
    if len(shape) == 2:
        rows = arange(shape[0]).unsqueeze(1)
        mask = (rows % (shape[1] + 1) if wrap else rows) == arange(shape[1])
    else:
        places = [
            arange(n).reshape([-1 if axis == k else 1 for axis in range(len(shape))])
            for k, n in enumerate(shape)
        ]
        mask = places[0] == places[1]
        for place in places[2:]:
            mask = mask & (places[0] == place)
    check_leaf_view(self)
    return write(self, self.masked_fill(mask, fill_value), "fill_diagonal_")


def _in_other_axes(name: str, example: str, shape: list[int]) -> None:
    """`unsqueeze_` of `unsqueeze`: the tensor itself becomes the view."""

    def change(self: Tensor, *args: object, **kwargs: Any) -> Tensor:
        check_leaf_view(self)
        if self._node is not None or (hot.slow and tracing.trace is not None):
            raise TraceError(
                f"{name}_ of a traced tensor would change what holds it",
                where=caller(),
                hint=f"write x = x.{name}(...)",
            )
        # What the tensor was is another object now, whose view it becomes.
        before = object.__new__(Tensor)
        vars(before).update(vars(self))
        found = EAGER[name](before, *args, **kwargs)
        if found is not before:
            vars(self).update(vars(found))
        return self

    change.__name__ = change.__qualname__ = f"{name}_"
    change.__wrapped__ = EAGER[name]  # type: ignore[attr-defined]
    change.__doc__ = f"""`{name}`, of the tensor itself; returns it.

    Raises:
        TraceError: the tensor is traced.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(1, 3).{example}.shape
        graphc.Size({shape})
    """
    METHODS[f"{name}_"] = change


for _name, _example, _shape in (
    ("unsqueeze", "unsqueeze_(0)", [1, 1, 3]), ("squeeze", "squeeze_(0)", [3]),
    ("t", "t_()", [3, 1]), ("transpose", "transpose_(0, 1)", [3, 1]),
    ("swapaxes", "swapaxes_(0, 1)", [3, 1]), ("swapdims", "swapdims_(0, 1)", [3, 1]),
):  # fmt: skip
    _in_other_axes(_name, _example, _shape)


@method
def is_complex(self: Tensor) -> bool:
    """Whether the dtype is complex.

    Example:
        >>> import graphc as gc
        >>> gc.ones(2).is_complex()
        False
    """
    return self.dtype.kind == "complex"


@method
def is_signed(self: Tensor) -> bool:
    """Whether the dtype has negative numbers.

    Example:
        >>> import graphc as gc
        >>> gc.ones(2).is_signed(), gc.ones(2).byte().is_signed()
        (True, False)
    """
    return self.dtype.kind not in ("uint", "bool")


@method
def is_nonzero(self: Tensor) -> bool:
    """Whether the one element is not 0.

    Raises:
        ArgumentError: there are several elements, or none.

    Example:
        >>> import graphc as gc
        >>> gc.tensor([2.0]).is_nonzero()
        True
    """
    if self.numel() != 1:
        raise ArgumentError(
            f"is_nonzero: a tensor of {self.numel()} elements, not one", where=caller()
        )
    return bool(self.item())


@method
def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Whether another tensor has this one's shape.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2).is_same_size(gc.ones(2))
        True
    """
    return tuple(self.shape) == tuple(other.shape)


@method
def storage_offset(self: Tensor) -> int:
    """How many elements the first one stands behind the beginning of the memory.

    Example:
        >>> import graphc as gc
        >>> gc.arange(5)[2:].storage_offset()
        2
    """
    array = self._array
    base = array
    while isinstance(getattr(base, "base", None), type(array)):
        base = base.base  # type: ignore[assignment]
    return (array.ctypes.data - base.ctypes.data) // array.itemsize


__all__ = ["NEVER"]

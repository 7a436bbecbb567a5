"""Methods of `Tensor` that give it in another dtype, or on a device."""

from __future__ import annotations

from typing import Any

from graphc.core import dtypes
from graphc.core.dtypes import DType, as_dtype
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import DTypeLike
from graphc.eager.engine import promotion
from graphc.eager.engine.device import DeviceLike, check_device, device
from graphc.eager.engine.drawn import AS_NUMBERS, lose
from graphc.eager.engine.registry import as_flag, call, named
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.methods.methods import METHODS, concrete, method


@method
def view_dtype(self: Tensor, dtype: DTypeLike) -> Tensor:
    """The same bytes as elements of another dtype.

    Example:
        >>> import graphc as gc
        >>> gc.tensor([1.0]).view_dtype(gc.int32)
        tensor([1065353216], dtype=torch.int32)
    """
    found = wrap(concrete(self, "view(dtype)").view(as_dtype(dtype).numpy))
    return lose(found, [self], AS_NUMBERS)


@named("ToCopyBackward0")
def _cast(x: Operators, *, dtype: DTypeLike) -> Any:
    return FUNCTIONS["cast"](x, dtype, "wrap")


def converted(self: Tensor, dtype: DType, copy: bool = False) -> Tensor:
    """The tensor in a dtype; the tensor itself when it is of it already."""
    if self.dtype is dtype:
        return self.clone() if copy else self
    return call(_cast, self, dtype=dtype)


@method
def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor in another dtype, on a device, or as another tensor is.

    Args:
        args: a dtype, a device, a tensor, in PyTorch's orders.
        kwargs: dtype, device, copy, non_blocking, memory_format.

    Returns:
        The tensor itself where nothing changes.

    Example:
        >>> import graphc as gc
        >>> gc.ones(2).to(gc.int64)
        tensor([1, 1])
    """
    wanted, copy = kwargs.get("dtype"), kwargs.get("copy", False)
    check_device(kwargs.get("device"))
    rest = list(args)
    if rest and (rest[0] is None or isinstance(rest[0], str | device)):
        check_device(rest.pop(0))
        rest.insert(0, None) if rest and isinstance(rest[0], bool) else None
    if rest:
        first = rest.pop(0)
        # PyTorch takes a number for a tensor whose dtype is wanted.
        number = isinstance(first, bool | int | float)
        wanted = getattr(first, "dtype", first)
        if number:
            wanted = dtypes.float64 if isinstance(first, float) else promotion.of_number(first)
        wanted = kwargs.get("dtype") if wanted is None else wanted
    flags = dict(zip(("non_blocking", "copy"), rest))
    copy = as_flag(flags.get("copy", copy), "copy")
    if wanted is None:
        return self.clone() if copy else self
    return converted(self, as_dtype(wanted), copy)


def _conversion(name: str, dtype: DType) -> None:
    def convert(self: Tensor, memory_format: object = None) -> Tensor:
        return converted(self, dtype)

    convert.__name__ = name
    convert.__doc__ = f"""The tensor as {dtype.name}; itself when it is.

    Example:
        >>> import graphc as gc
        >>> gc.tensor([1.7, 0.0]).{name}().dtype
        graphc.{dtype.name}
    """
    METHODS[name] = convert


for _name, _dtype in {
    "float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16,
    "bfloat16": dtypes.bfloat16,
    "int": dtypes.int32, "long": dtypes.int64, "short": dtypes.int16, "char": dtypes.int8,
    "byte": dtypes.uint8, "bool": dtypes.bool_,
}.items():  # fmt: skip
    _conversion(_name, _dtype)


@method
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in another's dtype.

    Example:
        >>> import graphc as gc
        >>> gc.tensor([1.7]).type_as(gc.tensor([1]))
        tensor([1])
    """
    return converted(self, other.dtype)


@method
def astype(self: Tensor, dtype: DTypeLike) -> Tensor:
    """The tensor in another dtype, under NumPy's name.

    Example:
        >>> import graphc as gc
        >>> gc.tensor([1, 2]).astype(gc.float32)
        tensor([1., 2.])
    """
    return converted(self, as_dtype(dtype))


@method
def cpu(self: Tensor, memory_format: object = None) -> Tensor:
    """The tensor on the CPU, where it is.

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(2)
        >>> x.cpu() is x
        True
    """
    return self


@method
def cuda(self: Tensor, device: DeviceLike | None = None, non_blocking: bool = False) -> Tensor:
    """The tensor on a CUDA device: an error, for there is none.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.zeros(2).cuda()
        ... except gc.errors.GraphcError as error:
        ...     print(error.what)
        device 'cuda' is not usable here: eager tensors live on the CPU
    """
    check_device("cuda")
    return self


@method
def pin_memory(self: Tensor) -> Tensor:
    """The tensor itself: on a CPU there is nothing to pin.

    Example:
        >>> import graphc as gc
        >>> x = gc.zeros(2)
        >>> x.pin_memory() is x
        True
    """
    return self


@method
def is_floating_point(self: Tensor) -> bool:
    """Whether the dtype is a float.

    Example:
        >>> import graphc as gc
        >>> gc.zeros(2).is_floating_point()
        True
    """
    return self.dtype.is_float


__all__ = ["METHODS", "converted"]

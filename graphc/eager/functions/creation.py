"""Tensors made of data, of a rule, or of another's shape; float32 unless told otherwise.

With a symbolic size among the arguments, zeros, ones, full, arange and eye give the symbolic
tensor instead, so a graph's code reads the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from graphc.core.dims import Dim
from graphc.core.dtypes import DType, as_dtype
from graphc.core.ir import Node, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import DTypeLike, ShapeLike, Values
from graphc.eager.engine import promotion
from graphc.eager.engine.device import DeviceLike, check_device
from graphc.eager.engine.drawn import AS_NUMBERS, lose
from graphc.eager.engine.hot import hot, made, tracing
from graphc.eager.engine.registry import EAGER, eager
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.functions.given import check_fits, data_array
from graphc.eager.functions.shapes import sizes_given, sizes_of
from graphc.errors import ArgumentError, DTypeError


def finish(
    array: np.ndarray,
    device: DeviceLike | None,
    requires_grad: bool = False,
    of: Iterable[Any] = (),
) -> Tensor:
    """A tensor over a fresh array, which was made of these numbers among which tensors may be."""
    check_device(device)
    result = made(wrap(array))
    lose(result, of, AS_NUMBERS)
    return result.requires_grad_() if requires_grad else result


def recorded(found: Tensor, requires_grad: bool) -> Tensor:
    """A tensor that was made, which operations are recorded on if that was asked for."""
    return found.requires_grad_() if requires_grad else found


def as_numpy(dtype: DTypeLike | None) -> np.dtype:
    """NumPy's dtype; the default one for None."""
    return promotion.get_default_dtype().numpy if dtype is None else as_dtype(dtype).numpy


def _filled(shape: ShapeLike, value: Any, dtype: DType) -> np.ndarray:
    check_fits(np.asarray(value), dtype)
    # An int beyond int64 is one to NumPy's floats, but not to bfloat16.
    return np.full(shape, float(value) if dtype.is_float else value, dtype.numpy)


def tensor(
    data: Values, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of a copy of data.

    Args:
        data: a number, nested lists, an array or a tensor.
        dtype: by the data unless given: int64 for ints, float32 for Python floats.
        device: "cpu".
        requires_grad: whether operations on it are recorded.
        pin_memory: accepted, and of no effect on a CPU.

    Returns:
        The tensor.

    Raises:
        ArgumentError: the data is ragged or not numeric.

    Example:
        >>> import graphc as gc
        >>> gc.tensor([[1, 2], [3, 4]])
        tensor([[1, 2],
                [3, 4]])
    """
    seen: list[Tensor] = []
    found = finish(data_array(data, dtype, seen), device, of=seen)
    if isinstance(data, Tensor) and found.dtype is data.dtype:
        found._drawn = data._drawn
    return recorded(found, requires_grad)


def as_tensor(
    data: Values, dtype: DTypeLike | None = None, device: DeviceLike | None = None
) -> Any:
    """A tensor of data, sharing memory with arrays and tensors of the dtype wanted.

    A symbolic tensor is one already.

    Example:
        >>> import graphc as gc
        >>> gc.as_tensor([1.0, 2.0])
        tensor([1., 2.])
    """
    check_device(device)
    if isinstance(data, Operators):  # a symbolic one too
        return data if dtype is None else data.astype(dtype)
    if isinstance(data, np.ndarray) and (dtype is None or data.dtype == as_numpy(dtype)):
        return from_numpy(data)
    return tensor(data, dtype=dtype)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor over the memory of an array: what changes the one changes the other.

    Args:
        array: of a dtype that graphc has, in the machine's byte order.

    Raises:
        ArgumentError, DTypeError: it is no array, or of another dtype.

    Example:
        >>> import numpy as np, graphc as gc
        >>> gc.from_numpy(np.zeros(2))
        tensor([0., 0.], dtype=torch.float64)
    """
    if not isinstance(array, np.ndarray):
        raise ArgumentError(
            f"from_numpy: {type(array).__name__} is not a NumPy array",
            where=caller(),
            hint="use gc.tensor(...)",
        )
    as_dtype(array.dtype)
    if not array.dtype.isnative:
        raise DTypeError(
            f"from_numpy: the array's byte order, {array.dtype.str!r}, is not the machine's",
            where=caller(),
            hint="convert it first: array.astype(array.dtype.newbyteorder('='))",
        )
    return wrap(array)


def _is_symbolic(sizes: tuple[Any, ...]) -> bool:
    flat = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], list | tuple) else sizes
    return any(isinstance(s, Dim | Node) for s in flat)


def _maker(name: str, make: Callable[..., np.ndarray], example: str) -> Callable[..., Any]:
    symbolic = FUNCTIONS.get(name, FUNCTIONS["zeros"])

    def function(
        *size: Any, dtype: DTypeLike | None = None, device: DeviceLike | None = None,
        requires_grad: bool = False, **kw: Any,
    ) -> Any:  # fmt: skip
        if kw:
            size = sizes_given(name, size, kw, ("size", "shape"))
        if len(size) == 2 and isinstance(size[0], list | tuple) and dtype is None:
            size, dtype = (size[0],), size[1]  # type: ignore[misc]  # NumPy's order: zeros(shape, dtype)
        if hot.slow and tracing.trace is not None and tracing.trace.is_symbolic(sizes_of(size)):
            found = tracing.trace.full(sizes_of(size), float(name == "ones"), dtype)
            return recorded(found, requires_grad)
        if _is_symbolic(size):
            kind = as_dtype(dtype or promotion.get_default_dtype())
            return symbolic(sizes_of(size), kind)
        shape = _checked_sizes(name, sizes_of(size))
        return finish(make(shape, as_numpy(dtype)), device, requires_grad)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""A tensor of {example}.

    Args:
        size: the sizes, one by one or as one sequence.
        dtype: float32 unless given.
        device: "cpu".
        requires_grad: whether operations on it are recorded.

    Example:
        >>> import graphc as gc
        >>> gc.{name}(2, 3).shape
        graphc.Size([2, 3])
    """
    EAGER[name] = function
    return function


def _checked_sizes(name: str, sizes: tuple[Any, ...]) -> tuple[int, ...]:
    if hot.slow and tracing.trace is not None:
        is_size = tracing.trace.is_size
        sizes = tuple([int(s) if is_size(s) else s for s in sizes])
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise ArgumentError(
                f"{name}: {size!r} in {sizes} is not a size",
                where=caller(),
                hint="sizes are ints of 0 or more",
            )
    return sizes


zeros = _maker("zeros", np.zeros, "zeros")
ones = _maker("ones", np.ones, "ones")
empty = _maker("empty", np.zeros, "zeros (PyTorch leaves it uninitialised)")


@eager("full")
def full(
    size: ShapeLike, fill_value: Any, dtype: DTypeLike | None = None, *,
    device: DeviceLike | None = None, requires_grad: bool = False,
) -> Any:  # fmt: skip
    """A tensor filled with a number.

    Args:
        size: the shape.
        fill_value: a number.
        dtype: int64, bool or float32 by the number unless given.
        device: "cpu".
        requires_grad: whether operations on it are recorded.

    Example:
        >>> import graphc as gc
        >>> gc.full((2,), 7)
        tensor([7, 7])
    """
    shape = sizes_of((size,))
    if isinstance(fill_value, Dim | Node):
        return FUNCTIONS["full"](shape, fill_value, dtype)
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    if hot.slow and tracing.trace is not None and tracing.trace.is_size(value):
        value = int(value)
    kind = promotion.of_number(value) if dtype is None else as_dtype(dtype)
    if _is_symbolic((size,)):
        return FUNCTIONS["full"](shape, value, kind)
    if hot.slow and tracing.trace is not None and tracing.trace.is_symbolic(shape):
        return recorded(tracing.trace.full(shape, value, kind), requires_grad)
    array = _filled(_checked_sizes("full", shape), value, kind)
    return finish(array, device, requires_grad, of=[fill_value])


@eager("arange")
def arange(
    start: Any = 0, end: Any = None, step: Any = 1, *, dtype: DTypeLike | None = None,
    device: Any = None, requires_grad: bool = False, stop: Any = None,
) -> Any:  # fmt: skip
    """The numbers from start (0 unless both are given) to before end, by step.

    Example:
        >>> import graphc as gc
        >>> gc.arange(1, 2.5, 0.5)
        tensor([1.0000, 1.5000, 2.0000])
    """
    end = stop if end is None else end
    start, end = (0, start) if end is None else (start, end)
    if any(isinstance(v, Dim | Node) for v in (start, end, step)):
        return FUNCTIONS["arange"](start, end, step, *([] if dtype is None else [dtype]))
    counts = {type(start), type(step)} == {int} and (start, step) == (0, 1)
    if counts and hot.slow and tracing.trace is not None and tracing.trace.is_count(end):
        return recorded(tracing.trace.counted(end, as_dtype(dtype or int)), requires_grad)
    numbers = [v.item() if isinstance(v, Tensor) else v for v in (start, end, step)]
    if dtype is None:
        floats = any(isinstance(v, float) for v in numbers)
        dtype = promotion.get_default_dtype() if floats else as_dtype(int)
    kind = as_dtype(dtype)
    if not kind.is_float and all(map(math.isfinite, numbers)):
        numbers = [int(v) for v in numbers]  # PyTorch takes the whole parts first
    if not numbers[2] or not 0 <= (numbers[1] - numbers[0]) * numbers[2] < math.inf:
        raise ArgumentError(
            f"arange: from {numbers[0]} to {numbers[1]} by {numbers[2]}",
            where=caller(),
            hint="the step is not 0 and leads from the start to the end, a finite number of times",
        )
    if kind.is_float:
        count = max(int(np.ceil((numbers[1] - numbers[0]) / numbers[2])), 0)
        array = numbers[0] + np.arange(count, dtype=np.float64) * numbers[2]
    else:
        array = np.arange(*numbers)
    return finish(array.astype(kind.numpy), device, requires_grad, of=(start, end, step))


@eager("eye")
def eye(
    n: int, m: Any = None, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Any:  # fmt: skip
    """A matrix with ones on its diagonal and zeros elsewhere.

    Example:
        >>> import graphc as gc
        >>> gc.eye(2)
        tensor([[1., 0.],
                [0., 1.]])
    """
    if _is_symbolic((n, m)):
        return FUNCTIONS["eye"](n, m, 0, as_dtype(dtype or promotion.get_default_dtype()))
    _checked_sizes("eye", (n,) if m is None else (n, m))
    return finish(np.eye(n, m, dtype=as_numpy(dtype)), device, requires_grad)


def _like(name: str, value: float, make: Callable[..., np.ndarray]) -> None:
    def function(
        input: Any, *, dtype: DTypeLike | None = None, device: Any = None,
        requires_grad: bool = False, memory_format: object = None,
    ) -> Tensor:  # fmt: skip
        if input._node is not None and not input.type.is_static:
            return recorded(tracing.trace.filled(input, value, dtype), requires_grad)
        kind = input.dtype if dtype is None else as_dtype(dtype)
        return finish(make(input.type.shape, kind.numpy), device, requires_grad)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""`{name[:-5]}` of the shape, and unless told the dtype, of a tensor.

    Example:
        >>> import graphc as gc
        >>> found = gc.{name}(gc.tensor([[1, 2], [3, 4]]))
        >>> found.dtype, found.shape
        (graphc.int64, graphc.Size([2, 2]))
    """
    EAGER[name] = function


_like("zeros_like", 0.0, np.zeros)
_like("ones_like", 1.0, np.ones)
_like("empty_like", 0.0, np.zeros)


@eager("full_like")
def full_like(
    input: Any, fill_value: Any, *, dtype: DTypeLike | None = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of the shape, and unless told the dtype, of another, filled with a number.

    Example:
        >>> import graphc as gc
        >>> gc.full_like(gc.zeros(2, 2), 7.0)
        tensor([[7., 7.],
                [7., 7.]])
    """
    if input._node is not None and not input.type.is_static:
        return recorded(tracing.trace.filled(input, fill_value, dtype), requires_grad)
    kind = input.dtype if dtype is None else as_dtype(dtype)
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    return finish(_filled(input.type.shape, value, kind), device, requires_grad, of=[fill_value])


__all__ = ["as_numpy", "as_tensor", "finish", "from_numpy", "recorded", "tensor"]

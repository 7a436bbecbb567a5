"""Functions along one axis by PyTorch's names: positions, counts, running sums, softmax."""

from __future__ import annotations

from typing import Any

from graphc.core.dtypes import as_dtype
from graphc.core.ir import caller
from graphc.core.typing import Axes, DTypeLike
from graphc.eager.engine.registry import (
    as_axis,
    as_flag,
    as_summed,
    axes_of,
    call,
    eager,
    step,
)
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ArgumentError, DTypeError
from graphc.ops.declare import check_axis


def chosen_axis(name: str, dim: Axes | None, axis: Axes | None) -> int:
    """The axis under PyTorch's name or NumPy's.

    Raises:
        ArgumentError: neither is given.
    """
    given = dim if axis is None else axis
    if given is None:
        raise ArgumentError(f"{name}: dim is not given", where=caller(), hint="pass dim=0")
    return as_axis(given)


def along(function: Any, input: Any, axis: int, **settings: Any) -> Any:
    """A function along an axis that keeps the shape; a 0-d tensor counts as one element."""
    if input.ndim:
        return call(function, input, axis=axis, **settings)
    check_axis("dim", axis, 1)
    return call(function, input.reshape(1), axis=0, **settings).reshape(())


def _position(name: str) -> Any:
    run = step(name)

    def find(
        input: Any, dim: Any = None, keepdim: bool = False, *, axis: Axes | None = None,
        keepdims: bool | None = None,
    ) -> Any:  # fmt: skip
        keep = as_flag(keepdim if keepdims is None else keepdims, "keepdim")
        dim = dim if axis is None else axis
        if dim is not None:
            dim = as_axis(dim)
        return call(run, input, axis=axes_of(input, dim), keepdims=keep and input.ndim > 0)

    word = "greatest" if name == "argmax" else "least"
    find.__name__ = find.__qualname__ = name
    find.__doc__ = f"""The index of the first {word} element along an axis; of all, flattened.

    Args:
        input: a tensor.
        dim: an axis, or None for the flattened tensor.
        keepdim: keep the axis, with size 1.
        axis: NumPy's name of dim.
        keepdims: NumPy's name of keepdim.

    Example:
        >>> import graphc as gc
        >>> gc.{name}(gc.tensor([[1.0, 3.0], [2.0, 0.0]]), 1)
        tensor({"[1, 0]" if name == "argmax" else "[0, 1]"})
    """
    return eager(name)(find)


argmax, argmin = _position("argmax"), _position("argmin")


_counted = step("count_nonzero", "CountedBackward0")


@eager("count_nonzero")
def count_nonzero(
    input: Any,
    *dims: Any,
    dim: Axes | None = None,
    axis: Axes | None = None,
    keepdims: bool = False,
) -> Any:
    """How many elements are not 0: of all, or over axes.

    Args:
        input: a tensor.
        dims: the axes one by one, in PyTorch's way.
        dim: an axis, or several.
        axis: NumPy's name of dim.
        keepdims: keep the axes, with size 1.

    Example:
        >>> import graphc as gc
        >>> gc.count_nonzero(gc.tensor([[0, 3], [2, 5]]), 0)
        tensor([1, 2])
    """
    given = dim if axis is None else axis
    if dims:
        given = dims[0] if len(dims) == 1 else dims
    keep = as_flag(keepdims, "keepdims") and input.ndim > 0
    return call(_counted, input, axis=axes_of(input, given), keepdims=keep)


def _scanned(name: str, what: str, example: str) -> Any:
    run = step(name)

    def scan(
        input: Any, dim: Any = None, *, dtype: Any = None, axis: Any = None,
        reverse: bool = False, exclusive: bool = False,
    ) -> Any:  # fmt: skip
        x = input if dtype is None else input.to(as_dtype(dtype))
        place = chosen_axis(name, dim, axis)
        x = x if x.dtype.is_float or x.dtype.itemsize == 8 else x.long()
        found = along(run, x, place, reverse=reverse, exclusive=exclusive)
        return as_summed(found, x, dtype)

    scan.__name__ = scan.__qualname__ = name
    scan.__doc__ = f"""The running {what} along an axis.

    Args:
        input: a tensor.
        dim: the axis.
        dtype: convert to it first.
        axis: NumPy's name of dim.
        reverse: run from the last element to the first.
        exclusive: leave out the element itself.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([1, 2, 3])
        >>> gc.{name}(x, 0)
        tensor({example})
    """
    return eager(name)(scan)


cumsum = _scanned("cumsum", "sum", "[1, 3, 6]")
cumprod = _scanned("cumprod", "product", "[1, 2, 6]")


def _weights(name: str, what: str, example: str) -> Any:
    run = step(name)

    def weigh(
        input: AnyTensor,
        dim: Axes | None = None,
        dtype: DTypeLike | None = None,
        *,
        axis: Axes | None = None,
    ) -> Any:
        x = input if dtype is None else input.to(as_dtype(dtype))
        if not x.dtype.is_float:
            raise DTypeError(
                f"{name}: a tensor of {x.dtype.name}, not of floats",
                where=caller(),
                hint=f"convert it: {name}(x, dim, dtype=gc.float32)",
            )
        if type(dim) is int and axis is None and x.ndim:  # what is common, at once
            return call(run, x, axis=dim)
        place = -1 if dim is None and axis is None else chosen_axis(name, dim, axis)
        return along(run, x, place)

    weigh.__name__ = weigh.__qualname__ = name
    weigh.__doc__ = f"""{what}

    Args:
        input: floats.
        dim: the axis; the last unless given.
        dtype: what to convert input to first.
        axis: NumPy's name of dim.

    Example:
        >>> import graphc as gc
        >>> gc.{name}(gc.zeros(2), 0)
        tensor({example})
    """
    return eager(name)(weigh)


softmax = _weights("softmax", "exp(input) divided by its sum along an axis.", "[0.5000, 0.5000]")
log_softmax = _weights(
    "log_softmax", "The logarithm of `softmax`, without loss of accuracy.", "[-0.6931, -0.6931]"
)

__all__ = ["along", "argmax", "argmin", "count_nonzero", "cumprod", "cumsum", "softmax"]

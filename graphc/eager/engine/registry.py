"""The eager functions by their PyTorch names, and what declaring one takes.

`eager` declares a function whose conventions (names and order of arguments, results) are PyTorch's
and not NumPy's; `dispatch` makes the others of the graph's functions, and what users call of both.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Axes, DTypeLike
from graphc.eager.engine.elementwise import number
from graphc.eager.engine.invoke import invoke
from graphc.eager.engine.template import SLOT, Listed
from graphc.eager.engine.tensor import AnyTensor, Tensor, wrap
from graphc.errors import ArgumentError
from graphc.ops.declare import check_axis

EAGER: dict[str, Callable[..., Any]] = {}
SLOTS = [(SLOT,) * count for count in range(64)]


def eager(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the eager form of a function under its own name, or under `names`."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names or (function.__name__.rstrip("_"),):
            EAGER[name] = function
        return function

    return enter


def call(function: Callable[..., Any], *tensors: AnyTensor, view: bool = False, **how: Any) -> Any:
    """Run a function of symbolic tensors eagerly: tensors first, settings by keyword."""
    # Of symbolic ones, `invoke` makes a graph.
    return invoke(function, SLOTS[len(tensors)], tuple(how.items()), tensors, view)  # type: ignore[arg-type]


def call_list(function: Callable[..., Any], tensors: Sequence[Tensor], **static: Any) -> Any:
    """`call` of a function whose first argument is a list of tensors."""
    return invoke(function, (Listed.of(len(tensors)),), tuple(static.items()), tensors)


def named(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Set how the backward step of a function is called, after PyTorch's."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        function.backward_name = name  # type: ignore[attr-defined]
        return function

    return mark


def step(name: str, backward: str = "") -> Callable[..., Any]:
    """The graph's function of a name, as a step of its own that `grad_fn` calls `backward`."""
    function = FUNCTIONS[name]

    def run(*tensors: object, **settings: Any) -> Any:
        return function(*tensors, **settings)

    run.__name__ = name
    return named(backward)(run) if backward else run


def as_eager(value: object, like: Tensor | None = None) -> Tensor:
    """A tensor of a tensor, an array, a list or a number; a symbolic tensor is itself."""
    if isinstance(value, Operators):
        return value  # type: ignore[return-value]
    if isinstance(value, bool | int | float) and like is not None:
        return number(value, like.dtype)
    array = np.asarray(value)
    if array.dtype == object:
        raise ArgumentError(
            f"{value!r:.60} is neither a tensor nor a number, nor lists of them", where=caller()
        )
    if array.dtype == np.float64 and not isinstance(value, np.ndarray | np.generic):
        array = array.astype(np.float32)
    return wrap(array)


def as_axis(dim: Any) -> int:
    """One axis as an int.

    Raises:
        ArgumentError: it is a bool, a float, or no number at all.
    """
    if not isinstance(dim, bool | np.bool_):
        try:
            return operator.index(dim)
        except TypeError:
            pass
    raise ArgumentError(
        f"an axis must be an int, not {type(dim).__name__} {dim!r:.40}", where=caller()
    )


def as_dims(dim: Axes | None) -> Any:
    """Axes as None, an int or a tuple of ints."""
    if isinstance(dim, list | tuple):
        return tuple(as_axis(d) for d in dim)
    return None if dim is None else as_axis(dim)


def as_summed(found: Tensor, input: Tensor, dtype: DTypeLike | None) -> Tensor:
    """A sum in the dtype asked for, or in int64 where it is of integers, unsigned ones too."""
    if dtype is not None:
        return found.to(dtypes.as_dtype(dtype))
    is_unsigned = found.dtype is dtypes.uint64 and input.dtype is not dtypes.uint64
    return found.to(dtypes.int64) if is_unsigned else found


def as_flag(value: object, name: str) -> bool:
    """A setting that is true or false; a number is refused, for it stands for something else."""
    if not isinstance(value, bool | np.bool_):
        raise ArgumentError(
            f"{name} must be True or False, not {type(value).__name__} {value!r:.40}",
            where=caller(),
        )
    return bool(value)


def axes_of(input: AnyTensor, dim: Axes | None) -> Any:
    """The axes that a reduction of a tensor is over: None for all, which an empty list also means.

    A 0-d tensor takes 0 and -1, as if it had one axis.
    """
    dims = as_dims(dim)
    if dims is None or dims == ():
        return None
    if input.ndim:
        return dims
    for axis in dims if isinstance(dims, tuple) else (dims,):
        check_axis("dim", axis, 1)
    return None


__all__ = [
    "EAGER", "as_axis", "as_dims", "as_eager", "as_flag", "axes_of", "call", "call_list", "eager",
    "named", "step",
]  # fmt: skip

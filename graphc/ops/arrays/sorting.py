"""Sorting: the `argsort` op; sort, topk and searchsorted are compositions over it.

Sorting is stable: equal elements keep their order, also when descending. nan counts as greater
than every number, as in NumPy and PyTorch: last when ascending, first when descending.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.ir import Kind, Library, NoGradient, Op, Sample, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.core.typing import Operand, Values
from graphc.errors import ShapeError
from graphc.ops.arrays.lookup import trusted_along_axis
from graphc.ops.arrays.places import are_values
from graphc.ops.arrays.shaping import cut, expand_dims, flatten
from graphc.ops.batch import behind, later
from graphc.ops.declare import as_tensor, check_axis, declare, describe, public
from graphc.ops.sizes import as_size


def _argsort_infer(x: TensorType, *, axis: int, descending: bool) -> TensorType:
    if not 0 <= axis < x.rank:
        raise ShapeError(f"argsort: axis {axis} of {x}")
    return x.with_dtype(dtypes.int64)


def _argsort_numpy(x: np.ndarray, *, axis: int, descending: bool) -> np.ndarray:
    x = dtypes.widened(x)
    if not descending:
        return np.argsort(x, axis, kind="stable")
    # Reversed twice: equal elements end up in their own order.
    order = np.argsort(np.flip(x, axis), axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(order, axis)


def _case(shape: tuple[int, ...], dtype: str, axis: int, descending: bool) -> Sample:
    return Sample(((shape, dtype, "real"),), {"axis": axis, "descending": descending})


ARGSORT = declare(
    Op(
        "argsort", Kind.LIBRARY, _argsort_infer, _argsort_numpy,
        NoGradient("indices are integers"),
        Library("argsort"),
        batch=behind(axis=later),
        samples=lambda: [
            _case((7,), "float32", 0, False),
            _case((3, 9), "float64", 1, True),
            _case((5, 3), "int8", 0, True),
            _case((2, 3, 2), "float16", 1, False),
            _case((2, 9), "bfloat16", 1, True),
            _case((12,), "bool", 0, False),
            _case((6,), "uint64", 0, True),
            _case((1,), "float32", 0, False),
            _case((0, 2), "float32", 0, False),
            _case((2, 0), "float32", 0, True),
        ],
        doc="The stable order of the elements along an axis: indices, int64.",
    )
)  # fmt: skip


@public
def argsort(x: Values, axis: int = -1, descending: bool = False) -> Any:
    """The indices that sort x along an axis; stable, nan counts as the greatest.

    Args:
        x: a tensor.
        axis: the axis; None sorts the flattened tensor.
        descending: greatest first.

    Returns:
        int64, of x's shape.
    """
    x = as_tensor(x, "argsort")
    if axis is None:
        x, axis = flatten(x), 0
    axis = check_axis("argsort", axis, len(x.type.shape))
    return ARGSORT(x, axis=axis, descending=bool(descending))


@public
def sort(x: Operand, axis: int = -1, descending: bool = False) -> Any:
    """x sorted along an axis; stable, nan counts as the greatest.

    The gradient goes to the elements in their first order: among equal ones to each its own.

    Args:
        x: a tensor.
        axis: the axis; None sorts the flattened tensor.
        descending: greatest first.
    """
    x = as_tensor(x, "sort")
    if axis is None:
        x, axis = flatten(x), 0
    return trusted_along_axis(x, argsort(x, axis, descending), axis)


@public
def topk(x: Operand, k: Any, axis: int = -1, largest: bool = True) -> tuple[Any, Any]:
    """The k greatest (or least) elements along an axis, in order, and their indices.

    Among equal elements the first ones are taken, and they have the gradient.

    Args:
        x: a tensor.
        k: how many; at most the axis' size: of one that is a value that is checked by calls.
        axis: the axis.
        largest: the greatest ones, or the least.

    Returns:
        (values, indices).

    Raises:
        ShapeError: the axis is shorter than k, or cannot be shown not to be.
    """
    x = as_tensor(x, "topk")
    axis = check_axis("topk", axis, len(x.type.shape))
    size, k = x.type.shape[axis], as_size("topk", k)
    order = argsort(x, axis, largest)
    if isinstance(k, dims.Dim) and are_values([k, size]) and not dims.at_least(size - k, 0):
        index = _first_of(order, axis, k)
        return trusted_along_axis(x, index, axis), index
    if not dims.at_least(k, 0) or not dims.at_least(size - k, 0):
        raise ShapeError(
            f"topk: k={k} along axis {axis} of size {size}",
            [describe(x)],
            where=caller(),
            hint="k must be at most the size; declare the dimension with min=k, or k as "
            "gc.dim(k, max=size)",
        )
    index = cut(order, axis, 0, k)
    return trusted_along_axis(x, index, axis), index


def _first_of(order: Any, axis: int, count: Any) -> Any:
    """The first places of an order, as many as a value says, which calls check."""
    size = order.type.shape[axis]
    k, most = (FUNCTIONS["size"](each, dtypes.int64) for each in (count, size))
    k = FUNCTIONS["check"](k <= most, "topk: k is {}, along an axis of {}", k, most)
    return FUNCTIONS["take"](order, FUNCTIONS["minimum"](FUNCTIONS["iota"]((count,)), k), axis)


@public
def searchsorted(x: Any, values: Any, side: str = "left") -> Any:
    """Where values would be inserted into the sorted x to keep it sorted.

    By bisection where the size is known, with the steps of PyTorch's; a nan among the values
    comes last.

    Args:
        x: (n,), ascending, nan last; or (..., n), with the leading sizes of values.
        values: any shape; compared with every element.
        side: "left" (before equal elements) or "right" (behind them).

    Returns:
        int64, of the values' shape.

    Raises:
        ShapeError: the leading sizes differ.
    """
    x, values = as_tensor(x, "searchsorted"), as_tensor(values, "searchsorted")
    shape, wanted = x.type.shape, values.type.shape
    fits = len(shape) == 1 or (len(shape) > 1 and shape[:-1] == wanted[:-1])
    if not fits or side not in ("left", "right"):
        raise ShapeError(
            f"searchsorted: {x.type}, values {values.type}, side {side!r}",
            [describe(x), describe(values)],
            where=caller(),
            hint="x is a vector, or has the leading sizes of values",
        )
    reached = FUNCTIONS["greater_equal" if side == "left" else "greater"]
    if not isinstance(shape[-1], int):
        near = expand_dims(x, -2) if len(shape) > 1 else x
        below = FUNCTIONS["logical_not"](reached(near, expand_dims(values, -1)))
        return FUNCTIONS["sum"](below, -1)
    return _bisected(x, values, reached)


def _bisected(x: Any, values: Any, reached: Any) -> Any:
    """The first place whose element `reached` the value, among all places and the end."""
    size, shape = x.type.shape[-1], values.type.shape
    where, logical_and = FUNCTIONS["where"], FUNCTIONS["logical_and"]
    low = FUNCTIONS["full"](shape, 0, dtypes.int64)
    high = FUNCTIONS["full"](shape, size, dtypes.int64)
    for _ in range(size.bit_length()):
        middle = (low + high) // 2
        place = FUNCTIONS["minimum"](middle, size - 1)
        if len(x.type.shape) == 1:
            probe = FUNCTIONS["take"](x, place, 0)
        else:
            probe = trusted_along_axis(x, place, -1)
        stop, inside = reached(probe, values), low < high
        low = where(logical_and(inside, FUNCTIONS["logical_not"](stop)), middle + 1, low)
        high = where(logical_and(inside, stop), middle, high)
    return low

"""Cumulative sums and products, and the linear recurrence that differentiates products exactly.

    cumsum(x; axis, reverse)           y[i] = y[i - 1] + x[i]
    cumprod(x; axis, reverse)          y[i] = y[i - 1] * x[i]
    recurrence(a, b; axis, reverse)    y[i] = a[i] * y[i - 1] + b[i],  y[-1] = 0

With `reverse` they run from the last element to the first. float32 and narrower floats are carried
in float64 and each element rounded once, as in PyTorch; sums of float64 keep what they lose beside
them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import Kind, Library, Node, Op, Sample, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.core.typing import Operand
from graphc.errors import DTypeError, ShapeError
from graphc.ops.arrays.joining import concat
from graphc.ops.arrays.shaping import cut, flatten
from graphc.ops.batch import behind, later
from graphc.ops.declare import as_tensor, check_axis, conform, declare, public


def _infer(name: str) -> Callable[..., TensorType]:
    def infer(*types: TensorType, axis: int, reverse: bool) -> TensorType:
        first = types[0]
        if any(t != first for t in types) or not 0 <= axis < first.rank:
            raise ShapeError(f"{name}: {' and '.join(map(str, types))}, axis {axis}")
        if first.dtype.kind == "bool" or (len(types) > 1 and not first.dtype.is_float):
            raise DTypeError(f"{name}: {first.dtype.name} is not supported", where=caller())
        return first

    return infer


def _carried(dtype: Any) -> Any:
    return np.float64 if dtypes.is_float(dtype) else dtype


def _accumulate(ufunc: np.ufunc) -> Callable[..., np.ndarray]:
    def run(x: np.ndarray, *, axis: int, reverse: bool) -> np.ndarray:
        wide = x.astype(_carried(x.dtype), copy=False)
        ordered = np.flip(wide, axis) if reverse else wide
        total = ufunc.accumulate(ordered, axis, dtype=wide.dtype)
        if ufunc is np.add and x.dtype == np.float64:
            total = total + _losses(ordered, total, axis)
        return (np.flip(total, axis) if reverse else total).astype(x.dtype)

    return run


def _losses(terms: np.ndarray, totals: np.ndarray, axis: int) -> np.ndarray:
    """What rounding took from sums on the way to each of them."""
    before = np.zeros_like(totals)
    np.moveaxis(before, axis, 0)[1:] = np.moveaxis(totals, axis, 0)[:-1]
    part = totals - before
    lost = (before - (totals - part)) + (terms - part)
    return np.add.accumulate(np.where(np.isfinite(totals), lost, 0), axis)


def _recurrence_numpy(a: np.ndarray, b: np.ndarray, *, axis: int, reverse: bool) -> np.ndarray:
    wide = _carried(a.dtype)
    factors, terms = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    result = np.empty(terms.shape, a.dtype)
    last = np.zeros(terms.shape[1:], wide)
    places = range(len(terms))
    for i in reversed(places) if reverse else places:
        last = factors[i].astype(wide) * last + terms[i].astype(wide)
        result[i] = last
    return np.moveaxis(result, 0, axis)


def shifted(x: Any, axis: int, by: int, fill: float) -> Any:
    """Each element replaced by the one `by` places (1 or -1) before it; `fill` at the end."""
    ones = [1 if a == axis else d for a, d in enumerate(x.type.shape)]
    edge = FUNCTIONS["full"](ones, fill, x.type.dtype)
    wide = concat([edge, x] if by > 0 else [x, edge], axis)
    return cut(wide, axis, 0 if by > 0 else 1, x.type.shape[axis])


def _cumsum_vjp(node: Node, ct: Node) -> tuple[Any]:
    return (CUMSUM(ct, axis=node.attr("axis"), reverse=not node.attr("reverse")),)


def _cumprod_vjp(node: Node, ct: Node) -> tuple[Any]:
    """Exact with zeros: the product before each element, times a recurrence over those after."""
    (x,) = node.inputs
    axis, reverse = node.attr("axis"), node.attr("reverse")
    forward = -1 if reverse else 1
    before = shifted(CUMPROD(x, axis=axis, reverse=reverse), axis, forward, 1)
    after = RECURRENCE(shifted(x, axis, -forward, 0), ct, axis=axis, reverse=not reverse)
    return (before * after,)


def _recurrence_vjp(node: Node, ct: Node) -> tuple[Any, Any]:
    a, _ = node.inputs
    axis, reverse = node.attr("axis"), node.attr("reverse")
    forward = -1 if reverse else 1
    ct_b = RECURRENCE(shifted(a, axis, -forward, 0), ct, axis=axis, reverse=not reverse)
    before = RECURRENCE(*node.inputs, axis=axis, reverse=reverse)
    return ct_b * shifted(before, axis, forward, 0), ct_b


def _samples(arity: int, *more: str) -> Callable[[], list[Sample]]:
    shapes = (((4,), 0, False), ((2, 5), 1, True), ((3, 4, 70), 1, False), ((1,), 0, True),
              ((3, 0), 1, False), ((0, 3), 1, False))  # fmt: skip

    def make() -> list[Sample]:
        found = [
            Sample(((shape, "float64", "small"),) * arity, {"axis": axis, "reverse": reverse})
            for shape, axis, reverse in shapes
        ]
        return found + [
            Sample((((2, 5), dtype, "small"),) * arity, {"axis": 1, "reverse": False})
            for dtype in more
        ]

    return make


CUMSUM = declare(
    Op(
        "cumsum", Kind.LIBRARY, _infer("cumsum"), _accumulate(np.add), _cumsum_vjp,
        Library("cumsum"),
        batch=behind(axis=later),
        samples=_samples(1, "float32", "float16", "bfloat16", "int64", "int8", "uint8"),
        doc="Sums of the elements up to each one.",
    )
)  # fmt: skip
CUMPROD = declare(
    Op(
        "cumprod", Kind.LIBRARY, _infer("cumprod"), _accumulate(np.multiply), _cumprod_vjp,
        Library("cumprod"),
        batch=behind(axis=later),
        samples=_samples(1, "float32", "float16", "bfloat16", "int64", "uint8"),
        doc="Products of the elements up to each one.",
    )
)  # fmt: skip
RECURRENCE = declare(
    Op(
        "recurrence", Kind.LIBRARY, _infer("recurrence"), _recurrence_numpy, _recurrence_vjp,
        Library("recurrence"),
        batch=behind(axis=later),
        samples=_samples(2, "float32", "float16", "bfloat16"),
        doc="y[i] = a[i] * y[i - 1] + b[i], with y[-1] = 0.",
    )
)  # fmt: skip


def _cumulative(name: str, op: Op, x: Any, axis: Any, reverse: bool, exclusive: bool) -> Any:
    x = as_tensor(x, name)
    if axis is None:
        x, axis = flatten(x), 0
    axis = check_axis(name, axis, len(x.type.shape))
    dtype = x.type.dtype
    if dtype.kind in ("bool", "int"):
        x = FUNCTIONS["cast"](x, dtypes.int64)
    elif dtype.kind == "uint":
        x = FUNCTIONS["cast"](x, dtypes.uint64)
    y = op(x, axis=axis, reverse=bool(reverse))
    if not exclusive:
        return y
    return shifted(y, axis, -1 if reverse else 1, 1 if op is CUMPROD else 0)


@public
def cumsum(
    x: Operand, axis: int | None = None, *, reverse: bool = False, exclusive: bool = False
) -> Any:
    """The sums of the elements up to each one.

    Args:
        x: a tensor; bool and integers become int64 or uint64, as in NumPy.
        axis: the axis; None takes the flattened tensor.
        reverse: sum from the end.
        exclusive: leave out the element itself, so that the first sum is 0.

    Returns:
        A tensor of x's shape.
    """
    return _cumulative("cumsum", CUMSUM, x, axis, reverse, exclusive)


@public
def cumprod(
    x: Operand, axis: int | None = None, *, reverse: bool = False, exclusive: bool = False
) -> Any:
    """The products of the elements up to each one; its gradient is exact where elements are 0.

    Args:
        x: a tensor; bool and integers become int64 or uint64, as in NumPy.
        axis: the axis; None takes the flattened tensor.
        reverse: multiply from the end.
        exclusive: leave out the element itself, so that the first product is 1.

    Returns:
        A tensor of x's shape.
    """
    return _cumulative("cumprod", CUMPROD, x, axis, reverse, exclusive)


@public
def recurrence(a: Operand, b: Operand, axis: int = -1, *, reverse: bool = False) -> Any:
    """The linear recurrence `y[i] = a[i] * y[i - 1] + b[i]` with `y[-1] = 0`.

    Args:
        a: factors; floats.
        b: terms; broadcast with a.
        axis: the axis along which it runs.
        reverse: run from the end.

    Example:
        >>> import graphc as gc
        >>> half = gc.full((4,), 0.5)
        >>> gc.recurrence(half, gc.tensor([8.0, 0.0, 0.0, 1.0]))
        tensor([8., 4., 2., 2.])
    """
    a, b = conform("recurrence", [a, b], "float")
    axis = check_axis("recurrence", axis, len(a.type.shape))
    return RECURRENCE(a, b, axis=axis, reverse=bool(reverse))

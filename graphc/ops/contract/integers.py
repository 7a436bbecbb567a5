"""Products of small integers summed in int32: what quantised layers compute.

The op is of int8 and uint8 in any pairing, without zero points; the functions take them, by
`(x - a) @ (y - b) = x @ y - a * sum(y) - b * sum(x) + k * a * b`, which holds of sums that wrap.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.facts import NoGradient
from graphc.core.ir import Kind, Library, Node, Op, Sample, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType, broadcast_shapes
from graphc.core.typing import Operand
from graphc.errors import DTypeError, ShapeError
from graphc.ops.arrays.reduce import SUM
from graphc.ops.arrays.shaping import broadcast_to, expand_dims, reshape
from graphc.ops.batch import all_of
from graphc.ops.contract import work
from graphc.ops.declare import as_tensor, declare, describe, public
from graphc.ops.source import CONSTANT_OP, FULL, Bound, constant, size

BYTES = (dtypes.int8, dtypes.uint8)


def _infer(x: TensorType, y: TensorType) -> TensorType:
    if x.dtype not in BYTES or y.dtype not in BYTES:
        raise DTypeError(f"matmul_integer: int8 or uint8, got {x} and {y}", where=caller())
    fits = x.rank == y.rank >= 2 and x.shape[:-2] == y.shape[:-2] and x.shape[-1] == y.shape[-2]
    if not fits:
        raise ShapeError(f"matmul_integer: {x} and {y} do not fit", where=caller())
    return TensorType(dtypes.int32, (*x.shape[:-1], y.shape[-1]))


def _numpy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.matmul(x.astype(np.int32), y.astype(np.int32))


def _batch(node: Any, operands: Sequence[Any], batched: Sequence[bool]) -> Any:
    return MATMUL_INTEGER(*all_of(operands, batched))


def _samples() -> list[Sample]:
    shapes = [((3, 4), (4, 5)), ((2, 3, 7), (2, 7, 1)), ((1, 1), (1, 1)), ((3, 0), (0, 2)),
              ((0, 3), (3, 2)), ((9, 13), (13, 50))]  # fmt: skip
    pairs = itertools.product(("int8", "uint8"), repeat=2)
    return [
        Sample(((a, left, "real"), (b, right, "real")))
        for (left, right), (a, b) in itertools.product(pairs, shapes)
    ]


MATMUL_INTEGER = declare(
    Op(
        "matmul_integer", Kind.CONTRACT, _infer, _numpy, NoGradient("its operands are integers"),
        Library("matmul_integer", strided=True),
        flops=work.of_matmul, batch=_batch, samples=_samples,
        doc="Matrix products of int8 or uint8 over the last two axes, summed in int32; sums wrap.",
    )
)  # fmt: skip


def wide(x: Any) -> Any:
    """Small integers as int32."""
    return folded(
        x, lambda array: array.astype(np.int32), lambda t: FUNCTIONS["cast"](t, dtypes.int32)
    )


def folded(x: Any, of_array: Callable[[np.ndarray], Any], of_tensor: Callable[[Any], Any]) -> Any:
    """A function of a tensor: of a constant, such as a weight, it is computed now."""
    if isinstance(x, Bound) and x.op is CONSTANT_OP:
        return constant(of_array(x.value))
    return of_tensor(x)


def total(x: Any, axis: int) -> Any:
    """Sums along an axis, which stays with size 1."""
    return folded(
        x,
        lambda array: array.sum(axis, np.int32, keepdims=True),
        lambda t: expand_dims(SUM(wide(t), axes=(axis % len(t.type.shape),)), axis),
    )


def zero_of(value: Any, name: str) -> Any:
    """A zero point as a number where it is known, else as a tensor; None where it is 0."""
    if value is not None and not isinstance(value, int | np.integer):
        value = as_tensor(value, name)
        if not isinstance(value, Node) or value.op is not FULL:
            return value
        value = value.attr("value")
    return int(value) if value else None


def _of(zero: Any) -> Any:
    return constant(np.int32(zero)) if isinstance(zero, int) else wide(zero)


@public
def matmul_integer(x: Operand, y: Operand, x_zero: Any = None, y_zero: Any = None) -> Any:
    """The matrix product of small integers less their zero points, summed in int32.

    Args:
        x: (..., m, k), int8 or uint8.
        y: (..., k, n), int8 or uint8.
        x_zero: the zero point of x, an int or a tensor that broadcasts to (..., m, 1); None for 0.
        y_zero: that of y, to (..., 1, n).

    Returns:
        (..., m, n) in int32; batch axes broadcast, sums wrap.

    Raises:
        DTypeError: an operand is of another dtype.
        ShapeError: sizes do not fit.

    Example:
        >>> import graphc as gc
        >>> x, y = gc.tensor([[3, 5]]).to(gc.uint8), gc.tensor([[1], [-2]]).to(gc.int8)
        >>> gc.matmul_integer(x, y, x_zero=2)
        tensor([[-5]], dtype=torch.int32)
    """
    x, y = as_tensor(x, "matmul_integer"), as_tensor(y, "matmul_integer")
    if min(len(x.type.shape), len(y.type.shape)) < 2:
        raise ShapeError(
            "matmul_integer: operands have at least two axes", [describe(x), describe(y)],
            where=caller(),
        )  # fmt: skip
    a, b = zero_of(x_zero, "x_zero"), zero_of(y_zero, "y_zero")
    found = _product(x, y)
    if a is not None:
        found = found - _of(a) * total(y, -2)
    if b is not None:
        found = found - _of(b) * total(x, -1)
    if a is not None and b is not None:
        k = x.type.shape[-1]
        found = found + _of(a) * _of(b) * (k if isinstance(k, int) else wide(size(k)))
    return found


def _product(x: Any, y: Any) -> Any:
    (*bx, m, k), (*by, inner, n) = x.type.shape, y.type.shape
    if inner != k:
        raise ShapeError(
            f"matmul_integer: inner sizes differ, {k} and {inner}",
            [describe(x), describe(y)],
            where=caller(),
        )
    if bx and not by and k != 0:
        return reshape(MATMUL_INTEGER(reshape(x, (-1, k)), y), (*bx, m, n))
    batch = broadcast_shapes([tuple(bx), tuple(by)])
    if batch is None:
        raise ShapeError(
            f"matmul_integer: batch sizes {tuple(bx)} and {tuple(by)} do not broadcast",
            [describe(x), describe(y)],
            where=caller(),
        )
    return MATMUL_INTEGER(broadcast_to(x, (*batch, m, k)), broadcast_to(y, (*batch, k, n)))

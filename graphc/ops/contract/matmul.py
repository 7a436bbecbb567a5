"""Matrix multiplication: the `matmul` op and NumPy's functions that are one.

The op has equal batch axes: `(*b, m, k) @ (*b, k, n)`. The function `matmul` broadcasts them and
takes 1-d operands. `tensordot` and `einsum` are in `einsum`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import Kind, Library, Node, Op, Sample, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType, broadcast_shapes
from graphc.core.typing import Operand
from graphc.errors import DTypeError, ShapeError
from graphc.ops.arrays.shaping import broadcast_to, expand_dims, reshape, swapaxes
from graphc.ops.batch import all_of, merged, moved, parted
from graphc.ops.contract import work
from graphc.ops.declare import as_tensor, bring, common_dtype, declare, describe, never_none, public


def _matmul_infer(x: TensorType, y: TensorType) -> TensorType:
    if x.dtype is not y.dtype:
        raise DTypeError(f"matmul: operands must have one dtype, got {x} and {y}", where=caller())
    fits = x.rank == y.rank >= 2 and x.shape[:-2] == y.shape[:-2] and x.shape[-1] == y.shape[-2]
    if not fits:
        raise ShapeError(f"matmul: {x} and {y} do not fit", where=caller())
    return x.with_shape((*x.shape[:-1], y.shape[-1]))


def _matmul_numpy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.matmul(dtypes.widened(x), dtypes.widened(y)).astype(x.dtype, copy=False)


def _matmul_vjp(node: Node, ct: Node) -> tuple[Any, Any]:
    x, y = node.inputs
    return MATMUL(ct, swapaxes(y, -1, -2)), MATMUL(swapaxes(x, -1, -2), ct)


def _matmul_batch(node: Any, operands: Sequence[Any], batched: Sequence[bool]) -> Any:
    """One matrix for all elements is one product of more rows, or of more columns."""
    x, y = operands
    if len(node.type.shape) == 2 and not batched[1]:
        return parted(MATMUL(merged(x), y), 0, *x.type.shape[:2])
    if len(node.type.shape) == 2 and not batched[0]:
        wide = MATMUL(x, merged(moved(y, 0, 1), 1))
        return moved(parted(wide, 1, y.type.shape[0], y.type.shape[2]), 1, 0)
    return MATMUL(*all_of(operands, batched))


def _pair(x: tuple[int, ...], y: tuple[int, ...], dtype: str = "float32") -> Sample:
    return Sample(((x, dtype, "real"), (y, dtype, "real")))


MATMUL = declare(
    Op(
        "matmul", Kind.CONTRACT, _matmul_infer, _matmul_numpy, _matmul_vjp,
        Library("matmul", strided=True),
        flops=work.of_matmul, batch=_matmul_batch,
        samples=lambda: [
            _pair((3, 4), (4, 5)),
            _pair((2, 3, 4), (2, 4, 1)),
            _pair((1, 1), (1, 1)),
            _pair((3, 0), (0, 2)),
            _pair((0, 3), (3, 2)),
            _pair((3, 4), (4, 2), "int32"),
            _pair((3, 4), (4, 2), "uint8"),
            _pair((2, 4), (4, 2), "bool"),
            _pair((3, 4), (4, 5), "float64"),
            _pair((3, 4), (4, 5), "float16"),
            _pair((3, 4), (4, 5), "bfloat16"),
        ],
        doc="Matrix products over the last two axes; integers wrap, bools are any(x and y), "
        "float16 and bfloat16 are summed in float32 and rounded once.",
    )
)  # fmt: skip


def same_dtype(name: str, *values: object) -> list[Any]:
    """Operands as tensors of their promoted dtype."""
    tensors = [as_tensor(v, name) for v in values]
    dtype = common_dtype(tensors)
    return [bring(t, dtype, t.type.shape) for t in tensors]


@public
def matmul(x: Any, y: Any) -> Any:
    """The matrix product, with NumPy's rules.

    Args:
        x: (..., m, k), or (k,).
        y: (..., k, n), or (k,).

    Returns:
        (..., m, n); without m or n for a 1-d operand. Batch axes broadcast.

    Raises:
        ShapeError: the inner sizes differ, an operand is 0-d, or batches do not broadcast.
    """
    x, y = same_dtype("matmul", x, y)
    if not x.type.shape or not y.type.shape:
        raise ShapeError(
            "matmul: a 0-d operand",
            [describe(x), describe(y)],
            where=caller(),
            hint="multiply by a scalar with *",
        )
    if x.type.shape[-1] != y.type.shape[-2 if len(y.type.shape) > 1 else 0]:
        raise _inner(x, y)
    drop = [axis for axis, t in ((-2, x), (-1, y)) if len(t.type.shape) == 1]
    x = expand_dims(x, 0) if -2 in drop else x
    y = expand_dims(y, 1) if -1 in drop else y
    result = _batched(x, y)
    shape = result.type.shape
    rank = len(shape)
    return reshape(result, [d for a, d in enumerate(shape) if a - rank not in drop])


def _batched(x: Any, y: Any) -> Any:
    (*bx, m, k), (*by, _, n) = x.type.shape, y.type.shape
    if not by and bx:
        # One matrix for all batches: a single product of more rows.
        rows = reshape(x, (-1, k)) if k != 0 else x
        if len(rows.type.shape) == 2:
            return reshape(MATMUL(rows, y), (*bx, m, n))
    batch = broadcast_shapes([tuple(bx), tuple(by)])
    if batch is None:
        raise ShapeError(
            f"matmul: batch sizes {tuple(bx)} and {tuple(by)} do not broadcast",
            [describe(x), describe(y)],
            where=caller(),
        )
    return MATMUL(broadcast_to(x, (*batch, m, k)), broadcast_to(y, (*batch, k, n)))


def _inner(x: Any, y: Any) -> ShapeError:
    inner = y.type.shape[-2 if len(y.type.shape) > 1 else 0]
    turned = len(y.type.shape) > 1 and y.type.shape[-1] == x.type.shape[-1]
    return ShapeError(
        f"matmul: inner sizes differ, {x.type.shape[-1]} and {inner}",
        [describe(x), describe(y)],
        where=caller(),
        hint="transpose y: x @ y.T"
        if turned
        else never_none([x.type.shape[-1:], (inner,)])
        or "the last size of x is the last but one of y",
    )


@public
def dot(x: Any, y: Any) -> Any:
    """NumPy's dot: the sum over x's last and y's last but one axis; a product for 0-d operands."""
    x, y = same_dtype("dot", x, y)
    if not x.type.shape or not y.type.shape:
        return FUNCTIONS["multiply"](x, y)
    if len(y.type.shape) <= 2:
        return matmul(x, y)
    return FUNCTIONS["tensordot"](x, y, ((-1,), (-2,)))


@public
def vdot(x: Operand, y: Operand) -> Any:
    """The inner product of the flattened tensors."""
    return matmul(FUNCTIONS["flatten"](x), FUNCTIONS["flatten"](y))


@public
def inner(x: Any, y: Any) -> Any:
    """NumPy's inner: the sum over the last axes of both."""
    x, y = same_dtype("inner", x, y)
    if not x.type.shape or not y.type.shape:
        return FUNCTIONS["multiply"](x, y)
    return FUNCTIONS["tensordot"](x, y, ((-1,), (-1,)))


@public
def outer(x: Operand, y: Operand) -> Any:
    """All products of the elements of two flattened tensors: (x.size, y.size)."""
    x, y = FUNCTIONS["flatten"](x), FUNCTIONS["flatten"](y)
    return FUNCTIONS["multiply"](expand_dims(x, 1), expand_dims(y, 0))

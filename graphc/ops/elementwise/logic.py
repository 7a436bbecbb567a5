"""Logic on bools, bits of integers, and the choice `where`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import Node, NoGradient, Sample, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import TensorType
from graphc.core.typing import Operand, Values
from graphc.errors import DTypeError, ShapeError
from graphc.ops.declare import (
    INTEGER,
    LOGIC,
    as_tensor,
    binary,
    bring,
    common_dtype,
    common_shape,
    conform,
    elementwise_op,
    is_pattern,
    is_scalar,
    is_tensor,
    operand,
    public,
    unary,
)
from graphc.ops.documented import documented
from graphc.ops.elementwise.compare import BOOL

BITS = NoGradient("its result is of integers or bools")


def _truth(value: Values, name: str) -> Any:
    """An operand as bools: whether it is not 0."""
    if is_scalar(value):
        return bool(value)
    return FUNCTIONS["cast"](as_tensor(value, name), dtypes.bool_)


def _logical(name: str, arity: int, scalar: str, words: str, example: str) -> Callable[..., Any]:
    op = elementwise_op(
        name,
        numpy=getattr(np, name),
        scalar=scalar,
        vjp=BOOL,
        kinds=("bool",),
        commutative=arity == 2,
        doc=f"{words}, elementwise; a number is true when it is not 0 (nan is true).",
        example=example,
    )

    def build(*operands: Operators) -> Any:
        if is_pattern(*operands):
            return op(*operands)
        return op(*conform(name, [_truth(v, name) for v in operands]))

    function: Callable[..., Any] = (
        (lambda x, y: build(x, y)) if arity == 2 else (lambda x: build(x))
    )
    function.__name__ = function.__qualname__ = name
    function.__doc__ = documented(op)
    return public(function, name)


logical_and = _logical(
    "logical_and",
    2,
    "{0} & {1}",
    "Whether both x and y are true",
    example="[1, 1, 0], [1, 0, 0] -> [ True, False, False]",
)
logical_or = _logical(
    "logical_or",
    2,
    "{0} | {1}",
    "Whether x or y is true",
    example="[1, 1, 0], [1, 0, 0] -> [ True,  True, False]",
)
logical_xor = _logical(
    "logical_xor",
    2,
    "{0} != {1}",
    "Whether one of x and y is true",
    example="[1, 1, 0], [1, 0, 0] -> [False,  True, False]",
)
logical_not = _logical(
    "logical_not", 1, "not {0}", "Whether x is false", example="[1, 0] -> [False,  True]"
)

bitwise_and = binary(
    "bitwise_and", numpy=np.bitwise_and, scalar="{0} & {1}", vjp=BITS, kinds=LOGIC,
    commutative=True, doc="The bits set in both x and y, elementwise; of bools, the logical and.",
    example="[6, 12], [3, 10] -> [2, 8]",
)  # fmt: skip
bitwise_or = binary(
    "bitwise_or", numpy=np.bitwise_or, scalar="{0} | {1}", vjp=BITS, kinds=LOGIC,
    commutative=True, doc="The bits set in x or y, elementwise; of bools, the logical or.",
    example="[6, 12], [3, 10] -> [ 7, 14]",
)  # fmt: skip
bitwise_xor = binary(
    "bitwise_xor", numpy=np.bitwise_xor, scalar="{0} ^ {1}", vjp=BITS, kinds=LOGIC,
    commutative=True, doc="The bits set in one of x and y, elementwise; of bools, whether they "
    "differ.",
    example="[6, 12], [3, 10] -> [5, 6]",
)  # fmt: skip
invert = unary(
    "invert", numpy=np.invert,
    scalar=lambda x: "not {0}" if x.kind == "bool" else "~{0}", vjp=BITS, kinds=LOGIC,
    doc="The bits of x flipped, elementwise; of bools, the logical not.",
    example="[0, 1, -1] -> [-1, -2,  0]",
)  # fmt: skip
left_shift = binary(
    "left_shift", promote="number", numpy=np.left_shift, scalar="shift_left({0}, {1})", vjp=BITS,
    kinds=INTEGER, domain="real/shift_count",
    doc="x with its bits moved left by y places, elementwise; 0 when y is the width or more.",
    example="[1, 3], [4, 1] -> [16,  6]",
)  # fmt: skip
right_shift = binary(
    "right_shift", promote="number", numpy=np.right_shift, scalar="shift_right({0}, {1})",
    vjp=BITS, kinds=INTEGER, domain="real/shift_count",
    doc="x with its bits moved right by y places, elementwise, the sign kept; 0, or -1 for "
    "negative x, when y is the width or more.",
    example="[16, -8], [2, 1] -> [ 4, -4]",
)  # fmt: skip
bitwise_count = unary(
    "bitwise_count", promote="number", numpy=np.bitwise_count, scalar="bit_count({0})", vjp=BITS,
    kinds=INTEGER, result=dtypes.uint8,
    doc="How many bits of |x| are set, elementwise, as uint8.",
    example="[0, 7, 8] -> [0, 3, 1], dtype=torch.uint8",
)  # fmt: skip

for _name in ("left_shift", "right_shift", "invert"):
    public(FUNCTIONS[_name], f"bitwise_{_name}")


def _where_infer(condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
    if x != y or condition.shape != x.shape:
        raise ShapeError(
            f"where: a condition {condition} with {x} and {y}: shapes and dtypes must be equal",
            where=caller(),
        )
    if condition.dtype is not dtypes.bool_:
        raise DTypeError(f"where: the condition must be of bools, not {condition}", where=caller())
    return x


def _where_vjp(node: Node, ct: Node) -> tuple[None, Any, Any]:
    condition = node.inputs[0]
    return None, where(condition, ct, 0), where(condition, 0, ct)


def _where_samples() -> list[Sample]:
    kinds = ("float32", "float64", "float16", "bfloat16", "int8", "uint64", "bool")
    cases = [((3, 4), kind) for kind in kinds] + [((), "float32"), ((0, 2), "int64")]
    return [
        Sample(((shape, "bool", "real"), (shape, kind, "real"), (shape, kind, "real")))
        for shape, kind in cases
    ]


WHERE = elementwise_op(
    "where",
    numpy=np.where,
    scalar="select({0}, {1}, {2})",
    vjp=_where_vjp,
    infer=_where_infer,
    samples=_where_samples,
    doc="x where the condition holds, y elsewhere.",
)


@public
def where(condition: Operand, x: Operand, y: Operand) -> Any:
    """x where the condition holds, y elsewhere, elementwise.

    Args:
        condition: bools; numbers count as true when they are not 0.
        x: number or tensor.
        y: number or tensor; all three broadcast.

    Returns:
        A tensor of the common dtype of x and y. Only the operand chosen gets the gradient.
    """
    if is_pattern(condition, x, y):
        return WHERE(condition, x, y)
    x, y = (operand(v, "where") for v in (x, y))
    truth = _truth(condition, "where")
    dtype = common_dtype([x, y])
    shape = common_shape("where", [v for v in (truth, x, y) if is_tensor(v)])
    return WHERE(bring(truth, dtypes.bool_, shape), bring(x, dtype, shape), bring(y, dtype, shape))


public(invert, "bitwise_not")

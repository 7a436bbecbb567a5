"""Powers and roots: power float_power sqrt cbrt rsqrt."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.dtypes import DType
from graphc.core.ir import Node, Scalar, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.typing import Operand, Values
from graphc.errors import AttributeValueError
from graphc.ops.declare import (
    FLOAT,
    conform,
    elementwise_op,
    is_pattern,
    is_scalar,
    literal,
    operand,
    public,
    unary,
    weak,
)
from graphc.ops.source import FULL

sqrt = unary(
    "sqrt",
    promote="float",
    numpy=np.sqrt,
    scalar="sqrt({0})",
    vjp=lambda n, ct: (ct * 0.5 / n,),
    kinds=FLOAT,
    domain="positive",
    doc="The square root, elementwise; nan below 0. The gradient at 0 is inf.",
    example="[4.0, 2.0] -> [2.0000, 1.4142]",
)
cbrt = unary(
    "cbrt",
    promote="float",
    numpy=np.cbrt,
    scalar="cbrt({0})",
    vjp=lambda n, ct: (ct / (n * n * 3),),
    kinds=FLOAT,
    domain="nonzero",
    doc="The cube root, elementwise.",
    example="[8.0, -27.0] -> [ 2.0000, -3.0000]",
)
rsqrt = unary(
    "rsqrt",
    promote="float",
    numpy=lambda x: np.reciprocal(np.sqrt(x)),
    scalar="rsqrt({0})",
    vjp=lambda n, ct: (ct * -0.5 * (n * n * n),),
    kinds=FLOAT,
    domain="positive",
    doc="1 / sqrt(x), elementwise.",
    example="[1.0, 4.0] -> [1.0000, 0.5000]",
)


def _negative_exponent(value: Values) -> AttributeValueError:
    return AttributeValueError(
        f"power: the exponent {value} of an integer is negative",
        hint="cast the base to a float first",
    )


def _power_numpy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if y.dtype.kind == "i" and y.size and (y < 0).any():
        raise _negative_exponent(y[y < 0].flat[0] if y.ndim else y[()])
    result = np.power(x, y)
    if not dtypes.is_float(x.dtype):
        return result
    # NumPy may take the root for an exponent of 0.5, which errs at -inf and keeps the sign of -0.0.
    return np.where((y == 0.5) & ((x == 0) | (x == -np.inf)), np.abs(x), result)


def _power_vjp(node: Node, ct: Node) -> tuple[Any, Any]:
    x, y = node.inputs
    where = FUNCTIONS["where"]
    if y.op is FULL:
        exponent = y.attr("value")
        return None if exponent == 0 else ct * (power(x, exponent - 1) * exponent), None
    # 0 ** -1 times 0 would be nan at x = y = 0, where PyTorch gives 0; so of nan.
    # What is not positive has no logarithm, and ct may have its nan in second derivatives.
    still = (y == 0) & ~(x > 0)
    slope = where(still, 0, ct * (y * POWER(where(still, 1, x), y - 1)))
    vanishing = (x == 0) & (y >= 0)
    return slope, where(vanishing, 0, ct * node * FUNCTIONS["log"](where(vanishing, 1, x)))


def _power_scalar(x: DType, y: DType) -> str:
    return "power({0}, {1})" if x.is_float else "power_int({0}, {1})"


def _power_check(x: DType, y: DType) -> str:
    return f"{{1}} < {literal(y, 0)}"


def _may_be_negative(node: Node) -> bool:
    exponent = node.inputs[1]
    if exponent.type.dtype.kind != "int":  # type: ignore[union-attr]
        return False
    return exponent.op is not FULL or exponent.attr("value") < 0


POWER = elementwise_op(
    "power",
    numpy=_power_numpy,
    scalar=Scalar(
        _power_scalar,
        check=_power_check,
        value="i64({1})",
        failure=lambda node, value: _negative_exponent(value),
    ),
    vjp=_power_vjp,
    checked=_may_be_negative,
    domain="positive/small_uint",
    doc="x to the power y.",
)


@public
def power(x: Operand, y: Operand) -> Any:
    """x to the power y, elementwise, with NumPy's dtypes; integers wrap around.

    The gradient by y is 0 where x is 0 and y is not negative, as in PyTorch.

    Args:
        x: number or tensor.
        y: number or tensor.

    Raises:
        AttributeValueError: an integer to a negative power: here when y is a number, else when
            the program runs.
    """
    if is_pattern(x, y):
        return POWER(x, y)
    x, y = (operand(v, "power") for v in (x, y))
    exponent: Any
    base, exponent = conform("power", [x, y], "number")
    if exponent.op is FULL and exponent.type.dtype.kind == "int" and exponent.attr("value") < 0:
        error = _negative_exponent(exponent.attr("value"))
        raise AttributeValueError(error.what, where=caller(), hint=error.hint)
    if is_scalar(y) and y == 1:
        return base
    is_square = is_scalar(y) and y == 2
    return weak(FUNCTIONS["square"](base) if is_square else POWER(base, exponent), x, y)


public(power, "pow")


@public
def float_power(x: Operand, y: Operand) -> Any:
    """x to the power y, elementwise, in float64.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([2.0, 3.0]).double()
        >>> gc.float_power(x, 2)
        tensor([4., 9.], dtype=torch.float64)
    """
    x, y = (operand(v, "float_power") for v in (x, y))
    # Before they meet: float32 would not hold an int32.
    wide: list[Any] = [v if is_scalar(v) else FUNCTIONS["cast"](v, dtypes.float64) for v in (x, y)]
    if all(map(is_scalar, wide)):
        return power(*conform("float_power", wide, "divide"))
    return power(*wide)

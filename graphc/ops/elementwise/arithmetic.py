"""Arithmetic on elements: add subtract multiply divide negative absolute sign square ...

Integers wrap around, as in NumPy. Not here: floor division and remainders (`division`), powers and
roots (`power`), maximum and minimum (`extremes`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import Node
from graphc.core.operators import FUNCTIONS
from graphc.core.typing import Operand
from graphc.ops.declare import (
    ANY,
    FLOAT,
    NUMBER,
    as_tensor,
    binary,
    conform,
    infer_elementwise,
    literal,
    pieces,
    public,
    unary,
)

add = binary(
    "add",
    numpy=np.add,
    scalar=lambda x, y: "{0} | {1}" if x.kind == "bool" else "{0} + {1}",
    vjp=lambda n, ct: (ct, ct),
    kinds=ANY,
    commutative=True,
    doc="x + y, elementwise; of bools, the logical or, as NumPy has it.",
)
subtract = binary(
    "subtract",
    numpy=np.subtract,
    scalar="{0} - {1}",
    vjp=lambda n, ct: (ct, -ct),
    doc="x - y, elementwise; bools are refused, as in NumPy.",
)
multiply = binary(
    "multiply",
    numpy=np.multiply,
    scalar=lambda x, y: "{0} & {1}" if x.kind == "bool" else "{0} * {1}",
    vjp=lambda n, ct: (ct * n.inputs[1], ct * n.inputs[0]),
    kinds=ANY,
    commutative=True,
    doc="x * y, elementwise; of bools, the logical and, as NumPy has it.",
)
divide = binary(
    "divide",
    promote="divide",
    numpy=np.divide,
    scalar="{0} / {1}",
    vjp=lambda n, ct: (ct / n.inputs[1], -ct * n / n.inputs[1]),
    kinds=FLOAT,
    domain="real/nonzero",
    doc="x / y, elementwise; integers and bools are divided as float64, as in NumPy.",
)
public(divide, "true_divide")
negative = unary(
    "negative",
    numpy=np.negative,
    scalar="-{0}",
    vjp=lambda n, ct: (-ct,),
    doc="-x, elementwise; bools are refused, as in NumPy.",
    example="[1.0, -2.0] -> [-1.,  2.]",
)


def _absolute_vjp(node: Node, ct: Node) -> tuple[Any]:
    (x,) = node.inputs
    # As in PyTorch: no slope at 0, and none at nan.
    return (ct * FUNCTIONS["where"](FUNCTIONS["isnan"](x), 0, FUNCTIONS["sign"](x)),)


absolute = unary(
    "absolute",
    numpy=np.absolute,
    scalar=lambda x: "{0}" if x.kind in ("bool", "uint") else "absolute({0})",
    vjp=_absolute_vjp,
    kinds=ANY,
    doc="|x|, elementwise; the gradient at 0 and at nan is 0, as in PyTorch.",
    example="[-1.5, 0.0, 2.0] -> [1.5000, 0.0000, 2.0000]",
)
public(absolute, "abs")
sign = unary(
    "sign",
    numpy=np.sign,
    scalar="sign({0})",
    vjp=pieces,
    doc="-1, 0 or 1 by the sign of x, elementwise; nan for nan. Its gradient is zero.",
    example="[-2.5, 0.0, 3.0] -> [-1.,  0.,  1.]",
)
square = unary(
    "square",
    promote="number",
    numpy=np.square,
    scalar="{0} * {0}",
    vjp=lambda n, ct: (ct * (n.inputs[0] * 2),),
    doc="x * x, elementwise.",
    example="[3.0, -0.5] -> [9.0000, 0.2500]",
)


def _reciprocal_numpy(x: np.ndarray) -> np.ndarray:
    if dtypes.is_float(x.dtype):
        return np.reciprocal(x)
    return np.where(np.abs(x) == 1, x, 0).astype(x.dtype)


def _reciprocal_scalar(x: Any) -> str:
    if x.is_float:
        return f"{literal(x, 1.0)} / {{0}}"
    unit = f"({{0}} == {literal(x, 1)})"
    if x.kind == "int":
        unit += f" | ({{0}} == {literal(x, -1)})"
    return f"select({unit}, {{0}}, {literal(x, 0)})"


reciprocal = unary(
    "reciprocal",
    promote="number",
    numpy=_reciprocal_numpy,
    scalar=_reciprocal_scalar,
    vjp=lambda n, ct: (-ct * n * n,),
    domain="nonzero",
    doc="1 / x, elementwise. Of integers, the whole part of it; 0 gives 0.",
    example="[2.0, -4.0] -> [ 0.5000, -0.2500]",
)
hypot = binary(
    "hypot",
    promote="float",
    numpy=np.hypot,
    scalar="hypot({0}, {1})",
    vjp=lambda n, ct: (ct * (n.inputs[0] / n), ct * (n.inputs[1] / n)),
    kinds=FLOAT,
    commutative=True,
    doc="sqrt(x * x + y * y) without overflow; the gradient at (0, 0) is nan, as in PyTorch.",
    example="[3.0, 5.0], [4.0, 12.0] -> [ 5., 13.]",
)


def _copysign_vjp(node: Node, ct: Node) -> tuple[Any, None]:
    x, _ = node.inputs
    # As in PyTorch: 0 at 0, where the sign says nothing of the slope, and nan at infinities.
    return ct * FUNCTIONS["where"](x == 0, 0, node / x), None


copysign = binary(
    "copysign",
    promote="float",
    numpy=np.copysign,
    scalar="copysign({0}, {1})",
    vjp=_copysign_vjp,
    kinds=FLOAT,
    doc="|x| with the sign of y, elementwise; its gradient at x = 0 is 0.",
    example="[1.0, -2.0], [-3.0, 3.0] -> [-1.,  2.]",
)


@public
def positive(x: Operand) -> Any:
    """x itself; bools are refused, as in NumPy.

    Example:
        >>> import graphc as gc
        >>> gc.positive(gc.tensor([1.0, -2.0]))
        tensor([ 1., -2.])
    """
    x = as_tensor(x, "positive")
    infer_elementwise("positive", NUMBER, "same")(x.type)
    return x


@public
def fabs(x: Operand) -> Any:
    """|x|, elementwise, as a float.

    Example:
        >>> import graphc as gc
        >>> gc.fabs(gc.tensor([-1.5, 2.0]))
        tensor([1.5000, 2.0000])
    """
    (x,) = conform("fabs", [x], "float")
    return absolute(x)

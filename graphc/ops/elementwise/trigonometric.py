"""Trigonometric and hyperbolic functions; angles in radians; floats in, floats out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.core.ir import Node
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Operand
from graphc.ops.declare import FLOAT, binary, conform, public, rounded_once, unary
from graphc.ops.elementwise.arithmetic import hypot
from graphc.ops.elementwise.power import sqrt


def _unary(name: str, vjp: object, words: str, domain: str = "real", example: str = "") -> Any:
    return unary(
        name, promote="float", numpy=getattr(np, name), scalar=f"{name}({{0}})", vjp=vjp,
        kinds=FLOAT, domain=domain, doc=f"The {words} of x, elementwise.", example=example,
    )  # fmt: skip


def _chord(x: Operators) -> Any:
    """sqrt(1 - x * x), accurate near 1."""
    return sqrt((1 - x) * (1 + x))


sin: Any = _unary(
    "sin", lambda n, ct: (ct * cos(n.inputs[0]),), "sine", example="[0.0, 1.0] -> [0.0000, 0.8415]"
)
cos: Any = _unary(
    "cos",
    lambda n, ct: (-ct * sin(n.inputs[0]),),
    "cosine",
    example="[0.0, 1.0] -> [1.0000, 0.5403]",
)
tan = _unary(
    "tan", lambda n, ct: (ct * (n * n + 1),), "tangent", example="[0.0, 1.0] -> [0.0000, 1.5574]"
)
arcsin = _unary(
    "arcsin",
    lambda n, ct: (ct / _chord(n.inputs[0]),),
    "inverse sine",
    "unit",
    example="[0.0, 1.0] -> [0.0000, 1.5708]",
)
arccos = _unary(
    "arccos",
    lambda n, ct: (-ct / _chord(n.inputs[0]),),
    "inverse cosine",
    "unit",
    example="[1.0, 0.0, -1.0] -> [0.0000, 1.5708, 3.1416]",
)
arctan = _unary(
    "arctan",
    lambda n, ct: (ct / (n.inputs[0] * n.inputs[0] + 1),),
    "inverse tangent",
    example="[0.0, 1.0] -> [0.0000, 0.7854]",
)
sinh: Any = _unary(
    "sinh",
    lambda n, ct: (ct * cosh(n.inputs[0]),),
    "hyperbolic sine",
    "exponent",
    example="[0.0, 1.0] -> [0.0000, 1.1752]",
)
cosh: Any = _unary(
    "cosh",
    lambda n, ct: (ct * sinh(n.inputs[0]),),
    "hyperbolic cosine",
    "exponent",
    example="[0.0, 1.0] -> [1.0000, 1.5431]",
)
tanh = _unary(
    "tanh",
    lambda n, ct: (ct * (1 - n * n),),
    "hyperbolic tangent",
    example="[0.0, 1.0] -> [0.0000, 0.7616]",
)
arcsinh = _unary(
    "arcsinh",
    lambda n, ct: (ct / hypot(n.inputs[0], 1),),
    "inverse hyperbolic sine",
    example="[0.0, 1.0] -> [0.0000, 0.8814]",
)


def _arccosh_vjp(node: Node, ct: Node) -> tuple[Any]:
    # As in PyTorch the formula is even, so that it gives numbers below -1 too.
    size = FUNCTIONS["absolute"](node.inputs[0])
    return (ct / (sqrt(size - 1) * sqrt(size + 1)),)


arccosh = _unary(
    "arccosh",
    _arccosh_vjp,
    "inverse hyperbolic cosine",
    "above_one",
    example="[1.0, 2.0] -> [0.0000, 1.3170]",
)
arctanh = _unary(
    "arctanh",
    lambda n, ct: (ct / ((1 - n.inputs[0]) * (1 + n.inputs[0])),),
    "inverse hyperbolic tangent",
    "unit",
    example="[0.0, 0.5] -> [0.0000, 0.5493]",
)


def _arctan2_vjp(node: Node, ct: Node) -> tuple[Any, Any]:
    y, x = node.inputs
    length = hypot(y, x)
    length = FUNCTIONS["where"](length == 0, 1, length)
    return ct * (x / length / length), -ct * (y / length / length)


arctan2 = binary(
    "arctan2",
    promote="float",
    numpy=np.arctan2,
    scalar="arctan2({0}, {1})",
    vjp=_arctan2_vjp,
    kinds=FLOAT,
    doc="The angle of the point (y, x), elementwise, in [-pi, pi]; arguments in the order y, x. "
    "The gradient at (0, 0) is 0.",
    example="[1.0, -1.0], [1.0, -1.0] -> [ 0.7854, -2.3562]",
)


@public
def deg2rad(x: Operand) -> Any:
    """Degrees as radians, elementwise.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([180.0, 90.0])
        >>> gc.deg2rad(x)
        tensor([3.1416, 1.5708])
    """
    (x,) = conform("deg2rad", [x], "float")
    return x * (math.pi / 180)


@public
def rad2deg(x: Operand) -> Any:
    """Radians as degrees, elementwise.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([3.14159265, 1.0])
        >>> gc.rad2deg(x)
        tensor([180.0000,  57.2958])
    """
    (x,) = conform("rad2deg", [x], "float")
    return x * (180 / math.pi)


# Taylor's series of sin(y) / y in y * y, to the last bit of float64 for |y| < 0.4.
_SERIES = [(-1.0) ** k / math.factorial(2 * k + 1) for k in range(8)]


@public
@rounded_once
def sinc(x: Operand) -> Any:
    """sin(pi * x) / (pi * x), elementwise, and 1 at 0, with all its derivatives.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([0.0, 0.5, 1.5])
        >>> gc.sinc(x)
        tensor([ 1.0000,  0.6366, -0.2122])
    """
    (x,) = conform("sinc", [x], "float")
    where = FUNCTIONS["where"]
    y = x * math.pi
    near = FUNCTIONS["absolute"](y) < 0.4
    small = where(near, y, 0)
    square = small * small
    series = square * _SERIES[-1]
    for coefficient in _SERIES[-2:0:-1]:
        series = (series + coefficient) * square
    large = where(near, 1, y)
    # Of x only what is left of the nearest integer turns the sine; odd integers change its sign.
    whole = FUNCTIONS["rint"](x)
    odd = FUNCTIONS["absolute"](whole - FUNCTIONS["rint"](whole * 0.5) * 2)
    wave = sin((x - whole) * math.pi) * (1 - odd * 2)
    return where(near, series + 1, wave / large)


for _alias, _function in {
    "degrees": rad2deg, "radians": deg2rad, "asin": arcsin, "acos": arccos, "atan": arctan,
    "atan2": arctan2, "asinh": arcsinh, "acosh": arccosh, "atanh": arctanh,
}.items():  # fmt: skip
    public(_function, _alias)

"""Whole quotients and remainders: floor_divide remainder fmod divmod gcd lcm.

An integer divided by 0 is an error, found when the program runs; the least integer divided by -1
wraps around.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core.dtypes import DType
from graphc.core.ir import Node, Scalar
from graphc.core.operators import FUNCTIONS
from graphc.core.typing import Operand
from graphc.errors import DivisionError
from graphc.ops.declare import INTEGER, binary, conform, literal, pieces, public
from graphc.ops.elementwise.logic import BITS
from graphc.ops.source import never_zero


def by_zero(name: str) -> DivisionError:
    """The error of an integer divided by 0."""
    return DivisionError(
        f"{name}: an integer divided by 0",
        hint="divide where the divisor is not 0: where(y != 0, y, 1)",
    )


def _refusing(name: str, ufunc: np.ufunc) -> Any:
    """A NumPy division that stops at integers divided by 0."""

    def divide(x: np.ndarray, y: np.ndarray) -> Any:
        if y.dtype.kind in "iu" and not np.all(y):
            raise by_zero(name)
        return ufunc(x, y)

    return divide


def _can_fail(node: Node) -> bool:
    divisor = node.inputs[1]
    return divisor.type.dtype.is_integer and not never_zero(divisor)  # type: ignore[union-attr]


def _zero_divisor(x: DType, y: DType) -> str:
    return f"{{1}} == {literal(y, 0)}"


def _checked(name: str, ufunc: np.ufunc, template: str) -> dict[str, Any]:
    """What integer divisions have in common: they stop at a divisor of 0."""
    return {
        "promote": "number",
        "numpy": _refusing(name, ufunc),
        "scalar": Scalar(
            template, check=_zero_divisor, value="", failure=lambda node, value: by_zero(name)
        ),
        "checked": _can_fail,
        "domain": "real/nonzero",
    }


floor_divide = binary(
    "floor_divide",
    **_checked("floor_divide", np.floor_divide, "floor_divide({0}, {1})"),
    vjp=pieces,
    doc="The greatest whole number not above x / y, elementwise; its gradient is zero.",
    example="[7, -7], [2, 2] -> [ 3, -4]",
)


def _remainder_vjp(node: Node, ct: Node) -> tuple[Any, Any]:
    return ct, -ct * floor_divide(*node.inputs)


remainder = binary(
    "remainder",
    **_checked("remainder", np.remainder, "floor_mod({0}, {1})"),
    vjp=_remainder_vjp,
    doc="What x // y leaves of x, elementwise; it has the sign of y, as Python's %.",
    example="[7, -7], [3, 3] -> [1, 2]",
)


def _fmod_vjp(node: Node, ct: Node) -> tuple[Any, Any]:
    x, y = node.inputs
    return ct, -ct * FUNCTIONS["trunc"](x / y)


fmod = binary(
    "fmod",
    **_checked("fmod", np.fmod, "c_mod({0}, {1})"),
    vjp=_fmod_vjp,
    doc="The remainder of a division rounded toward 0, elementwise; it has the sign of x.",
    example="[7, -7], [3, 3] -> [ 1, -1]",
)
gcd = binary(
    "gcd", numpy=np.gcd, scalar="gcd({0}, {1})", vjp=BITS, kinds=INTEGER, commutative=True,
    doc="The greatest common divisor of |x| and |y|, elementwise.",
    example="[12, 7], [18, 21] -> [6, 7]",
)  # fmt: skip
lcm = binary(
    "lcm", numpy=np.lcm, scalar="lcm({0}, {1})", vjp=BITS, kinds=INTEGER, commutative=True,
    domain="small_int", doc="The least common multiple of |x| and |y|, elementwise.",
    example="[4, 6], [6, 9] -> [12, 18]",
)  # fmt: skip


@public
def divmod(x: Operand, y: Operand) -> tuple[Any, Any]:
    """The pair `(x // y, x % y)`, elementwise.

    Example:
        >>> import graphc as gc
        >>> gc.divmod(gc.tensor([7, -7]), gc.tensor([2, 2]))
        (tensor([ 3, -4]), tensor([1, 1]))
    """
    x, y = conform("divmod", [x, y], "number")
    return floor_divide(x, y), remainder(x, y)


public(remainder, "mod")

"""Whole quotients and remainders: floor_divide remainder fmod divmod gcd lcm.

Integers divided by 0 give 0, as in NumPy; the least integer divided by -1 wraps around.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ops.declare import INTEGER, binary, conform, pieces, public
from graphc.ops.elementwise.logic import BITS

floor_divide = binary(
    "floor_divide",
    promote="number",
    numpy=np.floor_divide,
    scalar="floor_divide({0}, {1})",
    vjp=pieces,
    domain="real/nonzero",
    doc="The greatest whole number not above x / y, elementwise; its gradient is zero.",
)


def _remainder_vjp(node: Any, ct: Any) -> tuple[Any, Any]:
    return ct, -ct * floor_divide(*node.inputs)


remainder = binary(
    "remainder",
    promote="number",
    numpy=np.remainder,
    scalar="floor_mod({0}, {1})",
    vjp=_remainder_vjp,
    domain="real/nonzero",
    doc="What x // y leaves of x, elementwise; it has the sign of y, as Python's %.",
)


def _fmod_vjp(node: Any, ct: Any) -> tuple[Any, Any]:
    x, y = node.inputs
    return ct, -ct * ((x - node) / y)


fmod = binary(
    "fmod",
    promote="number",
    numpy=np.fmod,
    scalar="c_mod({0}, {1})",
    vjp=_fmod_vjp,
    domain="real/nonzero",
    doc="The remainder of a division rounded toward 0, elementwise; it has the sign of x.",
)
gcd = binary(
    "gcd", numpy=np.gcd, scalar="gcd({0}, {1})", vjp=BITS, kinds=INTEGER, commutative=True,
    doc="The greatest common divisor of |x| and |y|, elementwise.",
)  # fmt: skip
lcm = binary(
    "lcm", numpy=np.lcm, scalar="lcm({0}, {1})", vjp=BITS, kinds=INTEGER, commutative=True,
    domain="small_int", doc="The least common multiple of |x| and |y|, elementwise.",
)  # fmt: skip


@public
def divmod(x: Any, y: Any) -> tuple[Any, Any]:
    """The pair `(x // y, x % y)`, elementwise."""
    x, y = conform("divmod", [x, y], "number")
    return floor_divide(x, y), remainder(x, y)


public(remainder, "mod")

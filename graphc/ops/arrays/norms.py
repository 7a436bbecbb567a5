"""Norms of vectors, whose gradients at 0 are 0: functions of the graph for those who need one.

A root's slope at 0 is infinite, and what it is multiplied by there is 0: nan by the chain rule. As
in PyTorch, 0 comes back.
"""

from __future__ import annotations

import math
from typing import Any

from graphc.core.operators import FUNCTIONS
from graphc.core.typing import Axes, Operand
from graphc.ops.control import GRADIENT_AS


def root(x: Operand) -> Any:
    """The square root of what is not negative; its gradient at 0 is 0."""
    where, zero = FUNCTIONS["where"], x == 0
    return where(zero, 0, FUNCTIONS["sqrt"](where(zero, 1, x)))


def vector_norm(x: Any, p: Any, axis: Axes | None, keepdims: bool = False) -> Any:
    """The p-norm of a symbolic tensor over axes; the gradient of a zero vector is 0.

    Args:
        x: floats.
        p: a number, also 0, inf and -inf.
        axis: one, several, or None for all.
        keepdims: keep the axes, with size 1.
    """
    absolute, total, where = FUNCTIONS["absolute"], FUNCTIONS["sum"], FUNCTIONS["where"]
    if p == 2:
        return root(total(x * x, axis, keepdims))
    if p == 1:
        return total(absolute(x), axis, keepdims)
    if p in (math.inf, -math.inf):
        return _greatest("max" if p > 0 else "min", absolute(x), axis, keepdims)
    if p == 0:
        return total(FUNCTIONS["cast"](x != 0, x.type.dtype), axis, keepdims)
    powers = absolute(x) ** p
    if p < 1:
        # Where x is 0 the derivative of a power is infinite as well.
        at_zero = math.inf if p < 0 else 0
        powers = where(x == 0, at_zero, where(x == 0, 1, absolute(x)) ** p)
    powers = total(powers, axis, keepdims)
    zero = powers == 0
    return where(zero, 0 if p > 0 else math.inf, where(zero, 1, powers) ** (1.0 / p))


def _greatest(name: str, sizes: Any, axis: Axes | None, keepdims: bool) -> Any:
    """The greatest or least of sizes; those that tie share the gradient, nan with nan too."""
    top, stop = FUNCTIONS[name](sizes, axis, True), FUNCTIONS["stop_gradient"]
    isnan = FUNCTIONS["isnan"]
    best = FUNCTIONS["cast"]((sizes == top) | (isnan(sizes) & isnan(top)), sizes.type.dtype)
    share = stop(best / FUNCTIONS["sum"](best, axis, True))
    value = FUNCTIONS[name](stop(sizes), axis, keepdims)
    return GRADIENT_AS(value, FUNCTIONS["sum"](sizes * share, axis, keepdims))

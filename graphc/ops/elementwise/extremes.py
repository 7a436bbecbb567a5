"""The larger and the smaller of elements: maximum minimum fmax fmin clip."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.dtypes import greatest, least
from graphc.core.ir import Node, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Operand
from graphc.errors import ArgumentError
from graphc.ops.declare import (
    ANY,
    binary,
    conform,
    elementwise_op,
    is_pattern,
    operand,
    public,
)
from graphc.ops.source import FULL


def _propagating(worse: str) -> Callable[..., tuple[Any, Any]]:
    """Half of the cotangent to each where they tie; a nan passes it to both (as PyTorch)."""

    def vjp(node: Node, ct: Node) -> tuple[Any, Any]:
        x, y = node.inputs
        lost, where = FUNCTIONS[worse], FUNCTIONS["where"]
        shared = where(x == y, ct * 0.5, ct)
        return where(lost(x, y), 0, shared), where(lost(y, x), 0, shared)

    return vjp


def _ignoring(holds: str) -> Callable[..., tuple[Any, Any]]:
    """All of the cotangent to x where they tie; nothing to a nan beside a number (as PyTorch)."""

    def vjp(node: Node, ct: Node) -> tuple[Any, Any]:
        x, y = node.inputs
        where = FUNCTIONS["where"]
        first = FUNCTIONS[holds](x, y) | FUNCTIONS["isnan"](y)
        return where(first, ct, 0), where(first, 0, ct)

    return vjp


def _of_bools(otherwise: str, of_bools: str) -> Callable[..., str]:
    return lambda *types: of_bools if types[0].kind == "bool" else otherwise


maximum = binary(
    "maximum",
    numpy=np.maximum,
    scalar=_of_bools("maximum({0}, {1})", "{0} | {1}"),
    vjp=_propagating("less"),
    kinds=ANY,
    commutative=True,
    doc="The larger of x and y, elementwise; nan if either is. Where they tie, each gets half of "
    "the gradient, as in PyTorch.",
    example="[1.0, 5.0], [2.0, 3.0] -> [2., 5.]",
)
minimum = binary(
    "minimum",
    numpy=np.minimum,
    scalar=_of_bools("minimum({0}, {1})", "{0} & {1}"),
    vjp=_propagating("greater"),
    kinds=ANY,
    commutative=True,
    doc="The smaller of x and y, elementwise; nan if either is. Where they tie, each gets half of "
    "the gradient, as in PyTorch.",
    example="[1.0, 5.0], [2.0, 3.0] -> [1., 3.]",
)
fmax = binary(
    "fmax",
    numpy=np.fmax,
    scalar=_of_bools("fmax({0}, {1})", "{0} | {1}"),
    vjp=_ignoring("greater_equal"),
    kinds=ANY,
    commutative=True,
    doc="The larger of x and y, elementwise; of a nan and a number, the number. Where they tie, x "
    "gets the gradient, as in PyTorch.",
    example="[1.0, float('nan')], [2.0, 3.0] -> [2., 3.]",
)
fmin = binary(
    "fmin",
    numpy=np.fmin,
    scalar=_of_bools("fmin({0}, {1})", "{0} & {1}"),
    vjp=_ignoring("less_equal"),
    kinds=ANY,
    commutative=True,
    doc="The smaller of x and y, elementwise; of a nan and a number, the number. Where they tie, x "
    "gets the gradient, as in PyTorch.",
    example="[1.0, float('nan')], [2.0, 3.0] -> [1., 3.]",
)


def _clip_vjp(node: Node, ct: Node) -> tuple[Any, Any, Any]:
    x, low, high = node.inputs
    where = FUNCTIONS["where"]
    inside = (x >= low) & (x <= high)
    below, above = x < low, (low > high) | (x > high)
    if not (high.op is FULL and high.attr("value") == math.inf):  # a lower bound may be infinite
        below = (low < high) & below
    return where(inside, ct, 0), where(below, ct, 0), where(above, ct, 0)


CLIP = elementwise_op(
    "clip",
    numpy=lambda x, low, high: np.minimum(np.maximum(x, low), high),
    scalar=_of_bools("minimum(maximum({0}, {1}), {2})", "({0} | {1}) & {2}"),
    vjp=_clip_vjp,
    kinds=ANY,
    doc="x where it lies between low and high, elsewhere the nearer of them.",
)


@public
def clip(x: Operand, min: Operand | None = None, max: Operand | None = None) -> Any:
    """x where it lies in [min, max], elsewhere the nearer bound, elementwise.

    Where min > max, the result is max. nan stays nan. The gradient passes where
    min <= x <= max, the bounds included, as in PyTorch.

    Args:
        x: a tensor.
        min: number or tensor, or None for no bound.
        max: number or tensor, or None for no bound.

    Raises:
        ArgumentError: neither bound is given.
    """
    if min is None and max is None:
        raise ArgumentError("clip: neither min nor max is given", where=caller())
    if is_pattern(x, min, max):
        return CLIP(x, min, max)
    x = operand(x, "clip")
    given = [v for v in (min, max) if v is not None]
    x, *bounds = conform("clip", [x, *given])
    low = bounds[0] if min is not None else _limit(x, -1)
    high = bounds[-1] if max is not None else _limit(x, 1)
    return CLIP(x, low, high)


def _limit(x: Operators, sign: int) -> Any:
    """The bound that excludes nothing."""
    dtype = x.type.dtype
    value = greatest(dtype) if sign > 0 else least(dtype)
    return FUNCTIONS["full"](x.type.shape, value, dtype)

"""Small questions and constructions that simplification rules share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import Node, tensor_type
from graphc.ops.source import FULL, input
from graphc.passes.rewrite.engine import uniform

INTS = ("int32", "int8", "uint8")
FLOATS = ("float32", "float64")
EVERY = (*FLOATS, *INTS, "bool")


def dtype_of(node: Node) -> dtypes.DType:
    """The dtype of a node's result."""
    return tensor_type(node).dtype


def filled(node: Node, value: object) -> Node:
    """A constant of the type of `node`; integers wrap."""
    type_ = tensor_type(node)
    with np.errstate(all="ignore"):
        number = np.asarray(value).astype(type_.dtype.numpy).item()
    return FULL(value=number, shape=type_.shape, dtype=type_.dtype)


def negated(constant: Node) -> Node:
    """The constant with its sign changed; integers wrap."""
    with np.errstate(all="ignore"):
        value = np.negative(np.asarray(uniform(constant), dtype_of(constant).numpy))
    return filled(constant, value)


def unless_integer(node: Node) -> str:
    """The guard of rules that hold for integers (and bools) alone."""
    return "of floats, nan, inf and -0.0 forbid it" if dtype_of(node).is_float else ""


def unless_varied(x: Node) -> str:
    """The guard of rules that join two constants of three operands: with a third, `x`, any two
    could be the two, without end."""
    return "" if uniform(x) is None else "constants are computed by fold"


def unless_float(node: Node) -> str:
    """The guard of rules that hold for floats alone."""
    return "" if dtype_of(node).is_float else f"{dtype_of(node).name} is not a float dtype"


def unless_unsigned(node: Node) -> str:
    """The guard of rules that hold for values without a sign."""
    kind = dtype_of(node).kind
    return "" if kind in ("uint", "bool") else f"{dtype_of(node).name} values may be negative"


def is_power_of_two(value: float) -> bool:
    """Whether a float's reciprocal is exact."""
    return bool(value) and math.isfinite(value) and abs(math.frexp(value)[0]) == 0.5


def tensor(dtype: str = "float32", shape: Sequence[Any] = (2, 3), name: str = "x") -> Node:
    """An input for a rule's samples."""
    return input(name, tuple(shape), dtype)

"""The ops, each declared in one place; importing this package fills `ir.OPS`."""

from graphc.ops import control, source
from graphc.ops.arrays import (
    cumulative,
    filled,
    getitem,
    indexing,
    joining,
    lookup,
    movement,
    random,
    reduce,
    shaping,
    sorting,
    statistics,
)
from graphc.ops.contract import convolution, einsum, matmul, pooling
from graphc.ops.elementwise import (
    arithmetic,
    cast,
    compare,
    division,
    exponential,
    exponents,
    extremes,
    logic,
    power,
    rounding,
    trigonometric,
)
from graphc.ops.flow import branching, looping, loops
from graphc.ops.network import activations

__all__ = [
    "activations",
    "arithmetic",
    "branching",
    "cast",
    "compare",
    "control",
    "convolution",
    "cumulative",
    "division",
    "einsum",
    "exponential",
    "exponents",
    "extremes",
    "filled",
    "getitem",
    "indexing",
    "joining",
    "logic",
    "lookup",
    "looping",
    "loops",
    "matmul",
    "movement",
    "pooling",
    "power",
    "random",
    "reduce",
    "rounding",
    "shaping",
    "sorting",
    "source",
    "statistics",
    "trigonometric",
]

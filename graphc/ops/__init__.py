"""The ops, each declared in one place; importing this package fills `ir.OPS`."""

from graphc.ops import (
    control,
    convolution,
    cumulative,
    einsum,
    filled,
    getitem,
    indexing,
    joining,
    lookup,
    matmul,
    movement,
    pooling,
    random,
    shaping,
    sorting,
    source,
)

__all__ = [
    "control",
    "convolution",
    "cumulative",
    "einsum",
    "filled",
    "getitem",
    "indexing",
    "joining",
    "lookup",
    "matmul",
    "movement",
    "pooling",
    "random",
    "shaping",
    "sorting",
    "source",
]

"""The ops, each declared in one place; importing this package fills `ir.OPS`."""

from graphc.ops import (
    control,
    convolution,
    getitem,
    indexing,
    joining,
    matmul,
    movement,
    shaping,
    source,
)

__all__ = [
    "control",
    "convolution",
    "getitem",
    "indexing",
    "joining",
    "matmul",
    "movement",
    "shaping",
    "source",
]

"""ONNX's operators by family; importing this package fills `table.RULES`."""

from graphc.onnx.rules import (
    casting,
    constants,
    control,
    convolution,
    elementwise,
    indexing,
    losses,
    normalisation,
    pooling,
    quantised,
    recurrent,
    reduce,
    resize,
    sequences,
    shape,
    text,
    training,
    transforms,
    vision,
)

__all__ = [
    "casting", "constants", "control", "convolution", "elementwise", "indexing", "losses",
    "normalisation", "pooling", "quantised", "recurrent", "reduce", "resize", "sequences", "shape",
    "text", "training", "transforms", "vision",
]  # fmt: skip

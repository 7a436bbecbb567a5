"""ONNX's operators by family; importing this package fills `table.RULES`."""

import importlib

FAMILIES = (
    "elementwise", "reduce", "shape", "indexing", "constants", "convolution", "pooling",
    "normalisation", "resize", "recurrent", "control", "sequences", "casting", "quantised",
    "losses", "attention", "text", "training", "vision",
)  # fmt: skip

for family in FAMILIES:
    importlib.import_module(f"{__name__}.{family}")

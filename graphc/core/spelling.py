"""How attributes and the names of nodes stand in the text form of graphs.

literal((1, gc.float32))        (1, f32)
identifier("layer 1/h")         layer_1_h
"""

from __future__ import annotations

import math
import re

from graphc.core.dims import Dim
from graphc.core.dtypes import DType
from graphc.core.types import TensorType
from graphc.errors import ParseError

_COUNTED = re.compile(r"v\d+")


def is_counted(name: str) -> bool:
    """Whether the text form calls nodes so that nobody named."""
    return _COUNTED.fullmatch(name) is not None


def identifier(label: str) -> str:
    """A node's name as the text form has it, which must not look as one that was counted."""
    name = re.sub(r"\W", "_", label)
    name = name if name.isidentifier() else f"_{name}"
    return f"{name}_" if is_counted(name) else name


def literal(value: object) -> str:
    """An attribute's value as text.

    Raises:
        ParseError: the value has no text form (no op has such attributes).
    """
    if isinstance(value, tuple):
        inside = ", ".join(literal(v) for v in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, bool | int | float | str) or value is None:
        return repr(value)
    if isinstance(value, DType):
        return value.short
    if isinstance(value, Dim | TensorType):
        return str(value)
    raise ParseError(f"an attribute of type {type(value).__name__} has no text form")


__all__ = ["identifier", "is_counted", "literal"]

"""Scalar expressions of nodes in the kernel language: templates filled in, casts, costs."""

from __future__ import annotations

import re
from typing import Any

from graphc.core.dtypes import DType
from graphc.core.facts import costly_calls, template
from graphc.core.ir import Node, Scalar, tensor_type

# Additions that any other function counts for.
COSTLY = 12.0


def literal(dtype: DType, value: Any) -> str:
    """A number as a scalar of the kernel language, of the dtype in which it is computed."""
    if dtype.is_float:
        return f"{dtype.compute.short}({float(dtype.numpy.type(value))!r})"
    return f"{dtype.short}({int(value)})"


def wide(dtype: DType) -> str:
    """The name of the dtype in which a reduction accumulates."""
    return dtype.compute.short


def scalar_cost(text: str) -> float:
    """About how many additions an expression takes."""
    return 1.0 + COSTLY * costly_calls(text)


def node_cost(node: Node) -> float:
    """About how many additions one element of an elementwise node takes."""
    fact = node.op.lowering
    return scalar_cost(template(node, fact.template)) if isinstance(fact, Scalar) else 1.0


def identity(node: Node) -> str:
    """The neutral element of a reduction as a scalar."""
    dtype = tensor_type(node.inputs[0]).dtype
    return f"{wide(dtype)}({node.op.lowering.identity(dtype)})"  # type: ignore[union-attr]


def combine(node: Node, total: str, value: str) -> str:
    """The expression of a reduction's step; for argmax and the like, its condition."""
    fact: Any = node.op.lowering
    dtype = tensor_type(node.inputs[0]).dtype
    template = fact.combine(dtype) if callable(fact.combine) else fact.combine
    text = template.format(value, acc=total)
    return text if dtype.is_float or fact.arg else cast(dtype, text)


def cast(dtype: DType, text: str) -> str:
    """The expression rounded or wrapped to a dtype; float32 and float64 already are."""
    if dtype.is_float and dtype.wide is None:
        return text
    whole = re.fullmatch(rf"{dtype.short}\((?:[^()]|\([^()]*\))*\)", text)
    return text if whole else f"{dtype.short}({text})"

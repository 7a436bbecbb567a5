"""The words in the boxes of a picture: titles, types, bytes, what was folded into a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.core import dims
from graphc.core.ir import Graph, Kind, Node, bodies
from graphc.core.types import TensorType, TupleType, Type

WIDEST = 30  # characters of a line in a box
_UNSAID = ("inplace", "dtype", "name", "type", "shape")


def cut(text: str, width: int = WIDEST) -> str:
    """A text that fits into a box, without control characters."""
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= width else text[: width - 1] + "…"


def title_of(node: Node) -> str:
    """What a box calls a node: its name, its op, the name of its kernel."""
    if not node.inputs:
        return cut(node.name)
    if node.op.kind is Kind.FUSED:
        return cut(", ".join(body.name for body in bodies(node).values()))
    return cut(f"{node.label}: {node.op.name}" if node.label else node.op.name)


def described(node: Node) -> list[str]:
    """The lines below the title: type and bytes, attributes."""
    attrs = ", ".join(
        f"{key}={value}"
        for key, value in node.attrs
        if not isinstance(value, Graph | TensorType) and key not in _UNSAID
    )
    lines = [cut(f"{types_of(node.type)}  {nbytes_of(node.type)}")]
    return [*lines, cut(attrs)] if attrs else lines


def types_of(type_: Type) -> str:
    """A type; of several results the first and how many there are."""
    if isinstance(type_, TupleType) and len(type_.items) > 1:
        return f"{type_.items[0]} + {len(type_.items) - 1} more"
    return str(type_.items[0] if isinstance(type_, TupleType) and type_.items else type_)


def nbytes_of(type_: Type) -> str:
    """The bytes of a type's values, in units."""
    items = type_.items if isinstance(type_, TupleType) else (type_,)
    total: Any = 0
    for item in items:
        total = total + item.nbytes
    if isinstance(total, dims.Dim):
        return f"{total} B"
    for unit in ("B", "kB", "MB", "GB"):
        if total < 10_000 or unit == "GB":
            break
        total = total // 1000
    return f"{total} {unit}"


def folded_words(
    node: Node, is_folded: Callable[[Node], bool], is_drawn: Callable[[Node], bool]
) -> list[str]:
    """A line for operands that are no boxes: numbers, state; and for those that are repeated."""
    words = []
    for operand in node.inputs:
        repeated = False
        while is_folded(operand) and operand.inputs:
            repeated = repeated or operand.op.name == "broadcast"
            operand = operand.inputs[0]
        if not operand.inputs and is_folded(operand):
            words.append(_number(operand))
        elif not operand.inputs and not is_drawn(operand):
            words.append(operand.name)
        elif repeated:
            words.append("broadcast")
    return [cut("with " + ", ".join(dict.fromkeys(words)))] if words else []


def _number(node: Node) -> str:
    value = dict(node.attrs).get("value")
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value) if value is not None else node.op.name


__all__ = ["cut", "described", "folded_words", "nbytes_of", "title_of", "types_of"]

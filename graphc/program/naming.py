"""Names that users give to nodes: shown in messages, explanations, texts and pictures of graphs."""

from __future__ import annotations

from typing import TypeVar

from graphc.core.inner import is_placeholder
from graphc.core.ir import Node, caller
from graphc.core.origin import name_node
from graphc.errors import ArgumentError, AttributeValueError
from graphc.ops.source import INPUT_OP, Parameter

T = TypeVar("T")


def named(name: str, value: T) -> T:
    """Give a tensor of a graph a name, which messages, `explain()`, texts and pictures show.

    Args:
        name: such as "h" or "encoder.h"; texts of graphs put `_` for what no identifier has.
            Names need not differ. A name given later takes the place of an earlier one.
        value: a tensor of a graph. Passes keep its name where they keep its value; loops'
            variables and traced tensors can be named too. Anything else is left as it is.

    Returns:
        The very tensor.

    Raises:
        ArgumentError: the name is no str.
        AttributeValueError: it is empty or cannot be printed; an input's or a parameter's name is
            another, and calls go by it.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> h = gc.named("h", gc.exp(x))
        >>> h
        <h: f32[3]>
        >>> print(gc.text.show(gc.Graph.of("f", [x], [h * x])))
        def f(x: f32[3]):
            h: f32[3] = exp(x)
            v0: f32[3] = multiply(h, x)
            return v0
    """
    if not isinstance(name, str):
        raise ArgumentError(
            f"named: the name is a {type(name).__name__}, not a str",
            where=caller(),
            hint='write gc.named("h", y)',
        )
    if not name or not name.isprintable():
        raise AttributeValueError(
            f"named: the name {name!r:.60} is empty or cannot be printed", where=caller()
        )
    node = value if isinstance(value, Node) else getattr(value, "_node", None)
    if not isinstance(node, Node):
        return value
    if isinstance(node, Parameter) or (node.op is INPUT_OP and not is_placeholder(node)):
        if node.name != name:
            raise AttributeValueError(
                f"named: {node.name!r} is the name of this {node.op.name}, and calls go by it",
                [node.describe()],
                where=caller(),
                hint="give it the name when it is made, or name a tensor computed from it",
            )
        return value
    name_node(node, name)
    return value


__all__ = ["named"]

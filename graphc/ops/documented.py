"""The docstring of an elementwise op's public function, made of the op's record."""

from __future__ import annotations

from graphc.core.ir import Op


def documented(op: Op, name: str = "") -> str:
    """The docstring of an elementwise op's public function, with its example as a session.

    Args:
        op: the op.
        name: of the function, unless it is the op's.
    """
    if not op.example:
        return op.doc
    given, _, found = op.example.partition(" -> ")
    # The operands are lists, one after the other.
    x, _, y = given.partition("], [")
    lines = [f"x = gc.tensor({x}])" if y else f"x = gc.tensor({x})"]
    lines.append(f"gc.{name or op.name}(x, gc.tensor([{y}))" if y else f"gc.{name or op.name}(x)")
    session = "".join(f"\n    >>> {line}" for line in ("import graphc as gc", *lines))
    return f"{op.doc}\n\nExample:{session}\n    tensor({found})\n"


__all__ = ["documented"]

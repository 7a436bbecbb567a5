"""Whether nodes that were built twice compute the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core.ir import Graph, Node
from graphc.eager.engine.signature import replayed
from graphc.jit.trace.steps import same
from graphc.ops.source import CONSTANT_OP, INPUT_OP, PARAMETER_OP, Parameter

# Ops whose nodes are what they are called, not what they compute.
_SOURCES = (INPUT_OP, PARAMETER_OP, CONSTANT_OP)


def alike(mine: Sequence[Node], others: Sequence[Node]) -> bool:
    """Whether nodes compute the same from the same: op by op, down to nodes that both have."""
    pairs: dict[Node, Node] = {}
    stack = list(zip(mine, others))
    if len(mine) != len(others):
        return False
    while stack:
        a, b = stack.pop()
        if a is b or pairs.get(a) is b:
            continue
        if a in pairs or a.op is not b.op or a.type != b.type or len(a.inputs) != len(b.inputs):
            return False
        if not a.inputs and a.op in _SOURCES:
            return False
        if not _alike_settings(a.attrs, b.attrs):
            return False
        pairs[a] = b
        stack.extend(zip(a.inputs, b.inputs))
    return True


def _alike_settings(mine: Any, others: Any) -> bool:
    if isinstance(mine, Graph) and isinstance(others, Graph):
        return alike_graphs(mine, others)
    if isinstance(mine, tuple) and isinstance(others, tuple):
        return len(mine) == len(others) and all(map(_alike_settings, mine, others))
    return same(mine, others)


def alike_graphs(mine: Graph, others: Graph) -> bool:
    """Whether two bodies of control flow compute the same of their inputs."""
    if len(mine.inputs) != len(others.inputs):
        return False
    if any(a.type != b.type for a, b in zip(mine.inputs, others.inputs)):
        return False
    new = {b: a for a, b in zip(mine.inputs, others.inputs) if not isinstance(b, Parameter)}
    return alike(mine.outputs, replayed(others.outputs, dict(new), {}))


__all__ = ["alike", "alike_graphs"]

"""`gc.debug.bisect`: which pass, which rule of it, or which kernel changes a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from graphc.core.interpret import run_sized
from graphc.core.ir import Graph, Kind, Node, caller, is_item
from graphc.debug.alone import alone, run_native
from graphc.debug.subject import Subject, node_values, subject_of
from graphc.errors import ArgumentError, GraphcError
from graphc.loops import views
from graphc.ops.printing import muted
from graphc.passes.nested import everywhere
from graphc.passes.observers import close, told, wrong_rule
from graphc.passes.pipeline import passes_named
from graphc.passes.rewrite.engine import Firing, hear, heard


@dataclass(frozen=True, slots=True)
class Blame:
    """Who changed a value first.

    Attributes:
        stage: the name of the pass, "lowering" for a kernel, "" where all agree.
        rule: the name of the rule of that pass, or "".
        node: what was rewritten wrongly, or what the kernel computes; None where all agree.
        told: a line about it.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (2,))
        >>> print(gc.debug.bisect(gc.compile([x], gc.exp(-x)), np.ones(2, np.float32)))
        nobody: all passes and kernels agree with the definition
    """

    stage: str = ""
    rule: str = ""
    node: Node | None = None
    told: str = ""

    def __bool__(self) -> bool:
        return bool(self.stage)

    def __str__(self) -> str:
        if not self.stage:
            return "nobody: all passes and kernels agree with the definition"
        if self.stage == "lowering":
            return f"the kernel of {self.told}"
        rule = f", rule {self.rule}" if self.rule else ""
        where = f"\n  at {self.node.origin}" if self.node is not None and self.node.origin else ""
        return f"the pass {self.stage}{rule}: {self.told}{where}"


@muted()
def bisect(program: object, *args: Any, **named: Any) -> Blame:
    """Find who changes a value: each pass's graph is run by definition, then each kernel alone.

    Args:
        program: a program, or a function that has one.
        args: as in a call that gives something wrong.
        named: inputs by name.

    Returns:
        The blame; false where nobody is to blame.

    Raises:
        ArgumentError: it is no program, or an argument does not fit.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (2,))
        >>> bool(gc.debug.bisect(gc.compile([x], gc.exp(-x)), np.ones(2, np.float32)))
        False
    """
    found = subject_of("bisect", program, args, named)
    if found.program is None:
        raise ArgumentError("bisect: a graph has no passes: give a program", where=caller())
    wanted = run_sized(found.graph, found.arrays, found.sizes)
    for (_, before), (name, after) in pairwise(found.history):
        if after is before or after is found.graph:
            continue  # the definition is that of the stable form
        if not _gives(after, found, wanted):
            return _pass_blamed(name, before, after, found)
    return _kernel_blamed(found)


def _gives(graph: Graph, found: Subject, wanted: Sequence[np.ndarray]) -> bool:
    """Whether a graph by its definition gives what it should."""
    try:
        got = run_sized(graph, found.arrays, found.sizes)
    except GraphcError:
        return False
    return all(map(close, wanted, got))


def _pass_blamed(name: str, before: Graph, after: Graph, found: Subject) -> Blame:
    values = dict(zip(before.inputs, found.arrays))
    firing: Firing | None = None
    for each in passes_named(name):
        hear()
        everywhere(each, before)
        firing = firing or wrong_rule(heard(), values, found.sizes)
    if firing is not None:
        return Blame(name, firing.rule.name, firing.before, told(firing))
    wrong = next(
        k for k, _ in enumerate(before.outputs)
        if not _gives_one(before, after, k, found)
    )  # fmt: skip
    node = before.outputs[wrong]
    return Blame(name, "", node, f"output {wrong}, {node.describe()}")


def _gives_one(before: Graph, after: Graph, k: int, found: Subject) -> bool:
    sides = [Graph.of("one", g.inputs, [g.outputs[k]]) for g in (before, after)]
    try:
        (wanted,), (got,) = (run_sized(g, found.arrays, found.sizes) for g in sides)
    except GraphcError:
        return False
    return close(wanted, got)


def _kernel_blamed(found: Subject) -> Blame:
    """Run each node of the final graph natively on the operands that the definition gives."""
    _, final = found.history[-1]
    values = node_values(final, found.arrays, found.sizes)
    for node in final.nodes:
        if node.op.kind is Kind.SOURCE or is_item(node) or views.is_view(node):
            continue
        if not _runs_right(node, final, values, found):
            return Blame("lowering", "", node, node.describe())
    return Blame()


def _runs_right(node: Node, final: Graph, values: dict[Node, Any], found: Subject) -> bool:
    users = [n for n in final.nodes if is_item(n) and n.inputs[0] is node] or [node]
    graph, operands = alone(node, users)
    got = run_native(graph, [np.asarray(values[operand]) for operand in operands], found.sizes)
    return all(close(np.asarray(values[user]), a) for a, user in zip(got, users))


__all__ = ["Blame", "bisect"]

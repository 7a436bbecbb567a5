"""Value-dependent branches in traced code: refused, guarded on, or traced both ways.

on_branch="error"        an error that shows gc.cond with the user's own names
on_branch="specialise"   the branch taken is part of the variant; calls evaluate the condition
on_branch="fork"         both arms are traced, and the results merged by gc.cond
on_branch="eager"        the graph ends here: it runs, and the rest of the call runs eagerly
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core.ir import Node, Origin, caller
from graphc.eager.engine.hot import AS_PLACES
from graphc.eager.engine.tensor import Tensor
from graphc.errors import TraceError
from graphc.jit.trace.refused import Refused, refusal

POLICIES = ("error", "specialise", "fork", "eager")
MOST_DECISIONS = 64
OTHER_POLICIES = ', or on_branch="specialise", "fork" or "eager"'
READING_POLICIES = ', or on_branch="specialise" or "eager"'


def refuse(trace: Any, tensor: Tensor, what: str) -> Any:
    """The policy "error": say why a static graph cannot hold this, and what to write.

    Raises:
        TraceError: always.
    """
    raise Refused(value_error(trace, tensor, what))


def evaluated(trace: Any, tensor: Tensor, what: str) -> Any:
    """The policy "specialise": compute the value now, and let Python go its way.

    Raises:
        TraceError: in a body of control flow, which has other values at each step.
    """
    if trace.bodies:
        raise Refused(value_error(trace, tensor, what))
    return trace.evaluated(tensor)


def ended(trace: Any, tensor: Tensor, what: str) -> Any:
    """The policy "eager": run the graph so far, and the rest of the call eagerly.

    Raises:
        TraceError: in a body of control flow, which has other values at each step.
    """
    if trace.bodies:
        raise Refused(value_error(trace, tensor, what))
    trace.end(f"{what} of a traced tensor")
    return tensor._array


def value_error(trace: Any, tensor: Tensor, what: str) -> TraceError:
    """The error for Python that asks for the value of a traced tensor."""
    where = caller()
    line = linecache.getline(where.file, where.line).strip() if where else ""
    facts = [f"the tensor: {tensor._node.type}, made at {tensor._node.origin}"]
    if line:
        facts.insert(0, f"in: {line}")
    hint = _hint(line, what, where)
    if trace.bodies:
        why = "it is inside a loop or a branch, whose function is called once for all steps"
        hint = hint.removesuffix(OTHER_POLICIES).removesuffix(READING_POLICIES)
    else:
        why = (
            "its value is not known while the graph is made, and a static graph runs the same "
            "operations for every value"
        )
    return TraceError(f"{what} of a traced tensor: {why}", facts, where=where, hint=hint)


def _hint(line: str, what: str, where: Origin | None) -> str:
    """What to write instead, with the names that stand in the user's line."""
    kind, condition = _statement(line)
    names = _names(condition) or ["x"]
    listed = ", ".join(names)
    if what == "bool()" and kind == "while":
        return (
            f"gc.while_loop(lambda {listed}: {condition}, lambda {listed}: ..., ({listed},)), or "
            "gc.scan for a fixed number of steps"
        )
    if what == "bool()" and condition:
        return (
            f"gc.cond({condition}, lambda {listed}: ..., lambda {listed}: ..., {listed})"
            f"{OTHER_POLICIES}"
        )
    if what == "bool()":
        return f"gc.where(condition, x, y) or gc.cond{OTHER_POLICIES}"
    if what == AS_PLACES:
        return (
            "gc.where(mask, x, other), x.masked_fill(mask, value), x.masked_scatter(mask, values)"
            f"{READING_POLICIES}"
        )
    return f"keep it a tensor, return it from the function and read it there{READING_POLICIES}"


def _statement(line: str) -> tuple[str, str]:
    """The kind of a line's statement and its condition."""
    for text in (f"{line}\n    pass", line, f"if True: pass\n{line}\n    pass"):
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.While):
                return "while", ast.unparse(node.test)
            if isinstance(node, ast.If | ast.IfExp) and not isinstance(node.test, ast.Constant):
                return "if", ast.unparse(node.test)
    return "", ""


def _names(condition: str) -> list[str]:
    try:
        tree = ast.parse(condition or "0")
    except SyntaxError:
        return []
    roots = {
        node.value.id for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }  # fmt: skip
    found = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id not in ("gc", "self")]
    return list(dict.fromkeys(n for n in found if n not in ("torch",) or n in roots - {"torch"}))


class Script:
    """Decisions given in advance: the policy under which a run follows one path.

    Attributes:
        outcomes: the decisions, first to last; the run appends what `choose` gives beyond them.
        predicates: the conditions met, as nodes.
    """

    def __init__(self, outcomes: Sequence[bool], choose: Callable[[Node], bool]) -> None:
        self.outcomes = list(outcomes)
        self.choose = choose
        self.predicates: list[Node] = []
        self.origins: list[Any] = []

    def __call__(self, trace: Any, tensor: Tensor, what: str) -> Any:
        """The truth of a traced tensor on this path."""
        if what != "bool()" or trace.bodies:
            raise Refused(value_error(trace, tensor, what))
        place = len(self.predicates)
        if place >= MOST_DECISIONS:
            raise refusal(
                f"{MOST_DECISIONS} value-dependent branches on one path of the traced function",
                where=caller(),
                hint="a loop on values is gc.while_loop(cond_fn, body_fn, init)",
            )
        self.predicates.append(tensor._node)
        self.origins.append(caller())
        if place == len(self.outcomes):
            self.outcomes.append(bool(self.choose(tensor._node)))
        return np.asarray(self.outcomes[place])


# What gives the value of a traced tensor, by policy; "fork" has its own.
POLICY = {"error": refuse, "specialise": evaluated, "fork": evaluated, "eager": ended}

__all__ = ["POLICIES", "POLICY", "Script", "refuse", "value_error"]

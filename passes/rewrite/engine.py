"""Rewriting: patterns written as expressions, named rules, and the one driver that applies them.

    x, y = var("x"), var("y")
    Rule("neg-neg", -(-x), lambda x: x)
    Rule("sub-neg", x - (-y), lambda x, y: x + y)

A pattern is an expression on pattern variables. A variable that occurs twice must be the same
node; commutative ops match in both orders; a Python number matches a constant of that value, of
any dtype and shape. Attributes that a pattern does not name may be anything; `attribute("axes")`
binds one. `ops.exp(x)` makes the pattern of any op by name.

Not here: the rules (`simplify*`).
"""

from __future__ import annotations

import inspect
import math
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from graphc import config
from graphc.core.dtypes import float64
from graphc.core.ir import OPS, Graph, Kind, Node, Op, rebuild
from graphc.core.operators import Operators
from graphc.errors import InternalError
from graphc.ops.arrays.movement import BROADCAST
from graphc.ops.source import FULL

LIMIT = 64  # firings at one node before its rules are taken to go in circles

Bindings = dict[str, Any]


class Pattern(Operators):
    """What a node may look like: a variable, a number, an op of patterns, any op of a kind."""

    __slots__ = ("attrs", "inputs", "kind", "name", "op", "value", "where")
    is_pattern = True

    def __init__(
        self,
        op: Op | None = None,
        inputs: Sequence[Pattern] = (),
        attrs: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        value: object = None,
        where: Callable[[Node], bool] | None = None,
        kind: Kind | None = None,
    ) -> None:
        self.kind = kind
        self.op = op
        self.inputs = tuple(inputs)
        self.attrs = tuple((attrs or {}).items())
        self.name = name
        self.value = value
        self.where = where

    @staticmethod
    def build(op: Op, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Pattern:
        """The pattern of `op` on patterns; Python numbers become constants to match."""
        return Pattern(op, [i if isinstance(i, Pattern) else number(i) for i in inputs], attrs)

    def __repr__(self) -> str:
        if self.op is None:
            return self.name or repr(self.value)
        return f"{self.op.name}({', '.join(map(repr, self.inputs))})"


def var(name: str, where: Callable[[Node], bool] | None = None) -> Pattern:
    """A pattern that matches any node, or those of which `where` holds, and binds it to `name`."""
    return Pattern(name=name, where=where)


def number(value: bool | int | float) -> Pattern:
    """A pattern that matches a constant of this value (0 matches 0.0 but not -0.0)."""
    return Pattern(value=value)


def constant(name: str) -> Pattern:
    """A variable that matches only constants of one number; read it with `uniform`."""
    return Pattern(name=name, where=lambda node: uniform(node) is not None)


def any_of(kind: Kind) -> Pattern:
    """A pattern for the root of a rule: every node of a kind; the rule sees it as `node`."""
    return Pattern(kind=kind)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A pattern's attribute that binds whatever the node has to `name`."""

    name: str


def attribute(name: str) -> Any:
    """Bind the attribute of the matched node to `name`; the same name twice must agree."""
    return Attribute(name)


class _Ops:
    """`ops.exp(x, ...)`: the pattern of the op of that name."""

    def __getattr__(self, name: str) -> Callable[..., Pattern]:
        op = OPS[name.rstrip("_")]
        return lambda *inputs, **attrs: Pattern.build(op, inputs, attrs)


ops = _Ops()


@dataclass(frozen=True, eq=False)
class Rule:
    """A named rewrite.

    Args:
        name: in kebab-case.
        pattern: what to find.
        replacement: makes the new node from what the pattern bound, by parameter name; `node` is
            the matched node itself.
        unless: says why the rule does not apply, or "" when it does; parameters as above.
        exact: whether both sides have the same bits for every input (nan payloads aside); rules
            that are not run with fast math only.
        ulps: by how many units in the last place an exact rule's replacement may be nearer to the
            true value.
        dtypes: of the variables in the samples that tests make from the pattern.
        samples: makes nodes on which the rule fires, where the pattern alone cannot.
    """

    name: str
    pattern: Pattern
    replacement: Callable[..., Node]
    unless: Callable[..., str] | None = None
    exact: bool = True
    dtypes: tuple[str, ...] = ("float32", "float64", "int32", "uint8")
    samples: Callable[[], Sequence[Node]] | None = None
    ulps: int = 0
    _wanted: tuple[tuple[str, ...], tuple[str, ...]] = field(init=False, repr=False)
    _operands: tuple[Op, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.pattern.op is None and self.pattern.kind is None:
            raise InternalError(f"rule {self.name}: its pattern is no operation")
        guard = _parameters(self.unless) if self.unless else ()
        object.__setattr__(self, "_wanted", (_parameters(self.replacement), guard))
        operands = tuple(p.op for p in self.pattern.inputs if p.op is not None)
        object.__setattr__(self, "_operands", operands)

    def plausible(self, node: Node) -> bool:
        """A cheap test that fails when some operand can be none of the pattern's."""
        return not self._operands or {i.op for i in node.inputs}.issuperset(self._operands)

    def reason(self, node: Node, found: Bindings) -> str:
        """Why the rule declines this match, or ""."""
        if self.unless is None:
            return ""
        return self.unless(**_select(self._wanted[1], node, found))

    def apply(self, node: Node, found: Bindings) -> Node:
        """The replacement of a match.

        Raises:
            InternalError: the replacement has another type.
        """
        new = self.replacement(**_select(self._wanted[0], node, found))
        if new.type != node.type:
            raise InternalError(
                f"rule {self.name} turned {node.type} into {new.type}", where=node.origin or ""
            )
        return new


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _select(names: tuple[str, ...], node: Node, found: Bindings) -> Bindings:
    return {name: node if name == "node" else found[name] for name in names}


def uniform(node: Node) -> Any:
    """The number that a node holds everywhere, rounded to its dtype, when it is a constant; else
    None."""
    while node.op is BROADCAST:
        node = node.inputs[0]
    if node.op is not FULL:
        return None
    value, dtype = node.attr("value"), node.attr("dtype")
    if not dtype.is_float or dtype is float64:
        return value
    with np.errstate(over="ignore"):
        return dtype.numpy.type(value).item()


def _same_number(value: Any, wanted: Any) -> bool:
    if value is None:
        return False
    if value != value or wanted != wanted:
        return value != value and wanted != wanted
    return value == wanted and math.copysign(1, value) == math.copysign(1, wanted)


def matches(pattern: Pattern, node: Node) -> Iterator[Bindings]:
    """Every way in which a pattern matches a node: what each name stands for."""
    return _matches(pattern, node, {})


def _matches(pattern: Pattern, node: Node, found: Bindings) -> Iterator[Bindings]:
    if pattern.op is not None:
        yield from _matches_op(pattern, node, found)
    elif pattern.kind is not None:
        yield from [found] if node.op.kind is pattern.kind else []
    elif pattern.name:
        bound = found.get(pattern.name)
        if bound is None and (pattern.where is None or pattern.where(node)):
            yield {**found, pattern.name: node}
        elif bound is node:
            yield found
    elif _same_number(uniform(node), pattern.value):
        yield found


def _matches_op(pattern: Pattern, node: Node, found: Bindings) -> Iterator[Bindings]:
    if node.op is not pattern.op or len(node.inputs) != len(pattern.inputs):
        return
    for name, wanted in pattern.attrs:
        value = node.attr(name)
        if isinstance(wanted, Attribute):
            if found.get(wanted.name, value) != value:
                return
            found = {**found, wanted.name: value}
        elif value != wanted:
            return
    yield from _matches_all(pattern.inputs, node.inputs, found)
    if node.op.commutative and len(node.inputs) == 2:
        yield from _matches_all(pattern.inputs, node.inputs[::-1], found)


def _matches_all(
    patterns: tuple[Pattern, ...], nodes: tuple[Node, ...], found: Bindings
) -> Iterator[Bindings]:
    if not patterns:
        yield found
        return
    for first in _matches(patterns[0], nodes[0], found):
        yield from _matches_all(patterns[1:], nodes[1:], first)


class Firing(NamedTuple):
    """A rule that fired: the node as it was, its operands rewritten already, and what it became."""

    rule: Rule
    before: Node
    after: Node


class _Heard(threading.local):
    """The firings since the last `hear`, in this thread."""

    firings: list[Firing] | None = None


_heard = _Heard()


def hear() -> list[Firing]:
    """From now on this thread's firings go into the list that is returned."""
    _heard.firings = []
    return _heard.firings


def heard() -> list[Firing]:
    """The firings since this thread's last `hear`, in their order."""
    return list(_heard.firings or ())


def rewrite(graph: Graph, rules: Sequence[Rule], fired: Counter[str] | None = None) -> Graph:
    """Apply rules at every node, operands first, until none of them fires there.

    Args:
        graph: what to rewrite.
        rules: tried in order; the first that fires restarts at its result.
        fired: counts firings by rule, when given.

    Returns:
        The rewritten graph; the graph itself when no rule fired. New nodes inside a replacement
        are seen by the next run only.

    Raises:
        InternalError: rules go in circles, or one changes a type; the message names it.
    """
    table: dict[Op | Kind | None, list[Rule]] = {}
    for rule in rules:
        table.setdefault(rule.pattern.op or rule.pattern.kind, []).append(rule)
    log = _log if config.current().debug >= 5 else None
    count: Counter[str] = Counter() if fired is None else fired

    def visit(node: Node) -> Node:
        for _ in range(LIMIT):
            hit = _first(table.get(node.op, ()), node, log)
            hit = hit or _first(table.get(node.op.kind, ()), node, log)
            if hit is None:
                return node
            rule, found = hit
            count[rule.name] += 1
            before, node = node, rule.apply(node, found)
            if _heard.firings is not None:
                _heard.firings.append(Firing(rule, before, node))
        raise InternalError(
            f"rule {rule.name} still fires after {LIMIT} rewrites of one node",
            where=node.origin or "",
        )

    return same_graph(graph, rebuild(graph, visit))


def _first(
    rules: Sequence[Rule], node: Node, log: Callable[[str], None] | None
) -> tuple[Rule, Bindings] | None:
    for rule in rules:
        if not rule.plausible(node):
            continue
        for found in matches(rule.pattern, node):
            reason = rule.reason(node, found)
            if log:
                what = f"declined {rule.name}: {reason}" if reason else f"fired {rule.name}"
                log(f"{what} at {node.origin}")
            if not reason:
                return rule, found
    return None


def _log(line: str) -> None:
    sys.stderr.write(f"graphc: {line}\n")


def same_graph(before: Graph, after: Graph) -> Graph:
    """`before` when both hold the very same nodes, so that callers see that nothing changed."""
    same = len(before.nodes) == len(after.nodes) and all(
        a is b for a, b in zip((*before.nodes, *before.outputs), (*after.nodes, *after.outputs))
    )
    return before if same else after
